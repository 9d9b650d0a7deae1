//! The hash of everything that was seen: the same plan must give the same hash on every machine.

use std::fmt::{Display, Write};

use sha2::{Digest, Sha256};

/// SHA-256 over one line for each thing that was seen: the simulated time, and its [`Display`].
#[derive(Default)]
pub struct TraceHash(Sha256);

impl TraceHash {
    pub(super) fn add(&mut self, at_us: u64, what: &impl Display) {
        let line = format!("{}{what}\n", clock(at_us));
        self.0.update(line.as_bytes());
    }

    /// The hash of what was seen so far.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.0.clone().finalize().into()
    }
}

/// Simulated time as lines begin with it, in seconds.
pub(crate) fn clock(at_us: u64) -> String {
    format!("{:>5}.{:06} ", at_us / 1_000_000, at_us % 1_000_000)
}

/// Enough of a SHA-256 to tell bytes apart in a line.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
