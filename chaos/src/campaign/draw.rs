//! How a campaign and a seed become a plan. Each part draws from its own stream.

use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use super::file::{Distributions, FaultSection};
use super::value::{Count, Range};
use crate::plan::limits::FIRST_CALL_MS;
use crate::plan::stream::stream;
use crate::plan::{ClusterPlan, Fault, Liar, Lie, Plan, PlannedCall, PlannedFault};

/// Calls are made for this long after everything has to work again.
const AFTER_RECOVERY_MS: u64 = 3_000;

/// How often a place is looked for in which a fault keeps within the limits, before it is left out.
const PLACES: usize = 20;

/// In a swarm, the chance that a kind is switched off for a run, in percent.
const SWITCHED_OFF_PERCENT: u32 = 35;

impl Distributions {
    /// What a seed of the campaign of this name draws.
    #[must_use]
    pub fn plan(&self, name: &str, seed: u64) -> Plan {
        let stream = |part: &str| stream(name, seed, part);
        let cluster = self.draw_cluster(&mut stream("cluster"), &mut stream("key source"));
        let heal_at_ms = self.workload.get_ref().duration_s * 1000;
        let recovery_ms = self.nemesis.recovery_ms;
        let calls_until_ms = heal_at_ms + recovery_ms + AFTER_RECOVERY_MS;
        let fetch_after_max = self.workload.get_ref().fetch_after_ms.to;
        let end_ms = cluster.drained_at_ms(calls_until_ms + fetch_after_max);
        Plan {
            campaign: name.to_owned(),
            seed,
            calls: self.draw_groups(
                self.draw_calls(&cluster, calls_until_ms, &mut stream("calls")),
                &cluster,
                &mut stream("groups"),
            ),
            faults: self.draw_faults(&cluster, heal_at_ms, &mut stream("faults")),
            liars: self.draw_liars(&cluster, heal_at_ms, &mut stream("liars")),
            cluster,
            heal_at_ms,
            recovery_ms,
            end_ms,
        }
    }

    fn draw_cluster(&self, rng: &mut ChaCha12Rng, key_source_rng: &mut ChaCha12Rng) -> ClusterPlan {
        let section = self.cluster.get_ref();
        let hubs = section.hubs.draw(rng);
        let threshold = Range {
            from: section.threshold.from,
            to: section.threshold.to.min(hubs),
        }
        .draw(rng);
        let psrd_block_bytes = section.psrd_block_bytes.draw(rng);
        ClusterPlan {
            hubs: hubs as u8,
            threshold: threshold as u8,
            clients: section.clients.draw(rng) as u8,
            latency_ms: (section.latency_ms.from, section.latency_ms.to),
            link_latency_ms: Vec::new(),
            tick_ms: section.tick_ms,
            psrd_block_bytes,
            psrd_low_water_bytes: section.psrd_low_water_bytes.draw(rng),
            request_timeout_ms: section.request_timeout_ms,
            call_deadline_ms: section.call_deadline_ms,
            grace_ms: section.grace_ms,
            share_ttl_ms: section.share_ttl_ms,
            coalition: section.coalition.draw(hubs, threshold, rng) as u8,
            key_source: section.key_source.draw(key_source_rng),
        }
    }

    fn draw_calls(
        &self,
        cluster: &ClusterPlan,
        until_ms: u64,
        rng: &mut ChaCha12Rng,
    ) -> Vec<PlannedCall> {
        let workload = self.workload.get_ref();
        let every_ms = (1000 / workload.calls_per_second).max(1);
        let times = (FIRST_CALL_MS..until_ms).step_by(every_ms as usize);
        let calls = times.zip(0..).map(|(slot_ms, id)| {
            let mut clients: Vec<usize> = (0..usize::from(cluster.clients)).collect();
            clients.shuffle(rng);
            let percent = |chance: u32, rng: &mut ChaCha12Rng| rng.random_range(0..100) < chance;
            PlannedCall {
                at_ms: slot_ms + rng.random_range(0..every_ms),
                id,
                master: clients[0],
                slave: clients[1],
                bits: workload.bits[rng.random_range(0..workload.bits.len())],
                number: workload.number.draw(rng) as u16,
                fetch_after_ms: workload.fetch_after_ms.draw(rng),
                intruder: clients
                    .get(2)
                    .copied()
                    .filter(|_| percent(workload.intruder_percent, rng)),
                fetch_twice: percent(workload.fetch_twice_percent, rng),
                also: None,
            }
        });
        calls.collect()
    }

