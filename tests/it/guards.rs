//! The guards: what makes a run go one request at a time, and what stops it.

use std::time::Duration;

use crate::server::{Request, Server, created, react, status};
use crate::support::{Home, create, creating_server, keys, keys_in_order};

/// Imports two cases, so that the account needs no canary any more.
fn pass_the_canary(home: &Home, server: &Server) {
    home.write("known.csv", "id,partnerFirmId\nk1,f1\nk2,f1\n");
    home.import_files(&server.url(), &["known.csv"])
        .run()
        .exits(0);
}

/// How long the server keeps an answer back: long enough for a client that
/// doesn't wait for it to send its next request.
const A_WHILE: Duration = Duration::from_millis(60);

/// Asserts that each request came after the answer to the one before, which
/// was kept back for a while.
#[track_caller]
fn assert_one_at_a_time(requests: &[Request]) {
    for pair in requests.windows(2) {
        let gap = pair[1].first_byte.duration_since(pair[0].received);
        assert!(gap >= A_WHILE, "sent {gap:?} after an unanswered request");
    }
}

#[test]
fn the_first_requests_to_an_account_go_one_at_a_time() {
    let home = Home::new();
    home.cases(4);
    let server = Server::start(|request| {
        let id = format!("{{\"_id\":\"x{}\"}}", request.index);
        react().wait(A_WHILE).answer(&status(201).json(id))
    });
    home.import(&server.url()).run().exits(0);
    let requests = server.requests();
    assert_one_at_a_time(&requests[..3]);
}

#[test]
fn a_canary_without_an_id_or_refused_stops_the_run() {
    for (code, body, state, stopped) in [
        (
            200,
            r#"{"ok":true}"#,
            "in_doubt",
            "the response has no case id",
        ),
        (401, "{}", "not_sent", "the server rejected the key (401)"),
        (403, "{}", "rejected", "answered with 403"),
        (404, "{}", "rejected", "answered with 404"),
        (405, "{}", "rejected", "answered with 405"),
    ] {
        // On the first request ever, and on the one after the first success.
        for good in [0, 1] {
            let home = Home::new();
            home.cases(5);
            let server = Server::start(move |request| {
                if request.index < good {
                    create(request)
                } else {
                    status(code).json(body).into()
                }
            });
            home.import(&server.url())
                .run()
                .exits(5)
                .stopped(stopped)
                .counts(&[
                    ("imported", good as u64),
                    (state, 1),
                    ("untried", 4 - good as u64),
                ]);
            assert_eq!(server.requests().len(), good + 1);
        }
    }
}

