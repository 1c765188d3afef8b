//! Where keys come from: per source the lists of key columns that runs have
//! used. A known case under another key, or in another source, would count as
//! another case.

use rusqlite::params;

use super::LedgerError;
use super::database::{self, Database};
use super::file::LedgerReader;
use super::look_alikes::EXISTS;
use super::schema::Json;
use crate::model::{Key, KeyOrigin};

/// How the keys of a new run relate to those in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OriginStatus {
    /// They are made like those of earlier runs, or there is no case to repeat.
    Known,
    /// Only other sources have cases: their names, and how many cases.
    NewSource(Vec<(String, u64)>),
    /// Earlier runs have made keys of this source of other columns.
    OtherColumns(Vec<Vec<String>>),
}

/// The source in a key's canonical text.
pub(super) const SOURCE: &str = "rtrim(substr(key, 1, instr(key, '[') - 1), ':')";

/// Records the source and the key columns of a run that begins.
pub(super) const RECORD: &str = "INSERT INTO key_columns (source, folded, columns)
     VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";

/// Forgets other key columns of that source, if they are of runs that created
/// nothing.
pub(super) fn forget_unused() -> String {
    format!(
        "DELETE FROM key_columns WHERE source = ?1 AND folded <> ?2
         AND NOT EXISTS (SELECT 1 FROM cases WHERE {EXISTS} AND {SOURCE} = ?1)"
    )
}

/// Records the source of a case that no run has sent.
pub(super) fn record_source(db: &Database, key: &Key) -> database::Result<()> {
    db.execute(
        "INSERT INTO key_columns (source, folded, columns) VALUES (?1, '[]', '[]')
         ON CONFLICT DO NOTHING",
        params![key.source()],
    )
    .map(drop)
}

impl LedgerReader {
    pub(crate) fn origin_status(&self, origin: &KeyOrigin) -> Result<OriginStatus, LedgerError> {
        let is_known = |db: &Database| {
            let sql = "SELECT 1 FROM key_columns WHERE source = ?1 AND folded = ?2";
            db.exists(sql, params![origin.source, Json(origin.folded_columns())])
        };
        if origin.columns.is_empty() || self.read(is_known)? {
            return Ok(OriginStatus::Known);
        }
        let lists = self.key_columns(&origin.source)?;
        let sources = self.sources()?;
        let has_cases = sources.iter().any(|(name, _)| *name == origin.source);
        Ok(if sources.is_empty() || (has_cases && lists.is_empty()) {
            OriginStatus::Known
        } else if has_cases {
            OriginStatus::OtherColumns(lists)
        } else {
            OriginStatus::NewSource(sources)
        })
    }

    /// The key columns that runs have used for a source.
    pub(crate) fn key_columns(&self, source: &str) -> Result<Vec<Vec<String>>, LedgerError> {
        self.read(|db| {
            let sql = "SELECT columns FROM key_columns WHERE source = ?1 AND folded <> '[]'";
            db.rows(sql, params![source], |row| Ok(row.get::<Json<_>>(0)?.0))
        })
    }

    /// The sources with cases that may exist, and how many. Reads every case.
    fn sources(&self) -> Result<Vec<(String, u64)>, LedgerError> {
        self.read(|db| {
            let sql = format!("SELECT {SOURCE}, count(*) FROM cases WHERE {EXISTS} GROUP BY 1");
            db.rows(&sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))
        })
    }

    /// The sources that runs and resolutions have used, and the one without a name.
    pub(crate) fn source_names(&self) -> Result<Vec<String>, LedgerError> {
        self.read(|db| {
            let sql = "SELECT '' UNION SELECT source FROM key_columns";
            db.rows(sql, params![], |row| row.get(0))
        })
    }

    /// The known cases that a user may mean by a key as it was typed: of the
    /// source that is named, or of any.
    pub(crate) fn typed_keys(
        &self,
        typed: &str,
        source: Option<&str>,
    ) -> Result<Vec<Key>, LedgerError> {
        let sources = match source {
            Some(source) => vec![source.to_owned()],
            None => self.source_names()?,
        };
        self.read(|db| {
            let sql = "SELECT 1 FROM cases WHERE key_digest = ?1";
            let mut known: Vec<Key> = Vec::new();
            for source in sources {
                let key = Key::from_typed(&source, typed);
                if !known.contains(&key) && db.exists(sql, params![key.digest()])? {
                    known.push(key);
                }
            }
            Ok(known)
        })
    }
}
