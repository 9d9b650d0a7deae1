//! Which keys an SAE has had: each is handed out once, also when asked for twice at the same moment.

use std::hash::RandomState;

use hashbrown::HashSet;

use crate::harness::{Canary, canary};
use crate::protocol::{KeyId, KeyName, SaeId};

type Claim = (SaeId, KeyName);

/// Never iterated. SAEs choose the IDs: the hasher has a secret, so that they cannot choose such as collide.
type Claims = HashSet<Claim, RandomState>;

/// Remembers claims, as many as its capacity at least and twice as many at most. Forgetting is safe: by then the hubs
/// have erased their shares.
pub(super) struct HandedOut {
    capacity: usize,
    recent: Claims,
    /// Those that came before the recent ones, all of which are forgotten at the same time.
    earlier: Claims,
}

impl HandedOut {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            recent: Claims::default(),
            earlier: Claims::default(),
        }
    }

    /// Claims all keys of a master for an SAE, or none.
    ///
    /// # Errors
    /// The first key that is claimed already.
    pub(super) fn claim(
        &mut self,
        sae: &SaeId,
        master_sae: &SaeId,
        key_ids: &[KeyId],
    ) -> Result<(), KeyId> {
        if canary(Canary::HandedOutTwice) {
            return Ok(());
        }
        let claims = key_ids.iter().map(|&id| claim(sae, master_sae, id));
        let claims: Vec<Claim> = claims.collect();
        let is_taken = |claim: &Claim| self.recent.contains(claim) || self.earlier.contains(claim);
        if let Some((_, taken)) = claims.iter().find(|claim| is_taken(claim)) {
            return Err(taken.key_id);
        }
        if self.recent.len() >= self.capacity {
            std::mem::swap(&mut self.recent, &mut self.earlier);
            self.recent.clear();
        }
        self.recent.extend(claims);
        Ok(())
    }

    /// Gives claims back: the keys could not be had.
    pub(super) fn give_back(&mut self, sae: &SaeId, master_sae: &SaeId, key_ids: &[KeyId]) {
        for &key_id in key_ids {
            let claim = claim(sae, master_sae, key_id);
            if !self.recent.remove(&claim) {
                self.earlier.remove(&claim);
            }
        }
    }
}

fn claim(sae: &SaeId, master_sae: &SaeId, key_id: KeyId) -> Claim {
    let master_sae = master_sae.clone();
    (sae.clone(), KeyName { master_sae, key_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> KeyId {
        format!("00000000-0000-4000-8000-0000000000{n:02x}")
            .parse()
            .unwrap()
    }

    fn sae(name: &str) -> SaeId {
        name.parse().unwrap()
    }

    #[test]
    fn a_key_is_claimed_once_by_each_sae_until_given_back() {
        let mut handed_out = HandedOut::new(8);
        let (a, b, c) = (sae("a"), sae("b"), sae("c"));
        assert_eq!(handed_out.claim(&b, &a, &[id(1), id(2)]), Ok(()));
        assert_eq!(handed_out.claim(&b, &a, &[id(3), id(2)]), Err(id(2)));
        assert_eq!(
            handed_out.claim(&b, &a, &[id(3)]),
            Ok(()),
            "a refused claim takes nothing"
        );
        assert_eq!(handed_out.claim(&c, &a, &[id(1)]), Ok(()));
        handed_out.give_back(&b, &a, &[id(1), id(2)]);
        assert_eq!(handed_out.claim(&b, &a, &[id(1)]), Ok(()));
        // Another master may use the ID of a key that it has read on the wire.
        assert_eq!(handed_out.claim(&b, &c, &[id(1)]), Ok(()));
    }

    #[test]
    fn as_many_claims_as_the_capacity_are_remembered_and_the_oldest_are_forgotten() {
        let mut handed_out = HandedOut::new(2);
        let (a, b) = (sae("a"), sae("b"));
        for n in 1..=5 {
            assert_eq!(handed_out.claim(&b, &a, &[id(n)]), Ok(()));
            if let Some(before) = n.checked_sub(2).filter(|n| *n > 0) {
                let taken = Err(id(before));
                assert_eq!(handed_out.claim(&b, &a, &[id(before)]), taken);
            }
            assert!(handed_out.recent.len() + handed_out.earlier.len() <= 4);
        }
        assert_eq!(handed_out.claim(&b, &a, &[id(1)]), Ok(()));
    }
}
