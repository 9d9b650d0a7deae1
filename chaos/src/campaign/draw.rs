//! How a campaign and a seed become a plan. Each part draws from its own stream; faults and liars are drawn in
//! `draw_faults`.

use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use super::file::Distributions;
use super::value::{Range, Swarm};
use crate::plan::limits::{FIRST_CALL_MS, NUMBER};
use crate::plan::stream::stream;
use crate::plan::{ClusterPlan, Plan, PlannedCall};

/// Calls are made for this long after everything has to work again.
const AFTER_RECOVERY_MS: u64 = 3_000;

/// Most blocks that fill a pool in a wide swarm, where blocks may be small: each block costs a round trip.
pub(crate) const BLOCKS_TO_LOW_WATER: u64 = 8;

impl Distributions {
    /// What a seed of the campaign of this name draws.
    #[must_use]
    pub fn plan(&self, name: &str, seed: u64) -> Plan {
        let stream = |part: &str| stream(name, seed, part);
        let cluster = self.draw_cluster(
            &mut stream("cluster"),
            &mut stream("timing"),
            &mut stream("key source"),
            &mut stream("stores"),
        );
        let heal_at_ms = self.workload.get_ref().duration_s * 1000;
        let recovery_ms = self.nemesis.recovery_ms;
        let calls_until_ms = heal_at_ms + recovery_ms + AFTER_RECOVERY_MS;
        let workload = self.workload.get_ref();
        let again_after_max = match workload.fetch_twice_percent {
            0 => 0,
            _ => workload.again_after_ms.to,
        };
        let last_ms = calls_until_ms + workload.fetch_after_ms.to + again_after_max;
        let end_ms = cluster.drained_at_ms(last_ms);
        let mut plan = Plan {
            campaign: name.to_owned(),
            seed,
            calls: self.draw_repeats(
                self.draw_bursts(
                    self.draw_groups(
                        self.draw_calls(
                            &cluster,
                            calls_until_ms,
                            &mut stream("call rate"),
                            &mut stream("calls"),
                        ),
                        &cluster,
                        &mut stream("groups"),
                    ),
                    &mut stream("bursts"),
                ),
                &mut stream("repeats"),
            ),
            faults: self.draw_faults(&cluster, heal_at_ms, &mut stream("faults")),
            liars: self.draw_liars(&cluster, heal_at_ms, &mut stream("liars")),
            cluster,
            heal_at_ms,
            recovery_ms,
            end_ms,
            canary: None,
        };
        // The last call may be made a little later than calls begin.
        plan.end_ms = plan.end_ms.max(plan.shortest_end_ms());
        plan
    }

    fn draw_cluster(
        &self,
        rng: &mut ChaCha12Rng,
        timing_rng: &mut ChaCha12Rng,
        key_source_rng: &mut ChaCha12Rng,
        stores_rng: &mut ChaCha12Rng,
    ) -> ClusterPlan {
        let section = self.cluster.get_ref();
        let hubs = section.hubs.draw(rng);
        let threshold = Range {
            from: section.threshold.from,
            to: section.threshold.to.min(hubs),
        }
        .draw(rng);
        let is_wide = self.swarm == Swarm::Wide;
        let size = |range: Range, rng: &mut ChaCha12Rng| {
            if is_wide {
                range.draw_wide(rng)
            } else {
                range.draw(rng)
            }
        };
        let psrd_block_bytes = size(section.psrd_block_bytes, rng);
        let low_water_max = if is_wide {
            psrd_block_bytes * BLOCKS_TO_LOW_WATER
        } else {
            u64::MAX
        };
        ClusterPlan {
            hubs: hubs as u8,
            threshold: threshold as u8,
            clients: section.clients.draw(rng) as u8,
            latency_ms: section.latency_ms.draw(timing_rng),
            link_latency_ms: Vec::new(),
            tick_ms: section.tick_ms,
            psrd_block_bytes,
            psrd_low_water_bytes: size(section.psrd_low_water_bytes, rng).min(low_water_max),
            request_timeout_ms: section.request_timeout_ms.draw(timing_rng),
            call_deadline_ms: section.call_deadline_ms.draw(timing_rng),
            grace_ms: section.grace_ms.draw(timing_rng),
            share_ttl_ms: section.share_ttl_ms.draw(timing_rng),
            coalition: section.coalition.draw(hubs, threshold, rng) as u8,
            key_source: section.key_source.draw(key_source_rng),
            shares_per_hub_max: section.shares_per_hub_max.draw(stores_rng),
            share_bytes_per_hub_max: section.share_bytes_per_hub_max.draw(stores_rng),
            limits: section.limits,
        }
    }

