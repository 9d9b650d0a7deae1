//! How each lie changes an answer to a fetch.

use dske::crypto::secret::Secret;
use dske::protocol::KeyId;
use dske::protocol::message::{FetchAnswer, FetchReply, FoundShare, Plain};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt};

use super::forgers::Forgers;
use crate::plan::Lie;

/// A share that the hub has seen.
#[derive(Clone)]
pub struct Held {
    /// Its key.
    pub key_id: KeyId,
    /// The share.
    pub share: Plain,
}

/// Changes a reply. Returns the keys that it lies about, which may be none.
pub fn alter(
    lie: Lie,
    reply: &mut FetchReply<Plain>,
    seen: &[Held],
    forgers: &Forgers,
    rng: &mut ChaCha12Rng,
) -> Vec<KeyId> {
    let mut about = Vec::new();
    for result in &mut reply.keys {
        let key_id = result.key_id;
        let FetchAnswer::Found(found) = &mut result.answer else {
            continue;
        };
        let lied = match lie {
            Lie::CorruptShare | Lie::Equivocate => corrupt(found, rng),
            Lie::SwapShares => swap(key_id, found, seen, rng),
            Lie::WrongKey => {
                result.key_id = KeyId::random(rng);
                true
            }
            Lie::WrongX => {
                found.x = found.x.wrapping_add(rng.random_range(1..=254));
                true
            }
            Lie::WrongTag => {
                found.tag = random_tag(rng);
                true
            }
            Lie::WrongSize => wrong_size(found, rng),
            Lie::WrongHubs => {
                found.hubs = found.hubs.wrapping_add(rng.random_range(1..=254));
                true
            }
            Lie::WrongThreshold => {
                found.threshold = found.threshold.wrapping_add(rng.random_range(1..=254));
                true
            }
            Lie::WrongIds => wrong_ids(found, rng),
            Lie::Withhold => {
                result.answer = FetchAnswer::NotFound;
                true
            }
            Lie::ForgeTogether => forgers.forge(key_id, found),
            Lie::FrameTogether => forgers.frame(key_id, found),
            Lie::RivalKey => forgers.rival(key_id, found),
            Lie::ReplayAnswer | Lie::ForgeMac | Lie::Silent | Lie::Delay | Lie::RefuseStore => {
                false
            }
        };
        if lied {
            about.push(key_id);
        }
    }
    about
}

/// One bit, one byte, or everything.
fn corrupt(found: &mut FoundShare<Plain>, rng: &mut ChaCha12Rng) -> bool {
    let length = found.share.0.len();
    let at = rng.random_range(0..length);
    match rng.random_range(0..3) {
        0 => found.share.0[at] ^= 1 << rng.random_range(0..8),
        1 => found.share.0[at] ^= rng.random_range(1..=255u8),
        _ => {
            rng.fill_bytes(&mut found.share.0);
            found.share.0[at] ^= 1;
        }
    }
    true
}

fn swap(
    key_id: KeyId,
    found: &mut FoundShare<Plain>,
    seen: &[Held],
    rng: &mut ChaCha12Rng,
) -> bool {
    let usable = |held: &&Held| held.key_id != key_id && held.share.0.len() == found.share.0.len();
    let others: Vec<&Held> = seen.iter().filter(usable).collect();
    if others.is_empty() {
        return false;
    }
    found.share = others[rng.random_range(0..others.len())].share.clone();
    true
}

/// Another size with the same share, or with a share that goes with it.
fn wrong_size(found: &mut FoundShare<Plain>, rng: &mut ChaCha12Rng) -> bool {
    found.size += 1;
    if rng.next_u32().is_multiple_of(2) {
        let mut longer = found.share.0.to_vec();
        longer.push(0);
        found.share = Plain(Secret::from(longer));
    }
    true
}

/// Another master, no longer the slave that asks, or one slave more.
fn wrong_ids(found: &mut FoundShare<Plain>, rng: &mut ChaCha12Rng) -> bool {
    let mallory = "mallory".parse().expect("a valid name");
    match rng.random_range(0..3) {
        0 => found.master_sae = mallory,
        1 => found.slave_saes = vec![mallory],
        _ => found.slave_saes.push(mallory),
    }
    true
}

