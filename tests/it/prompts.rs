//! Questions on a terminal, and what each answer leads to.

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
        &format!("account  {}", server.url()),
        "map      m1",
        "ledger.db, new: every case will be sent",
        "3 to f1",
        "first    cases.csv:2, case c1",
        "\"name\": \"Name 1\"",
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
            .args(&["--map-id", "m1", "--key-column", "id", "--pace", "1ms"])
            .args(words)
            .env("LEXAMICA_PUBLIC_KEY", KEY)
    };
    import(&["--yes", "--new-ledger"]).run().exits(4);
    import(&["--org-id", "o2"])
        .on_a_terminal()
        .wait_for("new: every case will be sent")
        .wait_for("other ledgers of this host:")
        .wait_for(&format!("has 2 cases of {}, 1 in doubt", server.url()))
        .wait_for("[y/N] ")
        .types("n")
        .ends_with(5);
    import(&["--resend-in-doubt", "1", "--min-doubt-age", "0s"])
        .on_a_terminal()
        .wait_for("with 2 cases")
        .wait_for("1 in doubt, sent once more: this can create second cases")
        .wait_for("Send 1 case to")
        .wait_for("[y/N] ")
        .types("y")
        .wait_for("imported, but an earlier attempt was in doubt: it may exist twice")
        .ends_with(0);
    assert_eq!(server.requests().len(), 3);
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
    terminal
        .presses(CTRL_C)
        .wait_for("waiting for 1 request in flight; press Ctrl-C again")
        .presses(CTRL_C)
        .wait_for("1 in doubt")
        .wait_for("2 not attempted")
        .wait_for("next: caseload resolve --ledger ledger.db");
    terminal.ends_with(130);
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
    home.cases(6);
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
        .wait_for("Name 2")
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
