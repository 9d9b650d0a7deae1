//! What finished campaigns say: the contents of `reports/resilience.json`, and all that the HTML report is drawn from.

use std::collections::BTreeMap;
use std::fmt;

use dske_report::text::percent;
use serde::Serialize;

pub use crate::judge::margin::Shares;
pub use crate::outcome::boundary::BoundaryPoint;
use crate::outcome::effects::Effect;
pub use crate::outcome::timeline::{Mark, MarkKind, Timeline};
use crate::plan::Plan;

/// Everything that `cargo chaos` measured in all campaigns that it ran.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Resilience {
    /// Version of `dske` that was tested.
    pub version: String,
    /// The command that produces the same numbers again.
    pub command: String,
    /// One entry a campaign, in the order they ran.
    pub campaigns: Vec<CampaignSummary>,
    /// Calls by how many hubs were down and how many lied while they ran, over all campaigns.
    pub boundary: Vec<BoundaryPoint>,
    /// Real seconds for all of it.
    pub wall_seconds: f64,
    /// Whether it was ended by Ctrl-C or SIGTERM, so that campaigns or seeds are missing.
    pub is_interrupted: bool,
}

/// One campaign over all its seeds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CampaignSummary {
    /// File name without ending, for example `byzantine-minority`.
    pub name: String,
    /// What it does, in plain words, from the campaign file.
    pub about: String,
    /// Number of seeds run.
    pub seeds: u64,
    /// The first seed; the others follow it one by one.
    pub first_seed: u64,
    /// Hubs, for example `5` or `4–7` where the seed draws it.
    pub hubs: String,
    /// Threshold, for example `3`.
    pub threshold: String,
    /// Clients, for example `2`.
    pub clients: String,
    /// Keys that masters asked for.
    pub keys_requested: u64,
    /// Keys that masters were given.
    pub keys_established: u64,
    /// Keys whose call to the master failed or whose slave never got them while it should not have asked in vain.
    pub keys_failed: u64,
    /// Keys that slaves fetched.
    pub keys_fetched: u64,
    /// Calls to which keys are owed unless there is an excuse.
    pub calls_owed: u64,
    /// Excuse → how many of these failed, and were excused by it.
    pub excuses: BTreeMap<String, u64>,
    /// How many of 100 calls one excuse may cover, or the campaign is weak.
    pub excused_percent_max: u64,
    /// The shares of the keys that masters were given: how many hubs hold one, and what kept it from the others.
    pub shares: Shares,
    /// Faults injected.
    pub faults: u64,
    /// Lies told by Byzantine hubs.
    pub lies: u64,
    /// Broken invariants. Empty is good.
    pub violations: Vec<Violation>,
    /// Only for a negative control: what it must break, and whether the check saw it.
    pub control: Option<Control>,
    /// Fault, lie or rare branch → how often it was reached.
    pub reached: BTreeMap<String, u64>,
    /// Kind of fault → what its faults did.
    pub effects: BTreeMap<String, Effect>,
    /// Times each invariant was evaluated.
    pub checked: BTreeMap<String, u64>,
    /// What the campaign file says must be reached and was not: the campaign is weak.
    pub missed: Vec<String>,
    /// Simulated milliseconds that successful master calls took.
    pub establish_ms: Distribution,
    /// Simulated milliseconds that successful slave calls took.
    pub fetch_ms: Distribution,
    /// One run drawn out: the first seed, or the first that broke an invariant.
    pub timeline: Timeline,
    /// Simulated seconds, all seeds together.
    pub simulated_seconds: f64,
    /// Real seconds, summed over the workers.
    pub wall_seconds: f64,
    /// SHA-256 over all traces in order of seed, in hexadecimal. The same for the same seeds.
    pub digest: String,
    /// How many situations had been met after so many seeds.
    pub coverage: Vec<CoveragePoint>,
}

