//! What each code and each state means, why it matters, and how to mend it: in
//! words for who keeps the spreadsheet.

mod reading;
mod values;
mod whole;
mod words;

use crate::model::Code;

/// A code or a word, explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// A short fragment without values.
    pub title: &'static str,
    /// A few sentences in lines of at most 78 characters; examples are
    /// indented.
    pub text: &'static str,
}

/// What a problem's code means.
pub fn explain(code: Code) -> Explanation {
    match code {
        Code::RaggedRow => reading::RAGGED_ROW,
        Code::DuplicateHeader => reading::DUPLICATE_HEADER,
        Code::EmptyHeader => reading::EMPTY_HEADER,
        Code::InvalidText => reading::INVALID_TEXT,
        Code::Truncated => reading::TRUNCATED,
        Code::BadJson => reading::BAD_JSON,
        Code::DuplicateMember => reading::DUPLICATE_MEMBER,
        Code::NotAnObject => reading::NOT_AN_OBJECT,
        Code::UnclosedQuote => reading::UNCLOSED_QUOTE,
        Code::NotFixed => reading::NOT_FIXED,
        Code::TooLarge => reading::TOO_LARGE,
        Code::ControlCharacter => reading::CONTROL_CHARACTER,
        Code::SpreadsheetError => reading::SPREADSHEET_ERROR,
        Code::MissingRequired => values::MISSING_REQUIRED,
        Code::BadDate => values::BAD_DATE,
        Code::AmbiguousDate => values::AMBIGUOUS_DATE,
        Code::BadInteger => values::BAD_INTEGER,
        Code::BadNumber => values::BAD_NUMBER,
        Code::BadBool => values::BAD_BOOL,
        Code::BadState => values::BAD_STATE,
        Code::BadPhone => values::BAD_PHONE,
        Code::BadEmail => values::BAD_EMAIL,
        Code::NotAChoice => values::NOT_A_CHOICE,
        Code::TooShort => values::TOO_SHORT,
        Code::TooLong => values::TOO_LONG,
        Code::PatternMismatch => values::PATTERN_MISMATCH,
        Code::BadName => values::BAD_NAME,
        Code::NestedValue => values::NESTED_VALUE,
        Code::TargetConflict => values::TARGET_CONFLICT,
        Code::EmptyKey => values::EMPTY_KEY,
        Code::BadCaseloadKey => values::BAD_CASELOAD_KEY,
        Code::MissingPartnerFirm => values::MISSING_PARTNER_FIRM,
        Code::UnknownPartnerFirm => values::UNKNOWN_PARTNER_FIRM,
        Code::BadPartnerFirm => values::BAD_PARTNER_FIRM,
        Code::ImplausibleDate => values::IMPLAUSIBLE_DATE,
        Code::LooksConfidential => values::LOOKS_CONFIDENTIAL,
        Code::DuplicateKey => whole::DUPLICATE_KEY,
        Code::DuplicateRow => whole::DUPLICATE_ROW,
        Code::RareFirm => whole::RARE_FIRM,
        Code::SimilarKeys => whole::SIMILAR_KEYS,
        Code::DamagedKey => whole::DAMAGED_KEY,
        Code::UncheckedCaseType => whole::UNCHECKED_CASE_TYPE,
        Code::KeyNotSent => whole::KEY_NOT_SENT,
        Code::LikelyDuplicate => whole::LIKELY_DUPLICATE,
        Code::SameContent => whole::SAME_CONTENT,
    }
}

/// What a state of a case, or another word of output, means. `_` and `-` are
/// the same.
pub fn explain_word(word: &str) -> Option<Explanation> {
    Some(match word.replace('-', "_").as_str() {
        "imported" => words::IMPORTED,
        "rejected" => words::REJECTED,
        "not_sent" => words::NOT_SENT,
        "in_doubt" => words::IN_DOUBT,
        "removed" => words::REMOVED,
        "sending" => words::SENDING,
        "possible_twin" => words::POSSIBLE_TWIN,
        "changed" => words::CHANGED,
        "untried" => words::UNTRIED,
        "echo_differs" => words::ECHO_DIFFERS,
        _ => return None,
    })
}

/// The words that [`explain_word`] knows.
pub const WORDS: [&str; 10] = [
    "imported",
    "rejected",
    "not_sent",
    "in_doubt",
    "removed",
    "sending",
    "possible_twin",
    "changed",
    "untried",
    "echo-differs",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::State;

    fn all() -> Vec<Explanation> {
        let codes = Code::ALL.iter().map(|code| explain(*code));
        codes
            .chain(WORDS.iter().map(|word| explain_word(word).unwrap()))
            .collect()
    }

    #[test]
    fn every_code_and_word_has_an_explanation_of_its_own() {
        let all = all();
        let titles: HashSet<&str> = all.iter().map(|one| one.title).collect();
        assert_eq!(titles.len(), all.len());
        for state in State::ALL {
            assert!(explain_word(state.as_str()).is_some(), "{state}");
        }
        assert_eq!(explain_word("in-doubt"), explain_word("in_doubt"));
        assert_eq!(explain_word("nothing"), None);
    }

    #[test]
    fn texts_fit_a_terminal_and_titles_are_fragments() {
        for Explanation { title, text } in all() {
            assert!(title.len() <= 60 && !title.ends_with('.'), "{title}");
            let ends_in_example = text
                .lines()
                .last()
                .is_some_and(|line| line.starts_with(' '));
            assert!(text.ends_with('.') || ends_in_example, "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= 78, "{line}");
                let indent = line.len() - line.trim_start().len();
                assert!(indent == 0 || indent >= 4, "{line}");
            }
        }
    }

    /// What is advised has to exist: every flag and command of the texts.
    #[test]
    fn advised_flags_and_commands_are_those_of_the_command_line() {
        const FLAGS: [&str; 15] = [
            "--allow-drafts",
            "--allow-same-content",
            "--delimiter",
            "--encoding",
            "--imported",
            "--in-doubt",
            "--limit",
            "--not-imported",
            "--partner-firm-id",
            "--rejects",
            "--removed",
            "--resend-in-doubt",
            "--skip-invalid",
            "--strict",
            "--undo",
        ];
        const COMMANDS: [&str; 6] = ["import", "check", "init", "export", "resolve", "explain"];
        for Explanation { text, .. } in all() {
            let words: Vec<&str> = text
                .split(|c: char| c.is_whitespace() || ".,;:`()".contains(c))
                .collect();
            for word in words.iter().filter(|word| word.starts_with("--")) {
                assert!(FLAGS.contains(word), "{word}");
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