    fn draw_calls(
        &self,
        cluster: &ClusterPlan,
        until_ms: u64,
        rate_rng: &mut ChaCha12Rng,
        rng: &mut ChaCha12Rng,
    ) -> Vec<PlannedCall> {
        let workload = self.workload.get_ref();
        let every_ms = (1000 / workload.calls_per_second.draw(rate_rng)).max(1);
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
                again_after_ms: 0,
                together: 1,
                also: None,
            }
        });
        calls
            .map(|call| self.draw_what_fits(call, cluster))
            .collect()
    }

    /// Blocks may be small and keys large: then fewer keys are asked for, or else smaller ones.
    fn draw_what_fits(&self, mut call: PlannedCall, cluster: &ClusterPlan) -> PlannedCall {
        if cluster.keys_max(call.bits) == 0 {
            let bits = || self.workload.get_ref().bits.iter().copied();
            let fitting = bits().filter(|&bits| cluster.keys_max(bits) > 0);
            call.bits = fitting.max().or(bits().min()).unwrap_or(call.bits);
        }
        call.number = call.number.min(cluster.keys_max(call.bits).max(1));
        call
    }

    /// Makes some of the calls come at the same moment as the one before.
    fn draw_bursts(&self, mut calls: Vec<PlannedCall>, rng: &mut ChaCha12Rng) -> Vec<PlannedCall> {
        for index in 1..calls.len() {
            if rng.random_range(0..100) < self.workload.get_ref().burst_percent {
                calls[index].at_ms = calls[index - 1].at_ms;
            }
        }
        calls
    }

    /// When slaves ask once more, and how many calls of the master they fetch the keys of.
    fn draw_repeats(&self, mut calls: Vec<PlannedCall>, rng: &mut ChaCha12Rng) -> Vec<PlannedCall> {
        let workload = self.workload.get_ref();
        for call in &mut calls {
            let again_after_ms = workload.again_after_ms.draw(rng);
            if call.fetch_twice {
                call.again_after_ms = again_after_ms;
            }
            let most = *NUMBER.end() / u64::from(call.number);
            call.together = workload.together.draw(rng).min(most) as u16;
        }
        calls
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
}

#[cfg(test)]
mod tests {
    use dske::protocol::initiator::KeySource;

    use super::super::value::Choice;
    use super::super::{Plans, load, names};
    use super::*;
    use crate::plan::FaultKind;

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
                plan.topology().unwrap();
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
                let is_disturbed = !plan.faults.is_empty() || !plan.liars.is_empty();
                assert!(
                    late.count() >= 5 || !is_disturbed,
                    "{name} {seed}: recovery is hardly tried"
                );
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
    fn the_swarm_draws_all_that_it_may() {
        let campaign = load("swarm").unwrap();
        let plans: Vec<Plan> = (0..400).map(|seed| campaign.plan(seed)).collect();
        let some = |what: &dyn Fn(&Plan) -> bool| plans.iter().filter(|plan| what(plan)).count();
        for hubs in 1..=16 {
            let number = some(&|plan| plan.cluster.hubs == hubs);
            assert!((8..60).contains(&number), "{number} of {hubs} hubs");
        }
        // Neither tiny clusters nor K = 1 fill the runs.
        assert!(some(&|plan| plan.cluster.hubs <= 3) < 110);
        assert!((20..120).contains(&some(&|plan| plan.cluster.threshold == 1)));
        assert!(some(&|plan| plan.cluster.threshold == plan.cluster.hubs) > 20);
        for clients in 2..=5 {
            assert!(some(&|plan| plan.cluster.clients == clients) > 50);
        }
        assert!(some(&|plan| plan.cluster.psrd_block_bytes < 1_024) > 40);
        assert!(some(&|plan| plan.calls.iter().any(|call| call.bits == 65_536)) > 40);
        let burst = |plan: &Plan| {
            plan.calls
                .windows(2)
                .any(|pair| pair[0].at_ms == pair[1].at_ms)
        };
        assert!(some(&burst) > 350);
        // Runs with none, one, and nearly all kinds of faults and lies; faults that come all the time.
        let kinds = |plan: &Plan| {
            let mut kinds: Vec<FaultKind> = plan.faults.iter().map(|f| f.fault.kind()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds.len()
        };
        for number in [0, 1, 5] {
            assert!(some(&|plan| kinds(plan) == number) > 10, "{number}");
        }
        assert!(some(&|plan| kinds(plan) >= 9) > 10);
        assert!(some(&|plan| plan.faults.len() > 40) > 30);
        let tells_one = |plan: &Plan| plan.liars.iter().any(|liar| liar.lies.len() == 1);
        assert!(some(&tells_one) > 30 && some(&|plan| plan.liars.is_empty()) > 50);
        for plan in &plans {
            assert!(plan.lying_hubs().len() < usize::from(plan.cluster.threshold));
            assert_eq!(plan.cluster.coalition, plan.cluster.threshold - 1);
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
            let topology = plan.topology().unwrap();
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
}
