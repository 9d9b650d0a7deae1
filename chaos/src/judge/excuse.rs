//! Excuses: when a failed call is legitimate, and why. This is the one place that decides it.

use std::collections::BTreeMap;

use dske::protocol::KeyId;

use super::Facts;
use super::model::client::busy::{may_be_busy, may_fill_links};
use super::model::client::end::End;
use crate::plan::named::named;
use crate::plan::{Plan, PlannedCall, share_bytes};
use crate::world::observer::record::{Call, CallKind, Outcome};

/// The nodes start at the same moment as the run, and have to find each other first.
const START_MS: u64 = 1_000;

named! {
    /// Why a call may fail.
    pub enum Excuse {
        /// The nodes had just started.
        Starting = "starting",
        /// The client itself was down, or had just started.
        ClientDown = "client-down",
        /// The SAE had asked for more keys than hubs guarantee it room for.
        BeyondGuarantee = "beyond-guarantee",
        /// The SAE had more calls, or exchanges with hubs, under way than its client guarantees it.
        Busy = "busy",
        /// Faults left fewer than K hubs in reach of the client, and never K together for long enough.
        OutOfReach = "out-of-reach",
        /// They did so for a part of the call, and left K hubs in reach long enough to settle.
        Interrupted = "interrupted",
        /// Enough hubs were in reach while the call ran, and faults had kept them from the client just before.
        Settling = "settling",
        /// Enough hubs were in reach, and too few of them honest.
        Lying = "lying",
        /// Enough honest hubs were in reach of a slave, and too few of them had ever said that they hold a share.
        ShareMissing = "share-missing",
        /// Enough had said so, and had been down since, or the share's time was over.
        ShareLost = "share-lost",
        /// Enough held a share, and had handed it out for an earlier call of the slave that failed, longer ago than they
        /// repeat it.
        Spent = "spent",
        /// K hubs were enough for everybody but a client that had just started.
        JustStarted = "just-started",
    }
}

impl Excuse {
    /// What it says, for people.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Starting => "the nodes had just started",
            Self::ClientDown => "the client was down, or had just been",
            Self::BeyondGuarantee => "the SAE asked for more keys than hubs guarantee it room for",
            Self::Busy => "the SAE had more under way than its client guarantees it",
            Self::OutOfReach => {
                "faults left fewer than K hubs in reach, and never K together for long enough"
            }
            Self::Interrupted => {
                "faults did so for a part of the call only, and left K hubs in reach long enough to settle"
            }
            Self::Settling => "faults had done so just before the call",
            Self::Lying => "enough hubs were in reach, and too few of them honest",
            Self::ShareMissing => {
                "enough honest hubs were in reach of a slave, and too few had ever taken a share"
            }
            Self::ShareLost => {
                "enough had taken a share, and had crashed since, or its time was over"
            }
            Self::Spent => {
                "enough held a share, and had handed it out for an earlier call that failed, longer ago than they repeat it"
            }
            Self::JustStarted => "a client that had just started needs more than K hubs to fetch",
        }
    }
}

/// The failures of a run that were excused: how many calls each excuse covered.
#[must_use]
pub fn covered(facts: &Facts<'_>) -> BTreeMap<String, u64> {
    let mut covered = BTreeMap::new();
    for call in &facts.seen.calls {
        let failed = is_owed(call) && !matches!(call.outcome, Outcome::Keys(_));
        if let Some(excuse) = failed.then(|| excuse(facts, call)).flatten() {
            *covered.entry(excuse.name().to_owned()).or_default() += 1;
        }
    }
    covered
}

/// Whether keys are owed to a call, unless there is an excuse.
#[must_use]
pub fn is_owed(call: &Call) -> bool {
    call.kind == CallKind::Master || call.kind.is_due()
}

/// Why a call may fail, if there is a reason.
#[must_use]
pub fn excuse(facts: &Facts<'_>, call: &Call) -> Option<Excuse> {
    let plan = &facts.seen.plan;
    if call.from_us / 1000 < START_MS {
        return Some(Excuse::Starting);
    }
    if facts.client_was_down(call) {
        return Some(Excuse::ClientDown);
    }
    if call.kind == CallKind::Master && is_beyond_guarantee(plan, call) {
        return Some(Excuse::BeyondGuarantee);
    }
    if is_too_much(facts, call) {
        return Some(Excuse::Busy);
    }
    too_few_hubs(facts, call)
}

/// Whether a call may have been refused, or left without hubs, because its SAE had too much under way.
fn is_too_much(facts: &Facts<'_>, call: &Call) -> bool {
    let mut planned = facts.seen.plan.calls.iter();
    let planned = planned.find(|planned| planned.id == call.id);
    match End::of(&call.outcome) {
        Some(End::Busy) => planned.is_some_and(|planned| may_be_busy(facts, call, planned)),
        Some(End::NotEstablished | End::Unavailable) => may_fill_links(facts, call),
        _ => false,
    }
}

