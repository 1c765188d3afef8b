//! Records that wait for the user's decision: each may be a case that the ledger
//! has.
//!
//! A suspicion stands or falls with what the rest of the input has, such as two
//! keys that differ in letter case only. So it is noted when its record is
//! planned, and decided at the end.

use foldhash::HashSet;

use super::plan::{PlanBatch, PlanError, PlannedCase};
use super::spool::Spool;
use crate::check::{Check, Contact, Invalid, MOST_NAMES, SharedContacts, contact};
use crate::ledger::{KnownCase, LedgerError, LedgerReader, LookAlike, LookAlikes};
use crate::model::{CaseData, Code, Foldings, Key, PersonField, Problem, Severity, State};

/// Held cases that the user says are no duplicates.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowedDuplicates {
    pub(crate) keys: Vec<Key>,
    /// All, if there are so many.
    pub(crate) all: Option<u64>,
}

impl AllowedDuplicates {
    fn allows(&self, key: &Key, reason: Reason) -> Result<bool, PlanError> {
        let is_named = self.keys.contains(key);
        if is_named && !reason.is_allowable() {
            return Err(PlanError::OtherPerson(key.clone()));
        }
        Ok(is_named || (self.all.is_some() && reason.is_allowable()))
    }

    /// Compares with what is held: a key that is not, and how many records.
    pub(super) fn compare(&self, unused: Option<&Key>, held: u64) -> Result<(), PlanError> {
        match (unused, self.all) {
            (Some(key), _) => Err(PlanError::NotHeld(key.clone())),
            (None, Some(allowed)) if allowed != held => {
                Err(PlanError::OtherNumber { allowed, held })
            }
            _ => Ok(()),
        }
    }
}

/// Why a record may be a case of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    SameContent,
    SimilarKey,
    SamePerson(PersonField),
    /// The case with the record's own key is another person's.
    OtherPerson,
}

impl Reason {
    /// Two cases can't have one key, whatever the user says.
    fn is_allowable(self) -> bool {
        self != Self::OtherPerson
    }
}

/// With the number of the case.
pub(super) type Suspicion = (Reason, i64);

/// A record with suspicions.
#[derive(Debug)]
struct Suspect {
    planned: PlannedCase,
    /// An invalid record is not sent, whatever becomes of the suspicions.
    is_valid: bool,
    suspicions: Box<[Suspicion]>,
}

/// Compares the records of one input with the cases of the ledger.
pub(super) struct Holds<'l> {
    look_alikes: LookAlikes<'l>,
    suspects: Vec<Suspect>,
    /// By which suspects look like cases of the ledger.
    contacts: HashSet<Contact>,
    /// The names of the input that have each of them, once all was read.
    names: SharedContacts,
    /// Those that no two keys of the source, or of the input, contradict.
    foldings: Option<Foldings>,
    /// In the order of the input, once all is decided.
    held: Vec<(Suspect, Suspicion)>,
    /// How many of them were reported.
    reported: usize,
}

/// Held records that are reported at once.
const REPORTED: usize = 256;

impl<'l> Holds<'l> {
    /// None where the ledger has no cases.
    pub(super) fn new(ledger: &'l LedgerReader) -> Result<Option<Self>, LedgerError> {
        let look_alikes = ledger.look_alikes()?;
        Ok(look_alikes.map(|look_alikes| Self {
            look_alikes,
            suspects: Vec::new(),
            contacts: HashSet::default(),
            names: SharedContacts::default(),
            foldings: None,
            held: Vec::new(),
            reported: 0,
        }))
    }

