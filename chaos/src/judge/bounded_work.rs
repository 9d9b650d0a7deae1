//! Bounded work: searching for keys takes no more work than the calls allow that are under way, whatever hubs answer.

use std::collections::BTreeMap;

use super::{Facts, Verdict, Violation};
use crate::world::observer::ClientWork;

/// Checks the work of each client between two polls, or between its start and the first one.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let limits = facts.seen.plan.cluster.limits;
    let mut before: BTreeMap<(usize, u32), ClientWork> = BTreeMap::new();
    for &now in &facts.seen.client_work {
        let last = before.insert((now.client, now.life), now);
        let last = last.unwrap_or(ClientWork {
            at_us: 0,
            subsets: 0,
            bytes: 0,
            ..now
        });
        let calls = searches(facts, now.client, last.at_us, now.at_us);
        for (what, done, most) in [
            (
                "subsets",
                now.subsets.saturating_sub(last.subsets),
                limits.subsets_max,
            ),
            (
                "bytes",
                now.bytes.saturating_sub(last.bytes),
                limits.search_bytes_max,
            ),
        ] {
            let max = calls * most as u64;
            verdict.expect(done <= max, now.at_us, || Violation::TooMuchWork {
                client: now.client,
                what,
                done,
                calls,
                max,
            });
        }
    }
    verdict
}

/// Searches that may have been under way at a client: one for each fetch, or for each key of it where keys are so large
/// that they are asked for in parts. Answers are checked until the deadline, also after the key was delivered.
fn searches(facts: &Facts<'_>, client: usize, from_us: u64, until_us: u64) -> u64 {
    let plan = &facts.seen.plan;
    let lasts_us = plan.cluster.call_deadline_ms * 1000;
    let in_parts = plan.calls.iter().any(|call| call.bits > 65_536);
    let calls = facts.seen.calls.iter().filter(|call| {
        call.kind.fetches()
            && call.client == client
            && call.from_us < until_us
            && from_us < call.until_us.max(call.from_us + lasts_us)
    });
    let parts = calls.map(|call| if in_parts { call.number.into() } else { 1 });
    parts.sum()
}

#[cfg(test)]
mod tests {
    use dske::protocol::limits::SUBSETS_MAX;

    use super::super::testing::{SLAVE, Scene, refused};
    use super::*;
    use crate::world::observer::record::CallKind;

    /// A fetch at 2 s, and a client that has tried so many subsets by 3 s, and by 9 s.
    fn tried(by_three: usize, by_nine: usize) -> Verdict {
        let scene = Scene::new(|_| {});
        scene.call(0, CallKind::Slave, SLAVE, (2_000, 2_100), refused());
        for (at_ms, subsets) in [
            (1_000, 0),
            (3_000, by_three),
            (6_000, by_three),
            (9_000, by_nine),
        ] {
            scene.see().client_work.push(ClientWork {
                at_us: at_ms * 1000,
                client: SLAVE,
                life: 0,
                subsets: subsets as u64,
                bytes: 0,
            });
        }
        scene.judge(check)
    }

    #[test]
    fn a_fetch_may_search_as_much_as_its_budget_and_no_more() {
        tried(0, 0).must_hold();
        tried(SUBSETS_MAX, SUBSETS_MAX).must_hold();
        tried(SUBSETS_MAX + 1, SUBSETS_MAX + 1).must_break("client 1 searched subsets 32769");
    }

    #[test]
    fn without_a_fetch_nothing_is_searched() {
        tried(0, 1).must_break("0 fetches were under way");
    }
}
