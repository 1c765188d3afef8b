//! Records that wait for the user's decision: each may be a case that the ledger
//! has.
//!
//! A suspicion stands or falls with what the rest of the input has, such as two
//! keys that differ in letter case only. So it is noted when its record is
//! planned, and decided at the end.

use foldhash::{HashMap, HashSet};

use super::plan::{PlanError, PlannedCase};
use super::spool::Spooled;
use crate::check::{Check, Contact, Invalid, MOST_NAMES, contact};
use crate::ledger::{LedgerError, LedgerReader, LookAlike, LookAlikes};
use crate::model::{CaseData, Code, Foldings, Key, PersonField, Problem, Severity, State, count};

/// Held cases that the user says are no duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum AllowedDuplicates {
    #[default]
    None,
    Keys(Vec<Key>),
    /// All, if there are so many.
    All(u64),
}

impl AllowedDuplicates {
    /// Nothing is held where the ledger has no cases.
    pub(super) fn without_holds(&self) -> Result<(), AllowError> {
        Permit::new(self).finish(0)
    }
}

/// Why what the user allowed is not what is held.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AllowError {
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

/// Why a record may be a case of the ledger, with the number of that case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspicion {
    SameContent(i64),
    SimilarKey(i64),
    SamePerson(PersonField, i64),
    /// The case with the record's own key is another person's.
    OtherPerson(i64),
}

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
    /// How many names of the input have each of them, once all was read.
    names: HashMap<Contact, usize>,
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
            names: HashMap::default(),
            foldings: None,
            held: Vec::new(),
            reported: 0,
        }))
    }

    /// Why a case that is about to be sent may exist under another key.
    pub(super) fn of_new_case(&mut self, case: &CaseData) -> Result<Vec<Suspicion>, LedgerError> {
        if let Some(no) = self.look_alikes.same_content(case)? {
            return Ok(vec![Suspicion::SameContent(no)]);
        }
        let similar = self.look_alikes.similar_keys(&case.key)?.into_iter();
        let mut suspicions: Vec<_> = similar.map(Suspicion::SimilarKey).collect();
        for (field, no) in self.look_alikes.same_person(case)? {
            self.contacts.insert(contact_of(case, field));
            suspicions.push(Suspicion::SamePerson(field, no));
        }
        Ok(suspicions)
    }

    /// Why a row with the key of a case may be another person's.
    pub(super) fn of_known_case(&self, case: &CaseData) -> Result<Vec<Suspicion>, LedgerError> {
        let other = self.look_alikes.other_person(case)?;
        Ok(other.map(Suspicion::OtherPerson).into_iter().collect())
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
        spooled: &mut Spooled,
    ) -> Result<Vec<PlannedCase>, PlanError> {
        let suspects = std::mem::take(&mut self.suspects);
        self.names = check.names_sharing(&self.contacts);
        let conflicting = &check.checked().excluded.conflicting;
        let mut permit = Permit::new(allowed);
        let mut free = Vec::new();
        for suspect in suspects {
            let case = spooled
                .read(suspect.planned.slot)
                .map_err(PlanError::Spool)?;
            let reason = if conflicting.contains(&suspect.planned.number) {
                None
            } else {
                self.reason(&suspect, &case, check.checked().merging)?
            };
            match reason {
                Some(reason) if !permit.allows(&case.key, reason)? => {
                    self.held.push((suspect, reason));
                }
                _ => free.extend(suspect.is_valid.then_some(suspect.planned)),
            }
        }
        permit.finish(self.allowable())?;
        if let AllowedDuplicates::All(_) = allowed {
            let allowed = self
                .held
                .extract_if(.., |(_, reason)| reason.is_allowable());
            let valid = allowed.filter(|(suspect, _)| suspect.is_valid);
            free.extend(valid.map(|(suspect, _)| suspect.planned));
        }
        Ok(free)
    }

    /// The first suspicion that stands. `merging` are the foldings that merge two
    /// keys of the input.
    fn reason(
        &mut self,
        suspect: &Suspect,
        case: &CaseData,
        merging: Foldings,
    ) -> Result<Option<Suspicion>, LedgerError> {
        for &suspicion in &suspect.suspicions {
            let stands = match suspicion {
                Suspicion::SameContent(_) | Suspicion::OtherPerson(_) => true,
                Suspicion::SimilarKey(no) => {
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
                Suspicion::SamePerson(field, _) => {
                    let most = MOST_NAMES + 1;
                    self.names[&contact_of(case, field)] < most
                        && self.look_alikes.names_sharing(field, &case.person, most)? < most
                }
            };
            if stands {
                return Ok(Some(suspicion));
            }
        }
        Ok(None)
    }

    /// How many of the held records the user may let through.
    fn allowable(&self) -> u64 {
        let held = self.held.iter();
        held.filter(|(_, reason)| reason.is_allowable()).count() as u64
    }

    /// The records that are held, by their numbers.
    pub(super) fn held(&self) -> impl Iterator<Item = u32> + '_ {
        self.held.iter().map(|(suspect, _)| suspect.planned.number)
    }

    /// Why some of the held records are held that were not reported yet, and those
    /// records as they are written to the rejects file.
    pub(super) fn report(
        &mut self,
        spooled: &mut Spooled,
    ) -> Result<(Vec<Problem>, Vec<Invalid>), PlanError> {
        let end = self.held.len().min(self.reported + REPORTED);
        let allowable = self.allowable();
        let (mut problems, mut records) = (Vec::new(), Vec::new());
        for (suspect, reason) in &self.held[self.reported..end] {
            let planned = suspect.planned;
            let case = spooled.read(planned.slot).map_err(PlanError::Spool)?;
            let other = self.look_alikes.case(reason.other())?;
            let problem = describe(&case, *reason, &other, allowable);
            // An invalid record is written with its errors.
            if suspect.is_valid {
                records.push(Invalid {
                    file: case.place.file,
                    number: Some(planned.number),
                    is_held: true,
                    reason: format!("held: {} [{}]", problem.message, problem.code),
                    key: Some(case.key),
                    raw_record: case.raw_record,
                });
            }
            problems.push(problem);
        }
        self.reported = end;
        Ok((problems, records))
    }
}

