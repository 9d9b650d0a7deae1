//! The bodies of messages, as serde types.
//!
//! Types that hold shares are generic over their state: [`Encrypted`] on the wire, [`Plain`] inside a node. Only the
//! first can be serialized.

use crate::crypto::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::crypto::key_tag::KeyTag;

use super::names::{KeyId, NodeName, SaeId};

/// A share under its one-time pad; base64 (RFC 4648 section 4) in JSON, the bytes themselves in a batch.
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

/// A share in the clear. Never serialized, never printed, wiped when dropped.
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
    /// One entry a key, in the order of the request.
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
    /// Held until it is fetched or expires. Also the answer to the same deposit made again.
    Stored,
    /// Refused: the hub holds another share of this key, from the same master.
    Conflict,
    /// Refused: the hub's store is full.
    Full,
}

/// Query of a GET. `docs/protocol.md` §6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchQuery {
    /// The client that asks.
    pub client: NodeName,
    /// The slave SAE for which it asks.
    pub slave_sae: SaeId,
    /// The SAE that asked for the keys in the first place.
    pub master_sae: SaeId,
    /// The keys wanted.
    pub key_ids: Vec<KeyId>,
}

impl FetchQuery {
    /// Path and query of the request line. Names need no escaping.
    #[must_use]
    pub fn target(&self) -> String {
        let key_ids: Vec<String> = self.key_ids.iter().map(KeyId::to_string).collect();
        format!(
            "{}?client={}&slave_sae={}&master_sae={}&key_ids={}",
            super::wire::KEY_SHARE_PATH,
            self.client,
            self.slave_sae,
            self.master_sae,
            key_ids.join(",")
        )
    }

    /// Reads the target of a request.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn from_target(target: &str) -> Result<Self, String> {
        let query = target
            .split_once('?')
            .map(|(_, query)| query)
            .ok_or("the query is missing")?;
        let mut fields = query.split('&').map(|pair| pair.split_once('='));
        let mut next = |wanted: &str| match fields.next() {
            Some(Some((name, value))) if name == wanted => Ok(value),
            _ => Err(format!(
                "the query must be client, slave_sae, master_sae, key_ids in this order; {wanted} is missing"
            )),
        };
        let client = next("client")?
            .parse()
            .map_err(|e| format!("client: {e}"))?;
        let slave_sae = next("slave_sae")?
            .parse()
            .map_err(|e| format!("slave_sae: {e}"))?;
        let master_sae = next("master_sae")?
            .parse()
            .map_err(|e| format!("master_sae: {e}"))?;
        let key_ids = next("key_ids")?
            .split(',')
            .map(|id| id.parse().map_err(|e| format!("key_ids: {e}")))
            .collect::<Result<_, String>>()?;
        if fields.next().is_some() {
            return Err(
                "the query has more than client, slave_sae, master_sae, key_ids".to_owned(),
            );
        }
        Ok(Self {
            client,
            slave_sae,
            master_sae,
            key_ids,
        })
    }
}

/// Body of the answer to a GET.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FetchReply<S = Encrypted> {
    /// One entry a key, in the order of the request.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<FetchResult>))]
    pub keys: Vec<FetchResult<S>>,
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

/// Bytes that a key takes in a body at most, besides its share in base64: [`FoundShare`] with the longest names.
pub const JSON_BYTES_PER_KEY_MAX: usize = 1_536;

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

impl<S: ShareBytes> DepositBody<S> {
    /// Bytes of all shares together, which is how much pad they need.
    #[must_use]
    pub fn share_bytes(&self) -> usize {
        self.keys.iter().map(|key| key.share.byte_len()).sum()
    }
}

impl<S> DepositBody<S> {
    /// The same deposit with its shares in another state, made one by one in order.
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

impl<S: ShareBytes> FetchReply<S> {
    /// Bytes of all shares together, which is how much pad they need.
    #[must_use]
    pub fn share_bytes(&self) -> usize {
        self.keys
            .iter()
            .filter_map(FetchResult::share)
            .map(S::byte_len)
            .sum()
    }
}

impl<S: ShareBytes> FetchReply<S> {
    /// Bytes that it takes in a batch at most.
    pub(super) fn binary_bytes_max(&self) -> usize {
        /// Numbers, ID and tag of a key, and the lengths of its names and of its share.
        const FIXED: usize = 96;
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

impl<S> FetchReply<S> {
    /// Whether there is a share of every key.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.keys.iter().all(|key| key.share().is_some())
    }

    /// The same reply with its shares in another state, made one by one in order.
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

impl<S> FetchResult<S> {
    fn share(&self) -> Option<&S> {
        match &self.answer {
            FetchAnswer::Found(found) => Some(&found.share),
            FetchAnswer::NotFound | FetchAnswer::Forbidden => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> FetchQuery {
        FetchQuery {
            client: "celia".parse().unwrap(),
            slave_sae: "celia".parse().unwrap(),
            master_sae: "carol".parse().unwrap(),
            key_ids: vec![
                "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap(),
                "0a782fb5-3434-48fe-aa4d-14f41d46cf92".parse().unwrap(),
            ],
        }
    }

    #[test]
    fn no_key_takes_more_of_a_body_than_the_most() {
        let name = "n".repeat(crate::protocol::names::NAME_BYTES_MAX);
        let result = FetchResult {
            key_id: "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap(),
            answer: FetchAnswer::Found(FoundShare {
                master_sae: name.parse().unwrap(),
                slave_saes: vec![name.parse().unwrap(); crate::protocol::limits::SLAVE_SAES_MAX],
                hubs: 255,
                threshold: 255,
                x: 255,
                size: crate::protocol::limits::KEY_BYTES_MAX,
                tag: "00".repeat(16).parse().unwrap(),
                share: Encrypted(Vec::new()),
            }),
        };
        let json = serde_json::to_string(&result).unwrap();
        assert!(json.len() < JSON_BYTES_PER_KEY_MAX, "{}", json.len());
    }

    #[test]
    fn a_fetch_query_reads_what_it_writes() {
        assert_eq!(FetchQuery::from_target(&query().target()), Ok(query()));
    }

    #[test]
    fn a_fetch_query_with_fields_missing_added_or_swapped_is_refused() {
        let target = query().target();
        for bad in [
            "/dske/hub/api/v1/key-share".to_owned(),
            target.replace("client=", "klient="),
            target.replace(
                "slave_sae=celia&master_sae=carol",
                "master_sae=carol&slave_sae=celia",
            ),
            format!("{target}&more=1"),
            target.replace("key_ids=bc", "key_ids=xx"),
            target.replace("=carol", "=car%6fl"),
        ] {
            assert!(FetchQuery::from_target(&bad).is_err(), "{bad}");
        }
    }
}
