//! The section `[tls]`, and what an address without it may be.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The section `[tls]`: where the certificates are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSection {
    /// The folder of certificates and keys.
    pub directory: PathBuf,
    /// The CA of all parties. Without one, it is `ca.pem` in the folder.
    pub ca: Option<PathBuf>,
    /// What the CA has revoked.
    pub crl: Option<PathBuf>,
    /// A CA of SAEs alone.
    pub sae_ca: Option<PathBuf>,
}

impl Default for TlsSection {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("pki"),
            ca: None,
            crl: None,
            sae_ca: None,
        }
    }
}

impl TlsSection {
    /// The file of the CA of all parties.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        let usual = || self.directory.join("ca.pem");
        self.ca.clone().unwrap_or_else(usual)
    }

    /// The same, with paths that are relative to a folder.
    pub(super) fn below(self, folder: &Path) -> Self {
        let below = |path: PathBuf| folder.join(path);
        Self {
            directory: below(self.directory),
            ca: self.ca.map(below),
            crl: self.crl.map(below),
            sae_ca: self.sae_ca.map(below),
        }
    }
}

/// Whether an address, `host:port`, is one of this machine's own, which nobody else can reach.
pub(super) fn is_loopback(address: &str) -> bool {
    let (host, _) = address.rsplit_once(':').unwrap_or((address, ""));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_own = |address: IpAddr| address.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_this_machine_and_nothing_else() {
        for own in [
            "127.0.0.1:1",
            "127.8.9.1:1",
            "[::1]:1",
            "localhost:1",
            "LOCALHOST:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "10.0.0.1:1",
            "0.0.0.0:1",
            "[::]:1",
            "hank:1",
            "localhost.example:1",
            "[2001:db8::1]:1",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
