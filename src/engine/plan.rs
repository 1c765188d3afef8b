//! The plan: what is sent, skipped, held or reporter as changed, against what the
//! ledger knows. It advises; at the claim the ledger decides.

use std::collections::{BTreeMap, HashMap};
use std::io;

use super::spool::{Slot, Spool, Spooled};
use crate::check::{Checked, Invalid, Sink};
use crate::ledger::{KeyLookup, KnownCase, LedgerError, LedgerReader, SameContent};
use crate::model::{CaseData, Code, Digest, Hasher, Problem, State, Totals};

/// What is done with a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlanAction {
    /// It goes out.
    Send,
    /// It is imported already.
    Skip,
    /// It is in doubt and waits for the user.
    Hold,
    /// It is imported, and the row has changed since; reporter, not sent.
    Changed,
}

impl PlanAction {
    /// The word in JSON output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Skip => "skip",
            Self::Hold => "hold",
            Self::Changed => "changed",
        }
    }
}

/// One case to send.
#[derive(Debug, Clone, Copy)]
pub struct PlannedCase {
    /// Where it stands in the spool.
    pub slot: Slot,
    /// Its state in the ledger, as the plan saw it.
    pub state: Option<State>,
    order: SendOrder,
    number: u32,
}

/// The order of sending: untried, not sent and removed cases as they stand in
/// the input; then rejects whose payload has changed; then other rejects, the
/// least recently tried first. So a row that the server will never take keeps
/// nothing from the rows behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SendOrder {
    First,
    Changed,
    Tried(i64),
}

/// Everything that a run needs to know of what it will do.
#[derive(Debug)]
pub struct Plan {
    /// What is to be sent, in the order of sending.
    pub planned: Vec<PlannedCase>,
    /// The same, as cases.
    pub spooled: Spooled,
    /// Valid cases by what is done with them.
    pub actions: BTreeMap<PlanAction, u64>,
    /// Cases to send beyond `--limit`, by their state in the ledger.
    pub beyond_limit: Totals,
    /// Covers account, map and every valid case of the input.
    pub hash: String,
    /// Cases to send by firm.
    pub firms: BTreeMap<Box<str>, u64>,
    /// Cases to send without a firm.
    pub drafts: u64,
    /// Cases that would be sent, were their key not there twice.
    pub excluded: Vec<Slot>,
    /// Every valid case in the input's order, with [`PlanOptions::keep_all`].
    pub all: Vec<(Slot, PlanAction)>,
}

impl Plan {
    /// How many cases go this way.
    pub fn count(&self, action: PlanAction) -> u64 {
        self.actions.get(&action).copied().unwrap_or_default()
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The temporary file.
    #[error("can't write the temporary file in {} that holds what is to be sent", std::env::temp_dir().display())]
    Spool(#[source] io::Error),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What the planner tells while it plans.
pub trait Reporter {
    /// A problem of the check or of the plan.
    fn problem(&mut self, problem: Problem);
    /// A row that was imported and has changed since; it is not sent.
    fn changed(&mut self, case: &CaseData);
    /// A record that stays behind; only where the check was asked for them.
    fn invalid(&mut self, invalid: Invalid);
}

/// How to plan.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanOptions {
    /// A new key with a known case's content is meant.
    pub allow_same_content: bool,
    /// Send cases in doubt that were last tried before this, in Unix seconds.
    pub resend_doubts_before: Option<i64>,
    /// Send at most so many.
    pub limit: Option<u64>,
    /// Keep every valid case in the spool, for who shows them all.
    pub keep_all: bool,
}

/// Takes the cases of a check and makes a plan of them.
#[derive(Debug)]
pub struct Planner<'a, T> {
    ledger: Option<KeyLookup<'a>>,
    /// Whether there is content that a new key could repeat.
    has_content: bool,
    options: PlanOptions,
    reporter: &'a mut T,
    spool: Spool,
    send: Vec<PlannedCase>,
    all: Vec<(u32, Slot, PlanAction)>,
    /// What is done with the others, by number, while some may be excluded.
    others: Vec<(u32, PlanAction)>,
    firms: Vec<Box<str>>,
    firm_numbers: HashMap<Box<str>, u32>,
    firm_of: Vec<u32>,
    same_content: u64,
    hasher: Hasher,
}

const NO_FIRM: u32 = u32::MAX;

impl<'a, T: Reporter> Planner<'a, T> {
    /// A plan for an account and a map. Without a ledger nothing is known.
    pub fn new(
        ledger: Option<&'a LedgerReader>,
        account: &str,
        map_id: &str,
        options: PlanOptions,
        reporter: &'a mut T,
    ) -> Result<Self, PlanError> {
        let mut hasher = Hasher::new();
        hasher.write_piece(account.as_bytes());
        hasher.write_piece(map_id.as_bytes());
        let has_content = match ledger {
            Some(ledger) if !options.allow_same_content => ledger.has_content()?,
            _ => false,
        };
        Ok(Self {
            ledger: ledger.map(LedgerReader::lookups),
            has_content,
            options,
            reporter,
            spool: Spool::create().map_err(PlanError::Spool)?,
            send: Vec::new(),
            all: Vec::new(),
            others: Vec::new(),
            firms: Vec::new(),
            firm_numbers: HashMap::new(),
            firm_of: Vec::new(),
            same_content: 0,
            hasher,
        })
    }

    /// Cases that repeat a known case's content under a new key; each was reporter
    /// as a problem.
    pub fn same_content(&self) -> u64 {
        self.same_content
    }

