//! No false key: with fewer than K liars, no mixture of lies makes a client deliver a key that its initiator did not
//! draw.

use super::{Facts, Verdict, Violation};

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    for call in &facts.seen.calls {
        for key in call.outcome.keys().unwrap_or_default() {
            let drawn = facts.key(key.id);
            verdict.expect(drawn.as_ref() == Some(&key.bytes), call.until_us, || {
                let (client, key, kind) = (call.client, key.id, call.kind);
                match drawn {
                    Some(_) => Violation::AnotherKey { client, key, kind },
                    None => Violation::UndrawnKey { client, key, kind },
                }
            });
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SLAVE, Scene, falsified, unheard_of, unknown};
    use super::*;
    use crate::world::observer::record::{CallKind, Key, Outcome};

    fn delivers(scene: &Scene, keys: Vec<Key>) {
        let outcome = Outcome::Keys(keys);
        scene.call(0, CallKind::Slave, SLAVE, (2_000, 2_004), outcome);
    }

    #[test]
    fn a_key_that_was_drawn_may_be_delivered() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        scene.judge(check).must_hold();
    }

    #[test]
    fn another_value_for_a_key_id_is_seen_also_where_both_ends_agree() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.see().calls.clear();
        delivers(&scene, falsified(&keys));
        scene.judge(check).must_break("but another key was drawn");
        delivers(&scene, falsified(&keys));
        assert_eq!(scene.judge(check).broken.len(), 2);
    }

    #[test]
    fn a_key_that_nobody_drew_is_seen() {
        let mut scene = Scene::new(|_| {});
        let key = unheard_of(&mut scene.rng);
        delivers(&scene, vec![key]);
        scene.judge(check).must_break("but no such key was drawn");
    }

    #[test]
    fn a_key_of_which_fewer_than_k_shares_were_sent_was_not_drawn() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.see().messages.retain(|message| message.hub < 3);
        scene.judge(check).must_hold();
        scene.see().messages.retain(|message| message.hub < 2);
        assert_eq!(scene.judge(check).broken.len(), keys.len());
    }

    #[test]
    fn no_key_at_all_is_never_a_false_key() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        scene.see().calls.clear();
        scene.call(0, CallKind::Slave, SLAVE, (2_000, 2_004), unknown());
        assert_eq!(scene.judge(check), Verdict::default());
    }
}
