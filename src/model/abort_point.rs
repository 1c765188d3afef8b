//! Named points between the steps of an attempt, at which the crash tests
//! abort the process. Without the feature `abort-points` they do nothing.

use std::fmt::Display;

#[cfg(all(feature = "abort-points", not(debug_assertions)))]
compile_error!("the feature abort-points is for tests and never for a release");

/// Aborts the process without cleanup when `CASELOAD_ABORT_AT` names this point:
/// `name`, or `name:3` for the third time it is reached.
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
