//! The binary as a process: started, waited for, signalled, read.

use std::io::{BufRead as _, BufReader, PipeWriter, Read as _, Write as _};
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
        let mut command = Command::new(env!("CARGO_BIN_EXE_caseload"));
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

    pub fn arg(mut self, word: &str) -> Self {
        self.command.arg(word);
        self
    }

    pub fn arg_os(mut self, word: &std::ffi::OsStr) -> Self {
        self.command.arg(word);
        self
    }

    pub fn args(mut self, words: &[&str]) -> Self {
        self.command.args(words);
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

    /// No file that it writes may become larger than so many blocks of 512
    /// bytes: a write beyond that fails, as on a disk that fails.
    pub fn with_small_files(self, blocks: u32) -> Self {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .arg(self.command.get_program())
            .args(self.command.get_args())
            .current_dir(self.command.get_current_dir().unwrap())
            .env_clear()
            .envs((self.command.get_envs()).filter_map(|(name, value)| Some((name, value?))));
        Self { command, ..self }
    }

    /// The words of a line as a shell takes them.
    pub fn through_a_shell(self, line: &str) -> Self {
        let script = format!("printf '%s\\0' {line}");
        let split = Command::new("sh").args(["-c", &script]).output().unwrap();
        let words = String::from_utf8(split.stdout).unwrap();
        let words: Vec<&str> = words.split_terminator('\0').collect();
        self.args(&words)
    }

    /// What stands on standard input; nothing, unless it is said.
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = Some(text.into());
        self
    }

    /// Starts it with pipes on both its outputs.
    pub fn start(mut self) -> Running {
        self.command.stdin(if self.input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        let input = self.input.take();
        let mut running = self.spawn();
        if let Some(input) = input {
            // One that ends without reading is none of the writer's business.
            let _ = running.child.stdin.take().unwrap().write_all(&input);
        }
        running
    }

    /// Starts it on a terminal of its own.
    pub fn on_a_terminal(self) -> Terminal {
        Terminal::start(&self.command)
    }

    fn spawn(mut self) -> Running {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let out = child.stdout.take().map(collect);
        let err = child.stderr.take().map(BufReader::new);
        // Its ends of the pipes are the child's alone.
        drop(self.command);
        Running {
            child,
            out,
            err,
            told: String::new(),
        }
    }

    /// Starts it with a standard input that stays open and says nothing.
    pub fn start_with_open_input(mut self) -> (Running, PipeWriter) {
        let (reader, writer) = std::io::pipe().unwrap();
        self.command.stdin(reader);
        (self.spawn(), writer)
    }

    /// Runs it to its end.
    pub fn run(self) -> Done {
        self.start().wait()
    }

    /// Runs it with a standard output and error that nobody reads any more.
    pub fn run_unheard(mut self) -> ExitStatus {
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

/// Reads all that comes, so that the other end never waits.
fn collect(mut out: ChildStdout) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        text
    })
}

/// A process under way. It is killed when it is dropped.
pub struct Running {
    child: Child,
    out: Option<JoinHandle<String>>,
    err: Option<BufReader<ChildStderr>>,
    told: String,
}

impl Running {
    /// Waits until a line on standard error holds this.
    pub fn wait_for(&mut self, part: &str) {
        let err = self.err.as_mut().unwrap();
        loop {
            let mut line = String::new();
            let length = err.read_line(&mut line).unwrap();
            self.told.push_str(&line);
            assert!(length > 0, "it ended without {part:?}:\n{}", self.told);
            if line.contains(part) {
                return;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Done {
        if let Some(mut err) = self.err.take() {
            err.read_to_string(&mut self.told).unwrap();
        }
        let out = self.out.take().unwrap().join().unwrap();
        let status = self.child.wait().unwrap();
        Done {
            status,
            out,
            err: std::mem::take(&mut self.told),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that has ended, and all that it said.
#[derive(Debug)]
pub struct Done {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Done {
    /// Asserts how it ended.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    /// Asserts that people are told this.
    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(self.err.contains(part), "{part:?} is not in:\n{self}");
        self
    }

    /// Asserts that people are not told this.
    #[track_caller]
    pub fn never_says(self, part: &str) -> Self {
        assert!(!self.err.contains(part), "{part:?} is in:\n{self}");
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

    /// The closing object of an import, which must add up and name the
    /// process's own exit code.
    #[track_caller]
    pub fn summary(&self) -> Summary {
        let json = self.json().pop().unwrap_or_else(|| panic!("{self}"));
        assert_eq!(json["schema"], 1, "{self}");
        assert_eq!(json["command"], "import", "{self}");
        assert_eq!(
            json["exit_code"].as_i64(),
            self.status.code().map(i64::from),
            "{self}"
        );
        let summary = Summary(json);
        let counted: u64 = Summary::PLACES.iter().map(|name| summary.of(name)).sum();
        assert_eq!(
            counted,
            summary.of("total"),
            "each record in one count: {self}"
        );
        summary
    }

    /// Asserts why a run says that it stopped.
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
            assert!(Summary::PLACES.contains(name), "{name} is no count");
        }
        for name in Summary::PLACES {
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

/// The closing object of an import.
#[derive(Debug)]
pub struct Summary(pub Value);

impl Summary {
    /// The counts of which each record is in exactly one.
    pub const PLACES: [&str; 8] = [
        "imported",
        "already_imported",
        "rejected",
        "not_sent",
        "in_doubt",
        "changed",
        "problems",
        "untried",
    ];

    #[track_caller]
    pub fn of(&self, name: &str) -> u64 {
        self.0[name]
            .as_u64()
            .unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    pub fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// The commands that go on.
    pub fn next(&self) -> Vec<&str> {
        let next = self.0["next"].as_array().unwrap();
        next.iter().map(|next| next.as_str().unwrap()).collect()
    }
}
