//! Tests the checks: each canary is a bug that is planted in the nodes on purpose, and the invariant that it breaks has to
//! see it.

use std::collections::BTreeSet;

use dske::harness::Canary;
use serde::Serialize;

use crate::campaign::{self, Campaign, CampaignError};
use crate::explore::run::run;
use crate::explore::runner::run_fresh;
use crate::explore::shrink::{Shrunk, breaks_again, fewest_parts};
use crate::judge::violation::Kind;
use crate::outcome::{RunOutcome, RunViolation};
use crate::plan::{Invariant, Plan};

/// Most runs for reducing one canary. This keeps the whole self-test at a few minutes, and reduces most canaries to a part
/// or two.
const SHRINK_RUNS_MAX: u32 = 40;

/// The result of one canary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Canaried {
    /// The canary's name.
    pub canary: String,
    /// What the bug is.
    pub about: String,
    /// The invariants that may see it. One of them has to.
    pub expected: Vec<String>,
    /// The run in which it was seen, if it was.
    pub caught: Option<Caught>,
    /// Runs until it was seen, or all runs if it was not.
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

/// The invariants that a canary breaks. Matched exhaustively: a new canary has to name the invariant that sees it.
#[must_use]
pub fn expected(canary: Canary) -> &'static [Invariant] {
    match canary {
        Canary::CoefficientsWithoutZero
        | Canary::EqualCoefficients
        | Canary::SecretInCoefficient
        | Canary::CoefficientsAddUp
        | Canary::CoefficientsForAll
        | Canary::PadTooShort
        | Canary::ShareInError => &[Invariant::Secrecy],
        Canary::TagNotChecked => &[Invariant::NoFalseKey],
        Canary::MacPrefix | Canary::MacNotVerified => &[Invariant::Authentic],
        Canary::FailedMacConsumes
        | Canary::ReceiptNotMarked
        | Canary::AllocationOffByOne
        | Canary::OverlapFirstByte
        | Canary::RefillRewinds
        | Canary::PoolsShared
        | Canary::SameGeneratorAgain
        | Canary::RetrySameMessage => &[Invariant::OneTime],
        Canary::RefillForgotten | Canary::NoNewRegistration | Canary::RefillSticks => {
            &[Invariant::Availability, Invariant::Recovery]
        }
        Canary::TimeoutIsStored | Canary::AnswerIsStored => &[Invariant::Established],
        Canary::SameKeyTwice => &[Invariant::Agreement],
        Canary::GroupMemberDropped | Canary::SearchForgotten | Canary::FetchUnsplit => {
            &[Invariant::Availability]
        }
        Canary::DeadlineIgnored => &[Invariant::Answered],
        Canary::AnyoneMayFetch
        | Canary::AnyoneMaySpeak
        | Canary::ConflictOverwrites
        | Canary::KeyIdAlone
        | Canary::HandedOutTwice
        | Canary::ClaimsForgotten
        | Canary::StartTrusted
        | Canary::PrefixIsNamed => &[Invariant::Access],
        Canary::RepeatToAnyone => &[Invariant::Access, Invariant::HubAsSpecified],
        Canary::ExpiryForgotten | Canary::StoreUnbounded | Canary::InFlightForGood => {
            &[Invariant::Bounds]
        }
        Canary::RetryNeedless | Canary::RefillWhenEmpty => &[Invariant::Quiet],
        Canary::SizeLimitOff | Canary::IdTwiceTaken | Canary::MemberUnchecked => {
            &[Invariant::RefusedAsSpecified]
        }
        Canary::StatusOfBest => &[Invariant::StatusAsSpecified],
        Canary::CountedTwice | Canary::MetricOfAnother => &[Invariant::Accounts],
        Canary::BackgroundDropped => &[Invariant::Margin],
        Canary::SilentWaitedFor | Canary::LastComesFirst => &[Invariant::Waiting],
        Canary::AccountsForgotten => &[Invariant::Fair],
        Canary::NotFoundEarly
        | Canary::DeadlineIsNotFound
        | Canary::ForbiddenAsNotFound
        | Canary::BlamedTwice
        | Canary::ClaimsKept
        | Canary::RegisteredForNothing
        | Canary::GraceForgotten
        | Canary::OneMoreAttempt
        | Canary::ClaimsForAll
        | Canary::SecondKeyIgnored
        | Canary::CallsUnbounded => &[Invariant::ClientAsSpecified],
        Canary::RepeatRenews
        | Canary::ForbiddenCounts
        | Canary::ErasedAfterFirst
        | Canary::PartlyFoundCounts
        | Canary::WithdrawalIgnored
        | Canary::LendsNothing
        | Canary::WrongCode
        | Canary::FailuresUncounted
        | Canary::GapsKept
        | Canary::QueryUnsigned => &[Invariant::HubAsSpecified],
        Canary::SentForNobody => &[Invariant::NothingForNobody],
        Canary::SearchUnbounded => &[Invariant::BoundedWork],
        // Which of the two depends on whether the first answer is the lie.
        Canary::NoGrouping => &[Invariant::Blame, Invariant::Availability],
        // To a master a wrong answer is none; a slave takes it for a lie.
        Canary::BatchMixedUp => &[Invariant::Blame, Invariant::Availability],
        Canary::ThresholdBelieved
        | Canary::IndexBelieved
        | Canary::BlameMajority
        | Canary::BlameNeighbour
        | Canary::BlameUncertain
        | Canary::HubsSwapped
        | Canary::LateLieIgnored => &[Invariant::Blame],
    }
}

