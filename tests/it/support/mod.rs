//! Runs the real binary in a home of its own: a fresh folder that is working
//! directory, home and state folder at once, and an environment with nothing
//! in it that a developer's machine or a CI job may have set.

// Every test file uses a part of it.
#![allow(dead_code, unused_imports, unreachable_pub, clippy::unwrap_used)]

mod api;
mod ledger;
mod program;
mod sandbox;
mod terminal;

use std::path::{Path, PathBuf};

pub use api::{create, creating_server, key, keys, keys_in_order};
pub use ledger::{Case, LedgerFile};
pub use program::{Done, Program, Running, Summary};
pub use sandbox::Sandbox;
pub use terminal::Terminal;

/// The key that every run into a server carries.
pub const KEY: &str = "pk_test_5f1d0c";

/// A folder with everything that a run reads and writes.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// A new one, empty.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
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

    /// Writes a file that only its owner can read, as a key has to be.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// `cases.csv` with this many cases: `c1`, `c2`, …, each of firm `f1`.
    pub fn cases(&self, number: usize) -> PathBuf {
        let rows: Vec<String> = (1..=number)
            .map(|n| format!("c{n},f1,Name {n}\n"))
            .collect();
        self.write(
            "cases.csv",
            "id,partnerFirmId,name\n".to_owned() + &rows.concat(),
        )
    }

    /// `caseload` with these words behind it.
    pub fn caseload(&self, words: &[&str]) -> Program {
        Program::new(self.folder.path()).args(words)
    }

    /// A command as it was printed.
    pub fn printed(&self, command: &str) -> Program {
        let words = command.strip_prefix("caseload ").unwrap();
        self.caseload(&[])
            .through_a_shell(words)
            .env("LEXAMICA_PUBLIC_KEY", KEY)
    }

    /// An import of `cases.csv` into a server, without a question, at full
    /// speed, into `ledger.db`, which is made when it isn't there.
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

    /// The same with the usual output, at the usual pace.
    pub fn import_for_people(&self, url: &str, files: &[&str]) -> Program {
        let program = self
            .caseload(&["import"])
            .args(files)
            .args(&["--base-url", url, "--map-id", "m1", "--key-column", "id"])
            .args(&["--ledger", "ledger.db", "--yes"])
            .env("LEXAMICA_PUBLIC_KEY", KEY);
        if self.path("ledger.db").exists() {
            program
        } else {
            program.arg("--new-ledger")
        }
    }

    /// `ledger.db` as it stands.
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
}

/// A file of the repository's `examples`.
pub fn example(name: &str) -> String {
    format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"))
}
