//! What a check found, kept until the files can be opened that it is for.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::check::Invalid;
use crate::model::Problem;

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Finding {
    Problem(Problem),
    Invalid(Invalid),
}

/// Findings in an unlinked temporary file, one a line.
pub(super) struct FindingsSpool(BufWriter<File>);

impl FindingsSpool {
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        tempfile::tempfile_in(folder).map(BufWriter::new).map(Self)
    }

    pub(super) fn add(
        &mut self,
        problems: impl IntoIterator<Item = Problem>,
        invalid: Vec<Invalid>,
    ) -> io::Result<()> {
        let problems = problems.into_iter().map(Finding::Problem);
        let invalid = invalid.into_iter().map(Finding::Invalid);
        for finding in problems.chain(invalid) {
            serde_json::to_writer(&mut self.0, &finding)?;
            self.0.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Reads the findings back in their order.
    pub(super) fn read(self) -> io::Result<impl Iterator<Item = io::Result<Finding>>> {
        let mut file = self.0.into_inner()?;
        file.rewind()?;
        let lines = BufReader::new(file).lines();
        Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
    }
}
