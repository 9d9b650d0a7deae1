//! The responder: client B, which serves a slave SAE, fetches shares and puts keys together. `docs/protocol.md` §8.
//!
//! Answers are grouped by their public parts. As soon as K agree, the key is reconstructed, and the tag decides; with
//! more answers wrong shares are corrected. Once a key's polynomial is known, every answer that is off it is blamed
//! on its hub, also those that come after the key was delivered.

mod session;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::CryptoRng;

use crate::crypto::robust::Method;
use crate::crypto::shamir::{ShareIndex, Sharing};
#[cfg(feature = "insecure-harness")]
use crate::harness::{Canary, canary};

use super::initiator::{EstablishedKey, Progress};
use super::message::{FetchQuery, FetchReply, Plain};
use super::names::KeyId;
use super::reasons::Reasons;
use session::Session;

/// How a hub misbehaved, provably: it signed what no honest hub of this topology would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Misbehaviour {
    /// It answered for other keys than it was asked about.
    #[error("answered for a key it was not asked about")]
    WrongKey,
    /// Its x is not the one that the topology gives it.
    #[error("claimed another x coordinate")]
    WrongIndex,
    /// Its N is not that of the topology.
    #[error("claimed another number of hubs")]
    WrongHubs,
    /// Its K is not that of the topology.
    #[error("claimed another threshold")]
    WrongThreshold,
    /// It handed out a share for a master, or to a slave, that it names otherwise itself.
    #[error("named other SAEs than it was asked about")]
    WrongSaes,
    /// Its share has not the size that it says.
    #[error("sent a share of the wrong size")]
    WrongSize,
    /// Its public parts are not those of the key.
    #[error("claimed other public parts than the key has")]
    WrongPublicParts,
    /// Its share is not on the key's polynomial.
    #[error("sent a share that is not on the key's polynomial")]
    WrongShare,
    /// It signed a response that cannot be read.
    #[error("signed a malformed response")]
    Malformed,
}

impl Misbehaviour {
    /// A short name, for counters.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::WrongKey => "wrong-key",
            Self::WrongIndex => "wrong-index",
            Self::WrongHubs => "wrong-hubs",
            Self::WrongThreshold => "wrong-threshold",
            Self::WrongSaes => "wrong-saes",
            Self::WrongSize => "wrong-size",
            Self::WrongPublicParts => "wrong-public-parts",
            Self::WrongShare => "wrong-share",
            Self::Malformed => "malformed",
        }
    }
}

/// A hub, and how it misbehaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blame {
    /// The hub.
    pub x: ShareIndex,
    /// What it did.
    pub what: Misbehaviour,
}

/// Something worth knowing about how keys were put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A hub lied.
    Blamed(Blame),
    /// A key's first K shares did not fit, and another way was needed.
    Corrected(Method),
    /// Two different keys both fit: K hubs or more are lying together.
    TwoKeysFit(KeyId),
}

/// Why keys could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Too few hubs hold shares of a key: it was never established, has expired, or has been fetched before.
    #[error("key {key_id} is not found")]
    NotFound {
        /// The key.
        key_id: KeyId,
    },
    /// Hubs hold the key, but not for this SAE.
    #[error("the SAE is not among those that may fetch key {key_id}")]
    Forbidden {
        /// The key.
        key_id: KeyId,
    },
    /// Too few usable shares of a key came in.
    #[error(
        "key {key_id} cannot be put together: {usable} usable shares came from {hubs} hubs, {threshold} that agree are needed{reasons}"
    )]
    Unavailable {
        /// The key.
        key_id: KeyId,
        /// Shares that came in, right or wrong.
        usable: usize,
        /// Hubs in the topology.
        hubs: u8,
        /// Shares needed.
        threshold: u8,
        /// Why other hubs did not answer.
        reasons: Reasons,
    },
    /// Two different keys fit. Somebody holds K hubs: nothing is delivered.
    #[error(
        "two different keys both fit key ID {key_id}: at least {threshold} hubs are lying together"
    )]
    Ambiguous {
        /// The key.
        key_id: KeyId,
        /// The threshold.
        threshold: u8,
    },
}

