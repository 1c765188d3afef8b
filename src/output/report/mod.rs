//! One web page about the cases of a ledger: counts and plots to look at, and
//! the list of what needs a person. It loads nothing from anywhere. Its policy
//! names the hash of its own script, so that no text of a case can become one.

mod plots;

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use indexmap::IndexSet;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use strum::VariantArray;

use self::plots::Bars;
use super::terminal::status::{CaseView, time};
use super::terminal::text::{
    count, cut, escaped, grouped, known_words, redacted, redacted_advice, response, shape,
};
use crate::ledger::{CallCount, CaseRow, LedgerInfo};
use crate::model::{Key, State, StateCounts};
use crate::webhooks::Lives;

const TEMPLATE: &str = include_str!("page.html");

/// How many bytes the list may have, so that the page stays below 1 MB.
const LIST_BYTES: usize = 900_000;
/// More rows than fit into the list, of each need.
pub(crate) const MAX_ROWS: usize = 15_000;
/// How many different texts are counted apart.
const MAX_GROUPS: usize = 1_000;
/// How many characters of a message are shown.
const MAX_MESSAGE: usize = 240;
/// A stage's name is not longer: else it is the text of an event.
const MAX_STAGE: usize = 40;

/// Why a person has to look at a case, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
pub(crate) enum Need {
    InDoubt,
    PossibleTwin,
    Rejected,
    Held,
    Skipped,
    NotSent,
    Draft,
    Stale,
}

impl Need {
    /// Its name, and what to do.
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::InDoubt => (
                "in doubt",
                "may or may not exist: look each one up in Lexamica, then run caseload resolve",
            ),
            Self::PossibleTwin => (
                "possible twin",
                "imported after a doubt: the platform may have it twice",
            ),
            Self::Rejected => (
                "rejected",
                "refused by the server: fix the rows and import them again",
            ),
            Self::Held => (
                "held",
                "looks like a case that exists: if it is another one, allow it",
            ),
            Self::Skipped => (
                "skipped",
                "has validation errors: fix the rows and import them again",
            ),
            Self::NotSent => (
                "not sent",
                "no case was created: the next import sends these",
            ),
            Self::Draft => (
                "draft",
                "waits on the platform until somebody chooses a partner firm",
            ),
            Self::Stale => ("no news", "nothing was heard of these for long"),
        }
    }
}

/// What a report is made with.
#[derive(Debug)]
pub(crate) struct ReportOptions<'a> {
    pub(crate) lives: &'a Lives,
    /// Imported cases without news for this long are stale.
    pub(crate) stale_after: Duration,
    /// Names, messages and stages as they are.
    pub(crate) personal: bool,
    /// Keys too show their shape only.
    pub(crate) redact: bool,
    /// Names of firms with their ids.
    pub(crate) firms: &'a [(String, String)],
    /// `[platform] case_url`.
    pub(crate) case_url: Option<&'a str>,
}

/// A record that is no case: held, or skipped for its problems.
#[derive(Debug, Clone)]
pub(crate) struct LeftOut {
    pub(crate) need: Need,
    pub(crate) file: String,
    pub(crate) key: Option<Key>,
    pub(crate) reason: String,
}

/// A complete page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) html: String,
    pub(crate) cases: u64,
}

/// One line of the list.
#[derive(Debug, Default)]
struct Row {
    /// A bit for each need.
    needs: u32,
    key: String,
    firm: Option<String>,
    since: Timestamp,
    message: String,
    file: String,
    line: u64,
    case_id: Option<String>,
    person: Option<String>,
}

