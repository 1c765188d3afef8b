//! What caseload remembers of the files that it wrote.
//!
//! A file of the user's is never overwritten; one of ours is, as long as it is
//! as we left it. So for each output there is a small record in the state
//! folder: its path, and length and SHA-256 of two states. Before a row is
//! written the record takes the state that the file will have, and keeps the
//! one that it has. A process that is killed at any moment leaves the file in
//! one of the two, and the record proves it; anything else was not us.
//!
//! After a power cut the disk may have kept less than that. Then the file counts
//! as not ours, which costs the user a new name and nothing more.
//!
//! The record is locked while its file is being written, so that two processes
//! never write to one file.

use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::error::FileFault;
use super::place;
use crate::model::{Digest, private_file};

/// The records of all outputs, in a folder of their own.
#[derive(Debug, Clone)]
pub struct Registry(Option<PathBuf>);

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) length: u64,
    pub(super) sha256: [u8; 32],
}

/// The record of one output, locked.
#[derive(Debug)]
pub(super) struct Memory {
    record: File,
    title: String,
    before: Option<Content>,
    last: Option<Content>,
}

impl Registry {
    /// The records in this folder, which is made when it is not there.
    pub fn open(folder: &Path) -> io::Result<Self> {
        place::private_folder().recursive(true).create(folder)?;
        Ok(Self(Some(folder.to_owned())))
    }

    /// For who has no place to remember anything: only new files are written.
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// The record of an output by its resolved path, locked.
    pub(super) fn memory(&self, path: &Path) -> Result<Option<Memory>, FileFault> {
        let Some(folder) = &self.0 else {
            return Ok(None);
        };
        let name = Digest::of(path.as_os_str().as_encoded_bytes());
        let mut record = private_file()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(name.to_string()))
            .map_err(FileFault::Open)?;
        match record.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FileFault::Busy),
            Err(TryLockError::Error(error)) => return Err(FileFault::Open(error)),
        }
        let mut text = String::new();
        // A record that can't be read knows nothing, which is safe.
        let _ = record.read_to_string(&mut text);
        let mut states = text.lines().skip(1).map(Content::parse);
        Ok(Some(Memory {
            record,
            title: format!("caseload output, schema 1: {}", path.display()).replace('\n', " "),
            before: states.next().flatten(),
            last: states.next().flatten(),
        }))
    }
}

impl Memory {
    /// Whether this is what we left.
    pub(super) fn knows(&self, content: Content) -> bool {
        [self.before, self.last].contains(&Some(content))
    }

    /// How long the file may be, so that nothing else has to be hashed.
    pub(super) fn knows_length(&self, length: u64) -> bool {
        [self.before, self.last]
            .into_iter()
            .flatten()
            .any(|content| content.length == length)
    }

    /// Remembers what the file has, and what it is about to have.
    pub(super) fn expect(&mut self, now: Content, next: Content) -> io::Result<()> {
        self.before = Some(now);
        self.last = Some(next);
        // Lines of a fixed length, overwritten in one write.
        let text = format!("{}\n{}\n{}\n", self.title, now.line(), next.line());
        self.record.seek(SeekFrom::Start(0))?;
        self.record.write_all(text.as_bytes())
    }
}

impl Content {
    fn line(&self) -> String {
        let mut line = format!("{:020} ", self.length);
        for byte in self.sha256 {
            // Writing to a String can't fail.
            let _ = write!(line, "{byte:02x}");
        }
        line
    }

    fn parse(line: &str) -> Option<Self> {
        let (length, digits) = line.split_once(' ')?;
        let mut sha256 = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (at, byte) in sha256.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self {
            length: length.parse().ok()?,
            sha256,
        })
    }
}
