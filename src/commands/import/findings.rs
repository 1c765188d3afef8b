//! Problems and skipped records, kept on disk until the files of the run can be
//! opened.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use serde::{Deserialize, Serialize};

use crate::check::Invalid;
use crate::model::Problem;

/// What the check found, one line of the temporary file each.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Finding {
    Problem(Problem),
    Invalid(Invalid),
}

/// An unlinked temporary file.
pub(super) struct FindingsSpool(BufWriter<File>);

impl FindingsSpool {
    pub(super) fn create() -> io::Result<Self> {
        tempfile::tempfile().map(BufWriter::new).map(Self)
    }

    pub(super) fn write(&mut self, finding: &Finding) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, finding)?;
        self.0.write_all(b"\n")
    }

    /// Reads the findings back in their order.
    pub(super) fn read(self) -> io::Result<impl Iterator<Item = io::Result<Finding>>> {
        let mut file = self.0.into_inner()?;
        file.rewind()?;
        let lines = BufReader::new(file).lines();
        Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
    }
}
