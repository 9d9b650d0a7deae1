//! Waiting: a call waits for a hub no longer than `docs/protocol.md` §5 says, and no shorter.
//!
//! Once K hubs hold the keys of a call, it ends when all others have answered, too, or when the grace period is over. A hub
//! that kept an earlier call waiting in vain is left out of this wait, until it has answered within the grace period of a
//! later call.
//!
//! What a client does is seen where its messages pass, and what an SAE is told where it arrives. Between the two lies a way
//! through the network, which is why a hub may be surely slow, surely prompt, or neither: `calls` tells which.
//!
//! What waits longest for a hub leaves first: `order`.

mod calls;
mod order;

use super::{Facts, Verdict};
use calls::{MasterCall, MasterCalls};

/// Beyond the ways, for what is no way: the ticks of the simulation.
const MARGIN_US: u64 = 20_000;

/// A failed exchange takes longer than this: all pauses between its attempts together.
const PAUSES_US: u64 = 750_000;

/// A call that ended too late or too soon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the line of each variant says what its fields are"
)]
pub enum WrongWait {
    #[error(
        "call {call} at client {client} ended {late_ms} ms after the last answer that it had to wait for; silent were {silent:?}, which had kept earlier calls waiting in vain"
    )]
    TooLong {
        call: u32,
        client: usize,
        silent: Vec<usize>,
        late_ms: u64,
    },
    #[error(
        "call {call} at client {client} ended {after_ms} ms after K hubs held its keys, without hub {hub}, which had been prompt; the grace period is {grace_ms} ms"
    )]
    TooShort {
        call: u32,
        client: usize,
        hub: usize,
        after_ms: u64,
        grace_ms: u64,
    },
    #[error(
        "call {call} at client {client} left for hub {hub} {earlier_ms} ms after call {by}, which had come later"
    )]
    Overtaken {
        call: u32,
        client: usize,
        hub: usize,
        by: u32,
        earlier_ms: u64,
    },
}

/// Checks every call of a master that was given keys, and the order of what waits.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    // A call does not wait for a hub that its link has no room for.
    if facts.seen.plan.has_narrow_links() {
        return verdict;
    }
    for client in 0..usize::from(facts.seen.plan.cluster.clients) {
        let calls = MasterCalls::of(facts, client);
        for call in calls.given() {
            wait(facts, &calls, call, &mut verdict);
        }
    }
    order::check(facts, &mut verdict);
    verdict
}

