//! The calls of a plan: who asks for which keys when, and what else SAEs do. Each part draws from its own stream, so that what is
//! added moves nothing that was drawn before.

use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use super::file::Distributions;
use crate::plan::limits::{FIRST_CALL_MS, NUMBER};
use crate::plan::{ClusterPlan, Mistake, Plan, PlannedCall};

impl Distributions {
    pub(super) fn draw_calls(
        &self,
        plan: &Plan,
        until_ms: u64,
        rate_rng: &mut ChaCha12Rng,
        rng: &mut ChaCha12Rng,
    ) -> Vec<PlannedCall> {
        let workload = self.workload.get_ref();
        let every_ms = (1000 / workload.calls_per_second.draw(rate_rng)).max(1);
        let times = (FIRST_CALL_MS..until_ms).step_by(every_ms as usize);
        let calls = times.zip(0..).map(|(slot_ms, id)| {
            let mut saes: Vec<usize> = (0..plan.saes()).collect();
            saes.shuffle(rng);
            let percent = |chance: u32, rng: &mut ChaCha12Rng| rng.random_range(0..100) < chance;
            let at_ms = slot_ms + rng.random_range(0..every_ms);
            let bits = workload.bits[rng.random_range(0..workload.bits.len())];
            PlannedCall {
                number: workload.number.draw(rng) as u16,
                fetch_after_ms: workload.fetch_after_ms.draw(rng),
                intruder: saes
                    .get(2)
                    .copied()
                    .filter(|_| percent(workload.intruder_percent, rng)),
                fetch_twice: percent(workload.fetch_twice_percent, rng),
                ..PlannedCall::plain(id, at_ms, (saes[0], saes[1]), bits)
            }
        });
        calls
            .map(|call| self.draw_what_fits(call, &plan.cluster))
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
    pub(super) fn draw_bursts(&self, calls: &mut [PlannedCall], rng: &mut ChaCha12Rng) {
        for index in 1..calls.len() {
            if rng.random_range(0..100) < self.workload.get_ref().burst_percent {
                calls[index].at_ms = calls[index - 1].at_ms;
            }
        }
    }

    /// When slaves ask once more, and how many calls of the master they fetch the keys of.
    pub(super) fn draw_repeats(&self, calls: &mut [PlannedCall], rng: &mut ChaCha12Rng) {
        let workload = self.workload.get_ref();
        for call in calls {
            let again_after_ms = workload.again_after_ms.draw(rng);
            if call.fetch_twice {
                call.again_after_ms = again_after_ms;
            }
            let most = *NUMBER.end() / u64::from(call.number);
            call.together = workload.together.draw(rng).min(most) as u16;
        }
    }

    /// When the second member of a group asks, how often slaves do, who asks for the status, and who for keys for itself.
    pub(super) fn draw_patience(&self, calls: &mut [PlannedCall], rng: &mut ChaCha12Rng) {
        let workload = self.workload.get_ref();
        for call in calls {
            let also_after_ms = workload.also_after_ms.draw(rng);
            if call.also.is_some() {
                call.also_after_ms = also_after_ms;
            }
            call.tries = workload.tries.draw(rng) as u16;
            call.status = rng.random_range(0..100) < workload.status_percent;
            if rng.random_range(0..100) < workload.self_percent {
                call.slave = call.master;
            }
        }
    }

    /// Beside which calls an SAE makes a mistake, and which.
    pub(super) fn draw_mistakes(&self, calls: &mut [PlannedCall], rng: &mut ChaCha12Rng) {
        for call in calls {
            let is_made = rng.random_range(0..100) < self.workload.get_ref().mistake_percent;
            let mistake = Mistake::ALL[rng.random_range(0..Mistake::ALL.len())];
            call.mistake = Some(mistake).filter(|_| is_made);
        }
    }

    /// Makes some of the calls name one more slave, where an SAE is left that has no part in it yet.
    pub(super) fn draw_groups(&self, plan: &mut Plan, rng: &mut ChaCha12Rng) {
        let saes = plan.saes();
        for call in &mut plan.calls {
            let is_group = rng.random_range(0..100) < self.workload.get_ref().group_percent;
            let mut others: Vec<usize> = (0..saes).collect();
            others.retain(|&s| s != call.master && s != call.slave && Some(s) != call.intruder);
            others.shuffle(rng);
            call.also = others.first().copied().filter(|_| is_group);
        }
    }
}
