//! The README and the walkthrough in `examples/README.md`: each command prints
//! what the page shows.

use std::net::TcpListener;
use std::path::Path;

use regex::Regex;

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
    let shown = shown(&page("README.md"));
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

/// `examples/picture.py` draws it again.
#[test]
fn the_picture_shows_what_the_commands_print() {
    let picture = std::fs::read_to_string(example("terminal.svg")).unwrap();
    let rows = picture.lines().filter(|line| line.starts_with("<text"));
    let tag = Regex::new("<[^>]*>").unwrap();
    let rows: Vec<String> = rows
        .map(|row| tag.replace_all(row, "").replace("&lt;", "<"))
        .map(|row| row.replace("&gt;", ">").replace("&amp;", "&"))
        .collect();
    let blocks = rows.join("\n").replace("\n$ ", "\n```\n```console\n$ ");
    let shown = shown(&format!("```console\n{blocks}\n```"));
    assert_eq!(shown.len(), 3, "the picture has other commands now");
    let home = Home::new();
    for name in ["broken.csv", "export.csv", "caseload.toml"] {
        home.write(name, std::fs::read(example(name)).unwrap());
    }
    for command in &shown {
        assert_prints(&home, command);
    }
}

/// A page of the project.
fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let pages = [
        "README.md",
        "CHANGELOG.md",
        "examples/README.md",
        "examples/api.md",
        "examples/shared-ledger/README.md",
        "examples/webhooks/README.md",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in pages {
        let text = page(name);
        let links = text.split("](").skip(1);
        for link in links.map(|rest| rest.split(')').next().unwrap()) {
            if let Some(section) = link.strip_prefix('#') {
                let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
                let mut anchors = headings.map(|heading| heading.to_lowercase().replace(' ', "-"));
                assert!(anchors.any(|anchor| anchor == section), "{link}");
            } else if !link.starts_with("https://") {
                let file = root.join(name).with_file_name(link);
                assert!(file.exists(), "{link} in {name}");
            }
        }
    }
}

/// A port that nothing listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The lines of the README's commands on the whole guide, without comments.
fn guide() -> Vec<String> {
    let readme = page("README.md");
    let (_, section) = readme
        .split_once("## The whole guide on your machine\n")
        .unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks = section.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    let lines = lines.map(|line| line.split(" # ").next().unwrap().trim_end().to_owned());
    lines.collect()
}

#[test]
fn the_whole_guide_leads_from_the_mapping_to_settlements() {
    let (home, platform, hooks) = (Home::new(), free_port(), free_port());
    let config = std::fs::read_to_string(example("guide/caseload.toml")).unwrap();
    let config = config.replace("8788", &platform.to_string());
    home.write("caseload.toml", config.replace("8789", &hooks.to_string()));
    home.write("cases.csv", std::fs::read(example("cases.csv")).unwrap());
    let mut keys = Vec::new();
    let mut servers = Vec::new();
    let mut seen = Vec::new();
    for line in guide() {
        if let Some(exported) = line.strip_prefix("export ") {
            keys.extend(
                exported
                    .split(' ')
                    .map(|key| key.split_once('=').unwrap())
                    .map(owned),
            );
            continue;
        }
        let Some(command) = line.strip_prefix("caseload ") else {
            let copies = "cp examples/guide/caseload.toml examples/cases.csv guide";
            assert!(line.contains(copies), "{line}");
            continue;
        };
        let command = command.trim_end_matches(" &");
        let words: Vec<&str> = command.split(' ').collect();
        let mut program = home.caseload(&words);
        for (name, value) in &keys {
            program = program.env(name, value);
        }
        let (flag, ready) = match words[0] {
            "sandbox" => (format!("--port={platform}"), "press Ctrl-C"),
            "listen" => (format!("--address=127.0.0.1:{hooks}"), "/healthz"),
            _ => {
                if words[0] == "status" {
                    wait_until_settled(&home);
                }
                seen.push((command.to_owned(), program.run().exits(0)));
                continue;
            }
        };
        let mut server = program.arg(flag).start();
        server.wait_for(ready);
        servers.push(server);
    }
    let shows = [
        ("setup --dry-run", "Case Settlement"),
        ("setup --yes", "settlements "),
        ("import", ""),
        ("status", "25 settled"),
        ("status --case", "Case Settlement"),
    ];
    assert_eq!((servers.len(), seen.len()), (2, shows.len()));
    for ((command, done), (start, shown)) in seen.into_iter().zip(shows) {
        assert!(command.starts_with(start), "{command}");
        done.prints(shown);
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// All 25 cases, by the lives that the sandbox plays.
fn wait_until_settled(home: &Home) {
    let settled = || {
        let status = home.run(&["status", "--output", "json"]).exits(0).json();
        status[0]["lives"]["settled"] == 25
    };
    while !settled() {
        std::thread::yield_now();
    }
}
