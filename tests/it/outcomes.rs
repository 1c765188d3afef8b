//! What each answer, or the lack of one, proves about a case: its state in the
//! ledger, how many requests were sent, and how the run ends.

use crate::server::{Reaction, Refusing, Response, Server, created, react, status, tls_garbage};
use crate::support::{Done, Home, create};

/// One row of the outcome table.
struct Row {
    name: &'static str,
    /// The reaction to the second of four cases.
    reaction: Reaction,
    /// The second case's state after the run.
    state: &'static str,
    /// Whether the cases after it are still sent.
    continues: bool,
    exit: i32,
}

fn row(
    name: &'static str,
    reaction: impl Into<Reaction>,
    state: &'static str,
    continues: bool,
    exit: i32,
) -> Row {
    Row {
        name,
        reaction: reaction.into(),
        state,
        continues,
        exit,
    }
}

/// An answer with a message.
fn refusal(code: u16) -> Response {
    status(code).json(r#"{"message":"because"}"#)
}

/// Imports two cases, so that the account needs no canary any more, and then
/// four, of which the second gets the row's reaction.
fn verify(row: &Row) {
    let home = Home::new();
    home.write("known.csv", "id,partnerFirmId\nk1,f1\nk2,f1\n");
    home.cases(4);
    let reaction = row.reaction.clone();
    let server = Server::start(move |request| {
        if request.json()["id"] == "c2" {
            reaction.clone()
        } else {
            create(request)
        }
    });
    home.import_files(&server.url(), &["known.csv"])
        .run()
        .exits(0);
    let done = home
        .import(&server.url())
        // One at a time, so that nothing else is in flight when the run stops.
        .args(&["--in-flight", "1", "--max-retries", "0"])
        .run();
    let ledger = home.ledger();
    let rest = if row.continues { "imported" } else { "-" };
    let name = row.name;
    assert_eq!(
        ledger.states(4),
        ["imported", row.state, rest, rest],
        "{name}: {done}"
    );
    let sent = server.requests().len() - 2;
    assert_eq!(sent, if row.continues { 4 } else { 2 }, "{name}: {done}");
    assert_eq!(done.status.code(), Some(row.exit), "{name}: {done}");
    let imported = ledger.number("imported") as u64 - 2;
    let untried = 4 - sent as u64;
    let mut counts = vec![("imported", imported), ("untried", untried)];
    if row.state != "imported" {
        counts.push((row.state, 1));
    }
    done.counts(&counts);
    assert_eq!(ledger.number("sending"), 0, "{name}");
}

/// Verifies all rows in parallel: they mostly wait for a process.
fn verify_all(rows: &[Row]) {
    let failed: Vec<&str> = std::thread::scope(|scope| {
        let threads: Vec<_> = rows
            .iter()
            .map(|row| (row.name, scope.spawn(|| verify(row))))
            .collect();
        threads
            .into_iter()
            .filter_map(|(name, thread)| thread.join().err().map(|_| name))
            .collect()
    });
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn answers_that_mean_not_sent() {
    verify_all(&[
        row("301", status(301), "not_sent", false, 5),
        row("307", status(307), "not_sent", false, 5),
        row("308", status(308), "not_sent", false, 5),
        row("401", refusal(401), "not_sent", false, 5),
        row("407", status(407), "not_sent", false, 5),
        row(
            "429",
            status(429).header("Retry-After", "0"),
            "not_sent",
            true,
            1,
        ),
        row(
            "503 with Retry-After",
            status(503).header("Retry-After", "0"),
            "not_sent",
            true,
            1,
        ),
    ]);
}

#[test]
fn answers_that_mean_rejected() {
    verify_all(&[
        row("400", refusal(400), "rejected", true, 1),
        row("402", refusal(402), "rejected", true, 1),
        row("403", refusal(403), "rejected", true, 1),
        row("404", status(404).html("<h1>no</h1>"), "rejected", true, 1),
        row("405", refusal(405), "rejected", true, 1),
        row("413", refusal(413), "rejected", true, 1),
        row("422", refusal(422), "rejected", true, 1),
    ]);
}

#[test]
fn answers_that_leave_doubt() {
    verify_all(&[
        row("300", status(300), "in_doubt", false, 5),
        row(
            "302",
            status(302).header("Location", "/login"),
            "in_doubt",
            false,
            5,
        ),
        row("303", status(303), "in_doubt", false, 5),
        row("408", refusal(408), "in_doubt", true, 4),
        row("409", refusal(409), "in_doubt", true, 4),
        row("425", refusal(425), "in_doubt", true, 4),
        row("500", refusal(500), "in_doubt", true, 4),
        row(
            "502",
            status(502).html("<h1>bad gateway</h1>"),
            "in_doubt",
            true,
            4,
        ),
        row("503 alone", status(503), "in_doubt", true, 4),
        row("504", status(504), "in_doubt", true, 4),
        row("599", status(599), "in_doubt", true, 4),
    ]);
}

#[test]
fn a_success_needs_a_case_id_of_its_own() {
    let accepted = |body: &str| status(200).json(body);
    verify_all(&[
        row("an id", accepted(r#"{"id":"n1"}"#), "imported", true, 0),
        row(
            "an id under data",
            accepted(r#"{"data":{"caseId":71}}"#),
            "imported",
            true,
            0,
        ),
        row("no id", accepted(r#"{"ok":true}"#), "in_doubt", true, 4),
        row(
            "success: false",
            accepted(r#"{"success":false}"#),
            "in_doubt",
            true,
            4,
        ),
        row(
            "HTML",
            status(200).html("<h1>hi</h1>"),
            "in_doubt",
            false,
            5,
        ),
        row("text", accepted("OK"), "in_doubt", false, 5),
        row("nothing", status(204), "in_doubt", true, 4),
        row(
            "what we sent comes back",
            accepted(r#"{"id":"c2","partnerFirmId":"f1","name":"Name 2"}"#),
            "in_doubt",
            true,
            4,
        ),
        row(
            "success: false with an id",
            accepted(r#"{"success":false,"_id":"n1"}"#),
            "in_doubt",
            true,
            4,
        ),
        row(
            "errors with an id",
            accepted(r#"{"_id":"n1","errors":[{"field":"Phone"}]}"#),
            "in_doubt",
            true,
            4,
        ),
        row(
            "null as text",
            accepted(r#"{"_id":"null"}"#),
            "in_doubt",
            true,
            4,
        ),
        row(
            "an id of 3 MB",
            accepted(&format!("{{\"_id\":\"{}\"}}", "x".repeat(3_000_000))),
            "in_doubt",
            true,
            4,
        ),
        row(
            "the case's own key",
            accepted(r#"{"_id":"c2"}"#),
            "in_doubt",
            true,
            4,
        ),
        row(
            "a byte order mark",
            accepted("\u{feff}{\"_id\":\"n1\"}"),
            "imported",
            true,
            0,
        ),
        row(
            "the id of another case",
            accepted(r#"{"_id":"x0"}"#),
            "in_doubt",
            true,
            4,
        ),
        row(
            "half a body",
            react().half(&accepted(r#"{"_id":"n1"}"#)).close(),
            "in_doubt",
            true,
            4,
        ),
        row(
            "interim answers first",
            react()
                .interim(100)
                .interim(103)
                .answer(&accepted(r#"{"_id":"n1"}"#)),
            "imported",
            true,
            0,
        ),
    ]);
}

/// A body as a server compresses it.
fn compressed(text: &str, encoding: &str) -> Vec<u8> {
    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let level = Compression::fast();
    match encoding {
        "gzip" => GzEncoder::new(text.as_bytes(), level).read_to_end(&mut bytes),
        "deflate" => ZlibEncoder::new(text.as_bytes(), level).read_to_end(&mut bytes),
        _ => DeflateEncoder::new(text.as_bytes(), level).read_to_end(&mut bytes),
    }
    .unwrap();
    bytes
}

#[test]
fn compressed_answers_are_read() {
    let good = r#"{"_id":"n1"}"#;
    let answer = |encoding: &str, bytes: Vec<u8>| {
        status(200).header("Content-Encoding", encoding).json(bytes)
    };
    let mut broken = compressed(good, "gzip");
    broken.truncate(15);
    let large = format!("{}{good}", " ".repeat(5_000_000));
    verify_all(&[
        row(
            "gzip",
            answer("gzip", compressed(good, "gzip")),
            "imported",
            true,
            0,
        ),
        row(
            "deflate",
            answer("Deflate", compressed(good, "deflate")),
            "imported",
            true,
            0,
        ),
        row(
            "deflate without its wrapping",
            answer("deflate", compressed(good, "raw")),
            "imported",
            true,
            0,
        ),
        row("broken gzip", answer("gzip", broken), "in_doubt", true, 4),
        row(
            "more than 4 MB when unpacked",
            answer("gzip", compressed(&large, "gzip")),
            "in_doubt",
            true,
            4,
        ),
    ]);
    let home = Home::new();
    home.cases(1);
    let refused = compressed(r#"{"message":"Phone is invalid"}"#, "gzip");
    let server = Server::start(move |_| {
        let answer = status(400).header("Content-Encoding", "gzip");
        answer.json(&refused)
    });
    home.import_for_people(&server.url(), &["cases.csv"])
        .run()
        .exits(1)
        .says("Phone is invalid");
}

#[test]
fn errors_are_shown_with_their_fields() {
    let home = Home::new();
    home.cases(1);
    let server = Server::start(|_| {
        status(422).json(
            r#"{"errors":[{"field":"Phone","message":"is invalid"},{"field":"Email","message":"taken"}]}"#,
        )
    });
    home.import_for_people(&server.url(), &["cases.csv"])
        .run()
        .exits(1)
        .says("Phone: is invalid; Email: taken");
}

#[test]
fn requests_without_an_answer_are_in_doubt() {
    verify_all(&[
        row("closed", react().close(), "in_doubt", true, 4),
        row("reset", react().reset(), "in_doubt", true, 4),
        row(
            "created and closed",
            react().creates("n1").close(),
            "in_doubt",
            true,
            4,
        ),
        row(
            "half a status line",
            react().half_status_line().close(),
            "in_doubt",
            true,
            4,
        ),
        row(
            "garbage",
            react().write("SSH-2.0-OpenSSH_9.6\r\n\r\n").close(),
            "in_doubt",
            true,
            4,
        ),
    ]);
}

#[test]
fn a_request_that_times_out_is_in_doubt() {
    let home = Home::new();
    home.cases(2);
    let server = Server::start(|request| {
        if request.json()["id"] == "c1" {
            react().silence()
        } else {
            created("x2")
        }
    });
    home.import(&server.url())
        .args(&["--timeout", "2s"])
        .run()
        .exits(4)
        .counts(&[("imported", 1), ("in_doubt", 1)]);
    assert_eq!(home.ledger().states(2), ["in_doubt", "imported"]);
    assert_eq!(server.requests().len(), 2);
}

/// To the client this can look like an error before sending.
#[test]
fn a_request_on_a_connection_that_is_being_closed_is_in_doubt() {
    let home = Home::new();
    home.cases(6);
    let server = Server::start(|request| {
        let id = format!("x{}", request.index);
        // The next thing sent on this connection meets a 408.
        created(&id)
            .await_byte()
            .answer(&status(408).header("Connection", "close"))
            .finish()
    });
    let done = home.import(&server.url()).args(&["--in-flight", "1"]).run();
    let ledger = home.ledger();
    server.wait_until_all_are_closed();
    let requests = server.requests();
    assert_eq!(requests.len(), 6, "{done}");
    // Whether the client reuses a connection depends on how fast it is; a
    // request on a reused one met the 408 and may have created a case.
    let expected: Vec<&str> = requests
        .iter()
        .map(|request| match request.on_connection {
            0 => "imported",
            _ => "in_doubt",
        })
        .collect();
    assert_eq!(ledger.states(6), expected, "{done}");
}

/// Imports from an address where nothing can be sent.
fn unsent(url: &str, words: &[&str]) -> Done {
    let home = Home::new();
    home.cases(2);
    let done = home.import(url).args(words).run();
    let done = done.counts(&[("not_sent", 1), ("untried", 1)]);
    let ledger = home.ledger();
    assert_eq!(ledger.states(2), ["not_sent", "-"], "{done}");
    done
}

/// The first failure ends the run.
const FIRST_FAILURE: [&str; 4] = ["--max-retries", "0", "--max-failures", "1"];

#[test]
fn a_refused_connection_is_not_sent() {
    let refusing = Refusing::new();
    unsent(&refusing.url(), &FIRST_FAILURE)
        .exits(5)
        .stopped("Connection refused");
}

#[test]
fn a_failed_tls_handshake_is_not_sent() {
    let server = Server::with_accept(|_| tls_garbage(), |_| created("x1"));
    unsent(&server.https_url(), &FIRST_FAILURE).exits(5);
    assert!(server.requests().is_empty());
}

#[test]
fn a_tls_handshake_that_hangs_is_not_sent() {
    let server = Server::with_accept(|_| react().silence(), |_| created("x1"));
    let args = [&FIRST_FAILURE[..], &["--timeout", "200ms"]].concat();
    unsent(&server.https_url(), &args)
        .exits(5)
        .stopped("1 case failed in a row");
    assert!(server.requests().is_empty());
}

#[test]
fn redirects_are_never_followed() {
    let elsewhere = Server::start(|_| created("y1"));
    for code in [301, 302, 303, 307, 308] {
        let home = Home::new();
        home.cases(3);
        let location = elsewhere.url() + "/case/m1/create-existing";
        let server = Server::start(move |_| status(code).header("Location", &location));
        home.import(&server.url())
            .run()
            .exits(5)
            .stopped(&format!("a redirect ({code})"));
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn the_config_sets_what_an_answer_means() {
    let outcome = |config: &str, reaction: Reaction| {
        let home = Home::new();
        home.cases(1);
        home.write("caseload.toml", format!("[api]\n{config}\n"));
        let server = Server::start(move |_| reaction.clone());
        let done = home
            .import(&server.url())
            .args(&["--max-retries", "0"])
            .run();
        done.summary();
        home.ledger().state("c1").to_owned()
    };
    let busy = || Reaction::from(status(429).header("Retry-After", "0"));
    assert_eq!(outcome("", busy()), "not_sent");
    assert_eq!(outcome("not_sent = []", busy()), "in_doubt");
    assert_eq!(outcome("not_sent = []", status(401).into()), "in_doubt");
    assert_eq!(
        outcome("rejected = [\"422\"]", status(400).into()),
        "in_doubt"
    );
    assert_eq!(
        outcome("rejected = [\"422\"]", status(422).into()),
        "rejected"
    );
    let accepted = || Reaction::from(status(200).json(r#"{"case":{"ref":"R-1"},"_id":"z"}"#));
    assert_eq!(
        outcome("case_id_field = \"case.ref\"", accepted()),
        "imported"
    );
    assert_eq!(outcome("case_id_field = \"ref\"", accepted()), "in_doubt");
    let silent = || Reaction::from(status(200).json("{}"));
    assert_eq!(outcome("case_id_field = \"none\"", silent()), "imported");
}
