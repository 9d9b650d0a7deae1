//! The responder: client B, which serves a slave SAE. It fetches shares and puts keys together. `docs/protocol.md` §8.
//!
//! Answers are grouped by their public parts. As soon as K agree, the key is reconstructed, and the tag decides whether it
//! is right. If it is not, wrong shares are corrected with further answers. Once a key's polynomial is known, every answer
//! that is off it is blamed on its hub, even if it comes after the key was delivered.
//!
//! Each key of a call has a state of its own, see `session`. Together they give the state of the call:
//!
//! | keys | hubs | [`Responder::progress`] |
//! |---|---|---|
//! | one is ambiguous | any | failed: ambiguous |
//! | all are solved | any | done: the keys |
//! | one is collecting, and the hubs that are silent cannot solve it | some are silent | failed |
//! | one is collecting | all have answered or failed, or the deadline is over | failed |
//! | one is collecting | some are silent | wait until the deadline |
//!
//! | file | what it holds |
//! |---|---|
//! | `event` | what a responder finds out: lies, corrections, alarms |
//! | `groups` | the shares of a key, by public parts |
//! | `session` | what the responder knows about one key |

mod event;
mod groups;
mod session;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::CryptoRng;

use crate::crypto::shamir::{ShareIndex, Sharing};
#[cfg(feature = "insecure-harness")]
use crate::harness::{Canary, canary};

use super::initiator::{EstablishedKey, Progress};
use super::message::{FetchQuery, FetchReply, Plain};
use super::names::KeyId;
use super::reasons::Reasons;
pub use event::{Blame, Event, Misbehaviour};
use session::Session;

/// Why keys could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Too few hubs hold shares of a key: it was never established, has expired, or has been fetched before.
    #[error("key {key_id} is not found")]
    NotFound {
        /// The key.
        key_id: KeyId,
    },
    /// Hubs hold shares of the key, but not for this SAE.
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
    /// Two different keys fit, so that nothing is delivered. K hubs or more are lying together.
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
    /// Begins a call. The driver has to send the query to every hub.
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
            return self.blame(x, Misbehaviour::WrongKey);
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
        let Some(unsolved) = self.sessions.iter().find(|s| !s.is_solved()) else {
            return Progress::Done(self.sessions.iter().filter_map(Session::key).collect());
        };
        let missing = usize::from(self.sharing.shares()) - self.outcomes.len();
        let hopeless = self.sessions.iter().find(|s| s.is_hopeless(missing));
        let is_over = self.is_settled() || now >= self.deadline;
        match hopeless.or(is_over.then_some(unsolved)) {
            Some(session) => Progress::Failed(self.error(session)),
            None => Progress::WaitUntil(self.deadline),
        }
    }

    fn error(&self, session: &Session) -> FetchError {
        let key_id = session.key_id;
        // Where N − K + 1 hubs hold no share, or none for this SAE, there are no K others that could hold one. With fewer
        // of them, the key may well exist.
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
        self.events.push(Event::blamed(x, what));
    }
}
