//! What `setup` has created on the platform: claimed before its call and
//! settled after it, as a case is.

use jiff::Timestamp;
use rusqlite::params;

use super::schema::Millis;
use super::{Ledger, LedgerError, LedgerReader};
use crate::model::{Digest, State};

/// A mapping or a subscription.
#[derive(Debug, Clone)]
pub(crate) struct SetupItem {
    /// `mapping`, or the event of a subscription.
    pub(crate) name: String,
    /// Imported means created.
    pub(crate) state: State,
    /// The platform's id, once it is created.
    pub(crate) id: Option<String>,
    /// Of the request without its secret; none where a user said that it exists.
    pub(crate) request: Option<Digest>,
    pub(crate) message: Option<String>,
}

impl LedgerReader {
    pub(crate) fn setup_items(&self) -> Result<Vec<SetupItem>, LedgerError> {
        self.read(|db| {
            let sql = "SELECT name, state, id, request, message FROM setup ORDER BY no";
            db.rows(sql, params![], |row| {
                Ok(SetupItem {
                    name: row.get(0)?,
                    state: self.shown(row.get(1)?)?,
                    id: row.get(2)?,
                    request: row.get(3)?,
                    message: row.get(4)?,
                })
            })
        })
    }
}

impl Ledger {
    /// Commits that an item is about to be created. `false` when it exists, or
    /// may exist.
    pub(crate) fn claim_setup(
        &self,
        name: &str,
        request: &Digest,
        at: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.write(|db| {
            let claimed = db.execute_in_run(&[(
                "INSERT INTO setup (name, state, request, updated_at) VALUES (?1, 'sending', ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET
                   state = 'sending', id = NULL, request = excluded.request,
                   updated_at = excluded.updated_at, message = NULL
                 WHERE setup.state IN ('rejected', 'not_sent', 'removed')",
                params![name, request, Millis(at)],
            )])?;
            Ok(claimed != [0])
        })
    }

    /// Records what became of an item: of its call, or by the user's word.
    pub(crate) fn settle_setup(
        &self,
        name: &str,
        state: State,
        id: Option<&str>,
        message: Option<&str>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        self.write(|db| {
            db.execute(
                "INSERT INTO setup (name, state, id, updated_at, message)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (name) DO UPDATE SET
                   state = excluded.state, id = excluded.id, updated_at = excluded.updated_at,
                   message = excluded.message",
                params![name, state, id, Millis(at), message],
            )
        })
        .map(drop)
    }
}

/// Puts in doubt what was under way, since nobody will settle it.
pub(super) const RECOVER: &str = "UPDATE setup SET state = 'in_doubt',
            message = 'setup ended while its call was under way'
     WHERE state = 'sending'";
