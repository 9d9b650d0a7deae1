//! Whose certificates are believed.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::files::{TlsError, TlsFiles, TlsProblem};
use super::{Credentials, names, provider};
use crate::http::directory::Directory;
use crate::http::peer::Peer;

/// The CAs of a topology, and what they have revoked.
#[derive(Debug)]
pub(super) struct Trust {
    /// Of callers.
    callers: Arc<dyn ClientCertVerifier>,
    /// Of SAEs alone, if they have a CA of their own.
    saes: Option<Arc<dyn ClientCertVerifier>>,
    /// Of nodes that are called.
    nodes: Arc<WebPkiServerVerifier>,
    hints: Vec<DistinguishedName>,
}

impl Trust {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let roots = Arc::new(files.roots(&files.ca)?);
        let revoked = files.revoked()?;
        let broken = |error: rustls::server::VerifierBuilderError| TlsError {
            file: files.crl.clone().unwrap_or_else(|| files.ca.clone()),
            problem: TlsProblem::Revocation(error.to_string()),
        };
        let nodes = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider());
        let nodes = nodes.with_crls(revoked.iter().cloned());
        let nodes = nodes.only_check_end_entity_revocation();
        let nodes = nodes.build().map_err(broken)?;
        let callers = of_callers(roots, revoked).map_err(broken)?;
        let saes = files.sae_ca.as_ref().map(|file| {
            let roots = Arc::new(files.roots(file)?);
            of_callers(roots, Vec::new()).map_err(broken)
        });
        let saes = saes.transpose()?;
        let mut hints = callers.root_hint_subjects().to_vec();
        hints.extend(
            saes.iter()
                .flat_map(|saes| saes.root_hint_subjects().to_vec()),
        );
        Ok(Self {
            callers,
            saes,
            nodes,
            hints,
        })
    }

    /// Whether a node may show this certificate when it is called by a name.
    pub(super) fn check_node(
        &self,
        chain: &[CertificateDer<'_>],
        host: &ServerName<'_>,
    ) -> Result<(), Error> {
        let (first, others) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
        let now = UnixTime::now();
        self.nodes
            .verify_server_cert(first, others, host, &[], now)
            .map(|_| ())
    }

    /// Whether this is a certificate with which its owner may call nodes.
    pub(super) fn check_caller(&self, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
        let (first, others) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
        self.verify_client_cert(first, others, UnixTime::now())
            .map(|_| ())
    }

    /// Whom a chain of certificates names.
    pub(super) fn peer(&self, chain: &[CertificateDer<'_>], directory: &Directory) -> Peer {
        let Some((first, others)) = chain.split_first() else {
            return Peer::Nobody;
        };
        let now = UnixTime::now();
        let names = names::names(first);
        let by =
            |ca: &Arc<dyn ClientCertVerifier>| ca.verify_client_cert(first, others, now).is_ok();
        let identity = match &self.saes {
            _ if by(&self.callers) => directory.identity(&names),
            Some(saes) if by(saes) => directory.sae(&names),
            _ => None,
        };
        identity.map_or(Peer::Nobody, Peer::Proved)
    }
}

fn of_callers(
    roots: Arc<RootCertStore>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
) -> Result<Arc<dyn ClientCertVerifier>, rustls::server::VerifierBuilderError> {
    WebPkiClientVerifier::builder_with_provider(roots, provider())
        .with_crls(revoked)
        .only_check_end_entity_revocation()
        // Without a certificate there are routes, such as those for probes, and refusals that say what is missing.
        .allow_unauthenticated()
        .build()
}

impl ClientCertVerifier for Trust {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .callers
            .verify_client_cert(end_entity, intermediates, now);
        match (&self.saes, &verified) {
            (Some(saes), Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))) => {
                saes.verify_client_cert(end_entity, intermediates, now)
            }
            _ => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.callers
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.callers
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.callers.supported_verify_schemes()
    }
}

/// Checks the certificate of a node that is called: its CA, its host, and its name in the topology.
pub(super) struct ServerCheck {
    pub(super) credentials: Arc<Credentials>,
    /// The common name that it has to have.
    pub(super) expected: Option<String>,
}

impl fmt::Debug for ServerCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerCheck({:?})", self.expected)
    }
}

impl ServerCertVerifier for ServerCheck {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let trust = Arc::clone(&self.credentials.current().trust);
        let verified =
            trust
                .nodes
                .verify_server_cert(end_entity, intermediates, host, ocsp, now)?;
        let name = names::common_name(end_entity);
        match &self.expected {
            Some(expected) if name.as_ref() != Some(expected) => Err(Error::General(format!(
                "the certificate is that of {}, not that of {expected}",
                name.unwrap_or_else(|| "nobody".to_owned())
            ))),
            _ => Ok(verified),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let trust = Arc::clone(&self.credentials.current().trust);
        trust
            .nodes
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let trust = Arc::clone(&self.credentials.current().trust);
        trust
            .nodes
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.credentials
            .current()
            .trust
            .nodes
            .supported_verify_schemes()
    }
}
