//! What can go wrong, and how long it lasts.

use fastrand::Rng;

/// One fault. Its length is given in commits of the application, so that something happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGKILL to the daemon at a random moment; started again later.
    KillDaemon { down_for: u32 },
    /// The daemon is ended in good order and started again.
    RestartDaemon,
    /// The daemon is killed; its ledger is gone when it starts again.
    DeleteLedger,
    /// The daemon is killed; its ledger is cut short when it starts again.
    TruncateLedger { percent: u8 },
    /// The next reply to this command is cut after so many bytes.
    CutReply { command: &'static str, bytes: u64 },
    /// Whatever reply comes is cut after so many bytes.
    CutAnyReply { bytes: u64 },
    /// The network delivers nothing for a while; then what was held arrives.
    Stall { length: u32 },
    /// Connections are refused for a while, and open ones cut.
    Refuse { length: u32 },
    /// Connections are reset and closed again and again.
    Flap { times: u32 },
    /// SIGSTOP to MongoDB, SIGCONT later.
    FreezeServer { length: u32 },
    /// SIGKILL to MongoDB; started again later.
    KillServer { down_for: u32 },
}

impl Fault {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let length = rng.u32(1..12);
        match rng.u8(..22) {
            0..=4 => Self::KillDaemon { down_for: rng.u32(..4) },
            5 => Self::RestartDaemon,
            6 => Self::DeleteLedger,
            7 => Self::TruncateLedger { percent: rng.u8(..100) },
            8..=12 => {
                let command = ["insert", "insert", "update", "find", "listCollections"][rng.usize(..5)];
                Self::CutReply { command, bytes: rng.u64(..200) }
            }
            13 => Self::CutAnyReply { bytes: rng.u64(..4_000) },
            14..=15 => Self::Stall { length },
            16..=17 => Self::Refuse { length },
            18..=19 => Self::Flap { times: length },
            20 => Self::FreezeServer { length },
            _ => Self::KillServer { down_for: rng.u32(..4) },
        }
    }

    /// Its name in the report.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::KillDaemon { .. } => "kill daemon",
            Self::RestartDaemon => "restart daemon",
            Self::DeleteLedger => "delete ledger",
            Self::TruncateLedger { .. } => "truncate ledger",
            Self::CutReply { .. } => "cut reply",
            Self::CutAnyReply { .. } => "cut any reply",
            Self::Stall { .. } => "stall",
            Self::Refuse { .. } => "refuse",
            Self::Flap { .. } => "flap",
            Self::FreezeServer { .. } => "freeze server",
            Self::KillServer { .. } => "kill server",
        }
    }
}
