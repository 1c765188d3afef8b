//! Ledgers for tests: the real binary imports made-up cases into a server on
//! bare sockets that answers each as its key says.

// Every test file uses a part of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

use crate::server::{Reaction, Request, Server, created, react, status};

/// A user with a home of their own, so with no ledger.
pub struct Home {
    dir: TempDir,
}

/// What the binary left.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The JSON documents on standard output.
    pub fn json(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect()
    }

    /// It ended with this code, else all it said is shown.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }
}

impl Home {
    pub fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
        }
    }

    /// The working directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    /// The binary in this home, with nothing of ours in its environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caseload"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("XDG_STATE_HOME", self.file("state"))
            .env("USER", "anna")
            .env("TZ", "UTC")
            .env("LEXAMICA_PUBLIC_KEY", "key-of-this-test")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(args))
    }

    /// Imports into a server, making the ledger where there is none.
    pub fn import(&self, server: &Server, args: &[&str]) -> Ran {
        let url = server.url();
        let first = !self.file("state").exists();
        let mut all = vec!["import", "--base-url", &url, "--map-id", "m1", "--yes"];
        all.extend(["--key-column", "LeadId", "--pace", "1ms..2ms"]);
        all.extend(first.then_some("--new-ledger"));
        all.extend(args);
        self.run(&all)
    }

    /// What was said, without what differs from run to run.
    pub fn steady(&self, text: &str) -> String {
        let folder = self.path().canonicalize().unwrap();
        let mut steady = text.replace(folder.to_str().unwrap(), "/home");
        for (pattern, name) in [
            (r"127\.0\.0\.1[:_]\d+(-[0-9a-f]{12})?", "HOST"),
            (r"[0-9a-f]{8}-[0-9a-f-]{27}", "LEDGER-ID"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME"),
            (
                r"(in doubt for|after) [0-9.]+ (s|min)( \d+ s)?",
                "$1 A WHILE",
            ),
            (r"anna on [^\s:,]+", "anna on MACHINE"),
        ] {
            steady = Regex::new(pattern)
                .unwrap()
                .replace_all(&steady, name)
                .into_owned();
        }
        steady
    }
}

pub fn ran(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A CSV of cases with these keys.
pub fn cases<'k>(keys: impl IntoIterator<Item = &'k str>) -> String {
    let rows: Vec<String> = keys
        .into_iter()
        .map(|key| format!("{key},firm_1,Renée,Okafor,Fell over {key}\n"))
        .collect();
    format!(
        "LeadId,partnerFirmId,FirstName,LastName,Summary\n{}",
        rows.concat()
    )
}

/// Answers by the start of the key: `doubt-…` 502, `bad-…` 422, any other is
/// made.
pub fn by_key(request: &Request) -> Reaction {
    match key_of(request) {
        key if key.starts_with("doubt") => status(502).html("gone \u{1b}[31mwrong").into(),
        key if key.starts_with("bad") => status(422)
            .json(r#"{"message":"unknown CaseType of Okafor"}"#)
            .into(),
        key => created(&format!("id-{key}")),
    }
}

/// The same for a server that has changed its mind: every case is made.
pub fn all_made(request: &Request) -> Reaction {
    created(&format!("id-{}", key_of(request)))
}

/// Tells `arrived` of each request, and never answers.
pub fn silent(arrived: std::sync::mpsc::Sender<()>) -> impl FnMut(&Request) -> Reaction + Send {
    move |_| {
        arrived.send(()).unwrap();
        react().silence()
    }
}

pub fn key_of(request: &Request) -> String {
    request.json()["LeadId"].as_str().unwrap().to_owned()
}

/// The keys that a server has got, in order.
pub fn keys_got(server: &Server) -> Vec<String> {
    server.requests().iter().map(key_of).collect()
}
