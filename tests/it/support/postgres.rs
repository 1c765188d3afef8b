//! `PostgreSQL` clusters of the tests' own, and what their databases hold, read
//! with none of the code under test.
//!
//! Where `PostgreSQL` is not installed there is none, and what needs one says so.

// The proof uses a part of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::{NoTls, SimpleQueryMessage};

/// Starts a cluster in a new folder, prints the folder, and ends both with its
/// standard input: when the process at the other end ends, however it does.
const KEEPER: &str = r#"
trap '' INT TERM HUP
folder=$(mktemp -d /tmp/caseload-postgres.XXXXXX) && cd "$folder" || exit 1
"$0/initdb" --pgdata data --username postgres --auth trust --encoding UTF8 --locale C \
  --no-sync > log 2>&1
cat >> data/postgresql.conf << END
port = $1
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
max_connections = 300
shared_buffers = 16MB
END
cat > data/pg_hba.conf << END
host all locked all scram-sha-256
local all all trust
host all all 127.0.0.1/32 trust
END
cat > pooler.ini << END
[databases]
* = host=127.0.0.1 port=$1
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $3
unix_socket_dir =
auth_type = trust
auth_file = users
pool_mode = transaction
default_pool_size = 2
server_round_robin = 1
logfile = pooler.log
END
printf '"postgres" ""\n"paralegal" ""\n' > users
"$0/pg_ctl" --pgdata data --log log --wait start >> log 2>&1 && echo "$folder" || cat log >&2
test -z "$2" || "$2" -q pooler.ini < /dev/null &
cat > /dev/null
test -z "$2" || kill $! 2> /dev/null
test ! -e frozen || kill -CONT $(cat frozen) 2> /dev/null
"$0/pg_ctl" --pgdata data --mode immediate --wait stop >> log 2>&1
cd / && rm -rf "$folder"
"#;

/// A running server. It ends when it is dropped.
pub struct Cluster {
    keeper: Child,
    programs: PathBuf,
    folder: PathBuf,
    pub port: u16,
    /// That of a pooler, which gives each transaction any of its two connections.
    pooler_port: Option<u16>,
    databases: AtomicU32,
}

