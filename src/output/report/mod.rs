//! One web page about the cases of a ledger: counts and plots to look at, and
//! the list of what needs a person. It loads nothing from anywhere. Its policy
//! names the hash of its own script, so that no text of a case can become one.
//!
//! What is counted here, `page.html` shows; it escapes every text.

mod timeline;

use std::borrow::Borrow;
use std::collections::HashMap;

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use indexmap::IndexSet;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use self::timeline::Timeline;
use super::terminal::status::{CaseView, time};
use super::terminal::text::{cut, escaped, grouped, known_words, redacted, response, shape};
use crate::ledger::{CallCount, CaseRow, LedgerInfo};
use crate::model::{Key, State, StateCounts};
use crate::webhooks::{Lives, STALE_AFTER};

/// How many bytes the list may have, so that the page stays below 1 MB.
const LIST_BYTES: usize = 900_000;
/// More rows than fit into the list, of each need.
const MAX_ROWS: u64 = 15_000;
/// How many different texts are counted apart, and how many of them are shown.
const MAX_GROUPS: usize = 1_000;
const SHOWN_GROUPS: usize = 12;
/// How many characters of a message are shown.
const MAX_MESSAGE: usize = 240;
/// A stage's name is not longer: else it is the text of an event.
const MAX_STAGE: usize = 40;

/// Why a person has to look at a case, the most urgent first; named and explained
/// in the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    InDoubt,
    PossibleTwin,
    Rejected,
    NotSent,
    Draft,
    Stale,
}

/// One line of the list.
#[derive(Debug)]
struct Row {
    /// A bit for each need.
    needs: u32,
    key: String,
    firm: String,
    since: Timestamp,
    message: String,
    file: String,
    line: u64,
    case_id: Option<String>,
    person: Option<String>,
}

/// What the page is about, and shows of it.
#[derive(Debug, Serialize)]
pub(crate) struct ReportOptions<'a> {
    pub(crate) about: String,
    /// Names, messages and stages as they are.
    pub(crate) personal: bool,
    /// Keys too show their shape only.
    pub(crate) redact: bool,
    /// Names of firms with their ids.
    #[serde(skip)]
    pub(crate) firms: &'a [(String, String)],
    /// `[platform] case_url`.
    pub(crate) case_url: Option<&'a str>,
}

type Groups = HashMap<String, StateCounts>;

/// What is counted of the cases, and those that need a person.
#[derive(Debug, Template)]
#[template(path = "page.html", config = "src/output/report/askama.toml")]
pub(crate) struct Report<'a> {
    info: &'a LedgerInfo,
    lives: &'a Lives,
    options: ReportOptions<'a>,
    made_at: Timestamp,
    timeline: Timeline,
    pub(crate) counts: StateCounts,
    settled: u64,
    by_firm: Groups,
    by_reason: Groups,
    by_stage: Groups,
    by_need: [u64; 6],
    listed: u64,
    rows: Vec<Row>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        info: &'a LedgerInfo,
        lives: &'a Lives,
        calls: &[CallCount],
        options: ReportOptions<'a>,
    ) -> Self {
        Self {
            info,
            lives,
            options,
            made_at: Timestamp::now(),
            timeline: Timeline::new(calls),
            counts: StateCounts::default(),
            settled: 0,
            by_firm: Groups::new(),
            by_reason: Groups::new(),
            by_stage: Groups::new(),
            by_need: [0; 6],
            listed: 0,
            rows: Vec::new(),
        }
    }

    /// Counts a case. Tells whether it needs a person: it is to be listed too.
    pub(crate) fn count(&mut self, case: &CaseRow) -> bool {
        self.counts.add(case.state, 1);
        let firm = self.firm(case);
        add(&mut self.by_firm, firm, case.state);
        if case.state == State::Rejected {
            let reason = self.response(case);
            add(&mut self.by_reason, reason, case.state);
        }
        if let Some(life) = self.lives.of(&case.key) {
            if let Some((_, stage)) = &life.stage {
                let stage = self.stage(stage);
                add(&mut self.by_stage, stage, case.state);
            }
            self.settled += u64::from(life.settled_at.is_some());
        }
        self.needs(case) != 0
    }

    /// Lists a case that was counted.
    pub(crate) fn list(&mut self, view: &CaseView) {
        let case = &view.case;
        let is_imported = case.state == State::Imported;
        let needs = self.needs(case);
        self.listed += 1;
        for (need, number) in self.by_need.iter_mut().enumerate() {
            *number += u64::from(needs >> need & 1);
        }
        if self.by_need[needs.trailing_zeros() as usize] > MAX_ROWS {
            return;
        }
        self.rows.push(Row {
            needs,
            key: self.key(&case.key),
            firm: self.firm(case),
            since: self.lives.last_heard(case),
            message: if is_imported {
                String::new()
            } else {
                self.response(case)
            },
            file: case.file.as_deref().map(escaped).unwrap_or_default(),
            line: case.line,
            case_id: view.id().map(str::to_owned),
            person: view.name().filter(|_| self.options.personal).map(escaped),
        });
    }

    /// A bit for each need of a case.
    fn needs(&self, case: &CaseRow) -> u32 {
        let is_stale = || self.lives.is_stale(case, self.made_at - STALE_AFTER);
        let needs = [
            (Need::InDoubt, case.state == State::InDoubt),
            (Need::PossibleTwin, case.possible_twin),
            (Need::Rejected, case.state == State::Rejected),
            (Need::NotSent, case.state == State::NotSent),
            (Need::Draft, case.is_draft()),
            // Without any event nobody listens.
            (Need::Stale, self.lives.has_events() && is_stale()),
        ];
        needs
            .iter()
            .map(|(need, applies)| u32::from(*applies) << *need as u32)
            .sum()
    }

    fn key(&self, key: &Key) -> String {
        escaped(&redacted(&key.to_string(), self.options.redact))
    }

    /// By its name in the config, where it has one.
    fn firm(&self, case: &CaseRow) -> String {
        let id = case.partner_firm_id.as_deref().unwrap_or("no firm");
        let name = self.options.firms.iter().find(|(_, known)| known == id);
        escaped(name.map_or(id, |(name, _)| name))
    }

    fn response(&self, case: &CaseRow) -> String {
        let message = case.message.as_deref().map(|message| {
            let message = cut(message, MAX_MESSAGE);
            let shown = self.options.personal;
            escaped(&if shown {
                message
            } else {
                known_words(&message).into()
            })
        });
        response(case.status, message.as_deref()).unwrap_or_default()
    }

    /// A stage is a name that the platform gives. What is none may be all of an
    /// event.
    fn stage(&self, stage: &str) -> String {
        let is_name = stage.chars().count() <= MAX_STAGE && !stage.contains(['{', '[', '@']);
        let shown = self.options.personal || (is_name && !self.options.redact);
        let stage = cut(stage, MAX_STAGE);
        escaped(&if shown { stage } else { shape(&stage).into() })
    }

    fn needing(&self, need: Need) -> u64 {
        self.by_need[need as usize]
    }

    /// The list as the page's script reads it, the most urgent first: texts that
    /// repeat are named by their numbers. What does not fit is only counted.
    fn data(&self) -> String {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(|row| row.needs.trailing_zeros());
        let mut texts = IndexSet::new();
        let mut listed = Vec::new();
        let mut bytes = 0;
        for row in rows {
            let [firm, message, file] = [&row.firm, &row.message, &row.file].map(|text| {
                let (number, is_new) = texts.insert_full(text);
                bytes += if is_new {
                    script_json(text).len() + 1
                } else {
                    0
                };
                number
            });
            let (since, key) = (row.since.as_second(), &row.key);
            let cells = json!([
                row.needs,
                key,
                firm,
                since,
                message,
                file,
                row.line,
                row.case_id,
                row.person
            ]);
            bytes += script_json(&cells).len() + 1;
            if bytes > LIST_BYTES {
                break;
            }
            listed.push(cells);
        }
        script_json(&json!({
            "options": self.options,
            "total": self.listed,
            "counts": self.by_need,
            "texts": texts,
            "rows": listed,
        }))
    }
}

