//! What each problem code and each state of a case means, and how to fix it.
//! The texts are in `explain.txt`: per entry a line `# name: title`, then the
//! text.

use serde::Serialize;

const TEXT: &str = include_str!("explain.txt");

/// One entry of the text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Explanation {
    #[serde(rename = "code")]
    pub name: &'static str,
    /// A short fragment without values.
    pub title: &'static str,
    pub text: &'static str,
}

pub(crate) fn entries() -> impl Iterator<Item = Explanation> {
    TEXT.split("\n# ").filter_map(|entry| {
        let (heading, text) = entry.trim_start_matches("# ").split_once('\n')?;
        let (name, title) = heading.split_once(": ")?;
        Some(Explanation {
            name,
            title,
            text: text.trim_end(),
        })
    })
}

/// The entry of a code or state; `_` and `-` are the same.
pub(crate) fn find(name: &str) -> Option<Explanation> {
    let name = name.replace('_', "-");
    entries().find(|entry| entry.name.replace('_', "-") == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use strum::VariantArray as _;

    use super::*;
    use crate::model::{Code, State};

    /// Names in output that are neither a problem code nor a state.
    const OTHERS: [&str; 4] = ["possible_twin", "changed", "untried", "echo_differs"];

    #[test]
    fn every_code_and_state_has_one_entry_and_every_entry_has_one() {
        let codes = Code::VARIANTS.iter().map(|code| code.as_str());
        let states = State::ALL.iter().map(|state| state.as_str());
        let expected: Vec<&str> = codes.chain(states).chain(OTHERS).collect();
        let names: HashSet<&str> = entries().map(|entry| entry.name).collect();
        assert_eq!(names, expected.iter().copied().collect());
        assert_eq!(entries().count(), expected.len(), "an entry is there twice");
        assert_eq!(TEXT.matches("\n# ").count() + 1, expected.len());
        let titles: HashSet<&str> = entries().map(|entry| entry.title).collect();
        assert_eq!(titles.len(), expected.len());
    }

    #[test]
    fn underscores_and_hyphens_are_the_same() {
        assert_eq!(find("in-doubt"), find("in_doubt"));
        assert_eq!(find("bad_date"), find("bad-date"));
        assert_eq!(find("nothing"), None);
    }

    #[test]
    fn texts_fit_a_terminal_and_say_what_to_do() {
        for Explanation { name, title, text } in entries() {
            assert!(title.len() <= 60 && !title.ends_with('.'), "{title}");
            assert!(!text.is_empty(), "{name}");
            let advises =
                |line: &str| line.starts_with("To fix:") || line.starts_with("What to do:");
            assert!(text.lines().any(advises), "{name}");
            for line in text.lines() {
                assert!(line.chars().count() <= 78, "{line}");
                let indent = line.len() - line.trim_start().len();
                assert!(indent == 0 || indent == 4, "{line}");
            }
        }
    }

    /// Advice must work: every flag and command in the texts exists.
    #[test]
    fn flags_and_commands_in_the_texts_exist() {
        const FLAGS: [&str; 18] = [
            "--allow-drafts",
            "--allow-duplicate",
            "--allow-empty",
            "--delimiter",
            "--encoding",
            "--header-row",
            "--imported",
            "--in-doubt",
            "--limit",
            "--not-imported",
            "--partner-firm-id",
            "--rejects",
            "--removed",
            "--resend-in-doubt",
            "--sheet",
            "--skip-invalid",
            "--strict",
            "--undo",
        ];
        const COMMANDS: [&str; 6] = ["import", "check", "init", "export", "resolve", "explain"];
        for Explanation { text, .. } in entries() {
            let words = text.split(|c: char| c.is_whitespace() || ".,;:`()".contains(c));
            for word in words.filter(|word| word.starts_with("--")) {
                assert!(FLAGS.contains(&word), "{word}");
            }
            let quoted = text.split('`').skip(1).step_by(2);
            let examples = text.lines().filter_map(|line| line.strip_prefix("    "));
            for command in quoted
                .chain(examples)
                .filter_map(|text| text.strip_prefix("caseload "))
            {
                let name = command.split(' ').next().unwrap_or_default();
                assert!(COMMANDS.contains(&name), "{command}");
            }
        }
    }
}
