//! The plan of a sweep: its parts, and the conditions of each.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::condition::{Condition, Subject, Trouble};
use crate::measure::Extent;

/// A part of the sweep, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The figures that have targets, beside a bare route
    Limit,
    /// Keys a second and latency against operations in flight
    Concurrency,
    /// Keys a second and latency against keys in one call
    KeysPerCall,
    /// Keys a second and CPU time against the number of hubs and the threshold
    Clusters,
    /// Mbit and keys a second against the size of a key
    KeySize,
    /// The distribution of latencies, in closed and open loops
    Latency,
    /// Actors in one process beside processes over HTTP
    Actors,
    /// One hub stopped, or slow by one second
    Trouble,
    /// Where the CPU time of a key goes
    Profile,
    /// Memory of a hub that holds many shares
    Memory,
}

/// Conditions that are measured in turn, again and again, so that whatever disturbs the machine disturbs all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// The part that they belong to.
    pub part: Part,
    /// The conditions, each measured once before any is measured again.
    pub conditions: Vec<Condition>,
    /// How often each is measured.
    pub repetitions: usize,
    /// How long the load runs before it counts.
    pub warm_up: Duration,
    /// How long each measurement takes.
    pub duration: Duration,
    /// Whether the distribution of latencies is kept.
    pub keeps_buckets: bool,
}

/// The condition of all figures, but for what a part varies: N = 5, K = 3, one key of 256 bits.
pub(super) const BASE: Condition = Condition {
    subject: Subject::Processes,
    hubs: 5,
    threshold: 3,
    trouble: Trouble::None,
    size_bits: 256,
    keys_per_call: 1,
    concurrency: Some(32),
    share_of_capacity: None,
    per_second: None,
};

/// Most keys in one call.
pub(super) const KEYS_PER_CALL_MAX: usize = 128;

/// Largest key in bits.
pub(super) const SIZE_BITS_MAX: usize = 1 << 20;

/// Operations in flight where calls ask for many keys or for a large one.
pub(super) const BULK_CONCURRENCY: usize = 4;

/// Calls for as many keys as nodes allow.
pub(super) const MANY: Condition = Condition {
    keys_per_call: KEYS_PER_CALL_MAX,
    ..BASE
};

/// Keys as large as nodes allow.
pub(super) const LARGE: Condition = Condition {
    size_bits: SIZE_BITS_MAX,
    concurrency: Some(BULK_CONCURRENCY),
    ..BASE
};

/// Shares that a hub holds in the end.
pub(super) const SHARES: u64 = 1_000_000;

impl Extent {
    /// The experiments in the order of the report. [`Part::Profile`] and [`Part::Memory`] are not among them: they do not
    /// compare conditions.
    #[must_use]
    pub fn experiments(self) -> Vec<Experiment> {
        vec![
            self.experiment(Part::Limit, limit(), 5, 2.0),
            self.experiment(Part::Concurrency, self.concurrency(), 2, 1.5),
            self.experiment(Part::KeysPerCall, self.keys_per_call(), 2, 1.5),
            self.experiment(Part::Clusters, self.clusters(), 2, 1.5),
            self.experiment(Part::KeySize, self.key_size(), 2, 1.5),
            self.experiment(Part::Latency, self.latency(), 1, 5.0),
            self.experiment(Part::Actors, actors(), 3, 1.5),
            self.experiment(Part::Trouble, trouble(), 5, 1.5),
        ]
    }

    fn experiment(
        self,
        part: Part,
        conditions: Vec<Condition>,
        repetitions: usize,
        seconds: f64,
    ) -> Experiment {
        let (repetitions, warm_up, seconds) = match self {
            Self::Full => (repetitions, 0.4, seconds),
            Self::Quick => (1, 0.2, 0.4),
        };
        Experiment {
            part,
            conditions,
            repetitions,
            warm_up: Duration::from_secs_f64(warm_up),
            duration: Duration::from_secs_f64(seconds),
            keeps_buckets: part == Part::Latency,
        }
    }

    /// All values, or the first, a middle one and the last.
    fn some<T: Copy>(self, all: &[T]) -> Vec<T> {
        let last = all.len().saturating_sub(1);
        let kept = |i: &usize| self == Self::Full || [0, last / 2, last].contains(i);
        (0..all.len()).filter(kept).map(|i| all[i]).collect()
    }

