//! The two ends of the channel between a client and a hub: everything that spends PSRD.
//!
//! There are two pools, so that the two ends never race: *up*, from which only the client allocates, and *down*,
//! from which only the hub does. A message spends one allocation: 32 bytes of MAC key, then the pads of the shares
//! in the order of the body. `docs/protocol.md` §3 and §4.
//!
//! A [`Response`] can be opened only with the [`Sent`] of the request that it answers, and opening verifies before
//! anything is decrypted or consumed: what comes out of `open_*` has passed its check.

use serde::Serialize;
use zeroize::Zeroizing;

use crate::crypto::mac::{MAC_KEY_BYTES, MacKey};
use crate::harness::{Canary, canary};
use crate::psrd::{Block, MAC_FAILURES_MAX, PoolError, ReceivingPool, SpendingPool, Spent};

use super::limits::BLOCKS_MAX;
use super::message::{DepositBody, DepositReply, Encrypted, FetchQuery, FetchReply, Plain};
use super::refusal::Refusal;
use super::signature::{Signature, SignatureError};
use super::wire::{KEY_SHARE_PATH, Method, Request, Response};

/// Which end allocates from a pool.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PoolOwner {
    /// The *up* pool: the client allocates, for its requests.
    Client,
    /// The *down* pool: the hub allocates, for its responses.
    Hub,
}

/// The client's end of its channel to one hub.
pub struct ClientEnd {
    up: SpendingPool,
    down: ReceivingPool,
}

/// What a client remembers of a request, to open the response.
#[derive(Debug, Clone)]
pub struct Sent(Signature);

/// Why a client does not accept a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Unsigned: a hint, which anyone on the network could have made up.
    #[error("unsigned refusal: {0}")]
    Hint(Refusal),
    /// The hub refused, and proved that it was the hub.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// Neither signed nor a refusal.
    #[error("status {status} without a usable signature: {reason}")]
    Unsigned {
        /// HTTP status.
        status: u16,
        /// What is wrong with the signature.
        reason: SignatureError,
    },
    /// The allocation names bytes that cannot be used: a replay, or PSRD from before a restart.
    #[error("the response's allocation cannot be used: {0}")]
    Allocation(PoolError),
    /// Changed on its way, forged, or the answer to another request.
    #[error("the response's message authentication code does not fit")]
    BadMac,
    /// The hub signed nonsense. The hub's fault.
    #[error("the hub signed a malformed response: {0}")]
    AuthenticMalformed(String),
}

impl Default for ClientEnd {
    fn default() -> Self {
        Self {
            up: SpendingPool::new(BLOCKS_MAX),
            down: ReceivingPool::new(BLOCKS_MAX, MAC_FAILURES_MAX),
        }
    }
}

impl ClientEnd {
    /// Takes a block that the hub delivered.
    ///
    /// # Errors
    /// If the pool is full or knows the block.
    pub fn add(&mut self, owner: PoolOwner, block: Block) -> Result<(), PoolError> {
        if canary(Canary::PoolsShared) && owner == PoolOwner::Client {
            self.down.add(block.copy_for_peer())?;
        }
        match owner {
            PoolOwner::Client => self.up.add(block),
            PoolOwner::Hub => self.down.add(block),
        }
    }

    /// Bytes left in one of the pools, as far as this end can know.
    #[must_use]
    pub fn left(&self, owner: PoolOwner) -> usize {
        match owner {
            PoolOwner::Client => self.up.left(),
            PoolOwner::Hub => self.down.left(),
        }
    }

    /// Takes out the PSRD of a message to come. It is spent, whatever becomes of the message.
    ///
    /// # Errors
    /// [`PoolError::Exhausted`], with nothing spent.
    pub fn spend(&mut self, bytes: usize) -> Result<Spent, PoolError> {
        self.up.allocate(bytes)
    }

    /// PSRD that a deposit spends.
    #[must_use]
    pub fn deposit_cost(deposit: &DepositBody<Plain>) -> usize {
        MAC_KEY_BYTES + deposit.share_bytes()
    }

    /// PSRD that a fetch spends.
    pub const FETCH_COST: usize = MAC_KEY_BYTES;

    /// Encrypts and signs a deposit. The PSRD is spent, whatever becomes of the request.
    ///
    /// # Errors
    /// [`PoolError::Exhausted`], with nothing spent.
    pub fn seal_deposit(
        &mut self,
        deposit: &DepositBody<Plain>,
    ) -> Result<(Request, Sent), PoolError> {
        let spent = self.spend(Self::deposit_cost(deposit))?;
        Ok(seal_deposit(spent, deposit))
    }

