//! The data formats of ETSI GS QKD 014 V1.1.1 clause 6.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::secret::Secret;
use crate::node::client::KmeStatus;
use crate::protocol::initiator::EstablishedKey;
use crate::protocol::limits::SLAVE_SAES_MAX;
use crate::protocol::{KeyId, SaeId};

/// Status, clause 6.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// Keys of default size for which there is enough PSRD.
    pub stored_key_count: usize,
    /// Largest `stored_key_count`.
    pub max_key_count: usize,
    /// Largest number of keys in one call.
    pub max_key_per_request: usize,
    /// Largest key, in bits.
    pub max_key_size: usize,
    /// Smallest key, in bits.
    pub min_key_size: usize,
    /// Largest number of `additional_slave_SAE_IDs`.
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

/// Key request, clause 6.2, without extensions. An SAE writes it as JSON. A KME reads it item by item, so that it can say
/// what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeyRequest {
    /// Number of keys, if not the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<usize>,
    /// Bits of each key, if not the default.
    #[serde(rename = "size", skip_serializing_if = "Option::is_none")]
    pub size_bits: Option<usize>,
    /// Further slaves.
    #[serde(
        rename = "additional_slave_SAE_IDs",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub also: Vec<SaeId>,
}

/// Key container, clause 6.3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyContainer {
    /// The keys.
    pub keys: Vec<ContainedKey>,
}

/// A key in a [`KeyContainer`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[allow(non_snake_case, reason = "the standard's own spelling")]
pub struct ContainedKey {
    /// The key's ID, a UUID.
    #[cfg_attr(feature = "openapi", schema(value_type = Uuid, example = "bc490419-7d60-487f-adc1-4ddcc177c139"))]
    pub key_ID: String,
    /// The key, base64 (RFC 4648 section 4).
    #[cfg_attr(feature = "openapi", schema(value_type = String, content_encoding = "base64", example = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))]
    pub key: Zeroizing<String>,
}

impl fmt::Debug for ContainedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContainedKey({}, <redacted>)", self.key_ID)
    }
}

impl KeyContainer {
    /// The container as JSON. Its buffer has the right size from the start, so that it never moves and leaves no copy
    /// behind, and it is wiped when it is dropped.
    #[must_use]
    pub fn to_json(&self) -> Secret {
        let mut json = Vec::with_capacity(self.json_bytes());
        serde_json::to_writer(&mut json, self)
            .expect("a container is strings, and memory takes all of them");
        Secret::from(json)
    }

    /// Length of the container as JSON.
    fn json_bytes(&self) -> usize {
        // The text around the values of a key, and around all keys.
        const AROUND_A_KEY: usize = r#"{"key_ID":"","key":""},"#.len();
        const AROUND_ALL: usize = r#"{"keys":[]}"#.len();
        let keys = self.keys.iter();
        let values = keys.map(|key| AROUND_A_KEY + key.key_ID.len() + key.key.len());
        // The last key has no comma after it.
        let commas_too_many = usize::from(!self.keys.is_empty());
        AROUND_ALL + values.sum::<usize>() - commas_too_many
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

/// Key IDs, clause 6.4, without extensions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyIds {
    /// The keys that are wanted.
    #[serde(rename = "key_IDs")]
    pub keys: Vec<WantedKey>,
}

/// A key in [`KeyIds`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WantedKey {
    /// The key's ID.
    #[serde(rename = "key_ID")]
    pub key_id: KeyId,
}

impl From<&[KeyId]> for KeyIds {
    fn from(key_ids: &[KeyId]) -> Self {
        let keys = key_ids.iter().map(|&key_id| WantedKey { key_id });
        Self {
            keys: keys.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_container_is_known_beforehand_and_it_reads_as_it_was_written() {
        for number in [0, 1, 3, 128] {
            let key = |n: usize| ContainedKey {
                key_ID: "bc490419-7d60-487f-adc1-4ddcc177c139".to_owned(),
                key: Zeroizing::new(STANDARD.encode(vec![0xff; n])),
            };
            let container = KeyContainer {
                keys: (0..number).map(key).collect(),
            };
            let json = container.to_json();
            // With one more byte, the buffer would have grown and left a copy behind.
            assert_eq!(json.len(), container.json_bytes());
            assert_eq!(
                serde_json::from_slice::<KeyContainer>(&json).unwrap(),
                container
            );
        }
    }

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
