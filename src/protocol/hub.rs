//! The hub: it verifies, then decrypts, then holds shares. It hands them to the SAEs named and refuses everything else.
//!
//! A request takes three steps: [`Hub::open`] tells who asks and whether that is authentic, [`Hub::execute`] does what is
//! asked for, [`Hub::seal`] encrypts and signs the replies. [`Hub::handle`] is all three.
//!
//! | file | what it holds |
//! |---|---|
//! | `config` | what a hub is told when it is built, and what it refuses because of it |
//! | `room` | how much an answer may still carry |
//! | `out_of_band` | registration and delivery of PSRD |
//! | `status` | what a hub tells about itself |

mod config;
mod out_of_band;
mod room;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::CryptoRng;
use uuid::Uuid;

use crate::crypto::mac::MAC_KEY_BYTES;
use crate::harness::{Canary, canary};
use crate::psrd::{Block, PoolError};

use super::batch::{Operation, Reply};
use super::channel::{
    Bound, ClientEnd, HubEnd, Opened, PoolOwner, Replies, Unverified, unsigned_refusal,
};
use super::message::{
    DepositBody, DepositReply, DepositResult, FetchAnswer, FetchQuery, FetchReply, FetchResult,
    FoundShare, Plain, Withdrawal,
};
use super::names::{KeyId, NodeName};
use super::refusal::Refusal;
use super::store::{Asker, Lookup, ShareStore, Terms};
use super::wire::{Request, Response};
pub use config::HubConfig;
use config::foreign_sae;
pub use out_of_band::{OobError, PsrdRequest, Registration, RegistrationRequest};
use room::Room;
pub use status::{Holding, HubStatus, PeerStatus};

/// The hub's state machine.
pub struct Hub {
    config: HubConfig,
    peers: BTreeMap<NodeName, Peer>,
    store: ShareStore,
    rng: Box<dyn CryptoRng>,
    served: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
}

/// A registered client.
struct Peer {
    registration: Uuid,
    /// The start of the client that registered.
    start: Uuid,
    end: HubEnd,
}

