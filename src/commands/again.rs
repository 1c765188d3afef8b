//! A run's command as it is given again: what the ledger keeps of it, without
//! the flags that were for that time only.

use super::quoted;

/// What is not repeated right after a run: it was done, or asked for once.
pub(super) const AFTER_RUN: &[&str] = &[
    "--new-ledger",
    "--adopt-ledger",
    "--fresh",
    "--resend-in-doubt",
    "--min-doubt-age",
];
/// What is not repeated after a dry run: what it was, and what its plan stands
/// for.
pub(super) const AFTER_DRY_RUN: &[&str] = &["--dry-run", "--yes", "--plan", "--new-ledger"];
/// What is not repeated on another day: whatever was meant for that one.
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
];
/// Those of them that have a value.
const WITH_VALUE: [&str; 5] = [
    "--limit",
    "--plan",
    "--min-doubt-age",
    "--ledger-id",
    "--output",
];

/// This process's own command, as the ledger keeps it.
pub(super) fn own() -> String {
    // A file's name need not be Unicode.
    kept(
        std::env::args_os()
            .skip(1)
            .map(|word| word.to_string_lossy().into_owned()),
    )
}

/// What the ledger keeps of a command: its words as a shell takes them.
fn kept<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| quoted(word.as_ref()))
        .collect();
    words.join(" ")
}

/// The kept command without the flags of `once`, and with `more`, which is
/// empty or begins with a space. None where it can't be taken apart or typed,
/// and where it read standard input, which is gone.
pub(super) fn command(kept: &str, once: &[&str], more: &str) -> Option<String> {
    let mut repeated = String::from("caseload");
    let mut more = Some(more);
    let mut words = words(kept)?.into_iter();
    while let Some(word) = words.next() {
        let flag = word.split_once('=').map_or(word.as_str(), |(flag, _)| flag);
        if word == "-" || word.contains(char::REPLACEMENT_CHARACTER) {
            return None;
        } else if once.contains(&flag) {
            if flag == word && WITH_VALUE.contains(&flag) {
                words.next();
            }
            continue;
        } else if word == "--" {
            // Behind it nothing is a flag.
            repeated.push_str(more.take().unwrap_or_default());
        }
        repeated.push(' ');
        repeated.push_str(&quoted(&word));
    }
    repeated.push_str(more.unwrap_or_default());
    Some(repeated)
}

/// The words of a text that [`kept`] has made; none of any other text.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut rest = text;
    while let Some(at) = rest.find([' ', '\'', '\\']) {
        word.push_str(&rest[..at]);
        let (mark, behind) = rest[at..].split_at(1);
        rest = behind;
        match mark {
            " " => words.push(std::mem::take(&mut word)),
            "'" => {
                let (inside, behind) = rest.split_once('\'')?;
                word.push_str(inside);
                rest = behind;
            }
            _ => {
                let escaped = rest.chars().next()?;
                word.push(escaped);
                rest = &rest[escaped.len_utf8()..];
            }
        }
    }
    word.push_str(rest);
    words.push(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_comes_back_word_for_word() {
        for line in [
            &["import", "cases.csv"][..],
            &["import", "it's here.csv", "--key-column", "Lead ID", ""],
            &["import", "a\\b", "'", "x y'z", "é \"q\""],
        ] {
            assert_eq!(words(&kept(line)).unwrap(), line);
        }
    }

    #[test]
    fn flags_of_that_time_are_not_repeated() {
        let typed = [
            "import",
            "my cases.csv",
            "--new-ledger",
            "--limit",
            "1",
            "--plan=abc-3",
            "--map-id",
            "m1",
            "--yes",
        ];
        let typed = kept(typed);
        assert_eq!(
            command(&typed, LATER, "").unwrap(),
            "caseload import 'my cases.csv' --map-id m1"
        );
        assert_eq!(
            command(&typed, AFTER_RUN, " --ledger-id x").unwrap(),
            "caseload import 'my cases.csv' --limit 1 --plan=abc-3 --map-id m1 --yes --ledger-id x"
        );
        assert_eq!(
            command("import --dry-run -- -a.csv", AFTER_DRY_RUN, " --plan p").unwrap(),
            "caseload import --plan p -- -a.csv"
        );
        for gone in [
            "import - --sandbox",
            "import 'open",
            "import 'caf\u{fffd}.csv'",
        ] {
            assert_eq!(command(gone, LATER, ""), None, "{gone}");
        }
    }
}
