//! Access: only the named SAEs ever get a key, and each of them once, however late it asks again and whatever its client
//! has gone through meanwhile; and on the wire, a hub hands shares out only as they were deposited, to clients of the
//! SAEs named.

mod wire;

use std::collections::BTreeMap;

use dske::protocol::{KeyId, SaeId};

use super::{Facts, Verdict, Violation};
use crate::world::observer::record::{Call, CallKind, Key};

/// Who was given which key, and in which call.
type Given = BTreeMap<(SaeId, KeyId), (u32, u64)>;

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    wire::check(facts, &mut verdict);
    let mut given = Given::new();
    for call in &facts.seen.calls {
        let got = call.outcome.keys().unwrap_or_default();
        match call.kind {
            CallKind::Master | CallKind::Greedy | CallKind::Status => {}
            // Whether it may be served is judged elsewhere: but it is never given the keys of others, nor its own twice.
            CallKind::Mistaken(mistake) if !mistake.is_of_slave() => {}
            CallKind::Slave | CallKind::SlaveRetry | CallKind::Mistaken(_) => {
                for key in got {
                    let named = facts.slaves.get(&key.id);
                    let is_named = named.is_some_and(|saes| saes.contains(&call.sae));
                    verdict.expect(is_named, call.until_us, || Violation::SaeNotNamed {
                        sae: call.sae.clone(),
                        key: key.id,
                    });
                }
                once(&mut given, call, got, &mut verdict);
            }
            CallKind::SlaveAgain => once(&mut given, call, got, &mut verdict),
            CallKind::Intruder => {
                verdict.expect(got.is_empty(), call.until_us, || {
                    Violation::IntruderServed {
                        client: call.client,
                        call: call.id,
                    }
                });
            }
        }
    }
    verdict
}

/// Of the keys that a slave asks for, it gets none that it was given before.
fn once(given: &mut Given, call: &Call, got: &[Key], verdict: &mut Verdict) {
    for &asked in &call.key_ids {
        let before = given.get(&(call.sae.clone(), asked));
        if let Some(&(first, first_us)) = before {
            let again = got.iter().any(|key| key.id == asked);
            verdict.expect(!again, call.until_us, || Violation::FetchedTwice {
                key: asked,
                client: call.client,
                call: call.id,
                first,
                after_ms: (call.until_us - first_us) / 1000,
            });
        }
    }
    for key in got {
        let place = given.entry((call.sae.clone(), key.id));
        place.or_insert((call.id, call.until_us));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, SLAVE, Scene, fault, refused, unknown};
    use super::*;
    use crate::plan::{Fault, Plan};
    use crate::world::observer::record::{Key, Outcome};

    const INTRUDER: usize = 2;

    fn fetched(plan: impl FnOnce(&mut Plan)) -> (Scene, Vec<Key>) {
        let mut scene = Scene::new(plan);
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        (scene, keys)
    }

    #[test]
    fn the_named_sae_gets_the_keys_and_others_and_the_second_fetch_do_not() {
        let (scene, _) = fetched(|_| {});
        scene.call(0, CallKind::Intruder, INTRUDER, (1_500, 1_600), refused());
        scene.call(0, CallKind::SlaveAgain, SLAVE, (3_000, 3_100), refused());
        let verdict = scene.judge(check);
        verdict.must_hold();
        // Two keys at the SAE that gets them, the intruder, the same two keys again, and what `wire` finds of two keys at
        // five hubs.
        assert_eq!(verdict.evaluated, 2 + 1 + 2 + 2 * 5 * 3);
    }

    #[test]
    fn an_intruder_that_gets_keys_is_seen() {
        let (scene, keys) = fetched(|_| {});
        let outcome = Outcome::Keys(keys);
        scene.call(0, CallKind::Intruder, INTRUDER, (1_500, 1_600), outcome);
        scene
            .judge(check)
            .must_break("client 2 got the keys of call 0");
    }

    #[test]
    fn a_slave_that_is_not_named_is_seen() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        let outcome = Outcome::Keys(vec![keys[0].clone()]);
        scene.call(0, CallKind::Slave, MASTER, (2_000, 2_004), outcome);
        scene.judge(check).must_break("SAE carol got key");
    }

    #[test]
    fn a_second_fetch_that_gets_keys_is_seen() {
        let (scene, keys) = fetched(|_| {});
        let outcome = Outcome::Keys(vec![keys[1].clone()]);
        scene.call(0, CallKind::SlaveAgain, SLAVE, (3_000, 3_100), outcome);
        scene
            .judge(check)
            .must_break("twice, in calls 0 and 0, 1096 ms apart");
    }

    #[test]
    fn neither_time_nor_a_restart_of_the_client_excuses_a_second_time() {
        let restarts = |plan: &mut Plan| {
            let crash = Fault::CrashClient { client: SLAVE };
            plan.faults.push(fault(2_500, 2_600, crash));
        };
        let (scene, keys) = fetched(restarts);
        let outcome = Outcome::Keys(vec![keys[0].clone()]);
        scene.call(0, CallKind::SlaveAgain, SLAVE, (99_000, 99_100), outcome);
        scene.judge(check).must_break("97096 ms apart");
    }

    #[test]
    fn a_second_fetch_after_one_that_failed_may_succeed() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.call(0, CallKind::Slave, SLAVE, (2_000, 2_100), unknown());
        scene.call(
            0,
            CallKind::SlaveAgain,
            SLAVE,
            (3_000, 3_100),
            Outcome::Keys(keys),
        );
        scene.judge(check).must_hold();
    }
}
