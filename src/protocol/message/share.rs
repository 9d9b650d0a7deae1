//! A share in its two states: encrypted on the wire, plain inside a node.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::crypto::secret::Secret;

/// A share under its one-time pad: base64 (RFC 4648 section 4) in JSON, the bytes themselves in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted(pub Vec<u8>);

impl Serialize for Encrypted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&STANDARD.encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Encrypted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <&[u8]>::deserialize(deserializer).map(|bytes| Self(bytes.to_vec()));
        }
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD
            .decode(text.as_bytes())
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// A share in the clear. It is never serialized or printed, and wiped when dropped.
#[derive(Clone)]
pub struct Plain(pub Secret);

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<redacted>")
    }
}

/// What both states of a share have in common.
pub trait ShareBytes {
    /// Length in bytes.
    fn byte_len(&self) -> usize;
}

impl ShareBytes for Encrypted {
    fn byte_len(&self) -> usize {
        self.0.len()
    }
}

impl ShareBytes for Plain {
    fn byte_len(&self) -> usize {
        self.0.len()
    }
}
