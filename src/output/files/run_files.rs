//! The outputs of a run, fed with its events.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::case_files::{CaseFiles, WrittenFiles};
use crate::ledger::{CaseRow, RunId};
use crate::model::{Answer, CaseData, Event, FileId, Key, SettledAttempt, State};

/// Writes one row per case, when its state is final in this run.
#[derive(Debug)]
pub(crate) struct RunFiles {
    /// Those that were named, and those of `--out`.
    sets: Vec<CaseFiles>,
    run: RunId,
    /// Cases that will be tried again, as they are until then.
    waiting: BTreeMap<Key, (FileId, CaseRow)>,
}

impl RunFiles {
    pub(crate) fn new(sets: Vec<CaseFiles>, run: RunId) -> Self {
        Self {
            sets,
            run,
            waiting: BTreeMap::new(),
        }
    }

    pub(crate) fn add_event(&mut self, event: &Event<'_>) {
        match event {
            Event::Settled(settled) => self.add_settled(settled),
            Event::SettleFailed {
                case,
                answer,
                error,
                ..
            } => self.add_settle_failed(case, answer, error),
            Event::Started { .. }
            | Event::Skipped { .. }
            | Event::Paused { .. }
            | Event::Resumed
            | Event::AskEcho
            | Event::EchoDiffers { .. }
            | Event::Stopping { .. } => {}
        }
    }

    fn add_settled(&mut self, settled: &SettledAttempt<'_>) {
        let file = settled.case.place.file;
        let row = CaseRow {
            state: settled.state,
            attempts: settled.attempts,
            possible_twin: settled.possible_twin,
            updated_at: settled.at,
            message: message(settled),
            ..self.row(settled.case, settled.answer)
        };
        if settled.will_retry {
            self.waiting.insert(row.key.clone(), (file, row));
        } else {
            self.waiting.remove(&row.key);
            self.write(file, &row);
        }
    }

    /// An answer that the ledger could not store is kept here; the ledger will
    /// call the case in doubt.
    fn add_settle_failed(&mut self, case: &CaseData, answer: &Answer, error: &str) {
        self.waiting.remove(&case.key);
        let answered = answer.message.as_deref();
        let message = format!(
            "the ledger could not be written ({error}){}{}",
            if answered.is_some() { "; " } else { "" },
            answered.unwrap_or_default()
        );
        let row = CaseRow {
            message: Some(message),
            ..self.row(case, answer)
        };
        self.write(case.place.file, &row);
    }

    /// A case in doubt after this answer.
    fn row(&self, case: &CaseData, answer: &Answer) -> CaseRow {
        let source = self.sets.first().and_then(|files| {
            let sources = files.sources();
            sources.get(usize::from(case.place.file.0))
        });
        CaseRow {
            key: case.key.clone(),
            state: State::InDoubt,
            case_id: answer.case_id.as_deref().map(str::to_owned),
            file: source.map(|source| source.name.clone()).unwrap_or_default(),
            line: case.place.line,
            partner_firm_id: case.partner_firm.as_deref().map(str::to_owned),
            run: self.run,
            attempts: 0,
            possible_twin: false,
            updated_at: Timestamp::now(),
            status: answer.status,
            message: None,
            raw: Some(case.raw.as_ref().to_owned()),
            payload: None,
            answer: None,
        }
    }

    fn write(&mut self, file: FileId, row: &CaseRow) {
        for files in &mut self.sets {
            files.add_case(Some(usize::from(file.0)), row);
        }
    }

    /// Adds a record that was skipped for its problems, with its key if it has
    /// one.
    pub(crate) fn add_invalid(&mut self, file: FileId, raw: &str, key: Option<&Key>, reason: &str) {
        for files in &mut self.sets {
            files.add_reject(usize::from(file.0), Some(raw), key, reason);
        }
    }

    /// Completes the files. Cases whose next attempt did not come are written
    /// as they are.
    pub(crate) fn finish(mut self) -> WrittenFiles {
        for (file, row) in std::mem::take(&mut self.waiting).into_values() {
            self.write(file, &row);
        }
        let mut all = WrittenFiles::default();
        for files in self.sets {
            let written = files.finish();
            all.files.extend(written.files);
            all.errors.extend(written.errors);
        }
        all
    }
}

/// What the attempt's columns do not say.
fn message(settled: &SettledAttempt<'_>) -> Option<String> {
    if let Some(other) = settled.same_id_as {
        return Some(format!(
            "the case id in the response already belongs to {other}"
        ));
    }
    let differing = &settled.answer.echo_differs;
    if settled.answer.message.is_none() && !differing.is_empty() {
        return Some(format!(
            "the server returned different values for: {}",
            differing.join(", ")
        ));
    }
    settled.answer.message.as_deref().map(str::to_owned)
}
