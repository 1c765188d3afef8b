//! The rules between the server's log and the ledger, whatever happened.
//!
//! The checker looks from outside: it knows the complete requests in the order
//! of reading, the answer to each, the cases created, and the ledger's rows. It
//! shares no code with caseload.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// What the server's answer to a complete request proves, by the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Not sent, or rejected: no case was created.
    NotCreated,
    /// The case may exist.
    None,
}

/// A complete request that the server read.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) key: String,
    /// The start of the binary that it belongs to.
    pub(crate) run: usize,
    pub(crate) proof: Proof,
    /// The id in the answer.
    pub(crate) case_id: Option<String>,
    /// The reply, for the report.
    pub(crate) reply: String,
}

/// What the server knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerLog {
    /// Complete requests, in the order of reading.
    pub(crate) sent: Vec<Sent>,
    /// The keys of the cases that exist, one for each case.
    pub(crate) created: Vec<String>,
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
    /// The key as the ledger spells it.
    pub(crate) key: String,
    /// The state that the case was in before.
    pub(crate) before: Option<String>,
    pub(crate) outcome: Option<String>,
    /// Whether its run was allowed to resend cases in doubt.
    pub(crate) resend: bool,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
}

/// The ledger, by key.
pub(crate) type Rows = BTreeMap<String, Row>;

/// Everything that is compared.
pub(crate) struct Evidence<'a> {
    /// Every key of the input.
    pub(crate) keys: &'a [String],
    pub(crate) log: &'a ServerLog,
    pub(crate) rows: &'a Rows,
    /// For each start of the binary: whether it was allowed to resend cases in
    /// doubt.
    pub(crate) resend: &'a [bool],
    pub(crate) stage: Stage,
}

/// How far the binary got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It was killed or crashed.
    Crashed,
    /// It ended by itself, perhaps early: nothing may be in flight.
    Ended,
    /// It finished: nothing may be untried either.
    Done,
}

/// A case that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) key: String,
    pub(crate) rule: Rule,
}

/// The rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// A request after one that proved nothing, without the user's permission.
    Resent,
    /// More cases than the user permitted.
    Duplicated,
    /// A record in none of imported, rejected, not sent, in doubt.
    Lost,
    /// Imported in the ledger, and the server has no such case.
    Missing,
    /// Imported with an id that the server never returned for it.
    WrongId,
    /// Two keys imported with the same id.
    SharedId,
    /// The case exists; the ledger has it as rejected or not sent, or not at all.
    Denied,
    /// Rejected or not sent in the ledger, after a request that proved nothing.
    Unproved,
    /// Fewer attempts in the ledger than complete requests.
    Unrecorded,
    /// An attempt in the ledger that was not allowed.
    BadAttempt,
    /// Two cases exist, and the ledger has no possible twin.
    UnmarkedTwin,
}