/// A broken invariant, with what a person needs to look into it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The run's seed.
    pub seed: u64,
    /// Name of the invariant, for example `no-false-key`.
    pub invariant: String,
    /// Simulated milliseconds since the run began.
    pub at_ms: u64,
    /// What was expected and what was seen, by whom.
    pub detail: String,
    /// The command that replays the run.
    pub replay: String,
    /// A small run that breaks the same invariant, if one was looked for.
    pub shrunk: Option<ShrunkFile>,
}

/// A run that was reduced while the same invariant broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShrunkFile {
    /// Its schedule, a campaign file.
    pub file: String,
    /// The page that shows it, beside the schedule.
    pub view: String,
    /// The command that replays it.
    pub replay: String,
    /// What the run was made of.
    pub before: Size,
    /// What is left.
    pub after: Size,
    /// Runs that it took.
    pub runs: u32,
}

/// What a run is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// Lying hubs.
    pub liars: usize,
    /// Calls.
    pub calls: usize,
}

impl Size {
    /// Of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        Self {
            faults: plan.faults.len(),
            liars: plan.liars.len(),
            calls: plan.calls.len(),
        }
    }
}

impl fmt::Display for ShrunkFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (self.before, self.after);
        write!(
            f,
            "{} of {} faults, {} of {} liars, {} of {} calls are left after {} runs",
            after.faults,
            before.faults,
            after.liars,
            before.liars,
            after.calls,
            before.calls,
            self.runs
        )
    }
}

/// Outcome of a negative control.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Control {
    /// The invariant that this campaign breaks on purpose.
    pub invariant: String,
    /// Seeds in which the check saw it.
    pub seeds_caught: u64,
    /// One example of what it saw.
    pub example: String,
}

/// A sample of durations in simulated milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Distribution {
    /// Number of samples.
    pub count: u64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest sample.
    pub max: f64,
    /// Counts by bucket; bucket `i` covers `[edges[i], edges[i + 1])`, the last one is open.
    pub buckets: Vec<u64>,
    /// Lower edges of the buckets, in milliseconds, rising roughly geometrically.
    pub edges: Vec<f64>,
}

/// What had been met after a number of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CoveragePoint {
    /// Runs.
    pub runs: u64,
    /// Situations that at least one of these runs met.
    pub names: u64,
    /// Different sets of marks that one run met together.
    pub sets: u64,
}

impl CampaignSummary {
    /// Whether nothing broke, and a negative control was caught on every seed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && !self.is_blind()
    }

    /// Whether it is a negative control whose break was not seen on every seed.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        let caught = |control: &Control| control.seeds_caught == self.seeds;
        !self.control.as_ref().is_none_or(caught)
    }

    /// Whether so many calls are more than one excuse may cover.
    #[must_use]
    pub fn is_too_much(&self, calls: u64) -> bool {
        calls * 100 > self.calls_owed * self.excused_percent_max
    }

    /// Why the campaign proves less than it promises, in plain text. Empty is good.
    #[must_use]
    pub fn weaknesses(&self) -> Vec<String> {
        if self.seeds == 0 {
            return vec!["no seed was run".into()];
        }
        let missed = self
            .missed
            .iter()
            .map(|what| format!("never reached: {what}"));
        let mut reasons: Vec<String> = missed.collect();
        let inert = self.effects.iter().filter(|(_, effect)| effect.is_inert());
        reasons.extend(inert.map(|(kind, _)| format!("touched nothing: fault:{kind}")));
        if self.checked.is_empty() {
            reasons.push("no invariant was evaluated".into());
        }
        let silent = self.checked.iter().filter(|(_, times)| **times == 0);
        reasons.extend(silent.map(|(invariant, _)| format!("never evaluated: {invariant}")));
        let wide = self.excuses.iter();
        let wide = wide.filter(|(_, calls)| self.is_too_much(**calls));
        reasons.extend(wide.map(|(excuse, calls)| {
            format!(
                "excused too often: {excuse}, {} of all calls, {} % at most",
                percent(*calls, self.calls_owed),
                self.excused_percent_max
            )
        }));
        reasons
    }
}
