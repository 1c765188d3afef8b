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
    /// What identifies each record, however its key is spelled.
    pub(crate) keys: Vec<String>,
    /// Where the ledger is now, in this folder.
    pub(crate) ledger: PathBuf,
    /// A folder or a file, and where it is mounted during a start, as the path
    /// to the ledger.
    pub(crate) mount: Option<(PathBuf, PathBuf)>,
    /// The keys of the input are spelled in several ways.
    pub(crate) rewritten: bool,
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
        let workspace = Self {
            folder: tempfile::tempdir().unwrap(),
            keys: (0..records).map(|number| format!("c{number:04}")).collect(),
            ledger: "ledger.db".into(),
            mount: None,
            rewritten: false,
        };
        workspace.write_input("", |_, key| key.to_owned());
        workspace
    }

    /// Writes the input: the same records, with keys in this spelling. A last
    /// name shows the server which record it is.
    pub(crate) fn write_input(&self, note: &str, spell: impl Fn(usize, &str) -> String) {
        let mut table = "id,FirstName,LastName,Note\n".to_owned();
        for (number, key) in self.keys.iter().enumerate() {
            let spelled = spell(number, key);
            let _ = writeln!(table, "{spelled},Ada,Lovelace-{key},{note}");
        }
        std::fs::write(self.folder.path().join("cases.csv"), table).unwrap();
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join(&self.ledger)
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
            "--map-id=map_1",
            "--key-column=id",
            "--partner-firm-id=firm_1",
            "--yes",
            "--output=json",
        ]
        .map(str::to_owned)
        .to_vec();
        let ledger = match &self.mount {
            None => self.ledger.clone(),
            Some((from, to)) if from.is_dir() => to.join("ledger.db"),
            Some((_, to)) => to.clone(),
        };
        arguments.push(format!("--ledger={}", ledger.display()));
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
        let binary = env!("CARGO_BIN_EXE_caseload");
        let mut command = match &self.mount {
            None => self.command(binary),
            // Only this process sees the mount, and it ends with it.
            Some((from, to)) => {
                let script = r#"mount --bind "$0" "$1" && shift && exec "$@""#;
                let mut command = self.command("unshare");
                command.args(["-m", "sh", "-c", script]).args([from, to]);
                command.arg(binary);
                command
            }
        };
        command.args(arguments);
        command
    }

    /// Asserts that all rules hold; `resend` as in [`Evidence`].
    pub(crate) fn check(&self, log: &ServerLog, resend: &[bool], stage: Stage, seed: u64) -> Rows {
        let rows = ledger_file::read(&self.ledger(), self.rewritten);
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
