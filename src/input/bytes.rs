//! The bytes of a file as they are: opened, counted, hashed, and unpacked if
//! they are gzipped. A file that changes meanwhile is noticed.

use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::{Input, InputErrorKind, Limits};

/// Bytes from somewhere, owned by one thread at a time.
pub(super) type Bytes = Box<dyn Read + Send>;

/// What was read of a file so far.
#[derive(Debug, Default)]
struct ByteTally {
    bytes: u64,
    ended: bool,
    hasher: Option<Sha256>,
}

/// The tally, shared by the reader and the layer that counts below it.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedTally(Arc<Mutex<ByteTally>>);

impl SharedTally {
    pub(super) fn new(digest: bool) -> Self {
        Self(Arc::new(Mutex::new(ByteTally {
            hasher: digest.then(Sha256::new),
            ..ByteTally::default()
        })))
    }

    fn lock(&self) -> MutexGuard<'_, ByteTally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The SHA-256 of the whole file in hex, once its end was read.
    pub(super) fn sha256(&self) -> Option<String> {
        let tally = self.lock();
        let hasher = tally.hasher.clone().filter(|_| tally.ended)?;
        let mut hex = String::new();
        for byte in hasher.finalize() {
            let _ = write!(hex, "{byte:02x}");
        }
        Some(hex)
    }
}

/// Counts and hashes what is read through it.
pub(super) struct Counted {
    pub(super) inner: Bytes,
    pub(super) tally: SharedTally,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let mut tally = self.tally.lock();
        tally.bytes += count as u64;
        tally.ended |= count == 0 && !buffer.is_empty();
        if let Some(hasher) = &mut tally.hasher {
            hasher.update(&buffer[..count]);
        }
        Ok(count)
    }
}

/// A regular file as it was when it was opened. One that something else writes
/// meanwhile may end in half a row that looks complete.
pub(super) struct RegularFile {
    pub(super) file: File,
    before: (u64, Option<SystemTime>),
}

fn state(metadata: &Metadata) -> (u64, Option<SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}

impl RegularFile {
    /// An error if it has another length or time than at first.
    pub(super) fn check_unchanged(&self) -> Result<(), InputErrorKind> {
        if state(&self.file.metadata()?) == self.before {
            Ok(())
        } else {
            Err(InputErrorKind::Changed)
        }
    }
}

/// Opens an input. A regular file is also returned as a handle, by which changes
/// are noticed.
pub(super) fn open(input: &Input) -> Result<(Bytes, Option<RegularFile>), InputErrorKind> {
    let Input::Path(path) = input else {
        return Ok((Box::new(io::stdin()), None));
    };
    if let Some(workbook) = input.file_name().strip_prefix("~$") {
        return Err(InputErrorKind::LockFile {
            workbook: path.with_file_name(workbook).display().to_string(),
        });
    }
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => InputErrorKind::Missing,
        io::ErrorKind::IsADirectory => InputErrorKind::Directory,
        _ => InputErrorKind::Io(error),
    })?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(InputErrorKind::Directory);
    }
    let mut regular = None;
    if metadata.is_file() {
        regular = Some(RegularFile {
            file: file.try_clone()?,
            before: state(&metadata),
        });
    }
    Ok((Box::new(file), regular))
}

/// The first bytes, as far as there are so many.
pub(super) fn read_head(bytes: &mut dyn Read, length: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    bytes.take(length as u64).read_to_end(&mut head)?;
    Ok(head)
}

impl Limits {
    /// An error if so many packed bytes make more than any case file.
    pub(super) fn check_unpacked(&self, packed: u64, unpacked: u64) -> Result<(), InputErrorKind> {
        if unpacked > self.unpacked && unpacked / self.ratio.max(1) > packed {
            return Err(InputErrorKind::Bomb {
                limit: self.unpacked,
                ratio: self.ratio,
            });
        }
        Ok(())
    }
}

/// The unpacked bytes of gzipped ones, all members, up to the limit.
pub(super) struct Unpacked {
    decoder: MultiGzDecoder<BufReader<Bytes>>,
    tally: SharedTally,
    made: u64,
    limits: Limits,
}

impl Unpacked {
    pub(super) fn new(packed: Bytes, tally: SharedTally, limits: Limits) -> Self {
        Self {
            decoder: MultiGzDecoder::new(BufReader::with_capacity(128 << 10, packed)),
            tally,
            made: 0,
            limits,
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer).map_err(|error| {
            // The system's errors stay; others are the gzip data's.
            if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Interrupted {
                error
            } else {
                InputErrorKind::Gzip(error).into()
            }
        })?;
        self.made += count as u64;
        let packed = self.tally.lock().bytes;
        self.limits.check_unpacked(packed, self.made)?;
        Ok(count)
    }
}
