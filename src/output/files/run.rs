//! The outputs of a run, fed with its events.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::line::CaseLine;
use super::set::{Files, Written};
use crate::model::{Answer, CaseData, Event, FileId, Key, SettledAttempt, State};

/// Writes what a run comes to, row by row. A case has one row, written when
/// its state is final in this run.
#[derive(Debug)]
pub struct RunFiles {
    files: Files,
    /// Cases that are to be tried again, as they stand until then.
    waiting: BTreeMap<Key, Last>,
}

/// The last that is known of a case.
#[derive(Debug)]
struct Last {
    case: CaseData,
    state: State,
    case_id: Option<Box<str>>,
    status: Option<u16>,
    attempts: Option<u32>,
    possible_twin: bool,
    at: Timestamp,
    message: Option<Box<str>>,
}

impl RunFiles {
    pub(super) fn new(files: Files) -> Self {
        Self {
            files,
            waiting: BTreeMap::new(),
        }
    }

    /// Takes in an event.
    pub fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Settled(settled) => self.settled(settled),
            Event::SettleFailed {
                case,
                answer,
                error,
                ..
            } => self.unwritten(case, answer, error),
            Event::Started { .. }
            | Event::Skipped { .. }
            | Event::Paused { .. }
            | Event::Resumed
            | Event::AskEcho
            | Event::EchoDiffers { .. }
            | Event::Stopping { .. } => {}
        }
    }

    /// Takes in an attempt that is over.
    pub fn settled(&mut self, settled: &SettledAttempt<'_>) {
        let last = Last {
            case: settled.case.clone(),
            state: settled.state,
            case_id: settled.answer.case_id.clone(),
            status: settled.answer.status,
            attempts: Some(settled.attempts),
            possible_twin: settled.possible_twin,
            at: settled.at,
            message: message(settled),
        };
        if settled.will_retry {
            self.waiting.insert(last.case.key.clone(), last);
        } else {
            self.waiting.remove(&last.case.key);
            write(&mut self.files, &last);
        }
    }

    /// An answer that the ledger could not take: here it is kept, and the
    /// ledger will call the case in doubt.
    fn unwritten(&mut self, case: &CaseData, answer: &Answer, error: &str) {
        self.waiting.remove(&case.key);
        let told = answer.message.as_deref();
        let message = format!(
            "the ledger could not be written ({error}){}{}",
            if told.is_some() { "; " } else { "" },
            told.unwrap_or_default()
        );
        let last = Last {
            case: case.clone(),
            state: State::InDoubt,
            case_id: answer.case_id.clone(),
            status: answer.status,
            attempts: None,
            possible_twin: false,
            at: Timestamp::now(),
            message: Some(message.into()),
        };
        write(&mut self.files, &last);
    }

    /// Adds a record that was left out for its problems, with its raw text and
    /// its key, if it has one. The reason should name its place.
    pub fn invalid(&mut self, file: FileId, raw: &str, key: Option<&Key>, reason: &str) {
        self.files
            .reject(usize::from(file.0), Some(raw), key, reason);
    }

    /// Closes the files, and tells what went wrong with them meanwhile. Cases
    /// whose next try did not come are written as they stand.
    pub fn finish(mut self) -> Written {
        for last in self.waiting.values() {
            write(&mut self.files, last);
        }
        self.files.finish()
    }
}

fn write(files: &mut Files, last: &Last) {
    let input = usize::from(last.case.place.file.0);
    let name = files
        .inputs()
        .get(input)
        .map(|input| input.name.clone())
        .unwrap_or_default();
    let line = CaseLine {
        key: &last.case.key,
        file: &name,
        line: last.case.place.line,
        partner_firm: last.case.partner_firm.as_deref(),
        state: last.state,
        case_id: last.case_id.as_deref(),
        status: last.status,
        attempts: last.attempts,
        possible_twin: last.possible_twin,
        at: last.at,
        message: last.message.as_deref(),
        raw: Some(&last.case.raw),
    };
    files.case(input, &line);
}

/// What there is to say of an attempt that its columns don't say.
fn message(settled: &SettledAttempt<'_>) -> Option<Box<str>> {
    if let Some(other) = settled.same_id_as {
        return Some(format!("the case id that came back is already that of {other}").into());
    }
    let differing = &settled.answer.echo_differs;
    if settled.answer.message.is_none() && !differing.is_empty() {
        return Some(format!("came back otherwise than sent: {}", differing.join(", ")).into());
    }
    settled.answer.message.clone()
}
