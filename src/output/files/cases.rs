//! The cases of a ledger as NDJSON, one object each.

use super::error::FileError;
use super::line::{CaseLine, export_json};
use super::target::Target;

/// Cases as `export --json` writes them.
#[derive(Debug)]
pub struct CasesFile(Target);

impl CasesFile {
    /// Begins the file, empty.
    pub fn begin(mut target: Target) -> Result<Self, FileError> {
        target.begin(b"")?;
        Ok(Self(target))
    }

    /// Adds a case.
    pub fn case(&mut self, case: &CaseLine<'_>) {
        self.0.row(format!("{}\n", export_json(case)).as_bytes());
    }

    /// Closes the file, and tells how many cases it has or what went wrong
    /// with it meanwhile.
    pub fn finish(self) -> Result<u64, FileError> {
        self.0.finish()
    }
}
