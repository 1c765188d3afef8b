//! The one writer of a run: a thread that owns the connection, commits what is
//! waiting together, and answers only when it is on the disk.

use std::iter;
use std::path::Path;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::{AtPath as _, LedgerErrorKind};
use super::file::{self, Ledger, end_reading, in_transaction};
use super::{
    Claim, ClaimError, ClaimRequest, LedgerError, LedgerLock, RunEnd, RunId, RunStart, Settlement,
    claim, location, run, schema,
};
use crate::model::{Answer, Totals, Verdict, abort_point};

/// The most groups of statements in one commit, so that none waits too long.
const MAX_BATCH: usize = 256;

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

/// A group of statements, and the reply to its caller.
pub(super) struct Work(Statements);

type Statements = Box<dyn FnOnce(&Connection) -> (rusqlite::Result<()>, Reply) + Send>;

/// To be called after the commit. Returns work that undoes the group when
/// nobody waits for it any more.
type Reply = Box<dyn FnOnce() -> Option<Work> + Send>;

impl Ledger {
    /// Starts the writer. The lock is held until it has ended. Of imported cases
    /// payload and raw record are dropped unless `keep_payloads`.
    pub fn start(self, keep_payloads: bool) -> Result<Handle, LedgerError> {
        let Self { reader, lock, .. } = self;
        let path = reader.path;
        end_reading(&reader.conn)
            .and_then(|()| schema::limit_memory(&reader.conn))
            .at(&path)?;
        let (messages, inbox) = mpsc::channel();
        let failure = Arc::new(OnceLock::new());
        let writer = Writer {
            conn: reader.conn,
            path: Arc::clone(&path),
            file_id: location::file_id(&path).at(&path)?,
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
        let (path, keep_payloads) = (Arc::clone(&self.path), self.keep_payloads);
        let file_id = location::file_id(&path).at(&path)?;
        self.write("begin-run", move |conn| {
            run::begin(
                conn,
                &path.to_string_lossy(),
                file_id,
                &start,
                keep_payloads,
            )
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
        self.write("end-run", move |conn| {
            run::end(conn, run, &totals, &end, at)
        })
        .await
    }

    /// Claims a case: when it returns, the disk knows that the case may be in
    /// flight. When the caller stops waiting, the claim is released.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Claim, ClaimError> {
        let claimed = self
            .write_or_undo(
                "claim",
                move |conn| claim::claim(conn, &request),
                |claimed| {
                    let claim = claimed.ok()?;
                    Some(work(|conn| claim::release(conn, claim), |_| None).0)
                },
            )
            .await?;
        claimed.map_err(|now| ClaimError::Refused { now })
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
            .write("settle", move |conn| {
                claim::settle(conn, &claim, verdict, &answer, at, keep_payloads)
            })
            .await?;
        settled.ok_or_else(|| LedgerErrorKind::NotClaimed.at(&self.path))
    }

    /// Undoes a claim whose request was not begun.
    pub async fn release(&self, claim: Claim) -> Result<(), LedgerError> {
        let released = self
            .write("release", |conn| claim::release(conn, claim))
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
        statements: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.write_or_undo(step, statements, |_| None).await
    }

    /// Like [`Self::write`]; when the caller stops waiting, the writer then does
    /// what `undo` returns.
    pub(super) async fn write_or_undo<T: Send + 'static>(
        &self,
        step: &str,
        statements: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        undo: fn(T) -> Option<Work>,
    ) -> Result<T, LedgerError> {
        abort_point(format_args!("before-{step}"));
        let (work, answer) = work(statements, undo);
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

fn work<T: Send + 'static>(
    statements: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    undo: fn(T) -> Option<Work>,
) -> (Work, oneshot::Receiver<T>) {
    let (sender, answer) = oneshot::channel();
    let work = move |conn: &Connection| -> (rusqlite::Result<()>, Reply) {
        let (result, done) = match statements(conn) {
            Ok(done) => (Ok(()), Some(done)),
            Err(error) => (Err(error), None),
        };
        // After an error the reply is dropped, and the sender with it, when the
        // reason is known to the handles.
        let reply = Box::new(move || sender.send(done?).err().and_then(undo));
        (result, reply)
    };
    (Work(Box::new(work)), answer)
}

struct Writer {
    conn: Connection,
    path: Arc<Path>,
    /// Of the file that was opened, wherever its path leads now.
    file_id: i64,
    failure: Arc<OnceLock<LedgerError>>,
    _lock: LedgerLock,
}

impl Writer {
    fn run(self, inbox: &mpsc::Receiver<WriterMessage>) {
        while let Ok(first) = inbox.recv() {
            let mut batch = Vec::new();
            let mut closing = None;
            for message in iter::once(first).chain(inbox.try_iter()).take(MAX_BATCH) {
                match message {
                    WriterMessage::Work(work) => batch.push(work),
                    WriterMessage::Close(reply) => {
                        closing = Some(reply);
                        break;
                    }
                }
            }
            while !batch.is_empty() {
                batch = self.commit(batch);
            }
            if let Some(reply) = closing {
                // The caller may have gone.
                let _ = reply.send(self.close());
                return;
            }
        }
    }

    /// All of the batch in one commit. Returns what undoes the work that nobody
    /// waits for any more.
    fn commit(&self, batch: Vec<Work>) -> Vec<Work> {
        if self.failure.get().is_some() {
            return Vec::new();
        }
        let mut batch = batch.into_iter();
        let mut replies = Vec::with_capacity(batch.len());
        if let Err(error) = self.try_commit(&mut batch, &mut replies) {
            // Before batch and replies are dropped: the callers ask for it then.
            let _ = self.failure.set(error);
            return Vec::new();
        }
        replies.into_iter().filter_map(|reply| reply()).collect()
    }

    fn try_commit(
        &self,
        batch: &mut std::vec::IntoIter<Work>,
        replies: &mut Vec<Reply>,
    ) -> Result<(), LedgerError> {
        // What is committed to a file that was moved or deleted would be lost.
        if location::file_id(&self.path).ok() != Some(self.file_id) {
            return Err(LedgerErrorKind::Replaced.at(&self.path));
        }
        in_transaction(&self.conn, |conn| {
            for Work(statements) in batch {
                let (done, reply) = statements(conn);
                replies.push(reply);
                done?;
            }
            abort_point("before-commit");
            Ok(())
        })
        .at(&self.path)?;
        abort_point("after-commit");
        Ok(())
    }

    fn close(self) -> Result<(), LedgerError> {
        if let Some(failure) = self.failure.get() {
            return Err(failure.clone());
        }
        abort_point("before-close");
        file::close(self.conn, &self.path)
    }
}
