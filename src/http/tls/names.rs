//! What a certificate says about its subject, RFC 5280.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::http::directory::{CertificateName, Fingerprint};

/// All names, the surest first. None of a certificate that cannot be read.
pub(super) fn names(certificate: &CertificateDer<'_>) -> Vec<CertificateName> {
    let digest: [u8; 32] = Sha256::digest(certificate.as_ref()).into();
    let mut names = vec![CertificateName::Sha256(Fingerprint(digest))];
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    if let Ok(Some(alternative)) = parsed.subject_alternative_name() {
        let mut others = Vec::new();
        for name in &alternative.value.general_names {
            match name {
                GeneralName::URI(uri) => others.push(CertificateName::SanUri((*uri).to_owned())),
                GeneralName::DNSName(dns) => {
                    others.push(CertificateName::SanDns(dns.to_ascii_lowercase()));
                }
                _ => {}
            }
        }
        others.sort();
        names.extend(others);
    }
    names.extend(common_name(certificate).map(CertificateName::Cn));
    names
}

/// The common name of the subject. `None` if there is none, or more than one.
pub(super) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let mut common = parsed.subject().iter_common_name();
    let (first, second) = (common.next()?, common.next());
    let name = first.as_str().ok()?.to_owned();
    second.is_none().then_some(name)
}

/// How long a certificate is still valid. Zero if it has expired.
pub(super) fn valid_for(certificate: &CertificateDer<'_>) -> Option<Duration> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let until = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    let left = until.saturating_sub(UnixTime::now().as_secs());
    Some(Duration::from_secs(left))
}
