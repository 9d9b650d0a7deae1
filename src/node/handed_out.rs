//! Which keys an SAE has been given. Each is handed out once, even if it is asked for twice at the same moment.

use std::hash::{Hash, Hasher, RandomState};
use std::time::Duration;

use hashbrown::HashSet;

use crate::harness::{Canary, canary};
use crate::protocol::message::FetchQuery;
use crate::protocol::{KeyId, KeyName, SaeId};

/// An SAE has been given this key, or is fetching it.
#[derive(Debug, PartialEq, Eq)]
struct Claim {
    sae: SaeId,
    key: KeyName,
}

/// Hashes the key ID alone, which nearly always tells keys apart.
impl Hash for Claim {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.key_id.hash(state);
    }
}

/// Never iterated. SAEs choose the key IDs. The hasher has a secret, so that they cannot choose IDs that collide.
type Claims = HashSet<Claim, RandomState>;

/// Remembers each claim for as long as a hub may still have the share and hand it out again, and at most twice as long.
pub(super) struct HandedOut {
    keep: Duration,
    /// No recent claim was made before this time.
    since: Duration,
    recent: Claims,
    /// Those made before the recent ones. All of them are forgotten at the same time.
    earlier: Claims,
}

impl HandedOut {
    pub(super) fn new(keep: Duration) -> Self {
        Self {
            keep,
            since: Duration::ZERO,
            recent: Claims::default(),
            earlier: Claims::default(),
        }
    }

    /// Claims all keys of a query for its slave SAE, or none.
    ///
    /// # Errors
    /// The first key that is claimed already.
    pub(super) fn claim(&mut self, now: Duration, query: &FetchQuery) -> Result<(), KeyId> {
        if canary(Canary::HandedOutTwice) {
            return Ok(());
        }
        if now > self.since + self.keep {
            self.since = now;
            std::mem::swap(&mut self.recent, &mut self.earlier);
            self.recent.clear();
        }
        let claims: Vec<Claim> = claims(query).collect();
        let is_taken = |claim: &Claim| self.recent.contains(claim) || self.earlier.contains(claim);
        if let Some(taken) = claims.iter().find(|claim| is_taken(claim)) {
            return Err(taken.key.key_id);
        }
        self.recent.extend(claims);
        Ok(())
    }

    /// Gives the claims of a query back: its keys could not be had.
    pub(super) fn give_back(&mut self, query: &FetchQuery) {
        for claim in claims(query) {
            if !self.recent.remove(&claim) {
                self.earlier.remove(&claim);
            }
        }
    }
}

fn claims(query: &FetchQuery) -> impl Iterator<Item = Claim> {
    query.key_ids.iter().map(|&key_id| Claim {
        sae: query.slave_sae.clone(),
        key: KeyName {
            master_sae: query.master_sae.clone(),
            key_id,
        },
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::ChaCha12Rng;

    use super::*;

    fn id(n: u8) -> KeyId {
        format!("00000000-0000-4000-8000-0000000000{n:02x}")
            .parse()
            .unwrap()
    }

    fn query(slave: &str, master: &str, key_ids: &[KeyId]) -> FetchQuery {
        FetchQuery {
            client: "client".parse().unwrap(),
            slave_sae: slave.parse().unwrap(),
            master_sae: master.parse().unwrap(),
            key_ids: key_ids.to_vec(),
        }
    }

    const KEEP: Duration = Duration::from_secs(10);

    #[test]
    fn a_key_is_claimed_once_by_each_sae_until_given_back() {
        let mut handed_out = HandedOut::new(KEEP);
        let mut claim = |slave: &str, master: &str, ids: &[KeyId]| {
            handed_out.claim(Duration::ZERO, &query(slave, master, ids))
        };
        assert_eq!(claim("b", "a", &[id(1), id(2)]), Ok(()));
        assert_eq!(claim("b", "a", &[id(3), id(2)]), Err(id(2)));
        let taken = claim("b", "a", &[id(3)]);
        assert_eq!(taken, Ok(()), "a refused claim takes nothing");
        assert_eq!(claim("c", "a", &[id(1)]), Ok(()));
        // Another master may use the ID of a key that it has read on the wire.
        assert_eq!(claim("b", "c", &[id(1)]), Ok(()));
        handed_out.give_back(&query("b", "a", &[id(1), id(2)]));
        let again = query("b", "a", &[id(1)]);
        assert_eq!(handed_out.claim(Duration::ZERO, &again), Ok(()));
    }

    #[test]
    fn no_number_of_claims_makes_one_forgotten() {
        let mut handed_out = HandedOut::new(KEEP);
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let ids: Vec<KeyId> = (0..250_000).map(|_| KeyId::random(&mut rng)).collect();
        for ids in ids.chunks(100) {
            handed_out.claim(KEEP, &query("b", "a", ids)).unwrap();
        }
        for id in [ids[0], ids[249_999]] {
            let again = query("b", "a", &[id]);
            assert_eq!(handed_out.claim(2 * KEEP, &again), Err(id));
        }
    }

    #[test]
    fn a_claim_is_kept_as_long_as_it_has_to_be_and_not_for_good() {
        // However the claims of others lie in time.
        for others in [1, 3, 7, 11, 30] {
            for at in 0..40 {
                let mut handed_out = HandedOut::new(KEEP);
                let mut forgotten = None;
                for now in 0..100 {
                    let claim = |handed_out: &mut HandedOut, n| {
                        handed_out.claim(Duration::from_secs(now), &query("b", "a", &[id(n)]))
                    };
                    if now % others == 0 {
                        claim(&mut handed_out, 100 + now as u8).unwrap();
                    }
                    if now == at {
                        claim(&mut handed_out, 1).unwrap();
                    } else if now > at && forgotten.is_none() {
                        forgotten = claim(&mut handed_out, 1).is_ok().then_some(now - at);
                    }
                }
                let kept = forgotten.expect("not for good");
                assert!((11..=22).contains(&kept), "{kept} s with {others}, {at}");
            }
        }
    }
}