    /// Signs a fetch. The PSRD is spent, whatever becomes of the request.
    ///
    /// # Errors
    /// [`PoolError::Exhausted`], with nothing spent.
    pub fn seal_fetch(&mut self, query: &FetchQuery) -> Result<(Request, Sent), PoolError> {
        let spent = self.spend(Self::FETCH_COST)?;
        Ok(seal_fetch(spent, query))
    }

    /// Verifies the answer to a deposit.
    ///
    /// # Errors
    /// If the hub refused, or the response is not what the hub signed.
    pub fn open_deposit_reply(
        &mut self,
        sent: &Sent,
        response: &Response,
    ) -> Result<DepositReply, OpenError> {
        let bytes = self.verify(sent, response)?;
        if bytes.len() != MAC_KEY_BYTES {
            return Err(OpenError::AuthenticMalformed(
                "its allocation has bytes that it does not use".to_owned(),
            ));
        }
        from_json(&response.body)
    }

    /// Verifies and decrypts the answer to a fetch.
    ///
    /// # Errors
    /// If the hub refused, or the response is not what the hub signed.
    pub fn open_fetch_reply(
        &mut self,
        sent: &Sent,
        response: &Response,
    ) -> Result<FetchReply<Plain>, OpenError> {
        let bytes = self.verify(sent, response)?;
        let body: FetchReply = from_json(&response.body)?;
        let mut pads = Pads::after_key(&bytes);
        let reply = body
            .try_map(|share| pads.decrypt(share))
            .map_err(|PadError| mismatched_pads())?;
        if !pads.is_empty() {
            return Err(mismatched_pads());
        }
        Ok(reply)
    }

    /// The response's PSRD bytes, once its MAC has been found to fit.
    fn verify(
        &mut self,
        sent: &Sent,
        response: &Response,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let signature = match Signature::from_header(response.signature.as_deref()) {
            Ok(signature) => signature,
            Err(reason) => {
                let status = response.status;
                return Err(match serde_json::from_slice(&response.body) {
                    Ok(refusal) => OpenError::Hint(refusal),
                    Err(_) => OpenError::Unsigned { status, reason },
                });
            }
        };
        let bytes = self
            .down
            .peek(&signature.allocation)
            .map_err(OpenError::Allocation)?;
        let key = mac_key(&bytes).ok_or(OpenError::BadMac)?;
        if signature.verify_response(&key, &sent.0, response).is_err() {
            self.down.mac_failed(&signature.allocation);
            return Err(OpenError::BadMac);
        }
        self.down
            .consume(&signature.allocation)
            .map_err(OpenError::Allocation)?;
        if response.status != 200 {
            return Err(match serde_json::from_slice(&response.body) {
                Ok(refusal) => OpenError::Refused(refusal),
                Err(e) => OpenError::AuthenticMalformed(e.to_string()),
            });
        }
        Ok(bytes)
    }
}

fn mismatched_pads() -> OpenError {
    OpenError::AuthenticMalformed("its allocation does not match its shares".to_owned())
}

/// A hub's end of its channel to one client.
pub struct HubEnd {
    up: ReceivingPool,
    down: SpendingPool,
}

/// A request that has passed its MAC.
#[derive(Debug)]
pub struct Opened {
    /// The request's signature, which the response has to be bound to.
    pub signature: Signature,
    /// What the client wants.
    pub wish: Wish,
}

/// What a client wants of a hub.
#[derive(Debug)]
pub enum Wish {
    /// Hold these shares.
    Deposit(DepositBody<Plain>),
    /// Hand these shares over.
    Fetch(FetchQuery),
}

/// What a hub answers.
#[derive(Debug)]
pub enum Reply {
    /// To a deposit.
    Deposit(DepositReply),
    /// To a fetch.
    Fetch(FetchReply<Plain>),
    /// To either.
    Refused(Refusal),
}

/// A request that has been read but not verified: enough to know whose PSRD to verify it with.
pub struct Unverified<'a> {
    request: &'a Request,
    signature: Signature,
    body: UnverifiedBody,
}

enum UnverifiedBody {
    Deposit(DepositBody),
    Fetch(FetchQuery),
}

