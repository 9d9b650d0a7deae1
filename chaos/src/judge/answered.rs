//! Answered: a KME that is up answers every call by an SAE within the call's deadline, whatever the answer is.

use super::{Facts, Verdict, Violation};
use crate::world::observer::record::Outcome;

/// Beyond the deadline and the way there and back, for what is not a wait: connecting, the ticks of the simulation.
const MARGIN_MS: u64 = 50;

/// Checks calls of every kind: a refusal has to come in time, too.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let plan = &facts.seen.plan;
    // Connecting takes a way there and back, and so does the call.
    let ways_ms = 4 * plan.cluster.latency_ms.1;
    let most_us = (plan.cluster.call_deadline_ms + ways_ms + MARGIN_MS) * 1000;
    for call in &facts.seen.calls {
        // What an SAE has asked a KME that goes down is lost, and so is a connection that it still holds to one that
        // went down shortly before.
        if facts.client_was_down(call) {
            continue;
        }
        let took_us = call.until_us - call.from_us;
        let answered = !matches!(call.outcome, Outcome::Unknown(_));
        verdict.expect(answered && took_us <= most_us, call.until_us, || {
            Violation::NotAnswered {
                call: call.id,
                kind: call.kind,
                client: call.client,
                within_ms: most_us / 1000,
                after_ms: took_us / 1000,
                end: call.outcome.line(),
            }
        });
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, SLAVE, Scene, fault, refused, unknown};
    use super::*;
    use crate::plan::Fault;
    use crate::world::observer::record::CallKind;

    /// The deadline of 3,000 ms, four ways of 8 ms, and the margin.
    const MOST_MS: u64 = 3_000 + 4 * 8 + MARGIN_MS;

    fn ends_after(took_ms: u64, outcome: Outcome) -> Scene {
        let scene = Scene::new(|_| {});
        let span = (5_000, 5_000 + took_ms);
        scene.call(0, CallKind::Master, MASTER, span, outcome);
        scene
    }

    #[test]
    fn keys_and_refusals_in_time_are_answers() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        scene.call(1, CallKind::Intruder, SLAVE, (3_000, 3_004), refused());
        let verdict = scene.judge(check);
        verdict.must_hold();
        assert_eq!(verdict.evaluated, 3);
    }

    #[test]
    fn an_answer_at_the_deadline_is_right_and_one_after_it_is_seen() {
        ends_after(MOST_MS, refused()).judge(check).must_hold();
        ends_after(MOST_MS + 1, refused())
            .judge(check)
            .must_break("call 0 (Master) had to be answered by client 0 within 3082 ms");
    }

    #[test]
    fn no_answer_is_seen_however_early_the_connection_broke() {
        ends_after(10, unknown())
            .judge(check)
            .must_break("it ended with: unknown");
    }

    #[test]
    fn a_kme_that_was_down_need_not_answer_and_another_must() {
        for (client, excused) in [(MASTER, true), (SLAVE, false)] {
            let scene = Scene::new(|plan| {
                plan.faults
                    .push(fault(5_500, 5_600, Fault::CrashClient { client }));
            });
            scene.call(0, CallKind::Master, MASTER, (5_000, 8_500), unknown());
            assert_eq!(scene.judge(check).broken.is_empty(), excused);
        }
    }
}
