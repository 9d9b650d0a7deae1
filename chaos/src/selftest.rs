//! Whether the checks see anything: each canary, a bug that is planted in the nodes on purpose, has to be seen by the
//! invariant that it breaks.

use std::collections::BTreeSet;

use dske::harness::Canary;
use serde::Serialize;

use crate::campaign::{self, Campaign, CampaignError};
use crate::run::{RunOptions, RunOutcome, run};
use crate::runner::run_seeds;

/// Seeds of a campaign that are run at the same time. A fixed number, so that the result does not depend on the jobs.
const SEEDS_AT_A_TIME: usize = 2;

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
    /// Real seconds.
    pub wall_seconds: f64,
}

/// The run that showed a canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caught {
    /// Campaign of the run.
    pub campaign: String,
    /// Its seed.
    pub seed: u64,
    /// The invariants that broke in it.
    pub invariants: Vec<String>,
    /// What one that was expected said.
    pub detail: String,
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

/// Plants a canary in one run after the other until it is seen, `runs_max` at most. The same whatever `jobs` is.
#[must_use]
pub fn hunt(canary: Canary, campaigns: &[Campaign], runs_max: u64, jobs: usize) -> Canaried {
    let started = tokio::time::Instant::now();
    let expected = expected(canary);
    let planted = |plan: &crate::plan::Plan| {
        run(
            plan,
            RunOptions {
                canary: Some(canary),
                ..RunOptions::default()
            },
        )
    };
    let mut runs = 0;
    let mut caught = None;
    'hunt: for first in (1..).step_by(SEEDS_AT_A_TIME) {
        for campaign in campaigns {
            let left = runs_max - runs;
            let seeds: Vec<u64> = (first..).take(SEEDS_AT_A_TIME.min(left as usize)).collect();
            if seeds.is_empty() {
                break 'hunt;
            }
            for outcome in run_seeds(campaign, &seeds, jobs, planted, |_| {}) {
                runs += 1;
                caught = seen(&outcome, campaign, expected);
                if caught.is_some() {
                    break 'hunt;
                }
            }
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
        detail: told.detail.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::ALL;

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
