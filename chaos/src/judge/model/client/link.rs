//! The links of clients to hubs: what they sent, which answers they had to accept, and when they had to register. `docs/protocol.md` §3
//! and §4.

use std::collections::BTreeMap;

use dske::protocol::batch::{Operation, Reply, operations_of};
use dske::protocol::channel::PoolOwner;
use dske::protocol::hub::OobError;
use dske::protocol::limits::blocks_max;
use dske::protocol::message::Plain;
use dske::protocol::signature::Signature;
use dske::protocol::{Refusal, Request, Response};
use dske::psrd::BlockId;

use super::super::spans::Spans;
use crate::world::observer::Observation;
use crate::world::observer::open::{is_authentic, replies};
use crate::world::observer::record::{Message, Provision, Provisioned, Seen};

/// An operation that left a client.
pub struct Sent {
    /// When, in microseconds.
    pub at_us: u64,
    /// Index of the client.
    pub client: usize,
    /// Index of the hub.
    pub hub: usize,
    /// What the hub is to do.
    pub operation: Operation,
}

/// A hub's last word on an operation.
pub struct Heard {
    /// When, in microseconds.
    pub at_us: u64,
    /// When the request left.
    pub sent_us: u64,
    /// Index of the client.
    pub client: usize,
    /// Index of the hub.
    pub hub: usize,
    /// Whether the client had to accept it. Otherwise its PSRD may have made room for newer blocks.
    pub is_certain: bool,
    /// What the hub was to do.
    pub operation: Operation,
    /// What it said. Nothing, if it signed what cannot be read.
    pub reply: Option<Reply<Plain>>,
}

impl Heard {
    /// Whether the hub refuses to answer for so many keys at once.
    #[must_use]
    pub fn refuses_as_too_long(&self) -> bool {
        matches!(
            self.reply,
            Some(Reply::Refused(Refusal::OutOfLimits { .. }))
        )
    }
}

/// A client asked to be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// When, in microseconds.
    pub at_us: u64,
    /// Index of the client.
    pub client: usize,
    /// Index of the hub.
    pub hub: usize,
    /// Whether it was not registered, as far as it could know.
    pub is_needed: bool,
}

/// What all links did.
#[derive(Default)]
pub struct Links {
    /// Every operation that left, as often as it did, in order of time.
    pub sent: Vec<Sent>,
    /// Every last word that was accepted, or may have been, in order of time.
    pub heard: Vec<Heard>,
    /// Every registration that was asked for, in order of time.
    pub registrations: Vec<Registration>,
}

/// A link in one life of its client.
#[derive(Default)]
struct Link {
    life: u32,
    standing: Standing,
    /// Registrations so far.
    registrations: u64,
    /// Blocks of the down pool since the last registration, in the order in which they came.
    blocks: Vec<BlockId>,
    /// The bytes of them that answers have used.
    used: BTreeMap<BlockId, Spans>,
    /// Signature of a request → when it left, and under which registration.
    sent: BTreeMap<String, (u64, u64)>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It never was, or has learned that it no longer is.
    #[default]
    Unregistered,
    Registered,
    /// It depends on which blocks have made room for others.
    Unsure,
}

/// Whether a client accepts an answer.
enum Opened {
    Certain,
    /// If none of its blocks has made room for others.
    Possible,
    UnknownBlock,
    /// Its MAC does not fit, or it has none, or its bytes were used or count as used.
    No,
    /// Its MAC does not fit, and one of its blocks may have made room for others.
    NoOrUnknown,
}

impl Links {
    /// Follows the links of all clients that run the production code.
    #[must_use]
    pub fn follow(seen: &Observation) -> Self {
        let mut links = Self::default();
        let mut states: BTreeMap<(usize, usize), Link> = BTreeMap::new();
        let mut provisions = seen.provisions.iter().peekable();
        for (number, message) in seen.messages.iter().enumerate() {
            while let Some(provision) = provisions.next_if(|p| p.after <= number) {
                links.provision(seen, &mut states, provision);
            }
            links.message(seen, &mut states, message);
        }
        provisions.for_each(|provision| links.provision(seen, &mut states, provision));
        links
    }

    fn provision(
        &mut self,
        seen: &Observation,
        states: &mut BTreeMap<(usize, usize), Link>,
        provision: &Provision,
    ) {
        let &Provision {
            at_us, client, hub, ..
        } = provision;
        if !seen.plan.is_honest(client) {
            return;
        }
        let link = link_at(seen, states, client, hub, at_us);
        match &provision.what {
            Provisioned::AsksToRegister => self.registrations.push(Registration {
                at_us,
                client,
                hub,
                is_needed: link.standing != Standing::Registered,
            }),
            Provisioned::Registered => {
                link.standing = Standing::Registered;
                link.registrations += 1;
                link.blocks.clear();
                link.used.clear();
            }
            Provisioned::Block(PoolOwner::Hub, block) => link.blocks.push(*block),
            // A delivery for the down pool may have been lost.
            Provisioned::Unanswered(Some(PoolOwner::Hub))
            | Provisioned::Refused(
                Some(_),
                OobError::StaleRegistration | OobError::PoolFull { .. },
            ) => link.standing = Standing::Unregistered,
            Provisioned::Block(PoolOwner::Client, _)
            | Provisioned::Unanswered(_)
            | Provisioned::Refused(..) => {}
        }
    }

