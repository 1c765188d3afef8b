//! The command of a run, to run again: as the ledger keeps it, without the flags
//! that applied to that run only.

use crate::cli::{shell_word, takes_value};

/// When a command is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rerun {
    /// Right after a run: without what was done, or permitted once.
    AfterRun,
    /// After a run in which the few that `--limit` let through went well.
    WithoutLimit,
    /// After a dry run, whose plan is approved now.
    AfterDryRun,
    /// On another day: without what applied to that day only.
    Later,
}

impl Rerun {
    fn drops(self, flag: &str) -> bool {
        match flag {
            "--new-ledger" | "--beside-ledger" | "--accept-older-ledger" | "--problems" => true,
            "--change-key-columns" | "--new-source" | "--allow-duplicate" | "--allow-duplicates"
            | "--adopt-ledger" | "--fresh" | "--resend-in-doubt" | "--min-doubt-age"
            // Their files exist now, and may have been edited.
            | "--results" | "--rejects" | "--in-doubt" | "--force" => self != Self::AfterDryRun,
            "--limit" => matches!(self, Self::WithoutLimit | Self::Later),
            "--plan" => self != Self::AfterRun,
            "--dry-run" | "--yes" => matches!(self, Self::AfterDryRun | Self::Later),
            "--ledger-id" | "--output" => self == Self::Later,
            _ => false,
        }
    }
}

/// This process's own command, as the ledger keeps it.
pub(super) fn own() -> String {
    // A file's name need not be Unicode.
    joined(
        std::env::args_os()
            .skip(1)
            .map(|word| word.to_string_lossy().into_owned()),
    )
}

fn joined<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let words = words.into_iter().map(|word| shell_word(word.as_ref()));
    words.collect::<Vec<_>>().join(" ")
}

/// The kept command to run again, with `more` added, which is empty or
/// begins with a space. None if it can't be typed as it was, or read
/// standard input, which is gone.
pub(super) fn command(kept: &str, when: Rerun, more: &str) -> Option<String> {
    let mut repeated = String::from("caseload");
    let mut more = Some(more);
    let mut words = shlex::split(kept)?.into_iter();
    while let Some(word) = words.next() {
        let flag = word.split_once('=').map_or(word.as_str(), |(flag, _)| flag);
        let untypable = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
        if word == "-" || word.contains(untypable) {
            return None;
        } else if when.drops(flag) {
            if flag == word && takes_value(flag) {
                words.next();
            }
            continue;
        } else if word == "--" {
            // Nothing after it is a flag.
            repeated.push_str(more.take().unwrap_or_default());
        }
        repeated.push(' ');
        repeated.push_str(&shell_word(&word));
    }
    repeated.push_str(more.unwrap_or_default());
    Some(repeated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_command_splits_into_the_same_words() {
        for line in [
            &["import", "cases.csv"][..],
            &["import", "it's here.csv", "--key-column", "Lead ID", ""],
            &["import", "a\\b", "'", "x y'z", "é \"q\""],
        ] {
            assert_eq!(shlex::split(&joined(line)).unwrap(), line);
        }
    }

    #[test]
    fn flags_meant_for_one_run_are_not_repeated() {
        let typed = joined([
            "import",
            "my cases.csv",
            "--new-ledger",
            "--change-key-columns",
            "--new-source",
            "--limit",
            "1",
            "--plan=abc-3",
            "--map-id",
            "m1",
            "--yes",
        ]);
        assert_eq!(
            command(&typed, Rerun::Later, "").unwrap(),
            "caseload import 'my cases.csv' --map-id m1"
        );
        assert_eq!(
            command(&typed, Rerun::AfterRun, " --ledger-id x").unwrap(),
            "caseload import 'my cases.csv' --limit 1 '--plan=abc-3' --map-id m1 --yes --ledger-id x"
        );
        assert_eq!(
            command(
                "import --dry-run -- -a.csv",
                Rerun::AfterDryRun,
                " --plan p"
            )
            .unwrap(),
            "caseload import --plan p -- -a.csv"
        );
        assert_eq!(
            command(&typed, Rerun::WithoutLimit, "").unwrap(),
            "caseload import 'my cases.csv' --map-id m1 --yes"
        );
        assert_eq!(
            command("import --output json a.csv", Rerun::Later, "").unwrap(),
            "caseload import a.csv"
        );
        for lost in [
            "import - --sandbox",
            "import 'open",
            "import 'caf\u{fffd}.csv'",
            "import 'a\u{1b}.csv'",
        ] {
            assert_eq!(command(lost, Rerun::Later, ""), None, "{lost}");
        }
    }
}
