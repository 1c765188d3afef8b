//! What webhooks brought, as it came in. To which case an event belongs is not
//! stored: it follows from its body, as soon as the ledger knows the case.

use jiff::{SignedDuration, Timestamp};
use rusqlite::params;

use super::database::{self, Database};
use super::error::AtPath as _;
use super::schema::Millis;
use super::{Ledger, LedgerError, LedgerReader};
use crate::model::{Digest, EventKind, Key};

/// The same body within this time is the same event, delivered again.
const SAME_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How many events are read at once.
const PAGE: i64 = 500;

/// An event as its sender delivered it.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) kind: EventKind,
    pub(crate) received_at: Timestamp,
    /// The sender's name of it, where it has one.
    pub(crate) id: Option<String>,
    pub(crate) body: Box<[u8]>,
}

/// A stored event.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) number: i64,
    pub(crate) kind: EventKind,
    pub(crate) received_at: Timestamp,
    pub(crate) body: Vec<u8>,
}

impl Ledger {
    /// Stores these in one commit, each once, however often it is delivered.
    /// Tells of each whether it was new.
    pub(crate) fn store_events(&self, deliveries: &[Delivery]) -> Result<Vec<bool>, LedgerError> {
        self.reader.db.check_place().at(self.reader.path())?;
        self.write(|db| {
            let deliveries = deliveries.iter();
            deliveries.map(|delivery| store(db, delivery)).collect()
        })
    }
}

/// `false` when it is known.
fn store(db: &Database, delivery: &Delivery) -> database::Result<bool> {
    let digest = Digest::of(&delivery.body);
    let since = delivery.received_at - SAME_WITHIN;
    let is_known = match &delivery.id {
        Some(id) => db.exists(
            "SELECT 1 FROM events WHERE delivery = ?1 AND kind = ?2",
            params![id, delivery.kind],
        )?,
        None => db.exists(
            "SELECT 1 FROM events WHERE digest = ?1 AND kind = ?2 AND received_at >= ?3",
            params![digest, delivery.kind, Millis(since)],
        )?,
    };
    if is_known {
        return Ok(false);
    }
    db.execute(
        "INSERT INTO events (kind, received_at, delivery, digest, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            delivery.kind,
            Millis(delivery.received_at),
            delivery.id,
            digest,
            delivery.body
        ],
    )?;
    Ok(true)
}

impl LedgerReader {
    /// Every event in the order of arrival, read in pages.
    pub(crate) fn events(&self) -> impl Iterator<Item = Result<EventRow, LedgerError>> {
        let mut after = 0;
        let mut page = Vec::new().into_iter();
        std::iter::from_fn(move || {
            if let Some(event) = page.next() {
                return Some(Ok(event));
            }
            let next = match self.events_after(after) {
                Ok(next) => next,
                Err(error) => return Some(Err(error)),
            };
            after = next.last()?.number;
            page = next.into_iter();
            page.next().map(Ok)
        })
    }

    fn events_after(&self, number: i64) -> Result<Vec<EventRow>, LedgerError> {
        self.read(|db| {
            db.rows(
                "SELECT no, kind, received_at, body FROM events
                 WHERE no > ?1 AND body IS NOT NULL ORDER BY no LIMIT ?2",
                params![number, PAGE],
                |row| {
                    Ok(EventRow {
                        number: row.get(0)?,
                        kind: row.get(1)?,
                        received_at: row.get::<Millis>(2)?.0,
                        body: row.get(3)?,
                    })
                },
            )
        })
    }

    pub(crate) fn knows(&self, key: &Key) -> Result<bool, LedgerError> {
        self.read(|db| {
            let sql = "SELECT 1 FROM cases WHERE key_digest = ?1";
            db.exists(sql, params![key.digest()])
        })
    }

    /// The case that is imported under this id, by its key.
    pub(crate) fn key_of_case_id(&self, case_id: &str) -> Result<Option<Key>, LedgerError> {
        self.read(|db| super::claim::holder_of(db, Some(case_id), 0))
    }
}
