//! Certificates under TLS 1.2 and 1.3: what a party proves itself with, and whom it believes.
//!
//! | module | what it holds |
//! |---|---|
//! | `files` | reads certificates, keys and revocation lists, and says what is wrong with them |
//! | `own` | the certificate and the key of a party |
//! | `names` | what a certificate says about its subject |
//! | `trust` | whose certificates are believed |
//! | `accept` | the handshake with whoever connects to a node |
//! | `handshakes` | how many handshakes failed, and why |
//!
//! The key exchange X25519MLKEM768 is preferred: who records a connection cannot read it later with a quantum computer.
//! Certificates are classical signatures, which protect the moment of the handshake.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig, SignatureScheme};

use super::directory::Directory;
use super::peer::{Identity, Peer, Proof};

mod accept;
mod files;
mod handshakes;
mod names;
mod own;
mod trust;

pub(super) use accept::accept;
pub use files::{TlsError, TlsFiles, TlsProblem};
pub use handshakes::{Failure, Handshakes};

use files::Stamp;
use trust::Trust;

/// The only protocol that nodes speak, RFC 7301.
const HTTP_1_1: &[u8] = b"http/1.1";

/// What a party proves itself with, and whom it believes. Its files may be read again while it runs.
pub struct Credentials {
    files: TlsFiles,
    identity: Identity,
    directory: Directory,
    now: RwLock<Arc<Current>>,
    handshakes: Handshakes,
}

/// What the files said when they were read last.
struct Current {
    /// Counts how often they were read.
    generation: u64,
    stamp: Stamp,
    own: Arc<CertifiedKey>,
    trust: Arc<Trust>,
    /// Its tickets end with it, so that no session goes on by what was believed before.
    server: Arc<ServerConfig>,
}

impl Credentials {
    /// Reads the files of a party.
    ///
    /// # Errors
    /// If a file is missing or cannot be used.
    pub fn read(
        files: TlsFiles,
        identity: Identity,
        directory: Directory,
    ) -> Result<Arc<Self>, TlsError> {
        let current = Current::read(&files, &identity, 0)?;
        Ok(Arc::new(Self {
            files,
            identity,
            directory,
            now: RwLock::new(Arc::new(current)),
            handshakes: Handshakes::default(),
        }))
    }

    /// Reads the files again. If they cannot be used, what was read before stays.
    ///
    /// # Errors
    /// If a file is missing or cannot be used.
    pub fn reload(&self) -> Result<(), TlsError> {
        let next = self.current().generation + 1;
        let current = Current::read(&self.files, &self.identity, next)?;
        let mut now = self.now.write().unwrap_or_else(|now| now.into_inner());
        *now = Arc::new(current);
        Ok(())
    }

    /// Whether a file has changed since the files were read last.
    #[must_use]
    pub fn have_changed(&self) -> bool {
        self.files.stamp(&self.identity) != self.current().stamp
    }

    /// How long the certificate is still valid. Zero if it has expired.
    #[must_use]
    pub fn valid_for(&self) -> Duration {
        let own = self.current();
        let left = own
            .own
            .end_entity_cert()
            .ok()
            .and_then(|c| names::valid_for(c));
        left.unwrap_or_default()
    }

    /// How many handshakes failed, and why.
    #[must_use]
    pub fn handshakes(&self) -> &Handshakes {
        &self.handshakes
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.now.read().unwrap_or_else(|now| now.into_inner()))
    }

    /// What a caller proves itself with to a node. `expected`: whom the node's certificate has to name, besides the host
    /// that is called.
    #[must_use]
    pub fn client_config(self: &Arc<Self>, expected: Option<&Identity>) -> Arc<ClientConfig> {
        let verifier = trust::ServerCheck {
            credentials: Arc::clone(self),
            expected: expected.map(Identity::common_name),
        };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect(VERSIONS)
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(Own(Arc::clone(self))));
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Arc::new(config)
    }

    /// Who has shown this chain of certificates, asked anew whenever the files have been read again.
    fn proof(self: &Arc<Self>, chain: Vec<CertificateDer<'static>>) -> Proof {
        let credentials = Arc::clone(self);
        let known = std::cell::RefCell::new(None::<(u64, Peer)>);
        std::rc::Rc::new(move || {
            let current = credentials.current();
            let mut known = known.borrow_mut();
            match &*known {
                Some((generation, peer)) if *generation == current.generation => peer.clone(),
                _ => {
                    let peer = current.trust.peer(&chain, &credentials.directory);
                    *known = Some((current.generation, peer.clone()));
                    peer
                }
            }
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials of {}", self.identity)
    }
}

impl Current {
    fn read(files: &TlsFiles, identity: &Identity, generation: u64) -> Result<Self, TlsError> {
        // Before they are read: what changes meanwhile is read again.
        let stamp = files.stamp(identity);
        let trust = Arc::new(Trust::read(files)?);
        let own = Arc::new(files.own(identity, &trust)?);
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect(VERSIONS)
            .with_client_cert_verifier(Arc::clone(&trust) as _)
            .with_cert_resolver(Arc::new(Fixed(Arc::clone(&own))));
        server.alpn_protocols = vec![HTTP_1_1.to_vec()];
        server.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| TlsError {
            file: files.directory.clone(),
            problem: TlsProblem::Rustls(error),
        })?;
        Ok(Self {
            generation,
            stamp,
            own,
            trust,
            server: Arc::new(server),
        })
    }
}

const VERSIONS: &str = "the provider has suites for TLS 1.2 and 1.3";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A node's certificate, whatever name it is called by.
#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A caller's certificate, as it was read last.
#[derive(Debug)]
struct Own(Arc<Credentials>);

impl ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current().own))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// What a certificate in a file says of itself, for people.
///
/// # Errors
/// If the file cannot be read, or holds no certificate.
pub fn describe(file: &Path) -> Result<(String, Duration), TlsError> {
    let certificate = files::first_certificate(file)?;
    let common_name = names::common_name(&certificate).unwrap_or_default();
    let left = names::valid_for(&certificate).unwrap_or_default();
    Ok((common_name, left))
}
