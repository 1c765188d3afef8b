//! Exit codes.

/// How the process ends. Where several fit: 130, 5, 4, 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything in the input is imported, or `--limit` was reached with
    /// nothing failed.
    Done = 0,
    /// Finished, but some cases were rejected, not sent or skipped.
    Unfinished = 1,
    /// Wrong usage or configuration, or a ledger that can't be used; nothing was sent.
    Usage = 2,
    /// The files have problems or no records; nothing was sent.
    Problems = 3,
    /// Cases of this input are in doubt.
    InDoubt = 4,
    /// Stopped early, declined, or the ledger failed during the run.
    Stopped = 5,
    Interrupted = 130,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
