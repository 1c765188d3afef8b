//! One case with all that a person needs to find it on the platform.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use super::time;
use crate::ledger::{AttemptRow, CaseRow, Resolution, ResolutionRow};
use crate::model::State;
use crate::output::terminal::color;
use crate::output::terminal::streams::OutputOptions;
use crate::output::terminal::text::{count, escaped, span, value};

/// Attempts that are told one by one, the last ones.
const ATTEMPTS_SHOWN: usize = 4;
/// Of an answer so much is shown.
const MOST_ANSWER: usize = 2_000;

/// A case, what was tried, and what people said of it.
#[derive(Debug)]
pub struct CaseView {
    /// The case; with its content, where the answer is wanted.
    pub case: CaseRow,
    /// Every attempt, the first first.
    pub attempts: Vec<AttemptRow>,
    /// The last resolution on it that was not taken back.
    pub resolution: Option<ResolutionRow>,
    /// Who it is about, as far as the record tells.
    pub person: Option<String>,
    /// `[platform] case_url`.
    pub case_url: Option<String>,
}

impl CaseView {
    /// The platform's id, or the one that came back and was not believed.
    pub(super) fn id(&self) -> Option<&str> {
        let came_back = || {
            self.attempts
                .iter()
                .rev()
                .find_map(|attempt| attempt.case_id.as_deref())
        };
        match self.case.state {
            State::Imported => self.case.case_id.as_deref(),
            State::InDoubt | State::Sending => came_back(),
            State::Rejected | State::NotSent | State::Removed => None,
        }
    }

    pub(super) fn link(&self) -> Option<String> {
        self.case_url
            .as_deref()
            .zip(self.id())
            .map(|(url, id)| link(url, id))
    }

    /// Several lines for people, without one behind the last.
    pub fn text(&self, output: OutputOptions, verbose: bool, now: Timestamp) -> String {
        let case = &self.case;
        let mut text = color::bold(&escaped(&case.key.to_string()));
        // Writing to a String can't fail.
        let _ = write!(text, "  {}", self.standing(now));
        let mut line = |title: &str, words: &str| {
            let _ = write!(text, "\n    {title:10} {words}");
        };
        if let Some(person) = &self.person {
            line("person", &shown(person, output));
        }
        line(
            "firm",
            &case
                .partner_firm_id
                .as_deref()
                .map_or_else(|| "none, a draft".to_owned(), escaped),
        );
        line("record", &format!("{}:{}", escaped(&case.file), case.line));
        let skipped = self.attempts.len().saturating_sub(ATTEMPTS_SHOWN);
        if skipped > 0 {
            line(
                "",
                &format!("{} before these", count(skipped as u64, "attempt")),
            );
        }
        for attempt in &self.attempts[skipped..] {
            line(
                "sent",
                &format!(
                    "{}, run {}, map {}",
                    time(attempt.started_at),
                    attempt.run,
                    escaped(&attempt.map_id)
                ),
            );
            line("came back", &came_back(attempt, case.state, output));
        }
        if let Some(id) = self.id() {
            let doubted = match case.state {
                State::Imported => "",
                _ => "; it came back, and is no proof",
            };
            line("case id", &format!("{}{doubted}", escaped(id)));
        }
        if let Some(link) = self.link() {
            line("look at", &escaped(&link));
        }
        if case.possible_twin {
            line(
                "twin",
                &color::yellow("imported after a doubt: the platform may have two of it"),
            );
        }
        if let Some(resolution) = &self.resolution {
            line("resolution", &said(resolution));
        }
        if verbose
            && let Some(answer) = &case.answer
            && case.message.as_ref() != Some(answer)
        {
            let cut = &answer[..answer.floor_char_boundary(MOST_ANSWER)];
            line(
                "answer",
                &if output.redact {
                    value(cut, true)
                } else {
                    escaped(cut)
                },
            );
        }
        text
    }

    /// One line for people, in a list to say yes to.
    pub fn line(&self, output: OutputOptions) -> String {
        let case = &self.case;
        let mut text = escaped(&case.key.to_string());
        if let Some(person) = &self.person {
            let _ = write!(text, ", {}", shown(person, output));
        }
        let _ = write!(
            text,
            ", {}:{}, {} since {}",
            escaped(&case.file),
            case.line,
            state(case.state),
            time(case.updated_at)
        );
        if let Some(id) = &case.case_id {
            let _ = write!(text, ", {}", escaped(id));
        }
        if let Some(resolution) = &self.resolution {
            let _ = write!(text, "; {}", said(resolution));
        }
        text
    }

    fn standing(&self, now: Timestamp) -> String {
        let case = &self.case;
        let age = Duration::try_from(now.duration_since(case.updated_at)).unwrap_or_default();
        match case.state {
            State::InDoubt => color::yellow(&format!("in doubt for {}", span(age))),
            State::Rejected => color::red(state(case.state)),
            other => state(other).to_owned(),
        }
    }
}

/// The address of a case on the platform. Its id came from a server: nothing
/// in it may lead elsewhere.
pub fn link(case_url: &str, id: &str) -> String {
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    case_url.replace("{case_id}", &id.replace('+', "%20"))
}

/// A state as people say it.
fn state(state: State) -> &'static str {
    match state {
        State::Sending => "under way",
        State::Imported => "imported",
        State::Rejected => "rejected",
        State::NotSent => "not sent",
        State::InDoubt => "in doubt",
        State::Removed => "removed",
    }
}

/// A value of a case, which a redacted output shows by its shape.
fn shown(text: &str, output: OutputOptions) -> String {
    if output.redact {
        value(text, true)
    } else {
        escaped(text)
    }
}

fn came_back(attempt: &AttemptRow, state: State, output: OutputOptions) -> String {
    let message = attempt
        .message
        .as_deref()
        .map(|message| shown(message, output));
    match (attempt.status, message) {
        (Some(status), Some(message)) => format!("{status}: {message}"),
        (Some(status), None) => status.to_string(),
        (None, Some(message)) => format!("no answer: {message}"),
        (None, None) if attempt.ended_at.is_some() => "no answer".to_owned(),
        (None, None) if state == State::Sending => "nothing yet".to_owned(),
        (None, None) => "not known: the run ended before an answer was written down".to_owned(),
    }
}

/// `it is on the platform as c1: said root on box, 2026-11-23 19:40:12 UTC`
fn said(resolution: &ResolutionRow) -> String {
    let what = match &resolution.resolution {
        Resolution::Imported { case_id: None } => "it is on the platform".to_owned(),
        Resolution::Imported { case_id: Some(id) } => {
            format!("it is on the platform as {}", escaped(id))
        }
        Resolution::NotImported => "it is not on the platform".to_owned(),
        Resolution::Removed => match &resolution.case_id_before {
            Some(id) => format!("it is gone on the platform, where it was {}", escaped(id)),
            None => "it is gone on the platform".to_owned(),
        },
    };
    format!(
        "{what}: said {}, {}",
        escaped(&resolution.marked_by),
        time(resolution.marked_at)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_within_its_part_of_a_link() {
        let url = "https://app.example.com/cases/{case_id}?view=1";
        assert_eq!(
            link(url, "c-1_a"),
            "https://app.example.com/cases/c-1_a?view=1"
        );
        assert_eq!(
            link(url, "../x?y #z"),
            "https://app.example.com/cases/..%2Fx%3Fy%20%23z?view=1"
        );
    }
}
