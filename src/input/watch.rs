//! Whether a file stayed as it was while it was read.

use std::fs::{File, Metadata};
use std::io;
use std::time::SystemTime;

use super::InputErrorKind;

/// A regular file as it was when it was opened. One that something else writes
/// meanwhile may end in half a row that looks like a whole one.
pub(super) struct Watched {
    file: File,
    before: (u64, Option<SystemTime>),
}

impl Watched {
    pub(super) fn new(file: &File) -> io::Result<Self> {
        Ok(Self {
            file: file.try_clone()?,
            before: state(&file.metadata()?),
        })
    }

    /// An error if it has another length or time than at first.
    pub(super) fn is_as_before(&self) -> Result<(), InputErrorKind> {
        let now = state(&self.file.metadata().map_err(InputErrorKind::Io)?);
        if now == self.before {
            Ok(())
        } else {
            Err(InputErrorKind::Changed)
        }
    }
}

fn state(metadata: &Metadata) -> (u64, Option<SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}
