//! What must hold between the server's book and the ledger, whatever happened.
//!
//! It looks from outside: it knows whole requests in the order in which they
//! were read, what each was answered, which cases were made, and the ledger's
//! rows. It shares no code with caseload.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// What the server's answer to a whole request proves, by the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Not processed, or refused: nothing was made of it.
    NothingMade,
    /// Nothing: the case may exist.
    None,
}

/// A whole request that the server has read.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) key: String,
    /// The start of the binary that it belongs to.
    pub(crate) run: usize,
    pub(crate) proof: Proof,
    /// The id that the answer told.
    pub(crate) told: Option<String>,
    /// The fault that it met, for people.
    pub(crate) met: String,
}

/// What the server knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    /// Whole requests, in the order of reading.
    pub(crate) sent: Vec<Sent>,
    /// Keys of the cases that exist, once for each case.
    pub(crate) made: Vec<String>,
}

/// A case in the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) state: String,
    pub(crate) case_id: Option<String>,
    pub(crate) possible_twin: bool,
    pub(crate) attempts: Vec<Attempt>,
}

/// One attempt in the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// The state that the case was in before.
    pub(crate) before: Option<String>,
    pub(crate) outcome: Option<String>,
    /// Whether the user let its run send cases in doubt once more.
    pub(crate) resend: bool,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
}

/// The ledger, by key.
pub(crate) type Rows = BTreeMap<String, Row>;

/// All that there is to compare.
pub(crate) struct Truth<'a> {
    /// Every key of the input.
    pub(crate) keys: &'a [String],
    pub(crate) book: &'a Book,
    pub(crate) rows: &'a Rows,
    /// For each start of the binary: whether the user let it send cases in
    /// doubt once more.
    pub(crate) resend: &'a [bool],
    pub(crate) stage: Stage,
}

/// How far the binary came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It died.
    Crashed,
    /// It ended by itself, perhaps early: nothing may be under way.
    Ended,
    /// It came to its end: nothing may be untried either.
    Done,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) key: String,
    pub(crate) what: What,
}

/// What can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// A whole request after one that proved nothing and that nobody settled.
    SentAgain,
    /// More cases than the user's words allow.
    Doubled,
    /// A record in none of imported, rejected, not sent, in doubt.
    Lost,
    /// Imported in the ledger, and the server has no such case.
    NotThere,
    /// Imported under an id that the server never told for it.
    WrongId,
    /// Two keys imported under one id.
    SharedId,
    /// The server has it; the ledger calls it rejected or not sent, or doesn't
    /// know it.
    Denied,
    /// Rejected or not sent in the ledger after a request that proved nothing.
    Unproved,
    /// The ledger knows of fewer attempts than whole requests came.
    Unrecorded,
    /// An attempt in the ledger that should not have been made.
    BadAttempt,
    /// The server has two, the ledger says imported and doesn't warn.
    HiddenTwin,
}

