//! The certificate and the key of a party, once they fit each other, the party and the CA.

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error};

use super::files::{TlsError, TlsFiles, TlsProblem, at, certificates, private_key};
use super::trust::Trust;
use super::{names, provider};
use crate::http::peer::Identity;

impl TlsFiles {
    /// # Errors
    /// What does not fit.
    pub(super) fn own(&self, identity: &Identity, trust: &Trust) -> Result<CertifiedKey, TlsError> {
        let (file, key_file) = (self.certificate(identity), self.key(identity));
        let chain = certificates(&file)?;
        let key = private_key(&key_file)?;
        let key = provider().key_provider.load_private_key(key);
        let key = key.map_err(|e| at(&key_file)(TlsProblem::Broken(e.to_string())))?;
        let own = CertifiedKey::new(chain, key);
        own.keys_match()
            .map_err(|_| at(&key_file)(TlsProblem::OtherKey(file.clone())))?;
        self.check(identity, &own.cert, trust).map_err(at(&file))?;
        Ok(own)
    }

    fn check(
        &self,
        identity: &Identity,
        chain: &[CertificateDer<'static>],
        trust: &Trust,
    ) -> Result<(), TlsProblem> {
        let first = chain.first().ok_or(TlsProblem::Without("certificate"))?;
        let found = names::common_name(first).unwrap_or_default();
        let expected = identity.common_name();
        // Which certificate is an SAE's is for the topology to say.
        if found != expected && !matches!(identity, Identity::Sae(_)) {
            return Err(TlsProblem::OtherName { found, expected });
        }
        let checked = match &self.host {
            None => trust.check_caller(chain),
            Some(host) => {
                let name = ServerName::try_from(host.as_str())
                    .map_err(|_| TlsProblem::OtherHost(host.clone()))?;
                trust.check_node(chain, &name)
            }
        };
        checked.map_err(|error| match error {
            Error::InvalidCertificate(error) => match (error, &self.host) {
                (CertificateError::Expired | CertificateError::ExpiredContext { .. }, _) => {
                    TlsProblem::Expired
                }
                (CertificateError::Revoked, _) => TlsProblem::Revoked,
                (
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                    Some(host),
                ) => TlsProblem::OtherHost(host.clone()),
                (error, _) => self.not_of_ca(error.to_string()),
            },
            error => self.not_of_ca(error.to_string()),
        })
    }

    fn not_of_ca(&self, reason: String) -> TlsProblem {
        TlsProblem::NotOfCa {
            ca: self.ca.clone(),
            reason,
        }
    }
}
