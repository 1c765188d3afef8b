//! The threads of a check: one reads, others map. The [`Check`] returns their
//! results in the order of the input.
//!
//! For each chunk the reader queues a channel of one result, in order, and
//! hands its other end to a worker. So order needs no sorting, and every queue
//! has a limit. When the [`Check`] is dropped, the reader can queue nothing
//! more and ends, and after it the workers.

use std::iter;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use foldhash::HashSet;

use super::duplicates::RecordTable;
use super::person_match::{Contact, SharedContacts};
use super::worker::{Tally, Worker, WorkerBatch};
use super::{CheckBatch, CheckError, CheckOptions, Checked, FileSummary, cross_record};
use crate::input::{self, Chunk, InputError, Parser, Reader};
use crate::mapping::{JoinedTable, MissingColumn, merge_missing_columns};
use crate::model::{Code, Columns, FileId, Place, Problem, Severity, reserved};

/// Chunks that wait for a worker or for the consumer; more would only fill
/// memory.
const WAITING: usize = 4;
/// More threads than this wait for the reader.
const MOST_WORKERS: usize = 4;

/// The result of one chunk, soon.
type Pending = Receiver<WorkerBatch>;

struct ChunkWork {
    /// For a worker that has none of this file.
    parser: Parser,
    chunk: Chunk,
    done: SyncSender<WorkerBatch>,
}

/// A check under way: an iterator of its batches.
pub(crate) struct Check {
    options: Arc<CheckOptions>,
    joined: Arc<[JoinedTable]>,
    /// The first batch: problems of joined files and of headers.
    first: Option<CheckBatch>,
    /// Columns that are missing from the headers.
    missing: Vec<(FileId, Vec<MissingColumn>)>,
    /// In the order of the input; none after its end.
    results: Option<Receiver<Result<Pending, InputError>>>,
    reader: Option<JoinHandle<Vec<Reader>>>,
    workers: Vec<JoinHandle<Tally>>,
    records: RecordTable,
    confidential: HashSet<Option<Box<str>>>,
    checked: Checked,
}

/// Opens all files and starts to check them.
pub(crate) fn check(options: CheckOptions) -> Result<Check, CheckError> {
    let mut check = Check {
        options: Arc::new(options),
        joined: Arc::default(),
        first: None,
        missing: Vec::new(),
        results: None,
        reader: None,
        workers: Vec::new(),
        records: RecordTable::default(),
        confidential: HashSet::default(),
        checked: Checked::default(),
    };
    let readers = check.open_inputs()?;
    check.start(readers);
    Ok(check)
}

fn file_problem(code: Code, file: FileId, message: String) -> Problem {
    let place = Place {
        file,
        ..Place::default()
    };
    Problem::new(code, place, message)
}

fn refuse_missing(missing: &[(FileId, Vec<MissingColumn>)]) -> Result<(), CheckError> {
    let missing = merge_missing_columns(missing);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(CheckError::Columns(missing))
    }
}

fn read_chunks(
    mut readers: Vec<Reader>,
    queue_work: &SyncSender<ChunkWork>,
    queue_result: &SyncSender<Result<Pending, InputError>>,
) -> Vec<Reader> {
    for reader in &mut readers {
        loop {
            let queued = match reader.next_chunk() {
                Ok(Some(chunk)) => {
                    let (done, pending) = sync_channel(1);
                    let work = ChunkWork {
                        parser: reader.parser(),
                        chunk,
                        done,
                    };
                    queue_result.send(Ok(pending)).is_ok() && queue_work.send(work).is_ok()
                }
                Ok(None) => break,
                Err(error) => {
                    // A check that was dropped needs no error.
                    let _ = queue_result.send(Err(error));
                    false
                }
            };
            if !queued {
                return Vec::new();
            }
        }
    }
    readers
}

fn map_chunks(mut worker: Worker, work: &Mutex<Receiver<ChunkWork>>) -> Tally {
    let mut last: Option<Parser> = None;
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else {
            return worker.finish();
        };
        // It knows the columns of the JSON that it has seen.
        let last_of_file = last.filter(|last| last.file == work.parser.file);
        let mut parser = last_of_file.unwrap_or(work.parser);
        // There is room for the result, and it may not be wanted any more.
        let _ = work.done.send(worker.work(&mut parser, &work.chunk));
        last = Some(parser);
    }
}

