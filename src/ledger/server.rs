//! A ledger on a `PostgreSQL` server: its connection, its statements, and the
//! right to run.
//!
//! What a transaction needs is set in the transaction, and no statement is
//! prepared by name, so that a pooler may give each transaction another
//! connection. Statements that are sent together take one round trip.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_executor::block_on;
use futures_util::future::{Either, FutureExt as _, join, join3, ready, try_join_all};
use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, ToSqlOutput, Value, ValueRef};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error, NoTls, Row, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::ServerAddress;
use super::database::{Database, Params, Result, Statement};
use super::error::{AtPath as _, LedgerErrorKind};
use super::look_alikes::Salt;
use super::{LedgerError, LedgerReader, platform, records, schema};

/// The oldest version that is used, as the server says it.
const OLDEST: i64 = 130_000;

/// A session with a server, connected when it is used, and again after it was
/// lost.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) address: ServerAddress,
    client: RefCell<Option<Arc<Client>>>,
    transaction: Cell<TransactionState>,
    /// Constant.
    pub(super) salt: OnceCell<Salt>,
    /// The name of the right to run, where it is ours.
    pub(super) token: RefCell<String>,
    /// The name of the run, and how many claims it has made.
    pub(super) run: RefCell<Option<String>>,
    pub(super) claims: Cell<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TransactionState {
    None,
    /// To be sent with the first statement.
    Begins(Mode),
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    /// Several statements that read and write: one such transaction at a time, as
    /// with a file.
    Write,
    /// One statement.
    Single,
}

impl Mode {
    fn begin(self) -> &'static str {
        match self {
            Self::Read => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                 SET LOCAL search_path TO caseload"
            }
            Self::Write => {
                // A machine that goes to sleep in it must not keep its locks.
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
                 SET LOCAL search_path TO caseload; SET LOCAL synchronous_commit TO on; \
                 SET LOCAL idle_in_transaction_session_timeout TO '5s'; \
                 SELECT pg_advisory_xact_lock(hashtext('caseload'))"
            }
            Self::Single => {
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
                 SET LOCAL search_path TO caseload; SET LOCAL synchronous_commit TO on; \
                 SET LOCAL idle_in_transaction_session_timeout TO '5s'"
            }
        }
    }
}

impl Server {
    pub(super) fn new(address: ServerAddress) -> Self {
        Self {
            address,
            client: RefCell::default(),
            transaction: Cell::new(TransactionState::None),
            salt: OnceCell::new(),
            token: RefCell::default(),
            run: RefCell::default(),
            claims: Cell::new(0),
        }
    }

    /// Refuses a server on which a commit can be lost, and a database that is
    /// no ledger of this version.
    pub(super) fn check(&self) -> Result<()> {
        if self.address.is_checked.load(Ordering::SeqCst) {
            return Ok(());
        }
        let settings = "SELECT current_setting('server_version_num')::bigint,
                               current_setting('fsync') = 'on', NOT pg_is_in_recovery(),
                               current_setting('server_encoding') = 'UTF8',
                               current_setting('default_transaction_read_only') = 'off'";
        let version = "SELECT schema FROM caseload.version";
        // Of a replica too.
        self.begin(Mode::Read);
        let read = self.round_trip(async |client| {
            let read = |sql| client.query_typed(sql, &[]);
            Ok(join(read(settings), read(version)).await)
        });
        self.roll_back();
        let (settings, version) = read?;
        let settings = settings?;
        let row = settings.first().ok_or(LedgerErrorKind::NotFound)?;
        let server: i64 = value(row, 0)?;
        if server < OLDEST {
            return Err(LedgerErrorKind::OldServer(server / 10_000));
        }
        for (is_safe, why) in [
            (value::<bool>(row, 1)?, "fsync is off"),
            (value(row, 2)?, "it is a replica that can only be read"),
            (value(row, 3)?, "its encoding is not UTF8"),
            (value(row, 4)?, "default_transaction_read_only is on"),
        ] {
            if !is_safe {
                return Err(LedgerErrorKind::UnsafeServer(why));
            }
        }
        match version?.first().map(|row| value(row, 0)).transpose()? {
            Some(schema::VERSION) => self.address.is_checked.store(true, Ordering::SeqCst),
            Some(newer) => return Err(LedgerErrorKind::NewerSchema(newer)),
            None => return Err(LedgerErrorKind::NotALedger),
        }
        Ok(())
    }

