//! The hub's end: opens requests and seals responses.

use crate::crypto::mac::MAC_KEY_BYTES;
use crate::harness::{Canary, canary};
use crate::protocol::batch::{
    Encoding, Operation, Reply, Unreadable, read_client, read_json, read_operations, to_json,
    write_replies,
};
use crate::protocol::limits::OPERATIONS_PER_BATCH_MAX;
use crate::protocol::message::Plain;
use crate::protocol::names::NodeName;
use crate::protocol::refusal::{Refusal, Signing, within};
use crate::protocol::signature::Signature;
use crate::protocol::wire::{Request, Response};
use crate::psrd::{PoolError, Spent};

use super::pads::{PadError, Pads, SPENT_FOR_THESE, signing_parts};
use super::pools::{HubEnd, Unfit};

/// A request that has been read but not verified. That is enough to know whose PSRD to verify it with.
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

/// A request that has passed its MAC.
#[derive(Debug)]
pub struct Opened {
    /// Who asks.
    pub client: NodeName,
    /// What the response has to be bound to.
    pub bound: Bound,
    /// What the client wants, or why that cannot be read.
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

impl<'a> Unverified<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(request: &'a Request) -> Result<Self, Refusal> {
        let malformed = |unreadable: Unreadable| Refusal::Malformed {
            reason: unreadable.to_string(),
        };
        let signature = Signature::from_header(request.signature.as_deref()).map_err(|e| {
            Refusal::BadSignatureHeader {
                reason: e.to_string(),
            }
        })?;
        check_pads_at_most(&signature, request.body.len())?;
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

impl HubEnd {
    /// Verifies a request, and only then consumes its PSRD and decrypts it. A request that is authentic but wrong is
    /// opened all the same: the answer says what is wrong with it.
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
            let fits = check_pads(&signature, operation.share_bytes());
            fits.map_err(|reason| Refusal::BadAllocation { reason })?;
        }
        let fits = |key: &_| {
            signature.verify_request(key, request).is_ok() || canary(Canary::MacNotVerified)
        };
        let bytes = match self.verify(&signature, fits) {
            Ok(bytes) => bytes,
            Err(Unfit::Allocation(error)) => return Err(refused_by_pool(&error)),
            Err(Unfit::Mac) => {
                if canary(Canary::FailedMacConsumes) {
                    let consumed = self.peers.consume(&signature.allocation);
                    consumed.map_err(|error| refused_by_pool(&error))?;
                }
                return Err(Refusal::BadMac);
            }
        };
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
            decrypted.map_err(|PadError| Refusal::AuthenticMalformed {
                reason: "the allocation is shorter than the shares".to_owned(),
            })
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
        let share_bytes = replies.iter().flatten().map(Reply::share_bytes);
        let spent = self
            .own
            .allocate(MAC_KEY_BYTES + share_bytes.sum::<usize>())?;
        Ok(seal_replies(spent, to, replies))
    }
}

/// Compares sizes: the allocation names no byte for nothing, and has a pad for every share.
fn check_pads(signature: &Signature, share_bytes: usize) -> Result<(), String> {
    let (needed, named) = (MAC_KEY_BYTES + share_bytes, signature.allocation.total());
    if named == needed as u64 {
        return Ok(());
    }
    Err(format!(
        "the message needs {needed} bytes and names {named}"
    ))
}

/// The same for a message that has not been read: its shares are no longer than its body.
fn check_pads_at_most(signature: &Signature, body_bytes: usize) -> Result<(), Refusal> {
    let (most, named) = (MAC_KEY_BYTES + body_bytes, signature.allocation.total());
    if named <= most as u64 {
        return Ok(());
    }
    Err(Refusal::BadAllocation {
        reason: format!("the message needs {most} bytes at most and names {named}"),
    })
}

/// Reads the operations of an authentic batch. If they make no sense, it is the client's own fault.
fn read_batch(
    client: &NodeName,
    operations: &[u8],
    signature: &Signature,
) -> Result<Vec<Operation>, Refusal> {
    let malformed = |reason: String| Refusal::AuthenticMalformed { reason };
    let operations = read_operations(operations).map_err(|e| malformed(e.to_string()))?;
    within(
        "operations in a batch",
        operations.len(),
        1,
        OPERATIONS_PER_BATCH_MAX,
    )?;
    if operations
        .iter()
        .any(|operation| operation.client() != client)
    {
        return Err(malformed("an operation is of another client".to_owned()));
    }
    let share_bytes = operations.iter().map(Operation::share_bytes);
    check_pads(signature, share_bytes.sum()).map_err(malformed)?;
    Ok(operations)
}

/// Tells a hub that has forgotten the block, which ends in a new registration, from bytes that must not be used.
fn refused_by_pool(error: &PoolError) -> Refusal {
    let reason = error.to_string();
    match error {
        PoolError::UnknownBlock { .. } | PoolError::Retired { .. } | PoolError::Evicted { .. } => {
            Refusal::UnknownPsrd { reason }
        }
        _ => Refusal::BadAllocation { reason },
    }
}

/// The response that `spent` makes of replies: a function of its arguments alone. In JSON there is one reply.
///
/// # Panics
/// If `spent` is not as long as a MAC key and the shares in the replies.
#[must_use]
pub fn seal_replies(spent: Spent, to: &Bound, replies: Replies) -> Response {
    let mut pads = Pads::of(&spent);
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
            // Withdrawals come in batches only.
            Some(Reply::Withdraw) | None => (200, Vec::new()),
        },
    };
    let mut response = Response {
        status,
        signature: None,
        body: body.into(),
    };
    let (allocation, key) = signing_parts(spent);
    let signature = Signature::of_response(key, allocation, &to.signature, &response);
    response.signature = Some(signature.to_string());
    response
}

/// A response to a request that could not be verified. It is not signed: signing spends PSRD, and anyone could make the
/// hub spend it.
#[must_use]
pub fn unsigned_refusal(refusal: &Refusal) -> Response {
    debug_assert_ne!(refusal.signing(), Signing::Always, "{refusal}");
    Response {
        status: refusal.status(),
        signature: None,
        body: to_json(refusal).into(),
    }
}
