//! What the responder knows about one key.
//!
//! | state | event | next state |
//! |---|---|---|
//! | collecting | a hub has no share, or none for this SAE | collecting: it is counted |
//! | collecting | a share arrives, and nothing in its group fits the tag | collecting |
//! | collecting | a share arrives, and a key fits the tag of its group | solved; all shares so far are checked and blamed |
//! | solved | a share arrives, and no other key fits its group | solved; the share is checked and blamed |
//! | solved | another key fits a group, too | ambiguous |
//! | ambiguous | a share arrives | ambiguous; the share is checked and blamed |
//!
//! In every state an answer that no honest hub would give, whatever the key is, is blamed and left out. Another key is
//! looked for as soon as the state is solved, so that collecting can lead to ambiguous at once.

use std::collections::BTreeSet;

use rand::CryptoRng;
use subtle::ConstantTimeEq;

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::robust::{Method, Reconstruction, SearchBudget, name_culprits, reconstruct};
use crate::crypto::secret::Secret;
use crate::crypto::shamir::{Share, ShareIndex, Sharing};
use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::initiator::EstablishedKey;
use crate::protocol::limits::SUBSETS_MAX;
use crate::protocol::message::{FetchAnswer, FetchQuery, FoundShare, Plain};
use crate::protocol::names::KeyId;
#[cfg(feature = "insecure-harness")]
use crate::protocol::reasons::Reason;

use super::event::{Event, Misbehaviour};
use super::groups::{Groups, PublicParts};

/// One key of a call.
pub(super) struct Session {
    pub(super) key_id: KeyId,
    sharing: Sharing,
    groups: Groups,
    state: State,
    /// Hubs whose share was found wrong.
    caught: BTreeSet<ShareIndex>,
    not_found: usize,
    forbidden: usize,
}

enum State {
    /// No key fits yet.
    Collecting,
    /// One key fits.
    Solved(Solved),
    /// Another key fits as well as this one: no key is delivered.
    Ambiguous(Solved),
}

/// A key that fits, with the polynomial that it lies on.
struct Solved {
    public: PublicParts,
    polynomial: Reconstruction,
}

impl State {
    /// The key that was found first.
    fn solved(&self) -> Option<&Solved> {
        match self {
            Self::Collecting => None,
            Self::Solved(solved) | Self::Ambiguous(solved) => Some(solved),
        }
    }
}

impl Session {
    pub(super) fn new(key_id: KeyId, sharing: Sharing) -> Self {
        Self {
            key_id,
            sharing,
            groups: Groups::default(),
            state: State::Collecting,
            caught: BTreeSet::new(),
            not_found: 0,
            forbidden: 0,
        }
    }

    pub(super) fn not_found(&self) -> usize {
        self.not_found
    }

    pub(super) fn forbidden(&self) -> usize {
        self.forbidden
    }

    pub(super) fn is_solved(&self) -> bool {
        matches!(self.state, State::Solved(_))
    }

    pub(super) fn is_ambiguous(&self) -> bool {
        matches!(self.state, State::Ambiguous(_))
    }

    /// Whether `missing` further answers can no longer solve it.
    pub(super) fn is_hopeless(&self, missing: usize) -> bool {
        let largest = self.groups.sizes().max().unwrap_or(0);
        let collecting = matches!(self.state, State::Collecting);
        collecting && largest + missing < usize::from(self.sharing.threshold())
    }

    /// Shares that came in, right or wrong.
    pub(super) fn usable(&self) -> usize {
        self.groups.sizes().sum()
    }

    /// What an error must never quote.
    #[cfg(feature = "insecure-harness")]
    pub(super) fn first_share(&self) -> Option<Reason> {
        let share = self.groups.iter().next()?.1.first()?;
        let digits = share.y.iter().map(|byte| format!("{byte:02x}"));
        Some(Reason {
            x: share.x,
            hub: None,
            why: digits.collect(),
        })
    }

    /// The key, if one fits.
    pub(super) fn key(&self) -> Option<EstablishedKey> {
        let s = &self.state.solved()?.polynomial.secret;
        Some(EstablishedKey {
            key_id: self.key_id,
            bytes: Secret::from(s.get(TAG_SECRET_BYTES..)?.to_vec()),
        })
    }

    /// A hub has answered for this key.
    pub(super) fn on_answer(
        &mut self,
        x: ShareIndex,
        answer: FetchAnswer<Plain>,
        query: &FetchQuery,
        rng: &mut dyn CryptoRng,
        events: &mut Vec<Event>,
    ) {
        let found = match answer {
            FetchAnswer::NotFound => return self.not_found += 1,
            FetchAnswer::Forbidden => return self.forbidden += 1,
            FetchAnswer::Found(found) => found,
        };
        if let Err(what) = self.check(x, &found, query) {
            return events.push(Event::blamed(x, what));
        }
        let mut public = PublicParts {
            slave_saes: found.slave_saes,
            size: found.size,
            tag: found.tag,
        };
        if canary(Canary::NoGrouping) {
            let first = self.groups.iter().next().map(|(public, _)| public.clone());
            public = first.unwrap_or(public);
        }
        let claimed = ShareIndex::new(found.x).filter(|_| canary(Canary::IndexBelieved));
        let share = Share {
            x: claimed.unwrap_or(x),
            y: found.share.0,
        };
        self.groups.add(&public, share, self.sharing.shares());
        match self.state {
            State::Collecting => self.try_to_solve(&public, rng, events),
            State::Solved(_) | State::Ambiguous(_) => {
                self.blame_group(x, &public, events);
                self.blame_shares(events);
                self.look_for_second_key(&public, rng, events);
            }
        }
    }

