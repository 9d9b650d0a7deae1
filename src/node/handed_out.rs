//! Which keys an SAE has been given. Each is handed out once, even if it is asked for twice at the same moment.
//!
//! A key can be had from any K hubs that hold its shares. So a claim lives as long as a hub may hold one. Once all hubs
//! have handed their shares out to the SAE, the claim need not live longer than they do so again.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::time::Duration;

use hashbrown::HashTable;

use crate::harness::{Canary, canary};
use crate::protocol::KeyId;
use crate::protocol::accounts::Accounts;
use crate::protocol::message::FetchQuery;

/// Claims at most: 5,500 keys a second for ten minutes of which not all hubs hand out their shares, and far more if they
/// do.
const CLAIMS_MAX: usize = 3_500_000;

/// The claims are in many tables, so that no step takes long, neither to sweep one nor to let it grow.
const SHARDS: usize = 256;

/// Places of a table that holds its part of [`CLAIMS_MAX`]. All tables together take 71 MB then.
const PLACES: usize = 16 * 1024;

const _: () = assert!(
    CLAIMS_MAX / SHARDS + 600 <= PLACES / 8 * 7,
    "a table grows when 7 of 8 places are taken; that one has 600 claims more than its part is five deviations away"
);

/// How long claims live.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClaimTimes {
    /// As long as any hub may hold a share of a key that is fetched now.
    pub(super) share_life: Duration,
    /// As long as a hub may hand a share out again to an SAE that has just fetched it.
    pub(super) repeats: Duration,
}

/// An SAE has been given this key, or is fetching it.
#[derive(Debug, Clone, Copy)]
struct Claim {
    /// Stands for the SAE, the master and the key ID, which take ten times as much: their hash under a secret. A key with
    /// the hash of another one is refused, which happens to one of 5 · 10^12 keys while all places are taken. Nobody can
    /// bring it about, since nobody knows the secret.
    hash: u64,
    /// In seconds since the start.
    until: u32,
    account: u32,
}

impl Claim {
    /// Whether its time is not over yet.
    fn lives(&self, now: Duration) -> bool {
        u64::from(self.until) > now.as_secs()
    }
}

const _: () = assert!(
    size_of::<Claim>() == 16,
    "there may be some millions of them"
);

/// Why keys cannot be claimed. Nothing has been claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unclaimable {
    /// This one is claimed already.
    Taken(KeyId),
    /// No more claims of this SAE can be remembered.
    Full,
}

/// Remembers each claim for as long as it lives. What is over takes memory for up to a quarter of [`ClaimTimes::repeats`] more.
pub(super) struct HandedOut {
    times: ClaimTimes,
    hasher: RandomState,
    shards: Vec<HashTable<Claim>>,
    /// Each SAE has one.
    accounts: Accounts,
    held: usize,
    /// Sweeps so far. They take the shards in turn.
    sweeps: u64,
}

impl HandedOut {
    /// Nothing is claimed yet.
    pub(super) fn new(times: ClaimTimes, accounts: usize) -> Self {
        Self {
            times,
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            accounts: Accounts::with_equal_parts(CLAIMS_MAX, accounts),
            held: 0,
            sweeps: 0,
        }
    }

    /// How many claims are remembered.
    pub(super) fn len(&self) -> usize {
        self.held
    }

    /// Claims all keys of a query for its slave SAE, or none.
    pub(super) fn claim(
        &mut self,
        now: Duration,
        account: usize,
        query: &FetchQuery,
    ) -> Result<(), Unclaimable> {
        if canary(Canary::HandedOutTwice) {
            return Ok(());
        }
        self.sweep(now);
        let hashes = self.hashes(query);
        for (hash, key_id) in hashes.iter().zip(&query.key_ids) {
            if let Ok(found) = shard(&mut self.shards, *hash).find_entry(*hash, is(*hash)) {
                if found.get().lives(now) {
                    return Err(Unclaimable::Taken(*key_id));
                }
                // The sweep has not come by yet. When it does depends on the secret of the hashes, and must not show.
                let (claim, _) = found.remove();
                self.let_go(&claim);
            }
        }
        if !self.accounts.take(account, hashes.len()) {
            return Err(Unclaimable::Full);
        }
        self.held += hashes.len();
        let life = if canary(Canary::ClaimsForgotten) {
            self.times.repeats
        } else {
            self.times.share_life
        };
        let until = seconds(now + life);
        for hash in hashes {
            let claim = Claim {
                hash,
                until,
                account: u32::try_from(account).expect("there is memory for fewer accounts"),
            };
            shard(&mut self.shards, hash).insert_unique(hash, claim, |claim| claim.hash);
        }
        Ok(())
    }

