//! The bodies of messages, as serde types.
//!
//! Types that hold shares are generic over the state of the shares: [`Encrypted`] on the wire, [`Plain`] inside a node.
//! Only the first can be serialized.

mod query;
mod share;

use serde::{Deserialize, Serialize};

use crate::crypto::key_tag::KeyTag;

use super::names::{KeyId, NodeName, SaeId};
pub use query::{FetchQuery, QueryError};
pub use share::{Encrypted, Plain, ShareBytes};

/// Body of a POST: shares of one or more keys, for one hub. `docs/protocol.md` §5.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DepositBody<S = Encrypted> {
    /// The client that sends it.
    pub client: NodeName,
    /// The SAE that asked for the keys.
    pub master_sae: SaeId,
    /// The SAEs that may fetch them, without duplicates.
    pub slave_saes: Vec<SaeId>,
    /// Number of hubs (N).
    pub hubs: u8,
    /// Threshold (K).
    pub threshold: u8,
    /// This hub's x coordinate.
    pub x: u8,
    /// Bytes of each user key.
    pub size: usize,
    /// The shares.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<DepositedKey>))]
    pub keys: Vec<DepositedKey<S>>,
}

impl<S> DepositBody<S> {
    /// The same deposit with its shares in another state. They are converted one by one, in order.
    ///
    /// # Errors
    /// The first error of `convert`.
    pub fn try_map<T, E>(
        self,
        mut convert: impl FnMut(S) -> Result<T, E>,
    ) -> Result<DepositBody<T>, E> {
        let keys = self.keys.into_iter().map(|key| {
            Ok(DepositedKey {
                key_id: key.key_id,
                tag: key.tag,
                share: convert(key.share)?,
            })
        });
        Ok(DepositBody {
            keys: keys.collect::<Result<_, E>>()?,
            client: self.client,
            master_sae: self.master_sae,
            slave_saes: self.slave_saes,
            hubs: self.hubs,
            threshold: self.threshold,
            x: self.x,
            size: self.size,
        })
    }
}

impl<S: ShareBytes> DepositBody<S> {
    /// Bytes of all shares together, which is how much pad they need.
    #[must_use]
    pub fn share_bytes(&self) -> usize {
        self.keys.iter().map(|key| key.share.byte_len()).sum()
    }
}

/// The share of one key in a [`DepositBody`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DepositedKey<S = Encrypted> {
    /// The key's ID.
    pub key_id: KeyId,
    /// The public tag `o`.
    pub tag: KeyTag,
    /// The share, `size + 48` bytes.
    #[cfg_attr(feature = "openapi", schema(value_type = Encrypted))]
    pub share: S,
}

/// Body of the answer to a deposit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DepositReply {
    /// One entry for each key, in the order of the request.
    pub keys: Vec<DepositResult>,
}

/// What became of one deposited share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DepositResult {
    /// The key's ID.
    pub key_id: KeyId,
    /// What became of its share.
    pub outcome: DepositOutcome,
}

/// What a hub does with a deposited share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DepositOutcome {
    /// Held until it is fetched or expires. This is also the answer if the same deposit is made again.
    Stored,
    /// Refused: the hub holds another share of this key, from the same master, or the key was withdrawn.
    Conflict,
    /// Refused: the hub's store is full.
    Full,
}

/// What an initiator takes back: the shares of a call that failed. It travels in batches only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// The client that sends it.
    pub client: NodeName,
    /// The SAE that asked for the keys.
    pub master_sae: SaeId,
    /// The keys.
    pub key_ids: Vec<KeyId>,
}

/// Body of the answer to a GET.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FetchReply<S = Encrypted> {
    /// One entry for each key, in the order of the request.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<FetchResult>))]
    pub keys: Vec<FetchResult<S>>,
}

impl<S> FetchReply<S> {
    /// Whether there is a share of every key.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.keys.iter().all(|key| key.share().is_some())
    }

    /// The same reply with its shares in another state. They are converted one by one, in order.
    ///
    /// # Errors
    /// The first error of `convert`.
    pub fn try_map<T, E>(
        self,
        mut convert: impl FnMut(S) -> Result<T, E>,
    ) -> Result<FetchReply<T>, E> {
        let keys = self.keys.into_iter().map(|result| {
            Ok(FetchResult {
                key_id: result.key_id,
                answer: match result.answer {
                    FetchAnswer::NotFound => FetchAnswer::NotFound,
                    FetchAnswer::Forbidden => FetchAnswer::Forbidden,
                    FetchAnswer::Found(found) => FetchAnswer::Found(FoundShare {
                        master_sae: found.master_sae,
                        slave_saes: found.slave_saes,
                        hubs: found.hubs,
                        threshold: found.threshold,
                        x: found.x,
                        size: found.size,
                        tag: found.tag,
                        share: convert(found.share)?,
                    }),
                },
            })
        });
        Ok(FetchReply {
            keys: keys.collect::<Result<_, E>>()?,
        })
    }
}

