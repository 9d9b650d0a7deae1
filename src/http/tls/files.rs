//! Reads certificates, keys and revocation lists, and says what is wrong with them and what to do.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::{Error, RootCertStore};
use zeroize::Zeroizing;

use crate::http::peer::Identity;

/// Largest file that is read, in bytes. A revocation list with 20,000 entries fits.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where the certificates of a topology are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The folder of certificates and keys: `hub-NAME.pem` and `hub-NAME.key`, and so on.
    pub directory: PathBuf,
    /// The CA of all parties: certificates in PEM.
    pub ca: PathBuf,
    /// A CA of SAEs alone.
    pub sae_ca: Option<PathBuf>,
    /// What the CA has revoked, in PEM.
    pub crl: Option<PathBuf>,
    /// The host at which a node is reached, which its certificate has to name.
    pub host: Option<String>,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .file.display())]
pub struct TlsError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: TlsProblem,
}

/// What is wrong with a file of certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The system says this.
    #[error("cannot be read: {0}; `dske pki init` makes certificates for a test")]
    Unreadable(io::Error),
    /// The file is too large.
    #[error("has more than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// A key that others can read.
    #[error("can be read by others (mode {mode:03o}); type `chmod 600` and the file's name")]
    Exposed {
        /// Its mode.
        mode: u32,
    },
    /// There is a private key where a certificate belongs.
    #[error(
        "holds a private key where a certificate belongs: keep it where nobody else can read it"
    )]
    KeyForCertificate,
    /// There is something else in the file.
    #[error("holds no {0} in PEM")]
    Without(&'static str),
    /// The file has the right kind, and cannot be read.
    #[error("is broken: {0}")]
    Broken(String),
    /// The key is not that of the certificate.
    #[error("is not the key of {}", .0.display())]
    OtherKey(PathBuf),
    /// The certificate is somebody else's.
    #[error("is the certificate of {found:?}, not of {expected:?}: issue it again")]
    OtherName {
        /// Whom it names.
        found: String,
        /// Whom it should name.
        expected: String,
    },
    /// The certificate does not name the host at which the node is reached.
    #[error("does not name {0:?}, where the topology has the node: issue it again")]
    OtherHost(String),
    /// The CA does not stand behind the certificate.
    #[error("is not a certificate of the CA in {}: {reason}", .ca.display())]
    NotOfCa {
        /// The CA's file.
        ca: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The certificate has expired.
    #[error("has expired: issue it again")]
    Expired,
    /// The certificate is revoked.
    #[error("is revoked: issue it again")]
    Revoked,
    /// The revocation list cannot be used.
    #[error("cannot be used as a revocation list of the CA: {0}")]
    Revocation(String),
    /// What rustls says.
    #[error("{0}")]
    Rustls(Error),
}

/// When files were changed last: enough to see that one has changed.
pub(super) type Stamp = Vec<Option<(i64, i64, u64)>>;

impl TlsFiles {
    pub(super) fn certificate(&self, identity: &Identity) -> PathBuf {
        self.directory.join(format!("{}.pem", identity.file_stem()))
    }

    pub(super) fn key(&self, identity: &Identity) -> PathBuf {
        self.directory.join(format!("{}.key", identity.file_stem()))
    }

    pub(super) fn stamp(&self, identity: &Identity) -> Stamp {
        let own = [
            self.certificate(identity),
            self.key(identity),
            self.ca.clone(),
        ];
        let others = [&self.sae_ca, &self.crl].into_iter().flatten().cloned();
        let of = |metadata: Metadata| (metadata.mtime(), metadata.mtime_nsec(), metadata.ino());
        let files = own.into_iter().chain(others);
        files.map(|file| file.metadata().ok().map(of)).collect()
    }

    pub(super) fn roots(&self, file: &Path) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file)? {
            roots
                .add(certificate)
                .map_err(|error| at(file)(TlsProblem::Broken(error.to_string())))?;
        }
        Ok(roots)
    }

    pub(super) fn revoked(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
        let Some(file) = &self.crl else {
            return Ok(Vec::new());
        };
        let text = read(file)?;
        let lists = CertificateRevocationListDer::pem_slice_iter(&text);
        let lists: Result<Vec<_>, _> = lists.collect();
        let lists = lists.map_err(|e| at(file)(TlsProblem::Broken(e.to_string())))?;
        match lists.is_empty() {
            true => Err(at(file)(TlsProblem::Without("revocation list"))),
            false => Ok(lists),
        }
    }
}

pub(super) fn at(file: &Path) -> impl Fn(TlsProblem) -> TlsError {
    let file = file.to_owned();
    move |problem| TlsError {
        file: file.clone(),
        problem,
    }
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let unreadable = |error| at(file)(TlsProblem::Unreadable(error));
    let opened = File::open(file).map_err(unreadable)?;
    let mut text = Zeroizing::new(Vec::new());
    let mut some = opened.take(FILE_BYTES_MAX + 1);
    some.read_to_end(&mut text).map_err(unreadable)?;
    match text.len() as u64 > FILE_BYTES_MAX {
        true => Err(at(file)(TlsProblem::TooLarge)),
        false => Ok(text),
    }
}

pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(|e| at(file)(TlsProblem::Broken(e.to_string())))?;
    if certificates.is_empty() {
        return Err(at(file)(match PrivateKeyDer::from_pem_slice(&text) {
            Ok(_) => TlsProblem::KeyForCertificate,
            Err(_) => TlsProblem::Without("certificate"),
        }));
    }
    Ok(certificates)
}

pub(super) fn first_certificate(file: &Path) -> Result<CertificateDer<'static>, TlsError> {
    let first = certificates(file)?.into_iter().next();
    first.ok_or_else(|| at(file)(TlsProblem::Without("certificate")))
}

pub(super) fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let unreadable = |error| at(file)(TlsProblem::Unreadable(error));
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(at(file)(TlsProblem::Exposed { mode }));
    }
    let text = read(file)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| at(file)(TlsProblem::Without("private key")))
}
