//! What a message says, in either encoding: one operation in JSON, for people, or a batch of operations in the binary
//! encoding that links between nodes speak.
//!
//! The target of a request tells its encoding, and the MAC covers the target: nobody can make a hub read a body in
//! another encoding than its sender meant. The binary encoding is that of the `postcard` crate, see `docs/protocol.md` §4.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::message::{
    DepositBody, DepositReply, Encrypted, FetchQuery, FetchReply, QueryError, ShareBytes,
    Withdrawal,
};
use super::names::NodeName;
use super::refusal::Refusal;
use super::wire::{KEY_SHARES_PATH, Method, Request, Response};

/// What a client wants of a hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation<S = Encrypted> {
    /// Hold these shares.
    Deposit(DepositBody<S>),
    /// Hand these shares over.
    Fetch(FetchQuery),
    /// Erase these shares, and hold none of these keys any more. Only in a batch.
    Withdraw(Withdrawal),
}

impl<S> Operation<S> {
    /// The client that asks for it.
    #[must_use]
    pub fn client(&self) -> &NodeName {
        match self {
            Self::Deposit(deposit) => &deposit.client,
            Self::Fetch(query) => &query.client,
            Self::Withdraw(withdrawal) => &withdrawal.client,
        }
    }

    /// The same operation with its shares in another state. They are converted one by one, in order.
    ///
    /// # Errors
    /// The first error of `convert`.
    pub fn try_map<T, E>(self, convert: impl FnMut(S) -> Result<T, E>) -> Result<Operation<T>, E> {
        Ok(match self {
            Self::Deposit(deposit) => Operation::Deposit(deposit.try_map(convert)?),
            Self::Fetch(query) => Operation::Fetch(query),
            Self::Withdraw(withdrawal) => Operation::Withdraw(withdrawal),
        })
    }
}

impl<S: ShareBytes> Operation<S> {
    /// Bytes of the shares in it, which is how much pad they need.
    #[must_use]
    pub fn share_bytes(&self) -> usize {
        match self {
            Self::Deposit(deposit) => deposit.share_bytes(),
            Self::Fetch(_) | Self::Withdraw(_) => 0,
        }
    }
}

/// What a hub answers to one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply<S = Encrypted> {
    /// To a deposit.
    Deposit(DepositReply),
    /// To a fetch.
    Fetch(FetchReply<S>),
    /// To any operation.
    Refused(#[serde(with = "as_json")] Refusal),
    /// To a withdrawal: the same, whether or not there was anything to erase.
    Withdraw,
}

impl<S> Reply<S> {
    /// The same reply with its shares in another state. They are converted one by one, in order.
    ///
    /// # Errors
    /// The first error of `convert`.
    pub fn try_map<T, E>(self, convert: impl FnMut(S) -> Result<T, E>) -> Result<Reply<T>, E> {
        Ok(match self {
            Self::Deposit(reply) => Reply::Deposit(reply),
            Self::Fetch(reply) => Reply::Fetch(reply.try_map(convert)?),
            Self::Refused(refusal) => Reply::Refused(refusal),
            Self::Withdraw => Reply::Withdraw,
        })
    }
}

impl<S: ShareBytes> Reply<S> {
    /// Bytes of the shares in it, which is how much pad they need.
    #[must_use]
    pub fn share_bytes(&self) -> usize {
        match self {
            Self::Fetch(reply) => reply.share_bytes(),
            Self::Deposit(_) | Self::Refused(_) | Self::Withdraw => 0,
        }
    }
}

/// How the bodies of a request and its response are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// One operation in JSON: a POST is a deposit, a GET a fetch.
    Json,
    /// Any number of operations in the binary encoding: a POST to [`KEY_SHARES_PATH`].
    Binary,
}

impl Encoding {
    /// The encoding of a request and its response.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        match request.method {
            Method::Post if request.target == KEY_SHARES_PATH => Self::Binary,
            Method::Post | Method::Get => Self::Json,
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Binary => "application/vnd.dske.key-shares",
        }
    }
}

