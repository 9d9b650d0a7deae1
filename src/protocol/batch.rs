//! What a message says, in either encoding: one operation in JSON, for people, or a batch of them in the binary encoding,
//! which links between nodes speak.
//!
//! The target tells the encoding, since the MAC covers the target: nobody can make a hub read a body otherwise than it
//! was meant. The binary encoding is that of the `postcard` crate, see `docs/protocol.md` §4.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::message::{DepositBody, DepositReply, Encrypted, FetchQuery, FetchReply, ShareBytes};
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
}

/// What a hub answers to one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply<S = Encrypted> {
    /// To a deposit.
    Deposit(DepositReply),
    /// To a fetch.
    Fetch(FetchReply<S>),
    /// To either.
    Refused(#[serde(with = "as_json")] Refusal),
}

impl<S> Operation<S> {
    /// The client that has it.
    #[must_use]
    pub fn client(&self) -> &NodeName {
        match self {
            Self::Deposit(deposit) => &deposit.client,
            Self::Fetch(query) => &query.client,
        }
    }

    /// The same operation with its shares in another state, made one by one in order.
    ///
    /// # Errors
    /// The first error of `convert`.
    pub fn try_map<T, E>(self, convert: impl FnMut(S) -> Result<T, E>) -> Result<Operation<T>, E> {
        Ok(match self {
            Self::Deposit(deposit) => Operation::Deposit(deposit.try_map(convert)?),
            Self::Fetch(query) => Operation::Fetch(query),
        })
    }
}

impl<S: ShareBytes> Operation<S> {
    /// Bytes of the shares in it, which is how much pad they need.
    #[must_use]
    pub fn share_bytes(&self) -> usize {
        match self {
            Self::Deposit(deposit) => deposit.share_bytes(),
            Self::Fetch(_) => 0,
        }
    }
}

impl<S: ShareBytes> Reply<S> {
    /// Bytes of the shares in it, which is how much pad they need.
    #[must_use]
    pub fn share_bytes(&self) -> usize {
        match self {
            Self::Fetch(reply) => reply.share_bytes(),
            Self::Deposit(_) | Self::Refused(_) => 0,
        }
    }
}

impl<S> Reply<S> {
    /// The same reply with its shares in another state, made one by one in order.
    ///
    /// # Errors
    /// The first error of `convert`.
    pub fn try_map<T, E>(self, convert: impl FnMut(S) -> Result<T, E>) -> Result<Reply<T>, E> {
        Ok(match self {
            Self::Deposit(reply) => Reply::Deposit(reply),
            Self::Fetch(reply) => Reply::Fetch(reply.try_map(convert)?),
            Self::Refused(refusal) => Reply::Refused(refusal),
        })
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

/// The body of a batch.
#[must_use]
pub fn write_operations(client: &NodeName, operations: &[Operation]) -> Vec<u8> {
    to_binary(
        &(client, operations),
        operations.iter().map(Operation::share_bytes).sum(),
    )
}

/// The client that a batch says it is from, and the rest of its body. That is all that is read before the batch is
/// verified.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn read_client(body: &[u8]) -> Result<(NodeName, &[u8]), String> {
    postcard::take_from_bytes(body).map_err(|e| format!("no client: {e}"))
}

/// What comes behind the client.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn read_operations(rest: &[u8]) -> Result<Vec<Operation>, String> {
    from_binary(rest)
}

/// What a request wants, if it can be read: its words are taken as they are, true or not.
#[must_use]
pub fn operations_of(request: &Request) -> Option<Vec<Operation>> {
    match Encoding::of(request) {
        Encoding::Binary => read_operations(read_client(&request.body).ok()?.1).ok(),
        Encoding::Json => Some(vec![read_json(request).ok()?]),
    }
}

/// The operation of a request in JSON.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn read_json(request: &Request) -> Result<Operation, String> {
    match request.method {
        Method::Post => serde_json::from_slice(&request.body)
            .map(Operation::Deposit)
            .map_err(|e| e.to_string()),
        Method::Get => FetchQuery::from_target(&request.target).map(Operation::Fetch),
    }
}

/// What a response answers to each operation of a request, if it can be read: its words are taken as they are.
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

pub(super) fn read_replies(body: &[u8]) -> Result<Vec<Reply>, String> {
    from_binary(body)
}

fn to_binary<T: Serialize + ?Sized>(value: &T, share_bytes: usize) -> Vec<u8> {
    // With short shares what goes with each is half as long again. More than guessed costs a move, and no more.
    let others = (share_bytes / 2).min(16 * 1024) + 512;
    postcard::to_extend(value, Vec::with_capacity(share_bytes + others))
        .expect("memory takes any number of bytes, and all lengths are known beforehand")
}

fn from_binary<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("{} bytes too many", rest.len())),
        Err(error) => Err(error.to_string()),
    }
}

/// A refusal has fields with names: also in a batch it is JSON, as text.
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