impl Truth<'_> {
    /// Everything that is broken.
    pub(crate) fn breaches(&self) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for key in self.all_keys() {
            for what in self.case(key) {
                let key = key.clone();
                breaches.push(Breach { key, what });
            }
        }
        breaches.extend(self.shared_ids());
        breaches
    }

    fn all_keys(&self) -> impl Iterator<Item = &String> {
        let mut keys: Vec<&String> = self.keys.iter().collect();
        keys.extend(self.book.sent.iter().map(|sent| &sent.key));
        keys.extend(self.rows.keys());
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter()
    }

    fn case(&self, key: &str) -> Vec<What> {
        let sent: Vec<&Sent> = self.sent(key).collect();
        let made = self.book.made.iter().filter(|made| *made == key).count();
        let row = self.rows.get(key);
        let mut broken = Vec::new();
        let mut expect = |holds: bool, what| {
            if !holds {
                broken.push(what);
            }
        };
        expect(!self.sent_again(&sent), What::SentAgain);
        // Each word of the user's may add one.
        let words = self.resend.iter().filter(|resend| **resend).count();
        expect(made <= 1 + words, What::Doubled);
        let Some(row) = row else {
            expect(self.stage < Stage::Done, What::Lost);
            expect(sent.is_empty(), What::Unrecorded);
            expect(made == 0, What::Denied);
            return broken;
        };
        expect(row.attempts.len() >= sent.len(), What::Unrecorded);
        expect(row.attempts_in_order(), What::BadAttempt);
        match row.state.as_str() {
            "imported" => {
                expect(made > 0, What::NotThere);
                let told = |id: &String| sent.iter().any(|sent| sent.told.as_ref() == Some(id));
                expect(row.case_id.as_ref().is_some_and(told), What::WrongId);
                expect(made < 2 || row.possible_twin, What::HiddenTwin);
            }
            "rejected" | "not_sent" => {
                expect(made == 0, What::Denied);
                let proved = sent.iter().all(|sent| sent.proof == Proof::NothingMade);
                expect(proved, What::Unproved);
            }
            "in_doubt" => {}
            // Left by a crash; the next run puts it in doubt.
            "sending" => expect(self.stage == Stage::Crashed, What::Lost),
            _ => expect(false, What::Lost),
        }
        broken
    }

    fn sent(&self, key: &str) -> impl Iterator<Item = &Sent> {
        self.book.sent.iter().filter(move |sent| sent.key == key)
    }

    /// Whether a request came after one that proved nothing, without a word of
    /// the user's between them. A word stands for one request a run.
    fn sent_again(&self, sent: &[&Sent]) -> bool {
        sent.iter().enumerate().any(|(nth, later)| {
            sent[..nth].iter().any(|earlier| {
                let settled = self.resend[later.run] && earlier.run < later.run;
                earlier.proof == Proof::None && !settled
            })
        })
    }

    fn shared_ids(&self) -> Vec<Breach> {
        let mut holders: BTreeMap<&str, &str> = BTreeMap::new();
        let mut breaches = Vec::new();
        for (key, row) in self.rows {
            if let Some(id) = &row.case_id
                && holders.insert(id, key).is_some()
            {
                breaches.push(Breach {
                    key: key.clone(),
                    what: What::SharedId,
                });
            }
        }
        breaches
    }

    /// A breach with all that is known of its case.
    pub(crate) fn explain(&self, breach: &Breach) -> String {
        let mut text = format!("{:?}: case {}\n", breach.what, breach.key);
        for sent in self.sent(&breach.key) {
            let _ = writeln!(text, "  start {}: {}", sent.run, sent.met);
        }
        let made = self.book.made.iter().filter(|made| **made == breach.key);
        let _ = writeln!(text, "  made: {}", made.count());
        let _ = match self.rows.get(&breach.key) {
            Some(row) => writeln!(text, "  ledger: {row}"),
            None => writeln!(text, "  ledger: no row"),
        };
        text
    }
}

impl Row {
    /// No attempt overlaps the next, and each was allowed by what came before.
    fn attempts_in_order(&self) -> bool {
        let first = self
            .attempts
            .first()
            .is_some_and(|attempt| attempt.before.is_none());
        first
            && self.attempts.windows(2).all(|pair| {
                let [earlier, later] = pair else { return false };
                let over = match (&earlier.outcome, earlier.ended_at) {
                    (Some(_), Some(ended)) => ended <= later.started_at,
                    // Put in doubt after a crash.
                    (Some(outcome), None) => outcome == "in_doubt",
                    (None, _) => false,
                };
                over && match later.before.as_deref() {
                    Some("in_doubt") => later.resend,
                    Some(before @ ("rejected" | "not_sent")) => {
                        earlier.outcome.as_deref() == Some(before)
                    }
                    _ => false,
                }
            })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {:?}", self.state, self.case_id)?;
        if self.possible_twin {
            f.write_str(", possible twin")?;
        }
        for attempt in &self.attempts {
            let before = attempt.before.as_deref().unwrap_or("new");
            let outcome = attempt.outcome.as_deref().unwrap_or("under way");
            write!(f, "; {before} -> {outcome}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "checker_tests.rs"]
mod tests;
