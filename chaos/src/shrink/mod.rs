//! Shrinking: a run that breaks an invariant is reduced, while *the same* invariant still breaks, to a schedule that a
//! person can read. Another failure does not count.
//!
//! | module | what it reduces |
//! |---|---|
//! | `length` | what comes after the violation, when everything heals, the end |
//! | `parts` | faults, liars, calls, what a liar tells, who is cut off, what a call asks for |
//! | `cluster` | clients, hubs, threshold, coalition |
//! | `numbers` | durations, rates, strengths, numbers of keys |
//!
//! | module | how |
//! |---|---|
//! | `ddmin` | delta debugging: takes away in chunks, large ones first |
//! | `search` | runs candidates on all cores, and takes the first that breaks, whatever the number of cores |
//! | `premise` | what must stay as it is, or the invariant would promise nothing |
//! | [`save`](mod@save) | the schedule as a file, with its story |
//!
//! Nothing that is kept is numbered anew: clients, hubs and calls keep their indices and numbers, by which their streams
//! of randomness are drawn. What all parts of a run share does move: the network draws the latency of every message
//! from one stream, and the outsider's floods are numbered by their place. Where a reduction makes the failure go away
//! for such a reason, it is not taken.

mod cluster;
mod ddmin;
mod length;
mod numbers;
mod parts;
mod premise;
pub mod save;
mod search;
#[cfg(test)]
mod testing;

use crate::plan::Plan;
use crate::run::outcome::RunViolation;
use crate::run::{RunOptions, RunOutcome, run};
use crate::runner::{PANIC, run_fresh};
use crate::tell::view::{Trace, of_plan};
use search::Search;

/// Runs that shrinking one failure may take. Failures of the campaigns that come with the command were shrunk in 15 to
/// 200, most of them of a few simulated seconds. One that needs more than this is no small schedule anyway; what it has
/// come to after a few minutes is saved.
pub const RUNS_MAX: u32 = 400;

/// A run that was reduced.
#[derive(Debug, Clone, PartialEq)]
pub struct Shrunk {
    /// What is left.
    pub plan: Plan,
    /// What breaks in it.
    pub violation: RunViolation,
    /// Runs that it took.
    pub runs: u32,
    /// Whether nothing more could be taken away; otherwise the runs were used up before.
    pub is_minimal: bool,
}

impl Shrunk {
    /// What happens in it: it is run once more.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let kept = |plan: &Plan| run(plan, RunOptions { keep_trace: true });
        let last = run_fresh(&self.plan.campaign, &self.plan, &kept);
        // None where the harness itself panicked while it told what was seen.
        let violations = std::slice::from_ref(&self.violation);
        last.trace
            .unwrap_or_else(|| of_plan(&self.plan, violations))
    }
}

/// How far shrinking has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The smallest plan so far.
    pub plan: &'a Plan,
    /// Runs so far.
    pub runs: u32,
}

/// Gives what broke, if a plan breaks the invariant that is looked for.
pub type Breaks<'a> = &'a (dyn Fn(&Plan) -> Option<RunViolation> + Sync);

