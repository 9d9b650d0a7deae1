//! The two ends of the channel between a client and a hub: everything that spends PSRD.
//!
//! There are two pools, so that the two ends never race: *up*, from which only the client allocates, and *down*,
//! from which only the hub does. A message spends one allocation, however many operations are in it: 32 bytes of MAC key,
//! then the pads of the shares in the order of the body. `docs/protocol.md` §3 and §4.
//!
//! A [`Response`] can be opened only with the [`Sent`] of the request that it answers, and opening verifies before
//! anything is decrypted or consumed: what comes out of `open_*` has passed its check.

use bytes::Bytes;
use serde::Serialize;

use crate::crypto::mac::{MAC_KEY_BYTES, MacKey};
use crate::crypto::secret::Secret;
use crate::harness::{Canary, canary};
use crate::psrd::{Block, MAC_FAILURES_MAX, PoolError, ReceivingPool, SpendingPool, Spent};

use super::batch::{
    Encoding, Operation, Reply, read_client, read_json, read_operations, read_replies,
    write_operations, write_replies,
};
use super::limits::{BLOCKS_MAX, OPERATIONS_PER_BATCH_MAX};
use super::message::{
    DepositBody, DepositReply, Encrypted, FetchQuery, FetchReply, Plain, ShareBytes,
};
use super::names::NodeName;
use super::refusal::Refusal;
use super::signature::{Signature, SignatureError};
use super::wire::{KEY_SHARE_PATH, KEY_SHARES_PATH, Method, Request, Response};

/// Which end allocates from a pool.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
            self.down.add(block.copy())?;
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

    /// Encrypts and signs a deposit. The PSRD is spent, whatever becomes of the request.
    ///
    /// # Errors
    /// [`PoolError::Exhausted`], with nothing spent.
    pub fn seal_deposit(
        &mut self,
        deposit: &DepositBody<Plain>,
    ) -> Result<(Request, Sent), PoolError> {
        let spent = self.spend(MAC_KEY_BYTES + deposit.share_bytes())?;
        Ok(seal_deposit(spent, deposit))
    }

    /// Signs a fetch. The PSRD is spent, whatever becomes of the request.
    ///
    /// # Errors
    /// [`PoolError::Exhausted`], with nothing spent.
    pub fn seal_fetch(&mut self, query: &FetchQuery) -> Result<(Request, Sent), PoolError> {
        let spent = self.spend(MAC_KEY_BYTES)?;
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

    /// Verifies and decrypts the answer to a batch of so many operations.
    ///
    /// # Errors
    /// If the hub refused the batch, or the response is not what the hub signed.
    pub fn open_batch_reply(
        &mut self,
        sent: &Sent,
        operations: usize,
        response: &Response,
    ) -> Result<Vec<Reply<Plain>>, OpenError> {
        let bytes = self.verify(sent, response)?;
        let replies = read_replies(&response.body).map_err(OpenError::AuthenticMalformed)?;
        if replies.len() != operations {
            return Err(OpenError::AuthenticMalformed(format!(
                "it has {} answers to {operations} questions",
                replies.len()
            )));
        }
        let mut pads = Pads::after_key(&bytes);
        let replies = replies
            .into_iter()
            .map(|reply| reply.try_map(|share| pads.decrypt(share)))
            .collect::<Result<_, _>>()
            .map_err(|PadError| mismatched_pads())?;
        if !pads.is_empty() {
            return Err(mismatched_pads());
        }
        Ok(replies)
    }

    /// The response's PSRD bytes, once its MAC has been found to fit.
    fn verify(&mut self, sent: &Sent, response: &Response) -> Result<Secret, OpenError> {
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
    /// Who asks.
    pub client: NodeName,
    /// What the response has to be bound to.
    pub bound: Bound,
    /// What the client wants, or why that can't be read.
    pub operations: Result<Vec<Operation<Plain>>, Refusal>,
}

/// What a response has to be bound to, and how it is to be written.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The request's signature.
    pub signature: Signature,
    /// The request's encoding.
    pub encoding: Encoding,
}

/// What a hub answers: to each operation, or to the message as a whole.
pub type Replies = Result<Vec<Reply<Plain>>, Refusal>;

/// A request that has been read but not verified: enough to know whose PSRD to verify it with.
pub struct Unverified<'a> {
    request: &'a Request,
    signature: Signature,
    body: UnverifiedBody<'a>,
}