/// What is counted of the cases, and those that need a person.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    options: ReportOptions<'a>,
    made_at: Timestamp,
    counts: StateCounts,
    settled: u64,
    by_firm: HashMap<String, StateCounts>,
    by_reason: HashMap<String, u64>,
    by_stage: HashMap<String, u64>,
    by_need: [u64; Need::VARIANTS.len()],
    in_list: u64,
    rows: Vec<Row>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(options: ReportOptions<'a>) -> Self {
        Self {
            options,
            made_at: Timestamp::now(),
            counts: StateCounts::default(),
            settled: 0,
            by_firm: HashMap::new(),
            by_reason: HashMap::new(),
            by_stage: HashMap::new(),
            by_need: Default::default(),
            in_list: 0,
            rows: Vec::new(),
        }
    }

    /// Counts a case. Tells whether it needs a person: it is to be listed too.
    pub(crate) fn count(&mut self, case: &CaseRow) -> bool {
        self.counts.add(case.state, 1);
        self.counts.possible_twins += u64::from(case.possible_twin);
        let firm = self.firm(case.partner_firm_id.as_deref());
        let firm = firm.unwrap_or_else(|| "no firm".to_owned());
        let counts = group(&mut self.by_firm, firm, "other firms");
        counts.add(case.state, 1);
        if case.state == State::Rejected {
            let reason = self.response(case);
            *group(&mut self.by_reason, reason, "other reasons") += 1;
        }
        if let Some(life) = self.options.lives.of(&case.key) {
            if let Some((_, stage)) = &life.stage {
                let stage = self.stage(stage);
                *group(&mut self.by_stage, stage, "other stages") += 1;
            }
            self.settled += u64::from(life.settled_at.is_some());
        }
        self.needs(case) != 0
    }

    /// Lists a case that was counted.
    pub(crate) fn list(&mut self, view: &CaseView) {
        let case = &view.case;
        let needs = self.needs(case);
        let row = Row {
            needs,
            key: self.key(&case.key),
            firm: self.firm(case.partner_firm_id.as_deref()),
            since: self.options.lives.last_heard(case),
            message: match case.state {
                State::Imported => String::new(),
                _ => self.response(case),
            },
            file: case.file.as_deref().map(escaped).unwrap_or_default(),
            line: case.line,
            case_id: view.id().map(str::to_owned),
            person: view.name().filter(|_| self.options.personal).map(escaped),
        };
        self.push(row);
    }

    /// Lists a record that was not sent.
    pub(crate) fn list_left_out(&mut self, left_out: &LeftOut) {
        let key = left_out.key.as_ref();
        let reason = redacted_advice(&left_out.reason, key, !self.options.personal);
        let row = Row {
            needs: 1 << left_out.need as u32,
            key: key.map(|key| self.key(key)).unwrap_or_default(),
            since: self.made_at,
            message: escaped(&cut(&reason, MAX_MESSAGE)),
            file: escaped(&left_out.file),
            ..Row::default()
        };
        self.push(row);
    }

    fn push(&mut self, row: Row) {
        self.in_list += 1;
        for need in Need::VARIANTS {
            self.by_need[*need as usize] += u64::from(row.needs & (1 << *need as u32) != 0);
        }
        if self.by_need[row.needs.trailing_zeros() as usize] <= MAX_ROWS as u64 {
            self.rows.push(row);
        }
    }

    /// A bit for each need of a case.
    fn needs(&self, case: &CaseRow) -> u32 {
        let until = self.made_at - self.options.stale_after;
        let lives = self.options.lives;
        // Without any event nobody listens.
        let is_stale = lives.has_events() && lives.is_stale(case, until);
        [
            (Need::InDoubt, matches!(case.state, State::InDoubt)),
            (Need::PossibleTwin, case.possible_twin),
            (Need::Rejected, case.state == State::Rejected),
            (Need::NotSent, case.state == State::NotSent),
            (Need::Draft, case.is_draft()),
            (Need::Stale, is_stale),
        ]
        .iter()
        .map(|(need, applies)| u32::from(*applies) << *need as u32)
        .sum()
    }

    fn key(&self, key: &Key) -> String {
        escaped(&redacted(&key.to_string(), self.options.redact))
    }

    /// By its name in the config, where it has one.
    fn firm(&self, id: Option<&str>) -> Option<String> {
        let id = id?;
        let mut names = self.options.firms.iter();
        let name = names.find(|(_, known)| known == id);
        Some(escaped(name.map_or(id, |(name, _)| name)))
    }

    fn response(&self, case: &CaseRow) -> String {
        let message = case.message.as_deref().map(|message| {
            let message = cut(message, MAX_MESSAGE);
            let personal = self.options.personal;
            escaped(&if personal {
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

    /// The page of what was counted and listed.
    pub(crate) fn page(mut self, info: &LedgerInfo, about: &str, calls: &[CallCount]) -> Page {
        let total = self.counts.total();
        let heading = format!("{} · {about}", account_name(&info.account));
        let made = format!(
            "ledger {}, created {} · report made {}",
            info.id,
            time(info.created_at),
            time(self.made_at)
        );
        let data = self.list_json();
        let personal = if self.options.personal {
            "This page has personal data: names, and what the server answered. Keep it as the case \
             files are kept."
        } else {
            "Names, and the values that answers quote, are left out of this page: \
             caseload export --html FILE --with-personal-data writes one that has them."
        };
        let html = fill(&[
            ("policy", policy()),
            ("heading", html(&heading)),
            ("made", html(&made)),
            ("cards", self.cards()),
            ("states", plots::state_bar(&self.counts)),
            ("calls", section("Calls", &plots::timeline(calls))),
            (
                "firms",
                section("Partner firms", &plots::firms(&self.by_firm)),
            ),
            (
                "reasons",
                section("Why cases were rejected", &reasons(&self.by_reason)),
            ),
            ("lives", section("What became of the cases", &self.lives())),
            ("personal", html(personal)),
            ("data", script_json(&data)),
        ]);
        Page { html, cases: total }
    }

    /// The numbers that come first.
    fn cards(&self) -> String {
        let of = |state| self.counts.of(state);
        let total = self.counts.total();
        // Whole numbers, and no failure is rounded away.
        let share = |number: u64| match (number * 100).checked_div(total) {
            Some(percent) if number > 0 && number < total => format!(" · {percent}%"),
            _ => String::new(),
        };
        let (imported, doubt, rejected) =
            (of(State::Imported), of(State::InDoubt), of(State::Rejected));
        let cards = [
            ("total", "cases", total),
            ("imported", "imported", imported),
            ("in_doubt", "in doubt", doubt),
            ("rejected", "rejected", rejected),
            ("needs", "need a person", self.in_list),
        ];
        let cards = cards.map(|(name, label, number)| {
            let share = if name == "imported" {
                share(number)
            } else {
                String::new()
            };
            let number = grouped(number);
            format!(
                "<div class=\"card\" id=\"count-{name}\"><dt>{label}{share}</dt>\
                 <dd>{number}</dd></div>"
            )
        });
        cards.concat()
    }

    fn lives(&self) -> String {
        let days = count(self.options.stale_after.as_secs() / 86_400, "day");
        let needing = |need: Need| self.by_need[need as usize];
        let facts = [
            ("settled".to_owned(), self.settled),
            (format!("without news for {days}"), needing(Need::Stale)),
            (
                "drafts, without a partner firm".to_owned(),
                needing(Need::Draft),
            ),
        ];
        let facts = facts.into_iter().filter(|(_, number)| *number > 0);
        let facts = facts.map(|(name, number)| {
            format!("<div><dt>{name}</dt><dd>{}</dd></div>", grouped(number))
        });
        let facts: String = facts.collect();
        let stages = Bars::of(self.by_stage.iter().collect(), "other stages");
        let stages = stages.html("stage", "cases");
        if facts.is_empty() {
            return stages;
        }
        format!("<dl class=\"facts\">{facts}</dl>{stages}")
    }

    /// The list as the page's script reads it: texts that repeat are named by
    /// their numbers.
    fn list_json(&mut self) -> Value {
        self.rows.sort_by_key(|row| row.needs.trailing_zeros());
        let mut texts = IndexSet::new();
        let mut rows = Vec::new();
        let mut bytes = 0;
        for row in &self.rows {
            let mut named = |text: &str| {
                let (number, is_new) = texts.insert_full(text.to_owned());
                bytes += if is_new {
                    script_json(&text.into()).len() + 1
                } else {
                    0
                };
                number
            };
            let firm = row.firm.as_deref().map(&mut named);
            let (message, file) = (named(&row.message), named(&row.file));
            let since = row.since.as_second();
            let cells = json!([
                row.needs,
                row.key,
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
            rows.push(cells);
        }
        let needs = Need::VARIANTS.iter().map(|need| {
            let (label, advice) = need.texts();
            json!([label, self.by_need[*need as usize], advice])
        });
        json!({
            "url": self.options.case_url,
            "person": self.options.personal,
            "total": self.in_list,
            "needs": needs.collect::<Vec<_>>(),
            "texts": texts,
            "rows": rows,
        })
    }
}

/// The counter of a text, or of all others when there are too many.
fn group<'m, T: Default>(
    groups: &'m mut HashMap<String, T>,
    name: String,
    others: &str,
) -> &'m mut T {
    let is_full = groups.len() >= MAX_GROUPS && !groups.contains_key(&name);
    let name = if is_full { others.to_owned() } else { name };
    groups.entry(name).or_default()
}

fn reasons(by_reason: &HashMap<String, u64>) -> String {
    Bars::of(by_reason.iter().collect(), "other reasons").html("answer of the server", "cases")
}

/// Without the scheme, which says nothing to people.
fn account_name(account: &str) -> String {
    escaped(account.trim_start_matches("https://"))
}

/// A part of the page; none where there is nothing to show.
fn section(title: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    format!("<section><h2>{title}</h2>{body}</section>")
}

/// The template with its parts. What was filled in is not looked at again.
fn fill(parts: &[(&str, String)]) -> String {
    let mut page = String::new();
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or_default();
        page += before;
        page += parts
            .iter()
            .find(|(part, _)| *part == name)
            .map_or("", |(_, text)| text);
        rest = after;
    }
    page + rest
}

/// Nothing is loaded, and only this script and this style apply.
fn policy() -> String {
    let hash = |start: &str, end: &str| {
        let text = TEMPLATE.split_once(start).unwrap_or_default().1;
        let text = text.split_once(end).unwrap_or_default().0;
        format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
    };
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash("<style>", "</style>"),
        hash("<script>", "</script>")
    )
}

/// Text between tags, or in an attribute in quotes.
fn html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

/// JSON that nothing can end or comment out inside a `<script>`.
fn script_json(value: &Value) -> String {
    let mut json = value.to_string();
    for (c, escape) in [
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u{2028}", "\\u2028"),
        ("\u{2029}", "\\u2029"),
    ] {
        if json.contains(c) {
            json = json.replace(c, escape);
        }
    }
    json
}
