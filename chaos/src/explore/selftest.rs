//! Whether the checks see anything: each canary, a bug that is planted in the nodes on purpose, has to be seen by the
//! invariant that it breaks.

use std::collections::BTreeSet;

use dske::harness::Canary;
use serde::Serialize;

use crate::campaign::{self, Campaign, CampaignError};
use crate::explore::run::{RunOptions, run};
use crate::explore::runner::run_fresh;
use crate::explore::shrink::{Shrunk, breaks_again, fewest_parts};
use crate::outcome::RunOutcome;
use crate::outcome::RunViolation;
use crate::plan::Plan;

/// Runs that reducing one canary may take: what keeps the whole self-test at a few minutes. Most canaries come down to a
/// part or two with them.
const SHRINK_RUNS_MAX: u32 = 40;

/// What came of one canary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Canaried {
    /// The canary's name.
    pub canary: String,
    /// What the bug is.
    pub about: String,
    /// The invariants of which one has to see it.
    pub expected: Vec<String>,
    /// The run in which it was seen, if it was.
    pub caught: Option<Caught>,
    /// Runs that it took, or that were spent in vain.
    pub runs: u64,
    /// Real seconds that these took.
    pub wall_seconds: f64,
}

/// The run that showed a canary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Caught {
    /// Campaign of the run.
    pub campaign: String,
    /// Its seed.
    pub seed: u64,
    /// The invariants that broke in it.
    pub invariants: Vec<String>,
    /// The first of them that was expected.
    pub by: String,
    /// When it broke, in simulated milliseconds.
    pub at_ms: u64,
    /// What it said.
    pub detail: String,
    /// What happened in the run.
    pub steps: Steps,
    /// What is needed of it, if that was looked for.
    pub left: Option<Left>,
}

/// What happened in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Steps {
    /// Faults that were injected.
    pub faults: u64,
    /// Lies that were told.
    pub lies: u64,
    /// Calls that were planned, each the exchange of a key or some.
    pub calls: u64,
}

/// A run reduced to what its violation needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Left {
    /// What happens in it.
    pub steps: Steps,
    /// Runs that shrinking took.
    pub runs: u32,
    /// Whether no further part can be taken away; otherwise the runs were used up before.
    pub is_minimal: bool,
    /// Real seconds.
    pub wall_seconds: f64,
    /// Its schedule, if it was saved.
    pub file: Option<String>,
}

impl Canaried {
    /// Real seconds, for finding and for shrinking.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let left = self.caught.as_ref().and_then(|caught| caught.left.as_ref());
        self.wall_seconds + left.map_or(0.0, |left| left.wall_seconds)
    }
}

impl Steps {
    /// Faults and lies.
    #[must_use]
    pub fn causes(&self) -> u64 {
        self.faults + self.lies
    }

    fn of(plan: &Plan, outcome: &RunOutcome) -> Self {
        Self {
            faults: plan.faults.len() as u64,
            lies: outcome.lies,
            calls: plan.calls.len() as u64,
        }
    }
}

/// The invariants that a canary breaks. Matched exhaustively: whoever plants a bug says who has to see it.
#[must_use]
pub fn expected(canary: Canary) -> &'static [&'static str] {
    match canary {
        Canary::CoefficientsWithoutZero | Canary::PadTooShort | Canary::ShareInError => {
            &["secrecy"]
        }
        Canary::TagNotChecked => &["no-false-key"],
        Canary::MacPrefix | Canary::MacNotVerified => &["authentic"],
        Canary::FailedMacConsumes
        | Canary::ReceiptNotMarked
        | Canary::AllocationOffByOne
        | Canary::RefillRewinds
        | Canary::PoolsShared
        | Canary::SameGeneratorAgain
        | Canary::RetrySameMessage => &["one-time"],
        Canary::RefillForgotten | Canary::NoNewRegistration => &["availability", "recovery"],
        Canary::TimeoutIsStored | Canary::AnswerIsStored => &["established"],
        Canary::SameKeyTwice => &["agreement"],
        Canary::GroupMemberDropped | Canary::SearchForgotten => &["availability"],
        Canary::DeadlineIgnored => &["answered"],
        Canary::AnyoneMayFetch
        | Canary::AnyoneMaySpeak
        | Canary::ConflictOverwrites
        | Canary::KeyIdAlone
        | Canary::HandedOutTwice => &["access"],
        Canary::ExpiryForgotten => &["bounds"],
        // Which of the two depends on whether the first answer is the lie.
        Canary::NoGrouping => &["blame", "availability"],
        // To a master a wrong answer is none; a slave takes it for a lie.
        Canary::BatchMixedUp => &["blame", "availability"],
        Canary::ThresholdBelieved
        | Canary::IndexBelieved
        | Canary::BlameMajority
        | Canary::BlameNeighbour
        | Canary::BlameUncertain
        | Canary::HubsSwapped
        | Canary::LateLieIgnored => &["blame"],
    }
}

