//! What comes into the machine and what it asks for.

use std::time::{Duration, Instant};

use crate::report::{Failure, RunRequest};

/// Something that happened outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The time of [`deadline`](super::Machine::deadline) has come. Harmless when it is too early.
    Timer,
    /// Something suggests that a probe could succeed now. It proves nothing.
    Hint(HintKind),
    /// The probe found MongoDB ready for use.
    ProbeSucceeded,
    /// The probe failed in every way to connect.
    ProbeFailed(Failure),
    /// The application may have written rows.
    SourceChanged,
    /// Rows may be pending that no change of the source tells of: a full look is wanted.
    CompareWanted,
    /// Somebody asked for an export; the caller has refused it already if one is running.
    StartRequested(RunRequest),
    /// The running pass got one step further, be it only in reading: it isn't stalled.
    Progress,
    /// MongoDB did what the running pass asked of it: a look-up answered, a batch acknowledged. It proves the link.
    Acknowledged,
    /// The running pass has written a batch down. It proves that passes get anywhere, which a look-up that is answered doesn't.
    Recorded,
    /// The running pass is over.
    PassEnded(PassEnd),
    /// The running pass isn't wanted: it is to end, and nothing that changed before brings another one by itself.
    StopRequested,
    /// No pass starts by itself from now on; one that did is to end.
    Pause,
    /// Passes start by themselves again.
    Resume,
    /// Stop for good.
    Stop,
}

/// Where a hint came from. All of them have the same effect; the log tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintKind {
    /// A link, an address or a route of this host changed.
    Network,
    /// The test endpoint reached MongoDB.
    ConnectionTest,
    /// SIGUSR1.
    Signal,
    /// The wall clock jumped: the host slept, or got the time at last.
    ClockJump,
    /// An export was asked for by hand.
    ManualStart,
}

impl HintKind {
    /// The word for the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::ConnectionTest => "connection_test",
            Self::Signal => "signal",
            Self::ClockJump => "clock_jump",
            Self::ManualStart => "manual_start",
        }
    }
}

/// How a pass ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassEnd {
    /// It went through all that it was to look at.
    Complete {
        /// When it wants to look again though nothing changes, say to retry refused rows.
        more_at: Option<Duration>,
    },
    /// MongoDB couldn't be used; what was recorded until then stays.
    ConnectivityFailed(Failure),
    /// The SQLite side couldn't be read.
    SourceFailed,
    /// It was stopped on request.
    Aborted,
}

/// How deep an automatic pass looks at least; the executor may look deeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassKind {
    /// The whole table against the ledger.
    Full,
    /// What came last.
    Tail,
}

/// Which pass to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassRequest {
    /// By the machine's own decision, with the configured settings.
    Automatic(PassKind),
    /// On request, with its settings.
    Manual(RunRequest),
}

/// Why a pass is to end early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortCause {
    /// It made no progress: drop it at once.
    Stalled,
    /// Somebody asked: end it at the next batch boundary.
    Requested,
    /// The daemon stops: end it at the next batch boundary, within the driver's limit.
    Stopping,
}

/// Something the driver has to do, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Begin a probe. It ends by itself within its timeout and is then reported by `ProbeSucceeded` or `ProbeFailed`.
    StartProbe,
    /// Drop the probe under way; nothing of it may be reported any more.
    CancelProbe,
    /// Begin a pass. Its end is reported by `PassEnded`.
    StartPass(PassRequest),
    /// End the pass; nothing of it may be reported any more once another one has started.
    AbortPass(AbortCause),
    /// MongoDB can be used, and couldn't before.
    LinkUp {
        /// Failed probes and passes since it was last usable.
        after_failures: u32,
        /// Since when it wasn't usable; `None` after the first probe of all.
        was_down_since: Option<Instant>,
        /// Whether this is worth a line in the log: the matching `LinkDown` was, or there was none.
        log: bool,
    },
    /// MongoDB can't be used, and could before or wasn't known.
    LinkDown {
        /// Why.
        failure: Failure,
        /// Whether this is worth a line in the log; `false` most times when the link flaps.
        log: bool,
    },
    /// It still can't be used.
    StillDown {
        /// Failures in a row.
        attempts: u32,
        /// Why this time.
        failure: Failure,
        /// How long until the next probe.
        retry_in: Duration,
        /// Whether this is worth a line in the log: at powers of two, each hour, and when the cause is another.
        log: bool,
    },
}
