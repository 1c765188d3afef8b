//! The threads of a check: one reads, others parse and map, the caller's
//! thread takes the results in their order.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::rows::Rows;
use super::worker::{Batch, Tally, Worker};
use super::{CheckError, CheckOptions, Checked, FileSummary, Sink, again, whole};
use crate::input::{self, Chunk, InputError, Parser, Reader};
use crate::mapping::{MissingColumn, NameSource, merge_missing_columns};
use crate::model::{Code, Columns, FileId, Place, Problem, Severity, reserved};

/// Chunks that wait between two threads; more would only hold memory.
const WAITING: usize = 4;
/// More threads than this wait for the reader.
const MOST_WORKERS: usize = 4;

/// A chunk on its way to a worker.
struct Work {
    turn: u64,
    file: Arc<Opened>,
    chunk: Chunk,
}

/// A file as workers need it: a parser for each.
struct Opened {
    id: FileId,
    parsers: Mutex<Vec<Parser>>,
}

/// What comes back from the reading and mapping threads.
enum Message {
    Batch(u64, Batch),
    Failed(InputError),
    /// A worker is done: its counts, and the member names that it met.
    Tally(Box<Tally>, BTreeMap<FileId, BTreeSet<Box<str>>>),
    /// The reader is done.
    Readers(Vec<Reader>),
}

/// Checks the whole input, and hands on what it finds in the input's order.
pub fn check<S: Sink>(
    options: &CheckOptions,
    sink: &mut S,
) -> Result<Checked, CheckError<S::Error>> {
    let mut readers = Vec::with_capacity(options.inputs.len());
    for (file, input) in (0..).zip(&options.inputs) {
        readers.push(input::open(input, FileId(file), &options.source)?);
    }
    for (reader, input) in readers.iter().zip(&options.inputs) {
        let doubt = |columns: &Arc<Columns>| columns.position(reserved::IN_DOUBT_KEY).is_some();
        if reader.columns().is_some_and(doubt) {
            return Err(CheckError::InDoubtFile(input.name()));
        }
    }
    let mut collector = Collector::new(options, sink);
    for (file, reader) in collector.checked.files.iter_mut().zip(&readers) {
        file.guessed_encoding = reader.encoding_guessed().then(|| reader.encoding());
    }
    let headers = header_faults(options, &readers);
    // What is missing from every record is told once, not for each of them.
    if readers.iter().all(|reader| reader.columns().is_some()) {
        refuse_columns(&headers)?;
    }
    for reader in &mut readers {
        for problem in reader.problems() {
            collector.checked.unskippable += u64::from(problem.severity == Severity::Error);
            collector.problem(problem)?;
        }
    }
    let records = read_all(options, readers, &mut collector)?;
    let (tally, members, readers) = records;
    let mut faults = headers;
    for (file, names) in &members {
        let columns = Columns::from_names(names);
        let missing = options
            .rules
            .check_columns(&columns, NameSource::JsonMembers);
        faults.push((*file, missing));
        collector.unused(*file, options.rules.unused_columns(&columns));
    }
    if collector.checked.total > 0 {
        refuse_columns(&faults)?;
    }
    collector.finish(tally, readers)
}

fn header_faults(options: &CheckOptions, readers: &[Reader]) -> Vec<(FileId, Vec<MissingColumn>)> {
    (0..)
        .map(FileId)
        .zip(readers)
        .filter_map(|(file, reader)| {
            let columns = reader.columns()?;
            Some((
                file,
                options.rules.check_columns(columns, NameSource::Header),
            ))
        })
        .collect()
}

fn refuse_columns<E>(faults: &[(FileId, Vec<MissingColumn>)]) -> Result<(), CheckError<E>> {
    let faults = merge_missing_columns(faults);
    if faults.is_empty() {
        Ok(())
    } else {
        Err(CheckError::Columns(faults))
    }
}

type Members = BTreeMap<FileId, BTreeSet<Box<str>>>;