impl<'a> Unverified<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(request: &'a Request) -> Result<Self, Refusal> {
        let malformed = |reason| Refusal::Malformed { reason };
        let signature = Signature::from_header(request.signature.as_deref()).map_err(|e| {
            Refusal::BadSignatureHeader {
                reason: e.to_string(),
            }
        })?;
        let body = match request.method {
            Method::Post => serde_json::from_slice(&request.body)
                .map(UnverifiedBody::Deposit)
                .map_err(|e| malformed(e.to_string()))?,
            Method::Get => FetchQuery::from_target(&request.target)
                .map(UnverifiedBody::Fetch)
                .map_err(malformed)?,
        };
        Ok(Self {
            request,
            signature,
            body,
        })
    }

    /// Who the request says it is from.
    #[must_use]
    pub fn client(&self) -> &super::names::NodeName {
        match &self.body {
            UnverifiedBody::Deposit(body) => &body.client,
            UnverifiedBody::Fetch(query) => &query.client,
        }
    }
}

impl Default for HubEnd {
    fn default() -> Self {
        Self {
            up: ReceivingPool::new(BLOCKS_MAX, MAC_FAILURES_MAX),
            down: SpendingPool::new(BLOCKS_MAX),
        }
    }
}

impl HubEnd {
    /// Takes a block that is being delivered to the client.
    ///
    /// # Errors
    /// If the pool is full or knows the block.
    pub fn add(&mut self, owner: PoolOwner, block: Block) -> Result<(), PoolError> {
        if canary(Canary::PoolsShared) && owner == PoolOwner::Client {
            self.down.add(block.copy_for_peer())?;
        }
        match owner {
            PoolOwner::Client => self.up.add(block),
            PoolOwner::Hub => self.down.add(block),
        }
    }

    /// Bytes left in one of the pools, as far as this end can know.
    #[must_use]
    pub fn left(&self, owner: PoolOwner) -> usize {
        match owner {
            PoolOwner::Client => self.up.left(),
            PoolOwner::Hub => self.down.left(),
        }
    }

    /// Verifies a request, and only then consumes its PSRD and decrypts it.
    ///
    /// # Errors
    /// A refusal; nothing has been consumed.
    pub fn open(&mut self, unverified: Unverified<'_>) -> Result<Opened, Refusal> {
        let Unverified {
            request,
            signature,
            body,
        } = unverified;
        let bad_allocation = |reason: String| Refusal::BadAllocation { reason };
        // Before the MAC, so that no authentic request is half consumed: the sizes have to match.
        let pad_bytes = match &body {
            UnverifiedBody::Deposit(body) => body.share_bytes(),
            UnverifiedBody::Fetch(_) => 0,
        };
        if signature.allocation.total() != (MAC_KEY_BYTES + pad_bytes) as u64 {
            return Err(bad_allocation(format!(
                "the message needs {} bytes and names {}",
                MAC_KEY_BYTES + pad_bytes,
                signature.allocation.total()
            )));
        }
        let bytes = self
            .up
            .peek(&signature.allocation)
            .map_err(refused_by_pool)?;
        let key = mac_key(&bytes).ok_or(Refusal::BadMac)?;
        if signature.verify_request(&key, request).is_err() && !canary(Canary::MacNotVerified) {
            self.up.mac_failed(&signature.allocation);
            if canary(Canary::FailedMacConsumes) {
                self.up
                    .consume(&signature.allocation)
                    .map_err(refused_by_pool)?;
            }
            return Err(Refusal::BadMac);
        }
        self.up
            .consume(&signature.allocation)
            .map_err(refused_by_pool)?;
        let wish = match body {
            UnverifiedBody::Fetch(query) => Wish::Fetch(query),
            UnverifiedBody::Deposit(body) => {
                let mut pads = Pads::after_key(&bytes);
                let deposit = body.try_map(|share| pads.decrypt(share));
                Wish::Deposit(deposit.map_err(|PadError| {
                    bad_allocation("the allocation is shorter than the shares".to_owned())
                })?)
            }
        };
        Ok(Opened { signature, wish })
    }

    /// Encrypts and signs the answer to the request with signature `to`.
    ///
    /// # Errors
    /// [`PoolError::Exhausted`], with nothing spent.
    pub fn seal(&mut self, to: &Signature, reply: &Reply) -> Result<Response, PoolError> {
        let pad_bytes = match reply {
            Reply::Fetch(reply) => reply.share_bytes(),
            Reply::Deposit(_) | Reply::Refused(_) => 0,
        };
        let spent = self.down.allocate(MAC_KEY_BYTES + pad_bytes)?;
        Ok(seal_reply(spent, to, reply))
    }
}

/// The request that `spent` makes of a deposit: a function of its arguments alone.
///
/// # Panics
/// If `spent` is not as long as [`ClientEnd::deposit_cost`] says.
#[must_use]
pub fn seal_deposit(spent: Spent, deposit: &DepositBody<Plain>) -> (Request, Sent) {
    let mut pads = Pads::after_key(&spent.bytes);
    let body = deposit
        .try_map(|share| pads.encrypt(share))
        .expect(SPENT_FOR_THESE);
    let request = Request {
        method: Method::Post,
        target: KEY_SHARE_PATH.to_owned(),
        signature: None,
        body: to_json(&body),
    };
    sign(spent, request)
}