impl Iterator for Check {
    type Item = Result<CheckBatch, CheckError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(mut first) = self.first.take() {
            first.problems = self.count_problems(first.problems);
            // They concern all records.
            self.checked.unskippable += self.checked.errors;
            return Some(Ok(first));
        }
        let batch = match self.results.as_ref()?.recv() {
            Ok(Ok(pending)) => match pending.recv() {
                Ok(batch) => self.add(batch),
                // Its panic has been reported.
                Err(_) => std::panic::resume_unwind(Box::new("a mapping thread panicked")),
            },
            Ok(Err(error)) => Err(error.into()),
            Err(_) => {
                self.results = None;
                self.last_batch()
            }
        };
        if batch.is_err() {
            self.results = None;
        }
        Some(batch)
    }
}

impl Check {
    /// The summary, complete once every batch was pulled.
    pub(crate) fn finish(self) -> Checked {
        self.checked
    }

    /// The same, while records can still be asked for.
    pub(crate) fn checked(&self) -> &Checked {
        &self.checked
    }

    /// The records that a problem is about, by their numbers.
    pub(crate) fn numbers<'p>(&'p self, problem: &'p Problem) -> impl Iterator<Item = u32> + 'p {
        let places = iter::once(&problem.place).chain(&problem.also);
        places.filter_map(|place| self.records.number_at(*place))
    }

    /// The names of the input that have each of these contacts.
    pub(crate) fn names_sharing(&self, contacts: &HashSet<Contact>) -> SharedContacts {
        self.records.people.names_sharing(contacts)
    }

    fn open_inputs(&mut self) -> Result<Vec<Reader>, CheckError> {
        let options = Arc::clone(&self.options);
        let mut readers = Vec::with_capacity(options.inputs.len());
        let mut first = CheckBatch::default();
        (self.joined, first.problems) = super::joined_files::read(&options)?;
        for (file, input) in (0..).map(FileId).zip(&options.inputs) {
            self.checked.files.push(FileSummary {
                name: input.name(),
                ..FileSummary::default()
            });
            let mut reader = match input::open(input, file, &options.read) {
                Ok(reader) => reader,
                Err(error) => match error.kind.content_code() {
                    Some(Code::NoRecords) if options.allow_empty => continue,
                    Some(code) => {
                        first
                            .problems
                            .push(file_problem(code, file, error.kind.to_string()));
                        continue;
                    }
                    None => return Err(error.into()),
                },
            };
            first.problems.extend(reader.problems());
            if let Some(columns) = reader.columns() {
                if columns.position(reserved::DECISION).is_some() {
                    return Err(CheckError::InDoubtFile(input.name()));
                }
                let missing = options.rules.missing_columns(columns, false, &self.joined);
                let missing = missing.map_err(CheckError::Join)?;
                self.missing.push((file, missing));
            }
            readers.push(reader);
        }
        // What is missing from every record is reported once, not for each.
        if self.missing.len() == readers.len() {
            refuse_missing(&self.missing)?;
        }
        self.first = Some(first);
        Ok(readers)
    }

    fn start(&mut self, readers: Vec<Reader>) {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let count = count.min(MOST_WORKERS);
        let (queue_work, work) = sync_channel(WAITING);
        let (queue_result, results) = sync_channel(WAITING + count);
        let work = Arc::new(Mutex::new(work));
        for _ in 0..count {
            let worker = Worker::new(Arc::clone(&self.options), Arc::clone(&self.joined));
            let work = Arc::clone(&work);
            let worker = thread::spawn(move || map_chunks(worker, &work));
            self.workers.push(worker);
        }
        let read = move || read_chunks(readers, &queue_work, &queue_result);
        self.reader = Some(thread::spawn(read));
        self.results = Some(results);
    }

