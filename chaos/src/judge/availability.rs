//! Availability: with at least K honest hubs in reach during the whole call, it succeeds within its deadline.
//!
//! One place, [`excuse`], decides when a failure is legitimate, with a reason for each case.

use super::{Facts, Verdict, Violation};
use crate::plan::{Plan, PlannedCall, share_bytes};
use crate::world::observer::record::{Call, CallKind, Outcome};

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
    /// The SAE had asked for more keys than hubs guarantee it room for.
    BeyondGuarantee,
}

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    for call in &facts.seen.calls {
        if !matches!(call.kind, CallKind::Master | CallKind::Slave) || excuse(facts, call).is_some()
        {
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
        for key in facts.keys_of_master(call) {
            good.retain(|&hub| holds(facts, hub, key.id, call));
        }
    }
    if call.kind == CallKind::Master && is_beyond_guarantee(plan, call) {
        return Some(Excuse::BeyondGuarantee);
    }
    let enough = good.len() >= hubs_needed(facts, call);
    (!enough).then_some(Excuse::TooFewHubs { good: good.len() })
}

/// How many hubs a call needs. A client that has just started cannot know what it handed out before. An earlier life of it
/// may have handed a key out that shares of K hubs made, so that it needs more fresh shares than are left then.
fn hubs_needed(facts: &Facts<'_>, call: &Call) -> usize {
    let cluster = &facts.seen.plan.cluster;
    let (hubs, threshold) = (usize::from(cluster.hubs), usize::from(cluster.threshold));
    // The time to live, the background, which is twice the deadline, and the deadline.
    let unsure_us = 1000 * (cluster.share_ttl_ms + 3 * cluster.call_deadline_ms);
    let starts = facts.seen.client_starts.iter();
    let mut starts = starts.filter(|((client, _), _)| *client == call.client);
    let is_unsure = starts.any(|(_, &at_us)| (at_us..at_us + unsure_us).contains(&call.from_us));
    match call.kind {
        CallKind::Slave if is_unsure => threshold.max(hubs - threshold + 1),
        _ => threshold,
    }
}

/// Whether the shares of an SAE may be more than hubs guarantee it room for: of all the keys that it had asked for by the
/// end of a call and that may still be held, however soon they were fetched.
fn is_beyond_guarantee(plan: &Plan, call: &Call) -> bool {
    let cluster = &plan.cluster;
    let (from_ms, until_ms) = (call.from_us / 1000, call.until_us / 1000);
    // A share may come in the background.
    let lives_ms = cluster.share_ttl_ms + 2 * cluster.call_deadline_ms;
    let lasts_ms = |planned: &PlannedCall| cluster.call_deadline_ms * u64::from(planned.together);
    let asked = plan.calls.iter().filter(|planned| {
        planned.master == call.client
            && planned.at_ms <= until_ms
            && from_ms < planned.at_ms + lasts_ms(planned) + lives_ms
    });
    let (mut shares, mut bytes) = (0, 0);
    for planned in asked {
        shares += planned.keys();
        bytes += planned.keys() * share_bytes(planned.bits);
    }
    plan.guarantee(plan.client_name(call.client))
        .is_some_and(|guarantee| shares > guarantee.shares || bytes > guarantee.bytes)
}

/// Whether a hub took the share before the call began, has not been down since, and lets it live until the call is over.
fn holds(facts: &Facts<'_>, hub: usize, key_id: dske::protocol::KeyId, call: &Call) -> bool {
    let accepted = facts.accepted.get(&key_id).and_then(|hubs| hubs.get(&hub));
    let ttl_us = facts.seen.plan.cluster.share_ttl_ms * 1000;
    accepted.is_some_and(|&at_us| {
        at_us < call.from_us
            && call.until_us < at_us + ttl_us
            && !was_down(facts, hub, at_us / 1000, call.until_us / 1000 + 1)
    })
}