/// The request that `spent` makes of a fetch: a function of its arguments alone.
///
/// # Panics
/// If `spent` is shorter than [`ClientEnd::FETCH_COST`].
#[must_use]
pub fn seal_fetch(spent: Spent, query: &FetchQuery) -> (Request, Sent) {
    let request = Request {
        method: Method::Get,
        target: query.target(),
        signature: None,
        body: Vec::new(),
    };
    sign(spent, request)
}

/// The response that `spent` makes of a reply to the request with signature `to`: a function of its arguments alone.
///
/// # Panics
/// If `spent` is not as long as a MAC key and the shares in the reply.
#[must_use]
pub fn seal_reply(spent: Spent, to: &Signature, reply: &Reply) -> Response {
    let mut pads = Pads::after_key(&spent.bytes);
    let (status, body) = match reply {
        Reply::Deposit(reply) => (200, to_json(reply)),
        Reply::Refused(refusal) => (refusal.status(), to_json(refusal)),
        Reply::Fetch(reply) => {
            let encrypted = reply.try_map(|share| pads.encrypt(share));
            (200, to_json(&encrypted.expect(SPENT_FOR_THESE)))
        }
    };
    let mut response = Response {
        status,
        signature: None,
        body,
    };
    let key = key_of(&spent);
    let signature = Signature::of_response(&key, spent.allocation, to, &response);
    response.signature = Some(signature.to_string());
    response
}

/// Tells a hub that has forgotten the block, which ends in a new registration, from bytes that must not be used.
fn refused_by_pool(error: PoolError) -> Refusal {
    let reason = error.to_string();
    match error {
        PoolError::UnknownBlock { .. } | PoolError::Retired { .. } | PoolError::Evicted { .. } => {
            Refusal::UnknownPsrd { reason }
        }
        _ => Refusal::BadAllocation { reason },
    }
}

/// A response to a request that could not be verified: not signed, since signing spends PSRD and anyone could make
/// the hub spend it.
#[must_use]
pub fn unsigned_refusal(refusal: &Refusal) -> Response {
    Response {
        status: refusal.status(),
        signature: None,
        body: to_json(refusal),
    }
}

fn sign(spent: Spent, mut request: Request) -> (Request, Sent) {
    let key = key_of(&spent);
    let signature = Signature::of_request(&key, spent.allocation, &request);
    request.signature = Some(signature.to_string());
    (request, Sent(signature))
}

fn mac_key(bytes: &[u8]) -> Option<MacKey> {
    MacKey::try_from(bytes.get(..MAC_KEY_BYTES)?).ok()
}

fn key_of(spent: &Spent) -> MacKey {
    mac_key(&spent.bytes).expect("every allocation starts with a MAC key")
}

/// One-time pads, used up in order.
pub(super) struct Pads<'a>(&'a [u8]);

#[derive(Debug)]
pub(super) struct PadError;

const SPENT_FOR_THESE: &str = "the allocation was made for exactly these shares";

impl<'a> Pads<'a> {
    pub(super) fn after_key(bytes: &'a [u8]) -> Self {
        Self(bytes.get(MAC_KEY_BYTES..).unwrap_or_default())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn next(&mut self, size: usize) -> Result<&'a [u8], PadError> {
        let (pad, rest) = self.0.split_at_checked(size).ok_or(PadError)?;
        self.0 = rest;
        Ok(pad)
    }

    fn encrypt(&mut self, share: &Plain) -> Result<Encrypted, PadError> {
        let pad = self.next(share.0.len())?;
        Ok(Encrypted(xor(&share.0, pad).collect()))
    }

    fn decrypt(&mut self, share: &Encrypted) -> Result<Plain, PadError> {
        let pad = self.next(share.0.len())?;
        Ok(Plain(Zeroizing::new(xor(&share.0, pad).collect())))
    }
}

fn xor<'a>(a: &'a [u8], b: &'a [u8]) -> impl Iterator<Item = u8> + 'a {
    let clear = if canary(Canary::PadTooShort) {
        a.len()
    } else {
        0
    };
    let bytes = a.iter().zip(b).zip(1..);
    bytes.map(move |((a, b), number)| if number == clear { *a } else { a ^ b })
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value)
        .expect("our own types have string keys only, which is all that JSON can refuse")
}

fn from_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, OpenError> {
    serde_json::from_slice(bytes).map_err(|e| OpenError::AuthenticMalformed(e.to_string()))
}
