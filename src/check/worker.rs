//! One mapping thread: a chunk in, what was found out about its records out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use super::column_profile::ColumnProfiles;
use super::duplicates::{ContentHash, RecordRow};
use super::{CheckBatch, CheckOptions, CheckedCase, Invalid};
use crate::input::{Chunk, Item, Parser};
use crate::mapping::{self, JoinedTable, Joiner, Mapper, PersonReader, RecordDigests};
use crate::model::{
    CaseData, Code, ColumnsVersion, Digest, FileId, Key, Person, Problem, Record, Severity,
};

/// What a chunk's records came to.
#[derive(Debug, Default)]
pub(super) struct WorkerBatch {
    pub(super) file: FileId,
    /// Records, unreadable ones included.
    pub(super) records: u64,
    /// Unreadable ones that do not hide the rest of the file.
    pub(super) unread: u64,
    /// Problems after which the rest of the file is unknown.
    pub(super) lost: u64,
    /// Those that have a key, and the keys as text, a line each.
    pub(super) rows: Vec<RecordRow>,
    pub(super) keys: String,
    /// Problems in the order of the records; cases and invalid records, where they
    /// are asked for, each with its row's position for its number.
    pub(super) found: CheckBatch,
}

impl WorkerBatch {
    /// Adds a record with a key, invalid until its payload is set; with the
    /// record's digest also as a case.
    fn add(&mut self, record: &Record<'_>, key: &str, person: &str, digest: Option<Digest>) {
        let number = self.rows.len() as u32;
        self.rows.push(RecordRow::new(record.place, key, person));
        self.found
            .cases
            .extend(digest.map(|record_digest| CheckedCase {
                number,
                is_valid: false,
                case: CaseData {
                    key: Key::from_canonical(key),
                    place: record.place,
                    partner_firm: None,
                    payload: Box::default(),
                    raw_record: Box::default(),
                    payload_digest: Digest::default(),
                    content_digest: None,
                    record_digest,
                    person: Person::from_lines(person),
                },
            }));
    }
}

/// Counts that need no order.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) columns: ColumnProfiles,
    /// Cases by firm; drafts have none.
    pub(super) firms: HashMap<Option<Box<str>>, u64>,
    pub(super) default_firm: u64,
    /// Member names that JSON records have.
    pub(super) members: BTreeMap<FileId, BTreeSet<Box<str>>>,
}

impl Tally {
    pub(super) fn join(&mut self, other: Self) {
        self.columns.merge(other.columns);
        for (firm, count) in other.firms {
            *self.firms.entry(firm).or_default() += count;
        }
        self.default_firm += other.default_firm;
        for (file, names) in other.members {
            self.members.entry(file).or_default().extend(names);
        }
    }
}

/// One thread's mapper and counts.
pub(super) struct Worker {
    options: Arc<CheckOptions>,
    joiner: Joiner,
    mapper: Mapper,
    people: PersonReader,
    tally: Tally,
    digests: RecordDigests,
    raw_record: String,
    met: ColumnsVersion,
}

impl Worker {
    pub(super) fn new(options: Arc<CheckOptions>, joined: Arc<[JoinedTable]>) -> Self {
        Self {
            joiner: Joiner::new(joined),
            mapper: Mapper::new(Arc::clone(&options.rules)),
            people: PersonReader::new(Arc::clone(&options.rules)),
            tally: Tally::default(),
            digests: RecordDigests::default(),
            raw_record: String::new(),
            met: ColumnsVersion::default(),
            options,
        }
    }

    pub(super) fn work(&mut self, parser: &mut Parser, chunk: &Chunk) -> WorkerBatch {
        let mut batch = WorkerBatch {
            file: parser.file,
            rows: Vec::with_capacity(chunk.len()),
            ..WorkerBatch::default()
        };
        parser.parse(chunk, &mut |item| {
            batch.records += 1;
            match item {
                Item::Record(record) => {
                    let (before, rows) = (batch.found.problems.len(), batch.rows.len());
                    self.record(&record, &mut batch);
                    for problem in &mut batch.found.problems[before..] {
                        problem.key = self.mapper.key().map(Key::from_canonical);
                    }
                    let raw = |raw: &mut String| mapping::record_json(&record, raw);
                    let number = (batch.rows.len() > rows).then_some(rows as u32);
                    self.keep_invalid(raw, &mut batch, number, before);
                }
                Item::Problem(problem, unread) => {
                    batch.unread += 1;
                    let before = batch.found.problems.len();
                    batch.found.problems.push(problem);
                    let raw = |raw: &mut String| raw.push_str(&unread);
                    self.keep_invalid(raw, &mut batch, None, before);
                }
                Item::Lost(problem) => {
                    batch.lost += 1;
                    batch.found.problems.push(problem);
                }
            }
        });
        batch
    }

