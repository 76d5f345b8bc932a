//! From an error of TLS to what the operator can do about it.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use crate::report::{Failure, Reason};

/// What the handshake's error tells, if this error of the network is one.
pub(super) fn of_io(error: &io::Error) -> Option<Failure> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).map(of_tls)
}

fn of_tls(error: &Error) -> Failure {
    let detail = match error {
        Error::InvalidCertificate(certificate) => of_certificate(certificate),
        Error::AlertReceived(alert) => of_alert(*alert),
        // It may be anything, MongoDB without TLS included.
        Error::InvalidMessage(_) => {
            return Failure::new(Reason::NotMongodb, "the answer isn't TLS");
        }
        Error::PeerIncompatible(_) => "the server has no TLS version or cipher in common with us",
        _ => "the handshake failed",
    };
    Failure::new(Reason::Tls, detail)
}

fn of_certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired by this host's clock"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate isn't valid yet by this host's clock: check the clock first"
        }
        CertificateError::UnknownIssuer => {
            "the issuer of the server's certificate isn't known: check tlsCAFile"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name than the host in the connection string"
        }
        CertificateError::Revoked => "the server's certificate was revoked",
        CertificateError::BadSignature => "the server's certificate has a bad signature",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the server's certificate isn't one for a server"
        }
        _ => "the server's certificate can't be trusted",
    }
}

fn of_alert(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "the server asks for a client certificate: set tlsCertificateKeyFile"
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => "the server refuses our client certificate",
        AlertDescription::ProtocolVersion
        | AlertDescription::HandshakeFailure
        | AlertDescription::InsufficientSecurity => {
            "the server has no TLS version or cipher in common with us"
        }
        AlertDescription::UnrecognisedName => "the server doesn't know the host's name",
        _ => "the server broke the handshake off",
    }
}
