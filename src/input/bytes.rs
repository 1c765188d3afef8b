//! The bytes of a file as they are: opened, counted, hashed, and unpacked if
//! they are gzipped. A file that changes meanwhile is noticed.

use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::sync::{Arc, OnceLock};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::{Input, InputErrorKind, Limits};

/// Bytes from somewhere, owned by one thread at a time.
pub(super) type Bytes = Box<dyn Read + Send>;

/// Counts and hashes the bytes of a file.
pub(super) struct Counted {
    inner: Bytes,
    bytes: u64,
    hasher: Option<Sha256>,
    /// The SHA-256 of the whole file in hex, once its end was read.
    sha256: Arc<OnceLock<String>>,
}

impl Counted {
    pub(super) fn new(inner: Bytes, digest: bool, sha256: Arc<OnceLock<String>>) -> Self {
        Self {
            inner,
            bytes: 0,
            hasher: digest.then(Sha256::new),
            sha256,
        }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        if count == 0
            && !buffer.is_empty()
            && let Some(hasher) = self.hasher.take()
        {
            let hex = hasher
                .finalize()
                .iter()
                .fold(String::new(), |mut hex, byte| {
                    let _ = write!(hex, "{byte:02x}");
                    hex
                });
            let _ = self.sha256.set(hex);
        }
        Ok(count)
    }
}

/// A regular file as it was when it was opened. One that something else writes
/// meanwhile may end in half a row that looks complete.
pub(super) struct RegularFile {
    pub(super) file: File,
    before: Metadata,
}

impl RegularFile {
    /// An error if it has another length or time than at first.
    pub(super) fn check_unchanged(&self) -> Result<(), InputErrorKind> {
        let state = |metadata: &Metadata| (metadata.len(), metadata.modified().ok());
        if state(&self.file.metadata()?) == state(&self.before) {
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
            before: metadata,
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
    decoder: MultiGzDecoder<BufReader<Chain<Cursor<Vec<u8>>, Counted>>>,
    made: u64,
    limits: Limits,
}

impl Unpacked {
    /// `head` is what was read of them.
    pub(super) fn new(head: Vec<u8>, rest: Counted, limits: Limits) -> Self {
        let packed = Cursor::new(head).chain(rest);
        Self {
            decoder: MultiGzDecoder::new(BufReader::with_capacity(128 << 10, packed)),
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
        let (_, packed) = self.decoder.get_ref().get_ref().get_ref();
        self.limits.check_unpacked(packed.bytes, self.made)?;
        Ok(count)
    }
}
