//! What waits for a hub leaves its client in the order in which it came (`docs/protocol.md` §4): an operation that surely came
//! before another one leaves no later.
//!
//! When an operation comes is known from its call, give or take the way of that. One that an attempt to reach the hub has
//! failed for, or that may have waited for PSRD, has lost its place: it is not judged.

use std::collections::BTreeMap;

use dske::protocol::KeyId;
use dske::protocol::batch::{self, operations_of};
use dske::protocol::initiator::KeySource;

use super::super::{Facts, Verdict};
use super::{MARGIN_US, WrongWait};
use crate::plan::Fault;
use crate::world::observer::record::{CallKind, Seen};

/// An operation of a call, and when it first left for a hub.
struct Operation {
    call: u32,
    /// When it may have come to the link at the earliest, and at the latest.
    came_us: (u64, u64),
    left_us: u64,
}

/// A request to a hub: when it left, and when its answer was heard.
struct Asked {
    sent_us: u64,
    heard_us: Option<u64>,
}

/// Checks every link of every client.
pub(super) fn check(facts: &Facts<'_>, verdict: &mut Verdict) {
    // Keys from PSRD are only drawn when all links have some: nobody outside sees when.
    if facts.seen.plan.cluster.key_source == KeySource::Psrd {
        return;
    }
    for link in facts.links() {
        let operations = operations(facts, link);
        let asked = asked(facts, link);
        for operation in &operations {
            if may_have_lost_its_place(facts, link, operation, &asked) {
                continue;
            }
            let (client, hub) = link;
            let before = operations.iter().find(|other| {
                other.came_us.0 > operation.came_us.1 && other.left_us < operation.left_us
            });
            verdict.expect_none(before, operation.left_us, |before| {
                WrongWait::Overtaken {
                    call: operation.call,
                    client,
                    hub,
                    by: before.call,
                    earlier_ms: (operation.left_us - before.left_us) / 1000,
                }
                .into()
            });
        }
    }
}

/// The first operations of the calls at a client, as far as they have left for a hub.
fn operations(facts: &Facts<'_>, (client, hub): (usize, usize)) -> Vec<Operation> {
    let left = first_left(facts, (client, hub));
    let way_us = facts.seen.plan.cluster.latency_ms;
    let calls = facts.seen.calls.iter().filter(|call| call.client == client);
    let operations = calls.filter_map(|call| {
        let key = match call.kind {
            CallKind::Master | CallKind::Greedy => (true, call.outcome.keys()?.first()?.id),
            CallKind::Slave => (false, *call.key_ids.first()?),
            _ => return None,
        };
        let left_us = *left.get(&key)?;
        // There may have to be a connection first.
        let came_us = (
            call.from_us + 1_000 * way_us.0,
            call.from_us + 3_000 * way_us.1 + MARGIN_US,
        );
        let operation = Operation {
            call: call.id,
            came_us,
            left_us,
        };
        (call.from_us..=call.until_us)
            .contains(&left_us)
            .then_some(operation)
    });
    operations.collect()
}

/// Whether it is a deposit, and the first key → when such an operation first left.
fn first_left(facts: &Facts<'_>, link: (usize, usize)) -> BTreeMap<(bool, KeyId), u64> {
    let mut left = BTreeMap::new();
    for message in &facts.seen.messages {
        let Seen::Sent(request) = &message.what else {
            continue;
        };
        if (message.client, message.hub) != (Some(link.0), link.1) {
            continue;
        }
        for operation in operations_of(request).unwrap_or_default() {
            let key = match &operation {
                batch::Operation::Deposit(body) => body.keys.first().map(|key| (true, key.key_id)),
                batch::Operation::Fetch(query) => query.key_ids.first().map(|id| (false, *id)),
                batch::Operation::Withdraw(_) => None,
            };
            if let Some(key) = key {
                left.entry(key).or_insert(message.at_us);
            }
        }
    }
    left
}

fn asked(facts: &Facts<'_>, link: (usize, usize)) -> Vec<Asked> {
    let of_link = facts
        .seen
        .messages
        .iter()
        .filter(|message| (message.client, message.hub) == (Some(link.0), link.1));
    let mut asked = Vec::new();
    let mut number_of = BTreeMap::new();
    for message in of_link {
        match &message.what {
            Seen::Sent(request) => {
                number_of.insert(&request.signature, asked.len());
                asked.push(Asked {
                    sent_us: message.at_us,
                    heard_us: None,
                });
            }
            Seen::Heard { to, .. } => {
                if let Some(number) = number_of.get(&to.signature) {
                    asked[*number].heard_us = Some(message.at_us);
                }
            }
            Seen::Arrived(_) | Seen::Said { .. } => {}
        }
    }
    asked
}

