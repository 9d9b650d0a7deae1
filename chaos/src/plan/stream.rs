//! A generator for each part of a plan or run.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use sha2::{Digest, Sha256};

/// Seeds stay below this, so that TOML, JSON and a browser agree on them.
pub const SEED_MAX: u64 = (1 << 53) - 1;

/// The generator of one part of a run, independent of all others.
#[must_use]
pub fn stream(campaign: &str, seed: u64, part: &str) -> ChaCha12Rng {
    let mut hash = Sha256::new();
    for text in ["dske chaos", campaign, part] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(seed.to_be_bytes());
    ChaCha12Rng::from_seed(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn every_part_has_a_stream_of_its_own() {
        let draw = |campaign: &str, seed, part: &str| stream(campaign, seed, part).next_u64();
        assert_eq!(draw("a", 1, "x"), draw("a", 1, "x"));
        assert_ne!(draw("a", 1, "x"), draw("a", 2, "x"));
        assert_ne!(draw("a", 1, "x"), draw("a", 1, "y"));
        assert_ne!(draw("ax", 1, ""), draw("a", 1, "x"));
    }
}
