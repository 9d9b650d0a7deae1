//! No false key: with fewer than K liars, no mixture of lies makes a client deliver a key that its initiator did not
//! draw.

use super::{Facts, Verdict};

/// Checks it.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    for call in &facts.seen.calls {
        for key in call.outcome.keys().unwrap_or_default() {
            let drawn = facts.key(key.id);
            verdict.expect(drawn.as_ref() == Some(&key.bytes), call.until_us, || {
                let what = if drawn.is_some() {
                    "another key was drawn"
                } else {
                    "no such key was drawn"
                };
                format!(
                    "client {} delivered key {} ({:?}), but {what}",
                    call.client, key.id, call.kind
                )
            });
        }
    }
    verdict
}