/// The campaigns that have to hold, in the order in which they are tried: each with its first seed, then each with its
/// second, and so on.
///
/// # Errors
/// If a campaign cannot be used.
pub fn campaigns() -> Result<Vec<Campaign>, CampaignError> {
    let all = campaign::names().map(campaign::load);
    let mut all = all.collect::<Result<Vec<_>, _>>()?;
    all.retain(|campaign| campaign.expect.breaks.is_none());
    Ok(all)
}

/// Plants a canary in one run after the other until it is seen, `runs_max` at most.
#[must_use]
pub fn hunt(canary: Canary, campaigns: &[Campaign], runs_max: u64) -> Canaried {
    let started = tokio::time::Instant::now();
    let expected = expected(canary);
    let each = (1..).flat_map(|seed| campaigns.iter().map(move |campaign| (campaign, seed)));
    let mut runs = 0;
    let mut caught = None;
    for (campaign, seed) in each.take(usize::try_from(runs_max).unwrap_or(usize::MAX)) {
        let plan = planted(canary, campaign.plan(seed));
        let outcome = run_fresh(&campaign.name, &plan, &run_planted);
        runs += 1;
        caught = seen(&outcome, campaign, expected);
        if caught.is_some() {
            break;
        }
    }
    Canaried {
        canary: canary.name().to_owned(),
        about: canary.about().to_owned(),
        expected: expected.iter().map(|name| (*name).to_owned()).collect(),
        caught,
        runs,
        wall_seconds: started.elapsed().as_secs_f64(),
    }
}

fn seen(outcome: &RunOutcome, campaign: &Campaign, expected: &[&str]) -> Option<Caught> {
    let mut broken = outcome.violations.iter();
    let told = broken.find(|violation| expected.contains(&violation.invariant.as_str()))?;
    let invariants: BTreeSet<&str> = outcome
        .violations
        .iter()
        .map(|violation| violation.invariant.as_str())
        .collect();
    Some(Caught {
        campaign: campaign.name.clone(),
        seed: outcome.seed,
        invariants: invariants.into_iter().map(str::to_owned).collect(),
        by: told.invariant.clone(),
        at_ms: told.at_ms,
        detail: told.detail.clone(),
        steps: Steps::of(&campaign.plan(outcome.seed), outcome),
        left: None,
    })
}

/// Reduces the run in which a canary was caught, for as long as the same invariant sees it. Gives the run's plan, and
/// what is left of it.
pub fn reduce(canary: Canary, caught: &mut Caught, campaign: &Campaign) -> (Plan, Shrunk) {
    let started = tokio::time::Instant::now();
    let before = planted(canary, campaign.plan(caught.seed));
    let wanted = RunViolation {
        invariant: caught.by.clone(),
        at_ms: caught.at_ms,
        detail: caught.detail.clone(),
    };
    let breaks = |plan: &Plan| breaks_again(plan, &wanted, &run_planted);
    let shrunk = fewest_parts(&before, &wanted, &breaks, SHRINK_RUNS_MAX);
    let outcome = run_fresh(&campaign.name, &shrunk.plan, &run_planted);
    caught.left = Some(Left {
        steps: Steps::of(&shrunk.plan, &outcome),
        runs: shrunk.runs,
        is_minimal: shrunk.is_minimal,
        wall_seconds: started.elapsed().as_secs_f64(),
        file: None,
    });
    (before, shrunk)
}

/// The median of what shrinking has left, over the canaries that were shrunk; the larger one of the two in the middle.
#[must_use]
pub fn median_left(all: &[Canaried], size: fn(&Steps) -> u64) -> Option<u64> {
    let left = all
        .iter()
        .filter_map(|hunted| hunted.caught.as_ref()?.left.as_ref());
    let mut sizes: Vec<u64> = left.map(|left| size(&left.steps)).collect();
    sizes.sort_unstable();
    sizes.get(sizes.len() / 2).copied()
}

fn run_planted(plan: &Plan) -> RunOutcome {
    run(plan, RunOptions::default())
}

fn planted(canary: Canary, plan: Plan) -> Plan {
    Plan {
        canary: Some(canary),
        ..plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::ALL;

    #[test]
    fn every_canary_names_invariants_that_there_are() {
        assert!(Canary::ALL.len() >= 25);
        for canary in Canary::ALL {
            let expected = expected(*canary);
            assert!(!expected.is_empty(), "{canary}");
            for name in expected {
                assert!(
                    ALL.iter().any(|(known, _)| known == name),
                    "{canary}: {name}"
                );
            }
        }
    }
}
