//! The one writer of a run: a thread that owns the connection, commits what is
//! due together, and answers only when it is on the disk.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::file::{Ledger, end_reading, in_transaction};
use super::{
    Claim, ClaimError, ClaimRequest, LedgerError, LedgerLock, LedgerOptions, RunEnd, RunId,
    RunStart, Settlement, claim, run, schema, system,
};
use crate::model::{Answer, Totals, Verdict, abort_point};

/// How many jobs one commit takes at most, so that none waits too long.
const TOGETHER: usize = 256;

/// A run's way to the ledger. What it returns is on the disk. After an error
/// other than a refusal it takes nothing more: what a failed commit wrote may
/// still be there after a crash.
#[derive(Clone)]
pub struct Handle {
    jobs: mpsc::Sender<Message>,
    path: Arc<Path>,
    options: LedgerOptions,
}

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<Result<(), LedgerError>>),
}

/// A piece of work, answered after its commit.
pub(super) trait Job: Send {
    fn apply(&mut self, conn: &Connection) -> rusqlite::Result<()>;

    /// Tells who asked. Returns what is to be done when nobody listens any more.
    fn answer(self: Box<Self>, committed: Result<(), LedgerError>) -> Option<Box<dyn Job>>;
}

struct Ask<T, W> {
    work: Option<W>,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, LedgerError>>,
    unheard: fn(T) -> Option<Box<dyn Job>>,
}

impl<T, W> Job for Ask<T, W>
where
    T: Send,
    W: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
{
    fn apply(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.done = Some(work(conn)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), LedgerError>) -> Option<Box<dyn Job>> {
        let answer = match (committed, self.done) {
            (Ok(()), Some(done)) => Ok(done),
            (Err(error), _) => Err(error),
            // Only what was applied is committed.
            (Ok(()), None) => return None,
        };
        self.reply
            .send(answer)
            .err()
            .and_then(Result::ok)
            .and_then(self.unheard)
    }
}

impl Ledger {
    /// Starts the writer. The lock stays held until it has ended.
    pub fn start(self, options: LedgerOptions) -> Result<Handle, LedgerError> {
        let Self { reader, lock, .. } = self;
        let path = Arc::clone(&reader.path);
        let fail = |error: &std::io::Error| LedgerError::system(&path, error);
        end_reading(&reader.conn)
            .and_then(|()| schema::enter_run(&reader.conn))
            .map_err(|error| reader.fail(&error))?;
        let (jobs, inbox) = mpsc::channel();
        let writer = Writer {
            conn: reader.conn,
            path: reader.path,
            file: system::identity(&path).map_err(|error| fail(&error))?,
            failed: None,
            _lock: lock,
        };
        thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.work_off(&inbox))
            .map_err(|error| fail(&error))?;
        Ok(Handle {
            jobs,
            path,
            options,
        })
    }
}

impl Handle {
    /// Begins a run. Each case's place names one of its files.
    pub async fn begin_run(&self, start: RunStart) -> Result<RunId, LedgerError> {
        let (path, options) = (Arc::clone(&self.path), self.options);
        let file = system::identity(&path).map_err(|error| LedgerError::system(&path, &error))?;
        abort_point("before-begin-run");
        let begun = self
            .ask(
                move |conn| run::begin(conn, &path.to_string_lossy(), file, &start, options),
                |_| None,
            )
            .await;
        abort_point("after-begin-run");
        begun
    }

    /// Ends a run. Every claim that is still out is in doubt now; returns how
    /// many were.
    pub async fn end_run(
        &self,
        run: RunId,
        counts: Totals,
        how: RunEnd,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        abort_point("before-end-run");
        let ended = self
            .ask(move |conn| run::end(conn, run, &counts, &how, at), |_| None)
            .await;
        abort_point("after-end-run");
        ended
    }

