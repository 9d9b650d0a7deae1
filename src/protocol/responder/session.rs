//! What the responder knows about one key.
//!
//! | state | event | next state |
//! |---|---|---|
//! | collecting | a hub has no share, or none for this SAE | collecting: it is counted |
//! | collecting | a share arrives | collecting: there is more to try |
//! | collecting | a step of the search finds nothing that fits the tag | collecting |
//! | collecting | a step finds a key that fits the tag of its group | solved; all shares so far are compared |
//! | solved | a share arrives | solved; the share is compared with the key's polynomial |
//! | solved | a step settles whose shares are wrong | solved; they are blamed |
//! | solved | a step finds that another key fits a group, too | ambiguous: an alarm is raised |
//! | ambiguous | a share arrives | ambiguous: K hubs lie, and nobody can tell which, so nobody else is blamed for it |
//!
//! In every state an answer that no honest hub would give, whatever the key is, is blamed and left out. Subsets of the
//! shares are searched while the state is collecting, and never again.

use std::collections::BTreeSet;

use rand::CryptoRng;
use subtle::ConstantTimeEq;

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::robust::{Method, Reconstruction, Search, SearchBudget, Step, name_culprits};
use crate::crypto::secret::Secret;
use crate::crypto::shamir::{Share, ShareIndex, Sharing};
use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::initiator::EstablishedKey;
use crate::protocol::message::{FetchAnswer, FetchQuery, FoundShare, Plain};
use crate::protocol::names::KeyId;
#[cfg(feature = "insecure-harness")]
use crate::protocol::reasons::Reason;

use super::event::{Event, Misbehaviour};
use super::groups::{Groups, PublicParts};

/// What the keys of a call have in common.
pub(super) struct Common {
    /// Hubs whose shares of other keys of the call are off those keys' polynomials. Whoever lies about one key does so
    /// about the next, as a rule: so the pattern of liars is searched for once.
    suspects: BTreeSet<ShareIndex>,
    pub(super) budget: SearchBudget,
    pub(super) events: Vec<Event>,
}

impl Common {
    pub(super) fn new(budget: SearchBudget) -> Self {
        Self {
            suspects: BTreeSet::new(),
            budget,
            events: Vec::new(),
        }
    }

    pub(super) fn blame(&mut self, x: ShareIndex, what: Misbehaviour) {
        self.events.push(Event::blamed(x, what));
    }
}

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
    Solved(Box<Solved>),
    /// Two keys fit: none is delivered any more.
    Ambiguous,
}

/// A key that fits, with the polynomial that it lies on.
struct Solved {
    public: PublicParts,
    polynomial: Reconstruction,
    /// So many shares had come in when it was last asked whose are wrong.
    looked_at: usize,
    /// The search for another key in the shares that are off the polynomial.
    among_off: Search,
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

    /// Whether there is a key on whose polynomial so many shares agree.
    pub(super) fn is_solved(&self, needed: u8) -> bool {
        match &self.state {
            State::Solved(solved) => solved.polynomial.agreeing() >= usize::from(needed),
            State::Collecting | State::Ambiguous => false,
        }
    }

    pub(super) fn is_ambiguous(&self) -> bool {
        matches!(self.state, State::Ambiguous)
    }

    /// Whether `missing` further answers can no longer solve it.
    pub(super) fn is_hopeless(&self, missing: usize, needed: u8) -> bool {
        let largest = self.groups.sizes().max().unwrap_or(0);
        largest + missing < usize::from(needed)
    }

    /// Shares that came in, right or wrong.
    pub(super) fn usable(&self) -> usize {
        self.groups.sizes().sum()
    }

    /// What an error must never quote.
    #[cfg(feature = "insecure-harness")]
    pub(super) fn first_share(&self) -> Option<Reason> {
        let share = self.groups.iter().next()?.shares.first()?;
        let digits = share.y.iter().map(|byte| format!("{byte:02x}"));
        Some(Reason {
            x: share.x,
            hub: None,
            why: digits.collect(),
        })
    }

