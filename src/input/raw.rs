//! The bytes as they lie in the file: opened, counted, hashed, kept for a second
//! reading, and unpacked where they are gzipped.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::{Input, InputErrorKind, Limits};

/// Bytes from somewhere, owned by one thread at a time.
pub(super) type Bytes = Box<dyn Read + Send>;

/// What passed by while the raw bytes were read.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How many bytes.
    pub(super) bytes: u64,
    /// Whether the end was seen.
    pub(super) ended: bool,
    hasher: Option<Sha256>,
    copy: Option<File>,
}

/// The tally, shared by the reader and the layer that counts below it.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedTally(Arc<Mutex<Tally>>);

impl SharedTally {
    pub(super) fn new(digest: bool, copy: Option<File>) -> Self {
        Self(Arc::new(Mutex::new(Tally {
            hasher: digest.then(Sha256::new),
            copy,
            ..Tally::default()
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The SHA-256 of the whole file, once its end was seen.
    pub(super) fn sha256(&self) -> Option<[u8; 32]> {
        let tally = self.lock();
        tally
            .ended
            .then(|| tally.hasher.clone().map(|hasher| hasher.finalize().into()))
            .flatten()
    }

    /// The copy that was kept, from its beginning.
    pub(super) fn take_copy(&self) -> io::Result<Option<File>> {
        let mut copy = self.lock().copy.take();
        if let Some(file) = &mut copy {
            file.seek(SeekFrom::Start(0))?;
        }
        Ok(copy)
    }
}

/// Counts, hashes and copies what is read through it.
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
        if let Some(copy) = &mut tally.copy {
            copy.write_all(&buffer[..count])?;
        }
        Ok(count)
    }
}

/// The open bytes of an input, and what is known of them beforehand.
pub(super) struct Opened {
    pub(super) file: OpenedFile,
    /// The size of a regular file, at the moment of opening.
    pub(super) size: Option<u64>,
    /// Whether it can be opened a second time.
    pub(super) again: bool,
}

/// A file, or standard input behind the handle that the process has of it.
pub(super) enum OpenedFile {
    File(File),
    Stdin(io::Stdin),
}

impl Read for OpenedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Stdin(stdin) => stdin.read(buffer),
        }
    }
}

/// Opens an input, or says why it is none.
pub(super) fn open(input: &Input) -> Result<Opened, InputErrorKind> {
    let Input::Path(path) = input else {
        return Ok(Opened {
            file: OpenedFile::Stdin(io::stdin()),
            size: None,
            again: false,
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
    Ok(Opened {
        size: metadata.is_file().then_some(metadata.len()),
        again: metadata.is_file(),
        file: OpenedFile::File(file),
    })
}

/// The same fault with the reason that it may have: Excel's lock file is beside
/// the workbook.
pub(super) fn held_open(path: &Path, fault: &InputErrorKind) -> Option<InputErrorKind> {
    let name = path.file_name()?.to_str()?;
    let lock = path.with_file_name(format!("~${name}"));
    lock.exists().then(|| InputErrorKind::HeldOpen {
        lock: lock.display().to_string(),
        detail: fault.to_string(),
    })
}

/// The first bytes of `bytes`, as far as there are so many.
pub(super) fn read_head(bytes: &mut dyn Read, length: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    bytes.take(length as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Everything of `bytes` in an unlinked temporary file, from its beginning.
pub(super) fn spool(bytes: &mut dyn Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(bytes, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// A compressed file that unpacks to far more than case files do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "unpacks to more than {limit} bytes and {ratio} times its size, as no case file does; unpack it yourself if it is one"
)]
pub struct Bomb {
    /// Bytes that are always read.
    pub limit: u64,
    /// The ratio beyond.
    pub ratio: u64,
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
    told: u64,
    limits: Limits,
}

impl<R: Read> Unpacked<R> {
    pub(super) fn new(packed: R, tally: SharedTally, limits: Limits) -> Self {
        Self {
            decoder: MultiGzDecoder::new(BufReader::with_capacity(128 << 10, packed)),
            tally,
            told: 0,
            limits,
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer).map_err(|error| {
            // What the system says goes through; the rest is the gzip data's.
            if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Interrupted {
                error
            } else {
                io::Error::new(error.kind(), Unpacking(error))
            }
        })?;
        self.told += count as u64;
        match Bomb::of(self.tally.lock().bytes, self.told, &self.limits) {
            Some(bomb) => Err(io::Error::other(bomb)),
            None => Ok(count),
        }
    }
}
