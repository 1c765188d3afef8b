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

use super::spool::{Slot, Spool, Spooled};
use crate::check::{Check, CheckBatch, CheckError, Checked, Invalid};
use crate::ledger::{KeyLookup, KnownCase, LedgerError, LedgerReader, SameContent};
use crate::model::{CaseData, Code, Hasher, Problem, State, Totals};

/// What is done with a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PlanAction {
    Send,
    /// It is already imported.
    Skip,
    /// It waits for the user's resolution.
    InDoubt,
    /// A known case has its content under another key: it may be a duplicate.
    Held,
    /// It is imported, and the row has changed since: reported, not sent.
    Changed,
}

impl PlanAction {
    /// Its name in JSON output.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Skip => "skip",
            Self::InDoubt => "in_doubt",
            Self::Held => "held",
            Self::Changed => "changed",
        }
    }
}

/// One case to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlannedCase {
    /// Its place in the spool.
    pub(crate) slot: Slot,
    /// Its state in the ledger, as the plan saw it.
    pub(crate) state: Option<State>,
    order: SendOrder,
    /// The record's number in the check.
    number: u32,
    /// Position in [`Planner::firms`].
    firm: Option<u32>,
}

#[cfg(test)]
impl PlannedCase {
    /// A case that the ledger does not know.
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
    pub(crate) spooled: Spooled,
    /// Valid cases by what is done with them.
    pub(crate) actions: BTreeMap<PlanAction, u64>,
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

