//! What became of the cases: their events, in one pass over all that came.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use super::{Event, EventFields};
use crate::ledger::{CaseFilter, CaseRow, LedgerError, LedgerReader};
use crate::model::{Digest, EventKind, Key, State};

/// Firms owe an update at least this often (public docs).
pub(crate) const STALE_AFTER: Duration = Duration::from_hours(90 * 24);

/// What the events say of one case. They may come late and in any order: the
/// latest by their own dates counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct CaseLife {
    pub(crate) last_update: Option<(Timestamp, Option<String>)>,
    pub(crate) stage: Option<(Timestamp, String)>,
    /// The date of the first settlement: when it began.
    pub(crate) settled_at: Option<Timestamp>,
    /// The date of the last event of any kind.
    pub(crate) last_heard: Timestamp,
}

impl CaseLife {
    fn add(&mut self, event: Event) {
        let at = event.at;
        self.last_heard = self.last_heard.max(at);
        match event.kind {
            EventKind::Updates => keep_later(&mut self.last_update, at, event.title),
            EventKind::Stages => {
                keep_later(&mut self.stage, at, event.stage.unwrap_or(event.body));
            }
            EventKind::Settlements => {
                self.settled_at = Some(self.settled_at.map_or(at, |known| known.min(at)));
            }
        }
    }
}

/// Of the same date the one that came later counts.
fn keep_later<T>(known: &mut Option<(Timestamp, T)>, at: Timestamp, new: T) {
    if known.as_ref().is_none_or(|(known, _)| *known <= at) {
        *known = Some((at, new));
    }
}

/// The lives of all cases that events are about.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    by_key: HashMap<Digest, CaseLife>,
    /// How many events fit no case of the ledger.
    pub(crate) unmatched: u64,
}

impl Lives {
    pub(crate) fn read(reader: &LedgerReader, fields: &EventFields) -> Result<Self, LedgerError> {
        let mut lives = Self::default();
        for event in events(reader, fields) {
            match event? {
                (event, Some(key)) => {
                    let life = lives.by_key.entry(key.digest()).or_default();
                    life.add(event);
                }
                (_, None) => lives.unmatched += 1,
            }
        }
        Ok(lives)
    }

    /// Whether any event came.
    pub(crate) fn has_events(&self) -> bool {
        !self.by_key.is_empty() || self.unmatched > 0
    }

    pub(crate) fn of(&self, key: &Key) -> Option<&CaseLife> {
        self.by_key.get(&key.digest())
    }

    /// When something of a case was heard last: its import, or an event.
    pub(crate) fn last_heard(&self, case: &CaseRow) -> Timestamp {
        let life = self.of(&case.key);
        life.map_or(case.updated_at, |life| life.last_heard.max(case.updated_at))
    }

    /// Whether it is imported and not settled, and nothing was heard of it since
    /// then.
    pub(crate) fn is_stale(&self, case: &CaseRow, since: Timestamp) -> bool {
        let life = self.of(&case.key);
        let is_open = life.is_none_or(|life| life.settled_at.is_none());
        let is_open = is_open && case.state == State::Imported && case.forgotten_at.is_none();
        is_open && self.last_heard(case) < since
    }

    /// How many cases are in each stage.
    pub(crate) fn stages(&self) -> BTreeMap<&str, u64> {
        let mut stages = BTreeMap::new();
        for (_, stage) in self.by_key.values().filter_map(|life| life.stage.as_ref()) {
            *stages.entry(stage.as_str()).or_default() += 1;
        }
        stages
    }

    pub(crate) fn settled(&self) -> u64 {
        let lives = self.by_key.values();
        lives.filter(|life| life.settled_at.is_some()).count() as u64
    }
}

/// Every event, each with the key of its case.
pub(crate) fn events<'l>(
    reader: &'l LedgerReader,
    fields: &'l EventFields,
) -> impl Iterator<Item = Result<(Event, Option<Key>), LedgerError>> + 'l {
    reader.events().map(|row| {
        let event = Event::read(&row?, fields);
        let key = event.case(reader, fields)?;
        Ok((event, key))
    })
}

/// What is done and old: cases that have not changed since then and of which no
/// event came, and the events of such cases and of none.
pub(crate) fn silent_since(
    reader: &LedgerReader,
    fields: &EventFields,
    since: Timestamp,
) -> Result<(Vec<Digest>, Vec<i64>), LedgerError> {
    let mut old_events = Vec::new();
    let mut with_news = HashSet::new();
    for event in events(reader, fields) {
        let (event, key) = event?;
        let of = key.map(|key| key.digest());
        if event.received_at < since {
            old_events.push((event.number, of));
        } else {
            with_news.extend(of);
        }
    }
    let mut silent = HashSet::new();
    let mut to_forget = Vec::new();
    for case in reader.cases(&CaseFilter::in_states([State::Imported, State::Removed])) {
        let case = case?;
        let digest = case.key.digest();
        if case.updated_at < since && !with_news.contains(&digest) {
            silent.insert(digest);
            to_forget.extend(case.forgotten_at.is_none().then_some(digest));
        }
    }
    old_events.retain(|(_, of)| of.is_none_or(|of| silent.contains(&of)));
    Ok((
        to_forget,
        old_events.into_iter().map(|(number, _)| number).collect(),
    ))
}

/// The events of one case, in the order in which they happened.
pub(crate) fn timeline(
    reader: &LedgerReader,
    fields: &EventFields,
    key: &Key,
) -> Result<Vec<Event>, LedgerError> {
    let mut timeline = Vec::new();
    for event in events(reader, fields) {
        let (event, of) = event?;
        if of.as_ref() == Some(key) {
            timeline.push(event);
        }
    }
    timeline.sort_by_key(|event| (event.at, event.number));
    Ok(timeline)
}