    /// Claims a case: when it returns, the disk knows that the case may be
    /// under way. When the waiting is given up, so is the claim.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Claim, ClaimError> {
        abort_point("before-claim");
        let claimed = self
            .ask(
                move |conn| claim::claim(conn, &request),
                |unheard| {
                    let claim = unheard.ok()?;
                    Some(ask(|conn| claim::release(conn, claim), |_| None).0)
                },
            )
            .await;
        abort_point("after-claim");
        claimed?.map_err(|now| ClaimError::Refused { now })
    }

    /// Writes down what an attempt proved and what came back.
    pub async fn settle(
        &self,
        claim: Claim,
        verdict: Verdict,
        answer: Answer,
        at: Timestamp,
    ) -> Result<Settlement, LedgerError> {
        let options = self.options;
        abort_point("before-settle");
        let settled = self
            .ask(
                move |conn| claim::settle(conn, &claim, verdict, &answer, at, options),
                |_| None,
            )
            .await;
        abort_point("after-settle");
        settled?.ok_or_else(|| self.not_claimed())
    }

    /// Takes back a claim whose request was not begun.
    pub async fn release(&self, claim: Claim) -> Result<(), LedgerError> {
        abort_point("before-release");
        let released = self.ask(|conn| claim::release(conn, claim), |_| None).await;
        abort_point("after-release");
        if released? {
            Ok(())
        } else {
            Err(self.not_claimed())
        }
    }

    /// Brings the log into the file and ends the writer: a clean end. Other
    /// handles of it take nothing more.
    pub async fn close(self) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.jobs
            .send(Message::Close(reply))
            .map_err(|_| self.closed())?;
        answer.await.map_err(|_| self.closed())?
    }

    /// Has the writer do this, and waits for its commit.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        unheard: fn(T) -> Option<Box<dyn Job>>,
    ) -> Result<T, LedgerError> {
        let (job, answer) = ask(work, unheard);
        self.jobs
            .send(Message::Job(job))
            .map_err(|_| self.closed())?;
        answer.await.map_err(|_| self.closed())?
    }

    fn not_claimed(&self) -> LedgerError {
        LedgerError::NotClaimed {
            path: self.path.to_path_buf(),
        }
    }

    fn closed(&self) -> LedgerError {
        LedgerError::Closed {
            path: self.path.to_path_buf(),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn ask<T: Send + 'static>(
    work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    unheard: fn(T) -> Option<Box<dyn Job>>,
) -> (Box<dyn Job>, oneshot::Receiver<Result<T, LedgerError>>) {
    let (reply, answer) = oneshot::channel();
    let job = Box::new(Ask {
        work: Some(work),
        done: None,
        reply,
        unheard,
    });
    (job, answer)
}

struct Writer {
    conn: Connection,
    path: Arc<Path>,
    /// The file that was opened, wherever its path leads now.
    file: u64,
    /// Why nothing more is taken.
    failed: Option<LedgerError>,
    _lock: LedgerLock,
}

impl Writer {
    fn work_off(mut self, inbox: &mpsc::Receiver<Message>) {
        while let Ok(first) = inbox.recv() {
            let mut jobs = Vec::new();
            let mut next = Some(first);
            let mut closing = None;
            while let Some(message) = next {
                match message {
                    Message::Job(job) => jobs.push(job),
                    Message::Close(reply) => {
                        closing = Some(reply);
                        break;
                    }
                }
                next = (jobs.len() < TOGETHER)
                    .then(|| inbox.try_recv().ok())
                    .flatten();
            }
            while !jobs.is_empty() {
                jobs = self.commit(jobs);
            }
            if let Some(reply) = closing {
                let closed = self.close();
                // Who asked may have gone.
                let _ = reply.send(closed);
                return;
            }
        }
    }

    /// All of the jobs in one commit. Returns what nobody waits for any more,
    /// to be undone.
    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        let committed = self.try_commit(&mut jobs);
        if let Err(error) = &committed {
            self.failed = Some(error.clone());
        }
        jobs.into_iter()
            .filter_map(|job| job.answer(committed.clone()))
            .collect()
    }

    fn try_commit(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), LedgerError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        // A file that lost its name would take the truth with it.
        if system::identity(&self.path).ok() != Some(self.file) {
            return Err(LedgerError::Gone {
                path: self.path.to_path_buf(),
            });
        }
        in_transaction(&self.conn, |conn| {
            jobs.iter_mut().try_for_each(|job| job.apply(conn))?;
            abort_point("before-commit");
            Ok(())
        })
        .map_err(|error| LedgerError::sqlite(&self.path, &error))?;
        abort_point("after-commit");
        Ok(())
    }

    fn close(self) -> Result<(), LedgerError> {
        let Self {
            conn, path, failed, ..
        } = self;
        if let Some(failed) = failed {
            return Err(failed);
        }
        let fail = |error| LedgerError::sqlite(&path, &error);
        abort_point("before-close");
        // A reader may keep part of the log in use; that is no failure.
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(fail)?;
        conn.close().map_err(|(_, error)| fail(error))
    }
}