impl Cluster {
    /// The one of this test process, with a pooler where one is installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        let pooler = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .into_iter()
            .find(|program| Path::new(program).exists());
        let shared = SHARED.get_or_init(|| Self::start_with(pooler)).as_ref();
        if shared.is_none() {
            Self::skip();
        }
        shared
    }

    /// What a test says that needs one where there is none.
    pub fn skip() {
        println!("skipped: PostgreSQL is not installed");
    }

    /// One for a test that stops it or changes its settings.
    pub fn start() -> Option<Self> {
        Self::start_with(None)
    }

    fn start_with(pooler: Option<&str>) -> Option<Self> {
        let programs = programs()?;
        // Another process may take the port meanwhile.
        let started = (0..3).find_map(|_| Self::try_start(&programs, pooler));
        Some(started.expect("a cluster of PostgreSQL starts"))
    }

    fn try_start(programs: &Path, pooler: Option<&str>) -> Option<Self> {
        let (port, pooler_port) = (free_port(), free_port());
        let mut keeper = as_its_user("sh")
            .args(["-c", KEEPER])
            .arg(programs)
            .arg(port.to_string())
            .arg(pooler.unwrap_or_default())
            .arg(pooler_port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut folder = String::new();
        let mut out = BufReader::new(keeper.stdout.take().unwrap());
        out.read_line(&mut folder).unwrap();
        let cluster = Self {
            keeper,
            programs: programs.to_owned(),
            folder: folder.trim_end().into(),
            port,
            pooler_port: pooler.map(|_| pooler_port),
            databases: AtomicU32::new(0),
        };
        if folder.is_empty() {
            return None;
        }
        let began = Instant::now();
        while let Some(port) = cluster.pooler_port
            && TcpStream::connect(("127.0.0.1", port)).is_err()
        {
            if began.elapsed() > Duration::from_secs(60) {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(cluster)
    }

    /// A new database.
    pub fn database(&self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        let name = format!("test{number}");
        let database = |name: &str| Database {
            port: self.port,
            name: name.to_owned(),
            url: address(self.pooler_port.unwrap_or(self.port), name),
            direct_url: address(self.port, name),
        };
        database("postgres").query(&format!("CREATE DATABASE {name}"));
        database(&name)
    }

    /// The address of a database by the socket.
    pub fn socket_url(&self, database: &Database) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!(
            "postgres://postgres@{folder}:{}/{}",
            self.port, database.name
        )
    }

    /// Stops it as a crash does.
    pub fn stop(&self) {
        self.stop_by("immediate");
    }

    pub fn stop_by(&self, mode: &str) {
        self.control(&["--mode", mode, "stop"]);
    }

    pub fn start_again(&self) {
        self.control(&["--log", "log", "start"]);
    }

    fn control(&self, args: &[&str]) {
        let program = self.programs.join("pg_ctl").display().to_string();
        let done = self
            .command(&program)
            .args(["--pgdata", "data", "--wait", "--silent"])
            .args(args)
            .stdout(Stdio::null())
            .status();
        assert!(done.unwrap().success(), "{args:?}");
    }

    /// Stops its processes where they are: it accepts connections, and never
    /// answers.
    pub fn freeze(&self) {
        self.shell(
            "main=$(head -n 1 data/postmaster.pid) && kill -STOP $main \
             && ps -A -o pid= -o ppid= | awk -v main=$main '$1 == main || $2 == main { print $1 }' \
             > frozen && kill -STOP $(cat frozen)",
        );
    }

    pub fn go_on(&self) {
        self.shell("kill -CONT $(cat frozen)");
    }

    /// Adds a line to its settings, for the next start.
    pub fn set(&self, line: &str) {
        self.shell(&format!("echo \"{line}\" >> data/postgresql.conf"));
    }

    /// A command in its folder, as its user.
    pub fn command(&self, program: &str) -> Command {
        let mut command = as_its_user("sh");
        command
            .args(["-c", r#"cd "$0" && exec "$@""#])
            .arg(&self.folder)
            .arg(program);
        command
    }

    /// Runs a script there.
    pub fn shell(&self, script: &str) {
        let done = self.command("sh").args(["-c", script]).status();
        assert!(done.unwrap().success(), "{script}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.keeper.stdin = None;
        let _ = self.keeper.wait();
    }
}

/// The newest installed version's.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let folders = versions.map(|version| version.path().join("bin"));
    folders
        .filter(|folder| folder.join("initdb").exists())
        .max()
}

/// `PostgreSQL` does not run as root.
fn as_its_user(program: &str) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        command.arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

/// A port that nothing listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn address(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

/// A database, in which a ledger may be.
pub struct Database {
    pub port: u16,
    pub name: String,
    /// For `--ledger`: through the pooler, if there is one.
    pub url: String,
    /// The same without the pooler.
    pub direct_url: String,
}

impl Database {
    /// The rows of the last statement, as text.
    pub fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let found = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.direct_url, NoTls).await?;
            let served = tokio::spawn(connection);
            let found = client.simple_query(sql).await;
            drop(client);
            served.await.unwrap()?;
            found
        });
        let messages = found.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        rows.map(|row| {
            let columns = (0..row.len()).map(|column| row.get(column).unwrap_or("-"));
            columns.map(str::to_owned).collect()
        })
        .collect()
    }

    /// The one value of a statement.
    #[track_caller]
    pub fn value(&self, sql: &str) -> String {
        let [row] = &self.query(sql)[..] else {
            panic!("not one row: {sql}")
        };
        row[0].clone()
    }

    /// The states of `c1`, `c2`, … in its ledger; `-` of those that it doesn't
    /// know.
    pub fn states(&self, number: usize) -> Vec<String> {
        let sql = |n: usize| {
            format!("SELECT (SELECT state FROM caseload.cases WHERE key IN ('c{n}', '[\"c{n}\"]'))")
        };
        (1..=number).map(|n| self.value(&sql(n))).collect()
    }

    /// How many cases of its ledger are in a state.
    pub fn number(&self, state: &str) -> usize {
        let sql = format!("SELECT count(*) FROM caseload.cases WHERE state = '{state}'");
        self.value(&sql).parse().unwrap()
    }

    /// Waits until the right to run has ended, since nothing is heard of the run.
    pub fn wait_until_lease_ends(&self) {
        self.wait_until(
            "SELECT heartbeat + lease * interval '1 ms' < clock_timestamp() FROM caseload.lock",
        );
    }

    /// Waits until a condition in SQL is true.
    #[track_caller]
    pub fn wait_until(&self, condition: &str) {
        let began = Instant::now();
        while self.value(&format!("SELECT ({condition})::int")) != "1" {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "never {condition}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
