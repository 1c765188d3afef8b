//! The plan: which cases of a check are sent, skipped, held or reported as
//! changed, compared with the ledger. When a case is claimed, the ledger
//! decides.
//!
//! A [`Planner`] pulls a check's batches, looks up their keys, and writes what
//! will be sent to the spool. It returns what there is to report, batch by
//! batch, and the [`Plan`] at the end.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use indexmap::IndexSet;

use super::holds::{AllowedDuplicates, Holds, Suspicion};
use super::spool::{Slot, Spool};
use crate::check::{Check, CheckBatch, CheckError, Checked, CheckedCase, Exclusions, Invalid};
use crate::ledger::{KeyLookup, KnownCase, LedgerError, LedgerReader};
use crate::model::{CaseData, Code, Hasher, Key, Problem, Severity, State, Totals, count};

/// What is done with a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PlanAction {
    Send,
    /// It is already imported.
    Skip,
    /// It waits for the user's resolution.
    InDoubt,
    /// It may be a case that exists, and waits for the user's decision.
    Held,
    /// It is imported, and the row has changed since: reported, not sent.
    Changed,
}

/// One case to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlannedCase {
    /// Its place in the spool.
    pub(crate) slot: Slot,
    /// Its state in the ledger, as the plan saw it, or as the run has left it.
    pub(crate) state: Option<State>,
    order: SendOrder,
    /// The record's number in the check.
    pub(super) number: u32,
    /// Position in [`Planner::firms`].
    firm: Option<u32>,
}

impl PlannedCase {
    pub(super) fn is_draft(&self) -> bool {
        self.firm.is_none()
    }

    /// A case that the ledger does not know.
    #[cfg(test)]
    pub(super) fn untried(slot: Slot) -> Self {
        Self {
            slot,
            state: None,
            order: SendOrder::Untried,
            number: 0,
            firm: None,
        }
    }
}

/// The order of sending: untried cases as they stand in the input; then those
/// that were tried and not sent, and removed ones; then rejects whose payload
/// has changed; then other rejects. Where a time is named, the least recently
/// tried first. So a row that the server never accepts, or that stops every
/// run, holds up no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SendOrder {
    Untried,
    NotSent(i64),
    Changed,
    Rejected(i64),
}

/// Everything that a run needs to know of what it will do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What is to be sent, in the order of sending.
    pub(crate) planned: Vec<PlannedCase>,
    /// The same, as cases.
    pub(crate) spooled: Spool,
    /// The records that are not to be sent; `total` counts all.
    pub(crate) others: Totals,
    /// Cases to send beyond `--limit`, by their state in the ledger.
    pub(crate) beyond_limit: Totals,
    /// Cases whose keys the ledger knows.
    pub(crate) known: u64,
    /// Covers account, map and every valid case of the input.
    pub(crate) hash: String,
    /// Cases to send by firm.
    pub(crate) firms: BTreeMap<Box<str>, u64>,
    /// Cases to send without a firm.
    pub(crate) drafts: u64,
    /// Cases that would be sent if they were no duplicates.
    pub(crate) excluded: Vec<Slot>,
    /// Problems that are errors, but for those of records that exist as cases.
    pub(crate) errors: u64,
    /// Every valid case in the input's order, with [`PlanOptions::keep_all`].
    pub(crate) all: Vec<(Slot, PlanAction)>,
}

impl Plan {
    /// How many cases to send were rejected before as they are.
    pub(crate) fn unchanged_rejects(&self) -> u64 {
        let orders = self.planned.iter().map(|planned| planned.order);
        let unchanged = orders.filter(|order| matches!(order, SendOrder::Rejected(_)));
        unchanged.count() as u64
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error("can't write the temporary file in the state folder that holds the cases to send")]
    Spool(#[from] io::Error),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What the user allowed is not what is held.
    #[error(
        "--allow-duplicate {0}: no record of the input is held under this key. Run the same \
         command without the flag to see what is held"
    )]
    NotHeld(Key),
    #[error(
        "--allow-duplicates {allowed}: held as possible duplicates: {}. Run the same command \
         without the flag to see them",
        count(*held, "record")
    )]
    OtherNumber { allowed: u64, held: u64 },
    #[error(
        "--allow-duplicate {0}: the ledger has another person's case under this key, and two \
         cases can't have one key. Give the row a key of its own"
    )]
    OtherPerson(Key),
}