    /// The key, if just one fits.
    pub(super) fn key(&self) -> Option<EstablishedKey> {
        let s = &self.solved()?.polynomial.secret;
        Some(EstablishedKey {
            key_id: self.key_id,
            bytes: Secret::from(s.get(TAG_SECRET_BYTES..)?.to_vec()),
        })
    }

    fn solved(&self) -> Option<&Solved> {
        match &self.state {
            State::Collecting | State::Ambiguous => None,
            State::Solved(solved) => Some(solved),
        }
    }

    /// A hub has answered for this key.
    pub(super) fn on_answer(
        &mut self,
        x: ShareIndex,
        answer: FetchAnswer<Plain>,
        query: &FetchQuery,
        common: &mut Common,
    ) {
        let found = match answer {
            FetchAnswer::NotFound => return self.not_found += 1,
            FetchAnswer::Forbidden if canary(Canary::ForbiddenAsNotFound) => {
                return self.not_found += 1;
            }
            FetchAnswer::Forbidden => return self.forbidden += 1,
            FetchAnswer::Found(found) => found,
        };
        if let Err(what) = self.check(x, &found, query) {
            return common.blame(x, what);
        }
        let mut public = PublicParts {
            slave_saes: found.slave_saes,
            size: found.size,
            tag: found.tag,
        };
        if canary(Canary::NoGrouping) {
            let first = self.groups.iter().next().map(|group| group.public.clone());
            public = first.unwrap_or(public);
        }
        let claimed = ShareIndex::new(found.x).filter(|_| canary(Canary::IndexBelieved));
        let share = Share {
            x: claimed.unwrap_or(x),
            y: found.share.0,
        };
        self.groups.add(&public, share, self.sharing);
        self.blame_group(x, &public, common);
        self.compare(common);
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

    /// Does one thing of what is left to do. Returns whether there was anything.
    pub(super) fn step(
        &mut self,
        common: &mut Common,
        may_search: bool,
        rng: &mut dyn CryptoRng,
    ) -> bool {
        match self.state {
            State::Collecting => self.look_for_key(common, may_search, rng),
            State::Solved(_) => {
                self.look_for_culprits(common, rng) || self.look_for_second_key(common, rng)
            }
            State::Ambiguous => false,
        }
    }

    /// From collecting to solved, if a key fits the tag of a group.
    fn look_for_key(
        &mut self,
        common: &mut Common,
        may_search: bool,
        rng: &mut dyn CryptoRng,
    ) -> bool {
        let is_suspect = |x| common.suspects.contains(&x);
        let first = usize::from(self.sharing.threshold());
        let mut found = None;
        for group in self.groups.iter_mut() {
            let fits = |secret: &[u8]| group.public.tag.fits(secret);
            let shares = match group.shares.get(..first) {
                Some(first) if canary(Canary::SearchForgotten) => first,
                _ => &group.shares,
            };
            let budget = may_search.then_some(&mut common.budget);
            match group.search.step(shares, &is_suspect, &fits, rng, budget) {
                Step::Found(polynomial) => {
                    found = Some((group.public.clone(), polynomial));
                    break;
                }
                Step::Missed => {
                    if shares.len() == first {
                        reached(Mark::LiarAmongFirst);
                    }
                    return true;
                }
                Step::Idle => {}
            }
        }
        let Some((public, polynomial)) = found else {
            return false;
        };
        self.solve(public, polynomial, common);
        true
    }

    fn solve(&mut self, public: PublicParts, polynomial: Reconstruction, common: &mut Common) {
        if self.not_found > 0 {
            reached(Mark::KeyDespiteLoss);
        }
        match polynomial.method {
            Method::FirstShares | Method::WithoutSuspects => {}
            Method::ErrorCorrection => reached(Mark::ErrorCorrection),
            Method::SubsetSearch => reached(Mark::SubsetSearch),
        }
        if polynomial.method != Method::FirstShares {
            common.events.push(Event::Corrected(polynomial.method));
        }
        common.suspects.extend(&polynomial.off);
        self.state = State::Solved(Box::new(Solved {
            public,
            polynomial,
            looked_at: 0,
            among_off: Search::new(self.sharing.threshold()),
        }));
        for group in self.groups.iter() {
            for share in &group.shares {
                self.blame_group(share.x, &group.public, common);
            }
        }
        self.compare(common);
    }

    /// Blames an answer whose public parts are not those of the key. The key's are beyond doubt: of the K answers that
    /// have them, at least one is honest.
    fn blame_group(&self, x: ShareIndex, public: &PublicParts, common: &mut Common) {
        let solved = self.solved();
        if solved.is_some_and(|solved| *public != solved.public) {
            common.blame(x, Misbehaviour::WrongPublicParts);
        }
    }

    /// Compares the shares with the polynomial, and blames those that are wrong beyond doubt, each once. To be off the
    /// polynomial is not enough: liars may have found another polynomial through the same key, and honest hubs are off
    /// that one.
    fn compare(&mut self, common: &mut Common) {
        let State::Solved(solved) = &mut self.state else {
            return;
        };
        let shares = self.groups.of(&solved.public);
        solved.polynomial.compare(shares);
        let Reconstruction { off, culprits, .. } = &solved.polynomial;
        let mut culprits = culprits.clone();
        if canary(Canary::BlameUncertain) {
            culprits.clone_from(off);
        }
        if canary(Canary::BlameMajority) {
            let on = shares.iter().map(|share| share.x);
            culprits = on.filter(|x| !off.contains(x)).collect();
        }
        for x in culprits {
            if self.caught.insert(x) {
                common.blame(x, Misbehaviour::WrongShare);
            }
        }
    }

    /// Settles whose shares are wrong, if shares are off the polynomial and it cannot be told yet.
    fn look_for_culprits(&mut self, common: &mut Common, rng: &mut dyn CryptoRng) -> bool {
        let State::Solved(solved) = &mut self.state else {
            return false;
        };
        let shares = self.groups.of(&solved.public);
        if solved.polynomial.is_settled() || shares.len() <= solved.looked_at {
            return false;
        }
        solved.looked_at = shares.len();
        name_culprits(shares, &mut solved.polynomial, rng);
        if solved.polynomial.is_settled() {
            // It may be another polynomial now.
            solved.among_off = Search::new(self.sharing.threshold());
        } else {
            reached(Mark::BlameUncertain);
        }
        common.suspects.extend(&solved.polynomial.culprits);
        self.compare(common);
        true
    }

    /// From solved to ambiguous, if the answers of another group, or those that are off the polynomial, make up another
    /// key that fits as well.
    fn look_for_second_key(&mut self, common: &mut Common, rng: &mut dyn CryptoRng) -> bool {
        if canary(Canary::SecondKeyIgnored) {
            return false;
        }
        let State::Solved(solved) = &mut self.state else {
            return false;
        };
        let Solved {
            public,
            polynomial,
            among_off,
            ..
        } = &mut **solved;
        let first = &polynomial.secret;
        let fits = |of: &PublicParts, secret: &[u8]| {
            of.tag.fits(secret) && !bool::from(secret.ct_eq(first))
        };
        let nobody = |_| false;
        let shares = self.groups.of(public).iter();
        let off: Vec<&Share> = shares.filter(|s| polynomial.off.contains(&s.x)).collect();
        let own = |secret: &[u8]| fits(public, secret);
        let mut step = among_off.step(&off, &nobody, &own, rng, None);
        for group in self
            .groups
            .iter_mut()
            .filter(|group| group.public != *public)
        {
            if !matches!(step, Step::Idle) {
                break;
            }
            let others = |secret: &[u8]| fits(&group.public, secret);
            step = group
                .search
                .step(&group.shares, &nobody, &others, rng, None);
        }
        match step {
            Step::Idle => return false,
            Step::Missed => return true,
            Step::Found(_) => {}
        }
        self.state = State::Ambiguous;
        common.events.push(Event::TwoKeysFit(self.key_id));
        true
    }
}
