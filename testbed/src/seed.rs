//! Generators of nodes that are run from a seed: one stream for each node and life.

use dske::harness::{Canary, canary};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use sha2::{Digest, Sha256};

/// The generator of a node in one of its lives: a restarted node must not draw the same PSRD again.
#[must_use]
pub fn node_rng(seed: u64, node: &str, life: u32) -> ChaCha20Rng {
    let life = if canary(Canary::SameGeneratorAgain) {
        0
    } else {
        life
    };
    let mut hash = Sha256::new();
    hash.update(b"dske node generator");
    hash.update(seed.to_be_bytes());
    hash.update(life.to_be_bytes());
    hash.update(node.as_bytes());
    ChaCha20Rng::from_seed(hash.finalize().into())
}
