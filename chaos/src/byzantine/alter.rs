//! How each lie changes an answer to a fetch.

use dske::protocol::KeyId;
use dske::protocol::message::{FetchAnswer, FetchReply, FoundShare, Plain};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt};
use zeroize::Zeroizing;

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

/// Changes a reply. Returns the keys that it lies about: none where there was nothing to lie about.
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
        found.share = Plain(Zeroizing::new(longer));
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