impl Evidence<'_> {
    /// Every broken rule.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        for key in self.all_keys() {
            for rule in self.case(key) {
                let key = key.clone();
                violations.push(Violation { key, rule });
            }
        }
        violations.extend(self.shared_ids());
        violations
    }

    fn all_keys(&self) -> impl Iterator<Item = &String> {
        let mut keys: Vec<&String> = self.keys.iter().collect();
        keys.extend(self.log.sent.iter().map(|sent| &sent.key));
        keys.extend(self.rows.keys());
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter()
    }

    fn case(&self, key: &str) -> Vec<Rule> {
        let sent: Vec<&Sent> = self.sent(key).collect();
        let created = self
            .log
            .created
            .iter()
            .filter(|created| *created == key)
            .count();
        let row = self.rows.get(key);
        let mut broken = Vec::new();
        let mut expect = |holds: bool, rule| {
            if !holds {
                broken.push(rule);
            }
        };
        expect(!self.resent(&sent), Rule::Resent);
        // Each permission to resend may add one.
        let permissions = self.resend.iter().filter(|resend| **resend).count();
        expect(created <= 1 + permissions, Rule::Duplicated);
        let Some(row) = row else {
            expect(self.stage < Stage::Done, Rule::Lost);
            expect(sent.is_empty(), Rule::Unrecorded);
            expect(created == 0, Rule::Denied);
            return broken;
        };
        expect(row.attempts.len() >= sent.len(), Rule::Unrecorded);
        expect(row.attempts_in_order(), Rule::BadAttempt);
        match row.state.as_str() {
            "imported" => {
                expect(created > 0, Rule::Missing);
                let returned =
                    |id: &String| sent.iter().any(|sent| sent.case_id.as_ref() == Some(id));
                expect(row.case_id.as_ref().is_some_and(returned), Rule::WrongId);
                expect(created < 2 || row.possible_twin, Rule::UnmarkedTwin);
            }
            "rejected" | "not_sent" => {
                expect(created == 0, Rule::Denied);
                let proved = sent.iter().all(|sent| sent.proof == Proof::NotCreated);
                expect(proved, Rule::Unproved);
            }
            "in_doubt" => {}
            // Left by a crash; in doubt from the next run on.
            "sending" => expect(self.stage == Stage::Crashed, Rule::Lost),
            _ => expect(false, Rule::Lost),
        }
        broken
    }

    fn sent(&self, key: &str) -> impl Iterator<Item = &Sent> {
        self.log.sent.iter().filter(move |sent| sent.key == key)
    }

    /// Whether a request came after one that proved nothing, without permission.
    /// A permission allows one request in a later run.
    fn resent(&self, sent: &[&Sent]) -> bool {
        sent.iter().enumerate().any(|(nth, later)| {
            sent[..nth].iter().any(|earlier| {
                let permitted = self.resend[later.run] && earlier.run < later.run;
                earlier.proof == Proof::None && !permitted
            })
        })
    }

    fn shared_ids(&self) -> Vec<Violation> {
        let mut holders: BTreeMap<&str, &str> = BTreeMap::new();
        let mut violations = Vec::new();
        for (key, row) in self.rows {
            if let Some(id) = &row.case_id
                && holders.insert(id, key).is_some()
            {
                violations.push(Violation {
                    key: key.clone(),
                    rule: Rule::SharedId,
                });
            }
        }
        violations
    }

    /// A violation with everything known about its case.
    pub(crate) fn explain(&self, violation: &Violation) -> String {
        let mut text = format!("{:?}: case {}\n", violation.rule, violation.key);
        for sent in self.sent(&violation.key) {
            let _ = writeln!(text, "  start {}: {}", sent.run, sent.reply);
        }
        let created = self
            .log
            .created
            .iter()
            .filter(|created| **created == violation.key);
        let _ = writeln!(text, "  created: {}", created.count());
        let _ = match self.rows.get(&violation.key) {
            Some(row) => writeln!(text, "  ledger: {row}"),
            None => writeln!(text, "  ledger: no row"),
        };
        text
    }
}

impl Row {
    /// In doubt, or will be from the next run on.
    pub(crate) fn may_exist(&self) -> bool {
        matches!(self.state.as_str(), "in_doubt" | "sending")
    }

    /// Adds the row of the same record under another spelling of its key. Its
    /// state is the one that says most: of two, one may exist.
    pub(crate) fn merge(&mut self, mut other: Self) {
        let weight = |row: &Self| match row.state.as_str() {
            "imported" => 3,
            "sending" => 2,
            "in_doubt" => 1,
            _ => 0,
        };
        if weight(&other) > weight(self) {
            std::mem::swap(self, &mut other);
        }
        self.possible_twin |= other.possible_twin;
        self.attempts.append(&mut other.attempts);
        self.attempts.sort_by_key(|attempt| attempt.started_at);
    }

    /// No attempt overlaps the next, and each was allowed after the one before.
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
                    // In doubt because of a crash.
                    (Some(outcome), None) => outcome == "in_doubt",
                    (None, _) => false,
                };
                over && match later.before.as_deref() {
                    Some("in_doubt") => later.resend,
                    // The ledger's state of this spelling of the key.
                    Some("rejected" | "not_sent") | None if later.key != earlier.key => {
                        matches!(earlier.outcome.as_deref(), Some("rejected" | "not_sent"))
                    }
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
            let outcome = attempt.outcome.as_deref().unwrap_or("in flight");
            write!(f, "; {before} -> {outcome}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "checker_tests.rs"]
mod tests;
