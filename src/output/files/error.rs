//! Why a file can't be written.

use std::io;
use std::path::{Path, PathBuf};

/// A file that can't be written, with its name.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct FileError {
    /// The file as it was named.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: FileFault,
}

/// What is wrong with a file to write.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// It is read by the same command.
    #[error("is an input of this command and would be lost; give the output another name")]
    Input,
    /// Two outputs have one name.
    #[error("is the name of two outputs; give each its own")]
    NamedTwice,
    /// It holds what we did not write.
    #[error(
        "is there, and not as caseload left it; move it away if it is still needed, or give another name"
    )]
    NotAsLeft,
    /// Another process writes to it.
    #[error("is being written by another caseload; wait for it to end, or give another name")]
    Busy,
    /// A pipe, a device.
    #[error("is no regular file; give the name of a file")]
    NotAFile,
    /// A folder where a file is wanted.
    #[error("is a folder; give the name of a file in it")]
    Folder,
    /// A link without an end.
    #[error("is a link to a file that is not there; give the file's own name")]
    DanglingLink,
    /// Its folder is not there.
    #[error("can't be made, since its folder is not there; make the folder first")]
    NoFolder,
    /// Several inputs, one rejects file.
    #[error(
        "must be the name of a folder, since each of the {0} input files gets a rejects file of its own"
    )]
    FolderNeeded(usize),
    /// The name promises another format than the file will have.
    #[error("would hold {content}, so its name must not end in .{ending}; end it in .{wanted}")]
    Ending {
        /// What the file will hold.
        content: &'static str,
        /// The ending that it has.
        ending: String,
        /// The ending that it should have.
        wanted: &'static str,
    },
    /// Opening failed.
    #[error("can't be opened for writing: {0}")]
    Open(#[source] io::Error),
    /// A row could not be written.
    #[error(
        "could not be written further: {source}; it holds the first {} only",
        crate::output::terminal::text::count(*rows, "row")
    )]
    Write {
        /// How many rows it holds.
        rows: u64,
        /// What failed.
        source: io::Error,
    },
    /// Somebody else has changed it meanwhile.
    #[error("was changed or replaced by somebody while it was being written; rows may be missing")]
    ChangedMeanwhile,
}

impl FileFault {
    /// The error of this file.
    pub(super) fn of(self, path: &Path) -> FileError {
        FileError {
            path: path.to_owned(),
            fault: self,
        }
    }
}
