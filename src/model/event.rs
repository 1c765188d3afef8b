//! What a run tells while it goes on. Whoever shows it, shows it from this.

use std::time::Duration;

use jiff::Timestamp;

use super::{Answer, CaseData, Key, State, Verdict};

/// Why a run made no further call, though cases were left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// Ctrl-C, SIGTERM or SIGHUP.
    Interrupted,
    /// The server was not reached in the first tries.
    Unreachable,
    /// A certificate that is not trusted, or a proxy that refuses.
    ConnectionRejected,
    /// A redirect, with its status.
    Redirected(u16),
    /// 401: the key is wrong.
    Unauthorized,
    /// 407: the proxy wants a login.
    ProxyAuth,
    /// 403 or 404, three in a row without a success: their statuses.
    Forbidden(Vec<u16>),
    /// One of the first calls was accepted without a case id.
    CanaryWithoutId,
    /// One of the first calls was answered 403, 404 or 405.
    CanaryRejected(u16),
    /// Fields came back otherwise than they were sent.
    EchoDiffers,
    /// Two answers in a row held an id that another key already has.
    DuplicateIds,
    /// This many failures in a row.
    Failures(u32),
    /// The server asked for a longer pause than allowed.
    WaitTooLong(Duration),
    /// The ledger failed: nothing more can be written down.
    Ledger,
}

/// Why the whole run pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseReason {
    /// The server asks for patience.
    Busy,
    /// The server can't be reached.
    Unreachable,
}

/// One attempt, over and written down.
#[derive(Debug, Clone, Copy)]
pub struct SettledAttempt<'a> {
    /// The case.
    pub case: &'a CaseData,
    /// The state that it is in now.
    pub state: State,
    /// What this attempt proved.
    pub verdict: Verdict,
    /// What came back.
    pub answer: &'a Answer,
    /// Attempts of this case in this run so far.
    pub attempts: u32,
    /// It will be tried again in this run.
    pub will_retry: bool,
    /// It was in doubt before, so the platform may hold it twice.
    pub possible_twin: bool,
    /// The other case that holds the same id.
    pub same_id_as: Option<&'a Key>,
    /// When it was settled.
    pub at: Timestamp,
}

/// Something that happened in a run. Time stamps are spans since its begin.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A call was started.
    Started {
        /// When.
        at: Duration,
        /// Calls under way, this one among them.
        in_flight: usize,
    },
    /// An attempt is over and settled.
    Settled(SettledAttempt<'a>),
    /// The ledger knew better than the plan: the case is left as it is.
    Skipped {
        /// The case.
        case: &'a CaseData,
        /// Its state in the ledger, if it has one.
        state: Option<State>,
    },
    /// The whole run pauses.
    Paused {
        /// When it will go on.
        until: Duration,
        /// How long from now.
        wait: Duration,
        /// Why.
        reason: PauseReason,
        /// What the server or the network said.
        message: Option<&'a str>,
    },
    /// The pause is over.
    Resumed,
    /// Fields of one of the first cases came back otherwise than sent.
    EchoDiffers {
        /// The case.
        case: &'a CaseData,
        /// What came back.
        answer: &'a Answer,
    },
    /// The user is asked whether such fields are acceptable.
    AskEcho,
    /// No further call is made.
    Stopping {
        /// Why.
        reason: &'a StopReason,
        /// Calls that are still waited for.
        in_flight: usize,
    },
    /// What came back could not be written down: whoever reads this must.
    SettleFailed {
        /// The case.
        case: &'a CaseData,
        /// What was proved.
        verdict: Verdict,
        /// What came back.
        answer: &'a Answer,
        /// Why it could not be written.
        error: &'a str,
    },
}
