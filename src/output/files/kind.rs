//! What a file holds, and which names promise something else.

use std::ffi::OsStr;
use std::path::Path;

use super::error::FileFault;
use crate::model::Format;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Cells between commas.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Kind {
    /// The ending that says so.
    pub(super) const fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// Whether a name's ending says that it holds this.
    pub(super) fn fits(self, path: &Path) -> bool {
        match Format::from_extension(&ending(path)) {
            Some(Format::Csv) => self == Self::Csv,
            Some(Format::Json | Format::Ndjson) => self == Self::Ndjson,
            _ => false,
        }
    }

    /// Refuses a name that promises something else to a spreadsheet, or to us
    /// when the file is read back.
    pub(super) fn check_ending(self, path: &Path) -> Result<(), FileFault> {
        let ending = ending(path);
        let promises =
            Format::from_extension(&ending).is_some() || ["xls", "ods", "gz"].contains(&&*ending);
        if self.fits(path) || !promises {
            return Ok(());
        }
        Err(FileFault::Ending {
            content: match self {
                Self::Csv => "CSV",
                Self::Ndjson => "NDJSON",
            },
            ending,
            wanted: self.ending(),
        })
    }
}

fn ending(path: &Path) -> String {
    path.extension()
        .and_then(OsStr::to_str)
        .unwrap_or_default()
        .to_ascii_lowercase()
}
