//! The hub: verifies, then decrypts, then holds shares; hands them to the SAEs named; says no to everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::mac::MAC_KEY_BYTES;
use crate::crypto::shamir::{ShareIndex, Sharing};
use crate::harness::{Canary, canary};
use crate::psrd::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, Block, PoolError};

use super::batch::{Operation, Reply};
use super::channel::{
    Bound, ClientEnd, HubEnd, Opened, PoolOwner, Replies, Unverified, unsigned_refusal,
};
use super::limits::{KEY_BYTES_MAX, KEYS_PER_MESSAGE_MAX, REPLY_BYTES_MAX, SLAVE_SAES_MAX};
use super::message::{
    DepositBody, DepositReply, DepositResult, FetchAnswer, FetchQuery, FetchReply, FetchResult,
    FoundShare, Plain,
};
use super::names::{KeyId, NodeName, SaeId};
use super::refusal::Refusal;
use super::store::{Lookup, ShareStore, StoreLimits, Terms};
use super::wire::{Request, Response};

/// What a hub is told when it is built.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// Its name.
    pub name: NodeName,
    /// Its x coordinate, fixed for good.
    pub x: ShareIndex,
    /// Threshold and number of hubs.
    pub sharing: Sharing,
    /// The clients it knows, each with the SAEs that the client serves.
    pub clients: BTreeMap<NodeName, BTreeSet<SaeId>>,
    /// How many shares, and how long.
    pub store: StoreLimits,
}

/// Why a hub does not serve an out-of-band call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum OobError {
    /// The client is not in the hub's topology.
    #[error("client {client} is not in this hub's topology")]
    UnknownClient {
        /// The name it gave.
        client: String,
    },
    /// The registration is not the current one: the hub has restarted, or the client registered again.
    #[error("this registration is no longer valid; register again")]
    StaleRegistration,
    /// The block size is outside the limits.
    #[error("a block has {BLOCK_BYTES_MIN} to {BLOCK_BYTES_MAX} bytes, not {size}")]
    BlockSize {
        /// The size asked for.
        size: usize,
    },
    /// There is enough PSRD already.
    #[error("the pool takes no more: {reason}")]
    PoolFull {
        /// What the pool says.
        reason: String,
    },
    /// PSRD cannot be delivered at the moment.
    #[error("PSRD delivery is interrupted")]
    Interrupted,
}

/// A client's request for PSRD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PsrdRequest {
    /// The client.
    pub client: NodeName,
    /// The registration under which it asks.
    pub registration: Uuid,
    /// The pool that the block is for.
    pub owner: PoolOwner,
    /// Bytes of the block.
    pub size: usize,
}

/// A client's request to be registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RegistrationRequest {
    /// The client.
    pub client: NodeName,
}

/// What a hub answers to a [`RegistrationRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The hub's name.
    pub hub: NodeName,
    /// The hub's x coordinate.
    pub x: ShareIndex,
    /// The registration, to be named with every [`PsrdRequest`].
    pub registration: Uuid,
}

/// What a hub tells about itself. No secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HubStatus {
    /// Its name.
    pub name: NodeName,
    /// Its x coordinate.
    pub x: ShareIndex,
    /// Milliseconds since its start.
    pub uptime_ms: u64,
    /// Shares held.
    pub shares_held: usize,
    /// Shares at most.
    pub shares_max: usize,
    /// Bytes of the shares held.
    pub share_bytes_held: usize,
    /// Bytes of shares at most.
    pub share_bytes_max: usize,
    /// Registered clients.
    pub peers: Vec<PeerStatus>,
    /// Messages served since the start, by kind.
    pub served: BTreeMap<String, u64>,
    /// Messages refused since the start, by reason.
    pub refused: BTreeMap<String, u64>,
}

/// A registered client in a [`HubStatus`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerStatus {
    /// The client's name.
    pub client: NodeName,
    /// PSRD bytes left for the client's requests.
    pub up_bytes_left: usize,
    /// PSRD bytes left for the hub's responses.
    pub down_bytes_left: usize,
}

struct Peer {
    registration: Uuid,
    end: HubEnd,
}

/// What is left for the answer to a message.
struct Room {
    /// PSRD for the pads of shares.
    pad_bytes: usize,
    /// In the body, if that is limited.
    body_bytes: Option<usize>,
}

