//! A hub: `docs/protocol.md` §3, §4, §6, §7 and §9, in the order in which a hub checks.
//!
//! | file | what it holds |
//! |---|---|
//! | [`psrd`] | what the hub knows of the PSRD of one client |
//! | [`store`] | the shares that it holds |
//! | `room` | how much an answer may still carry |
//! | [`refusals`] | the codes of refusals |
//! | [`said`] | what a hub said, in the same terms |
//! | [`lies`] | what a lie does to an answer |

pub mod lies;
pub mod psrd;
pub mod refusals;
mod room;
pub mod said;
pub mod store;

use std::collections::{BTreeMap, BTreeSet};

use dske::protocol::batch::{self, Encoding, read_client};
use dske::protocol::channel::PoolOwner;
use dske::protocol::hub::{PsrdRequest, RegistrationRequest};
use dske::protocol::message::{
    DepositBody, DepositReply, DepositResult, FetchAnswer, FetchQuery, FetchReply, FetchResult,
    FoundShare, Plain, Withdrawal,
};
use dske::protocol::signature::Signature;
use dske::protocol::{NodeName, Request, SaeId};
use dske::psrd::{Allocation, BlockId};
use uuid::Uuid;

use crate::world::observer::open::{self, Blocks};
use psrd::{Down, Tolerance, Up};
use refusals::*;
use room::Room;
use store::{Held, Lookup, Store, name};

/// A share as the model compares it.
pub type Share = Vec<u8>;

/// What an operation is answered.
pub type Reply = Result<batch::Reply<Share>, Refusal>;

const MAC_KEY_BYTES: u64 = 32;
const TAG_SECRET_BYTES: usize = 48;
const KEY_BYTES_MAX: usize = 131_072;
const OPERATIONS_MAX: usize = 256;
const KEYS_MAX: usize = 128;
const SLAVES_MAX: usize = 16;

/// What the topology says.
#[derive(Debug, Clone)]
pub struct Rules {
    /// N.
    pub hubs: u8,
    /// K.
    pub threshold: u8,
    /// The hub's x.
    pub x: u8,
    /// The SAEs of each client.
    pub clients: BTreeMap<NodeName, BTreeSet<SaeId>>,
    /// Bytes of a block of PSRD.
    pub block_bytes: usize,
    /// Most shares.
    pub shares_max: u64,
    /// Most bytes of shares.
    pub share_bytes_max: u64,
    /// How long a share lives, in microseconds.
    pub ttl_us: u64,
    /// How long an SAE may fetch again.
    pub linger_us: u64,
    /// How long a key that was withdrawn stays refused.
    pub background_us: u64,
    /// What is tolerated and remembered of PSRD.
    pub tolerance: Tolerance,
}

/// What a hub has to answer to a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// A refusal without a signature: the hub cannot tell who asked, or has nothing to sign with.
    Unsigned(Refusal),
    /// A signed refusal of the whole message.
    Refused(Refusal),
    /// A signed reply to each operation.
    Replies(Vec<Reply>),
}

/// A hub since its start.
pub struct Hub {
    rules: Rules,
    peers: BTreeMap<NodeName, Peer>,
    store: Store,
    served: Counts,
    refused: Counts,
}

/// Kind → how often.
pub type Counts = BTreeMap<&'static str, u64>;

/// A registered client.
struct Peer {
    registration: Uuid,
    start: Uuid,
    up: Up,
    down: Down,
}

/// A message that carries the MAC that it has to.
struct Authentic {
    client: NodeName,
    encoding: Encoding,
    allocation: Allocation,
}

