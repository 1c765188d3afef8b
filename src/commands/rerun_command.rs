//! The command of a run, as it is repeated: what the ledger keeps of it,
//! without the flags that were meant for that run only.

use crate::cli::shell_word;

/// Not repeated right after a run: what was done, or permitted once.
pub(super) const AFTER_RUN: &[&str] = &[
    "--new-ledger",
    "--adopt-ledger",
    "--fresh",
    "--resend-in-doubt",
    "--min-doubt-age",
    // Their files exist now, and may have been edited.
    "--results",
    "--rejects",
    "--in-doubt",
    "--problems",
    "--force",
];
/// Not repeated after a dry run: what its plan takes the place of.
pub(super) const AFTER_DRY_RUN: &[&str] =
    &["--dry-run", "--yes", "--plan", "--new-ledger", "--problems"];
/// Not repeated on another day: what was meant for that day.
pub(super) const LATER: &[&str] = &[
    "--new-ledger",
    "--adopt-ledger",
    "--fresh",
    "--dry-run",
    "--resend-in-doubt",
    "--min-doubt-age",
    "--yes",
    "--allow-same-content",
    "--limit",
    "--plan",
    "--ledger-id",
    "--output",
    "--results",
    "--rejects",
    "--in-doubt",
    "--problems",
    "--force",
];
/// Those of them that take a value.
const WITH_VALUE: [&str; 9] = [
    "--limit",
    "--plan",
    "--min-doubt-age",
    "--ledger-id",
    "--output",
    "--results",
    "--rejects",
    "--in-doubt",
    "--problems",
];

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

/// The kept command without the flags of `dropped`, and with `more`, which is
/// empty or begins with a space. None if it can't be typed as it was, or read
/// standard input, which is gone.
pub(super) fn command(kept: &str, dropped: &[&str], more: &str) -> Option<String> {
    let mut repeated = String::from("caseload");
    let mut more = Some(more);
    let mut words = shlex::split(kept)?.into_iter();
    while let Some(word) = words.next() {
        let flag = word.split_once('=').map_or(word.as_str(), |(flag, _)| flag);
        let untypable = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
        if word == "-" || word.contains(untypable) {
            return None;
        } else if dropped.contains(&flag) {
            if flag == word && WITH_VALUE.contains(&flag) {
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
            "--limit",
            "1",
            "--plan=abc-3",
            "--map-id",
            "m1",
            "--yes",
        ]);
        assert_eq!(
            command(&typed, LATER, "").unwrap(),
            "caseload import 'my cases.csv' --map-id m1"
        );
        assert_eq!(
            command(&typed, AFTER_RUN, " --ledger-id x").unwrap(),
            "caseload import 'my cases.csv' --limit 1 '--plan=abc-3' --map-id m1 --yes --ledger-id x"
        );
        assert_eq!(
            command("import --dry-run -- -a.csv", AFTER_DRY_RUN, " --plan p").unwrap(),
            "caseload import --plan p -- -a.csv"
        );
        for lost in [
            "import - --sandbox",
            "import 'open",
            "import 'caf\u{fffd}.csv'",
            "import 'a\u{1b}.csv'",
        ] {
            assert_eq!(command(lost, LATER, ""), None, "{lost}");
        }
    }
}
