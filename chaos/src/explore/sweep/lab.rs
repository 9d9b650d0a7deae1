//! Where plans are run and judged.

use std::convert::Infallible;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{Broken, Options, Part, Sweep};
use crate::explore::run::run_and_look;
use crate::explore::runner::{in_order, run_fresh_and};
use crate::judge::Facts;
use crate::outcome::RunOutcome;
use crate::plan::Plan;

/// Runs plans, and keeps count.
pub(super) struct Lab<'a> {
    options: &'a Options,
    watch: Box<dyn FnMut(Part, usize, usize) + 'a>,
    part: Part,
    /// What all runs add up to.
    sum: Sweep,
    hash: Sha256,
    broken: Vec<Broken>,
}

impl<'a> Lab<'a> {
    pub(super) fn new(options: &'a Options, watch: impl FnMut(Part, usize, usize) + 'a) -> Self {
        Self {
            options,
            watch: Box::new(watch),
            part: Part::Map,
            sum: Sweep::default(),
            hash: Sha256::new(),
            broken: Vec::new(),
        }
    }

    pub(super) fn begin(&mut self, part: Part) {
        self.part = part;
    }

    pub(super) fn part(&self) -> Part {
        self.part
    }

    pub(super) fn seed(&self) -> u64 {
        self.options.seed
    }

    /// Samples for a point of a figure.
    pub(super) fn samples(&self) -> usize {
        self.options.samples as usize
    }

    /// Runs plans on all cores, and reads something off each. In order; nothing where the run panicked, which is a
    /// violation.
    pub(super) fn run<T: Send>(
        &mut self,
        plans: &[Plan],
        look: impl Fn(&Facts<'_>) -> T + Sync,
    ) -> Vec<Option<T>> {
        // What breaks something is saved, and has to be a schedule that can be read again.
        for plan in plans {
            debug_assert_eq!(plan.check(), Ok(()), "{}", plan.campaign);
        }
        let (part, watch) = (self.part, &mut self.watch);
        let mut results = Vec::with_capacity(plans.len());
        let run_one = |plan: &Plan| run_fresh_and(plan, |plan| run_and_look(plan, &look));
        let Ok(()) = in_order(
            plans,
            self.options.jobs,
            run_one,
            |result| -> Result<(), Infallible> {
                results.push(result);
                watch(part, results.len(), plans.len());
                Ok(())
            },
        );
        let mut found = Vec::with_capacity(plans.len());
        for (plan, (outcome, read)) in plans.iter().zip(results) {
            self.add(plan, outcome);
            found.push(read);
        }
        // After an interrupt, nothing was read off the runs that were not begun.
        found.resize_with(plans.len(), || None);
        found
    }

    /// Runs the same experiment under each condition, with `keys` keys in runs of at most `keys_max`. Gives what was read
    /// off the runs of each condition.
    pub(super) fn run_each<C: Copy, T: Send>(
        &mut self,
        conditions: &[C],
        (keys, keys_max): (usize, usize),
        mut plan: impl FnMut(C, usize) -> Plan,
        look: impl Fn(&Facts<'_>) -> T + Sync,
    ) -> Vec<Vec<T>> {
        let portions = portions(keys, keys_max);
        let mut plans = Vec::with_capacity(conditions.len() * portions.len());
        for &condition in conditions {
            plans.extend(portions.iter().map(|&keys| plan(condition, keys)));
        }
        let mut found = self.run(&plans, look).into_iter();
        let runs = |_| found.by_ref().take(portions.len()).flatten().collect();
        conditions.iter().map(runs).collect()
    }

    fn add(&mut self, plan: &Plan, outcome: RunOutcome) {
        self.sum.runs += 1;
        self.sum.keys_requested += outcome.keys_requested;
        self.sum.keys_arrived += outcome.keys_fetched;
        self.sum.checks += outcome.checked.values().sum::<u64>();
        self.sum.simulated_seconds += outcome.simulated_ms as f64 / 1000.0;
        self.hash.update(outcome.digest);
        self.broken
            .extend(outcome.violations.into_iter().map(|violation| Broken {
                plan: plan.clone(),
                violation,
            }));
    }

    /// The figures with what all runs add up to, and the runs that broke something.
    pub(super) fn finish(self, figures: Sweep) -> (Sweep, Vec<Broken>) {
        let mut digest = String::new();
        for byte in self.hash.finalize() {
            let _ = write!(digest, "{byte:02x}");
        }
        let sweep = Sweep {
            runs: self.sum.runs,
            keys_requested: self.sum.keys_requested,
            keys_arrived: self.sum.keys_arrived,
            checks: self.sum.checks,
            simulated_seconds: self.sum.simulated_seconds,
            digest,
            ..figures
        };
        (sweep, self.broken)
    }
}

/// `keys` in as few portions of at most `most` as possible, of about the same size.
fn portions(keys: usize, most: usize) -> Vec<usize> {
    let parts = keys.div_ceil(most).max(1);
    (0..parts)
        .map(|i| keys * (i + 1) / parts - keys * i / parts)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_about_equal_and_lose_nothing() {
        assert_eq!(portions(20, 10), [10, 10]);
        assert_eq!(portions(21, 10), [7, 7, 7]);
        assert_eq!(portions(1, 10), [1]);
        assert!((1..100).all(|n| portions(n, 10).iter().sum::<usize>() == n));
    }
}