    /// Counts problems, and leaves out those that repeat what is known of a
    /// column.
    fn count_problems(&mut self, mut problems: Vec<Problem>) -> Vec<Problem> {
        problems.retain_mut(|problem| {
            // It is the column that must be looked at, not each of its values.
            let is_columns = problem.code == Code::LooksConfidential;
            if is_columns && !self.confidential.insert(problem.column.clone()) {
                return false;
            }
            if self.options.strict {
                problem.severity = Severity::Error;
                // Skipping records does not fix what concerns all of them.
                let concerns_all = is_columns || problem.place.line == 0;
                self.checked.unskippable += u64::from(concerns_all);
            }
            match problem.severity {
                Severity::Error => self.checked.errors += 1,
                Severity::Warning => self.checked.warnings += 1,
            }
            true
        });
        problems
    }

    fn add(&mut self, batch: WorkerBatch) -> Result<CheckBatch, CheckError> {
        self.checked.total += batch.records;
        self.checked.unskippable += batch.lost;
        if let Some(file) = self.checked.files.get_mut(usize::from(batch.file.0)) {
            file.records += batch.records;
            file.unread += batch.unread;
        }
        let first = self.records.len();
        self.records
            .append(&batch.rows, &batch.keys)
            .ok_or(CheckError::TooManyRecords)?;
        let mut found = batch.found;
        found.problems = self.count_problems(found.problems);
        // Until here they are positions among the batch's rows.
        let invalid = found.invalid.iter_mut();
        let invalid = invalid.filter_map(|invalid| invalid.number.as_mut());
        let cases = found.cases.iter_mut().map(|case| &mut case.number);
        cases.chain(invalid).for_each(|number| *number += first);
        Ok(found)
    }

    /// What only the whole input shows.
    fn last_batch(&mut self) -> Result<CheckBatch, CheckError> {
        let readers = self.reader.take().map(join).unwrap_or_default();
        let mut tally = Tally::default();
        for counted in self.workers.drain(..).map(join) {
            tally.join(counted);
        }
        let options = Arc::clone(&self.options);
        let mut missing = std::mem::take(&mut self.missing);
        for (&file, names) in &tally.members {
            let columns = Columns::from_names(names);
            let found = options.rules.missing_columns(&columns, true, &self.joined);
            missing.push((file, found.map_err(CheckError::Join)?));
            self.checked.files[usize::from(file.0)].unused = options.rules.unused_columns(&columns);
        }
        if self.checked.total > 0 {
            refuse_missing(&missing)?;
        }
        let mut headers = Vec::new();
        let mut problems = Vec::new();
        for reader in &readers {
            let file = &mut self.checked.files[usize::from(reader.file().0)];
            if file.records == 0 && !options.allow_empty {
                self.checked.unskippable += 1;
                let message = "no records: the file has nothing but a header, or an empty list";
                let problem = file_problem(Code::NoRecords, reader.file(), message.to_owned());
                problems.push(problem.with_hint(
                    "export it again; where that is fine, as in a nightly job, use --allow-empty",
                ));
            }
            file.sha256 = reader.sha256();
            if let Some(columns) = reader.columns() {
                file.unused = options.rules.unused_columns(columns);
                file.columns = Some(columns.names().map(Box::from).collect());
                headers.push(Arc::clone(columns));
            }
        }
        let groups = self.records.groups();
        let key = &options.rules.options().key;
        problems.extend(cross_record::shared(&self.records, &groups, key));
        let checked = &mut self.checked;
        checked.drafts = tally.firms.remove(&None).unwrap_or_default();
        let firms = tally.firms.into_iter();
        checked.firms = firms
            .filter_map(|(firm, cases)| Some((firm?, cases)))
            .collect();
        checked.excluded = self.records.exclude(&groups, options.strict);
        checked.valid = self.records.valid_beside(&checked.excluded);
        checked.merging = groups.merging;
        checked.compares_people = self.records.people.is_comparable();
        checked.columns = tally.columns.summaries();
        checked.default_firm = tally.default_firm;
        problems.extend(cross_record::rare_firms(&checked.firms));
        problems.extend(cross_record::review_rules(&options.rules, &headers));
        Ok(CheckBatch {
            problems: self.count_problems(problems),
            ..CheckBatch::default()
        })
    }
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
