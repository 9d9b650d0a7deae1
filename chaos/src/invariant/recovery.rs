//! Recovery: when the faults and lies are over, everything works again within a bounded time.

use super::{Facts, Verdict};
use crate::observer::record::{CallKind, Outcome};

/// Checks it: every call that begins after the bound succeeds, without any excuse.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let plan = &facts.seen.plan;
    let bound_us = (plan.heal_at_ms + plan.recovery_ms) * 1000;
    for call in &facts.seen.calls {
        let Some(master) = facts.master_of(call) else {
            continue;
        };
        // A slave's call belongs to what its master was given before.
        if !matches!(call.kind, CallKind::Master | CallKind::Slave) || master.from_us < bound_us {
            continue;
        }
        verdict.expect(matches!(call.outcome, Outcome::Keys(_)), call.until_us, || {
            format!(
                "call {} ({:?} at client {}) began {} ms after everything was healed and had to succeed; it ended with: {}",
                call.id,
                call.kind,
                call.client,
                call.from_us / 1000 - plan.heal_at_ms,
                call.outcome.line()
            )
        });
    }
    verdict
}
