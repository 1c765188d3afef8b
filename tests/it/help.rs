//! Help texts: short with `-h`, long with `--help`, and examples that work.

use regex::Regex;

use crate::support::{Home, KEY, Sandbox};

const COMMANDS: [&str; 15] = [
    "import",
    "check",
    "init",
    "doctor",
    "status",
    "export",
    "resolve",
    "setup",
    "listen",
    "ledger",
    "sandbox",
    "explain",
    "completions",
    "man",
    "schema",
];

#[test]
fn help_is_short_or_long_and_has_its_own_command() {
    let home = Home::new();
    for command in COMMANDS {
        let short = home.run(&[command, "-h"]).exits(0).out;
        let long = home.run(&[command, "--help"]).exits(0).out;
        assert!(short.lines().count() <= 60, "{command}: {short}");
        assert!(!short.contains("Examples:"), "{command}: {short}");
        assert!(long.contains("Examples:\n  caseload "), "{command}: {long}");
        assert_eq!(home.run(&["help", command]).exits(0).out, long);
    }
    home.run(&["help"])
        .exits(0)
        .prints("never twice by accident");
}

#[test]
fn every_example_of_the_help_texts_works() {
    let home = Home::new();
    home.people("cases.csv", &["L-2003", "L-2004"]);
    home.people("test.csv", &["L-2007", "L-2009"]);
    let sandbox = Sandbox::start(&[]);
    home.write(
        "caseload.toml",
        format!(
            "[api]\nbase_url = \"{}\"\norg_id = \"o1\"\nmap_id = \"m1\"\n[case]\nkey = \"id\"\n",
            sandbox.url()
        ),
    );
    std::fs::create_dir(home.path("exports")).unwrap();
    std::fs::copy(home.path("cases.csv"), home.path("exports/july.csv")).unwrap();
    // Two runs, so that the second can be exported.
    for flags in [&["--new-ledger"][..], &[]] {
        home.caseload(&["import", "test.csv", "--yes", "--pace", "1ms"])
            .args(flags)
            .env("LEXAMICA_PUBLIC_KEY", KEY)
            .run()
            .exits(0);
        home.people("test.csv", &["L-2007", "L-2009", "L-2010"]);
    }
    for command in COMMANDS {
        let help = home.run(&[command, "--help"]).exits(0).out;
        for example in examples(&help) {
            // No shell of a test expands it.
            let example = example.replace("exports/*", "exports/july");
            let exits = expected_exit(&example);
            let done = match exits {
                // It would run until it is interrupted, or need a terminal.
                None => home.printed(&format!("{example} --help")).run().exits(0),
                Some(code) => home.printed(&example).run().exits(code),
            };
            done.never_says("For more information, try '--help'");
        }
    }
}

/// The commands of a help text, without what they are piped into.
fn examples(help: &str) -> Vec<String> {
    let (_, examples) = help.split_once("\nExamples:\n").unwrap();
    let lines = examples
        .lines()
        .map(|line| line.split(['|', '>']).next().unwrap().trim_end());
    lines
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with("caseload "))
        .map(str::to_owned)
        .collect()
}

/// How an example ends; none for those that are not run.
fn expected_exit(example: &str) -> Option<i32> {
    let unattended = [
        "check",
        "status",
        "export",
        "ledger",
        "explain",
        "completions",
        "man",
        "schema",
    ];
    let command = example.split(' ').nth(1).unwrap();
    if unattended.contains(&command) || example.contains("--dry-run") {
        return Some(0);
    }
    // Test runs use a ledger of their own, and no config's account.
    example.ends_with("--sandbox").then_some(0)
}

#[test]
fn completions_may_be_read_in_part() {
    let home = Home::new();
    let completions = home.caseload(&["completions", "bash"]);
    assert!(completions.run_with_closed_outputs().success());
}

#[test]
fn completions_know_files_folders_and_urls() {
    let home = Home::new();
    let zsh = home.run(&["completions", "zsh"]).exits(0).out;
    for (argument, action) in [
        ("'--ca-file=[", ":FILE:_files'"),
        ("'--out=[", ":DIR:_files -/'"),
        ("'--base-url=[", ":URL:_urls'"),
        ("'*::files -- ", ":_files'"),
    ] {
        let mut lines = zsh.lines().map(|line| line.trim_end_matches([' ', '\\']));
        let is_it = |line: &str| line.starts_with(argument) && line.ends_with(action);
        assert!(lines.any(is_it), "{argument} {action}\n{zsh}");
    }
}

#[test]
fn man_pages_tell_what_the_help_texts_tell() {
    let home = Home::new();
    let man = |args: &[&str]| home.caseload(&["man", "pages"]).args(args).run();
    man(&[]).exits(0).says("pages to pages");
    let flags = Regex::new("(?m)^ {2,6}(?:-., )?(--[a-z-]+)").unwrap();
    for command in COMMANDS {
        let page = home.read(&format!("pages/caseload-{command}.1"));
        let page = page.replace("\\-", "-");
        assert!(page.contains(&format!("caseload {command}")), "{page}");
        let help = home.run(&[command, "--help"]).exits(0).out;
        for flag in flags.captures_iter(&help) {
            let flag = &flag[1];
            assert!(page.contains(&format!("\\fB{flag}\\fR")), "{flag}: {page}");
        }
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        let example = examples.lines().next().unwrap().trim();
        assert!(page.contains(example), "{example}: {page}");
    }
    for page in ["caseload.1", "caseload-ledger-backup.1"] {
        assert!(home.read(&format!("pages/{page}")).contains(".SH SYNOPSIS"));
    }
    // None of the others is written either.
    std::fs::remove_file(home.path("pages/caseload.1")).unwrap();
    home.write("pages/caseload-import.1", "mine");
    man(&[])
        .exits(2)
        .says("already exists (use --force to replace it)");
    assert_eq!(home.read("pages/caseload-import.1"), "mine");
    assert!(!home.path("pages/caseload.1").exists());
    let done = man(&["--force", "--output", "json"]).exits(0);
    let pages = done.json().remove(0)["pages"].as_array().unwrap().len();
    assert_eq!(
        pages,
        std::fs::read_dir(home.path("pages")).unwrap().count()
    );
    assert_ne!(home.read("pages/caseload-import.1"), "mine");
}

/// Where a program for man pages is there.
#[test]
fn a_man_page_can_be_shown() {
    let home = Home::new();
    home.run(&["man", "pages"]).exits(0);
    let page = home.path("pages/caseload-import.1");
    let shown = std::process::Command::new("man")
        .arg("-l")
        .arg(page)
        .output();
    match shown {
        Ok(shown) if shown.status.success() => {
            let text = String::from_utf8(shown.stdout).unwrap();
            assert!(
                text.contains("--dry-run") && text.contains("SYNOPSIS"),
                "{text}"
            );
        }
        _ => eprintln!("skipped: no man here"),
    }
}