impl<S: ShareBytes> FetchReply<S> {
    /// Bytes of all shares together, which is how much pad they need.
    #[must_use]
    pub fn share_bytes(&self) -> usize {
        self.shares().map(S::byte_len).sum()
    }

    /// The shares in it.
    pub(super) fn shares(&self) -> impl Iterator<Item = &S> {
        self.keys.iter().filter_map(FetchResult::share)
    }

    /// Most bytes that it takes in a batch.
    pub(super) fn binary_bytes_max(&self) -> usize {
        /// The numbers, ID and tag of a key, and the lengths of its names and of its share.
        const FIXED: usize = 64;
        let bytes = |key: &FetchResult<S>| match &key.answer {
            FetchAnswer::NotFound | FetchAnswer::Forbidden => FIXED,
            FetchAnswer::Found(found) => {
                let slaves = found.slave_saes.iter().map(|sae| sae.as_str().len());
                let names = found.master_sae.as_str().len() + slaves.sum::<usize>();
                FIXED + names + found.share.byte_len()
            }
        };
        self.keys.iter().map(bytes).sum()
    }
}

/// What a hub says about one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FetchResult<S = Encrypted> {
    /// The key's ID.
    pub key_id: KeyId,
    /// The hub's share, or why there is none.
    #[cfg_attr(feature = "openapi", schema(value_type = FetchAnswer))]
    pub answer: FetchAnswer<S>,
}

impl<S> FetchResult<S> {
    fn share(&self) -> Option<&S> {
        match &self.answer {
            FetchAnswer::Found(found) => Some(&found.share),
            FetchAnswer::NotFound | FetchAnswer::Forbidden => None,
        }
    }
}

/// A hub's share of a key, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FetchAnswer<S = Encrypted> {
    /// The hub's share.
    Found(#[cfg_attr(feature = "openapi", schema(inline))] FoundShare<S>),
    /// The hub holds no share of this key for this master.
    NotFound,
    /// The hub holds a share, but the SAE is not among those that may fetch it.
    Forbidden,
}

/// A share with the public parts of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FoundShare<S = Encrypted> {
    /// The SAE that asked for the key.
    pub master_sae: SaeId,
    /// The SAEs that may fetch it.
    pub slave_saes: Vec<SaeId>,
    /// Number of hubs (N).
    pub hubs: u8,
    /// Threshold (K).
    pub threshold: u8,
    /// The hub's x coordinate.
    pub x: u8,
    /// Bytes of the user key.
    pub size: usize,
    /// The public tag `o`.
    pub tag: KeyTag,
    /// The share, `size + 48` bytes.
    #[cfg_attr(feature = "openapi", schema(value_type = Encrypted))]
    pub share: S,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::limits::{
        JSON_BYTES_PER_KEY_MAX, KEY_BYTES_MAX, SLAVE_SAES_MAX, bytes_per_key,
    };
    use crate::protocol::names::NAME_BYTES_MAX;

    #[test]
    fn no_key_takes_more_of_a_body_than_the_limit_says() {
        let name = "n".repeat(NAME_BYTES_MAX);
        let result = FetchResult {
            key_id: "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap(),
            answer: FetchAnswer::Found(FoundShare {
                master_sae: name.parse().unwrap(),
                slave_saes: vec![name.parse().unwrap(); SLAVE_SAES_MAX],
                hubs: 255,
                threshold: 255,
                x: 255,
                size: KEY_BYTES_MAX,
                tag: "00".repeat(16).parse().unwrap(),
                share: Encrypted(vec![0; 48]),
            }),
        };
        let json = serde_json::to_string(&result).unwrap();
        let share_in_json = 64;
        assert!(
            json.len() - share_in_json < JSON_BYTES_PER_KEY_MAX,
            "{}",
            json.len()
        );
        let reply = FetchReply { keys: vec![result] };
        let binary = postcard::to_allocvec(&reply).unwrap();
        let most = reply.binary_bytes_max();
        assert!((binary.len()..binary.len() + 64).contains(&most), "{most}");
        assert!(binary.len() + KEY_BYTES_MAX <= bytes_per_key(KEY_BYTES_MAX));
    }
}
