//! The one writer of a run: a thread that owns the connection, commits what is
//! waiting together, and answers only when it is on the disk.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::database::{self, Database, RunLock};
use super::error::{AtPath as _, LedgerErrorKind};
use super::file::Ledger;
use super::{
    Claim, ClaimError, ClaimRequest, LedgerError, LedgerReader, RunEnd, RunId, RunStart,
    Settlement, claim, records, run, schema,
};
use crate::model::{Answer, Totals, Verdict, abort_point};

/// The most groups of statements in one commit, so that none waits too long.
const MAX_BATCH: usize = 256;

/// The longest that results wait for the next claim.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// How soon a server that can't be reached is tried again: twice as late each
/// time, up to the longest.
const FIRST_RETRY: Duration = Duration::from_millis(10);
const LONGEST_RETRY: Duration = Duration::from_millis(500);

/// A run's access to the ledger. What it returns is on the disk. After an error
/// other than a refusal it accepts nothing more: what a failed commit wrote may
/// still be there after a crash.
#[derive(Debug, Clone)]
pub struct Handle {
    messages: mpsc::Sender<WriterMessage>,
    path: Arc<Path>,
    /// Why the writer accepts nothing more.
    failure: Arc<OnceLock<LedgerError>>,
    /// A server that can't be reached is not tried any more.
    hurries: Arc<AtomicBool>,
    keep_payloads: bool,
}

enum WriterMessage {
    Work(Work),
    Close(oneshot::Sender<Result<(), LedgerError>>),
}

/// A group of statements, with the reply to its caller.
struct Work {
    statements: Statements,
    step: Step,
}

/// What a group of statements is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// One statement on a server.
    Claim,
    /// The same, and nothing waits for it but a report: it can be committed with
    /// what comes next.
    Settle,
    Other,
}

/// Done again when the connection to a server was lost on the way.
type Statements = Box<dyn FnMut(&Database) -> database::Result<Reply> + Send>;

/// To be called after the commit with its result: after an error nobody knows
/// whether the group is on the disk.
type Reply = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;

impl Ledger {
    /// Starts the writer. The lock is held until it has ended. Of imported cases
    /// payload and raw record are dropped unless `keep_payloads`.
    pub fn start(self, keep_payloads: bool) -> Result<Handle, LedgerError> {
        let Self { reader, lock, .. } = self;
        let path: Arc<Path> = reader.path().into();
        let lock = lock.ok_or_else(|| LedgerErrorKind::NotLocked.at(&path))?;
        if let Database::File { conn, .. } = &reader.db {
            schema::configure_run(conn).at(&path)?;
        }
        let (messages, inbox) = mpsc::channel();
        let failure = Arc::new(OnceLock::new());
        let hurries = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            reader,
            remembered: None,
            last_commit_took: Duration::ZERO,
            failure: Arc::clone(&failure),
            hurries: Arc::clone(&hurries),
            _lock: lock,
        };
        thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.run(&inbox))
            .at(&path)?;
        Ok(Handle {
            messages,
            path,
            failure,
            hurries,
            keep_payloads,
        })
    }
}

impl Handle {
    /// Tries a server that can't be reached no longer.
    pub(crate) fn hurry(&self) {
        self.hurries.store(true, Ordering::SeqCst);
    }

    /// Begins a run. Each case's place names one of its files.
    pub async fn begin_run(&self, start: RunStart) -> Result<RunId, LedgerError> {
        let (keep_payloads, mark) = (self.keep_payloads, records::new_mark());
        self.write("begin-run", move |db| {
            run::begin(db, &mark, &start, keep_payloads)
        })
        .await
    }

    /// Ends a run. Every claim that is still open is in doubt now; returns how
    /// many there were.
    pub async fn end_run(
        &self,
        run: RunId,
        totals: Totals,
        end: RunEnd,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        self.write("end-run", move |db| run::end(db, run, &totals, &end, at))
            .await
    }

