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

#[cfg(test)]
mod tests {
    use super::super::testing::{SLAVE, Scene, falsified, unknown};
    use super::*;
    use crate::observer::record::{CallKind, Outcome};

    #[test]
    fn the_same_key_at_both_ends_agrees() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        let verdict = scene.judge(check);
        verdict.must_hold();
        assert_eq!(verdict.evaluated, 2);
    }

    #[test]
    fn one_bit_of_difference_is_seen() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        let outcome = Outcome::Keys(falsified(&keys));
        scene.call(0, CallKind::Slave, SLAVE, (2_000, 2_004), outcome);
        let why = format!("key {} is not the same for client 0 (Master)", keys[0].id);
        scene.judge(check).must_break(&why);
    }

    #[test]
    fn a_call_without_an_answer_disagrees_with_nothing() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        scene.call(0, CallKind::Slave, SLAVE, (2_000, 2_004), unknown());
        assert_eq!(scene.judge(check), Verdict::default());
    }
}