    /// Keeps a record with an error among the problems from `before` on.
    fn keep_invalid(
        &mut self,
        raw: impl FnOnce(&mut String),
        batch: &mut WorkerBatch,
        number: Option<u32>,
        before: usize,
    ) {
        let strict = self.options.strict;
        let invalidates = |problem: &&Problem| {
            problem.severity == Severity::Error || strict && is_of_record(problem)
        };
        if !self.options.collect_invalid {
            return;
        }
        let errors = batch.found.problems[before..].iter().filter(invalidates);
        let reasons: Vec<String> = errors.map(reason).collect();
        if reasons.is_empty() {
            return;
        }
        self.raw_record.clear();
        raw(&mut self.raw_record);
        batch.found.invalid.push(Invalid {
            file: batch.file,
            key: batch.found.problems[before].key.clone(),
            number,
            is_held: false,
            raw_record: self.raw_record.as_str().into(),
            reason: reasons.join("; "),
        });
    }

    pub(super) fn finish(self) -> Tally {
        self.tally
    }

    /// What needs no rules: the names of JSON members, and the columns' values.
    fn tally_columns(&mut self, record: &Record<'_>) {
        let version = record.columns.version();
        if record.json.is_some() && self.met != version {
            self.met = version;
            let members = self.tally.members.entry(record.place.file).or_default();
            members.extend(record.columns.names().map(Box::from));
        }
        if self.options.summarize_columns {
            self.tally.columns.add(record);
        }
    }

    fn record(&mut self, record: &Record<'_>, batch: &mut WorkerBatch) {
        self.tally_columns(record);
        let before = batch.found.problems.len();
        let collects = self.options.collect_cases;
        let record_digest = collects.then(|| self.digests.of(record));
        let problems = &mut batch.found.problems;
        let joined = self.joiner.join(record, problems);
        let of_join = problems.len();
        let whole = Record {
            columns: joined.columns,
            cells: &joined.cells,
            ..*record
        };
        let person = self.people.read(&whole);
        let mapped = self.mapper.map(&whole, problems);
        joined.trace(&self.options.rules, problems, of_join);
        let Some(mapped) = mapped.filter(|_| of_join == before) else {
            // Duplicates of an invalid record are reported too, so that one
            // round of fixing is enough.
            if let Some(key) = self.mapper.key() {
                batch.keys.extend([key, "\n"]);
                batch.add(record, key, person, record_digest);
            }
            return;
        };
        batch.keys.extend([mapped.key.unwrap_or_default(), "\n"]);
        if let Some(key) = mapped.key {
            batch.add(record, key, person, record_digest);
        } else {
            // The content serves as the key, so that a test run can still tell
            // cases apart; nothing real is ever sent this way. Nobody knows such
            // a key by its text.
            let key = Key::new([format!("content {}", mapped.payload_digest())]);
            batch.add(record, key.canonical(), person, record_digest);
        }
        if self.options.strict && batch.found.problems[before..].iter().any(is_of_record) {
            return;
        }
        let firm: Option<Box<str>> = mapped.firm.map(Into::into);
        *self.tally.firms.entry(firm.clone()).or_default() += 1;
        self.tally.default_firm += u64::from(mapped.firm_from_default);
        let content = mapped.content();
        if let Some(row) = batch.rows.last_mut() {
            row.content = Some(ContentHash::new(&content.text, content.has_fields));
        }
        if let Some(checked) = batch.found.cases.last_mut() {
            self.raw_record.clear();
            mapping::record_json(record, &mut self.raw_record);
            checked.is_valid = true;
            let case = &mut checked.case;
            case.partner_firm = firm;
            case.payload = mapped.payload.into();
            case.raw_record = self.raw_record.as_str().into();
            case.payload_digest = mapped.payload_digest();
            case.content_digest = content.digest();
        }
    }
}

/// Whether a problem is of the record that it was found in, and not of the
/// whole column.
fn is_of_record(problem: &Problem) -> bool {
    problem.code != Code::LooksConfidential
}

fn reason(problem: &Problem) -> String {
    let column = problem
        .column
        .as_deref()
        .map(|column| format!("{column}: "))
        .unwrap_or_default();
    format!(
        "{}: {column}{} [{}]",
        problem.place, problem.message, problem.code
    )
}