/// Why a body or a query cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The client at the start of a batch cannot be read. The text is that of the decoder.
    #[error("no client: {0}")]
    Client(String),
    /// The body is not in the binary encoding. The text is that of the decoder.
    #[error("{0}")]
    Binary(String),
    /// The body is longer than what is in it.
    #[error("{0} bytes too many")]
    TooLong(usize),
    /// The body is not the JSON that it should be. The text is that of the parser.
    #[error("{0}")]
    Json(String),
    /// The query of a GET is not what it should be.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl Unreadable {
    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self::Json(error.to_string())
    }
}

/// The body of a batch.
#[must_use]
pub fn write_operations(client: &NodeName, operations: &[Operation]) -> Vec<u8> {
    to_binary(
        &(client, operations),
        operations.iter().map(Operation::share_bytes).sum(),
    )
}

/// The client that a batch says it is from, and the rest of its body. Nothing else is read before the batch is verified.
///
/// # Errors
/// If there is no client.
pub fn read_client(body: &[u8]) -> Result<(NodeName, &[u8]), Unreadable> {
    postcard::take_from_bytes(body).map_err(|e| Unreadable::Client(e.to_string()))
}

/// The operations, which follow the client.
///
/// # Errors
/// If these bytes are not operations, or more than that.
pub fn read_operations(rest: &[u8]) -> Result<Vec<Operation>, Unreadable> {
    from_binary(rest)
}

/// What a request wants, if it can be read. It is taken at its word: nothing is verified.
#[must_use]
pub fn operations_of(request: &Request) -> Option<Vec<Operation>> {
    match Encoding::of(request) {
        Encoding::Binary => read_operations(read_client(&request.body).ok()?.1).ok(),
        Encoding::Json => Some(vec![read_json(request).ok()?]),
    }
}

/// The operation of a request in JSON.
pub(super) fn read_json(request: &Request) -> Result<Operation, Unreadable> {
    match request.method {
        Method::Post => serde_json::from_slice(&request.body)
            .map(Operation::Deposit)
            .map_err(|e| Unreadable::json(&e)),
        Method::Get => Ok(Operation::Fetch(FetchQuery::from_target(&request.target)?)),
    }
}

/// What a response answers to each operation of a request, if it can be read. It is taken at its word: nothing is
/// verified.
#[must_use]
pub fn replies_of(to: &Request, response: &Response) -> Option<Vec<Reply>> {
    if response.status != 200 {
        return None;
    }
    let body = &response.body;
    match (Encoding::of(to), to.method) {
        (Encoding::Binary, _) => from_binary(body).ok(),
        (Encoding::Json, Method::Post) => {
            let reply = serde_json::from_slice(body).ok()?;
            Some(vec![Reply::Deposit(reply)])
        }
        (Encoding::Json, Method::Get) => {
            let reply = serde_json::from_slice(body).ok()?;
            Some(vec![Reply::Fetch(reply)])
        }
    }
}

pub(super) fn write_replies(replies: &[Reply]) -> Vec<u8> {
    to_binary(replies, replies.iter().map(Reply::share_bytes).sum())
}

pub(super) fn read_replies(body: &[u8]) -> Result<Vec<Reply>, Unreadable> {
    from_binary(body)
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value)
        .expect("our own types have string keys only, which is all that JSON can refuse")
}

fn to_binary<T: Serialize + ?Sized>(value: &T, share_bytes: usize) -> Vec<u8> {
    // What stands around short shares is half as long as the shares. If the guess is too low, the buffer grows.
    let others = (share_bytes / 2).min(16 * 1024) + 512;
    postcard::to_extend(value, Vec::with_capacity(share_bytes + others))
        .expect("memory takes any number of bytes, and all lengths are known beforehand")
}

fn from_binary<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Unreadable> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(Unreadable::TooLong(rest.len())),
        Err(error) => Err(Unreadable::Binary(error.to_string())),
    }
}

/// A refusal is JSON in a batch, too, as a string: its fields have names.
mod as_json {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        refusal: &Refusal,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(refusal).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Refusal, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(serde::de::Error::custom)
    }
}
