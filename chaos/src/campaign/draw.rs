//! How a campaign and a seed become a plan. Each part draws from its own stream; calls are drawn in
//! `draw_calls`, faults and liars in `draw_faults`.

use rand::rngs::ChaCha12Rng;

use super::file::Distributions;
use super::value::{Range, Swarm};
use crate::plan::stream::stream;
use crate::plan::{ClusterPlan, Plan};

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
            &mut stream("SAEs"),
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
            calls: Vec::new(),
            faults: self.draw_faults(&cluster, heal_at_ms, &mut stream("faults")),
            liars: self.draw_liars(&cluster, heal_at_ms, &mut stream("liars")),
            cluster,
            heal_at_ms,
            recovery_ms,
            end_ms,
            canary: None,
        };
        plan.calls = self.draw_calls(
            &plan,
            calls_until_ms,
            &mut stream("call rate"),
            &mut stream("calls"),
        );
        self.draw_groups(&mut plan, &mut stream("groups"));
        self.draw_bursts(&mut plan.calls, &mut stream("bursts"));
        self.draw_repeats(&mut plan.calls, &mut stream("repeats"));
        self.draw_patience(&mut plan.calls, &mut stream("patience"));
        self.draw_mistakes(&mut plan.calls, &mut stream("mistakes"));
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
        saes_rng: &mut ChaCha12Rng,
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
            saes_per_client: section.saes_per_client.draw(saes_rng) as u8,
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
}

#[cfg(test)]
mod tests {
    use dske::protocol::initiator::KeySource;

    use super::super::value::Choice;
    use super::super::{Plans, load, names};
    use super::*;
    use crate::plan::{FaultKind, Mistake, PlannedCall};

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
                    assert!(
                        call.intruder
                            .is_none_or(|i| i != call.master && i != call.slave)
                    );
                    let mut saes: Vec<usize> = call.slaves().collect();
                    saes.extend([call.master].iter().filter(|master| **master != call.slave));
                    saes.extend(call.intruder);
                    let count = saes.len();
                    saes.sort_unstable();
                    saes.dedup();
                    assert_eq!(saes.len(), count, "each has one part in it");
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
    fn callers_make_every_mistake_and_that_moves_no_other_draw() {
        let campaign = load("callers").unwrap();
        let Plans::Drawn(mut fixed) = campaign.plans.clone() else {
            panic!("callers is drawn")
        };
        let plans: Vec<Plan> = (1..=10).map(|seed| campaign.plan(seed)).collect();
        let calls = || plans.iter().flat_map(|plan| &plan.calls);
        for mistake in Mistake::ALL {
            assert!(
                calls().any(|call| call.mistake == Some(*mistake)),
                "{mistake}"
            );
        }
        assert!(calls().any(|call| call.status) && calls().any(|call| call.tries > 1));
        assert!(calls().any(|call| call.also_after_ms > 3_000));
        assert!(calls().any(|call| call.slave == call.master));
        let at_one_client = |plan: &Plan, call: &PlannedCall| {
            call.slave != call.master && plan.client_of(call.slave) == plan.client_of(call.master)
        };
        let mut pairs = plans
            .iter()
            .flat_map(|plan| plan.calls.iter().map(move |call| (plan, call)));
        assert!(pairs.any(|(plan, call)| at_one_client(plan, call)));
        fixed.workload.get_mut().mistake_percent = 0;
        for mut plan in plans {
            for call in &mut plan.calls {
                call.mistake = None;
            }
            assert_eq!(fixed.plan("callers", plan.seed), plan);
        }
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
            (call.also, call.also_after_ms) = (None, 0);
        }
        let fixed = fixed.plan("calm", 1);
        // The last member comes late.
        without.end_ms = fixed.end_ms;
        assert_eq!(fixed, without);
    }
}
