//! The walkthrough in `examples/README.md`: each command prints what the page
//! shows.

use crate::support::{Home, example};

/// A command and its output; a line `…` stands for any number of lines.
struct Shown {
    command: String,
    lines: Vec<String>,
}

fn shown(text: &str) -> Vec<Shown> {
    let blocks = text.split("```console\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    blocks
        .map(|block| {
            let mut lines = block.lines();
            let command = lines.next().unwrap().strip_prefix("$ caseload ").unwrap();
            Shown {
                command: command.to_owned(),
                lines: lines.map(str::to_owned).collect(),
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

#[test]
fn every_command_prints_what_the_page_shows() {
    let page = std::fs::read_to_string(example("README.md")).unwrap();
    let home = Home::new();
    for name in ["export.csv", "broken.csv"] {
        home.write(name, std::fs::read(example(name)).unwrap());
    }
    let shown = shown(&page);
    assert_eq!(shown.len(), 6, "the page has other commands now");
    for (step, Shown { command, lines }) in shown.iter().enumerate() {
        if step == 2 {
            // The decisions are made: from here on it is the finished config.
            let config = std::fs::read(example("caseload.toml")).unwrap();
            home.write("caseload.toml", config);
        }
        let words: Vec<&str> = command.split(' ').collect();
        let done = home.caseload(&words).run();
        let printed: Vec<&str> = done.err.lines().chain(done.out.lines()).collect();
        let printed: Vec<&str> = printed
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect();
        assert!(
            matches(lines, &printed),
            "caseload {command} prints\n{}\nand the page shows\n{}",
            printed.join("\n"),
            lines.join("\n")
        );
    }
}
