//! How a campaign and a seed become faults and liars.

use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use super::file::{Distributions, FaultSection};
use super::value::{Count, Range, Swarm};
use crate::plan::{ClusterPlan, Fault, Liar, Lie, PlannedFault};

/// Attempts to find a place for a fault within the limits, before the fault is left out.
const PLACES: usize = 20;

/// In a swarm, the chance that a kind is switched off for a run, in percent.
const SWITCHED_OFF_PERCENT: u32 = 35;

/// In a wide swarm, the frequency of each kind is multiplied by two to the power of one of these, divided by eight.
const WEIGHT_MAGNITUDES: std::ops::RangeInclusive<u32> = 0..=6;

/// A weight that changes nothing.
const USUAL_WEIGHT: u64 = 8;

impl Distributions {
    pub(super) fn draw_faults(
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
        let weights = self.draw_weights(rng);
        for (index, section) in self.faults.iter().enumerate() {
            let section = section.get_ref();
            if self.swarm == Swarm::Kinds && rng.random_range(0..100) < SWITCHED_OFF_PERCENT {
                continue;
            }
            let weight = weights
                .as_ref()
                .map_or(USUAL_WEIGHT, |weights| weights[index]);
            for _ in 0..count(section, weight, heal_at_ms, rng) {
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

    /// In a wide swarm: how often each kind of fault comes in a run. Any number of kinds never come.
    fn draw_weights(&self, rng: &mut ChaCha12Rng) -> Option<Vec<u64>> {
        if self.swarm != Swarm::Wide {
            return None;
        }
        let mut weights = vec![0; self.faults.len()];
        let kinds = rng.random_range(0..=self.faults.len());
        for kind in some_of(self.faults.len(), kinds, rng) {
            weights[kind] = 1 << rng.random_range(WEIGHT_MAGNITUDES);
        }
        Some(weights)
    }

    pub(super) fn draw_liars(
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
        let all = section.kinds.clone().unwrap_or_else(Lie::alone);
        let liars = some_of(usize::from(cluster.hubs), number as usize, rng)
            .into_iter()
            .map(|hub| {
                let lies = self.draw_lies(&all, rng);
                let (from_ms, until_ms) = match section.duration_ms {
                    None => (0, heal_at_ms),
                    Some(duration_ms) => {
                        let from_ms = rng.random_range(0..heal_at_ms);
                        (from_ms, heal_at_ms.min(from_ms + duration_ms.draw(rng)))
                    }
                };
                Liar {
                    hub,
                    from_ms,
                    until_ms,
                    lies,
                    rate_percent: section.rate_percent.draw(rng) as u8,
                }
            });
        let mut liars: Vec<Liar> = liars.collect();
        liars.sort_by_key(|liar| liar.from_ms);
        liars
    }

    /// What one liar tells, of all that there is.
    fn draw_lies(&self, all: &[Lie], rng: &mut ChaCha12Rng) -> Vec<Lie> {
        let lies = match self.swarm {
            Swarm::Off => all.to_vec(),
            Swarm::Kinds => {
                let mut lies = all.to_vec();
                lies.retain(|_| rng.random_range(0..100) >= SWITCHED_OFF_PERCENT);
                lies
            }
            Swarm::Wide => some_lies(all, rng),
        };
        if lies.is_empty() { all.to_vec() } else { lies }
    }
}

/// Any number of these lies, from one to all. Few are as likely as many: a hub with a single lie tells it all the time.
pub(crate) fn some_lies(all: &[Lie], rng: &mut ChaCha12Rng) -> Vec<Lie> {
    let number = rng.random_range(1..=all.len());
    let some = some_of(all.len(), number, rng).into_iter();
    some.map(|index| all[index]).collect()
}

/// How many faults of a kind: the average, rounded up or down at random.
fn count(section: &FaultSection, weight: u64, heal_at_ms: u64, rng: &mut ChaCha12Rng) -> u64 {
    match section.per_minute {
        None => u64::from(weight > 0),
        Some(per_minute) => {
            let wanted = per_minute * heal_at_ms * weight / USUAL_WEIGHT;
            let round_up = rng.random_range(0..60_000);
            if weight == 0 {
                0
            } else {
                (wanted + round_up) / 60_000
            }
        }
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
    let strength = section.strength.unwrap_or(Range::just(1)).draw(rng);
    let fault = section.kind.among(clients, hubs, strength);
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
pub(crate) fn some_of(of: usize, number: usize, rng: &mut ChaCha12Rng) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..of).collect();
    indices.shuffle(rng);
    indices.truncate(number);
    indices
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;

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
