//! Questions on a terminal, and what each answer leads to.

use std::time::{Duration, Instant};

use crate::server::{Reaction, Request, Server, created, react, status};
use crate::support::{Home, KEY, Program, Terminal, creating_server, silent_server};

const CTRL_C: &str = "\u{3}";

/// An import that asks before it sends.
fn import(home: &Home, server: &Server) -> Program {
    home.caseload(&["import", "cases.csv", "--base-url", &server.url()])
        .args(&["--map-id", "m1", "--key-column", "id", "--pace", "1ms"])
        .args(&["--ledger", "ledger.db"])
        .env("LEXAMICA_PUBLIC_KEY", KEY)
}

#[test]
fn yes_creates_the_ledger_and_sends() {
    if !Terminal::is_available() {
        return;
    }
    let home = Home::new();
    home.cases(3);
    let server = creating_server();
    let mut terminal = import(&home, &server).on_a_terminal();
    for part in [
        "first    cases.csv:2, case c1",
        "\"name\": \"Name 1\"",
        &format!("account  {}", server.url()),
        &format!("url      {}/case/m1/create-existing", server.url()),
        "map      m1",
        "ledger   ledger.db",
        "firms    3 to f1",
        "3 of 3 records to send",
        "the ledger is new: it knows no imported case",
        &format!("Send 3 cases to {}? [y/N] ", server.url()),
    ] {
        terminal.wait_for(part);
    }
    assert!(
        !home.path("ledger.db").exists(),
        "created before the answer"
    );
    assert_eq!(server.requests().len(), 0, "sent before the answer");
    terminal.types("y").wait_for("3 of 3 records imported");
    terminal.ends_with(0);
    assert_eq!(home.ledger().number("imported"), 3);
}

#[test]
fn any_other_answer_sends_nothing() {
    if !Terminal::is_available() {
        return;
    }
    for answer in ["n\n", "\n", "yess\n", "\u{4}"] {
        let home = Home::new();
        home.cases(3);
        let server = creating_server();
        let mut terminal = import(&home, &server).on_a_terminal();
        terminal
            .wait_for("[y/N] ")
            .presses(answer)
            .wait_for("declined; nothing was sent");
        terminal.ends_with(5);
        assert!(!home.path("ledger.db").exists(), "{answer:?}");
        assert_eq!(server.requests().len(), 0, "{answer:?}");
    }
}