/// What there is to report of a batch of records.
#[derive(Debug, Default)]
pub(crate) struct PlanBatch {
    /// Those of the check, without records that exist as cases, and why others
    /// wait for the user's decision.
    pub(crate) problems: Vec<Problem>,
    /// Records with errors, if the check collects them, and those that are held.
    pub(crate) invalid: Vec<Invalid>,
    /// Imported cases whose rows have changed since; they are not sent.
    pub(crate) changed: Vec<CaseData>,
}

/// How to plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlanOptions {
    pub(crate) allowed: AllowedDuplicates,
    /// Send cases in doubt that were last tried before this, in Unix seconds.
    pub(crate) resend_doubts_before: Option<i64>,
    /// Send at most so many.
    pub(crate) limit: Option<u64>,
    /// Keep every valid case in the spool, to show them all.
    pub(crate) keep_all: bool,
}

/// Makes a plan of a check's cases: an iterator of what there is to report.
pub(crate) struct Planner<'a> {
    check: Check,
    ledger: Option<KeyLookup<'a>>,
    /// None where the ledger has no cases that a record could repeat.
    holds: Option<Holds<'a>>,
    options: PlanOptions,
    spool: Spool,
    send: Vec<PlannedCase>,
    all: Vec<(u32, Slot, PlanAction)>,
    /// Records that exist as cases, by number: which of them are duplicates is
    /// known at the end.
    existing: Vec<(u32, PlanAction)>,
    /// How many keys the ledger knows.
    known: u64,
    /// Errors of the check that were left out.
    dropped: u64,
    firms: IndexSet<Box<str>>,
    hasher: Hasher,
    /// All records were read, and it is known which are held.
    is_decided: bool,
}

impl Iterator for Planner<'_> {
    type Item = Result<PlanBatch, PlanError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.check.next() {
            Some(Ok(batch)) => Some(self.add(batch)),
            Some(Err(error)) => Some(Err(error.into())),
            None => self.next_held().transpose(),
        }
    }
}

impl<'a> Planner<'a> {
    /// A plan for an account and a map, with its spool in this folder. Without a
    /// ledger every case is new.
    pub(crate) fn new(
        check: Check,
        ledger: Option<&'a LedgerReader>,
        account: &str,
        map_id: &str,
        options: PlanOptions,
        folder: &Path,
    ) -> Result<Self, PlanError> {
        let mut hasher = Hasher::default();
        hasher.write_piece(account.as_bytes());
        hasher.write_piece(map_id.as_bytes());
        Ok(Self {
            check,
            ledger: ledger.map(LedgerReader::lookups),
            holds: ledger.map(Holds::new).transpose()?.flatten(),
            options,
            spool: Spool::create(folder)?,
            send: Vec::new(),
            all: Vec::new(),
            existing: Vec::new(),
            known: 0,
            dropped: 0,
            firms: IndexSet::new(),
            hasher,
            is_decided: false,
        })
    }

