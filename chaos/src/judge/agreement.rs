//! Agreement: a key delivered for a key ID is the same for master and slaves, bit by bit; and no value is delivered
//! for two key IDs.

use std::collections::BTreeMap;

use dske::protocol::KeyId;

use super::{Facts, Verdict, Violation};

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut first = BTreeMap::new();
    // Keys have 64 bits at least: two of a run are the same by chance with probability below 2⁻⁴⁰.
    let mut by_value: BTreeMap<&[u8], KeyId> = BTreeMap::new();
    for call in &facts.seen.calls {
        for key in call.outcome.keys().unwrap_or_default() {
            match first.get(&key.id) {
                None => {
                    first.insert(key.id, (&key.bytes, call));
                    let other = *by_value.entry(&key.bytes).or_insert(key.id);
                    verdict.expect(other == key.id, call.until_us, || Violation::SameKeyTwice {
                        client: call.client,
                        key: key.id,
                        other,
                        kind: call.kind,
                        call: call.id,
                    });
                }
                Some((bytes, other)) => verdict.expect(*bytes == &key.bytes, call.until_us, || {
                    Violation::KeysDiffer {
                        key: key.id,
                        first: (other.client, other.kind),
                        second: (call.client, call.kind),
                    }
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
    use crate::world::observer::record::{CallKind, Key, Outcome};

    #[test]
    fn the_same_key_at_both_ends_agrees() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        let verdict = scene.judge(check);
        verdict.must_hold();
        // Two keys, each found to be new, and the same at the other end.
        assert_eq!(verdict.evaluated, 4);
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

    /// The second of the master's keys becomes this one.
    fn second_key(scene: &Scene, key: Key) {
        let mut seen = scene.see();
        let call = seen.calls.last_mut().unwrap();
        let mut keys = call.outcome.keys().unwrap().to_vec();
        keys[1].bytes = key.bytes;
        call.outcome = Outcome::Keys(keys);
    }

    #[test]
    fn two_keys_of_one_call_that_are_the_same_are_seen() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        second_key(&scene, keys[0].clone());
        let why = format!("delivered the same key for {} as", keys[1].id);
        scene.judge(check).must_break(&why);
    }

    #[test]
    fn the_same_key_in_two_calls_is_seen() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.establish(1, 2_000);
        scene.judge(check).must_hold();
        second_key(&scene, keys[1].clone());
        let why = format!("was delivered for {} (Master, call 1)", keys[1].id);
        scene.judge(check).must_break(&why);
    }

    #[test]
    fn a_call_without_an_answer_disagrees_with_nothing() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        scene.call(0, CallKind::Slave, SLAVE, (2_000, 2_004), unknown());
        scene.judge(check).must_hold();
    }
}