    /// Puts the plan in order, once the check is over.
    pub fn finish(self, checked: &Checked) -> Result<Plan, PlanError> {
        let excluded = &checked.excluded;
        let mut actions = BTreeMap::new();
        for (_, action) in self
            .others
            .iter()
            .filter(|(number, _)| !excluded.contains(*number))
        {
            *actions.entry(*action).or_insert(0) += 1;
        }
        let mut send: Vec<(PlannedCase, u32)> = self.send.into_iter().zip(self.firm_of).collect();
        let mut left_out = Vec::new();
        send.retain(|(planned, _)| {
            let stays = excluded.contains(planned.number);
            if stays {
                left_out.push(planned.slot);
            }
            !stays
        });
        send.sort_by_key(|(planned, _)| (planned.order, planned.number));
        actions.insert(PlanAction::Send, send.len() as u64);
        let mut beyond_limit = Totals::default();
        if let Some(limit) = self.options.limit {
            for (planned, _) in send.drain(send.len().min(limit as usize)..) {
                beyond_limit.add(planned.state, 1);
            }
        }
        let mut firms = BTreeMap::new();
        let mut drafts = 0;
        for (_, firm) in &send {
            match self.firms.get(*firm as usize) {
                Some(firm) => *firms.entry(firm.clone()).or_insert(0) += 1,
                None => drafts += 1,
            }
        }
        let digest = self.hasher.finish().to_string();
        Ok(Plan {
            planned: send.into_iter().map(|(planned, _)| planned).collect(),
            spooled: self.spool.finish().map_err(PlanError::Spool)?,
            actions,
            beyond_limit,
            hash: digest[..16].to_owned(),
            firms,
            drafts,
            excluded: left_out,
            all: self
                .all
                .into_iter()
                .filter(|(number, ..)| !excluded.contains(*number))
                .map(|(_, slot, action)| (slot, action))
                .collect(),
        })
    }

    fn plan(
        &mut self,
        number: u32,
        case: &CaseData,
        known: Option<&KnownCase>,
    ) -> Result<(), PlanError> {
        self.hasher.write_piece(case.key.canonical().as_bytes());
        self.hasher.write(&case.payload_digest.0);
        if known.is_none()
            && self.has_content
            && let Some(same) = self.find_same(case)?
        {
            self.same_content += 1;
            let problem = same_content(case, &same);
            self.reporter.invalid(Invalid {
                file: case.place.file,
                raw: case.raw.clone(),
                reason: format!("{} [{}]", problem.message, problem.code),
            });
            self.reporter.problem(problem);
            return Ok(());
        }
        let (action, order) = self.decide(case, known);
        if action == PlanAction::Changed {
            self.reporter.changed(case);
        }
        if action != PlanAction::Send && !self.options.keep_all {
            self.others.push((number, action));
            return Ok(());
        }
        let slot = self.spool.write(case).map_err(PlanError::Spool)?;
        if self.options.keep_all {
            self.all.push((number, slot, action));
        }
        if action == PlanAction::Send {
            self.send.push(PlannedCase {
                slot,
                state: known.map(|known| known.state),
                order,
                number,
            });
            let firm = self.firm(case.partner_firm.as_deref());
            self.firm_of.push(firm);
        } else {
            self.others.push((number, action));
        }
        Ok(())
    }

    fn decide(&self, case: &CaseData, known: Option<&KnownCase>) -> (PlanAction, SendOrder) {
        let Some(known) = known else {
            return (PlanAction::Send, SendOrder::First);
        };
        let changed = known.payload_digest != case.payload_digest;
        let tried = known.last_attempt_at.as_second();
        match known.state {
            State::Removed | State::NotSent => (PlanAction::Send, SendOrder::First),
            State::Rejected if changed => (PlanAction::Send, SendOrder::Changed),
            State::Rejected => (PlanAction::Send, SendOrder::Tried(tried)),
            State::Imported if changed => (PlanAction::Changed, SendOrder::First),
            State::Imported => (PlanAction::Skip, SendOrder::First),
            State::InDoubt
                if self
                    .options
                    .resend_doubts_before
                    .is_some_and(|before| tried <= before) =>
            {
                (PlanAction::Send, SendOrder::First)
            }
            State::Sending | State::InDoubt => (PlanAction::Hold, SendOrder::First),
        }
    }

    fn find_same(&self, case: &CaseData) -> Result<Option<SameContent>, PlanError> {
        Ok(match &self.ledger {
            Some(ledger) => ledger
                .reader()
                .same_content(&case.record_digest, &case.content_digest)?,
            None => None,
        })
    }

    fn firm(&mut self, firm: Option<&str>) -> u32 {
        let Some(firm) = firm else {
            return NO_FIRM;
        };
        if let Some(&number) = self.firm_numbers.get(firm) {
            return number;
        }
        let number = self.firms.len() as u32;
        self.firms.push(firm.into());
        self.firm_numbers.insert(firm.into(), number);
        number
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

impl<T: Reporter> Sink for Planner<'_, T> {
    type Error = PlanError;

    fn problem(&mut self, problem: Problem) -> Result<(), PlanError> {
        self.reporter.problem(problem);
        Ok(())
    }

    fn cases(&mut self, first: u32, cases: Vec<CaseData>) -> Result<(), PlanError> {
        let known = match &mut self.ledger {
            Some(ledger) => {
                let keys: Vec<Digest> = cases.iter().map(|case| case.key.digest()).collect();
                ledger.find(&keys)?
            }
            None => vec![None; cases.len()],
        };
        for ((number, case), known) in (first..).zip(&cases).zip(&known) {
            self.plan(number, case, known.as_ref())?;
        }
        Ok(())
    }

    fn invalid(&mut self, invalid: Invalid) -> Result<(), PlanError> {
        self.reporter.invalid(invalid);
        Ok(())
    }
}
