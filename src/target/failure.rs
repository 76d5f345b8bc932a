//! From an error of the driver or the server to a typed reason.
//!
//! What decides is a kind, a code or a label. Texts are not taken over, as they can quote documents and addresses
//! with credentials.
//!
//! Of a write error, the code must tell whether it speaks of the document, which is then rejected and keeps nobody back,
//! or of anything else, which rejects nobody and is tried again. Codes below 9000 have names, in MongoDB's
//! error_codes.yml: there, those that can speak of a document are listed here, and whatever a newer server adds counts
//! as the server's. Higher codes are mostly places in the server's source where a document's content was found
//! impossible: there, the exceptions are listed.

use std::io;
use std::time::Duration;

use mongodb::error::{Error, ErrorKind, WriteFailure};

use super::{options, tls};
use crate::report::{Failure, Reason};

/// Codes by which a server says that it can't take writes at the moment, or that the set is changing
/// (MongoDB's error_codes.yml, category NotPrimaryError, and shutdown).
const NOT_PRIMARY: [i32; 8] = [91, 189, 10_058, 10_107, 11_600, 11_602, 13_435, 13_436];

/// Codes that speak of login: UserNotFound, AuthenticationFailed, ReauthenticationRequired.
const AUTH: [i32; 3] = [11, 18, 391];

/// AtlasError (most often: over the space quota), the quota of old servers, OutOfDiskSpace.
const QUOTA: [i32; 3] = [8_000, 12_501, 14_031];

/// Codes that speak of time: MaxTimeMSExpired, WriteConcernTimeout (as a failed wait), NetworkTimeout,
/// NetworkInterfaceExceededTimeLimit, ExceededTimeLimit, TransactionExceededLifetimeLimitSeconds,
/// PooledConnectionAcquisitionExceededTimeLimit.
const TIMEOUT: [i32; 7] = [50, 64, 89, 202, 262, 290, 407];

/// UnknownError.
const UNKNOWN_ERROR: i32 = 8;

/// Unauthorized.
const NOT_AUTHORIZED: [i32; 1] = [13];

/// The first code that needn't have a name.
const UNNAMED: i32 = 9_000;

/// Codes below [`UNNAMED`] that can speak of a document: its values, names, size, or what an index or a shard key makes
/// of them. BadValue, UnsupportedFormat, FailedToParse, CannotMutateObject, TypeMismatch, Overflow, InvalidLength,
/// IllegalOperation, InvalidBSON, PathNotViable, NonExistentPath, CannotBackfillArray, ConflictingUpdateOperators, the
/// codes of field names (52 to 57), ShardKeyNotFound, ImmutableField, NotExactValueField, DocTooLargeForCapped,
/// DocumentValidationFailure, DurationOverflow, CannotIndexParallelArrays, CannotBuildIndexKeys, InvalidUUID,
/// ConversionFailure, WouldChangeOwningShard, InvalidBSONType, NonConformantBSON.
const OF_A_DOCUMENT: [i32; 32] = [
    2, 9, 10, 12, 14, 15, 16, 20, 22, 28, 29, 34, 40, 52, 53, 54, 55, 56, 57, 61, 66, 111, 116, 121, 159,
    171, 201, 207, 241, 283, 357, 378,
];

/// Codes from [`UNNAMED`] on that don't speak of a document: SocketException, a stale view of the shards (two codes),
/// Interrupted, operations in the background (two), DatabaseDifferCase, too many requests (of servers that only speak
/// MongoDB's protocol), ClientMarkedKilled, BackupCursorOpenConflictWithCheckpoint, ConfigServerUnreachable,
/// RetryableInternalTransactionNotSupported, RetriableRemoteCommandFailure, InterruptedDueToFCVChange.
const PASSING: [i32; 14] = [
    9_001, 9_996, 11_601, 12_586, 12_587, 13_297, 13_388, 16_500, 46_841, 50_915, 56_846, 57_986, 91_331,
    10_045_600,
];

/// The reason of a server's error code, if the code speaks of the server's state and not of the document.
pub(super) fn reason_of_code(code: i32) -> Option<Reason> {
    let reasons: [(&[i32], Reason); 6] = [
        (&NOT_PRIMARY, Reason::NotPrimary),
        (&AUTH, Reason::Auth),
        (&QUOTA, Reason::Quota),
        (&TIMEOUT, Reason::Timeout),
        (&NOT_AUTHORIZED, Reason::NotAuthorized),
        (&PASSING, Reason::Server),
    ];
    let known = reasons.into_iter().find(|(codes, _)| codes.contains(&code)).map(|(_, reason)| reason);
    let of_a_document = code >= UNNAMED || OF_A_DOCUMENT.contains(&code);
    known.or_else(|| (!of_a_document).then_some(Reason::Server))
}

/// What a server's error code tells, when it stands for a whole command.
pub(super) fn of_code(code: i32) -> Failure {
    Failure::new(
        reason_of_code(code).unwrap_or(Reason::Server),
        format!("the server answered with error code {code}"),
    )
}

