//! Availability: with at least K honest hubs in reach during the whole call, it succeeds within its deadline.
//!
//! When a failure is legitimate is said in one place, [`excuse`], with a reason for each case.

use super::{Facts, Verdict};
use crate::observer::record::{Call, CallKind, Outcome};

/// The nodes start at the same moment as the run, and have to find each other first.
const START_MS: u64 = 1_000;

/// Why a call may fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excuse {
    /// The nodes had just started.
    Starting,
    /// The client itself was down, or had just started.
    ClientDown,
    /// Fewer than K honest hubs were in reach, or hold a share.
    TooFewHubs {
        /// Honest hubs in reach.
        good: usize,
    },
}

/// Checks it.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    for call in &facts.seen.calls {
        if !matches!(call.kind, CallKind::Master | CallKind::Slave) || excuse(facts, call).is_some()
        {
            continue;
        }
        let succeeded = matches!(call.outcome, Outcome::Keys(_));
        verdict.expect(succeeded, call.until_us, || {
            format!(
                "call {} ({:?} at client {}) began at {} ms with K honest hubs in reach and had to succeed; it ended with: {}",
                call.id,
                call.kind,
                call.client,
                call.from_us / 1000,
                call.outcome.line()
            )
        });
    }
    verdict
}

/// Why a call may fail, if there is a reason.
#[must_use]
pub fn excuse(facts: &Facts<'_>, call: &Call) -> Option<Excuse> {
    let plan = &facts.seen.plan;
    let (from_ms, until_ms) = (call.from_us / 1000, call.until_us / 1000 + 1);
    if from_ms < START_MS {
        return Some(Excuse::Starting);
    }
    if plan.is_client_down(
        call.client,
        from_ms.saturating_sub(facts.settle_ms()),
        until_ms,
    ) {
        return Some(Excuse::ClientDown);
    }
    let mut good = facts.good_hubs(call.client, call.from_us, call.until_us);
    if call.kind == CallKind::Slave {
        let master = facts.master_of(call);
        let keys = master
            .and_then(|master| master.outcome.keys())
            .unwrap_or_default();
        for key in keys {
            good.retain(|&hub| holds(facts, hub, key.id, call));
        }
    }
    let enough = good.len() >= usize::from(plan.cluster.threshold);
    (!enough).then_some(Excuse::TooFewHubs { good: good.len() })
}

/// Whether a hub took the share before the call began, and has not been down since.
fn holds(facts: &Facts<'_>, hub: usize, key_id: dske::protocol::KeyId, call: &Call) -> bool {
    let accepted = facts.accepted.get(&key_id).and_then(|hubs| hubs.get(&hub));
    accepted.is_some_and(|&at_us| {
        at_us < call.from_us && !was_down(facts, hub, at_us / 1000, call.until_us / 1000 + 1)
    })
}

fn was_down(facts: &Facts<'_>, hub: usize, from_ms: u64, until_ms: u64) -> bool {
    facts.seen.plan.faults.iter().any(|planned| {
        matches!(planned.fault, crate::plan::Fault::CrashHub { hub: h } if h == hub)
            && planned.at_ms < until_ms
            && from_ms < planned.until_ms
    })
}
