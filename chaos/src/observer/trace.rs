//! The timeline as text, and its hash: the same plan must give the same hash on every machine.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// A timeline. Each line begins with the simulated time.
pub struct Trace {
    hash: Sha256,
    lines: Option<Vec<String>>,
    count: u64,
}

impl Trace {
    pub(super) fn new(keep_lines: bool) -> Self {
        Self {
            hash: Sha256::new(),
            lines: keep_lines.then(Vec::new),
            count: 0,
        }
    }

    pub(crate) fn add(&mut self, at_us: u64, line: &str) {
        let line = format!("{:>5}.{:06} {line}", at_us / 1_000_000, at_us % 1_000_000);
        self.hash.update(line.as_bytes());
        self.hash.update(b"\n");
        self.count += 1;
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    /// SHA-256 over all lines.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// Number of lines.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The lines, if they were kept.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

/// Enough of a SHA-256 to tell bytes apart in a line.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
