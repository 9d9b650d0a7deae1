//! The responder: client B, which serves a slave SAE. It fetches shares and puts keys together. `docs/protocol.md` §8.
//!
//! Answers are grouped by their public parts. As soon as K agree, the key is reconstructed, and the tag decides whether it
//! is right. If it is not, wrong shares are corrected with further answers. Once a key's polynomial is known, every answer
//! that is off it is blamed on its hub, even if it comes after the key was delivered.
//!
//! Each key of a call has a state of its own, see `session`. Together they give the state of the call, where `needed` is K
//! unless [`Responder::need`] says otherwise:
//!
//! | keys | hubs | [`Responder::progress`] |
//! |---|---|---|
//! | one is ambiguous | any | failed: ambiguous |
//! | all are solved, each by `needed` shares that agree, and all has been tried | any | done: the keys |
//! | one is not, and the hubs that are silent cannot solve it | some are silent | failed |
//! | one is not | all have answered or failed and all has been tried, or the deadline is over | failed |
//! | one is not | some are silent, or there is more to try | wait until the deadline |
//!
//! Correcting wrong shares can be much work. A call has one budget for it, whatever its keys and answers are. The work is
//! done in slices, so that its driver can do other things in between: after each answer it calls [`Responder::work`] until
//! nothing is left.
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

use crate::crypto::robust::{SearchBudget, Work};
use crate::crypto::shamir::{ShareIndex, Sharing};
use crate::harness::{Canary, canary};

use super::initiator::{EstablishedKey, Progress};
use super::limits::{SEARCH_BYTES_MAX, SUBSETS_MAX};
use super::message::{FetchQuery, FetchReply, Plain};
use super::names::KeyId;
use super::reasons::Reasons;
pub use event::{Blame, Event, Misbehaviour};
use session::{Common, Session};

/// What it searches for in one slice: a few hundred microseconds.
const SLICE: Work = Work {
    subsets: 128,
    bytes: 1024 * 1024,
};

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
        "key {key_id} cannot be put together: {usable} usable shares came from {hubs} hubs, {needed} that agree are needed{reasons}"
    )]
    Unavailable {
        /// The key.
        key_id: KeyId,
        /// Shares that came in, right or wrong.
        usable: usize,
        /// Hubs in the topology.
        hubs: u8,
        /// Shares needed.
        needed: u8,
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
    /// Shares that have to agree on a key.
    needed: u8,
    deadline: Duration,
    sessions: Vec<Session>,
    common: Common,
    /// What has been told of the work so far.
    reported: Work,
    /// Whether something may be left to try.
    has_work: bool,
    outcomes: BTreeMap<ShareIndex, Result<(), String>>,
    /// Hubs that have handed out a share of every key.
    handed_out: u8,
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
            needed: sharing.threshold(),
            deadline,
            common: Common::new(SearchBudget::new(Work {
                subsets: SUBSETS_MAX,
                bytes: SEARCH_BYTES_MAX,
            })),
            reported: Work::default(),
            has_work: false,
            outcomes: BTreeMap::new(),
            handed_out: 0,
        }
    }

    /// Delivers a key only if the shares of so many hubs agree on it, which are K at least.
    #[must_use]
    pub fn need(mut self, hubs: u8) -> Self {
        self.needed = hubs.max(self.sharing.threshold());
        self
    }

    /// Searches for no more than this.
    #[must_use]
    pub fn search_at_most(mut self, work: Work) -> Self {
        self.common = Common::new(SearchBudget::new(work));
        self
    }

    /// A hub has answered. A first slice of the work that this makes is done at once.
    pub fn on_reply(&mut self, x: ShareIndex, reply: FetchReply<Plain>, rng: &mut dyn CryptoRng) {
        if self.outcomes.insert(x, Ok(())).is_some() {
            return;
        }
        let asked = self.sessions.iter().map(|session| session.key_id);
        if !reply.keys.iter().map(|result| result.key_id).eq(asked) {
            return self.common.blame(x, Misbehaviour::WrongKey);
        }
        self.handed_out += u8::from(reply.is_complete());
        for (session, result) in self.sessions.iter_mut().zip(reply.keys) {
            session.on_answer(x, result.answer, &self.query, &mut self.common);
        }
        self.has_work = true;
        self.work(rng);
    }

    /// A hub has signed something that cannot be read.
    pub fn on_malformed(&mut self, x: ShareIndex, reason: String) {
        self.common.blame(x, Misbehaviour::Malformed);
        self.on_failure(x, reason);
    }

    /// A hub could not be made to answer.
    pub fn on_failure(&mut self, x: ShareIndex, reason: String) {
        self.outcomes.entry(x).or_insert(Err(reason));
    }

    /// Does a slice of the work that is left. Returns whether there may be more.
    pub fn work(&mut self, rng: &mut dyn CryptoRng) -> bool {
        let before = self.common.budget.spent();
        // Subsets are searched for one key at a time. Once it is found, the liars are known, and the next keys take no search.
        // As long as it is not, the call needs further answers anyway.
        let mut may_search = true;
        for session in &mut self.sessions {
            while self.has_work && session.step(&mut self.common, may_search, rng) {
                let slice = self.common.budget.spent().since(before);
                if slice.subsets >= SLICE.subsets || slice.bytes >= SLICE.bytes {
                    return true;
                }
            }
            may_search &= session.is_solved(self.sharing.threshold());
        }
        self.has_work = false;
        false
    }

    /// Takes how much has been searched since the last time.
    pub fn take_worked(&mut self) -> Work {
        let spent = self.common.budget.spent();
        spent.since(std::mem::replace(&mut self.reported, spent))
    }

    /// What the hubs are asked for.
    #[must_use]
    pub fn query(&self) -> &FetchQuery {
        &self.query
    }

    /// Whether every hub has answered or failed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.outcomes.len() == usize::from(self.sharing.shares())
    }

    /// Whether every hub has handed out a share of every key, so that none hands out another one once its linger time is
    /// over.
    #[must_use]
    pub fn has_all_shares(&self) -> bool {
        self.handed_out == self.sharing.shares()
    }

    /// Takes what happened since the last time.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.common.events)
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
        let is_late = now >= self.deadline;
        let mut unsolved = self.sessions.iter().filter(|s| !s.is_solved(self.needed));
        let Some(first) = unsolved.clone().next() else {
            // What is left is whose shares are wrong, and whether another key fits, too.
            return if self.has_work && !is_late {
                Progress::WaitUntil(self.deadline)
            } else {
                Progress::Done(self.sessions.iter().filter_map(Session::key).collect())
            };
        };
        let missing = usize::from(self.sharing.shares()) - self.outcomes.len();
        let hopeless = unsolved.find(|s| s.is_hopeless(missing, self.needed));
        let is_over = (self.is_settled() && !self.has_work) || is_late;
        match hopeless.or(is_over.then_some(first)) {
            Some(session) if is_late && canary(Canary::DeadlineIsNotFound) => {
                Progress::Failed(FetchError::NotFound {
                    key_id: session.key_id,
                })
            }
            Some(session) => Progress::Failed(self.error(session)),
            None => Progress::WaitUntil(self.deadline),
        }
    }

    fn error(&self, session: &Session) -> FetchError {
        let key_id = session.key_id;
        // Where N − K + 1 hubs hold no share, or none for this SAE, there are no K others that could hold one. With fewer
        // of them, the key may well exist.
        let mut enough = usize::from(self.sharing.shares() - self.sharing.threshold()) + 1;
        if canary(Canary::NotFoundEarly) {
            enough = enough.saturating_sub(1).max(1);
        }
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
            needed: self.needed,
            reasons,
        }
    }
}
