//! Cases that another key may stand for: by content, by a key that is folded to
//! the same, and by the person.
//!
//! Of a person's fields the ledger keeps salted hashes. They are pseudonyms and
//! no anonymity: whoever has the file can try phone numbers.

use foldhash::{HashMap, HashMapExt as _, HashSet};
use rusqlite::{ToSql, params};

use super::database::{self, Database, Params};
use super::file::LedgerReader;
use super::queries::{digest_array, one_of};
use super::schema::half;
use super::server::{Server, value};
use super::{KnownCase, LedgerError};
use crate::model::{CaseData, Digest, Foldings, Hasher, Key, Person, PersonField, State};

/// The columns of a person's fields, in their order.
const COLUMNS: [&str; Person::FIELDS] = [
    "name",
    "phone",
    "email",
    "incident_date",
    "birth_date",
    "case_type",
];

/// What the hashes of one ledger begin with.
#[derive(Debug, Clone)]
pub(super) struct Salt(Vec<u8>);

impl Salt {
    pub(super) fn of(db: &Database) -> database::Result<Self> {
        let read = || db.value("SELECT salt FROM ledger", params![]).map(Self);
        let Database::Server(server) = db else {
            return read();
        };
        // It never changes, and a round trip takes long.
        let salt = server.salt.get().cloned().map_or_else(read, Ok)?;
        Ok(server.salt.get_or_init(|| salt).clone())
    }

    fn hash(&self, column: &str, text: &str) -> i64 {
        let mut hasher = Hasher::default();
        for piece in [&self.0[..], column.as_bytes(), text.as_bytes()] {
            hasher.write_piece(piece);
        }
        half(&hasher.finish())
    }

    /// In the order of the fields; none where one is not filled.
    pub(super) fn person(&self, person: &Person) -> [Option<i64>; Person::FIELDS] {
        let fields = person.fields();
        std::array::from_fn(|field| {
            let text = fields[field];
            (!text.is_empty()).then(|| self.hash(COLUMNS[field], text))
        })
    }

    pub(super) fn folded_key(&self, key: &Key) -> i64 {
        self.hash("key", &key.folded(Foldings::ALL))
    }
}

/// A case, imported or in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LookAlike {
    pub(crate) key: Key,
    pub(crate) state: State,
    /// The file that it came from, as it was named then; none where a user added
    /// it, or it is forgotten.
    pub(crate) file: Option<String>,
    /// Its row there, as a spreadsheet counts it, or its line.
    pub(crate) row: Option<u64>,
    pub(crate) is_forgotten: bool,
}

/// Finds look-alikes of one case after another, as the numbers of their rows.
pub(crate) struct LookAlikes<'l> {
    reader: &'l LedgerReader,
    salt: Salt,
    /// On a server, where each query takes long: which hashes of the batch some
    /// case has, so that only those are asked for.
    batch: Option<Batch>,
}

#[derive(Default)]
struct Batch {
    /// With their columns.
    hashes: HashSet<(String, i64)>,
    /// Of known keys whose rows changed or go out again.
    persons: Persons,
}

/// Number, and the hashes of name, phone, e-mail and incident date, by key.
type Persons = HashMap<Digest, (i64, [Option<i64>; 4])>;

/// Of a column: its type, and an array of them.
type Hashes = (&'static str, &'static str, String);

/// Imported, in doubt, or about to be: a case that can be created twice.
pub(super) const EXISTS: &str = "state IN ('sending', 'imported', 'in_doubt')";

impl LedgerReader {
    /// None while the ledger has no cases.
    pub(crate) fn look_alikes(&self) -> Result<Option<LookAlikes<'_>>, LedgerError> {
        self.read(|db| {
            let has_cases = db.exists("SELECT 1 FROM cases LIMIT 1", params![])?;
            let salt = has_cases.then(|| Salt::of(db)).transpose()?;
            Ok(salt.map(|salt| LookAlikes {
                reader: self,
                salt,
                batch: None,
            }))
        })
    }
}