enum UnverifiedBody<'a> {
    Json(Operation),
    Binary {
        client: NodeName,
        operations: &'a [u8],
    },
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
        let body = match Encoding::of(request) {
            Encoding::Binary => {
                let (client, operations) = read_client(&request.body).map_err(malformed)?;
                UnverifiedBody::Binary { client, operations }
            }
            Encoding::Json => UnverifiedBody::Json(read_json(request).map_err(malformed)?),
        };
        Ok(Self {
            request,
            signature,
            body,
        })
    }

    /// Who the request says it is from.
    #[must_use]
    pub fn client(&self) -> &NodeName {
        match &self.body {
            UnverifiedBody::Json(operation) => operation.client(),
            UnverifiedBody::Binary { client, .. } => client,
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
            self.down.add(block.copy())?;
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

    /// Verifies a request, and only then consumes its PSRD and decrypts it. What is wrong with a request that is
    /// authentic is left to the answer.
    ///
    /// # Errors
    /// A refusal; nothing has been consumed.
    pub fn open(&mut self, unverified: Unverified<'_>) -> Result<Opened, Refusal> {
        let Unverified {
            request,
            signature,
            body,
        } = unverified;
        if let UnverifiedBody::Json(operation) = &body {
            check_pads(&signature, operation.share_bytes())?;
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
        let (client, operations, encoding) = match body {
            UnverifiedBody::Json(operation) => (
                operation.client().clone(),
                Ok(vec![operation]),
                Encoding::Json,
            ),
            UnverifiedBody::Binary { client, operations } => {
                let operations = read_batch(&client, operations, &signature);
                (client, operations, Encoding::Binary)
            }
        };
        let mut pads = Pads::after_key(&bytes);
        let operations = operations.and_then(|operations| {
            let decrypt = |operation: Operation| operation.try_map(|share| pads.decrypt(share));
            let decrypted = operations
                .into_iter()
                .map(decrypt)
                .collect::<Result<_, _>>();
            decrypted.map_err(|PadError| too_short())
        });
        Ok(Opened {
            client,
            bound: Bound {
                signature,
                encoding,
            },
            operations,
        })
    }

    /// Encrypts and signs the answer to a request.
    ///
    /// # Errors
    /// [`PoolError::Exhausted`], with nothing spent.
    pub fn seal(&mut self, to: &Bound, replies: Replies) -> Result<Response, PoolError> {
        let share_bytes = replies
            .iter()
            .flatten()
            .map(Reply::share_bytes)
            .sum::<usize>();
        let spent = self.down.allocate(MAC_KEY_BYTES + share_bytes)?;
        Ok(seal_replies(spent, to, replies))
    }
}

/// The sizes have to match: no byte is named for nothing, and there is a pad for every share.
fn check_pads(signature: &Signature, share_bytes: usize) -> Result<(), Refusal> {
    let (needed, named) = (MAC_KEY_BYTES + share_bytes, signature.allocation.total());
    if named == needed as u64 {
        return Ok(());
    }
    Err(Refusal::BadAllocation {
        reason: format!("the message needs {needed} bytes and names {named}"),
    })
}

fn too_short() -> Refusal {
    Refusal::BadAllocation {
        reason: "the allocation is shorter than the shares".to_owned(),
    }
}

/// Reads what an authentic batch wants. It is the client's own fault if that makes no sense.
fn read_batch(
    client: &NodeName,
    operations: &[u8],
    signature: &Signature,
) -> Result<Vec<Operation>, Refusal> {
    let malformed = |reason| Refusal::AuthenticMalformed { reason };
    let operations = read_operations(operations).map_err(malformed)?;
    if !(1..=OPERATIONS_PER_BATCH_MAX).contains(&operations.len()) {
        return Err(Refusal::OutOfLimits {
            what: "operations in a batch".to_owned(),
            min: 1,
            max: OPERATIONS_PER_BATCH_MAX,
            got: operations.len(),
        });
    }
    if operations
        .iter()
        .any(|operation| operation.client() != client)
    {
        return Err(malformed("an operation is of another client".to_owned()));
    }
    check_pads(
        signature,
        operations.iter().map(Operation::share_bytes).sum(),
    )?;
    Ok(operations)
}

/// The request that `spent` makes of a deposit, in JSON: a function of its arguments alone.
///
/// # Panics
/// If `spent` is not as long as a MAC key and the shares.
#[must_use]
pub fn seal_deposit(spent: Spent, deposit: &DepositBody<Plain>) -> (Request, Sent) {
    let mut pads = Pads::after_key(spent.bytes());
    let body = deposit
        .clone()
        .try_map(|share| pads.encrypt(share))
        .expect(SPENT_FOR_THESE);
    let request = Request {
        method: Method::Post,
        target: KEY_SHARE_PATH.to_owned(),
        signature: None,
        body: to_json(&body).into(),
    };
    sign(spent, request)
}

/// The request that `spent` makes of a fetch, in JSON: a function of its arguments alone.
///
/// # Panics
/// If `spent` is shorter than a MAC key.
#[must_use]
pub fn seal_fetch(spent: Spent, query: &FetchQuery) -> (Request, Sent) {
    let request = Request {
        method: Method::Get,
        target: query.target(),
        signature: None,
        body: Bytes::new(),
    };
    sign(spent, request)
}

/// PSRD that a batch spends.
#[must_use]
pub fn batch_cost<'a>(operations: impl IntoIterator<Item = &'a Operation<Plain>>) -> usize {
    MAC_KEY_BYTES
        + operations
            .into_iter()
            .map(Operation::share_bytes)
            .sum::<usize>()
}

/// The request that `spent` makes of a batch: a function of its arguments alone.
///
/// # Panics
/// If `spent` is not as long as [`batch_cost`] says.
#[must_use]
pub fn seal_batch(
    spent: Spent,
    client: &NodeName,
    operations: Vec<Operation<Plain>>,
) -> (Request, Sent) {
    let mut pads = Pads::after_key(spent.bytes());
    let encrypt = |operation: Operation<Plain>| operation.try_map(|share| pads.encrypt(share));
    let operations = operations.into_iter().map(encrypt);
    let operations: Vec<Operation> = operations.collect::<Result<_, _>>().expect(SPENT_FOR_THESE);
    let request = Request {
        method: Method::Post,
        target: KEY_SHARES_PATH.to_owned(),
        signature: None,
        body: write_operations(client, &operations).into(),
    };
    sign(spent, request)
}

/// The response that `spent` makes of replies: a function of its arguments alone. In JSON there is one reply.
///
/// # Panics
/// If `spent` is not as long as a MAC key and the shares in the replies.
#[must_use]
pub fn seal_replies(spent: Spent, to: &Bound, replies: Replies) -> Response {
    let mut pads = Pads::after_key(spent.bytes());
    let mut encrypt = |reply: Reply<Plain>| {
        let encrypted = reply.try_map(|share| pads.encrypt(share));
        encrypted.expect(SPENT_FOR_THESE)
    };
    let refuse = |refusal: &Refusal| (refusal.status(), to_json(refusal));
    let (status, body) = match (to.encoding, replies) {
        (_, Err(refusal)) => refuse(&refusal),
        (Encoding::Binary, Ok(replies)) => {
            let replies: Vec<Reply> = replies.into_iter().map(encrypt).collect();
            (200, write_replies(&replies))
        }
        (Encoding::Json, Ok(replies)) => match replies.into_iter().next().map(&mut encrypt) {
            Some(Reply::Deposit(reply)) => (200, to_json(&reply)),
            Some(Reply::Fetch(reply)) => (200, to_json(&reply)),
            Some(Reply::Refused(refusal)) => refuse(&refusal),
            None => (200, Vec::new()),
        },
    };
    let mut response = Response {
        status,
        signature: None,
        body: body.into(),
    };
    let key = key_of(&spent);
    let signature = Signature::of_response(key, spent.into_parts().0, &to.signature, &response);
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
        body: to_json(refusal).into(),
    }
}