impl Hub {
    /// A hub that has just started: it knows nothing.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            store: Store::new(&rules),
            peers: BTreeMap::new(),
            rules,
            served: Counts::new(),
            refused: Counts::new(),
        }
    }

    /// What the hub has carried out since its start, and what it has refused: each operation, and each message as a whole.
    #[must_use]
    pub fn counts(&self) -> (&Counts, &Counts) {
        (&self.served, &self.refused)
    }

    fn count_refused(&mut self, refusal: Refusal) {
        *self.refused.entry(refusal.code).or_default() += 1;
    }

    /// Whether a client may be registered.
    #[must_use]
    pub fn knows(&self, client: &NodeName) -> bool {
        self.rules.clients.contains_key(client)
    }

    /// A client is registered. What the hub held of its PSRD is gone.
    pub fn register(&mut self, request: &RegistrationRequest, registration: Uuid) {
        let peer = Peer {
            registration,
            start: request.start.unwrap_or(registration),
            up: Up::new(self.rules.tolerance),
            down: Down::default(),
        };
        self.peers.insert(request.client.clone(), peer);
    }

    /// A client asks for PSRD. Says why the hub has to refuse, or takes the block with the ID that the hub drew.
    ///
    /// # Errors
    /// The code of the refusal.
    pub fn deliver(&mut self, request: &PsrdRequest, drawn: BlockId) -> Result<(), &'static str> {
        let peer = self.peers.get_mut(&request.client);
        let peer = peer.filter(|peer| peer.registration == request.registration);
        let peer = peer.ok_or("stale-registration")?;
        if request.size != self.rules.block_bytes {
            return Err("block-size");
        }
        let size = u32::try_from(request.size).unwrap_or(u32::MAX);
        let has_room = match request.owner {
            PoolOwner::Client => peer.up.add(drawn, size),
            PoolOwner::Hub => peer.down.add(drawn, size),
        };
        if has_room { Ok(()) } else { Err("pool-full") }
    }

    /// A message arrives. Gives what it has to be answered, and the client that proved to have sent it.
    ///
    /// With `takes_shares` unset the hub holds no share that it is sent, as a liar does.
    pub fn ask(
        &mut self,
        now_us: u64,
        blocks: &impl Blocks,
        request: &Request,
        takes_shares: bool,
    ) -> (Answer, Option<NodeName>) {
        let authentic = match self.verify(blocks, request) {
            Ok(authentic) => authentic,
            Err(refusal) => {
                self.count_refused(refusal);
                return (Answer::Unsigned(refusal), None);
            }
        };
        let client = authentic.client.clone();
        let left = self.peers.get(&client).map_or(0, |peer| peer.down.left());
        let answer = match (
            left.checked_sub(MAC_KEY_BYTES),
            read(blocks, request, &authentic),
        ) {
            (None, _) => Answer::Unsigned(PSRD_EXHAUSTED),
            (Some(_), Err(refusal)) => Answer::Refused(refusal),
            (Some(pad_bytes), Ok(operations)) => {
                let replies = self.execute(now_us, &client, pad_bytes, &operations, takes_shares);
                match (authentic.encoding, replies.as_slice()) {
                    (Encoding::Json, [Err(refusal)]) => Answer::Refused(*refusal),
                    _ => Answer::Replies(replies),
                }
            }
        };
        match &answer {
            Answer::Unsigned(refusal) | Answer::Refused(refusal) => self.count_refused(*refusal),
            Answer::Replies(replies) => {
                let refused: Vec<Refusal> = replies
                    .iter()
                    .filter_map(|r| r.as_ref().err().copied())
                    .collect();
                refused
                    .into_iter()
                    .for_each(|refusal| self.count_refused(refusal));
            }
        }
        (answer, Some(client))
    }

    /// The hub signs an answer with so many bytes of shares. Gives the PSRD that it has to use.
    pub fn sign(&mut self, client: &NodeName, share_bytes: u64) -> Option<Allocation> {
        let peer = self.peers.get_mut(client)?;
        peer.down.spend(MAC_KEY_BYTES + share_bytes)
    }

    /// The shares that the hub holds.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The SAEs of each client.
    #[must_use]
    pub fn clients(&self) -> &BTreeMap<NodeName, BTreeSet<SaeId>> {
        &self.rules.clients
    }

    /// The registered clients, each with the bytes that are left in its up and its down pool.
    pub fn peers(&self) -> impl Iterator<Item = (&NodeName, u64, u64)> {
        let peers = self.peers.iter();
        peers.map(|(client, peer)| (client, peer.up.left(), peer.down.left()))
    }

    /// Verifies a message, and only then uses its PSRD up.
    fn verify(&mut self, blocks: &impl Blocks, request: &Request) -> Result<Authentic, Refusal> {
        let signature = Signature::from_header(request.signature.as_deref());
        let allocation = signature.map_err(|_| BAD_SIGNATURE_HEADER)?.allocation;
        let encoding = Encoding::of(request);
        let named = allocation.total();
        if named > MAC_KEY_BYTES + request.body.len() as u64 {
            return Err(BAD_ALLOCATION);
        }
        let (client, needed) = match encoding {
            // Of a batch only the client's name is read.
            Encoding::Binary => (read_client(&request.body).map_err(|_| MALFORMED)?.0, None),
            Encoding::Json => {
                let operations = batch::operations_of(request).unwrap_or_default();
                let operation = operations.first().ok_or(MALFORMED)?;
                let needed = MAC_KEY_BYTES + operation.share_bytes() as u64;
                (operation.client().clone(), Some(needed))
            }
        };
        let peer = self.peers.get_mut(&client).ok_or(UNREGISTERED)?;
        if needed.is_some_and(|needed| needed != named) {
            return Err(BAD_ALLOCATION);
        }
        peer.up.check(&allocation)?;
        if !open::is_signed(blocks, request) {
            // Without a whole MAC key nothing was tried.
            if named >= MAC_KEY_BYTES {
                peer.up.fails(&allocation);
            }
            return Err(BAD_MAC);
        }
        peer.up.spend(&allocation);
        Ok(Authentic {
            client,
            encoding,
            allocation,
        })
    }

    /// Carries out one operation after the other.
    fn execute(
        &mut self,
        now_us: u64,
        client: &NodeName,
        pad_bytes: u64,
        operations: &[batch::Operation<Plain>],
        takes_shares: bool,
    ) -> Vec<Reply> {
        let mut room = Room::new(pad_bytes, operations);
        let replies = operations.iter().map(|operation| match operation {
            batch::Operation::Deposit(deposit) if !takes_shares => Ok(full(deposit)),
            batch::Operation::Deposit(deposit) => self.deposit(now_us, client, deposit),
            batch::Operation::Fetch(query) => self.fetch(now_us, client, query, &mut room),
            batch::Operation::Withdraw(withdrawal) => self.withdraw(now_us, client, withdrawal),
        });
        replies.collect()
    }

    fn deposit(&mut self, now_us: u64, client: &NodeName, deposit: &DepositBody<Plain>) -> Reply {
        let rules = &self.rules;
        if (deposit.hubs, deposit.threshold, deposit.x) != (rules.hubs, rules.threshold, rules.x) {
            return Err(TOPOLOGY_MISMATCH);
        }
        self.serves(client, &deposit.master_sae)?;
        within(deposit.keys.len(), 1, KEYS_MAX)?;
        within(deposit.slave_saes.len(), 1, SLAVES_MAX)?;
        within(deposit.size, 1, KEY_BYTES_MAX)?;
        let distinct: BTreeSet<&SaeId> = deposit.slave_saes.iter().collect();
        if distinct.len() < deposit.slave_saes.len() {
            return Err(AUTHENTIC_MALFORMED);
        }
        let share_bytes = deposit.size + TAG_SECRET_BYTES;
        let mut shares = deposit.keys.iter().map(|key| key.share.0.len());
        shares.try_for_each(|share| within(share, share_bytes, share_bytes))?;
        *self.served.entry("deposit").or_default() += 1;
        let keys = deposit.keys.iter().map(|key| {
            let held = Held {
                slave_saes: deposit.slave_saes.clone(),
                size: deposit.size,
                tag: key.tag,
                share: key.share.0.to_vec(),
            };
            let name = name(&deposit.master_sae, key.key_id);
            DepositResult {
                key_id: key.key_id,
                outcome: self.store.deposit(now_us, name, held),
            }
        });
        let keys = keys.collect();
        Ok(batch::Reply::Deposit(DepositReply { keys }))
    }

    fn withdraw(&mut self, now_us: u64, client: &NodeName, withdrawal: &Withdrawal) -> Reply {
        self.serves(client, &withdrawal.master_sae)?;
        within(withdrawal.key_ids.len(), 1, KEYS_MAX)?;
        *self.served.entry("withdraw").or_default() += 1;
        for key_id in &withdrawal.key_ids {
            let name = name(&withdrawal.master_sae, *key_id);
            self.store.withdraw(now_us, name);
        }
        Ok(batch::Reply::Withdraw)
    }

    fn fetch(
        &mut self,
        now_us: u64,
        client: &NodeName,
        query: &FetchQuery,
        room: &mut Room,
    ) -> Reply {
        self.serves(client, &query.slave_sae)?;
        within(query.key_ids.len(), 1, KEYS_MAX)?;
        self.store.erase(now_us);
        let start = self
            .peers
            .get(client)
            .map(|peer| peer.start)
            .unwrap_or_default();
        let (sae, master) = (&query.slave_sae, &query.master_sae);
        let keys = query.key_ids.iter().map(|key_id| {
            let looked_up = self
                .store
                .look_up(now_us, &name(master, *key_id), sae, start);
            let answer = match looked_up {
                Lookup::NotFound => FetchAnswer::NotFound,
                Lookup::Forbidden => FetchAnswer::Forbidden,
                Lookup::Found(held) => FetchAnswer::Found(FoundShare {
                    master_sae: master.clone(),
                    slave_saes: held.slave_saes.clone(),
                    hubs: self.rules.hubs,
                    threshold: self.rules.threshold,
                    x: self.rules.x,
                    size: held.size,
                    tag: held.tag,
                    share: held.share.clone(),
                }),
            };
            FetchResult {
                key_id: *key_id,
                answer,
            }
        });
        let reply = FetchReply {
            keys: keys.collect(),
        };
        room.take(&reply)?;
        *self.served.entry("fetch").or_default() += 1;
        // A request counts as a fetch only if every key is found.
        let is_found = |key: &FetchResult<Share>| matches!(key.answer, FetchAnswer::Found(_));
        if reply.keys.iter().all(is_found) {
            for key_id in &query.key_ids {
                self.store
                    .hand_out(now_us, &name(master, *key_id), sae, start);
            }
        }
        Ok(batch::Reply::Fetch(reply))
    }

    fn serves(&self, client: &NodeName, sae: &SaeId) -> Result<(), Refusal> {
        let saes = self.rules.clients.get(client);
        let serves = saes.is_some_and(|saes| saes.contains(sae));
        if serves { Ok(()) } else { Err(FOREIGN_SAE) }
    }
}

