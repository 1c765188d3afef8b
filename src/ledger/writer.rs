//! The one writer of a run: a thread that owns the connection, commits what is
//! waiting together, and answers only when it is on the disk.

use std::path::Path;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::database::{self, Database};
use super::error::{AtPath as _, LedgerErrorKind};
use super::file::Ledger;
use super::opened::RunLock;
use super::{
    Claim, ClaimError, ClaimRequest, LedgerError, LedgerReader, RunEnd, RunId, RunStart,
    Settlement, claim, run,
};
use crate::model::{Answer, Totals, Verdict, abort_point};

/// The most groups of statements in one commit, so that none waits too long.
const MAX_BATCH: usize = 256;

/// The longest that results wait for the next claim.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// A run's access to the ledger. What it returns is on the disk. After an error
/// other than a refusal it accepts nothing more: what a failed commit wrote may
/// still be there after a crash.
#[derive(Debug, Clone)]
pub struct Handle {
    messages: mpsc::Sender<WriterMessage>,
    path: Arc<Path>,
    /// Why the writer accepts nothing more.
    failure: Arc<OnceLock<LedgerError>>,
    keep_payloads: bool,
}

enum WriterMessage {
    Work(Work),
    Close(oneshot::Sender<Result<(), LedgerError>>),
}

/// A group of statements, with the reply to its caller.
struct Work {
    statements: Statements,
    /// Nothing waits for it but a report: it can be committed with what comes
    /// next.
    can_wait: bool,
}

type Statements = Box<dyn FnOnce(&Database) -> (database::Result<()>, Reply) + Send>;

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
        reader.db.configure_run().at(&path)?;
        let (messages, inbox) = mpsc::channel();
        let failure = Arc::new(OnceLock::new());
        let writer = Writer {
            reader,
            remembered: None,
            last_commit_took: Duration::ZERO,
            failure: Arc::clone(&failure),
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
            keep_payloads,
        })
    }
}

impl Handle {
    /// Begins a run. Each case's place names one of its files.
    pub async fn begin_run(&self, start: RunStart) -> Result<RunId, LedgerError> {
        let keep_payloads = self.keep_payloads;
        self.write("begin-run", move |db| run::begin(db, &start, keep_payloads))
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
        let released = self
            .write("release", move |db| claim::release(db, &claim))
            .await?;
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
        statements: impl FnOnce(&Database) -> database::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.try_write(step, statements).await?
    }

    /// Like [`Self::write`]. The inner error is that of a commit, which may still
    /// be on the disk.
    pub(super) async fn try_write<T: Send + 'static>(
        &self,
        step: &str,
        statements: impl FnOnce(&Database) -> database::Result<T> + Send + 'static,
    ) -> Result<Result<T, LedgerError>, LedgerError> {
        abort_point(format_args!("before-{step}"));
        let (sender, answer) = oneshot::channel();
        let statements = move |db: &Database| -> (database::Result<()>, Reply) {
            let (result, done) = match statements(db) {
                Ok(done) => (Ok(()), Some(done)),
                Err(error) => (Err(error), None),
            };
            // After an error the reply is dropped, and the sender with it, when
            // the reason is known to the handles.
            let reply: Reply = Box::new(move |committed| {
                if let Some(done) = done {
                    // The caller may have gone.
                    let _ = sender.send(committed.map(|()| done));
                }
            });
            (result, reply)
        };
        let work = Work {
            statements: Box::new(statements),
            can_wait: step == "settle",
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
                Err(_) if batch.iter().all(|work| work.can_wait) => {
                    let wait = until.saturating_duration_since(Instant::now());
                    inbox.recv_timeout(wait).ok()
                }
                Err(_) => None,
            };
        }
        (batch, None)
    }

    /// All of the batch in one commit.
    fn commit(&mut self, batch: Vec<Work>) {
        if batch.is_empty() || self.failure.get().is_some() {
            return;
        }
        let mut batch = batch.into_iter();
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
        batch: &mut std::vec::IntoIter<Work>,
        replies: &mut Vec<Reply>,
    ) -> Result<Result<(), LedgerError>, LedgerError> {
        let (db, path) = (&self.reader.db, self.reader.path());
        db.check_place().at(path)?;
        let transaction = db.begin_writing().at(path)?;
        for work in batch {
            let (done, reply) = (work.statements)(db);
            replies.push(reply);
            done.at(path)?;
        }
        let attempt = run::latest_attempt(db).at(path)?;
        abort_point("before-commit");
        if let Err(error) = transaction.commit().at(path) {
            return Ok(Err(error));
        }
        abort_point("after-commit");
        if attempt != self.remembered {
            self.reader.remember(attempt.clone());
            self.remembered = attempt;
        }
        Ok(Ok(()))
    }
}