/// Signs any request that spends a MAC key and the pads of what is in it already.
///
/// # Panics
/// If `spent` is shorter than a MAC key.
#[must_use]
pub fn sign(spent: Spent, mut request: Request) -> (Request, Sent) {
    let key = key_of(&spent);
    let signature = Signature::of_request(key, spent.into_parts().0, &request);
    request.signature = Some(signature.to_string());
    (request, Sent(signature))
}

fn mac_key(bytes: &[u8]) -> Option<MacKey> {
    MacKey::try_from(bytes.get(..MAC_KEY_BYTES)?).ok()
}

fn key_of(spent: &Spent) -> MacKey {
    mac_key(spent.bytes()).expect("every allocation starts with a MAC key")
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

    fn encrypt(&mut self, mut share: Plain) -> Result<Encrypted, PadError> {
        let pad = self.next(share.byte_len())?;
        xor_in_place(&mut share.0, pad);
        // No longer a secret: nothing is left to be wiped.
        Ok(Encrypted(share.0.into_public()))
    }

    fn decrypt(&mut self, share: Encrypted) -> Result<Plain, PadError> {
        let mut share = Plain(Secret::from(share.0));
        let pad = self.next(share.byte_len())?;
        xor_in_place(&mut share.0, pad);
        Ok(share)
    }
}

fn xor_in_place(share: &mut [u8], pad: &[u8]) {
    let in_clear = usize::from(canary(Canary::PadTooShort));
    let covered = share.len().saturating_sub(in_clear);
    let bytes = share.iter_mut().zip(pad).take(covered);
    bytes.for_each(|(byte, pad)| *byte ^= pad);
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value)
        .expect("our own types have string keys only, which is all that JSON can refuse")
}

fn from_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, OpenError> {
    serde_json::from_slice(bytes).map_err(|e| OpenError::AuthenticMalformed(e.to_string()))
}