/// Reads and decrypts the operations of an authentic message.
fn read(
    blocks: &impl Blocks,
    request: &Request,
    authentic: &Authentic,
) -> Result<Vec<batch::Operation<Plain>>, Refusal> {
    let operations = batch::operations_of(request).ok_or(AUTHENTIC_MALFORMED)?;
    within(operations.len(), 1, OPERATIONS_MAX)?;
    let mut operations = operations.iter();
    if operations.any(|operation| operation.client() != &authentic.client) {
        return Err(AUTHENTIC_MALFORMED);
    }
    let opened = open::operations(blocks, request)
        .ok_or(AUTHENTIC_MALFORMED)?
        .1;
    let shares = opened.iter().map(batch::Operation::share_bytes);
    if MAC_KEY_BYTES + shares.sum::<usize>() as u64 != authentic.allocation.total() {
        return Err(AUTHENTIC_MALFORMED);
    }
    Ok(opened)
}

fn full(deposit: &DepositBody<Plain>) -> batch::Reply<Share> {
    let keys = deposit.keys.iter().map(|key| DepositResult {
        key_id: key.key_id,
        outcome: dske::protocol::message::DepositOutcome::Full,
    });
    let keys = keys.collect();
    batch::Reply::Deposit(DepositReply { keys })
}

fn within(number: usize, least: usize, most: usize) -> Result<(), Refusal> {
    match (least..=most).contains(&number) {
        true => Ok(()),
        false => Err(OUT_OF_LIMITS),
    }
}

#[cfg(test)]
mod tests;