impl LookAlikes<'_> {
    /// Prepares for the cases of a batch, each with what is known of its key.
    pub(crate) fn prepare<'c>(
        &mut self,
        cases: impl Iterator<Item = (&'c CaseData, Option<&'c KnownCase>)>,
    ) -> Result<(), LedgerError> {
        if let Database::Server(server) = &self.reader.db {
            self.batch = Some(self.reader.read(|_| self.read_batch(server, cases))?);
        }
        Ok(())
    }

    fn read_batch<'c>(
        &self,
        server: &Server,
        cases: impl Iterator<Item = (&'c CaseData, Option<&'c KnownCase>)>,
    ) -> database::Result<Batch> {
        let mut hashes: HashMap<&str, Vec<i64>> = HashMap::new();
        let mut payloads = Vec::new();
        let mut keys = Vec::new();
        for (case, known) in cases {
            // Who it is, is asked of a row that has changed or goes out again.
            if known.is_some_and(|known| {
                known.state != State::Imported || known.payload_digest != Some(case.payload_digest)
            }) {
                keys.push(case.key.digest());
            }
            if known.is_some_and(|known| known.state == State::Imported) {
                continue;
            }
            let person = self.salt.person(&case.person);
            let contacts = PersonField::CONTACTS.map(|field| field as usize);
            let contacts = contacts.map(|field| (COLUMNS[field], person[field]));
            let others = [
                ("record", Some(half(&case.record_digest))),
                ("content", case.content_digest.as_ref().map(half)),
                ("folded_key", Some(self.salt.folded_key(&case.key))),
            ];
            for (column, hash) in contacts.into_iter().chain(others) {
                hashes.entry(column).or_default().extend(hash);
            }
            payloads.push(case.payload_digest);
        }
        let mut hashes: Vec<Hashes> = hashes
            .iter()
            .map(|(column, hashes)| {
                let items = hashes.iter().map(ToString::to_string);
                let array = format!("{{{}}}", items.collect::<Vec<_>>().join(","));
                (*column, "bigint", array)
            })
            .collect();
        if !payloads.is_empty() {
            hashes.push(("payload_digest", "bytea", digest_array(&payloads)));
        }
        Ok(Batch {
            hashes: read_hashes(server, &hashes)?,
            persons: read_persons(server, &keys)?,
        })
    }

    /// Whether a case may have this hash.
    fn may_have(&self, column: &str, hash: Option<i64>) -> bool {
        match (&self.batch, hash) {
            (Some(batch), Some(hash)) => batch.hashes.contains(&(column.to_owned(), hash)),
            (_, hash) => hash.is_some(),
        }
    }

    /// A case with this payload, with this payload but for its key fields, or with
    /// this raw record.
    pub(crate) fn same_content(&self, case: &CaseData) -> Result<Option<i64>, LedgerError> {
        let record = Some(half(&case.record_digest));
        let content = case.content_digest.as_ref().map(half);
        let payload = (!case.payload.is_empty()).then_some(case.payload_digest);
        let key = case.key.digest();
        let hashes: [(&str, Option<i64>, &dyn ToSql); 3] = [
            ("record", record, &record),
            ("content", content, &content),
            ("payload_digest", payload.as_ref().map(half), &payload),
        ];
        // A statement each: each uses its own index.
        for (column, short, hash) in hashes {
            if !self.may_have(column, short) {
                continue;
            }
            let condition = format!("{column} = ?1 AND {EXISTS} AND key_digest <> ?2 ORDER BY no");
            let found = self.first(&condition, params![hash, key])?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The first case of a condition, which may end with an order.
    fn first(&self, condition: &str, values: Params<'_>) -> Result<Option<i64>, LedgerError> {
        let sql = format!("SELECT no FROM cases WHERE {condition} LIMIT 1");
        self.reader
            .read(|db| db.first(&sql, values, |row| row.get(0)))
    }

    /// The cases whose keys become the same by all foldings.
    pub(crate) fn similar_keys(&self, key: &Key) -> Result<Vec<i64>, LedgerError> {
        let folded = self.salt.folded_key(key);
        if !self.may_have("folded_key", Some(folded)) {
            return Ok(Vec::new());
        }
        let sql =
            format!("SELECT no FROM cases WHERE folded_key = ?1 AND {EXISTS} AND key_digest <> ?2");
        self.reader.read(|db| {
            let values = params![folded, key.digest()];
            db.rows(&sql, values, |row| row.get(0))
        })
    }

    /// The foldings that alone merge the keys of two cases of a source, both of
    /// which exist: a case may have been rejected under one spelling of its key,
    /// and imported under another.
    pub(crate) fn merging_foldings(&self, source: &str) -> Result<Foldings, LedgerError> {
        let sql = format!(
            "SELECT folded_key, key FROM cases WHERE {EXISTS} AND folded_key IN (
               SELECT folded_key FROM cases WHERE {EXISTS} AND folded_key IS NOT NULL
               GROUP BY folded_key HAVING count(*) > 1)
             ORDER BY folded_key"
        );
        let rows: Vec<(i64, Key)> = self
            .reader
            .read(|db| db.rows(&sql, params![], |row| Ok((row.get(0)?, row.get(1)?))))?;
        // The source is a part of what is folded.
        let groups = rows.chunk_by(|(one, _), (other, _)| one == other);
        let of_source = groups.filter(|group| group[0].1.source() == source);
        Ok(of_source.fold(Foldings::default(), |merging, group| {
            let keys: Vec<Key> = group.iter().map(|(_, key)| key.clone()).collect();
            merging | Foldings::that_merge(&keys)
        }))
    }

    /// For each phone, e-mail and incident date of a person a case with it and the
    /// same name, unless incident date, birth date or case type differ.
    pub(crate) fn same_person(
        &self,
        case: &CaseData,
    ) -> Result<Vec<(PersonField, i64)>, LedgerError> {
        let person = self.salt.person(&case.person);
        let [name, .., incident_date, birth_date, case_type] = person;
        let mut found = Vec::new();
        for field in PersonField::CONTACTS {
            let (column, contact) = (COLUMNS[field as usize], person[field as usize]);
            if name.is_none() || !self.may_have(column, contact) {
                continue;
            }
            // Of two nulls and of a null and a value neither is different.
            let condition = format!(
                "{column} = ?1 AND name = ?2 AND {EXISTS}
                   AND key_digest <> ?3 AND coalesce(incident_date = ?4, TRUE)
                   AND coalesce(birth_date = ?5, TRUE) AND coalesce(case_type = ?6, TRUE)"
            );
            let key = case.key.digest();
            let values = params![contact, name, key, incident_date, birth_date, case_type];
            let no = self.first(&condition, values)?;
            found.extend(no.map(|no| (field, no)));
        }
        Ok(found)
    }

    /// How many names have this phone, e-mail or incident date, up to a number.
    pub(crate) fn names_sharing(
        &self,
        field: PersonField,
        person: &Person,
        most: usize,
    ) -> Result<usize, LedgerError> {
        let column = COLUMNS[field as usize];
        let sql = format!(
            "SELECT count(*) FROM (
               SELECT DISTINCT name FROM cases WHERE {column} = ?1 LIMIT ?2) AS names"
        );
        let hash = self.salt.person(person)[field as usize];
        self.reader.read(|db| db.value(&sql, params![hash, most]))
    }

    /// The number of the case with this key, if it is of another person: its name
    /// is another, and no phone, e-mail or incident date is the same.
    pub(crate) fn other_person(&self, case: &CaseData) -> Result<Option<i64>, LedgerError> {
        let [name, phone, email, incident_date, ..] = self.salt.person(&case.person);
        if let Some(batch) = &self.batch {
            let known = batch.persons.get(&case.key.digest());
            let differ = |one: Option<i64>, other: Option<i64>| Some(one? != other?);
            return Ok(known.and_then(|(no, [its_name, contacts @ ..])| {
                let mut contacts = contacts.iter().zip([phone, email, incident_date]);
                let is_other = differ(*its_name, name) == Some(true)
                    && contacts.all(|(its, ours)| differ(*its, ours) != Some(false));
                is_other.then_some(*no)
            }));
        }
        let condition = "key_digest = ?1 AND name <> ?2 AND coalesce(phone <> ?3, TRUE)
                           AND coalesce(email <> ?4, TRUE) AND coalesce(incident_date <> ?5, TRUE)";
        let values = params![case.key.digest(), name, phone, email, incident_date];
        self.first(condition, values)
    }

    pub(crate) fn case(&self, no: i64) -> Result<LookAlike, LedgerError> {
        let sql = "SELECT c.key, c.state, f.name, coalesce(c.row, c.line),
                          c.forgotten_at IS NOT NULL
                   FROM cases c
                   LEFT JOIN files f ON f.no = c.file
                   WHERE c.no = ?1";
        self.reader.read(|db| {
            db.one(sql, params![no], |row| {
                Ok(LookAlike {
                    key: row.get(0)?,
                    state: self.reader.shown(row.get(1)?)?,
                    file: row.get(2)?,
                    row: row.get(3)?,
                    is_forgotten: row.get(4)?,
                })
            })
        })
    }
}

