//! Records that stay behind and problems that were found, kept on disk until
//! the files that a run leaves can be begun.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};

use serde::{Deserialize, Serialize};

use crate::check::Invalid;
use crate::model::{Code, FileId, Place, Problem, Severity};

/// One line of the temporary file.
#[derive(Debug, Serialize, Deserialize)]
enum Line {
    Invalid {
        file: u16,
        raw: Box<str>,
        reason: String,
    },
    Problem {
        code: String,
        error: bool,
        place: (u16, u64, u64),
        column: Option<Box<str>>,
        value: Option<Box<str>>,
        message: String,
        hint: Option<String>,
        also: Vec<(u16, u64, u64)>,
    },
}

/// What is read back.
pub(super) enum Leftover {
    /// A record that stays behind.
    Invalid(Invalid),
    /// A problem.
    Problem(Problem),
}

/// An unlinked file of them.
pub(super) struct Leftovers(BufWriter<File>);

impl Leftovers {
    /// An empty one.
    pub(super) fn create() -> io::Result<Self> {
        tempfile::tempfile().map(BufWriter::new).map(Self)
    }

    /// Keeps a record.
    pub(super) fn invalid(&mut self, invalid: &Invalid) -> io::Result<()> {
        self.write(&Line::Invalid {
            file: invalid.file.0,
            raw: invalid.raw.clone(),
            reason: invalid.reason.clone(),
        })
    }

    /// Keeps a problem.
    pub(super) fn problem(&mut self, problem: &Problem) -> io::Result<()> {
        self.write(&Line::Problem {
            code: problem.code.as_str().to_owned(),
            error: problem.severity == Severity::Error,
            place: packed(problem.place),
            column: problem.column.clone(),
            value: problem.value.clone(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
            also: problem.also.iter().copied().map(packed).collect(),
        })
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, line)?;
        self.0.write_all(b"\n")
    }

    /// Reads them back in their order.
    pub(super) fn read(self) -> io::Result<impl Iterator<Item = io::Result<Leftover>>> {
        let mut file = self
            .0
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(BufReader::new(file).lines().map(|line| {
            let line: Line = serde_json::from_str(&line?)?;
            Ok(unpacked(line))
        }))
    }
}

fn packed(place: Place) -> (u16, u64, u64) {
    (place.file.0, place.line, place.index)
}

fn place((file, line, index): (u16, u64, u64)) -> Place {
    Place {
        file: FileId(file),
        line,
        index,
    }
}

fn unpacked(line: Line) -> Leftover {
    match line {
        Line::Invalid { file, raw, reason } => Leftover::Invalid(Invalid {
            file: FileId(file),
            raw,
            reason,
        }),
        Line::Problem {
            code,
            error,
            place: at,
            column,
            value,
            message,
            hint,
            also,
        } => Leftover::Problem(Problem {
            // Every code reads back from its own word.
            code: Code::parse(&code).unwrap_or(Code::BadJson),
            severity: if error {
                Severity::Error
            } else {
                Severity::Warning
            },
            place: place(at),
            column,
            value,
            message,
            hint,
            also: also.into_iter().map(place).collect(),
        }),
    }
}