    /// Makes some of the calls name one more slave, where a client is left that has no part in it yet.
    fn draw_groups(
        &self,
        mut calls: Vec<PlannedCall>,
        cluster: &ClusterPlan,
        rng: &mut ChaCha12Rng,
    ) -> Vec<PlannedCall> {
        for call in &mut calls {
            let is_group = rng.random_range(0..100) < self.workload.get_ref().group_percent;
            let mut others: Vec<usize> = (0..usize::from(cluster.clients)).collect();
            others.retain(|&c| c != call.master && c != call.slave && Some(c) != call.intruder);
            others.shuffle(rng);
            call.also = others.first().copied().filter(|_| is_group);
        }
        calls
    }

    fn draw_faults(
        &self,
        cluster: &ClusterPlan,
        heal_at_ms: u64,
        rng: &mut ChaCha12Rng,
    ) -> Vec<PlannedFault> {
        let (hubs, threshold) = (u64::from(cluster.hubs), u64::from(cluster.threshold));
        let early = self.nemesis.hubs_down_max.draw(hubs, threshold, rng);
        let late = self
            .nemesis
            .hubs_down_max_late
            .map_or(early, |max| max.draw(hubs, threshold, rng));
        let mut faults: Vec<PlannedFault> = Vec::new();
        for section in &self.faults {
            let section = section.get_ref();
            if self.swarm && rng.random_range(0..100) < SWITCHED_OFF_PERCENT {
                continue;
            }
            for _ in 0..count(section, heal_at_ms, rng) {
                for _ in 0..PLACES {
                    let fault = place(section, cluster, heal_at_ms, rng);
                    let max = if fault.at_ms < heal_at_ms / 2 {
                        early
                    } else {
                        late
                    };
                    if hubs_down_with(&faults, &fault) <= max as usize {
                        faults.push(fault);
                        break;
                    }
                }
            }
        }
        faults.sort_by_key(|fault| fault.at_ms);
        faults
    }

    fn draw_liars(
        &self,
        cluster: &ClusterPlan,
        heal_at_ms: u64,
        rng: &mut ChaCha12Rng,
    ) -> Vec<Liar> {
        let Some(section) = &self.lies else {
            return Vec::new();
        };
        let section = section.get_ref();
        let (hubs, threshold) = (u64::from(cluster.hubs), u64::from(cluster.threshold));
        let number = match section.liars {
            // K liars know every key: only who asks for them gets them.
            Count::Threshold | Count::All => section.liars.draw(hubs, threshold, rng),
            _ => section.liars.draw(hubs, threshold, rng).min(threshold - 1),
        };
        let all = section.kinds.clone().unwrap_or_else(|| Lie::ALONE.to_vec());
        let liars = some_of(usize::from(cluster.hubs), number as usize, rng)
            .into_iter()
            .map(|hub| {
                let mut lies = all.clone();
                if self.swarm {
                    lies.retain(|_| rng.random_range(0..100) >= SWITCHED_OFF_PERCENT);
                }
                if lies.is_empty() {
                    lies.clone_from(&all);
                }
                Liar {
                    hub,
                    from_ms: 0,
                    until_ms: heal_at_ms,
                    lies,
                    rate_percent: section.rate_percent.draw(rng) as u8,
                }
            });
        liars.collect()
    }
}

