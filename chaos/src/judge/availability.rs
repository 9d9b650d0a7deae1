//! Availability: with at least K honest hubs in reach during the whole call, it succeeds within its deadline.
//!
//! Failures that are legitimate are left out: [`super::excuse`] decides it.

use super::excuse::{excuse, is_owed};
use super::{Facts, Verdict, Violation};
use crate::world::observer::record::Outcome;

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    for call in facts.seen.calls.iter().filter(|call| is_owed(call)) {
        if excuse(facts, call).is_some() {
            continue;
        }
        let succeeded = matches!(call.outcome, Outcome::Keys(_));
        verdict.expect(succeeded, call.until_us, || Violation::NotServed {
            call: call.id,
            kind: call.kind,
            client: call.client,
            at_ms: call.from_us / 1000,
            end: call.outcome.line(),
        });
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, SLAVE, Scene, fault, master_refused, refused, unknown};
    use super::*;
    use crate::plan::Fault;
    use crate::world::observer::record::CallKind;

    #[test]
    fn calls_that_succeed_are_right() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 5_000);
        scene.fetch(0, 6_000, &keys);
        let verdict = scene.judge(check);
        verdict.must_hold();
        assert_eq!(verdict.evaluated, 2);
    }

    #[test]
    fn a_refusal_and_an_unknown_outcome_without_a_reason_are_seen() {
        master_refused(|_| {})
            .judge(check)
            .must_break("it ended with: 503");
        let scene = Scene::new(|_| {});
        scene.call(0, CallKind::Master, MASTER, (5_000, 5_100), unknown());
        scene
            .judge(check)
            .must_break("it ended with: unknown: no answer");
    }

    #[test]
    fn a_call_that_must_fail_is_not_asked_for_success() {
        let scene = Scene::new(|_| {});
        for kind in [CallKind::Intruder, CallKind::SlaveAgain] {
            scene.call(0, kind, SLAVE, (5_000, 5_100), refused());
        }
        assert_eq!(scene.judge(check), Verdict::default());
    }

    #[test]
    fn what_is_excused_is_not_asked_for_success() {
        // K = 3 of N = 5.
        let crashes = |hubs: usize| {
            let down = (0..hubs).map(|hub| fault(5_050, 5_060, Fault::CrashHub { hub }));
            master_refused(|plan| plan.faults.extend(down)).judge(check)
        };
        assert_eq!(crashes(3), Verdict::default());
        crashes(2).must_break("with K honest hubs in reach");
    }
}
