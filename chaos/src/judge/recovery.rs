//! Recovery: when the faults and lies are over, everything works again within a bounded time.

use super::excuse::{Excuse, excuse, is_owed};
use super::{Facts, Verdict, Violation};
use crate::world::observer::record::{CallKind, Outcome};

/// Checks that every call that begins after the bound succeeds, without any excuse but that of too many calls at once. A slave
/// that comes when the shares may have expired is owed nothing.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let plan = &facts.seen.plan;
    let bound_us = (plan.heal_at_ms + plan.recovery_ms) * 1000;
    let ttl_us = plan.cluster.share_ttl_ms * 1000;
    for call in &facts.seen.calls {
        let Some(master) = facts.master_of(call) else {
            continue;
        };
        // A slave's call belongs to what its master was given before.
        let may_have_expired =
            call.kind != CallKind::Master && call.until_us >= master.from_us + ttl_us;
        if !is_owed(call) || master.from_us < bound_us || may_have_expired {
            continue;
        }
        // An SAE that asks for more than there is room for is refused at any time.
        let is_too_much = excuse(facts, call) == Some(Excuse::Busy);
        verdict.expect(
            matches!(call.outcome, Outcome::Keys(_)) || is_too_much,
            call.until_us,
            || Violation::NotRecovered {
                call: call.id,
                kind: call.kind,
                client: call.client,
                after_ms: call.from_us / 1000 - plan.heal_at_ms,
                end: call.outcome.line(),
            },
        );
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, SLAVE, Scene, refused, unknown};
    use super::*;

    /// When recovery is demanded, in milliseconds.
    fn bound_ms(scene: &Scene) -> u64 {
        let seen = scene.see();
        seen.plan.heal_at_ms + seen.plan.recovery_ms
    }

    #[test]
    fn calls_that_work_after_the_bound_are_right() {
        let mut scene = Scene::new(|_| {});
        let at_ms = bound_ms(&scene);
        let keys = scene.establish(0, at_ms);
        scene.fetch(0, at_ms + 500, &keys);
        let verdict = scene.judge(check);
        verdict.must_hold();
        assert_eq!(verdict.evaluated, 2);
    }

    #[test]
    fn before_the_bound_a_call_may_fail_and_from_it_on_not() {
        let scene = Scene::new(|_| {});
        let at_ms = bound_ms(&scene);
        scene.call(
            0,
            CallKind::Master,
            MASTER,
            (at_ms - 1, at_ms + 9),
            refused(),
        );
        assert_eq!(scene.judge(check), Verdict::default());
        scene.call(1, CallKind::Master, MASTER, (at_ms, at_ms + 9), refused());
        scene
            .judge(check)
            .must_break("call 1 (Master at client 0) began 3000 ms after");
    }

    #[test]
    fn an_unknown_outcome_is_no_recovery() {
        let scene = Scene::new(|_| {});
        let at_ms = bound_ms(&scene);
        scene.call(0, CallKind::Master, MASTER, (at_ms, at_ms + 9), unknown());
        scene.judge(check).must_break("it ended with: unknown");
    }

    #[test]
    fn a_slave_that_comes_when_shares_may_have_expired_may_be_refused() {
        let fetched_at = |after_ms: u64| {
            let mut scene = Scene::new(|_| {});
            let at_ms = bound_ms(&scene);
            scene.establish(0, at_ms);
            let span = (at_ms + after_ms - 4, at_ms + after_ms);
            scene.call(0, CallKind::Slave, SLAVE, span, refused());
            scene.judge(check)
        };
        // Shares live for 8 s.
        fetched_at(7_999).must_break("call 0 (Slave at client 1)");
        fetched_at(8_000).must_hold();
    }

    #[test]
    fn a_slave_belongs_to_its_master() {
        let mut scene = Scene::new(|_| {});
        let at_ms = bound_ms(&scene);
        // What was deposited before the bound may be lost.
        scene.establish(0, at_ms - 10);
        scene.call(
            0,
            CallKind::Slave,
            SLAVE,
            (at_ms + 10, at_ms + 20),
            refused(),
        );
        assert_eq!(scene.judge(check), Verdict::default());
        scene.establish(1, at_ms);
        scene.call(
            1,
            CallKind::Slave,
            SLAVE,
            (at_ms + 10, at_ms + 20),
            refused(),
        );
        scene.judge(check).must_break("call 1 (Slave at client 1)");
    }
}
