//! The generators of the nodes: whatever they yield is known to be secret from then on, and so is what follows from it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::shamir::{Sharing, split};
use rand::rand_core::utils::next_word_via_fill;
use rand::rngs::ChaCha20Rng;
use rand::{Rng, SeedableRng, TryCryptoRng, TryRng};

use super::watch::{inside, keep_secret};

/// Shorter draws are IDs, which are public, and choices.
const SECRET_FROM_BYTES: usize = 17;

/// A generator that has each draw of secrets looked at before it is handed out.
pub(super) struct Drawn<F> {
    inner: ChaCha20Rng,
    each: F,
}

/// The keys that are asked for next.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted {
    pub(super) bytes: usize,
    pub(super) number: usize,
}

/// A hub's generator: what it draws is PSRD.
pub(super) fn of_hub(seed: u64) -> Drawn<impl FnMut(&[u8]) + Send> {
    Drawn {
        inner: ChaCha20Rng::seed_from_u64(seed),
        each: |bytes: &[u8]| {
            keep_secret("PSRD", bytes);
            keep_secret("PSRD as text", STANDARD.encode(bytes).as_bytes());
        },
    }
}

/// A client's generator: what it draws are seeds, each of a generator for one call. What that one will draw is worked out
/// at once, as the client is about to do it.
pub(super) fn of_client(
    seed: u64,
    sharing: Sharing,
    wanted: Arc<Mutex<Wanted>>,
) -> Drawn<impl FnMut(&[u8]) + Send> {
    Drawn {
        inner: ChaCha20Rng::seed_from_u64(seed),
        each: move |bytes: &[u8]| {
            keep_secret("a seed", bytes);
            let Ok(seed) = bytes.try_into() else { return };
            let mut rng = Drawn {
                inner: ChaCha20Rng::from_seed(seed),
                each: |bytes: &[u8]| keep_secret("what was drawn for a key", bytes),
            };
            let Wanted { bytes, number } = *wanted.lock().unwrap();
            for _ in 0..number {
                let mut key_id = [0; 16];
                rng.fill_bytes(&mut key_id);
                let mut secret = vec![0; TAG_SECRET_BYTES + bytes];
                rng.fill_bytes(&mut secret);
                let text = STANDARD.encode(&secret[TAG_SECRET_BYTES..]);
                keep_secret("a key as text", text.as_bytes());
                for share in split(&secret, sharing, &mut rng) {
                    keep_secret("a share", &share.y);
                }
            }
        },
    }
}

impl<F: FnMut(&[u8]) + Send> TryRng for Drawn<F> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        // On a stack of its own, so that what is found on the nodes' stacks is theirs.
        inside(|| {
            std::thread::scope(|scope| {
                let drawn = scope.spawn(|| {
                    inside(|| {
                        self.inner.fill_bytes(target);
                        if target.len() >= SECRET_FROM_BYTES {
                            (self.each)(target);
                        }
                    });
                });
                drawn.join().unwrap();
            });
        });
        Ok(())
    }
}

impl<F: FnMut(&[u8]) + Send> TryCryptoRng for Drawn<F> {}