    /// Prepares for the cases of a batch.
    pub(super) fn prepare<'c>(
        &mut self,
        cases: impl Iterator<Item = (&'c CaseData, Option<&'c KnownCase>)>,
    ) -> Result<(), LedgerError> {
        self.look_alikes.prepare(cases)
    }

    /// Why a case that is about to be sent may exist under another key.
    pub(super) fn of_new_case(&mut self, case: &CaseData) -> Result<Vec<Suspicion>, LedgerError> {
        if let Some(no) = self.look_alikes.same_content(case)? {
            return Ok(vec![(Reason::SameContent, no)]);
        }
        let similar = self.look_alikes.similar_keys(&case.key)?.into_iter();
        let mut suspicions: Vec<_> = similar.map(|no| (Reason::SimilarKey, no)).collect();
        for (field, no) in self.look_alikes.same_person(case)? {
            self.contacts.insert(contact_of(case, field));
            suspicions.push((Reason::SamePerson(field), no));
        }
        Ok(suspicions)
    }

    /// Why a row with the key of a case may be another person's.
    pub(super) fn of_known_case(&self, case: &CaseData) -> Result<Vec<Suspicion>, LedgerError> {
        let other = self.look_alikes.other_person(case)?;
        Ok(other
            .map(|no| (Reason::OtherPerson, no))
            .into_iter()
            .collect())
    }

    pub(super) fn add(&mut self, planned: PlannedCase, is_valid: bool, reasons: Vec<Suspicion>) {
        self.suspects.push(Suspect {
            planned,
            is_valid,
            suspicions: reasons.into(),
        });
    }

    /// Decides about all suspects, once the whole input is known, and returns
    /// those that are to be sent.
    pub(super) fn decide(
        &mut self,
        check: &Check,
        allowed: &AllowedDuplicates,
        spool: &mut Spool,
    ) -> Result<Vec<PlannedCase>, PlanError> {
        let suspects = std::mem::take(&mut self.suspects);
        self.names = check.names_sharing(&self.contacts);
        let conflicting = &check.checked().excluded.conflicting;
        let mut unused: Vec<&Key> = allowed.keys.iter().collect();
        let mut allowable = 0;
        let mut free = Vec::new();
        for suspect in suspects {
            let case = spool.read(suspect.planned.slot)?;
            let suspicion = if conflicting.contains(&suspect.planned.number) {
                None
            } else {
                self.standing(&suspect, &case, check.checked().merging)?
            };
            if let Some((reason, _)) = suspicion {
                unused.retain(|key| **key != case.key);
                allowable += u64::from(reason.is_allowable());
            }
            match suspicion {
                Some(suspicion) if !allowed.allows(&case.key, suspicion.0)? => {
                    self.held.push((suspect, suspicion));
                }
                _ => free.extend(suspect.is_valid.then_some(suspect.planned)),
            }
        }
        allowed.compare(unused.first().copied(), allowable)?;
        Ok(free)
    }

    /// The first suspicion that stands. `merging` are the foldings that merge two
    /// keys of the input.
    fn standing(
        &mut self,
        suspect: &Suspect,
        case: &CaseData,
        merging: Foldings,
    ) -> Result<Option<Suspicion>, LedgerError> {
        for &(reason, no) in &suspect.suspicions {
            let stands = match reason {
                Reason::SameContent | Reason::OtherPerson => true,
                Reason::SimilarKey => {
                    let foldings = if let Some(foldings) = self.foldings {
                        foldings
                    } else {
                        // All keys of an input have one source.
                        let source = case.key.source();
                        let merging = merging | self.look_alikes.merging_foldings(source)?;
                        *self.foldings.insert(Foldings::ALL.without(merging))
                    };
                    let other = self.look_alikes.case(no)?;
                    case.key.is_similar(&other.key, foldings)
                }
                Reason::SamePerson(field) => {
                    let most = MOST_NAMES + 1;
                    self.names[&contact_of(case, field)].len() < most
                        && self.look_alikes.names_sharing(field, &case.person, most)? < most
                }
            };
            if stands {
                return Ok(Some((reason, no)));
            }
        }
        Ok(None)
    }

    /// The records that are held, by their numbers.
    pub(super) fn held(&self) -> impl Iterator<Item = u32> + '_ {
        self.held.iter().map(|(suspect, _)| suspect.planned.number)
    }

    /// Why some of the held records are held that were not reported yet, and those
    /// records as they are written to the rejects file.
    pub(super) fn report(&mut self, spool: &mut Spool) -> Result<PlanBatch, PlanError> {
        let end = self.held.len().min(self.reported + REPORTED);
        let reasons = self.held.iter().map(|(_, (reason, _))| reason);
        let allowable = reasons.filter(|reason| reason.is_allowable()).count();
        let mut batch = PlanBatch::default();
        for (suspect, (reason, other)) in &self.held[self.reported..end] {
            let planned = suspect.planned;
            let case = spool.read(planned.slot)?;
            let other = self.look_alikes.case(*other)?;
            let problem = describe(&case, *reason, &other, allowable);
            // An invalid record is written with its errors.
            if suspect.is_valid {
                batch.invalid.push(Invalid {
                    file: case.place.file,
                    number: Some(planned.number),
                    is_held: true,
                    reason: format!("held: {} [{}]", problem.message, problem.code),
                    key: Some(case.key),
                    raw_record: case.raw_record,
                });
            }
            batch.problems.push(problem);
        }
        self.reported = end;
        Ok(batch)
    }
}

fn contact_of(case: &CaseData, field: PersonField) -> Contact {
    contact(field, case.person.fields()[field as usize])
}

fn describe(case: &CaseData, reason: Reason, other: &LookAlike, allowable: usize) -> Problem {
    let state = match other.state {
        State::Imported => "imported",
        _ => "in doubt",
    };
    let from = match (&other.file, other.row) {
        (Some(file), Some(row)) => format!("from {file}, row {row}"),
        _ if other.is_forgotten => "from a file that was forgotten".to_owned(),
        _ => "added by hand".to_owned(),
    };
    let which = format!(
        "case {:?}, which is {state} ({from})",
        other.key.to_string()
    );
    let (code, message) = match reason {
        Reason::SameContent => (Code::SameContent, format!("all but the key equals {which}")),
        Reason::SimilarKey => (
            Code::SimilarKey,
            format!("the key looks like that of {which}"),
        ),
        Reason::SamePerson(field) => (
            Code::LikelyDuplicate,
            format!("name and {field} are those of {which}"),
        ),
        Reason::OtherPerson => (
            Code::OtherPerson,
            format!(
                "the ledger has another person under this key: name, phone, e-mail and incident \
                 date differ from {which}"
            ),
        ),
    };
    let hint = if reason.is_allowable() {
        let key = case.key.to_string();
        let word = shlex::try_quote(&key).unwrap_or_default();
        let all = match allowable {
            1 => String::new(),
            _ => format!(", or --allow-duplicates {allowable} for all that are held"),
        };
        format!("if it is not the same case, send it with --allow-duplicate {word}{all}")
    } else {
        "if it is another client, give the row a key of its own; if it is the same one, correct \
         the case in Lexamica"
            .to_owned()
    };
    let mut problem = Problem::new(code, case.place, message)
        .with_value(&case.key.to_string())
        .with_hint(hint);
    problem.severity = Severity::Error;
    problem.key = Some(case.key.clone());
    problem
}

#[cfg(test)]
mod tests;
