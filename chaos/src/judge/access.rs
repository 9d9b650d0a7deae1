//! Access: only the named SAEs ever get a key, and each of them once; and on the wire, a hub hands shares out only as
//! they were deposited, to clients of the SAEs named.

mod wire;

use super::{Facts, Verdict, Violation};
use crate::plan::CLIENT_NAMES;
use crate::world::observer::record::CallKind;

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    wire::check(facts, &mut verdict);
    let plan = &facts.seen.plan;
    for call in &facts.seen.calls {
        let got_keys = call.outcome.keys().is_some();
        match call.kind {
            CallKind::Master => {}
            CallKind::Slave => {
                for key in call.outcome.keys().unwrap_or_default() {
                    let sae = CLIENT_NAMES[call.client];
                    let named = facts
                        .slaves
                        .get(&key.id)
                        .is_some_and(|saes| saes.iter().any(|s| s.as_str() == sae));
                    verdict.expect(named, call.until_us, || Violation::SaeNotNamed {
                        sae,
                        key: key.id,
                    });
                }
            }
            CallKind::Intruder => {
                verdict.expect(!got_keys, call.until_us, || Violation::IntruderServed {
                    client: call.client,
                    call: call.id,
                })
            }
            CallKind::SlaveAgain => {
                // What a KME has handed out is forgotten with it.
                let restarted = plan.is_client_down(call.client, 0, call.until_us / 1000 + 1);
                let first = facts
                    .calls(CallKind::Slave)
                    .find(|slave| slave.id == call.id && slave.client == call.client);
                let had_them = first.is_some_and(|first| first.outcome.keys().is_some());
                if had_them && !restarted {
                    verdict.expect(!got_keys, call.until_us, || Violation::FetchedTwice {
                        call: call.id,
                        client: call.client,
                    });
                }
            }
        }
    }
    verdict
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
        // Four at the SAEs, and what `wire` finds of two keys at five hubs.
        assert_eq!(verdict.evaluated, 4 + 2 * 5 * 3);
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
        scene.call(
            0,
            CallKind::SlaveAgain,
            SLAVE,
            (3_000, 3_100),
            Outcome::Keys(keys),
        );
        scene
            .judge(check)
            .must_break("the slave of call 0 got its keys twice");
    }

    #[test]
    fn a_client_that_restarted_has_forgotten_what_it_handed_out() {
        let down = |client| {
            move |plan: &mut Plan| {
                plan.faults
                    .push(fault(2_500, 2_600, Fault::CrashClient { client }));
            }
        };
        for (client, excused) in [(SLAVE, true), (MASTER, false)] {
            let (scene, keys) = fetched(down(client));
            scene.call(
                0,
                CallKind::SlaveAgain,
                SLAVE,
                (3_000, 3_100),
                Outcome::Keys(keys),
            );
            assert_eq!(scene.judge(check).broken.is_empty(), excused);
        }
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