fn random_tag(rng: &mut ChaCha12Rng) -> dske::crypto::key_tag::KeyTag {
    let digits: String = (0..32)
        .map(|_| char::from(b"0123456789abcdef"[rng.random_range(0..16)]))
        .collect();
    digits.parse().expect("32 hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use dske::crypto::shamir::{ShareIndex, Sharing};
    use dske::protocol::initiator::{EstablishRequest, Initiator, Patience, Progress};
    use dske::protocol::message::{FetchQuery, FetchResult};
    use dske::protocol::responder::{Blame, Event, Responder};
    use rand::SeedableRng;

    use super::*;

    const HUBS: u8 = 5;
    const THRESHOLD: u8 = 3;

    /// Two keys, and what every hub honestly answers when it is asked for them.
    struct Asked {
        keys: BTreeMap<KeyId, Vec<u8>>,
        query: FetchQuery,
        sharing: Sharing,
        replies: BTreeMap<ShareIndex, FetchReply<Plain>>,
        rng: ChaCha12Rng,
    }

    fn asked(seed: u64) -> Asked {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let sharing = Sharing::new(THRESHOLD, HUBS).unwrap();
        let request = EstablishRequest {
            client: "carol".parse().unwrap(),
            master_sae: "carol".parse().unwrap(),
            slave_saes: vec!["celia".parse().unwrap()],
            size: 16,
            number: 2,
        };
        let patience = Patience {
            deadline: Duration::ZERO,
            grace: Duration::ZERO,
        };
        let (mut initiator, deposits) = Initiator::begin(&request, sharing, patience, &mut rng);
        let mut replies = BTreeMap::new();
        for (x, deposit) in deposits {
            use dske::protocol::message::{DepositOutcome, DepositReply, DepositResult};
            let stored = deposit.keys.iter().map(|key| DepositResult {
                key_id: key.key_id,
                outcome: DepositOutcome::Stored,
            });
            let reply = DepositReply {
                keys: stored.collect(),
            };
            initiator.on_reply(Duration::ZERO, x, &reply);
            let found = deposit.keys.iter().map(|key| FetchResult {
                key_id: key.key_id,
                answer: FetchAnswer::Found(FoundShare {
                    master_sae: deposit.master_sae.clone(),
                    slave_saes: deposit.slave_saes.clone(),
                    hubs: deposit.hubs,
                    threshold: deposit.threshold,
                    x: deposit.x,
                    size: deposit.size,
                    tag: key.tag,
                    share: key.share.clone(),
                }),
            });
            let reply = FetchReply {
                keys: found.collect(),
            };
            replies.insert(x, reply);
        }
        let Progress::Done(keys) = initiator.progress(Duration::ZERO) else {
            panic!("all hubs hold a share")
        };
        let query = FetchQuery {
            client: "celia".parse().unwrap(),
            slave_sae: "celia".parse().unwrap(),
            master_sae: "carol".parse().unwrap(),
            key_ids: keys.iter().map(|key| key.key_id).collect(),
        };
        Asked {
            keys: keys
                .into_iter()
                .map(|key| (key.key_id, key.bytes.to_vec()))
                .collect(),
            query,
            sharing,
            replies,
            rng,
        }
    }

    impl Asked {
        /// Lets the hub at `x` tell a lie, with shares of other keys at hand.
        fn lie(&mut self, x: ShareIndex, lie: Lie) -> Vec<KeyId> {
            let other = asked(self.rng.next_u64());
            let held = |reply: &FetchReply<Plain>| -> Vec<Held> {
                let shares = reply.keys.iter().map(|result| Held {
                    key_id: result.key_id,
                    share: found(result).share.clone(),
                });
                shares.collect()
            };
            let seen = [held(&self.replies[&x]), held(&other.replies[&x])].concat();
            let forgers = Forgers::new(vec![0], self.sharing, ChaCha12Rng::seed_from_u64(1));
            let reply = self.replies.get_mut(&x).unwrap();
            alter(lie, reply, &seen, &forgers, &mut self.rng)
        }

        /// What the production code makes of the answers, if they come in this order.
        fn respond(&mut self, order: impl Iterator<Item = ShareIndex>) -> Response {
            let mut responder =
                Responder::begin(self.query.clone(), self.sharing, Duration::from_secs(1));
            for x in order {
                responder.on_reply(x, copy(&self.replies[&x]), &mut self.rng);
            }
            let blamed = responder
                .take_events()
                .into_iter()
                .filter_map(|event| match event {
                    Event::Blamed(Blame { x, .. }) => Some(x),
                    Event::Corrected(_) => None,
                    Event::TwoKeysFit(key_id) => panic!("two keys fit {key_id}"),
                });
            let mut blamed: Vec<ShareIndex> = blamed.collect();
            blamed.dedup();
            let keys = match responder.progress(Duration::ZERO) {
                Progress::Done(keys) => keys
                    .into_iter()
                    .map(|key| (key.key_id, key.bytes.to_vec()))
                    .collect(),
                Progress::WaitUntil(_) | Progress::Failed(_) => BTreeMap::new(),
            };
            Response { keys, blamed }
        }
    }

    struct Response {
        keys: BTreeMap<KeyId, Vec<u8>>,
        blamed: Vec<ShareIndex>,
    }

    fn copy(reply: &FetchReply<Plain>) -> FetchReply<Plain> {
        reply.clone()
    }

    fn found(result: &FetchResult<Plain>) -> &FoundShare<Plain> {
        match &result.answer {
            FetchAnswer::Found(found) => found,
            FetchAnswer::NotFound | FetchAnswer::Forbidden => panic!("no share"),
        }
    }

    /// What differs between two answers about a key.
    fn differences(a: &FetchResult<Plain>, b: &FetchResult<Plain>) -> Vec<&'static str> {
        let mut differ = Vec::new();
        let mut compare = |what, differs| {
            if differs {
                differ.push(what);
            }
        };
        compare("key_id", a.key_id != b.key_id);
        let (FetchAnswer::Found(a), FetchAnswer::Found(b)) = (&a.answer, &b.answer) else {
            compare("answer", true);
            return differ;
        };
        compare("master_sae", a.master_sae != b.master_sae);
        compare("slave_saes", a.slave_saes != b.slave_saes);
        compare("hubs", a.hubs != b.hubs);
        compare("threshold", a.threshold != b.threshold);
        compare("x", a.x != b.x);
        compare("size", a.size != b.size);
        compare("tag", a.tag != b.tag);
        compare("share", a.share.0 != b.share.0);
        differ
    }

    fn x(x: u8) -> ShareIndex {
        ShareIndex::new(x).unwrap()
    }

    #[test]
    fn every_lie_changes_what_it_says_and_nothing_else() {
        for seed in 0..40 {
            for lie in Lie::alone() {
                let allowed: &[&[&str]] = match lie {
                    Lie::CorruptShare | Lie::SwapShares | Lie::Equivocate => &[&["share"]],
                    Lie::WrongKey => &[&["key_id"]],
                    Lie::WrongX => &[&["x"]],
                    Lie::WrongTag => &[&["tag"]],
                    Lie::WrongSize => &[&["size"], &["size", "share"]],
                    Lie::WrongHubs => &[&["hubs"]],
                    Lie::WrongThreshold => &[&["threshold"]],
                    Lie::WrongIds => &[&["master_sae"], &["slave_saes"]],
                    Lie::Withhold => &[&["answer"]],
                    // Not told in the answer itself.
                    _ => &[&[]],
                };
                let mut asked = asked(seed);
                let honest = copy(&asked.replies[&x(2)]);
                let about = asked.lie(x(2), lie);
                let told = &asked.replies[&x(2)];
                assert_eq!(told.keys.len(), honest.keys.len());
                for (before, after) in honest.keys.iter().zip(&told.keys) {
                    let differ = differences(before, after);
                    assert!(allowed.contains(&differ.as_slice()), "{lie:?}: {differ:?}");
                    assert_eq!(
                        about.contains(&before.key_id),
                        !differ.is_empty(),
                        "{lie:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_swapped_share_is_the_one_of_another_key() {
        let mut asked = asked(1);
        let honest = copy(&asked.replies[&x(2)]);
        asked.lie(x(2), Lie::SwapShares);
        for (before, after) in honest.keys.iter().zip(&asked.replies[&x(2)].keys) {
            assert_ne!(found(before).share.0, found(after).share.0);
            assert_eq!(found(before).share.0.len(), found(after).share.0.len());
        }
        // Without another key of that length there is nothing to swap.
        let mut reply = honest;
        let alone = [Held {
            key_id: reply.keys[0].key_id,
            share: found(&reply.keys[0]).share.clone(),
        }];
        reply.keys.truncate(1);
        let forgers = Forgers::new(vec![], asked.sharing, ChaCha12Rng::seed_from_u64(1));
        let about = alter(
            Lie::SwapShares,
            &mut reply,
            &alone,
            &forgers,
            &mut asked.rng,
        );
        assert_eq!(about, []);
        assert_eq!(found(&reply.keys[0]).share.0, alone[0].share.0);
    }

    #[test]
    fn there_is_no_lie_about_a_key_that_was_not_found() {
        for lie in Lie::alone() {
            let mut asked = asked(1);
            for result in &mut asked.replies.get_mut(&x(2)).unwrap().keys {
                result.answer = FetchAnswer::NotFound;
            }
            let mut reply = copy(&asked.replies[&x(2)]);
            let forgers = Forgers::new(vec![], asked.sharing, ChaCha12Rng::seed_from_u64(1));
            let about = alter(lie, &mut reply, &[], &forgers, &mut asked.rng);
            assert_eq!(about, [], "{lie:?}");
        }
    }

    #[test]
    fn lies_that_are_provable_are_blamed_on_the_liar_and_others_are_not() {
        for seed in 0..40 {
            for lie in Lie::alone() {
                let mut asked = asked(seed);
                let liar = x((seed % u64::from(HUBS)) as u8 + 1);
                let about = asked.lie(liar, lie);
                let honest = asked.sharing.indices().filter(|x| *x != liar);
                let honest: Vec<ShareIndex> = honest.collect();
                // The liar answers first, so that the others have to outweigh it, or last, when the key is known.
                for order in [
                    [&[liar][..], &honest].concat(),
                    [&honest[..], &[liar]].concat(),
                ] {
                    let response = asked.respond(order.into_iter());
                    assert_eq!(response.keys, asked.keys, "{lie:?}, seed {seed}");
                    let blamed: &[ShareIndex] = if lie.is_provable() { &[liar] } else { &[] };
                    assert_eq!(response.blamed, blamed, "{lie:?}, seed {seed}");
                    assert!(
                        !lie.is_provable() || !about.is_empty(),
                        "{lie:?} told nothing"
                    );
                }
            }
        }
    }

    #[test]
    fn liars_cannot_put_their_own_polynomial_down_to_honest_hubs() {
        for seed in 0..10 {
            for liars in [[1, 2], [4, 5], [2, 4]] {
                let mut asked = asked(seed);
                let members = liars.map(|liar| usize::from(liar) - 1);
                let rng = ChaCha12Rng::seed_from_u64(seed);
                let forgers = Forgers::new(members.to_vec(), asked.sharing, rng);
                for liar in liars {
                    let mut reply = copy(&asked.replies[&x(liar)]);
                    let lie = Lie::FrameTogether;
                    let about = alter(lie, &mut reply, &[], &forgers, &mut asked.rng);
                    assert!(!about.is_empty());
                    asked.replies.insert(x(liar), reply);
                }
                // The liars first, with the one honest hub whose share is on their polynomial.
                let honest = (1..=HUBS).filter(|hub| !liars.contains(hub));
                let order: Vec<u8> = liars.into_iter().chain(honest).collect();
                let response = asked.respond(order.into_iter().map(x));
                assert_eq!(response.keys, asked.keys, "{liars:?}, seed {seed}");
                assert_eq!(response.blamed, [], "{liars:?}, seed {seed}");
            }
        }
    }

    #[test]
    fn k_honest_hubs_outweigh_two_liars() {
        for seed in 0..10 {
            for lie in Lie::alone() {
                let mut asked = asked(seed);
                asked.lie(x(1), lie);
                asked.lie(x(2), Lie::CorruptShare);
                let response = asked.respond((1..=HUBS).map(x));
                assert_eq!(response.keys, asked.keys, "{lie:?}, seed {seed}");
                let mut blamed = response.blamed;
                blamed.sort_unstable();
                blamed.dedup();
                // A wrong share is beyond doubt where four right ones agree: with hub 1, if that tells the truth.
                let expected: &[ShareIndex] = match lie {
                    Lie::Withhold => &[],
                    _ if lie.blamed_as() == Some("wrong-share") => &[],
                    _ if lie.is_provable() => &[x(1)],
                    _ => &[x(2)],
                };
                assert_eq!(blamed, expected, "{lie:?}, seed {seed}");
            }
        }
    }
}
