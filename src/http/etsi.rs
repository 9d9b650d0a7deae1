//! The data formats of ETSI GS QKD 014 V1.1.1 clause 6.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::node::client::KmeStatus;
use crate::protocol::initiator::EstablishedKey;
use crate::protocol::limits::SLAVE_SAES_MAX;

/// Status, clause 6.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(non_snake_case, reason = "the standard's own spelling")]
pub struct Status {
    /// The KME that answers.
    pub source_KME_ID: String,
    /// The KME that serves the slave SAE.
    pub target_KME_ID: String,
    /// The SAE that asks.
    pub master_SAE_ID: String,
    /// The SAE of the path.
    pub slave_SAE_ID: String,
    /// Default size of a key, in bits.
    pub key_size: usize,
    /// Keys of default size for which there is PSRD.
    pub stored_key_count: usize,
    /// Largest `stored_key_count`.
    pub max_key_count: usize,
    /// Keys in one call at most.
    pub max_key_per_request: usize,
    /// Largest key, in bits.
    pub max_key_size: usize,
    /// Smallest key, in bits.
    pub min_key_size: usize,
    /// `additional_slave_SAE_IDs` at most.
    pub max_SAE_ID_count: usize,
}

impl From<KmeStatus> for Status {
    fn from(status: KmeStatus) -> Self {
        Self {
            source_KME_ID: status.source_kme.to_string(),
            target_KME_ID: status.target_kme.to_string(),
            master_SAE_ID: status.master_sae.to_string(),
            slave_SAE_ID: status.slave_sae.to_string(),
            key_size: status.keys.default_bits,
            stored_key_count: status.stored_key_count,
            max_key_count: status.keys.stored_max,
            max_key_per_request: status.keys.per_request_max,
            max_key_size: status.keys.max_bits,
            min_key_size: status.keys.min_bits,
            max_SAE_ID_count: SLAVE_SAES_MAX - 1,
        }
    }
}

/// Key container, clause 6.3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyContainer {
    /// The keys.
    pub keys: Vec<ContainedKey>,
}

/// A key in a [`KeyContainer`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(non_snake_case, reason = "the standard's own spelling")]
pub struct ContainedKey {
    /// The key's ID, a UUID.
    pub key_ID: String,
    /// The key, base64 (RFC 4648 section 4).
    pub key: Zeroizing<String>,
}

impl fmt::Debug for ContainedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContainedKey({}, <redacted>)", self.key_ID)
    }
}

impl From<Vec<EstablishedKey>> for KeyContainer {
    fn from(keys: Vec<EstablishedKey>) -> Self {
        let keys = keys.iter().map(|key| ContainedKey {
            key_ID: key.key_id.to_string(),
            key: Zeroizing::new(STANDARD.encode(&*key.bytes)),
        });
        Self {
            keys: keys.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_shown_by_debug() {
        let container = KeyContainer {
            keys: vec![ContainedKey {
                key_ID: "id".to_owned(),
                key: Zeroizing::new("c2VjcmV0".to_owned()),
            }],
        };
        let shown = format!("{container:?}");
        assert!(
            shown.contains("<redacted>") && !shown.contains("c2VjcmV0"),
            "{shown}"
        );
    }
}