    fn message(
        &mut self,
        seen: &Observation,
        states: &mut BTreeMap<(usize, usize), Link>,
        message: &Message,
    ) {
        let &Message { at_us, hub, .. } = message;
        let Some(client) = message.client.filter(|c| seen.plan.is_honest(*c)) else {
            return;
        };
        match &message.what {
            Seen::Sent(request) => {
                let link = link_at(seen, states, client, hub, at_us);
                let signature = request.signature.clone().unwrap_or_default();
                link.sent.insert(signature, (at_us, link.registrations));
                let operations = operations_of(request).unwrap_or_default();
                self.sent
                    .extend(operations.into_iter().map(|operation| Sent {
                        at_us,
                        client,
                        hub,
                        operation,
                    }));
            }
            Seen::Heard { to, response } => {
                let link = link_at(seen, states, client, hub, at_us);
                let signature = to.signature.as_deref().unwrap_or_default();
                let Some((sent_us, under)) = link.sent.get(signature).copied() else {
                    return;
                };
                let opened = link.open(seen, to, response);
                // What belongs to an earlier registration says nothing of this one.
                if under == link.registrations {
                    link.learn(&opened, response);
                }
                let is_certain = match opened {
                    Opened::Certain => true,
                    Opened::Possible => false,
                    Opened::UnknownBlock | Opened::No | Opened::NoOrUnknown => return,
                };
                for (operation, reply) in last_words(seen, to, response) {
                    self.heard.push(Heard {
                        at_us,
                        sent_us,
                        client,
                        hub,
                        is_certain,
                        operation,
                        reply,
                    });
                }
            }
            Seen::Arrived(_) | Seen::Said { .. } => {}
        }
    }
}

impl Link {
    fn open(&mut self, seen: &Observation, to: &Request, response: &Response) -> Opened {
        let Ok(signature) = Signature::from_header(response.signature.as_deref()) else {
            return Opened::No;
        };
        let block_bytes = usize::try_from(seen.plan.cluster.psrd_block_bytes);
        let most = blocks_max(block_bytes.unwrap_or(usize::MAX));
        let mut has_made_room = false;
        for fragment in signature.allocation.fragments() {
            let Some(place) = self.blocks.iter().position(|id| *id == fragment.block()) else {
                return Opened::UnknownBlock;
            };
            has_made_room |= self.blocks.len() - place > most;
        }
        let fragments = signature.allocation.fragments();
        let is_used = fragments.iter().any(|fragment| {
            let used = self.used.get(&fragment.block());
            used.is_some_and(|used| used.overlaps(fragment.start(), fragment.end()))
        });
        let fits = is_authentic(&seen.blocks, to, response) && !is_used;
        for fragment in fragments.iter().filter(|_| fits) {
            let used = self.used.entry(fragment.block()).or_default();
            let spans_max = seen.plan.cluster.limits.spans_max;
            used.add(fragment.start(), fragment.end(), spans_max);
        }
        match (fits, has_made_room) {
            (true, false) => Opened::Certain,
            (true, true) => Opened::Possible,
            (false, false) => Opened::No,
            (false, true) => Opened::NoOrUnknown,
        }
    }

    /// Whether the link is still registered after an answer.
    fn learn(&mut self, opened: &Opened, response: &Response) {
        let hint = || serde_json::from_slice(&response.body);
        match opened {
            Opened::UnknownBlock => self.standing = Standing::Unregistered,
            // A block that made room long ago is forgotten, and unknown then.
            Opened::Possible | Opened::NoOrUnknown => {
                if self.standing == Standing::Registered {
                    self.standing = Standing::Unsure;
                }
            }
            // Anybody may have made the hint up; it is believed all the same.
            Opened::No if response.signature.is_none() => {
                if let Ok(Refusal::Unregistered { .. } | Refusal::UnknownPsrd { .. }) = hint() {
                    self.standing = Standing::Unregistered;
                }
            }
            Opened::Certain | Opened::No => {}
        }
    }
}

fn link_at<'a>(
    seen: &Observation,
    states: &'a mut BTreeMap<(usize, usize), Link>,
    client: usize,
    hub: usize,
    at_us: u64,
) -> &'a mut Link {
    let life = life_at(seen, client, at_us);
    let link = states.entry((client, hub)).or_default();
    if link.life != life {
        *link = Link {
            life,
            ..Link::default()
        };
    }
    link
}

/// Which of a client's lives it was.
#[must_use]
pub fn life_at(seen: &Observation, client: usize, at_us: u64) -> u32 {
    let lives = seen.client_starts.range((client, 0)..=(client, u32::MAX));
    let mut begun = lives.filter(|(_, started_us)| **started_us <= at_us);
    begun.next_back().map_or(0, |((_, life), _)| *life)
}

/// The operations on which an accepted answer is the last word, each with that word. An answer that says to ask again is none.
fn last_words(
    seen: &Observation,
    to: &Request,
    response: &Response,
) -> Vec<(Operation, Option<Reply<Plain>>)> {
    let operations = operations_of(to).unwrap_or_default();
    let words: Vec<Option<Reply<Plain>>> = if response.status == 200 {
        match replies(&seen.blocks, to, response) {
            Some((_, replies)) if replies.len() == operations.len() => {
                replies.into_iter().map(Some).collect()
            }
            _ => vec![None; operations.len()],
        }
    } else {
        let refusal: Option<Refusal> = serde_json::from_slice(&response.body).ok();
        vec![refusal.map(Reply::Refused); operations.len()]
    };
    let again = |reply: &Option<Reply<Plain>>| {
        let passing = [Refusal::PsrdExhausted, Refusal::TooMuchAtOnce];
        matches!(reply, Some(Reply::Refused(refusal)) if passing.contains(refusal))
    };
    let pairs = operations.into_iter().zip(words);
    pairs.filter(|(_, reply)| !again(reply)).collect()
}