    /// The plan and the check's summary, once every batch was pulled.
    pub(crate) fn finish(self) -> (Plan, Checked) {
        debug_assert!(self.is_decided, "not every batch was pulled");
        let checked = self.check.finish();
        let excluded = &checked.excluded;
        let held: Vec<u32> = self.holds.iter().flat_map(Holds::held).collect();
        let mut others = Totals {
            total: checked.total,
            held: held.len() as u64,
            ..count_existing(&self.existing, excluded)
        };
        // Not a second list of a million cases.
        let mut send = self.send;
        let duplicates = send.extract_if(.., |planned| excluded.contains(planned.number));
        let duplicates = duplicates.map(|planned| planned.slot).collect();
        send.sort_by_key(|planned| (planned.order, planned.number));
        others.problems = checked.total - others.sum() - send.len() as u64;
        let mut beyond_limit = Totals::default();
        if let Some(limit) = self.options.limit {
            for planned in send.drain(send.len().min(limit as usize)..) {
                beyond_limit.add(planned.state, 1);
            }
        }
        let mut firms = BTreeMap::new();
        let mut drafts = 0;
        for planned in &send {
            match planned.firm {
                Some(firm) => *firms.entry(self.firms[firm as usize].clone()).or_insert(0) += 1,
                None => drafts += 1,
            }
        }
        let all = self.all.into_iter().filter_map(|(number, slot, action)| {
            let action = match held.binary_search(&number) {
                Ok(_) => PlanAction::Held,
                Err(_) => action,
            };
            let is_excluded = match action {
                PlanAction::Send => excluded.contains(number),
                _ => excluded.conflicting.contains(&number),
            };
            (!is_excluded).then_some((slot, action))
        });
        let plan = Plan {
            all: all.collect(),
            planned: send,
            spooled: self.spool,
            others,
            beyond_limit,
            known: self.known,
            hash: self.hasher.finish().to_string()[..16].to_owned(),
            firms,
            drafts,
            excluded: duplicates,
            errors: checked.errors - self.dropped,
        };
        (plan, checked)
    }

    /// Plans the cases of a batch.
    fn add(&mut self, batch: CheckBatch) -> Result<PlanBatch, PlanError> {
        let known = match &mut self.ledger {
            Some(ledger) => {
                let keys = batch.cases.iter().map(|checked| checked.case.key.digest());
                ledger.find(&keys.collect::<Vec<_>>())?
            }
            None => vec![None; batch.cases.len()],
        };
        if let Some(holds) = &mut self.holds {
            let cases = batch.cases.iter().map(|checked| &checked.case);
            holds.prepare(cases.zip(known.iter().map(Option::as_ref)))?;
        }
        let mut found = PlanBatch {
            problems: batch.problems,
            invalid: batch.invalid,
            ..PlanBatch::default()
        };
        // Records with errors of their own that are no problems.
        let mut fixed = Vec::new();
        for (checked, known) in batch.cases.into_iter().zip(&known) {
            let (place, is_valid) = (checked.case.place, checked.is_valid);
            if self.plan_case(checked, known.as_ref(), &mut found)? && !is_valid {
                fixed.push(place);
            }
        }
        (found.invalid).retain(|invalid| !invalid.number.is_some_and(|number| self.exists(number)));
        found.problems.retain(|problem| {
            let exists = match problem.code {
                Code::DuplicateRow
                | Code::SameContent
                | Code::SimilarKey
                | Code::LikelyDuplicate => self
                    .check
                    .numbers(problem)
                    .all(|number| self.exists(number)),
                _ => fixed.binary_search(&problem.place).is_ok(),
            };
            self.dropped += u64::from(exists && problem.severity == Severity::Error);
            !exists
        });
        Ok(found)
    }

    fn exists(&self, number: u32) -> bool {
        let found = (self.existing).binary_search_by_key(&number, |(existing, _)| *existing);
        found.is_ok()
    }