/// Whatever the config says of ids: a page proves nothing.
#[test]
fn a_web_page_or_a_failure_never_counts_as_an_import() {
    for (answer, stopped) in [
        (
            status(200).html("<h1>Please sign in</h1>"),
            "web page or plain text instead of JSON, such as a sign-in page. Check the base URL",
        ),
        (
            status(201).json(r#"{"success":false,"id":"n1","message":"no such map"}"#),
            "the response says that it failed",
        ),
    ] {
        for config in ["", "[api]\ncase_id_field = \"none\"\n"] {
            let home = Home::new();
            home.cases(3);
            home.write("caseload.toml", config);
            let page = answer.clone();
            let server = Server::start(move |_| page.clone());
            let done = home.import(&server.url()).run().exits(5).stopped(stopped);
            let done = done.counts(&[("in_doubt", 1), ("untried", 2)]);
            assert!(!done.to_string().contains("case_id_field"), "{done}");
            assert_eq!(server.requests().len(), 1);
        }
    }
}

#[test]
fn the_answer_that_stops_a_run_is_shown() {
    for (answer, shown) in [
        (status(401).json(r#"{"hint":"key revoked"}"#), "key revoked"),
        (status(307).html("moved to /login"), "moved to /login"),
        (
            status(429)
                .header("Retry-After", "3600")
                .json(r#"{"until":"tomorrow"}"#),
            "tomorrow",
        ),
        (status(200).json(r#"{"reference":"R-7"}"#), "R-7"),
    ] {
        let home = Home::new();
        home.cases(2);
        let server = Server::start(move |_| answer.clone());
        home.import_for_people(&server.url(), &["cases.csv"])
            .run()
            .exits(5)
            .says("response for cases.csv:2: case c1: status ")
            .says(shown);
    }
}

#[test]
fn a_404_on_the_short_path_suggests_the_organization() {
    let home = Home::new();
    home.cases(1);
    let server = Server::start(|_| status(404));
    let import = || home.import(&server.url());
    import().run().exits(5).stopped("try --org-id");
    let done = import().args(&["--adopt-ledger", "--org-id", "o1"]).run();
    let done = done.exits(5).stopped("answered with 404");
    assert!(!done.summary().text("stopped").contains("--org-id"));
}

#[test]
fn two_answers_with_the_id_of_another_case_stop_the_run() {
    for known in [false, true] {
        let home = Home::new();
        home.cases(5);
        let server = Server::start(|request| match request.json()["id"].as_str() {
            Some("k1" | "k2") => create(request),
            _ => created("one"),
        });
        if known {
            pass_the_canary(&home, &server);
        }
        home.import(&server.url())
            .args(&["--in-flight", "1"])
            .run()
            .exits(5)
            .stopped("two responses in a row had the id of another case")
            .counts(&[("imported", 1), ("in_doubt", 2), ("untried", 2)]);
    }
}

#[test]
fn after_a_case_in_doubt_requests_go_one_at_a_time() {
    let home = Home::new();
    home.cases(3);
    let server = Server::start(|request| match request.json()["id"].as_str() {
        Some("c1") => status(500).into(),
        Some("c2") => react().wait(A_WHILE).answer(&status(500)),
        _ => create(request),
    });
    pass_the_canary(&home, &server);
    // The first two may overlap; the third waits for one of them in any case.
    home.import(&server.url())
        .args(&["--in-flight", "2"])
        .run()
        .exits(4)
        .counts(&[("in_doubt", 2), ("imported", 1)]);
    let requests = server.requests();
    let of = |key: &str| requests.iter().find(|request| request.json()["id"] == key);
    assert_one_at_a_time(&[of("c2").unwrap().clone(), of("c3").unwrap().clone()]);
}

#[test]
fn too_many_failures_in_a_row_stop_the_run() {
    // Cases in doubt always count.
    let failing = |code: u16, good: usize, words: &[&str]| {
        let home = Home::new();
        home.cases(6);
        let server = Server::start(move |request| match request.json()["id"].as_str() {
            Some("k1" | "k2") => create(request),
            _ if request.index < 2 + good => create(request),
            _ => status(code).into(),
        });
        pass_the_canary(&home, &server);
        let done = home
            .import(&server.url())
            .args(&["--in-flight", "1", "--max-retries", "0"])
            .args(words)
            .run();
        let sent = server.requests().len() - 2;
        done.summary();
        (sent, done.status.code().unwrap())
    };
    let three = ["--max-failures", "3"];
    assert_eq!(failing(500, 0, &three), (3, 5));
    assert_eq!(failing(500, 2, &three), (5, 5));
    assert_eq!(failing(500, 0, &["--max-failures", "0"]), (6, 4));
    // A rejection counts until the run's first success.
    assert_eq!(failing(422, 0, &three), (3, 5));
    assert_eq!(failing(422, 1, &three), (6, 1));
    assert_eq!(failing(422, 0, &[]), (6, 1), "twenty are the default");
}

#[test]
fn three_403_or_404_answers_in_a_row_stop_a_run_without_success() {
    let home = Home::new();
    home.cases(5);
    let server = Server::start(|request| match request.json()["id"].as_str() {
        Some("k1" | "k2") => create(request),
        Some("c2") => status(404).into(),
        _ => status(403).into(),
    });
    pass_the_canary(&home, &server);
    let import = |words: &[&str]| {
        home.import(&server.url())
            .args(&["--in-flight", "1"])
            .args(words)
            .run()
    };
    import(&[])
        .exits(5)
        .stopped("responses 403, 404 and 403 in a row and no case imported")
        .stopped("--max-failures 0")
        .counts(&[("rejected", 3), ("untried", 2)]);
    // Untried cases come first, so the same three never block the others.
    let before = server.requests().len();
    import(&["--max-failures", "0"])
        .exits(1)
        .counts(&[("rejected", 5)]);
    assert_eq!(
        keys_in_order(&server)[before..],
        ["c4", "c5", "c1", "c2", "c3"]
    );
}

/// Every run begins with the rows that no run has tried.
#[test]
fn a_row_that_stops_every_run_holds_up_no_other() {
    for reaction in [
        status(401),
        status(307).header("Location", "/login"),
        status(429).header("Retry-After", "3600"),
    ] {
        let home = Home::new();
        home.cases(4);
        let server = Server::start(move |request| match request.json()["id"].as_str() {
            Some("c2") => reaction.clone().into(),
            _ => create(request),
        });
        pass_the_canary(&home, &server);
        let import = || {
            let import = home.import(&server.url()).args(&["--in-flight", "1"]);
            import.run().exits(5)
        };
        import().counts(&[("imported", 1), ("not_sent", 1), ("untried", 2)]);
        import().counts(&[("already_imported", 1), ("imported", 2), ("not_sent", 1)]);
        assert_eq!(
            keys_in_order(&server)[2..],
            ["c1", "c2", "c3", "c4", "c2"],
            "untried rows come first"
        );
    }
}

#[test]
fn reaching_the_limit_is_a_success() {
    let home = Home::new();
    home.cases(5);
    let server = creating_server();
    let import = |limit: &str| {
        home.import(&server.url())
            .args(&["--limit", limit])
            .run()
            .exits(0)
    };
    import("2").counts(&[("imported", 2), ("untried", 3)]);
    assert_eq!(keys_in_order(&server), ["c1", "c2"]);
    import("2").counts(&[("already_imported", 2), ("imported", 2), ("untried", 1)]);
    import("2").counts(&[("already_imported", 4), ("imported", 1)]);
    assert_eq!(keys(&server), ["c1", "c2", "c3", "c4", "c5"]);
    home.import(&server.url())
        .args(&["--limit", "0"])
        .run()
        .exits(2);
}

#[test]
fn reaching_the_limit_does_not_hide_a_failure() {
    let home = Home::new();
    home.cases(3);
    let server = Server::start(|_| status(422));
    home.import(&server.url())
        .args(&["--limit", "1"])
        .run()
        .exits(1)
        .counts(&[("rejected", 1), ("untried", 2)]);
}

#[test]
fn fields_returned_with_other_values_are_reported_and_stop_a_strict_run() {
    let run = |words: &[&str]| {
        let home = Home::new();
        home.cases(3);
        let server = Server::start(|request| {
            let id = format!("x{}", request.index);
            let body = format!("{{\"_id\":\"{id}\",\"name\":\"other\"}}");
            react().creates(&id).answer(&status(201).json(body))
        });
        home.import(&server.url()).args(words).run()
    };
    run(&[])
        .exits(0)
        .says("the server returned different values for: name [echo-differs]")
        .says("    name: sent \"Name 1\", returned \"other\"\n")
        .counts(&[("imported", 3)]);
    run(&["--strict"])
        .exits(5)
        .stopped("the server returned different values than were sent")
        .counts(&[("imported", 1), ("untried", 2)]);
}
