//! What happens in a run, for everything that shows or stores it.

use std::time::Duration;

use jiff::Timestamp;

use super::{Answer, CaseData, Key, State, Verdict};

/// Why a run stopped before all cases were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Ctrl-C, SIGTERM or SIGHUP.
    Interrupted,
    /// The server could not be reached in the first tries.
    Unreachable,
    /// An untrusted certificate, or a proxy that refuses.
    ConnectionRejected,
    /// A redirect, with its status.
    Redirected(u16),
    /// 401: the key is wrong.
    Unauthorized,
    /// 407: the proxy requires a login.
    ProxyAuth,
    /// These statuses, 403 or 404, in a row without a success.
    Forbidden(Vec<u16>),
    /// A success whose response is no JSON, but a web page or plain text.
    WebPage,
    /// One of the first calls was accepted without a case id.
    CanaryWithoutId,
    /// One of the first calls was accepted, and its response says that it failed.
    CanaryFailed,
    /// One of the first calls was answered 403, 404 or 405.
    CanaryRejected(u16),
    /// Fields came back with other values than were sent.
    EchoDiffers,
    /// Two responses in a row had an id that another key already has.
    DuplicateIds,
    /// This many failures in a row.
    Failures(u32),
    /// The server asked for a longer pause than allowed.
    WaitTooLong(Duration),
    /// The ledger or the spool failed.
    Ledger,
}

/// Why the run pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PauseReason {
    /// The server asked to wait.
    Busy,
    Unreachable,
}

/// An attempt that is over and in the ledger.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SettledAttempt<'a> {
    pub(crate) case: &'a CaseData,
    /// The case's state now.
    pub(crate) state: State,
    pub(crate) answer: &'a Answer,
    /// Attempts of this case in this run so far.
    pub(crate) attempts: u32,
    pub(crate) will_retry: bool,
    /// A success after doubt: the platform may have the case twice.
    pub(crate) possible_twin: bool,
    /// The other case with the same id.
    pub(crate) same_id_as: Option<&'a Key>,
    pub(crate) at: Timestamp,
}

/// Something that happened in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RunEvent<'a> {
    Settled(SettledAttempt<'a>),
    /// The ledger has the case in another state than the plan; it was not sent.
    Skipped {
        case: &'a CaseData,
        state: Option<State>,
    },
    Paused {
        /// From now on.
        wait: Duration,
        reason: PauseReason,
        /// From the server or the network.
        message: Option<&'a str>,
    },
    Resumed,
    /// Calls begin at this interval from now on.
    PaceChanged(Duration),
    /// The user is asked whether fields that came back different are acceptable.
    AskEcho,
    /// No further request is sent.
    Stopping {
        reason: &'a StopReason,
        /// Requests that are still waited for.
        in_flight: usize,
        /// The case and the answer that are the reason, if one is.
        cause: Option<(&'a CaseData, &'a Answer)>,
    },
    /// An outcome could not be stored in the ledger: only this event has it.
    SettleFailed {
        case: &'a CaseData,
        verdict: Verdict,
        answer: &'a Answer,
        error: &'a str,
    },
}