impl Hub {
    /// A hub without peers and shares.
    #[must_use]
    pub fn new(config: HubConfig, rng: Box<dyn CryptoRng>) -> Self {
        Self {
            store: ShareStore::new(config.store, &config.clients),
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
                start: request.start.unwrap_or(registration),
                end: HubEnd::new(self.config.limits.pool()),
            },
        );
        Ok(Registration {
            hub: self.config.name.clone(),
            x: self.config.x,
            registration,
        })
    }

    /// Draws a block of PSRD, keeps one copy and hands out the other. Nothing is drawn that there is no room for.
    ///
    /// # Errors
    /// If the client is not registered, asks for another size than the topology's, or has enough.
    pub fn deliver_psrd(&mut self, request: &PsrdRequest) -> Result<Block, OobError> {
        let peer = self
            .peers
            .get_mut(&request.client)
            .filter(|peer| peer.registration == request.registration)
            .ok_or(OobError::StaleRegistration)?;
        let (size, block_bytes) = (request.size, self.config.block_bytes);
        let pool_full = |e: PoolError| OobError::PoolFull {
            reason: e.to_string(),
        };
        if size != block_bytes {
            return Err(OobError::BlockSize { size, block_bytes });
        }
        let room = peer.end.check_room(request.owner, block_bytes);
        room.map_err(pool_full)?;
        let (ours, clients) = Block::random_pair(block_bytes, self.rng.as_mut())
            .map_err(|_| OobError::BlockSize { size, block_bytes })?;
        peer.end.add(request.owner, ours).map_err(pool_full)?;
        Ok(clients)
    }

    /// Registers a client and delivers a block of PSRD for each of its pools: the client's end of the channel, ready for
    /// use. For hubs and clients in one process; between processes these are calls out of band.
    ///
    /// # Errors
    /// If the hub does not know the client, or its topology's block size is outside the limits.
    pub fn enroll(&mut self, client: &NodeName) -> Result<ClientEnd, OobError> {
        let client = client.clone();
        let registration = self.register(&RegistrationRequest {
            client: client.clone(),
            start: None,
        })?;
        let mut end = ClientEnd::default();
        for owner in [PoolOwner::Client, PoolOwner::Hub] {
            let block = self.deliver_psrd(&PsrdRequest {
                client: client.clone(),
                registration: registration.registration,
                owner,
                size: self.config.block_bytes,
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
        if let Err(refusal) = &opened {
            self.count_refused(refusal);
        }
        opened
    }

    /// Second step: do what an authentic client asks for, one operation after the other. The operations do not depend
    /// on each other, but all are answered with the same PSRD.
    pub fn execute(
        &mut self,
        now: Duration,
        client: &NodeName,
        operations: Vec<Operation<Plain>>,
    ) -> Vec<Reply<Plain>> {
        let peer = self.peers.get(client).and_then(|peer| {
            let left = peer.end.left(PoolOwner::Hub);
            Some((peer.start, left.checked_sub(MAC_KEY_BYTES)?))
        });
        let Some((start, pad_bytes)) = peer else {
            // Not even a word can be answered, so nothing is done either.
            let refused = operations
                .iter()
                .map(|_| Reply::Refused(Refusal::PsrdExhausted));
            return refused.collect();
        };
        let mut room = Room::new(pad_bytes, &operations);
        let replies = operations.into_iter().map(|operation| {
            let result = match operation {
                Operation::Deposit(deposit) => {
                    self.deposit(now, client, deposit).map(Reply::Deposit)
                }
                Operation::Fetch(query) => {
                    let asker = Asker {
                        sae: &query.slave_sae,
                        start,
                    };
                    let fetched = self.fetch(now, client, &query, asker, &mut room);
                    fetched.map(Reply::Fetch)
                }
                Operation::Withdraw(withdrawal) => self
                    .withdraw(now, client, &withdrawal)
                    .map(|()| Reply::Withdraw),
            };
            result.unwrap_or_else(|refusal| {
                self.count_refused(&refusal);
                Reply::Refused(refusal)
            })
        });
        replies.collect()
    }

    /// Third step: encrypt and sign.
    pub fn seal(&mut self, client: &NodeName, to: &Bound, replies: Replies) -> Response {
        let refused = replies.as_ref().err().cloned();
        let sealed = match self.peers.get_mut(client) {
            Some(peer) => peer.end.seal(to, replies),
            None => Err(PoolError::Exhausted { wanted: 0, left: 0 }),
        };
        // What counts is what the client is told.
        let (response, refused) = match sealed {
            Ok(response) => (response, refused),
            Err(_) => {
                let refusal = Refusal::PsrdExhausted;
                (unsigned_refusal(&refusal), Some(refusal))
            }
        };
        if let Some(refusal) = refused {
            self.count_refused(&refusal);
        }
        response
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
        let peers = self.peers.iter().map(|(client, peer)| PeerStatus {
            client: client.clone(),
            up_bytes_left: peer.end.left(PoolOwner::Client),
            down_bytes_left: peer.end.left(PoolOwner::Hub),
        });
        let holdings = self.config.clients.iter().map(|(client, saes)| {
            let held = self.store.held(saes);
            Holding {
                client: client.clone(),
                shares_held: held.shares,
                shares_guaranteed: held.shares_guaranteed,
                share_bytes_held: held.bytes,
                share_bytes_guaranteed: held.bytes_guaranteed,
            }
        });
        HubStatus {
            name: self.config.name.clone(),
            x: self.config.x,
            uptime_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            shares_held: self.store.len(),
            shares_max: self.config.store.shares_max,
            share_bytes_held: self.store.bytes(),
            share_bytes_max: self.config.store.bytes_max,
            holdings: holdings.collect(),
            peers: peers.collect(),
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
        self.config.check_deposit(client, &deposit)?;
        let account = self.store.account(&deposit.master_sae);
        let account = account.ok_or_else(|| foreign_sae(client, &deposit.master_sae))?;
        *self.served.entry("deposit").or_default() += 1;
        let terms = Arc::new(Terms {
            account,
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

    /// What only this client can have deposited: no other serves the master SAE.
    fn withdraw(
        &mut self,
        now: Duration,
        client: &NodeName,
        withdrawal: &Withdrawal,
    ) -> Result<(), Refusal> {
        self.config.check_withdrawal(client, withdrawal)?;
        *self.served.entry("withdraw").or_default() += 1;
        self.store
            .withdraw(now, &withdrawal.master_sae, &withdrawal.key_ids);
        Ok(())
    }

    fn fetch(
        &mut self,
        now: Duration,
        client: &NodeName,
        query: &FetchQuery,
        asker: Asker<'_>,
        room: &mut Room,
    ) -> Result<FetchReply<Plain>, Refusal> {
        self.config.check_fetch(client, query)?;
        self.store.expire(now);
        let FetchQuery {
            master_sae,
            key_ids,
            ..
        } = query;
        let lookups = self.store.look_up(now, master_sae, key_ids, asker);
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
        *self.served.entry("fetch").or_default() += 1;
        // ETSI GS QKD 014 clause 5.4: only keys that are provided are used up. A request for a key that is not there
        // fails as a whole (clause 6.4). A request for whose shares PSRD is missing has just been refused.
        if reply.is_complete() || counts_all_the_same(&reply) {
            self.store.hand_out(now, master_sae, key_ids, asker);
        }
        Ok(reply)
    }

    fn count_refused(&mut self, refusal: &Refusal) {
        *self.refused.entry(refusal.kind()).or_default() += 1;
    }
}

/// Canaries: whether a fetch counts although not every key was found.
fn counts_all_the_same(reply: &FetchReply<Plain>) -> bool {
    let is_not_found = |key: &FetchResult<_>| matches!(key.answer, FetchAnswer::NotFound);
    canary(Canary::PartlyFoundCounts)
        || canary(Canary::ForbiddenCounts) && !reply.keys.iter().any(is_not_found)
}
