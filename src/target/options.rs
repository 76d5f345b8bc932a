//! From the driver's complaint of a connection string to what the operator can do about it.

use crate::report::{Failure, Reason};

/// Options of the connection string that the driver's complaints name. The more special ones first.
const OPTIONS: [&str; 31] = [
    "authMechanismProperties",
    "authMechanism",
    "authSource",
    "compressors",
    "connectTimeoutMS",
    "directConnection",
    "heartbeatFrequencyMS",
    "journal",
    "loadBalanced",
    "localThresholdMS",
    "maxConnecting",
    "maxIdleTimeMS",
    "maxPoolSize",
    "maxStalenessSeconds",
    "minPoolSize",
    "readConcernLevel",
    "readPreferenceTags",
    "readPreference",
    "replicaSet",
    "retryReads",
    "retryWrites",
    "serverSelectionTimeoutMS",
    "srvMaxHosts",
    "srvServiceName",
    "tlsAllowInvalidCertificates",
    "tlsCAFile",
    "tlsCertificateKeyFile",
    "tlsInsecure",
    "waitQueueTimeoutMS",
    "wTimeoutMS",
    "zlibCompressionLevel",
];

/// What is wrong with a connection string. The complaint may quote it, so that nothing but a known option's name is
/// taken from it.
pub(super) fn failure(complaint: &str) -> Failure {
    let complaint = complaint.to_ascii_lowercase();
    let option = OPTIONS.iter().find(|option| complaint.contains(&option.to_ascii_lowercase()));
    let detail = match option {
        Some(option) => format!("the connection string can't be used: look at its option {option}"),
        None => "the connection string can't be used: check its form, and that special characters in the user's name \
                 and password are written as %XX: an at sign as %40, a colon as %3A, a slash as %2F, a percent sign as %25"
            .to_owned(),
    };
    Failure::new(Reason::Options, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_complaint_nothing_but_an_option_s_name_is_told() {
        for (complaint, expected) in [
            ("invalid value for readpreference: S3nt1nel", "option readPreference"),
            ("'tlsCAFile' can't be set if tls=false", "option tlsCAFile"),
            ("illegal character in database name S3nt1nel", "written as %XX"),
        ] {
            let failure = failure(complaint);
            assert!(failure.detail.contains(expected) && !failure.detail.contains("S3nt1nel"), "{failure}");
        }
    }
}