    /// All hubs have handed out their shares of these keys.
    pub(super) fn settle(&mut self, now: Duration, query: &FetchQuery) {
        let until = seconds(now + self.times.repeats);
        for hash in self.hashes(query) {
            if let Some(claim) = shard(&mut self.shards, hash).find_mut(hash, is(hash)) {
                claim.until = claim.until.min(until);
            }
        }
    }

    /// Gives the claims of a query back: its keys could not be had.
    pub(super) fn give_back(&mut self, query: &FetchQuery) {
        if canary(Canary::ClaimsKept) {
            return;
        }
        for hash in self.hashes(query) {
            if let Ok(found) = shard(&mut self.shards, hash).find_entry(hash, is(hash)) {
                let (claim, _) = found.remove();
                self.let_go(&claim);
            }
        }
    }

    /// A claim is no longer remembered.
    fn let_go(&mut self, claim: &Claim) {
        self.accounts.give_back(claim.account as usize, 1);
        self.held -= 1;
    }

    /// Forgets claims whose time is over, in as many shards as it takes to get round four times while a claim lives.
    fn sweep(&mut self, now: Duration) {
        let round = (self.times.repeats / 4).as_millis().max(1);
        let due = now.as_millis() * SHARDS as u128 / round;
        let due = u64::try_from(due).unwrap_or(u64::MAX);
        // After a long rest one round is enough.
        self.sweeps = self.sweeps.max(due.saturating_sub(SHARDS as u64));
        while self.sweeps < due {
            let in_turn = self.shards.get_mut(self.sweeps as usize % SHARDS);
            let shard = in_turn.expect("there are so many shards");
            shard.retain(|claim| {
                let lives = claim.lives(now);
                if !lives {
                    self.accounts.give_back(claim.account as usize, 1);
                    self.held -= 1;
                }
                lives
            });
            if shard.capacity() > 4 * shard.len() {
                shard.shrink_to(2 * shard.len(), |claim| claim.hash);
            }
            self.sweeps += 1;
        }
    }

    fn hashes(&self, query: &FetchQuery) -> Vec<u64> {
        let mut common = self.hasher.build_hasher();
        let slave_sae = match canary(Canary::ClaimsForAll) {
            true => "",
            false => query.slave_sae.as_str(),
        };
        (slave_sae, query.master_sae.as_str()).hash(&mut common);
        let hash = |key_id: &KeyId| {
            let mut hasher = common.clone();
            key_id.hash(&mut hasher);
            hasher.finish()
        };
        query.key_ids.iter().map(hash).collect()
    }
}

/// The shard of a hash. The bits are not those by which tables look claims up.
fn shard(shards: &mut [HashTable<Claim>], hash: u64) -> &mut HashTable<Claim> {
    let index = (hash >> 32) as usize % SHARDS;
    shards.get_mut(index).expect("there are so many shards")
}

fn is(hash: u64) -> impl Fn(&Claim) -> bool {
    move |claim| claim.hash == hash
}

