//! The real binary: its input, its command, and its end.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::checker::{Book, Rows, Stage, Truth};
use super::ledger;

/// A folder with an input, and the ledger that comes to lie beside it.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) keys: Vec<String>,
}

/// How a start of the binary ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The closing object; none after a crash.
    pub(crate) summary: Option<Value>,
}

impl Ended {
    /// What may be expected of the ledger now.
    pub(crate) fn stage(&self) -> Stage {
        let began = |summary: &Value| !summary["run"].is_null();
        match self.status.code() {
            // Interrupted before it looked at what a crash has left.
            Some(130) if !self.summary.as_ref().is_some_and(began) => Stage::Crashed,
            Some(_) => Stage::Ended,
            None => Stage::Crashed,
        }
    }

    /// Whether it went through its whole plan.
    pub(crate) fn finished(&self) -> bool {
        matches!(self.status.code(), Some(0 | 1 | 4))
    }
}

/// How it is to end, if not by itself.
pub(crate) enum Until {
    Itself,
    /// SIGKILL after this, if it runs for so long.
    Killed(When),
    /// SIGTERM, and perhaps another.
    Told(When, u32),
}

/// A moment of a run: after so many requests, if any are named, and then this
/// long.
pub(crate) struct When {
    pub(crate) requests: Option<Receiver<()>>,
    pub(crate) then: Duration,
}

impl Scene {
    /// An input of so many records, no two of the same content.
    pub(crate) fn new(records: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<String> = (0..records).map(|number| format!("c{number:04}")).collect();
        let mut table = "id,FirstName,LastName\n".to_owned();
        for key in &keys {
            let _ = writeln!(table, "{key},Ada,Lovelace-{key}");
        }
        std::fs::write(folder.path().join("cases.csv"), table).unwrap();
        Self { folder, keys }
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub(crate) fn rows(&self) -> Rows {
        ledger::read(&self.ledger())
    }

    /// Standard error of every start so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// The import's arguments, made to be started again with.
    pub(crate) fn arguments(&self, base_url: &str) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "import",
            "cases.csv",
            "--ledger=ledger.db",
            "--map-id=map_1",
            "--key-column=id",
            "--partner-firm-id=firm_1",
            "--yes",
            "--output=json",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--base-url={base_url}"));
        if !self.ledger().exists() {
            arguments.push("--new-ledger".to_owned());
        }
        arguments
    }

    /// The same as fast as it goes, which is only for a server on this machine.
    pub(crate) fn fast_arguments(&self, base_url: &str) -> Vec<String> {
        let mut arguments = self.arguments(base_url);
        arguments.push("--pace=1ms".to_owned());
        arguments
    }

    /// A command in this folder and nobody's environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let errors = File::options()
            .append(true)
            .create(true)
            .open(self.folder.path().join("stderr"))
            .unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("LEXAMICA_PUBLIC_KEY", "pk_of_the_proof")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors);
        command
    }

    /// The binary with these arguments.
    pub(crate) fn binary(&self, arguments: &[String]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_caseload"));
        command.args(arguments);
        command
    }

    /// What must hold, or a panic that says what does not.
    pub(crate) fn check(&self, book: &Book, resend: &[bool], stage: Stage, seed: u64) -> Rows {
        let rows = self.rows();
        let truth = Truth {
            keys: &self.keys,
            book,
            rows: &rows,
            resend,
            stage,
        };
        let breaches = truth.breaches();
        let told: String = breaches
            .iter()
            .map(|breach| truth.explain(breach))
            .collect();
        assert!(
            breaches.is_empty(),
            "seed {seed}, start {}: the promise is broken\n{told}\nit said:\n{}",
            resend.len() - 1,
            self.said()
        );
        rows
    }
}

/// Starts a command and waits for its end.
pub(crate) fn run(command: &mut Command, until: Until) -> Ended {
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (sender, ended) = channel::<()>();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        // A process that is killed closes its end like any other.
        let _ = stdout.read_to_string(&mut text);
        drop(sender);
        text
    });
    match until {
        Until::Itself => {}
        Until::Killed(when) => {
            if comes(&when, &ended) {
                child.kill().unwrap();
            }
        }
        Until::Told(when, times) => {
            for _ in 0..times {
                if comes(&when, &ended) {
                    terminate(&child);
                }
            }
        }
    }
    let status = child.wait().unwrap();
    let text = reader.join().unwrap();
    let last = text.lines().last();
    Ended {
        status,
        summary: last.and_then(|line| serde_json::from_str(line).ok()),
    }
}

/// Waits for a moment; false when the process ended before.
fn comes(when: &When, ended: &Receiver<()>) -> bool {
    let pause = |time| matches!(ended.recv_timeout(time), Err(RecvTimeoutError::Timeout));
    if let Some(requests) = &when.requests {
        // Both are channels; looking at them in turns is close enough.
        while requests.try_recv().is_err() {
            if !pause(Duration::from_micros(50)) {
                return false;
            }
        }
    }
    pause(when.then)
}

fn terminate(child: &Child) {
    // Not waited for yet, so the number is still its own.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
}