/// How many faults of a kind: the average, rounded up or down at random.
fn count(section: &FaultSection, heal_at_ms: u64, rng: &mut ChaCha12Rng) -> u64 {
    match section.per_minute {
        None => 1,
        Some(per_minute) => (per_minute * heal_at_ms + rng.random_range(0..60_000)) / 60_000,
    }
}

fn place(
    section: &FaultSection,
    cluster: &ClusterPlan,
    heal_at_ms: u64,
    rng: &mut ChaCha12Rng,
) -> PlannedFault {
    let at_ms = section
        .at_ms
        .unwrap_or_else(|| rng.random_range(0..heal_at_ms));
    let until_ms = (at_ms + section.duration_ms.draw(rng)).min(heal_at_ms);
    let number = section
        .hubs
        .draw(cluster.hubs.into(), cluster.threshold.into(), rng)
        .max(1);
    let hubs = some_of(usize::from(cluster.hubs), number as usize, rng);
    let number = section.clients.draw(rng).min(cluster.clients.into());
    let clients = some_of(usize::from(cluster.clients), number as usize, rng);
    let (client, hub) = (clients[0], hubs[0]);
    let strength = section.strength.unwrap_or(Range::just(1)).draw(rng);
    let fault = match section.kind.get_ref().as_str() {
        "partition" => Fault::Partition { clients, hubs },
        "partition-to-hubs" => Fault::PartitionToHubs { clients, hubs },
        "partition-to-clients" => Fault::PartitionToClients { clients, hubs },
        "hold" => Fault::Hold { client, hub },
        "slow-link" => Fault::SlowLink {
            client,
            hub,
            latency_ms: strength,
        },
        "lossy-link" => Fault::LossyLink {
            client,
            hub,
            loss_percent: strength,
        },
        "slow-hub" => Fault::SlowHub {
            hub,
            delay_ms: strength,
        },
        "crash-hub" => Fault::CrashHub { hub },
        "crash-client" => Fault::CrashClient { client },
        "cut-refill" => Fault::CutRefill { hub },
        "flood" => Fault::Flood {
            hub,
            per_second: strength,
        },
        "rogue-client" => Fault::RogueClient {
            per_second: strength,
        },
        kind => unreachable!("the campaign was checked, but has a fault {kind}"),
    };
    PlannedFault {
        at_ms,
        until_ms,
        fault,
    }
}

/// How many hubs are disturbed at the worst moment of a new fault. A flood disturbs nobody.
fn hubs_down_with(faults: &[PlannedFault], new: &PlannedFault) -> usize {
    let down = |at_ms: u64| {
        let active = faults
            .iter()
            .chain([new])
            .filter(|fault| (fault.at_ms..fault.until_ms).contains(&at_ms));
        let disturbing = active.filter(|fault| !matches!(fault.fault, Fault::Flood { .. }));
        let mut hubs: Vec<usize> = disturbing.flat_map(|fault| fault.fault.hubs()).collect();
        hubs.sort_unstable();
        hubs.dedup();
        hubs.len()
    };
    // The number only rises where a fault begins.
    let begins = faults
        .iter()
        .map(|fault| fault.at_ms)
        .filter(|at| (new.at_ms..new.until_ms).contains(at));
    begins.chain([new.at_ms]).map(down).max().unwrap_or(0)
}

/// `number` of the indices below `of`, in random order.
fn some_of(of: usize, number: usize, rng: &mut ChaCha12Rng) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..of).collect();
    indices.shuffle(rng);
    indices.truncate(number);
    indices
}

#[cfg(test)]
mod tests {
    use dske::protocol::initiator::KeySource;

    use super::super::value::Choice;
    use super::super::{Plans, load, names};
    use super::*;

