//! The real binary: its input, its command line, and how it ends.

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

use super::checker::{Evidence, Rows, ServerLog, Stage};
use super::ledger_file;

/// A folder with an input and, after the first start, its ledger.
pub(crate) struct Workspace {
    pub(crate) folder: TempDir,
    pub(crate) keys: Vec<String>,
}

/// How one start of the binary ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The closing object; none after a crash.
    pub(crate) summary: Option<Value>,
}

impl Ended {
    pub(crate) fn stage(&self) -> Stage {
        let began = |summary: &Value| !summary["run"].is_null();
        match self.status.code() {
            // Interrupted before it looked at what a crash had left.
            Some(130) if !self.summary.as_ref().is_some_and(began) => Stage::Crashed,
            Some(_) => Stage::Ended,
            None => Stage::Crashed,
        }
    }

    /// Whether it finished its whole plan.
    pub(crate) fn finished(&self) -> bool {
        matches!(self.status.code(), Some(0 | 1 | 4))
    }
}

/// What ends a start of the binary.
pub(crate) enum EndBy {
    Itself,
    /// SIGKILL at this moment, if it still runs.
    Kill(Moment),
    /// SIGTERM, this many times.
    Terminate(Moment, u32),
}

/// A moment of a run: after some number of requests, if given, and then after
/// this time.
pub(crate) struct Moment {
    pub(crate) requests: Option<Receiver<()>>,
    pub(crate) then: Duration,
}

impl Workspace {
    /// An input of this many records, all of different content.
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

    /// Standard error of all starts so far.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// The arguments of the import, the same for every start.
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

    /// The same at full speed, which is only allowed on loopback.
    pub(crate) fn fast_arguments(&self, base_url: &str) -> Vec<String> {
        let mut arguments = self.arguments(base_url);
        arguments.push("--pace=1ms".to_owned());
        arguments
    }

    /// A command in this folder, with an environment of its own.
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

    pub(crate) fn binary(&self, arguments: &[String]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_caseload"));
        command.args(arguments);
        command
    }

    /// Asserts that all rules hold; `resend` as in [`Evidence`].
    pub(crate) fn check(&self, log: &ServerLog, resend: &[bool], stage: Stage, seed: u64) -> Rows {
        let rows = ledger_file::read(&self.ledger());
        let evidence = Evidence {
            keys: &self.keys,
            log,
            rows: &rows,
            resend,
            stage,
        };
        let violations = evidence.violations();
        let report: String = violations
            .iter()
            .map(|violation| evidence.explain(violation))
            .collect();
        assert!(
            violations.is_empty(),
            "seed {seed}, start {}: the promise is broken\n{report}\nstandard error:\n{}",
            resend.len() - 1,
            self.stderr()
        );
        rows
    }
}

/// Starts a command and waits for its end.
pub(crate) fn run(command: &mut Command, end: EndBy) -> Ended {
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (sender, ended) = channel::<()>();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        // A killed process closes its end like any other.
        let _ = stdout.read_to_string(&mut text);
        drop(sender);
        text
    });
    match end {
        EndBy::Itself => {}
        EndBy::Kill(moment) => {
            if wait_for(&moment, &ended) {
                child.kill().unwrap();
            }
        }
        EndBy::Terminate(moment, times) => {
            for _ in 0..times {
                if wait_for(&moment, &ended) {
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
fn wait_for(moment: &Moment, ended: &Receiver<()>) -> bool {
    let runs_after = |time| matches!(ended.recv_timeout(time), Err(RecvTimeoutError::Timeout));
    if let Some(requests) = &moment.requests {
        // Polling two channels in turns is precise enough for a random moment.
        while requests.try_recv().is_err() {
            if !runs_after(Duration::from_micros(50)) {
                return false;
            }
        }
    }
    runs_after(moment.then)
}

fn terminate(child: &Child) {
    // It was not waited for yet, so the process id is still its own.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
}