    fn connected(&self) -> Result<Arc<Client>> {
        let usable = |client: &Arc<Client>| !client.is_closed();
        if let Some(client) = self.client.borrow().clone().filter(usable) {
            return Ok(client);
        }
        if self.transaction.get() == TransactionState::Open {
            let lost = "the connection was lost".to_owned();
            return Err(LedgerErrorKind::Disconnected(lost));
        }
        let idle = self.idle().take().filter(usable);
        let client = idle.map_or_else(|| connect(&self.address), Ok)?;
        self.client.replace(Some(Arc::clone(&client)));
        Ok(client)
    }

    fn idle(&self) -> MutexGuard<'_, Option<Arc<Client>>> {
        let idle = self.address.idle.lock();
        idle.unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a transaction with the next statement.
    pub(super) fn begin(&self, mode: Mode) {
        self.transaction.set(TransactionState::Begins(mode));
    }

    pub(super) fn is_autocommit(&self) -> bool {
        self.transaction.get() == TransactionState::None
    }

    pub(super) fn commit(&self) -> Result<()> {
        let committed = match self.transaction.get() {
            TransactionState::Open => self.run("COMMIT"),
            TransactionState::None | TransactionState::Begins(_) => Ok(()),
        };
        self.transaction.set(TransactionState::None);
        committed
    }

    pub(super) fn roll_back(&self) {
        let was = self.transaction.replace(TransactionState::None);
        if was == TransactionState::Open
            && let Some(client) = self.client.borrow().as_ref()
        {
            // Sent, and not waited for; the server undoes what it does not hear the
            // end of.
            let _ = client.batch_execute("ROLLBACK").now_or_never();
        }
    }

    /// Statements without values or results, in the transaction that is open.
    pub(super) fn run(&self, sql: &str) -> Result<()> {
        self.round_trip(async |client| client.batch_execute(sql).await)
    }

    /// The rows of a statement.
    pub(super) fn query(&self, sql: &str, values: Params<'_>) -> Result<Vec<Row>> {
        let mut rows = self.query_all(&[(sql, values)])?;
        Ok(rows.pop().unwrap_or_default())
    }

