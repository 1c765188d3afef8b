//! What people see of a run: progress, the closing summary, terminals that show
//! no bar.

use crate::server::{Server, status};
use crate::support::{Home, KEY, Terminal, create};

/// Rejects the second case for its e-mail and every third for its phone.
fn rejecting_server() -> Server {
    Server::start(|request| {
        let name = request.json()["name"].as_str().unwrap().to_owned();
        let number: u32 = name.trim_start_matches("Name ").parse().unwrap();
        let reason = match number {
            3 | 6 | 9 => "Phone is invalid",
            2 => "Email is taken",
            _ => return create(request),
        };
        let body = format!("{{\"message\":\"{reason}\"}}");
        status(422).json(&body).into()
    })
}

#[test]
fn the_summary_groups_rejects_by_reason() {
    let home = Home::new();
    home.cases(10);
    let server = rejecting_server();
    home.import_for_people(&server.url(), &["cases.csv"])
        .args(&["--pace", "1ms", "--in-flight", "1"])
        .run()
        .exits(1)
        .prints(
            "        4 rejected by the server: fix and import again\n          \
             3 × 422: Phone is invalid (first: cases.csv:4: case c3)\n          \
             1 × 422: Email is taken (cases.csv:3: case c2)\n",
        );
}

#[test]
fn an_error_of_the_system_is_shown_once() {
    let home = Home::new();
    home.cases(1);
    for command in [
        &["check", "cases.csv", "--config", "missing.toml"][..],
        &["check", "missing.csv"],
    ] {
        let done = home.run(command).exits(2);
        let count = done.err.to_lowercase().matches("no such file").count();
        assert_eq!(count, 1, "{done}");
    }
}

/// An import with a question, on a terminal.
fn on_a_terminal(home: &Home, server: &Server, term: &str) -> Terminal {
    home.caseload(&["import", "cases.csv", "--base-url", &server.url()])
        .args(&["--map-id", "m1", "--key-column", "id", "--pace", "1ms"])
        .env("LEXAMICA_PUBLIC_KEY", KEY)
        .env("TERM", term)
        .on_a_terminal()
}

#[test]
fn a_bar_is_drawn_where_it_can_be_redrawn_only() {
    if !Terminal::is_available() {
        return;
    }
    for term in ["xterm", "dumb"] {
        let home = Home::new();
        home.cases(5);
        let server = Server::start(|request| match request.index {
            0 => status(429).header("Retry-After", "1").into(),
            _ => create(request),
        });
        let mut terminal = on_a_terminal(&home, &server, term);
        terminal.wait_for("[y/N] ").types("y");
        terminal.wait_for("5 of 5 records imported").ends_with(0);
        let written = terminal.written();
        assert_eq!(written.contains('\u{1b}'), term == "xterm", "{written:?}");
        assert_eq!(written.contains("0 of 5: 0 imported"), term == "xterm");
        // In the bar, or as a line.
        assert!(
            written.contains("rate limited: resuming in 1"),
            "{written:?}"
        );
    }
}