fn contact_of(case: &CaseData, field: PersonField) -> Contact {
    contact(field, case.person.fields()[field as usize])
}

impl Suspicion {
    /// The case that the record may be.
    fn other(self) -> i64 {
        match self {
            Self::SameContent(no)
            | Self::SimilarKey(no)
            | Self::SamePerson(_, no)
            | Self::OtherPerson(no) => no,
        }
    }

    /// Two cases can't have one key, whatever the user says.
    fn is_allowable(self) -> bool {
        !matches!(self, Self::OtherPerson(_))
    }
}

/// What the user allowed, as it is used up.
struct Permit<'a> {
    allowed: &'a AllowedDuplicates,
    unused: Vec<&'a Key>,
}

impl<'a> Permit<'a> {
    fn new(allowed: &'a AllowedDuplicates) -> Self {
        let unused = match allowed {
            AllowedDuplicates::Keys(keys) => keys.iter().collect(),
            _ => Vec::new(),
        };
        Self { allowed, unused }
    }

    fn allows(&mut self, key: &Key, reason: Suspicion) -> Result<bool, AllowError> {
        let is_named = matches!(self.allowed, AllowedDuplicates::Keys(keys) if keys.contains(key));
        if is_named && !reason.is_allowable() {
            return Err(AllowError::OtherPerson(key.clone()));
        }
        self.unused.retain(|unused| *unused != key);
        Ok(is_named)
    }

    fn finish(self, held: u64) -> Result<(), AllowError> {
        match (self.unused.first(), self.allowed) {
            (Some(&key), _) => Err(AllowError::NotHeld(key.clone())),
            (None, &AllowedDuplicates::All(allowed)) if allowed != held => {
                Err(AllowError::OtherNumber { allowed, held })
            }
            _ => Ok(()),
        }
    }
}

fn describe(case: &CaseData, reason: Suspicion, other: &LookAlike, allowable: u64) -> Problem {
    let state = match other.state {
        State::Imported => "imported",
        _ => "in doubt",
    };
    let from = match (&other.file, other.row) {
        (Some(file), Some(row)) => format!("from {file}, row {row}"),
        _ => "added by hand".to_owned(),
    };
    let which = format!(
        "case {:?}, which is {state} ({from})",
        other.key.to_string()
    );
    let (code, message) = match reason {
        Suspicion::SameContent(_) => (Code::SameContent, format!("all but the key equals {which}")),
        Suspicion::SimilarKey(_) => (
            Code::SimilarKey,
            format!("the key looks like that of {which}"),
        ),
        Suspicion::SamePerson(field, _) => {
            let field = field.label();
            (
                Code::LikelyDuplicate,
                format!("name and {field} are those of {which}"),
            )
        }
        Suspicion::OtherPerson(_) => (
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
