//! The client's end: seals requests and opens responses.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::crypto::mac::MAC_KEY_BYTES;
use crate::crypto::secret::Secret;
use crate::protocol::batch::{
    Operation, Reply, Unreadable, read_replies, to_json, write_operations,
};
use crate::protocol::message::{DepositBody, DepositReply, FetchQuery, FetchReply, Plain};
use crate::protocol::names::NodeName;
use crate::protocol::refusal::Refusal;
use crate::protocol::signature::{Signature, SignatureError};
use crate::protocol::wire::{KEY_SHARE_PATH, KEY_SHARES_PATH, Method, Request, Response};
use crate::psrd::{PoolError, Spent};

use super::pads::{PadError, Pads, SPENT_FOR_THESE, signing_parts};
use super::pools::{ClientEnd, Unfit};

/// What a client remembers of a request, to open the response.
#[derive(Debug, Clone)]
pub struct Sent(Signature);

/// Why a client does not accept a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// An unsigned refusal. It is only a hint, since anyone on the network could have made it up.
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
    /// The response was changed on its way or forged, or answers another request.
    #[error("the response's message authentication code does not fit")]
    BadMac,
    /// The hub signed nonsense, which is the hub's fault.
    #[error("the hub signed a malformed response: {0}")]
    AuthenticMalformed(Malformed),
}

/// What is wrong with a response that its hub has signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The body is not what it should be.
    #[error(transparent)]
    Body(#[from] Unreadable),
    /// There is more or less pad than the shares need.
    #[error("its allocation does not match its shares")]
    Pads,
    /// It does not have one answer to each operation.
    #[error("it has {answers} answers to {operations} questions")]
    AnswerCount {
        /// Answers in the response.
        answers: usize,
        /// Operations in the request.
        operations: usize,
    },
    /// An answer to a deposit stands where one to a fetch belongs, or the other way round.
    #[error("it answers another question than was asked")]
    OtherQuestion,
}

impl From<Malformed> for OpenError {
    fn from(malformed: Malformed) -> Self {
        Self::AuthenticMalformed(malformed)
    }
}

impl ClientEnd {
    /// Takes out the PSRD of a message to come. It is spent, whatever becomes of the message.
    ///
    /// # Errors
    /// [`PoolError::Exhausted`], with nothing spent.
    pub fn spend(&mut self, bytes: usize) -> Result<Spent, PoolError> {
        self.own.allocate(bytes)
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
        let bytes = self.verify_response(sent, response)?;
        decrypt(&bytes, |_| Ok(()))?;
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
        let bytes = self.verify_response(sent, response)?;
        let reply: FetchReply = from_json(&response.body)?;
        decrypt(&bytes, |pads| reply.try_map(|share| pads.decrypt(share)))
    }

    /// Verifies and decrypts the answer to a batch with this number of operations.
    ///
    /// # Errors
    /// If the hub refused the batch, or the response is not what the hub signed.
    pub fn open_batch_reply(
        &mut self,
        sent: &Sent,
        operations: usize,
        response: &Response,
    ) -> Result<Vec<Reply<Plain>>, OpenError> {
        let bytes = self.verify_response(sent, response)?;
        let replies = read_replies(&response.body).map_err(Malformed::Body)?;
        let answers = replies.len();
        if answers != operations {
            return Err(Malformed::AnswerCount {
                answers,
                operations,
            }
            .into());
        }
        decrypt(&bytes, |pads| {
            let replies = replies.into_iter();
            replies
                .map(|reply| reply.try_map(|share| pads.decrypt(share)))
                .collect()
        })
    }

    /// The bytes of the response's PSRD, once its MAC has been found to fit.
    fn verify_response(&mut self, sent: &Sent, response: &Response) -> Result<Secret, OpenError> {
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
        let fits = |key: &_| signature.verify_response(key, &sent.0, response).is_ok();
        let bytes = self.verify(&signature, fits).map_err(|unfit| match unfit {
            Unfit::Allocation(error) => OpenError::Allocation(error),
            Unfit::Mac => OpenError::BadMac,
        })?;
        if response.status != 200 {
            return Err(OpenError::Refused(from_json(&response.body)?));
        }
        Ok(bytes)
    }
}

/// Decrypts with the pads of a response, which have to be used up.
fn decrypt<T>(
    bytes: &[u8],
    with: impl FnOnce(&mut Pads<'_>) -> Result<T, PadError>,
) -> Result<T, OpenError> {
    let mut pads = Pads::after_key(bytes);
    match with(&mut pads) {
        Ok(decrypted) if pads.is_empty() => Ok(decrypted),
        Ok(_) | Err(PadError) => Err(Malformed::Pads.into()),
    }
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, OpenError> {
    serde_json::from_slice(bytes).map_err(|e| Malformed::Body(Unreadable::json(&e)).into())
}

/// The request that `spent` makes of a deposit, in JSON: a function of its arguments alone.
///
/// # Panics
/// If `spent` is not as long as a MAC key and the shares.
#[must_use]
pub fn seal_deposit(spent: Spent, deposit: &DepositBody<Plain>) -> (Request, Sent) {
    let mut pads = Pads::of(&spent);
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

/// Bytes of PSRD that a batch spends.
#[must_use]
pub fn batch_cost<'a>(operations: impl IntoIterator<Item = &'a Operation<Plain>>) -> usize {
    let share_bytes = operations.into_iter().map(Operation::share_bytes);
    MAC_KEY_BYTES + share_bytes.sum::<usize>()
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
    let mut pads = Pads::of(&spent);
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

/// Signs any request whose shares are already encrypted with the pads of `spent`.
///
/// # Panics
/// If `spent` is shorter than a MAC key.
#[must_use]
pub fn sign(spent: Spent, mut request: Request) -> (Request, Sent) {
    let (allocation, key) = signing_parts(spent);
    let signature = Signature::of_request(key, allocation, &request);
    request.signature = Some(signature.to_string());
    (request, Sent(signature))
}
