//! How many handshakes failed, and why.

use std::sync::atomic::{AtomicU64, Ordering};

use rustls::{CertificateError, Error};

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The caller did not speak TLS: plain HTTP, perhaps.
    NotTls,
    /// The caller's TLS is too old, or has nothing in common with ours.
    Incompatible,
    /// The caller's certificate has expired, or is not valid yet.
    Expired,
    /// The caller's certificate is revoked.
    Revoked,
    /// The caller's certificate is of another CA.
    UnknownCa,
    /// The caller's certificate cannot be used for another reason.
    BadCertificate,
    /// The caller refused the node's certificate, or gave up.
    RefusedByCaller,
    /// The caller hung up, or was silent for too long.
    Silent,
    /// Anything else.
    Other,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NotTls,
        Self::Incompatible,
        Self::Expired,
        Self::Revoked,
        Self::UnknownCa,
        Self::BadCertificate,
        Self::RefusedByCaller,
        Self::Silent,
        Self::Other,
    ];

    /// Its name in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotTls => "not-tls",
            Self::Incompatible => "incompatible",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::UnknownCa => "unknown-ca",
            Self::BadCertificate => "bad-certificate",
            Self::RefusedByCaller => "refused-by-caller",
            Self::Silent => "silent",
            Self::Other => "other",
        }
    }

    pub(super) fn of(error: &std::io::Error) -> Self {
        let tls = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
        match tls {
            None => Self::Silent,
            Some(Error::InvalidCertificate(error)) => match error {
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::Expired,
                CertificateError::Revoked => Self::Revoked,
                CertificateError::UnknownIssuer => Self::UnknownCa,
                _ => Self::BadCertificate,
            },
            Some(Error::InvalidMessage(_)) => Self::NotTls,
            Some(Error::PeerIncompatible(_)) => Self::Incompatible,
            Some(Error::AlertReceived(_)) => Self::RefusedByCaller,
            Some(_) => Self::Other,
        }
    }
}

/// Counts handshakes of one node.
#[derive(Debug, Default)]
pub struct Handshakes {
    done: AtomicU64,
    failed: [AtomicU64; Failure::ALL.len()],
}

impl Handshakes {
    pub(super) fn succeeded(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, failure: Failure) {
        if let Some(count) = self.failed.get(failure as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many succeeded.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// How many failed for each reason.
    pub fn failures(&self) -> impl Iterator<Item = (Failure, u64)> {
        let counts = self
            .failed
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        Failure::ALL.into_iter().zip(counts)
    }
}