    #[test]
    fn plans_keep_within_what_their_campaign_allows() {
        for name in names() {
            let campaign = load(name).unwrap();
            for seed in 0..50 {
                let plan = campaign.plan(seed);
                assert_eq!(
                    plan,
                    campaign.plan(seed),
                    "the same seed draws the same plan"
                );
                let (n, k) = (plan.cluster.hubs, plan.cluster.threshold);
                assert!(1 <= k && k <= n, "{name} {seed}: {k} of {n}");
                dske::topology::Topology::parse("plan", &plan.topology()).unwrap();
                for call in &plan.calls {
                    assert_ne!(call.master, call.slave);
                    assert!(
                        call.intruder
                            .is_none_or(|i| i != call.master && i != call.slave)
                    );
                    let mut clients: Vec<usize> = call.slaves().collect();
                    clients.extend([call.master]);
                    clients.extend(call.intruder);
                    let count = clients.len();
                    clients.sort_unstable();
                    clients.dedup();
                    assert_eq!(clients.len(), count, "each has one part in it");
                    let over_by =
                        call.at_ms + 2 * plan.cluster.call_deadline_ms + call.fetch_after_ms;
                    assert!(
                        over_by + plan.cluster.share_ttl_ms < plan.end_ms,
                        "{name} {seed}"
                    );
                }
                let late = plan
                    .calls
                    .iter()
                    .filter(|call| call.at_ms >= plan.heal_at_ms + plan.recovery_ms);
                assert!(late.count() >= 5, "{name} {seed}: recovery is hardly tried");
                for fault in &plan.faults {
                    assert!(fault.at_ms < fault.until_ms && fault.until_ms <= plan.heal_at_ms);
                }
                assert!(
                    plan.liars
                        .iter()
                        .all(|liar| liar.until_ms <= plan.heal_at_ms)
                );
            }
        }
    }

    #[test]
    fn a_key_source_is_drawn_and_moves_no_other_draw() {
        let campaign = load("storm").unwrap();
        let Plans::Drawn(mut fixed) = campaign.plans.clone() else {
            panic!("storm is drawn")
        };
        let mut psrd_seeds = 0;
        for seed in 0..50 {
            let plan = campaign.plan(seed);
            let topology = dske::topology::Topology::parse("plan", &plan.topology()).unwrap();
            let source = topology.keys.source;
            assert_eq!(source, plan.cluster.key_source, "it reaches the nodes");
            psrd_seeds += usize::from(source == KeySource::Psrd);
            fixed.cluster.get_mut().key_source = Choice::just(source);
            assert_eq!(fixed.plan("storm", seed), plan);
        }
        assert!((10..40).contains(&psrd_seeds), "{psrd_seeds} of 50");
    }

    #[test]
    fn a_group_is_drawn_and_moves_no_other_draw() {
        let campaign = load("calm").unwrap();
        let Plans::Drawn(mut fixed) = campaign.plans.clone() else {
            panic!("calm is drawn")
        };
        let plan = campaign.plan(1);
        let groups = plan.calls.iter().filter(|call| call.also.is_some());
        let (groups, calls) = (groups.count(), plan.calls.len());
        assert!(calls / 20 < groups && groups < calls / 2, "{groups}");
        fixed.workload.get_mut().group_percent = 0;
        let mut without = plan;
        for call in &mut without.calls {
            call.also = None;
        }
        assert_eq!(fixed.plan("calm", 1), without);
    }

    #[test]
    fn no_more_hubs_are_disturbed_than_the_campaign_allows() {
        let campaign = load("crashes").unwrap();
        for seed in 0..50 {
            let plan = campaign.plan(seed);
            let spare = usize::from(plan.cluster.hubs - plan.cluster.threshold);
            let early = plan
                .faults
                .iter()
                .filter(|fault| fault.until_ms < plan.heal_at_ms / 2);
            for fault in early {
                assert!(
                    hubs_down_with(&plan.faults, fault) <= spare.max(1),
                    "seed {seed}"
                );
            }
        }
    }
}