    /// Whether the record exists as a case, so that its own errors do not matter.
    fn plan_case(
        &mut self,
        checked: CheckedCase,
        known: Option<&KnownCase>,
        found: &mut PlanBatch,
    ) -> Result<bool, PlanError> {
        let CheckedCase {
            number,
            case,
            is_valid,
        } = checked;
        self.known += u64::from(known.is_some());
        if is_valid {
            self.hasher.write_piece(case.key.canonical().as_bytes());
            self.hasher.write(&case.payload_digest.0);
        }
        let (action, order) = self.choose_action(&case, known);
        let suspicions = self.suspicions(&case, action, known)?;
        let is_sent = action == PlanAction::Send && is_valid;
        let is_shown = self.options.keep_all && is_valid;
        if is_sent || is_shown || !suspicions.is_empty() {
            let slot = self.spool.write(&case)?;
            if is_shown {
                self.all.push((number, slot, action));
            }
            let firm = case.partner_firm.clone();
            let firm = firm.map(|firm| self.firms.insert_full(firm).0 as u32);
            let planned = PlannedCase {
                slot,
                state: known.map(|known| known.state),
                order,
                number,
                firm,
            };
            match &mut self.holds {
                Some(holds) if !suspicions.is_empty() => {
                    holds.add(planned, is_valid, suspicions);
                    return Ok(false);
                }
                _ if is_sent => self.send.push(planned),
                _ => {}
            }
        }
        match action {
            PlanAction::Send => return Ok(false),
            PlanAction::Changed if is_valid => {
                self.existing.push((number, action));
                found.changed.push(case);
            }
            // What would be sent is not known.
            PlanAction::Changed => self.existing.push((number, PlanAction::Skip)),
            _ => self.existing.push((number, action)),
        }
        Ok(true)
    }

    /// What may keep a case from being sent, or from counting as changed.
    fn suspicions(
        &mut self,
        case: &CaseData,
        action: PlanAction,
        known: Option<&KnownCase>,
    ) -> Result<Vec<Suspicion>, LedgerError> {
        match (&mut self.holds, action, known) {
            (Some(holds), PlanAction::Changed, _) => holds.of_known_case(case),
            (Some(holds), PlanAction::Send, Some(known)) if known.state == State::InDoubt => {
                holds.of_known_case(case)
            }
            (Some(holds), PlanAction::Send, _) => holds.of_new_case(case),
            _ => Ok(Vec::new()),
        }
    }

    /// Some of the records that are held; decides first which they are.
    fn next_held(&mut self) -> Result<Option<PlanBatch>, PlanError> {
        let allowed = &self.options.allowed;
        let Some(holds) = &mut self.holds else {
            self.is_decided = true;
            // Nothing is held where the ledger has no cases.
            return allowed.compare(allowed.keys.first(), 0).map(|()| None);
        };
        if !self.is_decided {
            let free = holds.decide(&self.check, allowed, &mut self.spool)?;
            self.send.extend(free);
            self.is_decided = true;
        }
        let batch = holds.report(&mut self.spool)?;
        Ok((!batch.problems.is_empty()).then_some(batch))
    }

    fn choose_action(&self, case: &CaseData, known: Option<&KnownCase>) -> (PlanAction, SendOrder) {
        let Some(known) = known else {
            return (PlanAction::Send, SendOrder::Untried);
        };
        let changed = (known.payload_digest).is_some_and(|sent| sent != case.payload_digest);
        let tried = known.last_attempt_at.as_millisecond();
        match known.state {
            State::Removed | State::NotSent => (PlanAction::Send, SendOrder::NotSent(tried)),
            State::Rejected if changed => (PlanAction::Send, SendOrder::Changed),
            State::Rejected => (PlanAction::Send, SendOrder::Rejected(tried)),
            State::Imported if changed => (PlanAction::Changed, SendOrder::Untried),
            State::Imported => (PlanAction::Skip, SendOrder::Untried),
            State::InDoubt
                if self
                    .options
                    .resend_doubts_before
                    .is_some_and(|before| tried / 1000 <= before) =>
            {
                (PlanAction::Send, SendOrder::NotSent(tried))
            }
            State::Sending | State::InDoubt => (PlanAction::InDoubt, SendOrder::Untried),
        }
    }
}

/// Counts records that exist as cases by what is done with them.
fn count_existing(existing: &[(u32, PlanAction)], excluded: &Exclusions) -> Totals {
    let mut totals = Totals::default();
    for (number, action) in existing {
        if !excluded.conflicting.contains(number) {
            *match action {
                PlanAction::Skip => &mut totals.already_imported,
                PlanAction::Changed => &mut totals.changed,
                _ => &mut totals.in_doubt,
            } += 1;
        }
    }
    totals
}
