//! Whom a node knows, and by which certificates.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

use crate::protocol::{NodeName, SaeId};

use super::peer::Identity;

/// What a certificate says about its subject, and one way to say which certificate is an SAE's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateName {
    /// The SHA-256 of the whole certificate.
    Sha256(Fingerprint),
    /// A URI among the alternative names of the subject.
    SanUri(String),
    /// A DNS name among the alternative names of the subject.
    SanDns(String),
    /// The common name of the subject.
    Cn(String),
}

/// SHA-256 of a certificate in DER: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Fingerprint(pub [u8; 32]);

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    /// Reads 64 hexadecimal digits, in either case, with or without colons between the bytes.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "sha256 is 64 hexadecimal digits, with or without colons, as `openssl x509 -fingerprint -sha256` prints it";
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        let (pairs, rest) = digits.as_chunks::<2>();
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return Err(wrong);
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let digit = |c: u8| char::from(c).to_digit(16);
            let (high, low) = digit(pair[0]).zip(digit(pair[1])).ok_or(wrong)?;
            *byte = u8::try_from(high * 16 + low).map_err(|_| wrong)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Identity {
    /// The common name of this party's certificate. An SAE's may be another, if the topology says so.
    #[must_use]
    pub fn common_name(&self) -> String {
        match self {
            Self::Sae(id) => id.to_string(),
            Self::Client(name) => format!("client-{name}"),
            Self::Hub(name) => format!("hub-{name}"),
            Self::Operator => "operator".to_owned(),
            Self::Monitor => "monitor".to_owned(),
        }
    }

    /// The name of this party's files in a directory of certificates, without the ending.
    #[must_use]
    pub fn file_stem(&self) -> String {
        match self {
            Self::Sae(id) => format!("sae-{id}"),
            node => node.common_name(),
        }
    }
}

/// Whether a common name is that of a node, an operator or a monitor, so that no SAE can have it.
pub(crate) fn is_reserved(common_name: &str) -> bool {
    common_name == "operator"
        || common_name == "monitor"
        || common_name.starts_with("hub-")
        || common_name.starts_with("client-")
}

/// Everybody whom a topology names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// The hubs.
    pub hubs: BTreeSet<NodeName>,
    /// The clients.
    pub clients: BTreeSet<NodeName>,
    /// The SAEs, by what their certificates say.
    pub saes: BTreeMap<CertificateName, SaeId>,
}

impl Directory {
    /// Who has a certificate with these names. `None` if nobody has.
    #[must_use]
    pub fn identity(&self, names: &[CertificateName]) -> Option<Identity> {
        let common = names.iter().find_map(|name| match name {
            CertificateName::Cn(name) => Some(name.as_str()),
            _ => None,
        });
        let node =
            |prefix: &str| -> Option<NodeName> { common?.strip_prefix(prefix)?.parse().ok() };
        match common {
            Some("operator") => return Some(Identity::Operator),
            Some("monitor") => return Some(Identity::Monitor),
            _ => {}
        }
        let hub = node("hub-").filter(|name| self.hubs.contains(name));
        let client = node("client-").filter(|name| self.clients.contains(name));
        hub.map(Identity::Hub)
            .or(client.map(Identity::Client))
            .or_else(|| self.sae(names))
    }

    /// The same for a certificate of the SAEs' own CA, which can name SAEs alone.
    #[must_use]
    pub fn sae(&self, names: &[CertificateName]) -> Option<Identity> {
        let sae = names.iter().find_map(|name| self.saes.get(name))?;
        Some(Identity::Sae(sae.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let saes = [
            (CertificateName::Cn("carol".to_owned()), "carol"),
            (CertificateName::SanUri("urn:sae:7".to_owned()), "seven"),
        ];
        Directory {
            hubs: BTreeSet::from(["hank".parse().unwrap()]),
            clients: BTreeSet::from(["celia".parse().unwrap()]),
            saes: saes.map(|(name, id)| (name, id.parse().unwrap())).into(),
        }
    }

    fn named(cn: &str) -> Option<Identity> {
        directory().identity(&[CertificateName::Cn(cn.to_owned())])
    }

    #[test]
    fn a_common_name_says_who_it_is() {
        let hank = Identity::Hub("hank".parse().unwrap());
        let celia = Identity::Client("celia".parse().unwrap());
        let carol = Identity::Sae("carol".parse().unwrap());
        for identity in [hank, celia, carol, Identity::Operator, Identity::Monitor] {
            assert_eq!(named(&identity.common_name()), Some(identity));
        }
        for nobody in [
            "hub-celia",
            "client-hank",
            "hank",
            "celia",
            "",
            "Operator",
            "sae-carol",
        ] {
            assert_eq!(named(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn an_sae_is_found_by_what_the_topology_maps() {
        let names = [
            CertificateName::SanUri("urn:sae:7".to_owned()),
            CertificateName::Cn("router".to_owned()),
        ];
        let seven = Some(Identity::Sae("seven".parse().unwrap()));
        assert_eq!(directory().identity(&names), seven);
        assert_eq!(named("seven"), None);
    }

    #[test]
    fn the_saes_own_ca_names_saes_alone() {
        for node in ["hub-hank", "client-celia", "operator", "monitor"] {
            let names = [CertificateName::Cn(node.to_owned())];
            assert_eq!(directory().sae(&names), None, "{node}");
        }
    }

    #[test]
    fn a_fingerprint_is_read_as_openssl_prints_it() {
        let plain = "0f".repeat(32);
        let colons = ["0F"; 32].join(":");
        for text in [plain.clone(), colons] {
            assert_eq!(Fingerprint::try_from(text), Ok(Fingerprint([15; 32])));
        }
        for wrong in [
            plain[1..].to_owned(),
            "0g".repeat(32),
            String::new(),
            "é".repeat(32),
        ] {
            assert!(Fingerprint::try_from(wrong).is_err());
        }
    }
}
