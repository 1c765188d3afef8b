//! The files that `check`, `import` and `export` write: results, rejects, cases
//! in doubt, problems, and the log of runs.
//!
//! All of them are opened before the first call. Each row of a run is one write,
//! so after a kill a file is complete up to its last row. A failed write ends
//! its file and nothing else; it is reported at the end, and `export` can write
//! the file again from the ledger.

mod case_files;
mod log;
mod output_file;
mod rows;
mod source;
mod table;
mod workbook;

#[cfg(test)]
mod tests;

pub(crate) use case_files::{
    CaseFiles, OutputPaths, RunDirectory, RunFiles, WrittenFiles, case_json,
};
pub(crate) use log::RunLog;
pub(crate) use output_file::{FlushPolicy, OutputFileError, OutputOpener};
pub(crate) use rows::{EventsFile, ProblemsFile, UnsavedFile};
pub(crate) use source::{RecordShape, ShapeDetector, SourceFile};
