//! A ledger's file, opened once a process, and the lock that lets one run at a
//! time use it.
//!
//! Closing any descriptor of a file drops all POSIX locks that the process
//! holds on it, those of `SQLite` too. So whoever opens a ledger gets the same
//! descriptor, and it is closed after the last connection.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::error::{AtPath as _, LedgerErrorKind};
use super::{LedgerError, location, platform, schema};

/// The ledgers that this process has open.
static OPEN: Mutex<Vec<Weak<OpenedFile>>> = Mutex::new(Vec::new());

/// How often a lock is tried.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// A file that is a ledger of ours.
#[derive(Debug)]
pub(super) struct OpenedFile {
    file: File,
    /// Absolute and without links.
    path: PathBuf,
    id: (u64, u64),
    /// Where it is not the ledger itself that is locked.
    lock_file: OnceLock<File>,
    /// By this process.
    is_locked: AtomicBool,
}

/// The right to run, until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct FileLock(Arc<OpenedFile>);

impl OpenedFile {
    /// Opens a file and recognizes it as a ledger. Nothing is changed in it or
    /// beside it.
    pub(super) fn open(path: &Path) -> Result<Arc<Self>, LedgerError> {
        let path = location::checked(path)?;
        let metadata = path.symlink_metadata().at(&path)?;
        if !metadata.is_file() {
            return Err(LedgerErrorKind::NotAFile.at(&path));
        }
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|file| file.strong_count() > 0);
        let id = platform::file_id(&metadata);
        let mut files = open.iter().filter_map(Weak::upgrade);
        if let Some(file) = files.find(|file| file.id == id) {
            return Ok(file);
        }
        let file = platform::open_existing(&path).at(&path)?;
        check_header(&file).map_err(|kind| kind.at(&path))?;
        let metadata = file.metadata().at(&path)?;
        if platform::link_count(&metadata) > 1 {
            return Err(LedgerErrorKind::HardLinked.at(&path));
        }
        let file = Arc::new(Self {
            file,
            id: platform::file_id(&metadata),
            path,
            lock_file: OnceLock::new(),
            is_locked: AtomicBool::new(false),
        });
        open.push(Arc::downgrade(&file));
        Ok(file)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its path still leads to it.
    pub(super) fn is_in_place(&self) -> bool {
        let metadata = self.path.symlink_metadata();
        metadata.is_ok_and(|metadata| platform::file_id(&metadata) == self.id)
    }

    pub(super) fn make_private(&self) -> io::Result<()> {
        platform::make_private(&self.file)
    }

    /// To be called before any use of the lock, with the ledger's id.
    pub(super) fn prepare_lock(&self, id: &str) -> io::Result<()> {
        if self.lock_file.get().is_none()
            && let Some(file) = platform::lock_file(id)?
        {
            let _ = self.lock_file.set(file);
        }
        Ok(())
    }

    fn lock_target(&self) -> &File {
        self.lock_file.get().unwrap_or(&self.file)
    }

    /// Takes the lock, trying for this long; none when another run has it.
    pub(super) fn lock(self: &Arc<Self>, patience: Duration) -> io::Result<Option<FileLock>> {
        let end = Instant::now() + patience;
        while !self.try_lock()? {
            if Instant::now() >= end {
                return Ok(None);
            }
            thread::sleep(RETRY_AFTER);
        }
        Ok(Some(FileLock(Arc::clone(self))))
    }

    fn try_lock(&self) -> io::Result<bool> {
        if self.is_locked.load(Ordering::SeqCst) {
            return Ok(false);
        }
        let is_locked = is_done(self.lock_target().try_lock())?;
        self.is_locked.store(is_locked, Ordering::SeqCst);
        Ok(is_locked)
    }

    /// Whether no run holds the lock.
    pub(super) fn is_free(&self) -> io::Result<bool> {
        if self.is_locked.load(Ordering::SeqCst) {
            return Ok(false);
        }
        let is_free = is_done(self.lock_target().try_lock_shared())?;
        if is_free {
            self.lock_target().unlock()?;
        }
        Ok(is_free)
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing the file unlocks it in any case.
        let _ = self.0.lock_target().unlock();
        self.0.is_locked.store(false, Ordering::SeqCst);
    }
}

fn is_done(locked: Result<(), TryLockError>) -> io::Result<bool> {
    match locked {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The header of a database, up to the end of its application id.
fn check_header(file: &File) -> Result<(), LedgerErrorKind> {
    let mut header = [0; 72];
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            let is_empty = file.metadata()?.len() == 0;
            return Err(if is_empty {
                LedgerErrorKind::EmptyFile
            } else {
                LedgerErrorKind::NotALedger
            });
        }
        read => read?,
    }
    let number = |at: usize| {
        let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
        i64::from(u32::from_be_bytes(bytes))
    };
    if !header.starts_with(b"SQLite format 3\0") || number(68) != schema::APPLICATION_ID {
        return Err(LedgerErrorKind::NotALedger);
    }
    match number(60) {
        schema::VERSION => Ok(()),
        newer => Err(LedgerErrorKind::NewerSchema(newer)),
    }
}