/// Counts a case under a text, or under others when there are too many.
fn add(groups: &mut Groups, text: String, state: State) {
    let is_full = groups.len() >= MAX_GROUPS && !groups.contains_key(&text);
    let text = if is_full { "others".to_owned() } else { text };
    groups.entry(text).or_default().add(state, 1);
}

/// The largest groups, and the sum of the others.
fn largest(groups: &Groups) -> Vec<(&str, StateCounts)> {
    let groups = groups.iter().map(|(name, counts)| (name.as_str(), *counts));
    let mut groups: Vec<_> = groups.collect();
    groups.sort_by(|(a, some), (b, others)| (others.total(), *a).cmp(&(some.total(), *b)));
    let rest = groups.split_off(groups.len().min(SHOWN_GROUPS));
    if !rest.is_empty() {
        let mut others = StateCounts::default();
        for &state in State::ALL {
            others.add(state, rest.iter().map(|(_, counts)| counts.of(state)).sum());
        }
        groups.push(("others", others));
    }
    groups
}

/// The size of the largest of them.
fn most(groups: &[(&str, StateCounts)]) -> u64 {
    let sizes = groups.iter().map(|(_, counts)| counts.total());
    sizes.max().unwrap_or_default()
}

/// The states that some of these cases are in, as they are drawn: each with the
/// number of those before it, and its own.
fn pieces(counts: &StateCounts) -> Vec<(State, u64, u64)> {
    use State::{Imported, InDoubt, NotSent, Rejected, Removed, Sending};
    let mut before = 0;
    let pieces = [Imported, Rejected, InDoubt, NotSent, Sending, Removed].map(|state| {
        before += counts.of(state);
        (state, before - counts.of(state), counts.of(state))
    });
    pieces
        .into_iter()
        .filter(|(_, _, number)| *number > 0)
        .collect()
}

/// In groups of three digits; the template passes values and references.
fn number(number: impl Borrow<u64>) -> String {
    grouped(*number.borrow())
}

/// Nothing is loaded, and only the page's own script and style apply.
fn policy() -> String {
    let hash = |start: &str, end: &str| {
        let text = include_str!("page.html")
            .split_once(start)
            .unwrap_or_default()
            .1;
        let text = text.split_once(end).unwrap_or_default().0;
        format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
    };
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash("<style>", "</style>"),
        hash("<script>", "</script>")
    )
}

/// JSON that nothing can end or comment out inside a `<script>`.
fn script_json(value: &impl Serialize) -> String {
    // What is made of texts and numbers always serializes.
    let mut json = serde_json::to_string(value).unwrap_or_default();
    for c in ['<', '>', '&', '\u{2028}', '\u{2029}'] {
        json = json.replace(c, &format!("\\u{:04x}", u32::from(c)));
    }
    json
}
