//! What was seen in a soak, and how much of it the search has found.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Origin;
use super::corpus::{Counts, RARE_ONE_IN};
use crate::coverage::{Coverage, situations};
use crate::outcome::RunOutcome;
use crate::plan::Plan;
use crate::summary::CoveragePoint;

/// What was seen.
#[derive(Debug, Default)]
pub struct Tally {
    /// Keys that masters asked for.
    pub keys_requested: u64,
    /// Keys that reached all their slaves.
    pub keys_fetched: u64,
    /// Simulated time.
    pub simulated_ms: u64,
    /// Violations.
    pub violations: u64,
    counts: Counts,
    met: BTreeMap<String, Met>,
    coverage: Coverage,
    /// Runs since the first mutation: before that, nothing can be compared.
    fresh: Yield,
    mutated: Yield,
    runs: u64,
}

/// How often a situation was met.
#[derive(Debug, Clone, PartialEq)]
pub struct Met {
    /// Runs that met it.
    pub runs: u64,
    /// How many of them were mutations.
    pub mutated: u64,
    /// The number of the first.
    pub first: u64,
    /// Whether the first was a mutation.
    pub first_is_mutated: bool,
    /// The smallest plan that met it.
    pub example: Plan,
}

/// What runs of one origin have brought, since there were both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Yield {
    /// Runs.
    pub runs: u64,
    /// Runs that met a set of marks that none before had met.
    pub new_sets: u64,
    /// Situations that none before had met.
    pub new_situations: u64,
    /// Runs that met something which at most one in ten had met until then.
    pub rare: u64,
}

impl Tally {
    pub(super) fn add(&mut self, number: u64, origin: Origin, plan: &Plan, outcome: &RunOutcome) {
        self.keys_requested += outcome.keys_requested;
        self.keys_fetched += outcome.keys_fetched;
        self.simulated_ms += outcome.simulated_ms;
        self.violations += outcome.violations.len() as u64;
        self.runs += 1;
        let is_mutated = origin == Origin::Mutated;
        let is_new_set = self.coverage.add(&outcome.reached);
        let before = self.met.len();
        let mut is_rare = false;
        for name in situations(&outcome.reached) {
            let count = self.counts.entry(name.clone()).or_default();
            *count += 1;
            is_rare |= *count * RARE_ONE_IN <= self.runs;
            let met = self.met.entry(name).or_insert_with(|| Met {
                runs: 0,
                mutated: 0,
                first: number,
                first_is_mutated: is_mutated,
                example: plan.clone(),
            });
            met.runs += 1;
            met.mutated += u64::from(is_mutated);
            if size(plan) < size(&met.example) {
                met.example = plan.clone();
            }
        }
        if is_mutated || self.mutated.runs > 0 {
            let of = if is_mutated {
                &mut self.mutated
            } else {
                &mut self.fresh
            };
            of.runs += 1;
            of.new_sets += u64::from(is_new_set);
            of.new_situations += (self.met.len() - before) as u64;
            of.rare += u64::from(is_rare);
        }
    }

    /// Runs.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// How many runs met each situation.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Every situation that was met.
    #[must_use]
    pub fn situations(&self) -> &BTreeMap<String, Met> {
        &self.met
    }

    /// What fresh seeds have brought, and mutations, since there are mutations.
    #[must_use]
    pub fn yields(&self) -> (Yield, Yield) {
        (self.fresh, self.mutated)
    }

    /// What had been seen after so many runs.
    #[must_use]
    pub fn coverage(&self) -> Vec<CoveragePoint> {
        self.coverage.clone().points()
    }
}

/// What a person has to read.
fn size(plan: &Plan) -> usize {
    plan.calls.len() + plan.faults.len() + plan.liars.len()
}