pub(super) fn was_down(facts: &Facts<'_>, hub: usize, from_ms: u64, until_ms: u64) -> bool {
    facts.seen.plan.faults.iter().any(|planned| {
        matches!(planned.fault, crate::plan::Fault::CrashHub { hub: h } if h == hub)
            && planned.at_ms < until_ms
            && from_ms < planned.until_ms
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, SLAVE, Scene, fault, liar, refused, unknown};
    use super::*;
    use crate::plan::Fault;

    /// A call by the master from 5.000 s to 5.100 s that is refused, under a plan.
    fn master_refused(plan: impl FnOnce(&mut Plan)) -> Scene {
        let scene = Scene::new(plan);
        scene.call(0, CallKind::Master, MASTER, (5_000, 5_100), refused());
        scene
    }

    fn excuse_of(scene: &Scene) -> Option<Excuse> {
        let seen = scene.see();
        let facts = Facts::new(&seen);
        excuse(&facts, facts.seen.calls.last().unwrap())
    }

    fn crash(hub: usize, at_ms: u64, until_ms: u64) -> crate::plan::PlannedFault {
        fault(at_ms, until_ms, Fault::CrashHub { hub })
    }

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
    fn just_after_the_start_calls_may_fail() {
        let scene = Scene::new(|_| {});
        scene.call(0, CallKind::Master, MASTER, (999, 1_100), refused());
        assert_eq!(excuse_of(&scene), Some(Excuse::Starting));
        scene.call(1, CallKind::Master, MASTER, (1_000, 1_100), refused());
        assert_eq!(excuse_of(&scene), None);
        scene.judge(check).must_break("call 1");
    }

    #[test]
    fn a_client_that_was_down_is_excused_and_another_is_not() {
        let down = |client| {
            move |plan: &mut Plan| {
                plan.faults
                    .push(fault(4_500, 4_600, Fault::CrashClient { client }));
            }
        };
        assert_eq!(
            excuse_of(&master_refused(down(MASTER))),
            Some(Excuse::ClientDown)
        );
        assert_eq!(excuse_of(&master_refused(down(SLAVE))), None);
    }

    #[test]
    fn fewer_than_k_good_hubs_are_an_excuse_and_k_are_none() {
        // K = 3 of N = 5.
        let crashes = |hubs: usize| {
            move |plan: &mut Plan| {
                plan.faults
                    .extend((0..hubs).map(|hub| crash(hub, 5_050, 5_060)))
            }
        };
        assert_eq!(excuse_of(&master_refused(crashes(2))), None);
        let excuse = excuse_of(&master_refused(crashes(3)));
        assert_eq!(excuse, Some(Excuse::TooFewHubs { good: 2 }));
        assert_eq!(master_refused(crashes(3)).judge(check).broken, []);
        master_refused(crashes(2))
            .judge(check)
            .must_break("with K honest hubs in reach");
    }

    #[test]
    fn liars_and_partitions_count_as_bad_hubs_together() {
        let plan = |more: bool| {
            move |plan: &mut Plan| {
                plan.liars.push(liar(0));
                let hubs = if more { vec![1, 2] } else { vec![0, 1] };
                let clients = vec![MASTER];
                plan.faults
                    .push(fault(4_900, 9_000, Fault::Partition { clients, hubs }));
            }
        };
        assert_eq!(excuse_of(&master_refused(plan(false))), None);
        let excuse = excuse_of(&master_refused(plan(true)));
        assert_eq!(excuse, Some(Excuse::TooFewHubs { good: 2 }));
    }

    #[test]
    fn faults_of_others_of_earlier_and_floods_are_no_excuse() {
        let scene = master_refused(|plan| {
            let hubs: Vec<usize> = (0..5).collect();
            let of_another = Fault::Partition {
                clients: vec![SLAVE],
                hubs,
            };
            plan.faults.push(fault(4_000, 9_000, of_another));
            // The settling time is twice the request timeout of 500 ms.
            plan.faults
                .extend((0..5).map(|hub| crash(hub, 3_000, 4_000)));
            let flood = |hub| {
                fault(
                    4_000,
                    9_000,
                    Fault::Flood {
                        hub,
                        per_second: 50,
                    },
                )
            };
            plan.faults.extend((0..5).map(flood));
        });
        assert_eq!(excuse_of(&scene), None);
        let scene = master_refused(|plan| {
            plan.faults
                .extend((0..5).map(|hub| crash(hub, 3_000, 4_001)))
        });
        assert_eq!(excuse_of(&scene), Some(Excuse::TooFewHubs { good: 0 }));
    }

    #[test]
    fn a_slave_needs_k_hubs_that_still_hold_the_share() {
        let fetch_after = |hubs: usize| {
            let mut scene = Scene::new(|plan| {
                plan.faults
                    .extend((0..hubs).map(|hub| crash(hub, 5_500, 5_600)));
            });
            scene.establish(0, 5_000);
            scene.call(0, CallKind::Slave, SLAVE, (9_000, 9_100), refused());
            excuse_of(&scene)
        };
        assert_eq!(fetch_after(2), None);
        assert_eq!(fetch_after(3), Some(Excuse::TooFewHubs { good: 2 }));
    }

    #[test]
    fn a_client_that_has_just_started_needs_more_hubs_to_fetch() {
        // Of 7 hubs with a threshold of 3 it needs 5.
        let fetch = |hubs_down: usize, from_ms: u64| {
            let mut scene = Scene::new(|plan| {
                plan.cluster.hubs = 7;
                plan.faults
                    .extend((0..hubs_down).map(|hub| crash(hub, 5_500, 5_600)));
            });
            scene.see().client_starts.insert((SLAVE, 1), 1_000_000);
            scene.establish(0, 5_000);
            scene.call(
                0,
                CallKind::Slave,
                SLAVE,
                (from_ms, from_ms + 100),
                refused(),
            );
            excuse_of(&scene)
        };
        assert_eq!(fetch(2, 9_000), None);
        assert_eq!(fetch(3, 9_000), Some(Excuse::TooFewHubs { good: 4 }));
        // The shares of 8 s would not live any more.
        let unsure = |from_ms: u64| {
            let scene = Scene::new(|plan| plan.cluster.hubs = 7);
            scene.see().client_starts.insert((SLAVE, 1), 1_000_000);
            let span = (from_ms, from_ms + 100);
            scene.call(0, CallKind::Slave, SLAVE, span, refused());
            let seen = scene.see();
            let facts = Facts::new(&seen);
            hubs_needed(&facts, &seen.calls[0])
        };
        assert_eq!((unsure(17_999), unsure(18_000)), (5, 3));
    }

    #[test]
    fn keys_beyond_what_hubs_guarantee_room_for_may_be_refused() {
        let refused_with_room_for = |shares: u64| {
            let scene = Scene::new(|plan| {
                plan.cluster.shares_per_hub_max = shares;
                plan.calls.truncate(2);
                for (call, at_ms) in plan.calls.iter_mut().zip([4_000, 5_000]) {
                    (call.master, call.at_ms, call.number) = (MASTER, at_ms, 10);
                }
            });
            scene.call(1, CallKind::Master, MASTER, (5_000, 5_100), refused());
            excuse_of(&scene)
        };
        // A sixth for each of three clients.
        assert_eq!(refused_with_room_for(120), None);
        assert_eq!(refused_with_room_for(119), Some(Excuse::BeyondGuarantee));
    }

    #[test]
    fn a_share_whose_time_is_over_does_not_count() {
        // Deposited at 5 s, to live for 8 s.
        for (until_ms, excuse) in [
            (12_900, None),
            (13_500, Some(Excuse::TooFewHubs { good: 0 })),
        ] {
            let mut scene = Scene::new(|_| {});
            scene.establish(0, 5_000);
            scene.call(0, CallKind::Slave, SLAVE, (12_800, until_ms), refused());
            assert_eq!(excuse_of(&scene), excuse);
        }
    }

    #[test]
    fn a_share_that_came_after_the_slave_asked_does_not_count() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 5_000);
        for message in &mut scene.see().messages {
            if message.hub >= 2 {
                message.at_us = 7_000_000;
            }
        }
        scene.call(0, CallKind::Slave, SLAVE, (6_000, 6_100), refused());
        assert_eq!(excuse_of(&scene), Some(Excuse::TooFewHubs { good: 2 }));
    }
}