/// Whether it may have come to the queue once more before it left: when there was PSRD again, or after an attempt that all who
/// waited had shared.
fn may_have_lost_its_place(
    facts: &Facts<'_>,
    (client, hub): (usize, usize),
    operation: &Operation,
    asked: &[Asked],
) -> bool {
    let plan = &facts.seen.plan;
    let waited = operation.came_us.0..operation.left_us;
    let had_no_psrd = facts.seen.provisions.iter().any(|provision| {
        (provision.client, provision.hub) == (client, hub)
            && (waited.start..=waited.end).contains(&provision.at_us)
    });
    let timeout_us = 1000 * plan.cluster.request_timeout_ms;
    let has_failed = |asked: &Asked| {
        waited.contains(&asked.sent_us)
            && asked.heard_us.is_none_or(|at_us| at_us > waited.end)
            && asked.sent_us + timeout_us <= waited.end + MARGIN_US
    };
    // Whoever is down refuses at once.
    let was_down = plan.faults.iter().any(|planned| {
        let is_about = match planned.fault {
            Fault::CrashHub { hub: down } => down == hub,
            Fault::CrashClient { client: down } => down == client,
            _ => false,
        };
        is_about && planned.at_ms * 1000 <= waited.end && waited.start <= planned.until_ms * 1000
    });
    had_no_psrd || was_down || asked.iter().any(has_failed)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{MASTER, Scene, fault};
    use super::*;

    /// Two calls of the master, so many milliseconds apart. What the first one sends to hub 2 leaves when the second one has
    /// been there for 100 ms, and what that sends leaves this much later or, if it is negative, sooner.
    fn two(apart_ms: u64, later_ms: i64) -> Scene {
        let mut scene = Scene::new(|_| {});
        scene.see().provisions.clear();
        let second_ms = 2_000 + apart_ms;
        scene.establish(0, 2_000);
        scene.establish(1, second_ms);
        let left_us = (second_ms + 100) * 1000;
        let mut seen = scene.see();
        for call in &mut seen.calls {
            call.until_us = left_us + 400_000;
        }
        for message in &mut seen.messages {
            if (message.client, message.hub) != (Some(MASTER), 2) {
                continue;
            }
            let is_second = message.at_us >= second_ms * 1000;
            let is_heard = matches!(message.what, Seen::Heard { .. });
            let sent_us = match is_second {
                true => left_us.saturating_add_signed(later_ms * 1000),
                false => left_us,
            };
            message.at_us = sent_us + u64::from(is_heard) * 2_000;
        }
        drop(seen);
        scene
    }

    fn order(facts: &Facts<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        check(facts, &mut verdict);
        verdict
    }

    const OVERTAKEN: &str =
        "call 0 at client 0 left for hub 2 20 ms after call 1, which had come later";

    #[test]
    fn what_came_first_leaves_first() {
        two(300, 20).judge(order).must_hold();
        two(300, 0).judge(order).must_hold();
        two(300, -20).judge(order).must_break(OVERTAKEN);
    }

    #[test]
    fn of_calls_at_nearly_the_same_moment_either_may_have_come_first() {
        two(40, -20).judge(order).must_hold();
    }

    #[test]
    fn what_has_lost_its_place_may_leave_later() {
        use crate::world::observer::record::{Provision, Provisioned};
        let scene = two(300, -20);
        scene.see().provisions.push(Provision {
            at_us: 2_390_000,
            after: 0,
            client: MASTER,
            hub: 2,
            what: Provisioned::Registered,
        });
        scene.judge(order).must_hold();
        for (down, is_excused) in [(2, true), (3, false)] {
            let scene = two(300, -20);
            let mut seen = scene.see();
            let plan = std::rc::Rc::make_mut(&mut seen.plan);
            let crash = Fault::CrashHub { hub: down };
            plan.faults.push(fault(2_200, 2_300, crash));
            drop(seen);
            let verdict = scene.judge(order);
            assert_eq!(verdict.broken.is_empty(), is_excused, "{down}");
        }
    }

    #[test]
    fn an_attempt_that_fails_has_failed_for_all_who_wait() {
        // The third call's request leaves just after the first call has come, and is never answered.
        for (timeout_ms, is_excused) in [(300, true), (500, false)] {
            let mut scene = two(300, -20);
            scene.establish(2, 2_050);
            let mut seen = scene.see();
            let plan = std::rc::Rc::make_mut(&mut seen.plan);
            plan.cluster.request_timeout_ms = timeout_ms;
            seen.messages.retain(|message| {
                let is_third = (2_050_000..2_300_000).contains(&message.at_us);
                let is_heard = matches!(message.what, Seen::Heard { .. });
                !(is_third && is_heard && message.hub == 2)
            });
            seen.calls.truncate(2);
            drop(seen);
            let verdict = scene.judge(order);
            assert_eq!(
                verdict.broken.is_empty(),
                is_excused,
                "{:?}",
                verdict.broken
            );
        }
    }
}
