//! The binary as a process: started, signaled, waited for, and its output.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Terminal;

/// A command line that is not started yet.
pub struct Program {
    command: Command,
    input: Option<Vec<u8>>,
}

impl Program {
    pub(super) fn new(home: &Path) -> Self {
        Self::named(env!("CARGO_BIN_EXE_caseload"), home)
    }

    /// Another program, in the same folder and environment.
    pub(super) fn named(program: &str, home: &Path) -> Self {
        let mut command = Command::new(program);
        command
            .current_dir(home)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("TMPDIR", home.join("tmp"))
            .env("TZ", "UTC")
            .env("USER", "tess");
        Self {
            command,
            input: None,
        }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Standard output goes to this file.
    pub fn into_file(self, name: &str) -> Self {
        let script = format!("exec \"$0\" \"$@\" > {name}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]);
        Self {
            command: run_through(shell, &self.command),
            ..self
        }
    }

    /// Any write that makes a file larger than this many blocks of 512 bytes
    /// fails, as on a disk that is full.
    pub fn with_file_size_limit(self, blocks: u32) -> Self {
        let script = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]);
        Self {
            command: run_through(shell, &self.command),
            ..self
        }
    }

    /// Adds the arguments of a line as a shell splits it.
    pub fn through_a_shell(self, line: &str) -> Self {
        let script = format!("printf '%s\\0' {line}");
        let split = Command::new("sh").args(["-c", &script]).output().unwrap();
        let words = String::from_utf8(split.stdout).unwrap();
        let words: Vec<&str> = words.split_terminator('\0').collect();
        self.args(&words)
    }

    /// Standard input; empty by default.
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = Some(text.into());
        self
    }

    /// Starts it with pipes on both its outputs.
    pub fn start(mut self) -> Running {
        let input = self.input.take();
        self.command.stdin(match input {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        });
        let mut running = self.spawn();
        if let Some(input) = input {
            // The process may end without reading it.
            let _ = running.child.stdin.take().unwrap().write_all(&input);
        }
        running
    }

    /// Starts it on a terminal of its own.
    pub fn on_a_terminal(self) -> Terminal {
        self.on_a_terminal_of(200)
    }

    /// The same with so many columns.
    pub fn on_a_terminal_of(self, columns: u16) -> Terminal {
        Terminal::start(&self.command, columns)
    }

    fn spawn(mut self) -> Running {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let out = child.stdout.take().map(collect);
        let err = child.stderr.take().map(BufReader::new);
        // Only the child may hold the other ends of the pipes.
        drop(self.command);
        Running {
            child,
            out,
            err,
            read: String::new(),
        }
    }

    /// Runs it to its end.
    pub fn run(self) -> Done {
        self.start().wait()
    }

    /// Runs it with a standard output and error that nobody reads any more.
    pub fn run_with_closed_outputs(mut self) -> ExitStatus {
        let closed = || {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            writer
        };
        self.command
            .stdin(Stdio::null())
            .stdout(closed())
            .stderr(closed());
        self.command.status().unwrap()
    }
}

/// A command that `wrapper` starts, in the same folder and environment.
pub(super) fn run_through(mut wrapper: Command, command: &Command) -> Command {
    let environment = command.get_envs();
    wrapper
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .env_clear()
        .envs(environment.filter_map(|(name, value)| Some((name, value?))));
    wrapper
}

/// Reads everything, so that the other end never blocks.
fn collect(mut out: ChildStdout) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        text
    })
}

/// A running process. It is killed when it is dropped.
pub struct Running {
    child: Child,
    out: Option<JoinHandle<String>>,
    err: Option<BufReader<ChildStderr>>,
    /// What was read of standard error.
    read: String,
}

