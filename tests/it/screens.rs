//! What people see of a run: progress, the closing summary, terminals that show
//! no bar.

use crate::server::{Server, status};
use crate::support::{
    Home, KEY, Program, Terminal, create, creating_server, example, mixed_server,
};

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

/// What a terminal of each width shows of a command, to its end or to the question
/// that is answered with these words.
fn look(
    home: &Home,
    name: &str,
    command: impl Fn() -> Program,
    dialog: &[(&str, &str)],
    code: i32,
) {
    if !Terminal::is_available() {
        return;
    }
    for columns in [80, 120] {
        let mut terminal = command().on_a_terminal_of(columns);
        for (question, answer) in dialog {
            terminal.wait_for(question).types(answer);
        }
        terminal.ends_with(code);
        let lines = terminal.lines();
        let mut goes_on = false;
        for (line, is_broken) in &lines {
            let may_break = goes_on || line.starts_with("next: ") || !line.trim().contains(' ');
            assert!(
                !is_broken || may_break,
                "broken within a word at {columns}: {line}"
            );
            goes_on = *is_broken;
        }
        // What the terminal broke is one line again, in which ids can be replaced.
        let text = lines.iter().map(|(line, is_broken)| match is_broken {
            true => line.clone(),
            false => format!("{line}\n"),
        });
        let text = home.stable(text.collect::<String>().trim_end());
        insta::assert_snapshot!(format!("{name}_{columns}"), text);
    }
}

/// An import of one file on a terminal.
fn import(home: &Home, server: &Server, ledger: &str) -> Program {
    home.caseload(&["import", "cases.csv", "--base-url", &server.url()])
        .args(&["--map-id", "m1", "--key-column", "id", "--pace", "1ms"])
        .args(&["--in-flight", "1", "--ledger", ledger])
        .env("LEXAMICA_PUBLIC_KEY", KEY)
}

fn copy(home: &Home, names: &[&str]) {
    for name in names {
        let text = std::fs::read(example(name)).unwrap();
        home.write(name, text);
    }
}

#[test]
fn problems() {
    let home = Home::in_tmp();
    copy(&home, &["broken.csv"]);
    look(
        &home,
        "problems",
        || home.caseload(&["check", "broken.csv"]),
        &[],
        3,
    );
}

#[test]
fn columns_of_a_file() {
    let home = Home::in_tmp();
    copy(&home, &["export.csv", "caseload.toml"]);
    look(
        &home,
        "columns",
        || home.caseload(&["check", "export.csv"]),
        &[],
        0,
    );
}

#[test]
fn mistakes_in_a_config() {
    let home = Home::in_tmp();
    copy(&home, &["cases.csv", "caseload.toml"]);
    look(
        &home,
        "mistakes",
        || home.caseload(&["check", "cases.csv"]),
        &[],
        2,
    );
}

#[test]
fn a_dry_run() {
    let home = Home::in_tmp();
    home.people("cases.csv", &["a", "b"]);
    let server = creating_server();
    let command = || import(&home, &server, "ledger.db").arg("--dry-run");
    look(&home, "dry_run", command, &[], 0);
}

#[test]
fn the_question() {
    let home = Home::in_tmp();
    home.people("cases.csv", &["a", "b"]);
    let server = creating_server();
    let command = || import(&home, &server, "ledger.db");
    look(&home, "question", command, &[("[y/N] ", "n")], 5);
}

#[test]
fn a_run_and_its_summary() {
    let home = Home::in_tmp();
    home.people("cases.csv", &["a", "doubt-1", "bad-1", "b", "bad-2"]);
    let server = mixed_server();
    let command = || {
        // The next one is the first again.
        let _ = std::fs::remove_file(home.path("ledger.db"));
        let _ = std::fs::remove_dir_all(home.path("state"));
        import(&home, &server, "ledger.db")
    };
    look(&home, "summary", command, &[("[y/N] ", "y")], 4);
}

#[test]
fn what_the_ledger_knows() {
    let home = Home::in_tmp();
    home.people("cases.csv", &["a", "doubt-1", "bad-1", "b", "bad-2"]);
    let server = mixed_server();
    import(&home, &server, "ledger.db")
        .args(&["--new-ledger", "--yes"])
        .run()
        .exits(4);
    let command = |words: &[&str]| home.caseload(words).args(&["--ledger", "ledger.db"]);
    look(&home, "status", || command(&["status"]), &[], 0);
    look(&home, "runs", || command(&["status", "--runs"]), &[], 0);
    look(
        &home,
        "case",
        || command(&["status", "--case", "bad-1"]),
        &[],
        0,
    );
    let dialog = [("(q)uit: ", "h"), ("(q)uit: ", "q")];
    look(&home, "resolve", || command(&["resolve"]), &dialog, 0);
    look(&home, "doctor", || command(&["doctor"]), &[], 2);
}

#[test]
fn help() {
    let home = Home::in_tmp();
    for (name, words) in [("help", &["-h"][..]), ("help_of_import", &["import", "-h"])] {
        look(&home, name, || home.caseload(words), &[], 0);
    }
}

#[test]
fn a_run_that_goes_badly_is_no_flood_of_lines() {
    let home = Home::in_tmp();
    home.cases(300);
    // Two of three are rejected, and the third comes back different.
    let server = Server::start(|request| match request.index % 3 {
        0 => {
            let body = format!(r#"{{"id":"x{}","name":"other"}}"#, request.index);
            status(201).json(&body)
        }
        _ => status(422).json(r#"{"message":"no"}"#),
    });
    let done = home
        .import_for_people(&server.url(), &["cases.csv"])
        .args(&["--pace", "1ms", "--max-failures", "0"])
        .run()
        .exits(1);
    let lines = done.out.lines().count() + done.err.lines().count();
    assert_eq!(server.requests().len(), 300);
    assert!(lines < 130, "{lines} lines:\n{done}");
}