    /// What an honest hub of this topology would never send, whatever the key is.
    fn check(
        &self,
        x: ShareIndex,
        found: &FoundShare<Plain>,
        query: &FetchQuery,
    ) -> Result<(), Misbehaviour> {
        if found.x != x.get() && !canary(Canary::IndexBelieved) {
            return Err(Misbehaviour::WrongIndex);
        }
        if found.hubs != self.sharing.shares() {
            return Err(Misbehaviour::WrongHubs);
        }
        if found.threshold != self.sharing.threshold() && !canary(Canary::ThresholdBelieved) {
            return Err(Misbehaviour::WrongThreshold);
        }
        if found.master_sae != query.master_sae || !found.slave_saes.contains(&query.slave_sae) {
            return Err(Misbehaviour::WrongSaes);
        }
        if found.share.0.len() != found.size.saturating_add(TAG_SECRET_BYTES) {
            return Err(Misbehaviour::WrongSize);
        }
        Ok(())
    }

    /// From collecting to solved, if a key fits the tag of the group that a share has just joined.
    fn try_to_solve(
        &mut self,
        public: &PublicParts,
        rng: &mut dyn CryptoRng,
        events: &mut Vec<Event>,
    ) {
        let fits = |secret: &[u8]| public.tag.fits(secret);
        let Some(polynomial) = self.reconstruct(public, &fits, rng) else {
            if self.groups.of(public).len() >= usize::from(self.sharing.threshold()) {
                reached(Mark::LiarAmongFirst);
            }
            return;
        };
        if self.not_found > 0 {
            reached(Mark::KeyDespiteLoss);
        }
        if polynomial.method != Method::FirstShares {
            reached(match polynomial.method {
                Method::ErrorCorrection => Mark::ErrorCorrection,
                _ => Mark::SubsetSearch,
            });
            events.push(Event::Corrected(polynomial.method));
        }
        self.state = State::Solved(Solved {
            public: public.clone(),
            polynomial,
        });
        for (public, shares) in self.groups.iter() {
            for share in shares {
                self.blame_group(share.x, public, events);
            }
        }
        self.blame_shares(events);
        let publics = self.groups.iter().map(|(public, _)| public);
        let doubtful = publics.filter(|public| self.is_doubtful(public));
        for public in doubtful.cloned().collect::<Vec<_>>() {
            self.look_for_second_key(&public, rng, events);
        }
    }

    /// Blames an answer whose public parts are not those of the key. The key's are beyond doubt: of the K answers that
    /// have them, at least one is honest.
    fn blame_group(&self, x: ShareIndex, public: &PublicParts, events: &mut Vec<Event>) {
        let solved = self.state.solved();
        if solved.is_some_and(|solved| *public != solved.public) {
            events.push(Event::blamed(x, Misbehaviour::WrongPublicParts));
        }
    }

    /// Blames the shares that are wrong beyond doubt, each once. To be off the polynomial is not enough: liars may have
    /// found another polynomial through the same key, and honest hubs are off that one.
    fn blame_shares(&mut self, events: &mut Vec<Event>) {
        let (State::Solved(solved) | State::Ambiguous(solved)) = &mut self.state else {
            return;
        };
        let shares = self.groups.of(&solved.public);
        name_culprits(
            shares,
            &mut solved.polynomial,
            SearchBudget::new(SUBSETS_MAX),
        );
        let Reconstruction { off, culprits, .. } = &solved.polynomial;
        let mut culprits = culprits.clone();
        if culprits.len() < off.len() {
            reached(Mark::BlameUncertain);
            if canary(Canary::BlameUncertain) {
                culprits.clone_from(off);
            }
        }
        if canary(Canary::BlameMajority) {
            let on = shares.iter().map(|share| share.x);
            culprits = on.filter(|x| !off.contains(x)).collect();
        }
        for x in culprits {
            if self.caught.insert(x) {
                events.push(Event::blamed(x, Misbehaviour::WrongShare));
            }
        }
    }

    /// From solved to ambiguous, if the answers of a group make up another key that fits as well.
    fn look_for_second_key(
        &mut self,
        public: &PublicParts,
        rng: &mut dyn CryptoRng,
        events: &mut Vec<Event>,
    ) {
        let Some(solved) = self.state.solved().filter(|_| self.is_doubtful(public)) else {
            return;
        };
        let first = &solved.polynomial.secret;
        let fits_otherwise =
            |secret: &[u8]| public.tag.fits(secret) && !bool::from(secret.ct_eq(first));
        if self.reconstruct(public, &fits_otherwise, rng).is_none() {
            return;
        }
        match std::mem::replace(&mut self.state, State::Collecting) {
            State::Solved(solved) => {
                self.state = State::Ambiguous(solved);
                events.push(Event::TwoKeysFit(self.key_id));
            }
            already => self.state = already,
        }
    }

    /// Whether a group may hold another key. The shares of the key's own group have just been compared with its
    /// polynomial.
    fn is_doubtful(&self, public: &PublicParts) -> bool {
        let solved = self.state.solved();
        solved.is_some_and(|solved| *public != solved.public || !solved.polynomial.off.is_empty())
    }

    fn reconstruct(
        &self,
        public: &PublicParts,
        fits: &dyn Fn(&[u8]) -> bool,
        rng: &mut dyn CryptoRng,
    ) -> Option<Reconstruction> {
        let shares = self.groups.of(public);
        let first = shares.get(..self.sharing.threshold().into())?;
        let shares = if canary(Canary::SearchForgotten) {
            first
        } else {
            shares
        };
        let budget = SearchBudget::new(SUBSETS_MAX);
        reconstruct(shares, self.sharing.threshold(), fits, rng, budget).ok()
    }
}