/// Shrinks a plan that broke an invariant, with at most `runs_max` runs, `jobs` at a time. The result does not depend
/// on `jobs`.
pub fn shrink(
    plan: &Plan,
    violation: &RunViolation,
    breaks: Breaks<'_>,
    jobs: usize,
    runs_max: u32,
    mut progress: impl FnMut(Progress<'_>),
) -> Shrunk {
    let mut search = Search::new(plan, violation, breaks, jobs, runs_max, &mut progress);
    // Once, since rates are lowered in the end.
    numbers::make_lies_certain(&mut search);
    let is_minimal = loop {
        let before = search.plan().clone();
        fewer_parts(&mut search);
        numbers::all(&mut search);
        length::all(&mut search);
        if search.is_spent() {
            break false;
        }
        if *search.plan() == before {
            break true;
        }
    };
    search.finish(is_minimal)
}

/// Takes parts away only, with at most `runs_max` runs, one at a time: durations, rates and strengths stay as they are.
pub fn fewest_parts(
    plan: &Plan,
    violation: &RunViolation,
    breaks: Breaks<'_>,
    runs_max: u32,
) -> Shrunk {
    let mut progress = |_: Progress<'_>| {};
    let mut search = Search::new(plan, violation, breaks, 1, runs_max, &mut progress);
    numbers::make_lies_certain(&mut search);
    fewer_parts(&mut search);
    let is_minimal = !search.is_spent();
    search.finish(is_minimal)
}

/// Takes parts away until none can go any more. Only then is it worth while to look at numbers: what is cut to fit breaks
/// no more when anything else goes, since that moves the latencies of messages.
fn fewer_parts(search: &mut Search<'_>) {
    loop {
        let before = search.plan().clone();
        // What makes runs short comes first, as far as it takes a run or two.
        length::after_the_violation(search);
        length::at_once(search);
        parts::lists(search);
        parts::details(search);
        cluster::all(search);
        if *search.plan() == before || search.is_spent() {
            return;
        }
    }
}

/// The violation of a run that is the same as one seen before: of the same invariant. All panics are of one name, and
/// are the same if they came from the same place.
#[must_use]
pub fn same(outcome: &RunOutcome, wanted: &RunViolation) -> Option<RunViolation> {
    let same = |violation: &&RunViolation| {
        violation.invariant == wanted.invariant
            && (violation.invariant != PANIC || place(violation) == place(wanted))
    };
    outcome.violations.iter().find(same).cloned()
}

/// Where a panic came from. What it says after that may have numbers in it.
fn place(violation: &RunViolation) -> Option<&str> {
    let (_, why) = violation.detail.split_once("panicked at ")?;
    why.split(": ").next()
}

/// Runs a plan in a fresh thread; gives what broke, if it is the same as `wanted`.
pub fn breaks_again(
    plan: &Plan,
    wanted: &RunViolation,
    run: &(impl Fn(&Plan) -> RunOutcome + Sync),
) -> Option<RunViolation> {
    same(&run_fresh(&plan.campaign, plan, run), wanted)
}

#[cfg(test)]
mod tests {
    use super::testing::{big, violation};
    use super::*;
    use crate::plan::{Fault, Lie, PlannedFault};

    fn shrink_with(breaks: Breaks<'_>, jobs: usize) -> Shrunk {
        shrink(&big(), &violation(9_000), breaks, jobs, RUNS_MAX, |_| {})
    }

    fn overlap(a: &PlannedFault, b: &PlannedFault) -> bool {
        a.at_ms < b.until_ms && b.at_ms < a.until_ms
    }

    /// Breaks if hub 2 is down while some client is cut off from some hub, and there is a seventh call.
    fn crash_during_a_partition(plan: &Plan) -> Option<RunViolation> {
        let crashes = plan.faults.iter();
        let mut crashes = crashes.filter(|crash| crash.fault == Fault::CrashHub { hub: 2 });
        let cut = |fault: &&PlannedFault| matches!(fault.fault, Fault::Partition { .. });
        let call = plan.calls.iter().find(|call| call.id == 7)?;
        crashes
            .any(|crash| {
                plan.faults
                    .iter()
                    .filter(cut)
                    .any(|cut| overlap(crash, cut))
            })
            .then(|| violation(call.at_ms))
    }

    #[test]
    fn faults_that_have_to_overlap_are_all_that_is_left() {
        let shrunk = shrink_with(&crash_during_a_partition, 2);
        assert!(shrunk.is_minimal, "after {} runs", shrunk.runs);
        let plan = &shrunk.plan;
        assert_eq!(plan.check(), Ok(()));
        assert_eq!(
            plan.calls.iter().map(|call| call.id).collect::<Vec<_>>(),
            [7]
        );
        assert_eq!(plan.faults.len(), 2, "{:?}", plan.faults);
        assert!(plan.liars.is_empty());
        for planned in &plan.faults {
            assert!(planned.until_ms - planned.at_ms < 20, "{planned:?}");
            if let Fault::Partition { clients, hubs } = &planned.fault {
                assert_eq!((clients.len(), hubs.len()), (1, 1));
            }
        }
        let call = &plan.calls[0];
        assert_eq!(
            (call.number, call.intruder, call.fetch_twice),
            (1, None, false)
        );
        // Hub 2 has to be there; of the others as many as the partition names.
        let named = plan.faults.iter().flat_map(|planned| planned.fault.hubs());
        assert_eq!(usize::from(plan.cluster.hubs), 1 + named.max().unwrap());
        assert_eq!((plan.cluster.threshold, plan.cluster.coalition), (2, 0));
        assert!(plan.end_ms < big().end_ms && plan.heal_at_ms < big().heal_at_ms);
        assert_eq!(plan.end_ms, plan.shortest_end_ms());
        assert_eq!(
            (plan.campaign.as_str(), plan.seed),
            ("calm", 1),
            "the same streams"
        );
    }

    #[test]
    fn the_fewest_parts_are_as_few_with_numbers_as_they_were() {
        let all = shrink_with(&crash_during_a_partition, 1).plan;
        let wanted = violation(9_000);
        let parts = fewest_parts(&big(), &wanted, &crash_during_a_partition, RUNS_MAX);
        let sizes = |plan: &Plan| (plan.faults.len(), plan.liars.len(), plan.calls.len());
        assert_eq!(sizes(&parts.plan), sizes(&all));
        assert!(parts.is_minimal);
        let lasts = |plan: &Plan| -> u64 {
            let faults = plan.faults.iter();
            faults.map(|fault| fault.until_ms - fault.at_ms).sum()
        };
        assert!(lasts(&parts.plan) > lasts(&all));
        let spent = fewest_parts(&big(), &wanted, &crash_during_a_partition, 3);
        assert!(!spent.is_minimal && spent.runs == 3);
    }

    #[test]
    fn the_number_of_jobs_changes_nothing() {
        let alone = shrink_with(&crash_during_a_partition, 1);
        for jobs in [2, 3, 8] {
            assert_eq!(
                shrink_with(&crash_during_a_partition, jobs),
                alone,
                "{jobs} jobs"
            );
        }
    }

    #[test]
    fn a_liar_keeps_the_lie_the_rate_and_the_time_that_are_needed() {
        let breaks = |plan: &Plan| {
            let liar = plan.liars.iter().find(|liar| {
                liar.hub == 1
                    && liar.lies.contains(&Lie::WrongTag)
                    && liar.rate_percent >= 30
                    && (liar.from_ms..liar.until_ms).contains(&4_000)
            });
            let twice = plan
                .calls
                .iter()
                .any(|call| call.fetch_twice && call.number >= 3);
            (liar.is_some() && twice).then(|| violation(9_000))
        };
        let shrunk = shrink_with(&breaks, 2);
        assert!(shrunk.is_minimal, "after {} runs", shrunk.runs);
        let [liar] = shrunk.plan.liars.as_slice() else {
            panic!("{:?}", shrunk.plan.liars)
        };
        assert_eq!((liar.hub, liar.rate_percent), (1, 30));
        assert_eq!(liar.lies, [Lie::WrongTag]);
        assert!(liar.until_ms - liar.from_ms < 20);
        let [call] = shrunk.plan.calls.as_slice() else {
            panic!("{:?}", shrunk.plan.calls)
        };
        assert_eq!(
            (call.number, call.fetch_twice, call.intruder),
            (3, true, None)
        );
        // One liar of fewer than two: the promise has to hold still.
        assert_eq!(
            (shrunk.plan.cluster.hubs, shrunk.plan.cluster.threshold),
            (2, 2)
        );
        assert!(shrunk.plan.faults.is_empty());
    }

    #[test]
    fn what_cannot_be_reduced_is_left_as_it_is_and_the_runs_are_bounded() {
        let start = big();
        let never = shrink_with(&|_| None, 2);
        assert_eq!(never.plan, start);
        assert!(never.is_minimal || never.runs == RUNS_MAX);
        for runs_max in [0, 1, 20] {
            let shrunk = shrink(
                &start,
                &violation(9_000),
                &crash_during_a_partition,
                3,
                runs_max,
                |progress| assert!(progress.runs <= runs_max),
            );
            assert_eq!((shrunk.runs, shrunk.is_minimal), (runs_max, false));
            assert!(runs_max < 20 || shrunk.plan.calls.len() < start.calls.len());
        }
    }

    #[test]
    fn only_the_same_failure_counts() {
        let broke = |invariant: &str, detail: &str| RunViolation {
            invariant: invariant.to_owned(),
            at_ms: 1,
            detail: detail.to_owned(),
        };
        let outcome = RunOutcome {
            violations: vec![
                broke("blame", "x"),
                broke("agreement", "first"),
                broke("agreement", "second"),
                broke(PANIC, "the run panicked: panicked at src/a.rs:3:7: 5 bytes"),
            ],
            ..RunOutcome::default()
        };
        let found = same(&outcome, &broke("agreement", "something else")).unwrap();
        assert_eq!(found.detail, "first");
        assert_eq!(same(&outcome, &broke("bounds", "")), None);
        let panic = |at: &str| {
            broke(
                PANIC,
                &format!("the run panicked: panicked at {at}: 9 bytes"),
            )
        };
        assert!(same(&outcome, &panic("src/a.rs:3:7")).is_some());
        assert_eq!(same(&outcome, &panic("src/a.rs:4:7")), None);
    }

    #[test]
    fn a_run_that_panics_does_so_in_its_own_thread_and_is_told_apart() {
        crate::runner::capture_panics();
        let run = |plan: &Plan| -> RunOutcome {
            assert!(plan.calls.is_empty(), "calls are left");
            panic!("no calls are left")
        };
        let (mut few, many) = (big(), big());
        few.calls.clear();
        let wanted = run_fresh("x", &few, &run).violations.remove(0);
        assert!(wanted.detail.contains("no calls are left"), "{wanted:?}");
        assert!(breaks_again(&few, &wanted, &run).is_some());
        assert_eq!(breaks_again(&many, &wanted, &run), None);
    }
}