    /// How many cases go this way.
    pub(crate) fn count(&self, action: PlanAction) -> u64 {
        self.actions.get(&action).copied().unwrap_or_default()
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error("can't write the temporary file in the state folder that holds the cases to send")]
    Spool(#[source] io::Error),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What there is to report of a batch of records.
#[derive(Debug, Default)]
pub(crate) struct PlanBatch {
    /// Of the check and of the comparison with the ledger.
    pub(crate) problems: Vec<Problem>,
    /// Records with errors, if the check collects them.
    pub(crate) invalid: Vec<Invalid>,
    /// Imported cases whose rows have changed since; they are not sent.
    pub(crate) changed: Vec<CaseData>,
}

/// How to plan.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PlanOptions {
    /// Send a new key with the content of a known case.
    pub(crate) allow_same_content: bool,
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
    /// Whether there is content that a new key could repeat.
    has_content: bool,
    options: PlanOptions,
    spool: Spool,
    send: Vec<PlannedCase>,
    all: Vec<(u32, Slot, PlanAction)>,
    /// The others by number: which of them are duplicates is known at the end.
    others: Vec<(u32, PlanAction)>,
    known: u64,
    firms: IndexSet<Box<str>>,
    hasher: Hasher,
}

impl Iterator for Planner<'_> {
    type Item = Result<PlanBatch, PlanError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.check.next()?;
        Some(
            batch
                .map_err(PlanError::Check)
                .and_then(|batch| self.add(batch)),
        )
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
        let has_content = match ledger {
            Some(ledger) if !options.allow_same_content => ledger.has_content()?,
            _ => false,
        };
        Ok(Self {
            check,
            ledger: ledger.map(LedgerReader::lookups),
            has_content,
            options,
            spool: Spool::create(folder).map_err(PlanError::Spool)?,
            send: Vec::new(),
            all: Vec::new(),
            others: Vec::new(),
            known: 0,
            firms: IndexSet::new(),
            hasher,
        })
    }

    /// The plan and the check's summary, once every batch was pulled.
    pub(crate) fn finish(self) -> Result<(Plan, Checked), PlanError> {
        let checked = self.check.finish();
        let is_duplicate = |number: u32| checked.excluded.contains(&number);
        let mut actions = BTreeMap::new();
        for (number, action) in &self.others {
            if !is_duplicate(*number) {
                *actions.entry(*action).or_insert(0) += 1;
            }
        }
        // Not a second list of a million cases.
        let mut send = self.send;
        let duplicates = send.extract_if(.., |planned| is_duplicate(planned.number));
        let excluded = duplicates.map(|planned| planned.slot).collect();
        send.sort_by_key(|planned| (planned.order, planned.number));
        actions.insert(PlanAction::Send, send.len() as u64);
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
        let all = self
            .all
            .into_iter()
            .filter(|(number, ..)| !is_duplicate(*number));
        let plan = Plan {
            all: all.map(|(_, slot, action)| (slot, action)).collect(),
            planned: send,
            spooled: self.spool.finish().map_err(PlanError::Spool)?,
            actions,
            beyond_limit,
            known: self.known,
            hash: self.hasher.finish().to_string()[..16].to_owned(),
            firms,
            drafts,
            excluded,
        };
        Ok((plan, checked))
    }

    /// Plans the cases of a batch.
    fn add(&mut self, batch: CheckBatch) -> Result<PlanBatch, PlanError> {
        let known = match &mut self.ledger {
            Some(ledger) => {
                let keys = batch.cases.iter().map(|(_, case)| case.key.digest());
                ledger.find(&keys.collect::<Vec<_>>())?
            }
            None => vec![None; batch.cases.len()],
        };
        let mut found = PlanBatch {
            problems: batch.problems,
            invalid: batch.invalid,
            changed: Vec::new(),
        };
        for ((number, case), known) in batch.cases.into_iter().zip(&known) {
            self.plan_case(number, case, known.as_ref(), &mut found)?;
        }
        Ok(found)
    }

    fn plan_case(
        &mut self,
        number: u32,
        case: CaseData,
        known: Option<&KnownCase>,
        found: &mut PlanBatch,
    ) -> Result<(), PlanError> {
        self.known += u64::from(known.is_some());
        self.hasher.write_piece(case.key.canonical().as_bytes());
        self.hasher.write(&case.payload_digest.0);
        let same = match &self.ledger {
            Some(ledger) if known.is_none() && self.has_content => {
                let reader = ledger.reader();
                reader.same_content(&case.record_digest, &case.content_digest)?
            }
            _ => None,
        };
        let (action, order) = match &same {
            Some(_) => (PlanAction::Held, SendOrder::Untried),
            None => self.choose_action(&case, known),
        };
        if action == PlanAction::Send || self.options.keep_all {
            let slot = self.spool.write(&case).map_err(PlanError::Spool)?;
            if self.options.keep_all {
                self.all.push((number, slot, action));
            }
            if action == PlanAction::Send {
                let firm = case.partner_firm.as_deref().map(|firm| self.firm(firm));
                self.send.push(PlannedCase {
                    slot,
                    state: known.map(|known| known.state),
                    order,
                    number,
                    firm,
                });
                return Ok(());
            }
        }
        self.others.push((number, action));
        if let Some(same) = same {
            let problem = same_content(&case, &same);
            found.invalid.push(Invalid {
                file: case.place.file,
                key: Some(case.key),
                reason: format!("{} [{}]", problem.message, problem.code),
                raw_record: case.raw_record,
            });
            found.problems.push(problem);
        } else if action == PlanAction::Changed {
            found.changed.push(case);
        }
        Ok(())
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

    fn firm(&mut self, firm: &str) -> u32 {
        let known = self.firms.get_index_of(firm);
        known.unwrap_or_else(|| self.firms.insert_full(firm.into()).0) as u32
    }
}

fn same_content(case: &CaseData, same: &SameContent) -> Problem {
    let state = match same.state {
        State::Imported => "imported",
        _ => "in doubt",
    };
    Problem::new(
        Code::SameContent,
        case.place,
        format!(
            "the key {} is new, but all else equals case {}, which is {state} (from {}, line {})",
            case.key, same.key, same.file, same.line
        ),
    )
    .with_hint(
        "if the key column has changed, use the old one; if it is another case, \
         --allow-same-content lets it through",
    )
}