/// Why too few hubs could serve a call, if they could not: the first thing that left too few of them.
fn too_few_hubs(facts: &Facts<'_>, call: &Call) -> Option<Excuse> {
    let plan = &facts.seen.plan;
    let (from_ms, until_ms) = (call.from_us / 1000, call.until_us / 1000 + 1);
    let settled_ms = from_ms.saturating_sub(facts.settle_ms());
    let needed = hubs_needed(facts, call);
    let mut hubs: Vec<usize> = (0..usize::from(plan.cluster.hubs)).collect();
    let fetched = match call.kind.is_due() {
        true => call.key_ids.clone(),
        false => Vec::new(),
    };
    let conditions: [(Excuse, &dyn Fn(usize) -> bool); 6] = [
        (Excuse::OutOfReach, &|hub| {
            !plan.is_disturbed(call.client, hub, from_ms, until_ms)
        }),
        (Excuse::Settling, &|hub| {
            !plan.is_disturbed(call.client, hub, settled_ms, until_ms)
        }),
        (Excuse::Lying, &|hub| {
            !plan.is_lying(hub, settled_ms, until_ms)
        }),
        (Excuse::ShareMissing, &|hub| {
            fetched
                .iter()
                .all(|key| took(facts, hub, *key, call).is_some())
        }),
        (Excuse::ShareLost, &|hub| {
            fetched.iter().all(|key| holds(facts, hub, *key, call))
        }),
        (Excuse::Spent, &|hub| {
            fetched.iter().all(|key| !is_spent(facts, hub, *key, call))
        }),
    ];
    for (excuse, is_met) in conditions {
        hubs.retain(|hub| is_met(*hub));
        if hubs.len() < usize::from(plan.cluster.threshold) {
            let is_part = excuse == Excuse::OutOfReach && is_interrupted(facts, call);
            return Some(if is_part { Excuse::Interrupted } else { excuse });
        }
    }
    (hubs.len() < needed).then_some(Excuse::JustStarted)
}

