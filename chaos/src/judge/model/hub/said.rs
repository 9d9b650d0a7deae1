//! What a hub said, in the terms of the model.

use std::convert::Infallible;
use std::fmt::{Display, Formatter, Result};

use dske::protocol::batch;
use dske::protocol::message::{FetchAnswer, Plain};
use dske::protocol::signature::Signature;
use dske::protocol::{Request, Response};
use dske::psrd::Allocation;
use serde::Serialize;
use serde_json::Value;

use super::lies::Told;
use super::{Answer, Reply, Share};
use crate::world::observer::open::{self, Blocks};
use crate::world::observer::trace::fingerprint;

/// What a hub said to a message.
pub struct Said {
    status: u16,
    content: Content,
    /// The PSRD that it is signed with.
    pub allocation: Option<Allocation>,
    /// Whether it carries the MAC that this PSRD gives it.
    pub is_authentic: bool,
}

enum Content {
    /// The code of a refusal.
    Refusal(String),
    /// A reply to each operation.
    Replies(Vec<batch::Reply<Share>>),
    /// What nobody can read.
    Unreadable,
}

/// The code that a refusal has in JSON.
#[must_use]
pub fn code(refusal: &impl Serialize) -> String {
    let json = serde_json::to_value(refusal).unwrap_or_default();
    let code = json.get("code").and_then(Value::as_str);
    code.unwrap_or_default().to_owned()
}

impl Said {
    /// Reads the response to a request.
    #[must_use]
    pub fn read(blocks: &impl Blocks, to: &Request, response: &Response) -> Self {
        let plain = |Plain(share)| Ok::<_, Infallible>(Share::from(&*share));
        let replies = || {
            let replies = open::replies(blocks, to, response)?.1.into_iter();
            let replies = replies.filter_map(|reply| reply.try_map(plain).ok());
            Some(Content::Replies(replies.collect()))
        };
        let refusal = || {
            let json: Value = serde_json::from_slice(&response.body).ok()?;
            Some(Content::Refusal(code(&json)))
        };
        let content = match response.status {
            200 => replies(),
            _ => refusal(),
        };
        let signature = Signature::from_header(response.signature.as_deref());
        Self {
            status: response.status,
            content: content.unwrap_or(Content::Unreadable),
            allocation: signature.ok().map(|signature| signature.allocation),
            is_authentic: open::is_authentic(blocks, to, response),
        }
    }

    /// Bytes of the shares in it.
    #[must_use]
    pub fn share_bytes(&self) -> u64 {
        match &self.content {
            Content::Replies(replies) => replies.iter().map(share_bytes).sum(),
            Content::Refusal(_) | Content::Unreadable => 0,
        }
    }

    /// Whether it says what it has to, but for a lie. It does not say whether it is signed rightly.
    #[must_use]
    pub fn is(&self, answer: &Answer, told: Option<&Told>) -> bool {
        match (answer, &self.content) {
            (Answer::Unsigned(refusal) | Answer::Refused(refusal), Content::Refusal(code)) => {
                (refusal.code, refusal.status) == (code, self.status)
            }
            (Answer::Replies(honest), Content::Replies(said)) => {
                let mut pairs = honest.iter().zip(said);
                honest.len() == said.len()
                    && pairs.all(|(honest, said)| {
                        is_reply(honest, said)
                            || told.is_some_and(|told| told.explains(honest, said))
                    })
            }
            _ => false,
        }
    }
}

fn is_reply(honest: &Reply, said: &batch::Reply<Share>) -> bool {
    match (honest, said) {
        (Err(refusal), batch::Reply::Refused(said)) => refusal.code == code(said),
        (Ok(honest), said) => honest == said,
        (Err(_), _) => false,
    }
}

fn share_bytes(reply: &batch::Reply<Share>) -> u64 {
    let batch::Reply::Fetch(fetch) = reply else {
        return 0;
    };
    let shares = fetch.keys.iter().map(|key| match &key.answer {
        FetchAnswer::Found(found) => found.share.len() as u64,
        FetchAnswer::NotFound | FetchAnswer::Forbidden => 0,
    });
    shares.sum()
}

impl Answer {
    /// Whether it is signed, which uses PSRD up.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        !matches!(self, Self::Unsigned(_))
    }

    /// Bytes of the shares in it.
    #[must_use]
    pub fn share_bytes(&self) -> u64 {
        match self {
            Self::Replies(replies) => replies.iter().flatten().map(share_bytes).sum(),
            Self::Unsigned(_) | Self::Refused(_) => 0,
        }
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Unsigned(refusal) => write!(f, "{} {}, unsigned", refusal.status, refusal.code),
            Self::Refused(refusal) => write!(f, "{} {}, signed", refusal.status, refusal.code),
            Self::Replies(replies) => {
                f.write_str("200, signed:")?;
                replies.iter().try_for_each(|reply| match reply {
                    Ok(reply) => line(f, reply),
                    Err(refusal) => write!(f, " [{}]", refusal.code),
                })
            }
        }
    }
}

impl Display for Said {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let signed = match (&self.allocation, self.is_authentic) {
            (None, _) => "unsigned",
            (Some(_), true) => "signed",
            (Some(_), false) => "with a wrong MAC",
        };
        match &self.content {
            Content::Refusal(code) => write!(f, "{} {code}, {signed}", self.status),
            Content::Unreadable => write!(f, "{}, {signed}, what nobody can read", self.status),
            Content::Replies(replies) => {
                write!(f, "{}, {signed}:", self.status)?;
                replies.iter().try_for_each(|reply| line(f, reply))
            }
        }
    }
}

/// A reply in words, with shares by fingerprint only.
fn line(f: &mut Formatter<'_>, reply: &batch::Reply<Share>) -> Result {
    f.write_str(" [")?;
    match reply {
        batch::Reply::Deposit(reply) => reply.keys.iter().try_for_each(|key| {
            write!(f, "{} {:?}, ", key.key_id, key.outcome)
        })?,
        batch::Reply::Fetch(reply) => reply.keys.iter().try_for_each(|key| {
            write!(f, "{} ", key.key_id)?;
            match &key.answer {
                FetchAnswer::Found(found) => {
                    let saes = found.slave_saes.iter().map(|sae| sae.as_str());
                    let saes: Vec<&str> = saes.collect();
                    write!(
                        f,
                        "Found(of {} for {saes:?}, N, K, x = {}, {}, {}, size {}, tag {}, share {}), ",
                        found.master_sae,
                        found.hubs,
                        found.threshold,
                        found.x,
                        found.size,
                        found.tag,
                        fingerprint(&found.share)
                    )
                }
                FetchAnswer::NotFound => f.write_str("NotFound, "),
                FetchAnswer::Forbidden => f.write_str("Forbidden, "),
            }
        })?,
        batch::Reply::Refused(refusal) => f.write_str(&code(refusal))?,
        batch::Reply::Withdraw => f.write_str("Withdrawn")?,
    }
    f.write_str("]")
}