impl Room {
    /// Takes what a reply needs, or nothing.
    fn take(&mut self, reply: &FetchReply<Plain>) -> Result<(), Refusal> {
        let pad_bytes = self.pad_bytes.checked_sub(reply.share_bytes());
        let pad_bytes = pad_bytes.ok_or(Refusal::PsrdExhausted)?;
        if let Some(body_bytes) = &mut self.body_bytes {
            let left = body_bytes.checked_sub(reply.binary_bytes_max());
            *body_bytes = left.ok_or(Refusal::TooMuchAtOnce)?;
        }
        self.pad_bytes = pad_bytes;
        Ok(())
    }
}

/// The hub's state machine.
pub struct Hub {
    config: HubConfig,
    peers: BTreeMap<NodeName, Peer>,
    store: ShareStore,
    rng: Box<dyn CryptoRng>,
    served: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
}

impl Hub {
    /// A hub without peers and shares.
    #[must_use]
    pub fn new(config: HubConfig, rng: Box<dyn CryptoRng>) -> Self {
        Self {
            store: ShareStore::new(config.store),
            config,
            peers: BTreeMap::new(),
            rng,
            served: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Registers a client. A client that registers again starts anew: its old PSRD is erased.
    ///
    /// # Errors
    /// [`OobError::UnknownClient`].
    pub fn register(&mut self, request: &RegistrationRequest) -> Result<Registration, OobError> {
        if !self.config.clients.contains_key(&request.client) {
            return Err(OobError::UnknownClient {
                client: request.client.to_string(),
            });
        }
        let mut id = [0; 16];
        self.rng.fill_bytes(&mut id);
        let registration = uuid::Builder::from_random_bytes(id).into_uuid();
        self.peers.insert(
            request.client.clone(),
            Peer {
                registration,
                end: HubEnd::default(),
            },
        );
        Ok(Registration {
            hub: self.config.name.clone(),
            x: self.config.x,
            registration,
        })
    }

    /// Draws a block of PSRD, keeps one copy and hands out the other.
    ///
    /// # Errors
    /// If the client is not registered, or asks for too much.
    pub fn deliver_psrd(&mut self, request: &PsrdRequest) -> Result<Block, OobError> {
        let peer = self
            .peers
            .get_mut(&request.client)
            .filter(|peer| peer.registration == request.registration)
            .ok_or(OobError::StaleRegistration)?;
        let (ours, clients) = Block::random_pair(request.size, self.rng.as_mut())
            .map_err(|_| OobError::BlockSize { size: request.size })?;
        peer.end
            .add(request.owner, ours)
            .map_err(|e| OobError::PoolFull {
                reason: e.to_string(),
            })?;
        Ok(clients)
    }

    /// Registers a client and delivers a block of PSRD for each of its pools: the client's end of the channel, ready for
    /// use. For hubs and clients in one process; between processes these are calls out of band.
    ///
    /// # Errors
    /// If the hub does not know the client, or the size is outside the limits.
    pub fn enroll(&mut self, client: &NodeName, block_bytes: usize) -> Result<ClientEnd, OobError> {
        let client = client.clone();
        let registration = self.register(&RegistrationRequest {
            client: client.clone(),
        })?;
        let mut end = ClientEnd::default();
        for owner in [PoolOwner::Client, PoolOwner::Hub] {
            let block = self.deliver_psrd(&PsrdRequest {
                client: client.clone(),
                registration: registration.registration,
                owner,
                size: block_bytes,
            })?;
            end.add(owner, block)
                .expect("new pools have room for a block each");
        }
        Ok(end)
    }

    /// Answers a request: opens it, executes what it asks for, seals the replies.
    pub fn handle(&mut self, now: Duration, request: &Request) -> Response {
        let Opened {
            client,
            bound,
            operations,
        } = match self.open(request) {
            Ok(opened) => opened,
            Err(refusal) => return unsigned_refusal(&refusal),
        };
        let replies = operations.map(|operations| self.execute(now, &client, operations));
        self.seal(&client, &bound, replies)
    }

    /// First step: who asks, and is it authentic?
    ///
    /// # Errors
    /// A refusal that has to go out unsigned.
    pub fn open(&mut self, request: &Request) -> Result<Opened, Refusal> {
        let opened = Unverified::read(request).and_then(|unverified| {
            let peer = self.peers.get_mut(unverified.client());
            let peer = peer.ok_or_else(|| Refusal::Unregistered {
                client: unverified.client().to_string(),
            })?;
            peer.end.open(unverified)
        });
        let refusal = match &opened {
            Ok(opened) => opened.operations.as_ref().err(),
            Err(refusal) => Some(refusal),
        };
        if let Some(refusal) = refusal {
            *self.refused.entry(refusal.kind()).or_default() += 1;
        }
        opened
    }

    /// Second step: do what an authentic client asks for, one operation after the other. What becomes of one has no
    /// influence on the others, but for the PSRD that all are answered with.
    pub fn execute(
        &mut self,
        now: Duration,
        client: &NodeName,
        operations: Vec<Operation<Plain>>,
    ) -> Vec<Reply<Plain>> {
        let peer = self.peers.get(client);
        let left = peer.map_or(0, |peer| peer.end.left(PoolOwner::Hub));
        let Some(pad_bytes) = left.checked_sub(MAC_KEY_BYTES) else {
            // Not even a word can be answered: then nothing is done either.
            let refused = operations
                .iter()
                .map(|_| Reply::Refused(Refusal::PsrdExhausted));
            return refused.collect();
        };
        let mut room = Room {
            pad_bytes,
            // Whoever asks for one thing only gets it, however long it is.
            body_bytes: None,
        };
        let replies = operations.into_iter().map(|operation| {
            let result = match operation {
                Operation::Deposit(deposit) => {
                    self.deposit(now, client, deposit).map(Reply::Deposit)
                }
                Operation::Fetch(query) => {
                    self.fetch(now, client, &query, &mut room).map(Reply::Fetch)
                }
            };
            room.body_bytes.get_or_insert(REPLY_BYTES_MAX);
            result.unwrap_or_else(|refusal| {
                *self.refused.entry(refusal.kind()).or_default() += 1;
                Reply::Refused(refusal)
            })
        });
        replies.collect()
    }

    /// Third step: encrypt and sign.
    pub fn seal(&mut self, client: &NodeName, to: &Bound, replies: Replies) -> Response {
        let sealed = match self.peers.get_mut(client) {
            Some(peer) => peer.end.seal(to, replies),
            None => Err(PoolError::Exhausted { wanted: 0, left: 0 }),
        };
        sealed.unwrap_or_else(|_| {
            let refusal = Refusal::PsrdExhausted;
            *self.refused.entry(refusal.kind()).or_default() += 1;
            unsigned_refusal(&refusal)
        })
    }

    /// Erases shares whose time is over.
    pub fn expire(&mut self, now: Duration) {
        self.store.expire(now);
    }

    /// What the hub tells about itself.
    #[must_use]
    pub fn status(&self, now: Duration) -> HubStatus {
        let owned = |counters: &BTreeMap<&'static str, u64>| {
            counters
                .iter()
                .map(|(k, v)| ((*k).to_owned(), *v))
                .collect()
        };
        HubStatus {
            name: self.config.name.clone(),
            x: self.config.x,
            uptime_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            shares_held: self.store.len(),
            shares_max: self.config.store.shares_max,
            share_bytes_held: self.store.bytes(),
            share_bytes_max: self.config.store.bytes_max,
            peers: self
                .peers
                .iter()
                .map(|(client, peer)| PeerStatus {
                    client: client.clone(),
                    up_bytes_left: peer.end.left(PoolOwner::Client),
                    down_bytes_left: peer.end.left(PoolOwner::Hub),
                })
                .collect(),
            served: owned(&self.served),
            refused: owned(&self.refused),
        }
    }

    fn deposit(
        &mut self,
        now: Duration,
        client: &NodeName,
        deposit: DepositBody<Plain>,
    ) -> Result<DepositReply, Refusal> {
        self.check_deposit(client, &deposit)?;
        *self.served.entry("deposit").or_default() += 1;
        let terms = Arc::new(Terms {
            master_sae: deposit.master_sae,
            slave_saes: deposit.slave_saes,
            size: deposit.size,
        });
        let key_ids: Vec<KeyId> = deposit.keys.iter().map(|key| key.key_id).collect();
        let outcomes = self.store.deposit(now, &terms, deposit.keys);
        let keys = key_ids.into_iter().zip(outcomes);
        let keys = keys.map(|(key_id, outcome)| DepositResult { key_id, outcome });
        Ok(DepositReply {
            keys: keys.collect(),
        })
    }

    fn check_deposit(
        &self,
        client: &NodeName,
        deposit: &DepositBody<Plain>,
    ) -> Result<(), Refusal> {
        let sharing = self.config.sharing;
        for (what, theirs, ours) in [
            ("hubs", deposit.hubs, sharing.shares()),
            ("threshold", deposit.threshold, sharing.threshold()),
            ("x", deposit.x, self.config.x.get()),
        ] {
            if theirs != ours {
                return Err(Refusal::TopologyMismatch {
                    what: what.to_owned(),
                    theirs,
                    ours,
                });
            }
        }
        self.check_served(client, &deposit.master_sae)?;
        within(
            "keys in a message",
            deposit.keys.len(),
            1,
            KEYS_PER_MESSAGE_MAX,
        )?;
        within("slave SAEs", deposit.slave_saes.len(), 1, SLAVE_SAES_MAX)?;
        within("bytes of a key", deposit.size, 1, KEY_BYTES_MAX)?;
        let distinct: BTreeSet<_> = deposit.slave_saes.iter().collect();
        if distinct.len() != deposit.slave_saes.len() {
            return Err(Refusal::AuthenticMalformed {
                reason: "a slave SAE is named twice".to_owned(),
            });
        }
        let share_bytes = deposit.size + TAG_SECRET_BYTES;
        for key in &deposit.keys {
            within(
                "bytes of a share",
                key.share.0.len(),
                share_bytes,
                share_bytes,
            )?;
        }
        Ok(())
    }

    fn fetch(
        &mut self,
        now: Duration,
        client: &NodeName,
        query: &FetchQuery,
        room: &mut Room,
    ) -> Result<FetchReply<Plain>, Refusal> {
        self.check_served(client, &query.slave_sae)?;
        within(
            "keys in a message",
            query.key_ids.len(),
            1,
            KEYS_PER_MESSAGE_MAX,
        )?;
        *self.served.entry("fetch").or_default() += 1;
        self.store.expire(now);
        let FetchQuery {
            master_sae,
            slave_sae,
            key_ids,
            ..
        } = query;
        let lookups = self.store.look_up(now, master_sae, key_ids, slave_sae);
        let keys = key_ids.iter().zip(lookups).map(|(&key_id, lookup)| {
            let answer = match lookup {
                Lookup::NotFound => FetchAnswer::NotFound,
                Lookup::Forbidden => FetchAnswer::Forbidden,
                Lookup::Found(held) => FetchAnswer::Found(FoundShare {
                    master_sae: master_sae.clone(),
                    slave_saes: held.terms.slave_saes.clone(),
                    hubs: self.config.sharing.shares(),
                    threshold: self.config.sharing.threshold(),
                    x: self.config.x.get(),
                    size: held.terms.size,
                    tag: held.tag,
                    share: held.share.clone(),
                }),
            };
            FetchResult { key_id, answer }
        });
        let reply = FetchReply {
            keys: keys.collect(),
        };
        room.take(&reply)?;
        // ETSI GS QKD 014 clause 5.4: only keys that are provided are used up. A request with a key that cannot be
        // had fails as a whole (clause 6.4), and one for whose shares PSRD is missing has been refused.
        if reply.is_complete() {
            self.store.hand_out(now, master_sae, key_ids, slave_sae);
        }
        Ok(reply)
    }

    fn check_served(&self, client: &NodeName, sae: &SaeId) -> Result<(), Refusal> {
        let served = self.config.clients.get(client);
        if served.is_some_and(|saes| saes.contains(sae)) || canary(Canary::AnyoneMaySpeak) {
            return Ok(());
        }
        Err(Refusal::ForeignSae {
            client: client.to_string(),
            sae: sae.to_string(),
        })
    }
}

fn within(what: &str, got: usize, min: usize, max: usize) -> Result<(), Refusal> {
    if (min..=max).contains(&got) {
        return Ok(());
    }
    Err(Refusal::OutOfLimits {
        what: what.to_owned(),
        min,
        max,
        got,
    })
}