    /// Claims a case: when it returns, the disk knows that the case may be in
    /// flight.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Claim, ClaimError> {
        let claimed = self.try_write("claim", move |db| claim::claim(db, &request));
        match claimed.await? {
            Ok(claimed) => claimed.map_err(|now| ClaimError::Refused { now }),
            Err(error) => Err(ClaimError::Unknown(error)),
        }
    }

    /// Records what an attempt proved and what came back.
    pub async fn settle(
        &self,
        claim: Claim,
        verdict: Verdict,
        answer: Answer,
        at: Timestamp,
    ) -> Result<Settlement, LedgerError> {
        let keep_payloads = self.keep_payloads;
        let settled = self
            .write("settle", move |db| {
                claim::settle(db, &claim, verdict, &answer, at, keep_payloads)
            })
            .await?;
        settled.ok_or_else(|| LedgerErrorKind::NotClaimed.at(&self.path))
    }

    /// Undoes a claim whose request was not begun. No further claim may follow
    /// for a long time, so what waits for one is committed first.
    pub async fn release(&self, claim: Claim) -> Result<(), LedgerError> {
        self.write("flush", |_| Ok(())).await?;
        let mut was_tried = false;
        let release = move |db: &Database| {
            // What was done before the connection was lost is done.
            let released = claim::release(db, &claim)? || was_tried;
            was_tried = true;
            Ok(released)
        };
        let released = self.write("release", release).await?;
        released
            .then_some(())
            .ok_or_else(|| LedgerErrorKind::NotClaimed.at(&self.path))
    }

    /// Writes the log into the file and ends the writer. Other clones of this
    /// handle fail from then on.
    pub async fn close(self) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.messages
            .send(WriterMessage::Close(reply))
            .map_err(|_| self.ended())?;
        answer.await.map_err(|_| self.ended())?
    }

    /// Has the writer do this, and waits for its commit. The step's name is
    /// that of its abort points.
    async fn write<T: Send + 'static>(
        &self,
        step: &str,
        statements: impl FnMut(&Database) -> database::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.try_write(step, statements).await?
    }

    /// Like [`Self::write`]. The inner error is that of a commit, which may still
    /// be on the disk.
    pub(super) async fn try_write<T: Send + 'static>(
        &self,
        step: &str,
        mut statements: impl FnMut(&Database) -> database::Result<T> + Send + 'static,
    ) -> Result<Result<T, LedgerError>, LedgerError> {
        abort_point(format_args!("before-{step}"));
        let (sender, answer) = oneshot::channel();
        // Of each try, of which the last one replies.
        let sender = Arc::new(Mutex::new(Some(sender)));
        let statements = move |db: &Database| {
            let done = statements(db)?;
            let sender = Arc::clone(&sender);
            // After an error the reply is dropped, and the sender with it, when
            // the reason is known to the handles.
            let reply: Reply = Box::new(move |committed| {
                let sender = sender.lock().ok().and_then(|mut sender| sender.take());
                // The caller may have gone.
                if let Some(sender) = sender {
                    let _ = sender.send(committed.map(|()| done));
                }
            });
            Ok(reply)
        };
        let work = Work {
            statements: Box::new(statements),
            step: match step {
                "claim" => Step::Claim,
                "settle" => Step::Settle,
                _ => Step::Other,
            },
        };
        self.messages
            .send(WriterMessage::Work(work))
            .map_err(|_| self.ended())?;
        let answer = answer.await;
        abort_point(format_args!("after-{step}"));
        answer.map_err(|_| self.ended())
    }

    /// Why there was no answer.
    fn ended(&self) -> LedgerError {
        let failure = self.failure.get().cloned();
        failure.unwrap_or_else(|| LedgerErrorKind::Closed.at(&self.path))
    }
}

struct Writer {
    reader: LedgerReader,
    /// The latest attempt that this machine remembers.
    remembered: Option<String>,
    last_commit_took: Duration,
    failure: Arc<OnceLock<LedgerError>>,
    hurries: Arc<AtomicBool>,
    _lock: RunLock,
}

impl Writer {
    fn run(mut self, inbox: &mpsc::Receiver<WriterMessage>) {
        while let Ok(first) = inbox.recv() {
            let (batch, closing) = self.collect(first, inbox);
            self.commit(batch);
            if let Some(reply) = closing {
                abort_point("before-close");
                let failure = self.failure.get().cloned();
                // Before the caller hears of it: the lock is free then.
                drop(self);
                // The caller may have gone.
                let _ = reply.send(failure.map_or(Ok(()), Err));
                return;
            }
        }
    }