/// Runs all records through the threads.
fn read_all<S: Sink>(
    options: &CheckOptions,
    readers: Vec<Reader>,
    collector: &mut Collector<'_, S>,
) -> Result<(Tally, Members, Vec<Reader>), CheckError<S::Error>> {
    let workers = match options.workers {
        0 => thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(MOST_WORKERS),
        workers => workers,
    };
    let (to_workers, work) = sync_channel::<Work>(WAITING);
    let (to_collector, messages) = sync_channel::<Message>(WAITING);
    let work = Mutex::new(work);
    thread::scope(|scope| {
        for _ in 0..workers {
            let to_collector = to_collector.clone();
            let work = &work;
            scope.spawn(move || map_chunks(options, work, &to_collector));
        }
        scope.spawn(move || read_chunks(readers, workers, &to_workers, &to_collector));
        let taken = collector.take(&messages);
        // Behind an error nobody takes more: the threads notice and end.
        drop(messages);
        taken
    })
}

fn read_chunks(
    mut readers: Vec<Reader>,
    workers: usize,
    to_workers: &SyncSender<Work>,
    to_collector: &SyncSender<Message>,
) {
    let mut turn = 0;
    for (id, reader) in (0..).map(FileId).zip(&mut readers) {
        let file = Arc::new(Opened {
            id,
            parsers: Mutex::new((0..workers).map(|_| reader.parser()).collect()),
        });
        loop {
            match reader.next_chunk() {
                Ok(Some(chunk)) => {
                    let work = Work {
                        turn,
                        file: Arc::clone(&file),
                        chunk,
                    };
                    turn += 1;
                    if to_workers.send(work).is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    let _ = to_collector.send(Message::Failed(error));
                    return;
                }
            }
        }
    }
    let _ = to_collector.send(Message::Readers(readers));
}

fn map_chunks(
    options: &CheckOptions,
    work: &Mutex<Receiver<Work>>,
    to_collector: &SyncSender<Message>,
) {
    let mut worker = Worker::new(options);
    let mut parser: Option<(FileId, Parser)> = None;
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Work { turn, file, chunk }) = next else {
            break;
        };
        if parser.as_ref().is_none_or(|(id, _)| *id != file.id) {
            let mut parsers = file.parsers.lock().unwrap_or_else(PoisonError::into_inner);
            // There is one for each worker, and each takes one only.
            parser = parsers.pop().map(|parser| (file.id, parser));
        }
        let Some((_, parser)) = &mut parser else {
            break;
        };
        let batch = worker.work(file.id, parser, &chunk);
        if to_collector.send(Message::Batch(turn, batch)).is_err() {
            return;
        }
    }
    let (tally, members) = worker.finish();
    let _ = to_collector.send(Message::Tally(Box::new(tally), members));
}

/// Puts results in their order and keeps what the whole input needs.
struct Collector<'a, S> {
    options: &'a CheckOptions,
    sink: &'a mut S,
    rows: Rows,
    confidential: HashSet<Option<Box<str>>>,
    checked: Checked,
}

impl<'a, S: Sink> Collector<'a, S> {
    fn new(options: &'a CheckOptions, sink: &'a mut S) -> Self {
        let files = options
            .inputs
            .iter()
            .map(|input| FileSummary {
                name: input.name(),
                ..FileSummary::default()
            })
            .collect();
        Self {
            options,
            sink,
            rows: Rows::default(),
            confidential: HashSet::new(),
            checked: Checked {
                files,
                ..Checked::default()
            },
        }
    }

    fn problem(&mut self, mut problem: Problem) -> Result<(), CheckError<S::Error>> {
        // It is the column that must be looked at, not each of its values.
        let is_columns = problem.code == Code::LooksConfidential;
        if is_columns && !self.confidential.insert(problem.column.clone()) {
            return Ok(());
        }
        if self.options.strict {
            problem.severity = Severity::Error;
            // Leaving out records does not mend what is wrong with all of them.
            let is_everywhere = is_columns || problem.place == Place::default();
            self.checked.unskippable += u64::from(is_everywhere);
        }
        match problem.severity {
            Severity::Error => self.checked.errors += 1,
            Severity::Warning => self.checked.warnings += 1,
        }
        self.sink.problem(problem).map_err(CheckError::Sink)
    }