    /// The rows of each of some statements.
    pub(super) fn query_all(&self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>> {
        let prepared = prepared(statements)?;
        self.round_trip(async |client| {
            let queries = prepared
                .iter()
                .map(async |(sql, values)| client.query_typed(sql, &typed(values)).await);
            try_join_all(queries).await
        })
    }

    /// How many rows each of some statements has changed.
    pub(super) fn execute_all(&self, statements: &[Statement<'_>]) -> Result<Vec<u64>> {
        let prepared = prepared(statements)?;
        self.round_trip(async |client| {
            let statements = prepared
                .iter()
                .map(async |(sql, values)| client.execute_typed(sql, &typed(values)).await);
            try_join_all(statements).await
        })
    }

    /// Statements in the transaction that is open, or in one of their own, which
    /// is committed when this returns.
    fn round_trip<T>(
        &self,
        statements: impl AsyncFnOnce(&Client) -> std::result::Result<T, Error>,
    ) -> Result<T> {
        let client = self.connected()?;
        let transaction = self.transaction.get();
        let run = |sql: Option<&'static str>| match sql {
            Some(sql) => Either::Left(client.batch_execute(sql)),
            None => Either::Right(ready(Ok(()))),
        };
        let (begin, commit) = match transaction {
            TransactionState::Open => (None, None),
            TransactionState::Begins(mode) => (Some(mode.begin()), None),
            TransactionState::None => (Some(Mode::Single.begin()), Some("COMMIT")),
        };
        if let TransactionState::Begins(_) = transaction {
            self.transaction.set(TransactionState::Open);
        }
        // What is polled together is sent together.
        let together = join3(run(begin), statements(&client), run(commit));
        let done = in_time(self.address.patience(), together.map(Ok));
        if done.is_err() {
            // It is not known what became of it.
            self.client.replace(None);
        }
        let (begun, done, committed) = done?;
        begun?;
        let done = done?;
        committed?;
        Ok(done)
    }

    /// Takes the right to run, trying for this long.
    pub(super) fn lock(&self, patience: Duration) -> Result<Option<ServerLock>> {
        let token = records::new_mark();
        let lease = self.address.lease();
        let end = Instant::now() + patience;
        let holder = format!(
            "process {} on {}",
            std::process::id(),
            platform::host_name()
        );
        loop {
            let taken = self.query(
                "INSERT INTO lock (one, token, holder, lease, heartbeat)
                 VALUES (1, ?1, ?2, ?3, clock_timestamp())
                 ON CONFLICT (one) DO UPDATE SET
                   token = excluded.token, holder = excluded.holder, lease = excluded.lease,
                   heartbeat = excluded.heartbeat
                 WHERE lock.token = excluded.token OR
                       lock.heartbeat + lock.lease * interval '1 ms' < clock_timestamp()
                 RETURNING one",
                params![token, holder, lease.as_millis() as i64],
            )?;
            if !taken.is_empty() {
                self.token.replace(token.clone());
                return Ok(Some(ServerLock::start(&self.address, token, lease)?));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            thread::sleep(RETRY_AFTER.min(end.saturating_duration_since(Instant::now())));
        }
    }

    /// Renews the right to run, or finds out that it is lost; with some statements
    /// of the transaction that is open.
    pub(super) fn execute_in_run(&self, statements: &[Statement<'_>]) -> Result<Vec<u64>> {
        let token = self.token.borrow();
        let beat: Statement<'_> = (BEAT, params![*token]);
        let mut changed = self.execute_all(&[&[beat], statements].concat())?;
        match changed.remove(0) {
            0 => Err(LedgerErrorKind::TakenOver),
            _ => Ok(changed),
        }
    }

    pub(super) fn lock_holder(&self) -> Result<Option<LockHolder>> {
        let sql = "SELECT token, holder,
                          CAST(extract(epoch FROM clock_timestamp() - heartbeat) * 1000 AS bigint)
                   FROM lock";
        let rows = self.query(sql, params![])?;
        let holder = rows.first().map(|row| -> Result<LockHolder> {
            Ok(LockHolder {
                token: value(row, 0)?,
                holder: value(row, 1)?,
                silent_for: Duration::from_millis(value::<i64>(row, 2)?.max(0) as u64),
            })
        });
        holder.transpose()
    }

    /// Whether nobody has the right to run.
    pub(super) fn is_free(&self) -> Result<bool> {
        let sql = "SELECT 1 FROM lock
                   WHERE heartbeat + lease * interval '1 ms' >= clock_timestamp()";
        Ok(self.query(sql, params![])?.is_empty())
    }
}

/// Who has the right to run on a server.
#[derive(Debug)]
pub(crate) struct LockHolder {
    token: String,
    /// Process and host.
    pub(crate) holder: String,
    pub(crate) silent_for: Duration,
}

impl LedgerReader {
    /// Of a ledger on a server.
    pub(crate) fn lock_holder(&self) -> std::result::Result<Option<LockHolder>, LedgerError> {
        let Database::Server(server) = &self.db else {
            return Err(LedgerErrorKind::NothingToUnlock.at(self.path()));
        };
        server.lock_holder().at(self.path())
    }

    /// Takes the right to run away from whoever has it.
    pub(crate) fn unlock(&self, holder: &LockHolder) -> std::result::Result<(), LedgerError> {
        let sql = "DELETE FROM lock WHERE token = ?1";
        self.db
            .execute(sql, params![holder.token])
            .map(drop)
            .at(self.path())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_autocommit() {
            *self.idle() = self.client.take();
        }
    }
}

const BEAT: &str = "UPDATE lock SET heartbeat = clock_timestamp() WHERE token = ?1";

/// How often the right to run is tried.
const RETRY_AFTER: Duration = Duration::from_millis(250);

impl ServerAddress {
    /// How long the right to run outlasts a heartbeat. A call leaves within half
    /// of it and takes no longer than the other half, so none is under way when
    /// another run takes over.
    pub(super) fn lease(&self) -> Duration {
        self.call_timeout * 2
    }
}

/// The right to run, until it is dropped, or its heart does not beat.
#[derive(Debug)]
pub(super) struct ServerLock {
    /// Ends when the sender is dropped.
    heart: Option<(mpsc::Sender<()>, thread::JoinHandle<()>)>,
}

impl ServerLock {
    fn start(address: &ServerAddress, token: String, lease: Duration) -> Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let address = address.clone();
        let heart = thread::Builder::new()
            .name("heartbeat".to_owned())
            .spawn(move || beat(&Server::new(address), &token, lease / 6, &stopped))?;
        Ok(Self {
            heart: Some((stop, heart)),
        })
    }
}

impl Drop for ServerLock {
    fn drop(&mut self) {
        // The right is free when this returns; a thread that panicked leaves it to
        // its lease.
        let heart = self.heart.take().map(|(_stop, heart)| heart);
        let _ = heart.map(thread::JoinHandle::join);
    }
}

fn beat(server: &Server, token: &str, interval: Duration, stopped: &mpsc::Receiver<()>) {
    let (mut is_heard, mut next) = (true, interval);
    while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(next) {
        // A claim finds out when the right is lost.
        is_heard = server.query(BEAT, params![token]).is_ok();
        next = if is_heard { interval } else { interval / 10 };
    }
    if is_heard {
        let _ = server.query("DELETE FROM lock WHERE token = ?1", params![token]);
    }
}

/// What serves the connections, and keeps their time.
static CONNECTIONS: LazyLock<Result<Handle>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("postgres".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
});

fn connect(address: &ServerAddress) -> Result<Arc<Client>> {
    match &address.tls {
        Some(tls) => connect_by(address, MakeRustlsConnect::new(tls.as_ref().clone())),
        None => connect_by(address, NoTls),
    }
}

/// The connection is served until its client is dropped.
fn connect_by<T>(address: &ServerAddress, tls: T) -> Result<Arc<Client>>
where
    T: MakeTlsConnect<Socket, Stream: Send + 'static>,
{
    let (client, connection) = in_time(address.patience(), address.config.connect(tls))?;
    let served = connection.map(drop);
    CONNECTIONS.as_ref().map_err(Clone::clone)?.spawn(served);
    Ok(Arc::new(client))
}

/// A server that does not answer in time, as one that is frozen, is gone.
fn in_time<T>(
    patience: Duration,
    answer: impl Future<Output = std::result::Result<T, Error>>,
) -> Result<T> {
    let _serving = CONNECTIONS.as_ref().map_err(Clone::clone)?.enter();
    let answer = block_on(async { timeout(patience, answer).await });
    let silent = |_| format!("it has not answered for {} s", patience.as_secs());
    Ok(answer
        .map_err(silent)
        .map_err(LedgerErrorKind::Unreachable)??)
}

/// As the server takes them.
fn prepared(statements: &[Statement<'_>]) -> Result<Vec<(String, Vec<Parameter>)>> {
    let prepared = statements
        .iter()
        .map(|(sql, values)| Ok((numbered(sql), parameters(values)?)));
    prepared.collect()
}

fn parameters(values: Params<'_>) -> Result<Vec<Parameter>> {
    let value = |value: &&dyn rusqlite::ToSql| match value.to_sql()? {
        ToSqlOutput::Owned(value) => Ok(Parameter(value)),
        ToSqlOutput::Borrowed(value) => {
            Ok(Parameter(value.try_into().map_err(rusqlite::Error::from)?))
        }
        _ => Err(LedgerErrorKind::Server("unknown type of value".to_owned())),
    };
    values.iter().map(value).collect()
}

fn typed(values: &[Parameter]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    let typed = values.iter().map(|value| (value as _, value.type_of()));
    typed.collect()
}

/// Values are `?1` or, one after the other, `?` in a statement of the ledger;
/// `PostgreSQL` counts them.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for (part, count) in parts.zip(1..) {
        numbered.push('$');
        if !part.starts_with(|char: char| char.is_ascii_digit()) {
            numbered.push_str(&count.to_string());
        }
        numbered.push_str(part);
    }
    numbered
}