/// How long a call waited for hubs once K held its keys.
fn wait(facts: &Facts<'_>, calls: &MasterCalls<'_>, given: &MasterCall<'_>, verdict: &mut Verdict) {
    let (cluster, call) = (&facts.seen.plan.cluster, given.call);
    let Some(quorum_us) = given.quorum_us(cluster.threshold.into()) else {
        return;
    };
    let slack_us = 2_000 * cluster.latency_ms.1 + MARGIN_US;
    let silent = given.silent(usize::from(cluster.hubs));
    if silent.iter().all(|hub| calls.is_slow(given, *hub)) {
        let last_us = given.last_answer_us().max(quorum_us);
        let is_in_time = call.until_us <= last_us + slack_us;
        verdict.expect(is_in_time, call.until_us, || {
            WrongWait::TooLong {
                call: call.id,
                client: call.client,
                silent: silent.clone(),
                late_ms: (call.until_us - last_us) / 1000,
            }
            .into()
        });
    }
    // By then the exchange with a silent hub may have failed, and the hub is not waited for any more.
    let most_us = (cluster.call_deadline_ms * 1000).min(PAUSES_US);
    let over_us = (quorum_us + cluster.grace_ms * 1000).min(call.from_us + most_us);
    if let Some(&hub) = silent.iter().find(|hub| calls.is_prompt(given, **hub)) {
        verdict.expect(call.until_us >= over_us, call.until_us, || {
            WrongWait::TooShort {
                call: call.id,
                client: call.client,
                hub,
                after_ms: call.until_us.saturating_sub(quorum_us) / 1000,
                grace_ms: cluster.grace_ms,
            }
            .into()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, Scene};
    use super::*;
    use crate::world::observer::record::{CallKind, Seen};

    /// A key is established, and the SAE has it so many milliseconds later. Of some hubs the client hears that much later than
    /// of others, or never.
    fn call(scene: &mut Scene, id: u32, at_ms: u64, took_ms: u64, late: &[(usize, Option<u64>)]) {
        scene.establish(id, at_ms);
        let mut seen = scene.see();
        let ended = seen.calls.last_mut().unwrap();
        ended.until_us = (at_ms + took_ms) * 1000;
        for (hub, ms) in late {
            let from_us = at_ms * 1000;
            seen.messages.retain_mut(|message| {
                let is_heard = matches!(message.what, Seen::Heard { .. });
                if message.hub != *hub || !is_heard || message.at_us < from_us {
                    return true;
                }
                message.at_us = from_us + ms.unwrap_or_default() * 1000;
                ms.is_some()
            });
        }
        seen.messages.sort_by_key(|message| message.at_us);
    }

    fn failed(scene: &Scene, id: u32, from_ms: u64, until_ms: u64) {
        let refused = super::super::testing::refused();
        scene.call(id, CallKind::Master, MASTER, (from_ms, until_ms), refused);
    }

    #[test]
    fn a_call_ends_when_all_have_answered_and_not_later() {
        let mut scene = Scene::new(|_| {});
        // All have been heard by 1.003 s. A way takes 8 ms.
        call(&mut scene, 0, 1_000, 39, &[]);
        scene.judge(check).must_hold();
        call(&mut scene, 1, 2_000, 40, &[]);
        let verdict = scene.judge(check);
        verdict.must_break("call 1 at client 0 ended 37 ms after the last answer");
    }

    #[test]
    fn an_answer_after_which_the_hub_is_asked_again_is_none() {
        let mut scene = Scene::new(|_| {});
        call(&mut scene, 0, 1_000, 70, &[]);
        let body = scene.last_deposit(4);
        let verdict = scene.judge(check);
        verdict.must_break("call 0 at client 0 ended 67 ms after the last answer");
        scene.deposit_again(4, 1_055, &body);
        scene.judge(check).must_hold();
    }

    #[test]
    fn a_silent_hub_is_waited_for_once() {
        let mut scene = Scene::new(|_| {});
        call(&mut scene, 0, 1_000, 210, &[(4, None)]);
        call(&mut scene, 1, 2_000, 10, &[(4, None)]);
        scene.judge(check).must_hold();
        call(&mut scene, 2, 3_000, 210, &[(4, None)]);
        let verdict = scene.judge(check);
        verdict.must_break("call 2 at client 0 ended 207 ms after the last answer");
        verdict.must_break("silent were [4]");
    }

    #[test]
    fn another_hub_may_be_waited_for() {
        let mut scene = Scene::new(|_| {});
        call(&mut scene, 0, 1_000, 210, &[(4, None)]);
        call(&mut scene, 1, 2_000, 210, &[(3, None), (4, None)]);
        call(&mut scene, 2, 3_000, 10, &[(3, None), (4, None)]);
        scene.judge(check).must_hold();
    }

    #[test]
    fn a_prompt_hub_is_not_left_out() {
        let mut scene = Scene::new(|_| {});
        call(&mut scene, 0, 1_000, 10, &[(4, None)]);
        let verdict = scene.judge(check);
        verdict.must_break("ended 7 ms after K hubs held its keys, without hub 4");
    }

    #[test]
    fn a_hub_that_was_in_time_again_is_waited_for_again() {
        for (late_ms, waits) in [(200, true), (240, false)] {
            let mut scene = Scene::new(|_| {});
            call(&mut scene, 0, 1_000, 210, &[(4, None)]);
            // Not waited for, and heard all the same.
            call(&mut scene, 1, 2_000, 10, &[(4, Some(late_ms))]);
            scene.judge(check).must_hold();
            call(&mut scene, 2, 3_000, 10, &[(4, None)]);
            let verdict = scene.judge(check);
            if waits {
                verdict.must_break("call 2 at client 0 ended 7 ms after K hubs");
            } else {
                verdict.must_hold();
            }
        }
    }

    #[test]
    fn after_a_restart_and_after_a_failure_nobody_knows() {
        for is_restart in [true, false] {
            let mut scene = Scene::new(|_| {});
            call(&mut scene, 0, 1_000, 210, &[(4, None)]);
            if is_restart {
                scene.see().client_starts.insert((MASTER, 1), 1_500_000);
                call(&mut scene, 1, 2_000, 210, &[(4, None)]);
            } else {
                call(&mut scene, 1, 2_000, 10, &[(4, Some(9))]);
                failed(&scene, 2, 2_100, 2_500);
                call(&mut scene, 3, 3_000, 10, &[(4, None)]);
            }
            scene.judge(check).must_hold();
        }
    }
}