/// Rounded up: a claim lives rather a little longer.
fn seconds(at: Duration) -> u32 {
    u32::try_from(at.as_secs().saturating_add(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::ChaCha12Rng;

    use super::*;

    const TIMES: ClaimTimes = ClaimTimes {
        share_life: Duration::from_secs(60),
        repeats: Duration::from_secs(10),
    };

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

    fn random_ids(number: usize) -> Vec<KeyId> {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        (0..number).map(|_| KeyId::random(&mut rng)).collect()
    }

    #[test]
    fn a_key_is_claimed_once_by_each_sae_until_given_back() {
        let mut handed_out = HandedOut::new(TIMES, 2);
        let mut claim = |slave: &str, master: &str, ids: &[KeyId]| {
            handed_out.claim(Duration::ZERO, 0, &query(slave, master, ids))
        };
        assert_eq!(claim("b", "a", &[id(1), id(2)]), Ok(()));
        let taken = claim("b", "a", &[id(3), id(2)]);
        assert_eq!(taken, Err(Unclaimable::Taken(id(2))));
        let free = claim("b", "a", &[id(3)]);
        assert_eq!(free, Ok(()), "a refused claim takes nothing");
        assert_eq!(claim("c", "a", &[id(1)]), Ok(()));
        // Another master may use the ID of a key that it has read on the wire.
        assert_eq!(claim("b", "c", &[id(1)]), Ok(()));
        assert_eq!(handed_out.len(), 5);
        handed_out.give_back(&query("b", "a", &[id(1), id(2)]));
        assert_eq!(handed_out.len(), 3);
        let again = query("b", "a", &[id(1)]);
        assert_eq!(handed_out.claim(Duration::ZERO, 0, &again), Ok(()));
    }

    #[test]
    fn an_sae_that_claims_all_it_can_leaves_the_others_their_part_and_nothing_is_forgotten() {
        let mut handed_out = HandedOut::new(TIMES, 4);
        let ids = random_ids(CLAIMS_MAX);
        let mut claimed = ids
            .chunks(100)
            .take_while(|ids| handed_out.claim(Duration::ZERO, 0, &query("b", "a", ids)) == Ok(()));
        let (first, last) = (claimed.next().unwrap(), claimed.last().unwrap());
        assert!((CLAIMS_MAX / 8 * 5 - 100..=CLAIMS_MAX / 8 * 5).contains(&handed_out.len()));
        for ids in [first, last] {
            let again = handed_out.claim(Duration::ZERO, 0, &query("b", "a", ids));
            assert_eq!(again, Err(Unclaimable::Taken(ids[0])));
        }
        let other = &ids[..CLAIMS_MAX / 8];
        let other = query("c", "a", other);
        assert_eq!(handed_out.claim(Duration::ZERO, 1, &other), Ok(()));
        let more = query("c", "a", &ids[CLAIMS_MAX / 2..][..200]);
        let more = handed_out.claim(Duration::ZERO, 1, &more);
        assert_eq!(more, Err(Unclaimable::Full));
        // When their time is over, nothing is left of them.
        let later = Duration::from_secs(80);
        assert_eq!(handed_out.claim(later, 0, &query("b", "a", first)), Ok(()));
        assert_eq!(handed_out.len(), first.len());
        let places: usize = handed_out.shards.iter().map(HashTable::capacity).sum();
        assert!(places < 8 * SHARDS, "{places}");
    }

    #[test]
    fn when_a_claim_is_over_does_not_depend_on_the_secret_of_the_hashes() {
        let mut handed_out = HandedOut::new(TIMES, 1);
        let ids = random_ids(200);
        for key_id in &ids {
            let claimed = query("b", "a", &[*key_id]);
            handed_out.claim(Duration::ZERO, 0, &claimed).unwrap();
            handed_out.settle(Duration::ZERO, &claimed);
        }
        // The shards are swept at different times.
        for ms in (0..10_999).step_by(100) {
            handed_out.sweep(Duration::from_millis(ms));
        }
        let mut claim = |ms: u64, key_id: KeyId| {
            let claimed = query("b", "a", &[key_id]);
            handed_out.claim(Duration::from_millis(ms), 0, &claimed)
        };
        for key_id in &ids {
            assert_eq!(claim(10_999, *key_id), Err(Unclaimable::Taken(*key_id)));
        }
        for key_id in &ids {
            assert_eq!(claim(11_000, *key_id), Ok(()));
        }
    }

    #[test]
    fn a_claim_is_kept_as_long_as_it_has_to_be_and_not_for_good() {
        // However the claims of others lie in time, and whether or not all hubs have handed out their shares.
        for (settled, others) in [false, true]
            .into_iter()
            .flat_map(|s| [1, 3, 11, 70].map(|o| (s, o)))
        {
            for at in [0, 1, 9, 25] {
                let mut handed_out = HandedOut::new(TIMES, 1);
                let mut forgotten = None;
                for now in 0..200_u64 {
                    let time = Duration::from_secs(now);
                    if now % others == 0 {
                        let other = query("b", "x", &[id(now as u8)]);
                        handed_out.claim(time, 0, &other).unwrap();
                    }
                    let claimed = query("b", "a", &[id(1)]);
                    if now == at {
                        handed_out.claim(time, 0, &claimed).unwrap();
                    } else if now == at + 1 && settled {
                        handed_out.settle(time, &claimed);
                    } else if now > at && forgotten.is_none() {
                        let is_free = handed_out.claim(time, 0, &claimed).is_ok();
                        forgotten = is_free.then_some(now - at);
                    }
                }
                let kept = forgotten.expect("not for good");
                let times = if settled { 11..=12 } else { 60..=61 };
                assert!(times.contains(&kept), "{kept} s with {others}, {at}");
            }
        }
    }
}
