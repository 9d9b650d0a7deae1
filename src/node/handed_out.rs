//! Which keys an SAE has had: each is handed out once, also when asked for twice at the same moment.

use std::collections::{BTreeSet, VecDeque};

use crate::harness::{Canary, canary};
use crate::protocol::{KeyId, KeyName, SaeId};

type Claim = (SaeId, KeyName);

/// Remembers claims, and forgets the oldest beyond its capacity. Forgetting is safe: by then the hubs have erased
/// their shares.
pub(super) struct HandedOut {
    capacity: usize,
    claimed: BTreeSet<Claim>,
    in_order: VecDeque<Claim>,
}

impl HandedOut {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            claimed: BTreeSet::new(),
            in_order: VecDeque::new(),
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
        if let Some((_, taken)) = claims.iter().find(|claim| self.claimed.contains(claim)) {
            return Err(taken.key_id);
        }
        for claim in claims {
            if self.claimed.insert(claim.clone()) {
                self.in_order.push_back(claim);
            }
        }
        while self.in_order.len() > self.capacity {
            if let Some(oldest) = self.in_order.pop_front() {
                self.claimed.remove(&oldest);
            }
        }
        Ok(())
    }

    /// Gives claims back: the keys could not be had.
    pub(super) fn give_back(&mut self, sae: &SaeId, master_sae: &SaeId, key_ids: &[KeyId]) {
        for &key_id in key_ids {
            let claim = claim(sae, master_sae, key_id);
            if self.claimed.remove(&claim)
                && let Some(at) = self.in_order.iter().rposition(|c| *c == claim)
            {
                self.in_order.remove(at);
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
    fn the_oldest_claims_are_forgotten_beyond_the_capacity() {
        let mut handed_out = HandedOut::new(2);
        let (a, b) = (sae("a"), sae("b"));
        for n in 1..=3 {
            assert_eq!(handed_out.claim(&b, &a, &[id(n)]), Ok(()));
        }
        assert_eq!(handed_out.claim(&b, &a, &[id(3)]), Err(id(3)));
        assert_eq!(handed_out.claim(&b, &a, &[id(1)]), Ok(()));
        assert_eq!(handed_out.in_order.len(), handed_out.claimed.len());
    }
}