/// Those of these that some case has, in one round trip.
fn read_hashes(server: &Server, asked: &[Hashes]) -> database::Result<HashSet<(String, i64)>> {
    let sql = asked.iter().map(|(column, kind, _)| {
        let one_of = one_of(kind);
        format!("SELECT DISTINCT {column} FROM cases WHERE {EXISTS} AND {column} {one_of}")
    });
    let sql: Vec<String> = sql.collect();
    let arrays = asked.iter().map(|(.., array)| [array as &dyn ToSql]);
    let arrays: Vec<_> = arrays.collect();
    let statements = sql.iter().zip(&arrays);
    let statements: Vec<_> = statements
        .map(|(sql, array)| (&**sql, &array[..]))
        .collect();
    let mut known = HashSet::default();
    for ((column, kind, _), rows) in asked.iter().zip(server.query_all(&statements)?) {
        for row in &rows {
            let hash = match *kind {
                "bytea" => half(&value(row, 0)?),
                _ => value(row, 0)?,
            };
            known.insert(((*column).to_owned(), hash));
        }
    }
    Ok(known)
}

fn read_persons(server: &Server, keys: &[Digest]) -> database::Result<Persons> {
    if keys.is_empty() {
        return Ok(Persons::default());
    }
    let sql = format!(
        "SELECT key_digest, no, name, phone, email, incident_date FROM cases
         WHERE key_digest {}",
        one_of("bytea")
    );
    let rows = server.query(&sql, params![digest_array(keys)])?;
    let persons = rows.iter().map(|row| {
        let hashes = [
            value(row, 2)?,
            value(row, 3)?,
            value(row, 4)?,
            value(row, 5)?,
        ];
        Ok((value(row, 0)?, (value(row, 1)?, hashes)))
    });
    persons.collect()
}
