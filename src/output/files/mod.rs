//! The files that a run, a check and `export` leave: results, rejects, cases in
//! doubt, problems.
//!
//! All of them are opened before the first call, by an [`Opener`], and touched
//! only once all could be opened. Rows are written as they come, each by one
//! write, so that after a kill a file is whole up to its last row. A write that
//! fails ends its file and nothing else; it is told at the end, and `export`
//! can write the file anew.
//!
//! CSV files begin with a byte order mark and end in `caseload_escaped`, which
//! names the cells of the row that got a `'` because a spreadsheet would have
//! taken them for a formula. Headers are left as they are.
//!
//! What caseload may overwrite: see [`Registry`].

mod cases;
mod error;
mod formula;
mod in_doubt;
mod input;
mod kind;
mod line;
mod out_dir;
mod place;
mod problems;
mod raw;
mod registry;
mod rejects;
mod results;
mod run;
mod set;
mod table;
mod target;

#[cfg(test)]
mod tests;

pub use cases::CasesFile;
pub use error::{FileError, FileFault};
pub use in_doubt::InDoubt;
pub use input::{InputFile, Shape, ShapeSeen};
pub use kind::Kind;
pub use line::{CaseLine, export_json};
pub use out_dir::OutDir;
pub use problems::ProblemsFile;
pub use registry::Registry;
pub use rejects::Rejects;
pub use results::Results;
pub use run::RunFiles;
pub use set::{ExportFiles, Opened, Output, Wanted, Written, WrittenFile};
pub use target::{Flush, Opener, Target};
