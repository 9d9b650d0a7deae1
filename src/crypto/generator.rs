//! The random number generators of a node in production.

use std::convert::Infallible;

use chacha20::ChaCha20Rng;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use rand::{CryptoRng, Rng, SeedableRng, TryCryptoRng, TryRng};
use zeroize::Zeroizing;

/// Draws of this length and above are stretched from a seed. For shorter ones the system takes about as long as for the
/// seed itself.
const STRETCHED_FROM_BYTES: usize = 64;

const SEED_BYTES: usize = 32;

const _: () = assert!(
    SEED_BYTES < STRETCHED_FROM_BYTES,
    "a seed is itself not stretched"
);

/// The operating system's generator. Nothing is kept from one draw to the next. So the memory of this process tells
/// nothing about what was drawn before, and no two copies of the process draw the same.
///
/// Long draws are stretched by ChaCha20 from 32 fresh bytes. Linux does the same for each of its calls, at a fifth of the
/// speed.
#[must_use]
pub fn os_rng() -> Box<dyn CryptoRng> {
    Box::new(Stretching(UnwrapErr(SysRng)))
}

/// A generator for one task that makes many draws: ChaCha20 under 32 fresh bytes of `rng`. It is wiped when it is
/// dropped.
#[must_use]
pub fn for_one_task(rng: &mut dyn CryptoRng) -> ChaCha20Rng {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    rng.fill_bytes(&mut *seed);
    ChaCha20Rng::from_seed(*seed)
}

struct Stretching<R>(R);

impl<R: CryptoRng> TryRng for Stretching<R> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        if target.len() < STRETCHED_FROM_BYTES {
            self.0.fill_bytes(target);
        } else {
            for_one_task(&mut self.0).fill_bytes(target);
        }
        Ok(())
    }
}

impl<R: CryptoRng> TryCryptoRng for Stretching<R> {}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha12Rng;

    use super::*;

    #[test]
    fn short_draws_are_the_systems_and_long_ones_are_stretched_from_a_fresh_seed_each() {
        let (mut system, mut rng) = (
            ChaCha12Rng::seed_from_u64(1),
            Stretching(ChaCha12Rng::seed_from_u64(1)),
        );
        for length in [1, 16, 63, 64, 65, 1_000, 64, 5, 10_000] {
            let (mut expected, mut drawn) = (vec![0; length], vec![0; length]);
            rng.fill_bytes(&mut drawn);
            if length < STRETCHED_FROM_BYTES {
                system.fill_bytes(&mut expected);
            } else {
                ChaCha20Rng::from_rng(&mut system).fill_bytes(&mut expected);
            }
            assert_eq!(drawn, expected, "{length}");
        }
    }

    #[test]
    fn each_task_takes_a_fresh_seed_however_much_it_draws() {
        let seeded = || ChaCha12Rng::seed_from_u64(1);
        let (mut rng, mut expected) = (seeded(), seeded());
        for length in [1, 1_000, 0, 10_000] {
            let (mut drawn, mut wanted) = (vec![0; length], vec![0; length]);
            for_one_task(&mut rng).fill_bytes(&mut drawn);
            ChaCha20Rng::from_rng(&mut expected).fill_bytes(&mut wanted);
            assert_eq!(drawn, wanted, "{length}");
        }
    }

    #[test]
    fn the_systems_generator_never_gives_the_same_twice() {
        let mut rng = os_rng();
        for length in [32, 200] {
            let (mut a, mut b) = (vec![0; length], vec![0; length]);
            rng.fill_bytes(&mut a);
            rng.fill_bytes(&mut b);
            assert_ne!(a, b);
        }
    }
}
