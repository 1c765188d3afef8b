//! The bytes of a file as they are: opened, counted, hashed, and unpacked if
//! they are gzipped. A file that changes meanwhile is noticed.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::{Input, InputErrorKind, Limits};

/// Bytes from somewhere, owned by one thread at a time.
pub(super) type Bytes = Box<dyn Read + Send>;

/// What was read of a file so far.
#[derive(Debug, Default)]
struct Tally {
    bytes: u64,
    ended: bool,
    hasher: Option<Sha256>,
}

/// The tally, shared by the reader and the layer that counts below it.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedTally(Arc<Mutex<Tally>>);

impl SharedTally {
    pub(super) fn new(digest: bool) -> Self {
        Self(Arc::new(Mutex::new(Tally {
            hasher: digest.then(Sha256::new),
            ..Tally::default()
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The SHA-256 of the whole file, once its end was read.
    pub(super) fn sha256(&self) -> Option<[u8; 32]> {
        let tally = self.lock();
        let hasher = tally.hasher.clone().filter(|_| tally.ended)?;
        Some(hasher.finalize().into())
    }
}

/// Counts and hashes what is read through it.
pub(super) struct Counted<R> {
    inner: R,
    tally: SharedTally,
}

impl<R> Counted<R> {
    pub(super) fn new(inner: R, tally: SharedTally) -> Self {
        Self { inner, tally }
    }
}

impl<R: Read> Read for Counted<R> {
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

/// An input's bytes, and its handle if it is a regular file.
pub(super) struct Opened {
    pub(super) bytes: Bytes,
    pub(super) regular: Option<RegularFile>,
}

/// A regular file as it was when it was opened. One that something else writes
/// meanwhile may end in half a row that looks like a whole one.
pub(super) struct RegularFile {
    file: File,
    before: (u64, Option<SystemTime>),
}

fn state(metadata: &Metadata) -> (u64, Option<SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}

impl RegularFile {
    /// An error if it has another length or time than at first.
    pub(super) fn check_unchanged(&self) -> Result<(), InputErrorKind> {
        let metadata = self.file.metadata().map_err(InputErrorKind::Io)?;
        if state(&metadata) == self.before {
            Ok(())
        } else {
            Err(InputErrorKind::Changed)
        }
    }

    /// Its handle, at its beginning.
    pub(super) fn rewound(&self) -> io::Result<File> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }
}

/// Opens an input, or says why it can't be one.
pub(super) fn open(input: &Input) -> Result<Opened, InputErrorKind> {
    let Input::Path(path) = input else {
        return Ok(Opened {
            bytes: Box::new(io::stdin()),
            regular: None,
        });
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
    let metadata = file.metadata().map_err(InputErrorKind::Io)?;
    if metadata.is_dir() {
        return Err(InputErrorKind::Directory);
    }
    let regular = if metadata.is_file() {
        Some(RegularFile {
            file: file.try_clone().map_err(InputErrorKind::Io)?,
            before: state(&metadata),
        })
    } else {
        None
    };
    Ok(Opened {
        bytes: Box::new(file),
        regular,
    })
}

/// The same error with a possible reason: Excel's lock file is beside the
/// workbook.
pub(super) fn explain_lock(path: &Path, error: &InputErrorKind) -> Option<InputErrorKind> {
    let name = path.file_name()?.to_str()?;
    let lock = path.with_file_name(format!("~${name}"));
    lock.exists().then(|| InputErrorKind::OpenInExcel {
        lock: lock.display().to_string(),
        detail: error.to_string(),
    })
}

/// The first bytes, as far as there are so many.
pub(super) fn read_head(bytes: &mut dyn Read, length: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    bytes.take(length as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// All bytes in an unlinked temporary file, at its beginning.
pub(super) fn spool(bytes: &mut dyn Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(bytes, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// A compressed file that unpacks to far more than case files do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "unpacks to more than {limit} bytes and {ratio} times its size, which no case file does; if it is one, unpack it yourself"
)]
pub struct Bomb {
    limit: u64,
    ratio: u64,
}

impl Bomb {
    /// The bomb that so many packed bytes are when they make so many.
    pub(super) fn of(packed: u64, unpacked: u64, limits: &Limits) -> Option<Self> {
        (unpacked > limits.unpacked && unpacked / limits.ratio.max(1) > packed).then_some(Self {
            limit: limits.unpacked,
            ratio: limits.ratio,
        })
    }
}

/// Marks an error of unpacking among those of reading.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Unpacking(pub(super) io::Error);

/// The unpacked bytes of gzipped ones, all members, up to the limit.
pub(super) struct Unpacked<R: Read> {
    decoder: MultiGzDecoder<BufReader<R>>,
    tally: SharedTally,
    made: u64,
    limits: Limits,
}

impl<R: Read> Unpacked<R> {
    pub(super) fn new(packed: R, tally: SharedTally, limits: Limits) -> Self {
        Self {
            decoder: MultiGzDecoder::new(BufReader::with_capacity(128 << 10, packed)),
            tally,
            made: 0,
            limits,
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer).map_err(|error| {
            // The system's errors stay; others are the gzip data's.
            if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Interrupted {
                error
            } else {
                io::Error::new(error.kind(), Unpacking(error))
            }
        })?;
        self.made += count as u64;
        match Bomb::of(self.tally.lock().bytes, self.made, &self.limits) {
            Some(bomb) => Err(io::Error::other(bomb)),
            None => Ok(count),
        }
    }
}
