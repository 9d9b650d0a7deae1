//! Makes certificates and the list of those that are revoked.

use jiff::Timestamp;
use rand::Rng as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use dske::crypto::generator::os_rng;
use dske::http::directory::CertificateName;
use dske::http::peer::Identity;
use dske::topology::Topology;

use crate::CliError;

/// How long the CA is valid.
const CA_DAYS: i64 = 10 * 365;

/// How long a certificate is valid.
const DAYS: i64 = 365;

/// Certificates are valid a little before they are made: clocks differ.
const CLOCKS_DIFFER: Duration = Duration::hours(1);

/// A CA, with its key.
pub(super) struct Ca {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate, and its key, in PEM.
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) key: Zeroizing<String>,
}

impl Ca {
    /// A new one.
    pub(super) fn new() -> Result<Self, CliError> {
        let key = KeyPair::generate()?;
        // CAs of two folders have different names, so that one is not taken for the other.
        let number = u64::from_be_bytes(random());
        let mut params = params(&format!("DSKE test CA {number:016x}"), CA_DAYS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// One that was made before.
    pub(super) fn read(certificate: &str, key: &str) -> Result<Self, CliError> {
        let issuer = Issuer::from_ca_cert_pem(certificate, KeyPair::from_pem(key)?)?;
        Ok(Self {
            certificate: certificate.to_owned(),
            issuer,
        })
    }

    pub(super) fn pem(&self) -> String {
        self.certificate.clone()
    }

    pub(super) fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// A certificate for a party. A node's names the host at which it is reached, and its name.
    pub(super) fn issue(&self, topology: &Topology, party: &Identity) -> Result<Issued, CliError> {
        let key = KeyPair::generate()?;
        let mut params = params(&party.common_name(), DAYS)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        match party {
            Identity::Hub(name) | Identity::Client(name) => {
                params
                    .extended_key_usages
                    .push(ExtendedKeyUsagePurpose::ServerAuth);
                let address = topology.address(name).unwrap_or_default();
                let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
                let host = host.trim_matches(['[', ']']);
                params.subject_alt_names.push(match host.parse() {
                    Ok(ip) => SanType::IpAddress(ip),
                    Err(_) => SanType::DnsName(host.try_into()?),
                });
                for name in topology.host_names.iter().map(String::as_str) {
                    params
                        .subject_alt_names
                        .push(SanType::DnsName(name.try_into()?));
                }
                if host
                    .parse()
                    .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
                {
                    let local = "localhost".try_into()?;
                    params.subject_alt_names.push(SanType::DnsName(local));
                }
            }
            Identity::Sae(id) => {
                let mapped = topology.sae_certificates.iter();
                let mapped = mapped.filter(|(_, sae)| *sae == id).map(|(name, _)| name);
                for name in mapped {
                    match name {
                        CertificateName::Cn(name) => {
                            params
                                .distinguished_name
                                .push(DnType::CommonName, name.as_str());
                        }
                        CertificateName::SanDns(name) => {
                            let name = name.as_str().try_into()?;
                            params.subject_alt_names.push(SanType::DnsName(name));
                        }
                        CertificateName::SanUri(name) => {
                            let name = name.as_str().try_into()?;
                            params.subject_alt_names.push(SanType::URI(name));
                        }
                        // Whoever names a certificate by its bytes has it already.
                        CertificateName::Sha256(_) => {}
                    }
                }
            }
            Identity::Operator | Identity::Monitor => {}
        }
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            certificate: certificate.pem(),
            key: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// The list of certificates that are revoked, by their serial numbers, in PEM.
    pub(super) fn revoked(&self, serials: &[Vec<u8>]) -> Result<String, CliError> {
        let now = now()?;
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: now,
            next_update: now + Duration::days(CA_DAYS),
            crl_number: SerialNumber::from_slice(&now.unix_timestamp().to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

fn params(common_name: &str, days: i64) -> Result<CertificateParams, CliError> {
    let now = now()?;
    let mut params = CertificateParams::default();
    params.not_before = now - CLOCKS_DIFFER;
    params.not_after = now + Duration::days(days);
    // Positive, and never the same twice: RFC 5280 section 4.1.2.2.
    let mut serial: [u8; 16] = random();
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    Ok(params)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    os_rng().fill_bytes(&mut bytes);
    bytes
}

fn now() -> Result<OffsetDateTime, CliError> {
    let now = OffsetDateTime::from_unix_timestamp(Timestamp::now().as_second());
    now.map_err(|_| CliError::Pki(rcgen::Error::Time))
}