/// What a server's error tells, when it stands for a whole command. The text is looked at only where the code says
/// nothing: the storage engine's errors come as UnknownError with the operating system's number, 28 for a full disk.
pub(super) fn of_server(code: i32, text: &str) -> Failure {
    if code == UNKNOWN_ERROR && text.starts_with("28: ") {
        return Failure::new(Reason::Quota, "the server's disk is full");
    }
    of_code(code)
}

/// An operation that didn't end within its deadline.
pub(super) fn too_late(what: &str, deadline: Duration) -> Failure {
    Failure::new(Reason::Timeout, format!("{what}: no answer within {deadline:?}"))
}

/// The code of a command that was refused as a whole for what is in it; `None` for any other error.
pub(super) fn refused_content(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) if reason_of_code(command.code).is_none() => Some(command.code),
        _ => None,
    }
}

/// What an error of the driver tells of one operation: where a right is missing, it matters for what.
pub(super) fn of_operation(what: &str, error: &Error) -> Failure {
    let failure = classify(error);
    if failure.reason == Reason::NotAuthorized {
        return Failure::new(failure.reason, format!("the user isn't allowed to do this: {what}"));
    }
    failure
}

/// What an error of the driver tells.
pub(super) fn classify(error: &Error) -> Failure {
    match error.kind.as_ref() {
        ErrorKind::Io(io) => of_io(io),
        ErrorKind::Authentication { .. } => Failure::new(Reason::Auth, "the server refused the login"),
        ErrorKind::DnsResolve { .. } => Failure::new(Reason::Dns, "the SRV record doesn't resolve"),
        ErrorKind::InvalidTlsConfig { .. } => {
            Failure::new(Reason::Tls, "the TLS options or their files can't be used")
        }
        ErrorKind::InvalidArgument { message, .. } => options::failure(message),
        ErrorKind::Command(command) => of_server(command.code, &command.message),
        ErrorKind::Write(WriteFailure::WriteError(write)) => of_server(write.code, &write.message),
        ErrorKind::Write(WriteFailure::WriteConcernError(write)) => of_code(write.code),
        ErrorKind::ConnectionPoolCleared { .. } => {
            Failure::new(Reason::Disconnected, "the connection was closed by another failure")
        }
        ErrorKind::InvalidResponse { .. } | ErrorKind::Bson(_) => {
            Failure::new(Reason::NotMongodb, "the answer isn't one of MongoDB")
        }
        ErrorKind::ServerSelection { .. } => {
            Failure::new(Reason::NotPrimary, "no server of the set can take writes")
        }
        ErrorKind::Shutdown => Failure::new(Reason::Disconnected, "the connection was closed"),
        _ => Failure::new(Reason::Server, "the driver reported an error of another kind"),
    }
}

/// What an error of the operating system tells.
pub(super) fn of_io(error: &io::Error) -> Failure {
    if let Some(failure) = tls::of_io(error) {
        return failure;
    }
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => Reason::Refused,
        io::ErrorKind::TimedOut => Reason::Timeout,
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        // A route of type blackhole or prohibit.
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::PermissionDenied => Reason::Unreachable,
        io::ErrorKind::InvalidData => Reason::Tls,
        _ => Reason::Disconnected,
    };
    let detail = match reason {
        Reason::Refused => "nothing listens on that port".to_owned(),
        Reason::Timeout => "no answer in time".to_owned(),
        Reason::Unreachable => format!("no way to that address: {}", error.kind()),
        _ => format!("network: {}", error.kind()),
    };
    Failure::new(reason, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_speaks_of_a_document_has_no_reason_of_its_own() {
        for code in [2, 9, 14, 57, 66, 121, 171, 378, 10_334, 11_000, 16_755, 17_280, 40_400, 5_054_301] {
            assert_eq!(reason_of_code(code), None, "{code}");
        }
        assert_eq!(reason_of_code(13), Some(Reason::NotAuthorized));
        assert_eq!(reason_of_code(10_107), Some(Reason::NotPrimary));
        assert_eq!(reason_of_code(14_031), Some(Reason::Quota));
    }

    #[test]
    fn a_full_disk_is_known_by_the_system_s_number_alone() {
        assert_eq!(of_server(8, "28: No space left on device").reason, Reason::Quota);
        assert_eq!(of_server(8, "5: Input/output error").reason, Reason::Server);
        assert_eq!(of_server(121, "28: is what the document says").reason, Reason::Server);
    }

    #[test]
    fn a_code_that_speaks_of_the_server_rejects_nobody_and_neither_does_one_that_is_not_known() {
        // UserWritesBlocked, ShutdownInProgress, StaleConfig, AtlasError, ResourceExhausted, RateLimitExceeded,
        // IngressRequestRateLimitExceeded, InterruptedDueToStorageChange, TemporarilyUnavailable, no code at all.
        for code in [371, 91, 13_388, 8_000, 402, 449, 462, 355, 365, 16_500, 91_331, 463, 3_999, 0, -1] {
            assert!(reason_of_code(code).is_some(), "{code}");
        }
    }
}