    fn concurrency(self) -> Vec<Condition> {
        let all = self.some(&[1, 2, 4, 8, 16, 32, 64, 128, 256]);
        all.into_iter().map(closed).collect()
    }

    fn keys_per_call(self) -> Vec<Condition> {
        let all = self.some(&[1, 2, 4, 8, 16, 32, 64, KEYS_PER_CALL_MAX]);
        let condition = |keys_per_call| Condition {
            keys_per_call,
            ..closed(BULK_CONCURRENCY)
        };
        all.into_iter().map(condition).collect()
    }

    fn clusters(self) -> Vec<Condition> {
        let all: &[(u8, u8)] = match self {
            Self::Full => &[(3, 2), (5, 3), (7, 4), (10, 7), (16, 11)],
            // Sixteen hubs on a few cores take longer than a second to warm up.
            Self::Quick => &[(3, 2), (7, 4)],
        };
        let condition = |&(hubs, threshold): &(u8, u8)| Condition {
            hubs,
            threshold,
            ..BASE
        };
        all.iter().map(condition).collect()
    }

    fn key_size(self) -> Vec<Condition> {
        let all = self.some(&[
            256,
            1 << 10,
            1 << 12,
            1 << 14,
            1 << 16,
            1 << 18,
            SIZE_BITS_MAX,
        ]);
        let condition = |size_bits| Condition {
            size_bits,
            ..closed(BULK_CONCURRENCY)
        };
        all.into_iter().map(condition).collect()
    }

    fn latency(self) -> Vec<Condition> {
        let open = |share| Condition {
            concurrency: None,
            share_of_capacity: Some(share),
            ..BASE
        };
        let mut all = vec![closed(1), BASE];
        all.extend(self.some(&[0.25, 0.5, 0.75, 0.9]).into_iter().map(open));
        all
    }
}

fn closed(concurrency: usize) -> Condition {
    Condition {
        concurrency: Some(concurrency),
        ..BASE
    }
}

/// The conditions with targets, beside the bare route that limits them.
fn limit() -> Vec<Condition> {
    let bare = |condition| Condition {
        subject: Subject::BareRoute,
        ..condition
    };
    let alone = closed(1);
    vec![BASE, bare(BASE), alone, bare(alone), MANY, LARGE]
}

fn actors() -> Vec<Condition> {
    let subjects = [Subject::Processes, Subject::Actors];
    let of = |concurrency| {
        subjects.map(|subject| Condition {
            subject,
            ..closed(concurrency)
        })
    };
    [1, 32].into_iter().flat_map(of).collect()
}

fn trouble() -> Vec<Condition> {
    let troubles = [Trouble::None, Trouble::Stopped, Trouble::Slow];
    let of = |concurrency| {
        troubles.map(|trouble| Condition {
            trouble,
            ..closed(concurrency)
        })
    };
    [1, 32].into_iter().flat_map(of).collect()
}

impl Part {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_with_targets_are_measured_five_times_beside_what_they_are_compared_with() {
        let experiments = Extent::Full.experiments();
        for part in [Part::Limit, Part::Trouble] {
            let experiment = experiments.iter().find(|e| e.part == part).unwrap();
            assert!(experiment.repetitions >= 5, "{part:?}");
        }
        let limit = &experiments[0].conditions;
        let bare = limit.iter().filter(|c| c.subject == Subject::BareRoute);
        for bare in bare {
            let real = Condition {
                subject: Subject::Processes,
                ..*bare
            };
            assert!(limit.contains(&real), "{bare:?}");
        }
    }

    #[test]
    fn a_full_sweep_takes_minutes_and_a_quick_one_less_than_one() {
        let total = |extent: Extent| -> f64 {
            let seconds = |e: &Experiment| {
                let each = (e.warm_up + e.duration).as_secs_f64();
                each * (e.conditions.len() * e.repetitions) as f64
            };
            extent.experiments().iter().map(seconds).sum()
        };
        assert!((240.0..420.0).contains(&total(Extent::Full)));
        assert!(total(Extent::Quick) < 30.0);
    }

    #[test]
    fn no_condition_is_measured_twice_for_one_part() {
        for extent in [Extent::Full, Extent::Quick] {
            for experiment in extent.experiments() {
                let all = &experiment.conditions;
                for (i, condition) in all.iter().enumerate() {
                    assert!(!all[..i].contains(condition), "{condition:?}");
                }
            }
        }
    }
}