impl Running {
    /// Waits until a line on standard error contains this, and returns it.
    #[track_caller]
    pub fn wait_for(&mut self, part: &str) -> String {
        let err = self.err.as_mut().unwrap();
        loop {
            let mut line = String::new();
            let length = err.read_line(&mut line).unwrap();
            self.read.push_str(&line);
            assert!(length > 0, "it ended without {part:?}:\n{}", self.read);
            if line.contains(part) {
                return line;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Signals it again and again, as an impatient user does.
    pub fn signal_until_it_ends(mut self, signal: Signal) -> Done {
        while self.child.try_wait().unwrap().is_none() {
            self.signal(signal);
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        self.wait()
    }

    /// Kills it and waits for its end.
    pub fn kill(self) -> Done {
        self.signal(Signal::KILL);
        self.wait()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Done {
        if let Some(mut err) = self.err.take() {
            err.read_to_string(&mut self.read).unwrap();
        }
        let out = self.out.take().unwrap().join().unwrap();
        let status = self.child.wait().unwrap();
        Done {
            status,
            out,
            err: std::mem::take(&mut self.read),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that has ended, with its output.
#[derive(Debug)]
pub struct Done {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Done {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    /// Asserts that standard error contains this.
    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(self.err.contains(part), "{part:?} is not in:\n{self}");
        self
    }

    /// Asserts that standard error does not contain this.
    #[track_caller]
    pub fn never_says(self, part: &str) -> Self {
        assert!(!self.err.contains(part), "{part:?} is in:\n{self}");
        self
    }

    /// Asserts that standard output contains this.
    #[track_caller]
    pub fn prints(self, part: &str) -> Self {
        assert!(self.out.contains(part), "{part:?} is not in:\n{self}");
        self
    }

    /// Asserts that standard output does not contain this.
    #[track_caller]
    pub fn never_prints(self, part: &str) -> Self {
        assert!(!self.out.contains(part), "{part:?} is in:\n{self}");
        self
    }

    /// All documents on standard output.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}\n{self}")))
            .collect()
    }

    /// The closing object of an import. Its counts must add up, and its exit
    /// code must be the process's own.
    #[track_caller]
    pub fn summary(&self) -> Summary {
        let json = self.json().pop().unwrap_or_else(|| panic!("{self}"));
        assert_eq!(json["schema"], 1, "{self}");
        assert_eq!(json["command"], "import", "{self}");
        let exit_code = self.status.code().map(i64::from);
        assert_eq!(json["exit_code"].as_i64(), exit_code, "{self}");
        let summary = Summary(json);
        let counted: u64 = COUNTS.iter().map(|name| summary.of(name)).sum();
        let total = summary.of("total");
        assert_eq!(counted, total, "each record is in one count: {self}");
        summary
    }

    /// Asserts the reason why a run stopped.
    #[track_caller]
    pub fn stopped(self, part: &str) -> Self {
        let summary = self.summary();
        assert!(summary.text("stopped").contains(part), "{part:?}: {self}");
        self
    }

    /// Asserts all counts of an import at once; those not named are 0.
    #[track_caller]
    pub fn counts(self, expected: &[(&str, u64)]) -> Self {
        let summary = self.summary();
        for (name, _) in expected {
            assert!(COUNTS.contains(name), "{name} is not a count");
        }
        for name in COUNTS {
            let expected = expected.iter().find(|(named, _)| *named == name);
            let expected = expected.map_or(0, |(_, number)| *number);
            assert_eq!(summary.of(name), expected, "{name}: {self}");
        }
        self
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}\n--- standard output\n{}--- standard error\n{}",
            self.status, self.out, self.err
        )
    }
}

/// The counts of an import: each record is in exactly one of them.
const COUNTS: [&str; 9] = [
    "imported",
    "already_imported",
    "rejected",
    "not_sent",
    "in_doubt",
    "changed",
    "held",
    "problems",
    "untried",
];

/// The closing object of an import.
#[derive(Debug)]
pub struct Summary(pub Value);

impl Summary {
    #[track_caller]
    pub fn of(&self, name: &str) -> u64 {
        let number = self.0[name].as_u64();
        number.unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    pub fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// The commands to run next.
    pub fn next(&self) -> Vec<&str> {
        let next = self.0["next"].as_array().unwrap();
        next.iter().map(|next| next.as_str().unwrap()).collect()
    }
}