    fn take(
        &mut self,
        messages: &Receiver<Message>,
    ) -> Result<(Tally, Members, Vec<Reader>), CheckError<S::Error>> {
        let mut next = 0;
        let mut early = BTreeMap::new();
        let mut tally = Tally::default();
        let mut members = Members::new();
        let mut finished = Vec::new();
        while let Ok(message) = messages.recv() {
            match message {
                Message::Batch(turn, batch) => {
                    early.insert(turn, batch);
                    while let Some(batch) = early.remove(&next) {
                        next += 1;
                        self.batch(batch)?;
                    }
                }
                Message::Failed(error) => return Err(error.into()),
                Message::Tally(theirs, names) => {
                    tally.join(*theirs);
                    for (file, names) in names {
                        members.entry(file).or_default().extend(names);
                    }
                }
                Message::Readers(readers) => finished = readers,
            }
        }
        Ok((tally, members, finished))
    }

    fn batch(&mut self, batch: Batch) -> Result<(), CheckError<S::Error>> {
        self.checked.total += batch.records;
        self.checked.unskippable += batch.lost;
        if let Some(file) = self.checked.files.get_mut(usize::from(batch.file.0)) {
            file.records += batch.records;
            file.unread += batch.unread;
        }
        for problem in batch.problems {
            self.problem(problem)?;
        }
        for invalid in batch.invalid {
            self.sink.invalid(invalid).map_err(CheckError::Sink)?;
        }
        let first = self.rows.valid() as u32;
        for row in &batch.rows {
            self.rows.push(row).ok_or(CheckError::TooMany)?;
        }
        if self.options.want_cases && !batch.cases.is_empty() {
            self.sink
                .cases(first, batch.cases)
                .map_err(CheckError::Sink)?;
        }
        Ok(())
    }

    fn unused(&mut self, file: FileId, unused: Vec<String>) {
        if let Some(file) = self.checked.files.get_mut(usize::from(file.0)) {
            file.unused = unused;
        }
    }

    /// What only the whole input shows.
    fn finish(
        mut self,
        tally: Tally,
        readers: Vec<Reader>,
    ) -> Result<Checked, CheckError<S::Error>> {
        for (file, reader) in (0..).map(FileId).zip(&readers) {
            if let Some(columns) = reader.columns() {
                self.unused(file, self.options.rules.unused_columns(columns));
            }
            let summary = &mut self.checked.files[usize::from(file.0)];
            summary.sha256 = reader.sha256().map(|hash| hex(&hash));
            summary.columns = reader
                .columns()
                .map(|columns| columns.names().map(Box::from).collect());
        }
        let columns: Vec<Arc<Columns>> = readers
            .iter()
            .filter_map(|reader| reader.columns().cloned())
            .collect();
        let found = self.rows.groups();
        let told = again::read(self.options, readers, &self.rows, &found);
        let key = &self.options.rules.options().key;
        let mut problems = whole::shared(&self.rows, &found, &told, key);
        self.checked.firms = tally.firms.into_iter().collect();
        problems.extend(whole::rare_firms(&self.checked.firms));
        problems.extend(whole::unguarded(&self.options.rules, &columns));
        for problem in problems {
            self.problem(problem)?;
        }
        let excluded = self.rows.exclude(&found, self.options.strict);
        self.checked.valid = (self.rows.valid() - excluded.len()) as u64;
        self.checked.excluded = excluded;
        self.checked.columns = tally.columns.summaries();
        self.checked.drafts = tally.drafts;
        self.checked.default_firm = tally.default_firm;
        Ok(self.checked)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