/// The campaign that is tried first, with all its seeds, where it takes many runs to reach what a canary breaks. This saves time,
/// and claims nothing: all campaigns follow.
fn likeliest(canary: Canary) -> Option<&'static str> {
    Some(match canary {
        Canary::MacNotVerified
        | Canary::FailedMacConsumes
        | Canary::FailuresUncounted
        | Canary::GapsKept
        | Canary::CallsUnbounded => "tight",
        Canary::ReceiptNotMarked
        | Canary::AnyoneMaySpeak
        | Canary::ConflictOverwrites
        | Canary::KeyIdAlone
        | Canary::OverlapFirstByte
        | Canary::QueryUnsigned => "collusion",
        Canary::NoNewRegistration => "swapped",
        Canary::TimeoutIsStored | Canary::AnswerIsStored => "byzantine-majority",
        Canary::BlameUncertain => "byzantine-framing",
        Canary::SecondKeyIgnored => "byzantine-rivals",
        Canary::ClaimsForgotten | Canary::StartTrusted | Canary::RepeatToAnyone => "repeats",
        _ => return None,
    })
}

/// The campaigns that have to hold, in the order in which they are tried: each with its first seed, then each with its
/// second, and so on. The likeliest one comes before them.
///
/// # Errors
/// If a campaign cannot be used.
pub fn campaigns() -> Result<Vec<Campaign>, CampaignError> {
    let all = campaign::names().map(campaign::load);
    let mut all = all.collect::<Result<Vec<_>, _>>()?;
    all.retain(|campaign| campaign.expect.breaks.is_none());
    Ok(all)
}

/// Plants a canary in one run after the other until it is seen, `runs_max` at most. Gives what saw it, too.
#[must_use]
pub fn hunt(
    canary: Canary,
    campaigns: &[Campaign],
    runs_max: u64,
) -> (Canaried, Option<RunViolation>) {
    let started = tokio::time::Instant::now();
    let expected = expected(canary);
    let likeliest = likeliest(canary);
    let first = campaigns
        .iter()
        .filter(|campaign| likeliest == Some(&campaign.name))
        .flat_map(|campaign| (1..=campaign.seeds).map(move |seed| (campaign, seed)));
    let each = (1..).flat_map(|seed| campaigns.iter().map(move |campaign| (campaign, seed)));
    let each = first.chain(each);
    let mut runs = 0;
    let mut caught = None;
    for (campaign, seed) in each.take(usize::try_from(runs_max).unwrap_or(usize::MAX)) {
        let plan = planted(canary, campaign.plan(seed));
        let outcome = run_fresh(&plan, &run);
        runs += 1;
        caught = seen(&outcome, campaign, expected);
        if caught.is_some() {
            break;
        }
    }
    let (caught, by) = caught.unzip();
    let canaried = Canaried {
        canary: canary.name().to_owned(),
        about: canary.about().to_owned(),
        expected: expected.iter().map(|one| one.name().to_owned()).collect(),
        caught,
        runs,
        wall_seconds: started.elapsed().as_secs_f64(),
    };
    (canaried, by)
}

fn seen(
    outcome: &RunOutcome,
    campaign: &Campaign,
    expected: &[Invariant],
) -> Option<(Caught, RunViolation)> {
    let is_expected = |broken: &&RunViolation| match broken.violation.kind() {
        Kind::Invariant(invariant) => expected.contains(&invariant),
        Kind::Panic(_) => false,
    };
    let by = outcome.violations.iter().find(is_expected)?;
    let broken = outcome.violations.iter();
    let invariants: BTreeSet<&str> = broken.map(RunViolation::invariant).collect();
    let caught = Caught {
        campaign: campaign.name.clone(),
        seed: outcome.seed,
        invariants: invariants.into_iter().map(str::to_owned).collect(),
        by: by.invariant().to_owned(),
        at_ms: by.at_ms,
        detail: by.detail(),
        steps: Steps::of(&campaign.plan(outcome.seed), outcome),
        left: None,
    };
    Some((caught, by.clone()))
}

/// Reduces the run in which a canary was caught by a violation, for as long as the same invariant sees it. Gives the
/// run's plan, and what is left of it.
pub fn reduce(
    canary: Canary,
    caught: &mut Caught,
    by: &RunViolation,
    campaign: &Campaign,
) -> (Plan, Shrunk) {
    let started = tokio::time::Instant::now();
    let before = planted(canary, campaign.plan(caught.seed));
    let kind = by.violation.kind();
    let breaks = |plan: &Plan| breaks_again(plan, &kind, &run);
    let shrunk = fewest_parts(&before, by, &breaks, SHRINK_RUNS_MAX);
    let outcome = run_fresh(&shrunk.plan, &run);
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

fn planted(canary: Canary, plan: Plan) -> Plan {
    Plan {
        canary: Some(canary),
        ..plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_canary_has_to_be_seen_by_an_invariant() {
        assert!(Canary::ALL.len() >= 25);
        for canary in Canary::ALL {
            assert!(!expected(*canary).is_empty(), "{canary}");
        }
    }
}
