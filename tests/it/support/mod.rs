//! Runs the real binary in a home of its own: a new folder that is working
//! directory, home and state folder at once, and an environment without
//! anything that a developer's machine or a CI job may have set.

mod api;
mod ledger_file;
pub mod postgres;
mod program;
mod sandbox;
mod terminal;
pub mod webhooks;

use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

pub use api::{create, creating_server, keys, keys_in_order, mixed_server, silent_server};
pub use ledger_file::LedgerFile;
pub use program::{Done, Program};
pub use sandbox::Sandbox;
pub use terminal::Terminal;

/// The key that every run against a server carries.
pub const KEY: &str = "pk_test_5f1d0c";

/// A folder with everything that a run reads and writes.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// A new one, empty.
    pub fn new() -> Self {
        Self::at(&std::env::temp_dir())
    }

    /// The same, with a path that is as long on every machine.
    pub fn in_tmp() -> Self {
        Self::at(Path::new("/tmp"))
    }

    fn at(parent: &Path) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { folder }
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file that only its owner can read, as a key must be.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Makes a named pipe. Opening it waits until the other end is opened too.
    pub fn pipe(&self, name: &str) -> PathBuf {
        let pipe = self.path(name);
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        pipe
    }

    /// `cases.csv` with this many cases of firm `f1`: `c1`, `c2`, …
    pub fn cases(&self, number: usize) {
        let rows: Vec<String> = (1..=number)
            .map(|n| format!("c{n},f1,Name {n}\n"))
            .collect();
        self.write(
            "cases.csv",
            "id,partnerFirmId,name\n".to_owned() + &rows.concat(),
        );
    }

    /// A CSV of people's cases with these keys.
    pub fn people(&self, name: &str, keys: &[impl std::fmt::Display]) {
        let rows: Vec<String> = keys
            .iter()
            .map(|key| format!("{key},firm_1,Renée,Okafor,Fell over {key}\n"))
            .collect();
        let header = "id,partnerFirmId,FirstName,LastName,Summary\n";
        self.write(name, header.to_owned() + &rows.concat());
    }

    /// `caseload` with these arguments.
    pub fn caseload(&self, args: &[&str]) -> Program {
        Program::new(self.folder.path()).args(args)
    }

    /// A shell with these arguments, and `caseload` on its path.
    pub fn shell(&self, shell: &str, args: &[&str]) -> Program {
        let folder = Path::new(env!("CARGO_BIN_EXE_caseload")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        Program::named(shell, self.folder.path())
            .args(args)
            .env("PATH", &format!("{}:{path}", folder.display()))
    }

    /// `caseload` with these arguments, to its end.
    pub fn run(&self, args: &[&str]) -> Done {
        self.caseload(args).run()
    }

    /// A command as `caseload` printed it.
    pub fn printed(&self, command: &str) -> Program {
        let words = command.strip_prefix("caseload ").unwrap();
        self.caseload(&[])
            .through_a_shell(words)
            .env("LEXAMICA_PUBLIC_KEY", KEY)
    }

    /// An import of `cases.csv`, without a question and at full speed, into
    /// `ledger.db`, which it may create.
    pub fn import(&self, url: &str) -> Program {
        self.import_files(url, &["cases.csv"])
    }

    /// The same of other files.
    pub fn import_files(&self, url: &str, files: &[&str]) -> Program {
        self.import_for_people(url, files)
            .args(&["--pace", "1ms", "--output", "json"])
    }

    /// The same at a pace.
    pub fn import_at(&self, url: &str, pace: &str) -> Program {
        self.import_for_people(url, &["cases.csv"])
            .args(&["--pace", pace, "--output", "json"])
    }

    /// The same with human output, at the default pace.
    pub fn import_for_people(&self, url: &str, files: &[&str]) -> Program {
        let program = self
            .import_without_ledger_flags(url, files)
            .args(&["--ledger", "ledger.db"]);
        if self.path("ledger.db").exists() {
            program
        } else {
            program.arg("--new-ledger")
        }
    }

    /// The same into the ledger that caseload finds by itself.
    pub fn import_without_ledger_flags(&self, url: &str, files: &[&str]) -> Program {
        self.caseload(&["import"])
            .args(files)
            .args(&["--base-url", url, "--map-id", "m1", "--key-column", "id"])
            .arg("--yes")
            .env("LEXAMICA_PUBLIC_KEY", KEY)
    }

    /// What `ledger.db` holds.
    pub fn ledger(&self) -> LedgerFile {
        LedgerFile::read(&self.path("ledger.db"))
    }

    /// Every file below this folder.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    files.push(entry.path());
                }
            }
        }
        files.sort();
        files
    }

    /// A text for a snapshot: what differs from run to run is replaced.
    pub fn stable(&self, text: &str) -> String {
        let folder = self.folder.path().canonicalize().unwrap();
        let mut stable = text.replace(folder.to_str().unwrap(), "/home");
        for (pattern, name) in [
            (r"127\.0\.0\.1[:_]\d+(-[0-9a-f]{12})?", "HOST"),
            (r"[0-9a-f]{8}-[0-9a-f-]{27}", "LEDGER-ID"),
            (r"\b[0-9a-f]{16}-\d+", "HASH-N"),
            (r"created \d{4}-\d\d-\d\d", "created DAY"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d UTC)?", "TIME"),
            (
                r"(in doubt for|after|imported in) [0-9.]+ (s|min)( \d+ s)?",
                "$1 DURATION",
            ),
            (r"tess on [^\s:,]+", "tess on MACHINE"),
        ] {
            let pattern = Regex::new(pattern).unwrap();
            stable = pattern.replace_all(&stable, name).into_owned();
        }
        stable
    }
}

/// A file of the repository's `examples`.
pub fn example(name: &str) -> String {
    format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"))
}
