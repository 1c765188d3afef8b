//! A run's command as it is given again: what the ledger keeps of it, without
//! the flags that were for that time only.

use super::quoted;

/// Flags that are not repeated: without a value, and with one.
const ONCE: [&str; 7] = [
    "--new-ledger",
    "--adopt-ledger",
    "--fresh",
    "--dry-run",
    "--resend-in-doubt",
    "--yes",
    "--allow-same-content",
];
const ONCE_WITH_VALUE: [&str; 5] = [
    "--limit",
    "--plan",
    "--min-doubt-age",
    "--ledger-id",
    "--output",
];

/// What the ledger keeps of a command: its words as a shell takes them.
pub(super) fn kept<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| quoted(word.as_ref()))
        .collect();
    words.join(" ")
}

/// The kept command without the flags of that time. None where it can't be
/// taken apart, and where it read standard input, which is gone.
pub(super) fn command(kept: &str) -> Option<String> {
    let mut repeated = Vec::new();
    let mut words = words(kept)?.into_iter();
    while let Some(word) = words.next() {
        let flag = word.split_once('=').map_or(word.as_str(), |(flag, _)| flag);
        if word == "-" {
            return None;
        } else if ONCE_WITH_VALUE.contains(&flag) {
            if flag == word {
                words.next();
            }
        } else if !ONCE.contains(&flag) {
            repeated.push(quoted(&word));
        }
    }
    (!repeated.is_empty()).then(|| repeated.join(" "))
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
        assert_eq!(
            command(&kept(typed)).unwrap(),
            "import 'my cases.csv' --map-id m1"
        );
        assert_eq!(command("import - --sandbox"), None);
        assert_eq!(command("import 'open"), None);
    }
}
