//! Names: nodes, SAEs and keys.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use rand::CryptoRng;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use uuid::Uuid;

/// Longest name of a node or SAE, in bytes. A name has to fit into a path and a log line.
pub const NAME_BYTES_MAX: usize = 64;

/// A name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Empty, or longer than [`NAME_BYTES_MAX`].
    #[error("a name has 1 to {NAME_BYTES_MAX} characters, this one has {0}")]
    Length(usize),
    /// A character that would have to be escaped somewhere.
    #[error("a name is made of letters, digits, '-', '_' and '.', this one has {0:?}")]
    Character(char),
    /// It begins as an option of a command does.
    #[error("a name does not begin with '-': commands would take it for an option")]
    Hyphen,
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(NameError::Length(name.len()));
    }
    if name.starts_with('-') {
        return Err(NameError::Hyphen);
    }
    match name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
    {
        Some(c) => Err(NameError::Character(c)),
        None => Ok(()),
    }
}

/// Reads a name without copying its text first.
struct NameVisitor<N>(PhantomData<N>);

impl<N: FromStr<Err = NameError>> Visitor<'_> for NameVisitor<N> {
    type Value = N;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<N, E> {
        name.parse().map_err(E::custom)
    }
}

// Every message, share and key has names, so a copy has to be cheap: `SmolStr` stores short ones inline.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(SmolStr);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                check(name)?;
                Ok(Self(name.into()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(NameVisitor(PhantomData))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name_type! {
    /// Name of a hub or client, unique in a topology.
    NodeName
}

name_type! {
    /// ID of a secure application entity (SAE), ETSI GS QKD 014 clause 3.1.
    SaeId
}

impl From<&NodeName> for SaeId {
    /// A client without a list of SAEs serves one SAE, which has the client's name.
    fn from(name: &NodeName) -> Self {
        Self(name.0.clone())
    }
}

/// ID of a key: a random UUID (RFC 9562, version 4), ETSI GS QKD 014 clause 6.3 `key_ID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(Uuid);

impl KeyId {
    /// Draws an ID.
    #[must_use]
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

/// Which key is meant. Each initiator draws its key IDs alone, and whoever reads the wire can use an ID again. So an ID
/// names one key only together with the master SAE, for which nobody else can speak.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName {
    /// The SAE that asked for the key.
    pub master_sae: SaeId,
    /// The key's ID.
    pub key_id: KeyId,
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Text that is no UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key ID is a UUID such as bc490419-7d60-487f-adc1-4ddcc177c139")]
pub struct KeyIdError;

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        // `Uuid` also reads braces, URNs and 32 bare digits, but the standard's format is 8-4-4-4-12.
        if text.len() != 36 {
            return Err(KeyIdError);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| KeyIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_odd_characters_or_lengths_are_refused() {
        assert_eq!("".parse::<NodeName>(), Err(NameError::Length(0)));
        assert_eq!("a".repeat(65).parse::<SaeId>(), Err(NameError::Length(65)));
        assert_eq!("a/b".parse::<SaeId>(), Err(NameError::Character('/')));
        assert_eq!("a b".parse::<NodeName>(), Err(NameError::Character(' ')));
        assert_eq!("-a".parse::<SaeId>(), Err(NameError::Hyphen));
        assert!("sae-1.B_2".parse::<SaeId>().is_ok());
    }

    #[test]
    fn a_name_is_read_from_text_only() {
        assert_eq!(
            serde_json::from_str::<NodeName>("\"a\"").unwrap(),
            "a".parse().unwrap()
        );
        let error = serde_json::from_str::<SaeId>("1").unwrap_err().to_string();
        assert!(error.contains("expected a name"), "{error}");
    }

    #[test]
    fn a_key_id_is_read_in_one_form_only() {
        let text = "bc490419-7d60-487f-adc1-4ddcc177c139";
        assert_eq!(text.parse::<KeyId>().unwrap().to_string(), text);
        assert!("bc4904197d60487fadc14ddcc177c139".parse::<KeyId>().is_err());
        assert!(
            "{bc490419-7d60-487f-adc1-4ddcc177c139}"
                .parse::<KeyId>()
                .is_err()
        );
        assert_eq!(
            text.to_uppercase().parse::<KeyId>().unwrap().to_string(),
            text
        );
    }
}
