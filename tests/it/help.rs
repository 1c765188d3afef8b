//! Help texts: short with `-h`, long with `--help`, and examples that work.

use crate::support::{Home, KEY, Sandbox};

const COMMANDS: [&str; 12] = [
    "import",
    "check",
    "init",
    "status",
    "export",
    "resolve",
    "setup",
    "listen",
    "ledger",
    "sandbox",
    "explain",
    "completions",
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
        .map(|line| line.split(" | ").next().unwrap());
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
    ];
    let command = example.split(' ').nth(1).unwrap();
    if unattended.contains(&command) || example.contains("--dry-run") {
        return Some(0);
    }
    // Test runs use a ledger of their own, and no config's account.
    example.ends_with("--sandbox").then_some(0)
}
