//! What every room asks of the system: who can read a file, its replacement, who
//! we are, what the time is here, and an abort for the crash tests.

use std::fmt::Display;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Add;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Whether users other than the owner can read an open file.
pub(crate) fn readable_by_others(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    Ok(metadata.is_file() && metadata.mode() & 0o077 != 0)
}

/// Options that create a file readable by its owner only.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Replaces a file in one step, through a link the file that it leads to. It
/// keeps its permissions; a new one is readable by its owner only.
pub(crate) fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    if let Ok(known) = path.metadata() {
        draft.as_file().set_permissions(known.permissions())?;
    }
    draft.write_all(text.as_bytes())?;
    draft.as_file().sync_all()?;
    draft.persist(&path)?;
    File::open(folder)?.sync_all()
}

/// For people, in local time: `2026-11-23 19:40:12 EST`.
pub(crate) fn local_time(at: Timestamp) -> String {
    let at = at.to_zoned_datetime(local_zone());
    at.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// By how many seconds local time is ahead of UTC.
pub(crate) fn local_offset(at: Timestamp) -> i64 {
    local_zone().to_offset(at).seconds().into()
}

fn local_zone() -> TimeZone {
    match TimeZone::system() {
        zone if zone.is_unknown() => TimeZone::UTC,
        zone => zone,
    }
}

/// A moment by a clock that goes on while the machine sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BootTime(Duration);

impl BootTime {
    pub(crate) fn now() -> Self {
        // That of macOS goes on by itself.
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Monotonic;
        let now = rustix::time::clock_gettime(clock);
        // Neither is negative.
        Self(Duration::new(now.tv_sec as u64, now.tv_nsec as u32))
    }
}

impl Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0 + later)
    }
}

/// Creates folders that only their owner can enter.
pub(crate) fn private_directory() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// The number of columns of the terminal that standard output is, if it is one.
pub(crate) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

/// The user's name by the environment, or else by the system.
pub(crate) fn user_name() -> String {
    let variables = ["USER", "LOGNAME", "USERNAME"].into_iter();
    let mut names = variables.filter_map(|name| std::env::var(name).ok());
    names
        .find(|user| !user.is_empty())
        .unwrap_or_else(system_user)
}

/// The name in the password database; `uid 1000` where it has none.
fn system_user() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let database = std::fs::read("/etc/passwd").unwrap_or_default();
    let database = String::from_utf8_lossy(&database);
    let found = database.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(all(feature = "abort-points", not(debug_assertions)))]
compile_error!("the feature abort-points is for tests and never for a release");

/// A named point between the steps of an attempt, at which the crash tests abort
/// the process without cleanup: `CASELOAD_ABORT_AT` is `name`, or `name:3` for the
/// third time it is reached. Without the feature `abort-points` it does nothing.
#[cfg(feature = "abort-points")]
pub(crate) fn abort_point(name: impl Display) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static AT: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);

    let at = AT.get_or_init(|| {
        let at = std::env::var("CASELOAD_ABORT_AT").ok()?;
        Some(match at.rsplit_once(':') {
            Some((name, nth)) => (name.to_owned(), nth.parse().ok()?),
            None => (at, 1),
        })
    });
    if let Some((wanted, nth)) = at
        && *wanted == name.to_string()
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth
    {
        std::process::abort();
    }
}

#[cfg(not(feature = "abort-points"))]
#[inline]
pub(crate) fn abort_point(_name: impl Display) {}