#[test]
fn the_question_names_other_ledgers_and_cases_in_doubt() {
    if !Terminal::is_available() {
        return;
    }
    let home = Home::new();
    home.cases(2);
    let server = Server::start(|request| match request.index {
        0 => status(502).into(),
        index => created(&format!("x{index}")),
    });
    let import = |words: &[&str]| {
        home.caseload(&["import", "cases.csv", "--base-url", &server.url()])
            .args(&["--key-column", "id", "--pace", "1ms"])
            .args(words)
            .env("LEXAMICA_MAP_ID", "m1")
            .env("LEXAMICA_PUBLIC_KEY", KEY)
    };
    import(&["--yes", "--new-ledger"]).run().exits(4);
    // Another map, another account: only the number of cases is a yes.
    for (answer, code) in [("y", 5), ("1", 5), ("2", 0)] {
        import(&["--org-id", "o2"])
            .on_a_terminal()
            .wait_for("the ledger is new: it knows no imported case; other ledgers exist:")
            .wait_for(&format!("has 2 cases of {}, 1 in doubt", server.url()))
            .wait_for("with a new ledger, type the number of cases, 2: ")
            .types(answer)
            .ends_with(code);
    }
    assert_eq!(server.requests().len(), 4);
    import(&["--resend-in-doubt", "1", "--min-doubt-age", "0s"])
        .args(&["--map-id", "m2"])
        .on_a_terminal()
        .wait_for("map      m2; earlier runs used m1")
        .wait_for("1 of 2 records to send")
        .wait_for("1 of them in doubt, sent once more: this can create second cases")
        .wait_for("1 already imported")
        .wait_for("the ledger has 2 cases; its last import began 20")
        .wait_for("Send 1 case to")
        .wait_for("[y/N] ")
        .types("y")
        .wait_for("imported, but an earlier attempt was in doubt: it may exist twice")
        .ends_with(0);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn what_matters_stands_on_one_screen_above_the_answer() {
    if !Terminal::is_available() {
        return;
    }
    let home = Home::new();
    let rows = (0..30).map(|n| {
        let firm = if n < 20 {
            String::new()
        } else {
            format!("f{n}")
        };
        format!("c{n},{firm},{} {n}\n", "long ".repeat(4_000))
    });
    home.write(
        "cases.csv",
        "id,partnerFirmId,summary\n".to_owned() + &rows.collect::<String>(),
    );
    let server = Server::start(|request| match request.index {
        0 => status(422).json("{}").into(),
        index => created(&format!("x{index}")),
    });
    let import = |words: &[&str]| {
        import(&home, &server)
            .args(&["--partner-firm-id", "default"])
            .args(words)
    };
    import(&["--limit", "3", "--yes", "--new-ledger"])
        .run()
        .exits(1);
    let mut terminal = import(&[]).on_a_terminal();
    terminal.wait_for("Send 28 cases to").wait_for("[y/N] ");
    let shown = terminal.shown();
    let rows = shown.lines().flat_map(|line| {
        let line: Vec<char> = line.chars().collect();
        let rows = line.chunks(80).map(String::from_iter);
        if line.is_empty() {
            vec![String::new()]
        } else {
            rows.collect()
        }
    });
    let rows: Vec<String> = rows.collect();
    assert!(rows.len() < 60, "the payload is not cut:\n{shown}");
    let screen = rows[rows.len() - 24..].join("\n");
    for part in [
        "account  ",
        "map      m1",
        "18 to default",
        "6 to 6 more firms",
        "the default, --partner-firm-id, for 20 records of the input",
        "28 of 30 records to send",
        "1 of them rejected before, and unchanged since",
        "2 already imported",
        "the ledger has 3 cases; its last import began",
    ] {
        assert!(screen.contains(part), "{part:?} is not in:\n{screen}");
    }
    terminal.types("n").ends_with(5);
}

#[test]
fn ctrl_c_at_the_question_stops_at_once() {
    if !Terminal::is_available() {
        return;
    }
    let home = Home::new();
    home.cases(3);
    let server = creating_server();
    let mut terminal = import(&home, &server).on_a_terminal();
    terminal
        .wait_for("[y/N] ")
        .presses(CTRL_C)
        .wait_for("\ninterrupted before anything was sent");
    terminal.ends_with(130);
    assert!(!home.path("ledger.db").exists());
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn ctrl_c_waits_for_requests_in_flight_and_a_second_one_does_not() {
    if !Terminal::is_available() {
        return;
    }
    let home = Home::new();
    home.cases(3);
    let (server, arrivals) = silent_server();
    let mut terminal = import(&home, &server)
        .args(&["--yes", "--new-ledger"])
        .on_a_terminal();
    arrivals.recv().unwrap();
    let pressed = Instant::now();
    terminal
        .presses(CTRL_C)
        .wait_for("waiting for 1 request in flight; press Ctrl-C again")
        // Within a second it counts as the first.
        .presses_until(CTRL_C, "1 in doubt")
        .wait_for("2 not attempted")
        .wait_for("next: caseload resolve --ledger ledger.db");
    terminal.ends_with(130);
    // And not by the time-out of the request, 90 s.
    assert!(pressed.elapsed() < Duration::from_mins(1));
    assert_eq!(home.ledger().states(3), ["in_doubt", "-", "-"]);
}

#[test]
fn a_pause_shows_a_countdown_and_can_be_interrupted() {
    if !Terminal::is_available() {
        return;
    }
    let home = Home::new();
    home.cases(3);
    let server = Server::start(|_| status(429).header("Retry-After", "500"));
    let mut terminal = import(&home, &server)
        .args(&["--yes", "--new-ledger"])
        .on_a_terminal();
    let countdown = "rate limited: resuming in ";
    let first = terminal.wait_for_number(countdown);
    assert!((1..=500).contains(&first), "{first}");
    // A busy machine may skip some of the seconds.
    while terminal.wait_for_number(countdown) == first {}
    terminal
        .presses(CTRL_C)
        .wait_for("1 not sent; no case was created")
        .wait_for("2 not attempted")
        .ends_with(130);
    assert_eq!(home.ledger().states(3), ["not_sent", "-", "-"]);
    assert_eq!(server.requests().len(), 1);
}

/// Creates a case and returns another name for it.
fn changed_name(request: &Request) -> Reaction {
    let id = format!("x{}", request.index);
    let body = format!("{{\"_id\":\"{id}\",\"name\":\"other\"}}");
    react().creates(&id).answer(&status(201).json(body))
}

#[test]
fn fields_returned_with_other_values_are_asked_about() {
    if !Terminal::is_available() {
        return;
    }
    let start = |server: &Server| {
        let home = Home::new();
        home.cases(4);
        let mut terminal = import(&home, server).on_a_terminal();
        terminal
            .wait_for("[y/N] ")
            .types("y")
            .wait_for("the server returned different values for: name [echo-differs]")
            .wait_for("Continue with the import? [y/N] ");
        assert_eq!(
            server.requests().len(),
            1,
            "no call while a question is open"
        );
        (home, terminal)
    };
    let server = Server::start(changed_name);
    let (home, mut terminal) = start(&server);
    // The canary's second case is asked about too.
    terminal
        .types("y")
        .wait_for("Continue with the import? [y/N] ")
        .types("yes");
    terminal.wait_for("4 of 4 records imported");
    terminal.ends_with(0);
    assert_eq!(home.ledger().number("imported"), 4);

    let server = Server::start(changed_name);
    let (home, mut terminal) = start(&server);
    terminal
        .types("n")
        .wait_for("stopped: the server returned different values than were sent");
    terminal.ends_with(5);
    assert_eq!(home.ledger().states(4), ["imported", "-", "-", "-"]);

    let server = Server::start(changed_name);
    let (home, mut terminal) = start(&server);
    terminal
        .presses(CTRL_C)
        .wait_for("\nstopped: interrupted; no more requests were sent");
    terminal.ends_with(130);
    assert_eq!(home.ledger().states(4), ["imported", "-", "-", "-"]);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn cases_in_doubt_are_resolved_one_by_one() {
    if !Terminal::is_available() {
        return;
    }
    let home = Home::new();
    let rows = (1..=6).map(|n| format!("c{n},f1,Name {n},(415) 555-010{n},{n}@x.org,1/{n}/25\n"));
    home.write(
        "cases.csv",
        "id,partnerFirmId,name,Phone,Email,Date of Loss\n".to_owned() + &rows.collect::<String>(),
    );
    home.write(
        "caseload.toml",
        "[platform]\ncase_url = \"https://app.example.com/cases/{case_id}\"\n",
    );
    let server = Server::start(|request| match request.json()["id"].as_str() {
        Some("c1") => created("x1"),
        Some(id) => status(502).html(format!("<h1>lost {id}</h1>")).into(),
        None => status(400).into(),
    });
    home.import(&server.url()).run().exits(4);
    let prompt = "(q)uit: ";
    let mut terminal = home
        .caseload(&["resolve", "--ledger", "ledger.db"])
        .on_a_terminal();
    terminal
        .wait_for("5 cases in doubt")
        .wait_for("1 of 5: c2")
        .wait_for("person     Name 2")
        .wait_for("phone      (415) 555-0102")
        .wait_for("e-mail     2@x.org")
        .wait_for("incident   1/2/25")
        .wait_for("firm       f1")
        .wait_for("cases.csv:3")
        .wait_for("502: <h1>lost c2</h1>")
        .wait_for(prompt)
        .types("yes")
        .wait_for(prompt)
        .types("i c-17")
        .wait_for("2 of 5: c3")
        .wait_for(prompt)
        .types("n")
        .wait_for("3 of 5: c4")
        .wait_for(prompt)
        .types("b")
        .wait_for("its answer was undone")
        .wait_for("2 of 5: c3")
        .wait_for(prompt)
        .types("h")
        .wait_for("b           back to the case before")
        .wait_for(prompt)
        .types("n")
        .wait_for("3 of 5: c4")
        .wait_for(prompt)
        .types("s")
        .wait_for("4 of 5: c5")
        .wait_for(prompt)
        .types("i x1")
        .wait_for("check both cases on the platform")
        .wait_for(prompt)
        .types("i")
        .wait_for("5 of 5: c6")
        .wait_for(prompt);
    // Each resolution was stored before the next question.
    terminal.presses(CTRL_C).ends_with(130);
    let ledger = home.ledger();
    assert_eq!(ledger.cases["c2"].id.as_deref(), Some("c-17"));
    let (doubt, there) = ("in_doubt", "imported");
    assert_eq!(
        ledger.states(6),
        [there, there, "not_sent", doubt, there, doubt]
    );
    home.caseload(&["resolve", "--ledger", "ledger.db"])
        .on_a_terminal()
        .wait_for("2 cases in doubt")
        .wait_for(prompt)
        .types("q")
        .wait_for("0 resolved, 2 still in doubt, 2 of them not shown")
        .ends_with(0);
}
