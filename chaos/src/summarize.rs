//! Makes the summary of a campaign from the outcomes of its runs. The order in which runs finished does not matter.

use std::collections::{BTreeMap, BTreeSet};

use dske_report::statistics::quantile;
use sha2::{Digest, Sha256};

use crate::campaign::Campaign;
use crate::coverage::Coverage;
use crate::outcome::RunOutcome;
use crate::outcome::effects::Effect;
use crate::plan::Invariant;
use crate::summary::{
    BoundaryPoint, CampaignSummary, Control, CoveragePoint, Distribution, Shares, Timeline,
    Violation,
};

/// Violations that are kept of one campaign: more of the same help nobody.
const VIOLATIONS_MAX: usize = 100;

/// Summarizes the outcomes of a campaign. They have to be in order of seed.
#[must_use]
pub fn summarize(
    campaign: &Campaign,
    outcomes: &[RunOutcome],
    wall_seconds: f64,
) -> CampaignSummary {
    let sum = |count: fn(&RunOutcome) -> u64| outcomes.iter().map(count).sum::<u64>();
    let reached = add_up(outcomes, |outcome| &outcome.reached);
    let promised = campaign.expect.reached.iter().map(toml::Spanned::get_ref);
    let missed = promised.filter(|what| !reached.contains_key(*what));
    let missed = missed.cloned().collect();
    let mut checked = add_up(outcomes, |outcome| &outcome.checked);
    checked.retain(|name, count| *count > 0 || claims(name, campaign));
    let breaks = campaign.expect.breaks.as_ref();
    let control = breaks.map(|breaks| control(breaks.get_ref(), outcomes));
    let violations = unexpected(campaign, outcomes, control.as_ref());
    let is_broken = |outcome: &&RunOutcome| violations.iter().any(|v| v.seed == outcome.seed);
    let drawn = outcomes.iter().find(is_broken).or(outcomes.first());
    CampaignSummary {
        name: campaign.name.clone(),
        about: campaign.about.clone(),
        seeds: outcomes.len() as u64,
        first_seed: outcomes.first().map_or(0, |outcome| outcome.seed),
        hubs: campaign.hubs().to_string(),
        threshold: campaign.threshold().to_string(),
        clients: campaign.clients().to_string(),
        keys_requested: sum(|outcome| outcome.keys_requested),
        keys_established: sum(|outcome| outcome.keys_established),
        keys_failed: sum(|outcome| outcome.keys_failed),
        keys_fetched: sum(|outcome| outcome.keys_fetched),
        calls_owed: sum(|outcome| outcome.calls_owed),
        excuses: add_up(outcomes, |outcome| &outcome.excuses),
        excused_percent_max: campaign.excused_percent_max(),
        shares: shares(outcomes),
        faults: sum(|outcome| outcome.faults),
        lies: sum(|outcome| outcome.lies),
        timeline: drawn.map_or_else(Timeline::default, |outcome| timeline(campaign, outcome)),
        violations,
        control,
        reached,
        effects: effects(outcomes),
        checked,
        missed,
        establish_ms: distribution(outcomes.iter().flat_map(|outcome| &outcome.establish_ms)),
        fetch_ms: distribution(outcomes.iter().flat_map(|outcome| &outcome.fetch_ms)),
        simulated_seconds: sum(|outcome| outcome.simulated_ms) as f64 / 1000.0,
        wall_seconds,
        digest: digest(outcomes),
        coverage: coverage(outcomes),
    }
}

/// Whether an invariant claims something in a campaign.
fn claims(invariant: &str, campaign: &Campaign) -> bool {
    match Invariant::named(invariant) {
        // With K liars or more nobody can tell who is right.
        Some(Invariant::Blame) => campaign.expect.breaks.is_none() && !campaign.may_outvote(),
        Some(Invariant::Quiet) => campaign.is_calm(),
        Some(Invariant::StatusAsSpecified) => campaign.asks_for_status(),
        // A link that is full gives a hub up, and nobody outside sees it.
        Some(Invariant::Margin | Invariant::Waiting) => !campaign.has_narrow_links(),
        _ => true,
    }
}

/// What broke in the runs of a campaign, without what a negative control is meant to break.
fn unexpected(
    campaign: &Campaign,
    outcomes: &[RunOutcome],
    control: Option<&Control>,
) -> Vec<Violation> {
    let is_meant = |violation: &Violation| {
        control.is_some_and(|control| {
            // A false key is a disagreement, too.
            violation.invariant == control.invariant
                || (control.invariant == "no-false-key" && violation.invariant == "agreement")
        })
    };
    let all = outcomes
        .iter()
        .flat_map(|outcome| violations(campaign, outcome));
    let mut all: Vec<Violation> = all.filter(|violation| !is_meant(violation)).collect();
    keep_some(&mut all);
    all
}

fn coverage(outcomes: &[RunOutcome]) -> Vec<CoveragePoint> {
    let mut coverage = Coverage::default();
    for outcome in outcomes {
        coverage.add(&outcome.reached);
    }
    coverage.points()
}

/// Keeps the first violations, and the first of each invariant.
fn keep_some(all: &mut Vec<Violation>) {
    let mut met = BTreeSet::new();
    let mut place = 0;
    all.retain(|violation| {
        place += 1;
        met.insert(violation.invariant.clone()) || place <= VIOLATIONS_MAX
    });
}

fn timeline(campaign: &Campaign, outcome: &RunOutcome) -> Timeline {
    Timeline {
        replay: campaign.replay_command(outcome.seed),
        ..outcome.timeline.clone()
    }
}

