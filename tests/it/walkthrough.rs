//! The README and the walkthrough in `examples/README.md`: each command prints
//! what the page shows.

use crate::support::{Home, example};

/// A command and its output; a line `…` stands for any number of lines.
struct Shown {
    command: String,
    lines: Vec<String>,
}

/// The commands of caseload that a page shows with their output.
fn shown(page: &str) -> Vec<Shown> {
    page.split("```console\n$ caseload ")
        .skip(1)
        .map(|rest| {
            let (block, _) = rest.split_once("```").unwrap();
            let mut lines = block.lines().map(str::to_owned);
            Shown {
                command: lines.next().unwrap(),
                lines: lines.collect(),
            }
        })
        .collect()
}

/// Durations differ from run to run.
fn without_time(line: &str) -> &str {
    match line.rsplit_once(" imported in ") {
        Some((before, time)) if time.ends_with(" s") => before,
        _ => line,
    }
}

/// Whether the lines are as shown.
fn matches(shown: &[String], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((gap, rest)) if gap == "…" => {
            (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..]))
        }
        Some((line, rest)) => printed.split_first().is_some_and(|(next, others)| {
            without_time(next) == without_time(line) && matches(rest, others)
        }),
    }
}

fn assert_prints(home: &Home, Shown { command, lines }: &Shown) {
    let words: Vec<&str> = command.split(' ').collect();
    let done = home.run(&words);
    let printed: Vec<&str> = (done.err.lines())
        .chain(done.out.lines())
        .filter(|line| !line.is_empty())
        .collect();
    assert!(
        matches(lines, &printed),
        "caseload {command} prints\n{}\nand the page shows\n{}",
        printed.join("\n"),
        lines.join("\n")
    );
}

#[test]
fn the_readme_shows_what_the_commands_print() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let shown = shown(&std::fs::read_to_string(readme).unwrap());
    assert_eq!(shown.len(), 2, "the page has other commands now");
    let home = Home::new();
    std::fs::create_dir(home.path("examples")).unwrap();
    let cases = std::fs::read(example("cases.csv")).unwrap();
    home.write("examples/cases.csv", cases);
    for command in &shown {
        assert_prints(&home, command);
    }
}

#[test]
fn the_walkthrough_shows_what_the_commands_print() {
    let shown = shown(&std::fs::read_to_string(example("README.md")).unwrap());
    assert_eq!(shown.len(), 6, "the page has other commands now");
    let home = Home::new();
    for name in ["export.csv", "broken.csv"] {
        home.write(name, std::fs::read(example(name)).unwrap());
    }
    for (step, command) in shown.iter().enumerate() {
        if step == 2 {
            // The decisions are made: from here on it is the finished config.
            let config = std::fs::read(example("caseload.toml")).unwrap();
            home.write("caseload.toml", config);
        }
        assert_prints(&home, command);
    }
}