    /// What is committed together. A commit takes several syncs of the disk, so
    /// results wait for the next claim, but no longer than another commit would
    /// take.
    fn collect(
        &self,
        first: WriterMessage,
        inbox: &mpsc::Receiver<WriterMessage>,
    ) -> (Vec<Work>, Option<oneshot::Sender<Result<(), LedgerError>>>) {
        let until = Instant::now() + self.last_commit_took.min(MAX_WAIT);
        let mut batch: Vec<Work> = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                WriterMessage::Work(work) => batch.push(work),
                WriterMessage::Close(reply) => return (batch, Some(reply)),
            }
            if batch.len() == MAX_BATCH {
                break;
            }
            next = match inbox.try_recv() {
                Ok(message) => Some(message),
                Err(_) if batch.iter().all(|work| work.step == Step::Settle) => {
                    let wait = until.saturating_duration_since(Instant::now());
                    inbox.recv_timeout(wait).ok()
                }
                Err(_) => None,
            };
        }
        (batch, None)
    }

    /// All of the batch in one commit.
    fn commit(&mut self, mut batch: Vec<Work>) {
        if batch.is_empty() || self.failure.get().is_some() {
            return;
        }
        if let Database::Server(server) = &self.reader.db {
            let patience = server.address.max_wait;
            return (batch.into_iter()).for_each(|work| self.commit_to_server(work, patience));
        }
        let mut replies = Vec::with_capacity(batch.len());
        let began = Instant::now();
        let committed = match self.try_commit(&mut batch, &mut replies) {
            Ok(committed) => committed,
            Err(error) => {
                // Before batch and replies are dropped: the callers ask for it then.
                return self.fail(error);
            }
        };
        self.last_commit_took = began.elapsed();
        if let Err(error) = &committed {
            self.fail(error.clone());
        }
        for reply in replies {
            reply(committed.clone());
        }
    }

    fn fail(&self, error: LedgerError) {
        // The journal may be needed to undo what is half written.
        self.reader.removes_journal.set(false);
        let _ = self.failure.set(error);
    }

    /// The outer error is one before the commit: nothing is on the disk. After
    /// one of the commit itself nobody knows.
    fn try_commit(
        &mut self,
        batch: &mut [Work],
        replies: &mut Vec<Reply>,
    ) -> Result<Result<(), LedgerError>, LedgerError> {
        let (db, path) = (&self.reader.db, self.reader.path());
        db.check_place().at(path)?;
        let transaction = db.begin_writing().at(path)?;
        for work in batch {
            replies.push((work.statements)(db).at(path)?);
        }
        let attempt = run::latest_attempt(db).at(path)?;
        abort_point("before-commit");
        if let Err(error) = transaction.commit().at(path) {
            return Ok(Err(error));
        }
        abort_point("after-commit");
        self.remember(attempt);
        Ok(Ok(()))
    }

    fn remember(&mut self, attempt: Option<String>) {
        if attempt != self.remembered {
            self.reader.remember(attempt.clone());
            self.remembered = attempt;
        }
    }

    /// A group in a transaction of its own. When the connection was lost, and
    /// with it perhaps an answer, the statements find out what was committed.
    fn commit_to_server(&mut self, mut work: Work, patience: Duration) {
        if self.failure.get().is_some() {
            return;
        }
        let give_up = Instant::now() + patience;
        let mut retry_after = FIRST_RETRY;
        let done = loop {
            let db = &self.reader.db;
            abort_point("before-commit");
            let done = match work.step {
                Step::Claim | Step::Settle => (work.statements)(db),
                Step::Other => db.transaction(&mut work.statements),
            };
            match done {
                Err(error)
                    if error.is_connection_lost()
                        && Instant::now() < give_up
                        && !self.hurries.load(Ordering::SeqCst) =>
                {
                    thread::sleep(retry_after);
                    retry_after = (retry_after * 2).min(LONGEST_RETRY);
                }
                done => break done,
            }
        };
        abort_point("after-commit");
        let attempt = run::latest_attempt(&self.reader.db);
        match done.at(self.reader.path()) {
            Ok(reply) => {
                self.remember(attempt.unwrap_or_default());
                reply(Ok(()));
            }
            Err(error) => self.fail(error),
        }
    }
}