/// One call to fetch keys.
pub struct Responder {
    query: FetchQuery,
    sharing: Sharing,
    deadline: Duration,
    sessions: Vec<Session>,
    outcomes: BTreeMap<ShareIndex, Result<(), String>>,
    events: Vec<Event>,
}

impl Responder {
    /// Begins a call. The query has to be sent to every hub.
    #[must_use]
    pub fn begin(query: FetchQuery, sharing: Sharing, deadline: Duration) -> Self {
        let sessions = query.key_ids.iter().map(|&id| Session::new(id, sharing));
        Self {
            sessions: sessions.collect(),
            query,
            sharing,
            deadline,
            outcomes: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// A hub has answered.
    pub fn on_reply(&mut self, x: ShareIndex, reply: FetchReply<Plain>, rng: &mut dyn CryptoRng) {
        if self.outcomes.insert(x, Ok(())).is_some() {
            return;
        }
        let asked = self.sessions.iter().map(|session| session.key_id);
        if !reply.keys.iter().map(|result| result.key_id).eq(asked) {
            self.blame(x, Misbehaviour::WrongKey);
            return;
        }
        for (session, result) in self.sessions.iter_mut().zip(reply.keys) {
            session.on_answer(x, result.answer, &self.query, rng, &mut self.events);
        }
    }

    /// A hub has signed something that cannot be read.
    pub fn on_malformed(&mut self, x: ShareIndex, reason: String) {
        self.blame(x, Misbehaviour::Malformed);
        self.on_failure(x, reason);
    }

    /// A hub could not be made to answer.
    pub fn on_failure(&mut self, x: ShareIndex, reason: String) {
        self.outcomes.entry(x).or_insert(Err(reason));
    }

    /// Whether every hub has answered or failed, so that nothing is left to check.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.outcomes.len() == usize::from(self.sharing.shares())
    }

    /// Takes what happened since the last time.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Where the call stands at `now`.
    #[must_use]
    pub fn progress(&self, now: Duration) -> Progress<Vec<EstablishedKey>, FetchError> {
        if let Some(session) = self.sessions.iter().find(|s| s.is_ambiguous()) {
            return Progress::Failed(FetchError::Ambiguous {
                key_id: session.key_id,
                threshold: self.sharing.threshold(),
            });
        }
        let unsolved = self.sessions.iter().find(|session| !session.is_solved());
        if unsolved.is_none() {
            return Progress::Done(self.sessions.iter().filter_map(Session::key).collect());
        }
        let missing = usize::from(self.sharing.shares()) - self.outcomes.len();
        let hopeless = self.sessions.iter().find(|s| s.is_hopeless(missing));
        match (hopeless, unsolved) {
            (Some(session), _) => Progress::Failed(self.error(session)),
            (None, Some(session)) if self.is_settled() || now >= self.deadline => {
                Progress::Failed(self.error(session))
            }
            _ => Progress::WaitUntil(self.deadline),
        }
    }

    fn error(&self, session: &Session) -> FetchError {
        let key_id = session.key_id;
        // What honest hubs say decides only if too few others are left for it to be otherwise: with N − K + 1 hubs
        // that hold no share, or no share for this SAE, no K of them can.
        let enough = usize::from(self.sharing.shares() - self.sharing.threshold()) + 1;
        if session.forbidden() >= enough {
            return FetchError::Forbidden { key_id };
        }
        if session.forbidden() + session.not_found() >= enough {
            return FetchError::NotFound { key_id };
        }
        #[allow(unused_mut, reason = "changed by a canary only")]
        let mut reasons = Reasons::of(self.sharing, &self.outcomes);
        #[cfg(feature = "insecure-harness")]
        if canary(Canary::ShareInError) {
            reasons.0.extend(session.first_share());
        }
        FetchError::Unavailable {
            key_id,
            usable: session.usable(),
            hubs: self.sharing.shares(),
            threshold: self.sharing.threshold(),
            reasons,
        }
    }

    fn blame(&mut self, x: ShareIndex, what: Misbehaviour) {
        self.events.push(Event::Blamed(Blame { x, what }));
    }
}