/// What a column of a row holds.
pub(super) fn value<T: FromSql>(row: &Row, column: usize) -> Result<T> {
    let Raw(raw) = row.try_get(column)?;
    let value = match (raw, row.columns()[column].type_()) {
        (None, _) => ValueRef::Null,
        (Some(raw), &Type::BOOL) => ValueRef::Integer(i64::from(raw != [0])),
        (Some(raw), &Type::INT8) => ValueRef::Integer(i64::from_be_bytes(
            raw.try_into()
                .map_err(FromSqlError::other)
                .map_err(rusqlite::Error::from)?,
        )),
        (Some(raw), &Type::BYTEA) => ValueRef::Blob(raw),
        (Some(raw), _) => ValueRef::Text(raw),
    };
    Ok(T::column_result(value).map_err(rusqlite::Error::from)?)
}

/// The bytes of a column, none where it is null.
struct Raw<'r>(Option<&'r [u8]>);

impl<'r> tokio_postgres::types::FromSql<'r> for Raw<'r> {
    fn from_sql(_: &Type, raw: &'r [u8]) -> std::result::Result<Self, BoxedError> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, BoxedError> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

type BoxedError = Box<dyn std::error::Error + Sync + Send>;

/// A value on its way to the server.
#[derive(Debug)]
struct Parameter(Value);

impl Parameter {
    /// The type of a null follows from where it stands.
    fn type_of(&self) -> Type {
        match self.0 {
            Value::Null => Type::UNKNOWN,
            Value::Integer(_) => Type::INT8,
            Value::Real(_) => Type::FLOAT8,
            Value::Text(_) => Type::TEXT,
            Value::Blob(_) => Type::BYTEA,
        }
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, BoxedError> {
        match &self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Integer(number) => number.to_sql(of, out),
            Value::Real(number) => number.to_sql(of, out),
            // The one character that PostgreSQL does not store.
            Value::Text(text) if text.contains('\0') => {
                text.replace('\0', "\u{fffd}").to_sql(of, out)
            }
            Value::Text(text) => text.to_sql(of, out),
            Value::Blob(bytes) => bytes.to_sql(of, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