/// The violations of one run.
#[must_use]
pub fn violations(campaign: &Campaign, outcome: &RunOutcome) -> Vec<Violation> {
    let violations = outcome.violations.iter().map(|violation| Violation {
        seed: outcome.seed,
        invariant: violation.invariant().to_owned(),
        at_ms: violation.at_ms,
        detail: violation.detail(),
        replay: campaign.replay_command(outcome.seed),
        shrunk: None,
    });
    violations.collect()
}

fn control(invariant: &str, outcomes: &[RunOutcome]) -> Control {
    let sees = |outcome: &&RunOutcome| {
        outcome
            .violations
            .iter()
            .any(|v| v.invariant() == invariant)
    };
    let caught = outcomes.iter().filter(sees);
    let example = outcomes
        .iter()
        .flat_map(|outcome| &outcome.violations)
        .find(|v| v.invariant() == invariant);
    Control {
        invariant: invariant.to_owned(),
        seeds_caught: caught.count() as u64,
        example: example.map_or_else(String::new, |violation| violation.detail()),
    }
}

fn add_up(
    outcomes: &[RunOutcome],
    of: fn(&RunOutcome) -> &BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (what, count) in outcomes.iter().flat_map(of) {
        *sums.entry(what.clone()).or_default() += count;
    }
    sums
}

fn shares(outcomes: &[RunOutcome]) -> Shares {
    let mut sum = Shares::default();
    outcomes.iter().for_each(|outcome| sum.add(&outcome.shares));
    sum
}

fn effects(outcomes: &[RunOutcome]) -> BTreeMap<String, Effect> {
    let mut sums: BTreeMap<String, Effect> = BTreeMap::new();
    for (kind, effect) in outcomes.iter().flat_map(|outcome| &outcome.effects) {
        sums.entry(kind.clone()).or_default().add(effect);
    }
    sums
}

/// Adds calls that ran under the same conditions together.
#[must_use]
pub fn boundary(outcomes: &[RunOutcome]) -> Vec<BoundaryPoint> {
    merge_boundary(
        outcomes
            .iter()
            .flat_map(|outcome| outcome.boundary.iter().copied()),
    )
}

/// Adds points under the same conditions together.
pub fn merge_boundary(points: impl IntoIterator<Item = BoundaryPoint>) -> Vec<BoundaryPoint> {
    let mut merged: BTreeMap<(u8, u8, u8, u8), (u64, u64)> = BTreeMap::new();
    for point in points {
        let sum = merged
            .entry((point.hubs, point.threshold, point.down, point.lying))
            .or_default();
        sum.0 += point.tried;
        sum.1 += point.succeeded;
    }
    let points = merged
        .into_iter()
        .map(
            |((hubs, threshold, down, lying), (tried, succeeded))| BoundaryPoint {
                hubs,
                threshold,
                down,
                lying,
                tried,
                succeeded,
            },
        );
    points.collect()
}

fn distribution<'a>(samples: impl Iterator<Item = &'a f64>) -> Distribution {
    let mut samples: Vec<f64> = samples.copied().collect();
    samples.sort_by(f64::total_cmp);
    let percentile = |p| quantile(&samples, p).unwrap_or(0.0);
    // From 1 ms up, four buckets for each doubling.
    let edges: Vec<f64> = std::iter::once(0.0)
        .chain((0..56).map(|i| 2f64.powf(f64::from(i) / 4.0)))
        .collect();
    let mut buckets = vec![0; edges.len()];
    for sample in &samples {
        let bucket = edges
            .partition_point(|edge| edge <= sample)
            .saturating_sub(1);
        buckets[bucket] += 1;
    }
    Distribution {
        count: samples.len() as u64,
        p50: percentile(0.50),
        p90: percentile(0.90),
        p99: percentile(0.99),
        max: samples.last().copied().unwrap_or(0.0),
        buckets,
        edges,
    }
}

fn digest(outcomes: &[RunOutcome]) -> String {
    let mut hash = Sha256::new();
    for outcome in outcomes {
        hash.update(outcome.seed.to_be_bytes());
        hash.update(outcome.digest);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_buckets_count_every_sample() {
        let samples: Vec<f64> = (1..=100).map(f64::from).collect();
        let distribution = distribution(samples.iter());
        assert_eq!(
            (
                distribution.p50,
                distribution.p90,
                distribution.p99,
                distribution.max
            ),
            (50.0, 90.0, 99.0, 100.0)
        );
        assert_eq!(distribution.buckets.iter().sum::<u64>(), 100);
        let empty = super::distribution([].iter());
        assert_eq!((empty.count, empty.p99), (0, 0.0));
    }

    #[test]
    fn of_many_violations_the_first_of_each_invariant_is_kept() {
        let violation = |invariant: &str, seed| Violation {
            seed,
            invariant: invariant.to_owned(),
            ..Violation::default()
        };
        let mut all = vec![violation("bounds", 1); 200];
        all.extend([violation("blame", 2), violation("blame", 3)]);
        keep_some(&mut all);
        assert_eq!(all.len(), VIOLATIONS_MAX + 1);
        assert_eq!(all.last(), Some(&violation("blame", 2)));
    }

    #[test]
    fn points_under_the_same_conditions_are_added() {
        let point = |down, tried, succeeded| BoundaryPoint {
            hubs: 5,
            threshold: 3,
            down,
            lying: 0,
            tried,
            succeeded,
        };
        let merged = merge_boundary([point(1, 2, 2), point(0, 1, 1), point(1, 3, 1)]);
        assert_eq!(merged, [point(0, 1, 1), point(1, 5, 3)]);
    }
}