/// Whether K hubs were in reach together at some time before the deadline of a call, and long enough to settle.
fn is_interrupted(facts: &Facts<'_>, call: &Call) -> bool {
    let plan = &facts.seen.plan;
    let cluster = &plan.cluster;
    let from_ms = call.from_us / 1000;
    let latest_ms = (from_ms + cluster.call_deadline_ms).saturating_sub(facts.settle_ms());
    let ends = plan.faults.iter().map(|planned| planned.until_ms);
    let mut begins = ends
        .chain([from_ms])
        .filter(|ms| (from_ms..=latest_ms).contains(ms));
    begins.any(|begin_ms| {
        let is_free = |hub: &usize| {
            !plan.is_disturbed(call.client, *hub, begin_ms, begin_ms + facts.settle_ms())
        };
        let free = (0..usize::from(cluster.hubs)).filter(is_free);
        free.count() >= usize::from(cluster.threshold)
    })
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
    match call.kind.is_due() && is_unsure {
        true => threshold.max(hubs - threshold + 1),
        false => threshold,
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
    let master = (0..plan.saes()).find(|sae| plan.sae_name(*sae) == call.sae.as_str());
    let asked = plan.calls.iter().filter(|planned| {
        Some(planned.master) == master
            && planned.at_ms <= until_ms
            && from_ms < planned.at_ms + lasts_ms(planned) + lives_ms
    });
    let (mut shares, mut bytes) = (0, 0);
    for planned in asked {
        shares += planned.keys();
        bytes += planned.keys() * share_bytes(planned.bits);
    }
    plan.guarantee(call.sae.as_str())
        .is_some_and(|guarantee| shares > guarantee.shares || bytes > guarantee.bytes)
}

/// When a hub took the share, if that was before the call began.
fn took(facts: &Facts<'_>, hub: usize, key_id: KeyId, call: &Call) -> Option<u64> {
    let accepted = facts.accepted.get(&key_id).and_then(|hubs| hubs.get(&hub));
    accepted.copied().filter(|&at_us| at_us < call.from_us)
}

/// Whether a hub took the share before the call began, has not been down since, and lets it live until the call is over.
fn holds(facts: &Facts<'_>, hub: usize, key_id: KeyId, call: &Call) -> bool {
    let ttl_us = facts.seen.plan.cluster.share_ttl_ms * 1000;
    took(facts, hub, key_id, call).is_some_and(|at_us| {
        call.until_us < at_us + ttl_us
            && !was_down(facts, hub, at_us / 1000, call.until_us / 1000 + 1)
    })
}

/// Whether a hub had handed the share out to the SAE before a call, and need not do so again until the end of the call: the linger
/// time is over, or the client has started again meanwhile.
fn is_spent(facts: &Facts<'_>, hub: usize, key_id: KeyId, call: &Call) -> bool {
    let handed_out = facts.handed_out().get(&(key_id, call.sae.clone()));
    let first = handed_out.and_then(|hubs| hubs.get(&hub)).copied();
    let first = first.filter(|&at_us| at_us < call.until_us);
    // The linger time is as long as the deadline, as `plan::topology` sets it.
    let linger_us = facts.seen.plan.cluster.call_deadline_ms * 1000;
    first.is_some_and(|at_us| {
        let mut starts = facts.starts(call.client);
        at_us + linger_us <= call.until_us || starts.any(|us| (at_us..call.until_us).contains(&us))
    })
}

/// Whether a hub was down at any moment of `from_ms..until_ms`.
pub(super) fn was_down(facts: &Facts<'_>, hub: usize, from_ms: u64, until_ms: u64) -> bool {
    facts.seen.plan.faults.iter().any(|planned| {
        matches!(planned.fault, crate::plan::Fault::CrashHub { hub: h } if h == hub)
            && planned.at_ms < until_ms
            && from_ms < planned.until_ms
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, SLAVE, Scene, fault, liar, master_refused, refused};
    use super::*;
    use crate::plan::Fault;

    fn excuse_of(scene: &Scene) -> Option<Excuse> {
        let seen = scene.see();
        let facts = Facts::new(&seen);
        excuse(&facts, facts.seen.calls.last().unwrap())
    }

    fn crash(hub: usize, at_ms: u64, until_ms: u64) -> crate::plan::PlannedFault {
        fault(at_ms, until_ms, Fault::CrashHub { hub })
    }

    #[test]
    fn just_after_the_start_calls_may_fail() {
        let scene = Scene::new(|_| {});
        scene.call(0, CallKind::Master, MASTER, (999, 1_100), refused());
        assert_eq!(excuse_of(&scene), Some(Excuse::Starting));
        scene.call(1, CallKind::Master, MASTER, (1_000, 1_100), refused());
        assert_eq!(excuse_of(&scene), None);
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
        assert_eq!(excuse, Some(Excuse::Interrupted));
    }

    #[test]
    fn a_call_that_k_hubs_could_have_served_in_time_was_interrupted() {
        // The deadline is 3 s, and twice the time for a request 1 s.
        for (healed_ms, excuse) in [(7_000, Excuse::Interrupted), (7_001, Excuse::OutOfReach)] {
            let scene = master_refused(|plan| {
                plan.faults
                    .extend((0..3).map(|hub| crash(hub, 5_050, healed_ms)));
                // Another hub does not matter.
                plan.faults.push(crash(4, 5_050, 9_000));
                plan.faults.push(crash(3, 4_000, 4_001));
            });
            assert_eq!(excuse_of(&scene), Some(excuse));
        }
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
        assert_eq!(excuse, Some(Excuse::Lying));
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
        assert_eq!(excuse_of(&scene), Some(Excuse::Settling));
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
        assert_eq!(fetch_after(3), Some(Excuse::ShareLost));
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
        assert_eq!(fetch(3, 9_000), Some(Excuse::JustStarted));
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
        for (until_ms, excuse) in [(12_900, None), (13_500, Some(Excuse::ShareLost))] {
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
        assert_eq!(excuse_of(&scene), Some(Excuse::ShareMissing));
    }

    #[test]
    fn a_share_that_was_handed_out_longer_ago_than_it_is_repeated_does_not_count_for_a_retry() {
        // Handed out at 6.002 s. The linger time is 3 s.
        let retry = |until_ms: u64, restarts: bool| {
            let mut scene = Scene::new(|_| {});
            let keys = scene.establish(0, 5_000);
            scene.fetch(0, 6_000, &keys);
            if restarts {
                scene.see().client_starts.insert((SLAVE, 1), 6_500_000);
            }
            let span = (until_ms - 100, until_ms);
            scene.call(0, CallKind::SlaveRetry, SLAVE, span, refused());
            excuse_of(&scene)
        };
        assert_eq!(retry(9_001, false), None);
        assert_eq!(retry(9_003, false), Some(Excuse::Spent));
        assert_eq!(retry(7_000, true), Some(Excuse::Spent));
    }

    #[test]
    fn each_failure_is_counted_under_its_excuse_and_success_is_not() {
        let mut scene = Scene::new(|plan| {
            plan.faults
                .extend((0..3).map(|hub| crash(hub, 5_050, 5_060)));
        });
        for (id, at_ms) in [(0, 5_055), (1, 5_056), (2, 5_100), (3, 7_000)] {
            let span = (at_ms, at_ms + 2);
            scene.call(id, CallKind::Master, MASTER, span, refused());
        }
        scene.establish(4, 5_057);
        scene.call(5, CallKind::Intruder, SLAVE, (5_058, 5_059), refused());
        let seen = scene.see();
        let expected = [("interrupted".to_owned(), 2), ("settling".to_owned(), 1)];
        assert_eq!(covered(&Facts::new(&seen)), BTreeMap::from(expected));
    }
}
