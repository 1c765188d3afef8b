//! The modules of `src` import each other only in the allowed directions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each module with those that it may import besides itself and `model`.
const MAY_IMPORT: [(&str, &[&str]); 14] = [
    ("model", &[]),
    ("input", &[]),
    ("mapping", &[]),
    ("ledger", &[]),
    ("api", &[]),
    ("check", &["input", "mapping"]),
    ("engine", &["check", "ledger", "api"]),
    ("output", &["ledger", "webhooks"]),
    ("config", &["mapping", "api"]),
    ("init", &["mapping", "input", "check"]),
    ("sandbox", &[]),
    ("webhooks", &["ledger", "api"]),
    (
        "commands",
        &[
            "input", "mapping", "check", "ledger", "api", "engine", "output", "config", "init",
            "sandbox", "webhooks", "cli",
        ],
    ),
    (
        "cli",
        &[
            "input", "mapping", "check", "ledger", "api", "engine", "output", "config", "init",
            "sandbox", "webhooks",
        ],
    ),
];

#[test]
fn modules_import_only_what_they_may() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    let mut seen = BTreeSet::new();
    for file in rust_files(&src) {
        let Some(module) = module_of(&src, &file) else {
            continue;
        };
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("the module {module} is not listed"));
        seen.insert(module.clone());
        if is_test(file.strip_prefix(&src).unwrap()) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for (line, imported) in imports(&text, depth(&src, &file)) {
            // The sandbox shares nothing with the code that it checks.
            let plain_data = imported == "model" && module != "sandbox";
            if imported != module && !plain_data && !allowed.contains(&imported.as_str()) {
                violations.push(format!(
                    "{}:{line}: {module} uses {imported}",
                    file.display()
                ));
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    let listed: BTreeSet<String> = MAY_IMPORT
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(seen, listed);
}

#[test]
fn only_the_ledger_uses_sql() {
    only_these_mention("rusqlite", &["ledger"]);
}

#[test]
fn only_the_command_line_uses_clap() {
    only_these_mention("clap", &["cli", "commands"]);
}

/// The name of a crate appears in these modules only, comments aside.
fn only_these_mention(name: &str, modules: &[&str]) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&src) {
        if module_of(&src, &file).is_some_and(|module| modules.contains(&module.as_str())) {
            continue;
        }
        let text = without_comments(&std::fs::read_to_string(&file).unwrap());
        assert!(!text.contains(name), "{}", file.display());
    }
}

/// Tests may import what the code beside them must not.
fn is_test(file: &Path) -> bool {
    let mut parts = file.iter().map(|part| part.to_string_lossy());
    parts.any(|part| part == "tests" || part.ends_with("tests.rs"))
}

#[test]
fn every_form_of_import_is_found() {
    let text = "use crate::api::Client;\n\
                use crate::{ledger, model::{Case, Key}, output::{\n    progress::print,\n}};\n\
                fn f() { crate::check::check(); super::super::sandbox::start(); }\n\
                // use crate::config in a comment\n\
                use super::Options;\n";
    let found: Vec<String> = imports(text, 2)
        .into_iter()
        .map(|(_, module)| module)
        .collect();
    assert_eq!(
        found,
        ["api", "ledger", "model", "output", "check", "sandbox"]
    );
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The top-level module that a file belongs to; none for `lib.rs` and
/// `main.rs`.
fn module_of(src: &Path, file: &Path) -> Option<String> {
    let inside = file.strip_prefix(src).unwrap();
    let first = inside.iter().next().unwrap().to_str().unwrap();
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(module, "lib" | "main")).then(|| module.to_owned())
}

/// How many `super` lead from a file to the crate.
fn depth(src: &Path, file: &Path) -> usize {
    let inside = file.strip_prefix(src).unwrap();
    let parts = inside.iter().count();
    if inside.file_name().is_some_and(|name| name == "mod.rs") {
        parts - 1
    } else {
        parts
    }
}

fn without_comments(text: &str) -> String {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

/// The modules that a file names, with line numbers.
fn imports(text: &str, depth: usize) -> Vec<(usize, String)> {
    let code = without_comments(text);
    let mut found = Vec::new();
    // A module inside the file may need more of them.
    let up = "super::".repeat(depth);
    for (start, prefix) in code
        .match_indices("crate::")
        .chain(code.match_indices(up.as_str()))
    {
        // Not `other_crate::`, and not the middle of a path.
        let before = code[..start].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let line = code[..start].matches('\n').count() + 1;
        let rest = code[start + prefix.len()..].trim_start_matches("super::");
        let names = match rest.strip_prefix('{') {
            Some(group) => first_names(group),
            None => vec![name(rest)],
        };
        let modules = names
            .into_iter()
            .filter(|name| MAY_IMPORT.iter().any(|(module, _)| module == name));
        found.extend(modules.map(|module| (line, module.to_owned())));
    }
    found
}

/// The first name of each member of a `{…}` group.
fn first_names(group: &str) -> Vec<&str> {
    let mut names = vec![name(group.trim_start())];
    let mut depth = 0;
    for (position, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(group[position + 1..].trim_start())),
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}
