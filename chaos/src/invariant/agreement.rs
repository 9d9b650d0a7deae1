//! Agreement: a key delivered for a key ID is the same for master and slave, bit by bit.

use std::collections::BTreeMap;

use super::{Facts, Verdict};

/// Checks it.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut first = BTreeMap::new();
    for call in &facts.seen.calls {
        for key in call.outcome.keys().unwrap_or_default() {
            match first.get(&key.id) {
                None => {
                    first.insert(key.id, (&key.bytes, call));
                }
                Some((bytes, other)) => verdict.expect(*bytes == &key.bytes, call.until_us, || {
                    format!(
                        "key {} is not the same for client {} ({:?}) and client {} ({:?})",
                        key.id, other.client, other.kind, call.client, call.kind
                    )
                }),
            }
        }
    }
    verdict
}
