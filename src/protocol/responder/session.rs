//! What the responder knows about one key.

use std::collections::BTreeSet;

use crate::crypto::secret::Secret;
use rand::CryptoRng;
use subtle::ConstantTimeEq;

use crate::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use crate::crypto::robust::{Method, Reconstruction, SearchBudget, name_culprits, reconstruct};
use crate::crypto::shamir::{Share, ShareIndex, Sharing};
use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::initiator::EstablishedKey;
use crate::protocol::limits::SUBSETS_MAX;
use crate::protocol::message::{FetchAnswer, FetchQuery, FoundShare, Plain};
use crate::protocol::names::{KeyId, SaeId};
#[cfg(feature = "insecure-harness")]
use crate::protocol::reasons::Reason;

use super::{Blame, Event, Misbehaviour};

/// What all honest answers have in common. Answers are grouped by it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PublicParts {
    slave_saes: Vec<SaeId>,
    size: usize,
    tag: KeyTag,
}

/// Answers with what they have in common. Honest ones make one group.
type Group = (PublicParts, Vec<Share>);

fn shares_of<'a>(groups: &'a [Group], public: &PublicParts) -> &'a [Share] {
    let group = groups.iter().find(|(of, _)| of == public);
    group.map_or(&[], |(_, shares)| shares)
}

/// The key, with the polynomial that it lies on.
struct Solved {
    public: PublicParts,
    polynomial: Reconstruction,
}

pub(super) struct Session {
    pub(super) key_id: KeyId,
    sharing: Sharing,
    groups: Vec<Group>,
    solved: Option<Solved>,
    /// Hubs whose share was found wrong.
    caught: BTreeSet<ShareIndex>,
    ambiguous: bool,
    not_found: usize,
    forbidden: usize,
}

impl Session {
    pub(super) fn new(key_id: KeyId, sharing: Sharing) -> Self {
        Self {
            key_id,
            sharing,
            groups: Vec::with_capacity(1),
            solved: None,
            caught: BTreeSet::new(),
            ambiguous: false,
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

    pub(super) fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// Shares that came in, right or wrong.
    pub(super) fn usable(&self) -> usize {
        self.groups.iter().map(|(_, shares)| shares.len()).sum()
    }

    /// What an error must never quote.
    #[cfg(feature = "insecure-harness")]
    pub(super) fn first_share(&self) -> Option<Reason> {
        let share = self.groups.first()?.1.first()?;
        let digits = share.y.iter().map(|byte| format!("{byte:02x}"));
        Some(Reason {
            x: share.x,
            hub: None,
            why: digits.collect(),
        })
    }

    /// Whether `missing` further answers cannot solve it any more.
    pub(super) fn is_hopeless(&self, missing: usize) -> bool {
        let sizes = self.groups.iter().map(|(_, shares)| shares.len());
        let largest = sizes.max().unwrap_or(0);
        self.solved.is_none() && largest + missing < usize::from(self.sharing.threshold())
    }

    pub(super) fn is_solved(&self) -> bool {
        self.solved.is_some()
    }

    pub(super) fn key(&self) -> Option<EstablishedKey> {
        let solved = self.solved.as_ref()?;
        let s = solved.polynomial.secret.get(TAG_SECRET_BYTES..)?;
        Some(EstablishedKey {
            key_id: self.key_id,
            bytes: Secret::from(s.to_vec()),
        })
    }

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
            events.push(Event::Blamed(Blame { x, what }));
            return;
        }
        let mut public = PublicParts {
            slave_saes: found.slave_saes,
            size: found.size,
            tag: found.tag,
        };
        if canary(Canary::NoGrouping) {
            let first = self.groups.first().map(|(public, _)| public.clone());
            public = first.unwrap_or(public);
        }
        let claimed = ShareIndex::new(found.x).filter(|_| canary(Canary::IndexBelieved));
        let share = Share {
            x: claimed.unwrap_or(x),
            y: found.share.0,
        };
        let was_solved = self.solved.is_some();
        match self.groups.iter_mut().find(|(of, _)| *of == public) {
            Some((_, group)) => group.push(share),
            None => {
                let mut group = Vec::with_capacity(self.sharing.shares().into());
                group.push(share);
                self.groups.push((public.clone(), group));
            }
        }
        if was_solved {
            self.blame_group(x, &public, events);
            self.blame_shares(events);
            self.look_for_second_key(&public, rng, events);
        } else {
            self.try_to_solve(&public, rng, events);
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

    /// Blames an answer whose public parts are not those of the key. Those are beyond doubt: of K answers that have
    /// them one at least is honest.
    fn blame_group(&self, x: ShareIndex, public: &PublicParts, events: &mut Vec<Event>) {
        if self
            .solved
            .as_ref()
            .is_some_and(|solved| *public != solved.public)
        {
            let what = Misbehaviour::WrongPublicParts;
            events.push(Event::Blamed(Blame { x, what }));
        }
    }

    /// Blames the shares that are wrong beyond doubt, each once. That one is off the polynomial does not suffice: liars
    /// may have found another one through the same key, on which honest hubs are off.
    fn blame_shares(&mut self, events: &mut Vec<Event>) {
        let Some(solved) = &mut self.solved else {
            return;
        };
        let shares = shares_of(&self.groups, &solved.public);
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
                let what = Misbehaviour::WrongShare;
                events.push(Event::Blamed(Blame { x, what }));
            }
        }
    }

    fn try_to_solve(
        &mut self,
        public: &PublicParts,
        rng: &mut dyn CryptoRng,
        events: &mut Vec<Event>,
    ) {
        let fits = |secret: &[u8]| public.tag.fits(secret);
        let Some(polynomial) = self.reconstruct(public, &fits, rng) else {
            if shares_of(&self.groups, public).len() >= usize::from(self.sharing.threshold()) {
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
        self.solved = Some(Solved {
            public: public.clone(),
            polynomial,
        });
        for (public, shares) in &self.groups {
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

    /// Whether a group may hold another key. The shares of the key's own group have just been compared with its
    /// polynomial.
    fn is_doubtful(&self, public: &PublicParts) -> bool {
        let solved = self.solved.as_ref();
        solved.is_some_and(|solved| *public != solved.public || !solved.polynomial.off.is_empty())
    }

    /// Whether the answers of a group make up another key that fits as well.
    fn look_for_second_key(
        &mut self,
        public: &PublicParts,
        rng: &mut dyn CryptoRng,
        events: &mut Vec<Event>,
    ) {
        let Some(solved) = self.solved.as_ref().filter(|_| self.is_doubtful(public)) else {
            return;
        };
        let first = &solved.polynomial.secret;
        let fits_otherwise =
            |secret: &[u8]| public.tag.fits(secret) && !bool::from(secret.ct_eq(first));
        if self.reconstruct(public, &fits_otherwise, rng).is_some() && !self.ambiguous {
            self.ambiguous = true;
            events.push(Event::TwoKeysFit(self.key_id));
        }
    }

    fn reconstruct(
        &self,
        public: &PublicParts,
        fits: &dyn Fn(&[u8]) -> bool,
        rng: &mut dyn CryptoRng,
    ) -> Option<Reconstruction> {
        let shares = shares_of(&self.groups, public);
        if shares.len() < usize::from(self.sharing.threshold()) {
            return None;
        }
        let budget = SearchBudget::new(SUBSETS_MAX);
        let first = shares.get(..self.sharing.threshold().into());
        let shares = first
            .filter(|_| canary(Canary::SearchForgotten))
            .unwrap_or(shares);
        reconstruct(shares, self.sharing.threshold(), fits, rng, budget).ok()
    }
}
