//! A soak draws runs until its time is over. Half of them are fresh; the other half are neighbours of runs that came near
//! something rare.
//!
//! | module | what it holds |
//! |---|---|
//! | `corpus` | the runs that the search starts from |
//! | `mutate` | how a plan becomes a neighbour of it |
//! | [`tally`] | what was seen, and whether the search pays |
//! | [`statistics`] | what a finished soak says |
//! | [`save`](mod@save) | the rarest situations as schedules |
//!
//! With a limit of runs, the soak's seed decides all, whatever the number of jobs: run number n is drawn when exactly
//! the runs before n − [`AHEAD`] have been looked at.

mod corpus;
mod mutate;
pub mod save;
pub mod statistics;
pub mod tally;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use crate::campaign::{Campaign, Plans};
use crate::coverage::situations;
use crate::explore::runner::run_fresh;
use crate::outcome::{RunOutcome, RunViolation};
use crate::plan::Plan;
use crate::plan::stream::stream;
use corpus::Corpus;
use mutate::mutate;
use tally::Tally;

/// Runs that are drawn before the result of an earlier one is considered: more than any machine has cores, and few enough
/// that the search soon follows what it finds.
pub const AHEAD: u64 = 32;

/// Seeds are drawn below this: short enough to type.
const SEED_LIMIT: u64 = 1 << 32;

/// Share of runs that are mutations, in percent, once there is something to mutate.
const MUTATED_PERCENT: u32 = 50;

/// Most runs that broke something and are kept with their plans. More of the same help nobody.
const BROKEN_MAX: usize = 20;

/// Options of a soak.
#[derive(Debug, Clone, Copy)]
pub struct SoakOptions {
    /// The seed of all draws.
    pub seed: u64,
    /// Runs at the same time.
    pub jobs: usize,
    /// Runs at most.
    pub runs_max: Option<u64>,
}

/// Where a run comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A seed of a campaign, by its place.
    Fresh(usize),
    /// A mutation of an earlier run.
    Mutated,
}

/// A run that broke something.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Its number in the soak, from 0.
    pub number: u64,
    /// Where it comes from.
    pub origin: Origin,
    /// Its plan.
    pub plan: Plan,
    /// What broke.
    pub violations: Vec<RunViolation>,
}

/// The result of a soak.
#[derive(Debug)]
pub struct Soaked {
    /// What was seen.
    pub tally: Tally,
    /// The first runs that broke something, in order.
    pub broken: Vec<Broken>,
    /// Runs in the corpus at the end.
    pub corpus: usize,
}

struct Task {
    number: u64,
    origin: Origin,
    plan: Plan,
}

/// Draws runs until `over` says so, or there were enough. Those that have begun by then are finished and counted.
/// `watch` is shown every run that has been looked at, and what it broke, if it is kept.
///
/// # Panics
/// If there is no campaign.
pub fn soak<R>(
    campaigns: &[Campaign],
    options: SoakOptions,
    run: &R,
    over: &(dyn Fn() -> bool + Sync),
    mut watch: impl FnMut(&Tally, Option<&Broken>),
) -> Soaked
where
    R: Fn(&Plan) -> RunOutcome + Sync,
{
    assert!(!campaigns.is_empty(), "there is something to draw from");
    let mut soak = Soak {
        campaigns,
        rng: stream("soak", options.seed, "draw"),
        corpus: Corpus::default(),
        tally: Tally::default(),
        broken: Vec::new(),
        drawn: 0,
    };
    let runs_max = options.runs_max.unwrap_or(u64::MAX);
    let (to_do, tasks) = channel();
    let tasks = Mutex::new(tasks);
    let (done, outcomes) = channel();
    thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, AHEAD as usize) {
            let (tasks, done) = (&tasks, done.clone());
            scope.spawn(move || work(tasks, &done, run, over));
        }
        drop(done);
        soak.follow(to_do, &outcomes, runs_max, &mut watch);
    });
    Soaked {
        tally: soak.tally,
        broken: soak.broken,
        corpus: soak.corpus.len(),
    }
}

/// One job: runs what is drawn, until there is no more, or the time is over.
fn work<R>(
    tasks: &Mutex<Receiver<Task>>,
    done: &Sender<(Task, RunOutcome)>,
    run: &R,
    over: &(dyn Fn() -> bool + Sync),
) where
    R: Fn(&Plan) -> RunOutcome + Sync,
{
    let next = || {
        let tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.recv().ok()
    };
    while let Some(task) = next().filter(|_| !over()) {
        let outcome = run_fresh(&task.plan, run);
        // Nobody listens only if the soak is over already.
        let _ = done.send((task, outcome));
    }
}

struct Soak<'a> {
    campaigns: &'a [Campaign],
    rng: ChaCha12Rng,
    corpus: Corpus,
    tally: Tally,
    broken: Vec<Broken>,
    /// Runs that were drawn.
    drawn: u64,
}

impl Soak<'_> {
    /// Draws ahead, and looks at the outcomes in order of their numbers, however they come in.
    fn follow(
        &mut self,
        to_do: Sender<Task>,
        outcomes: &Receiver<(Task, RunOutcome)>,
        runs_max: u64,
        watch: &mut impl FnMut(&Tally, Option<&Broken>),
    ) {
        // Dropped when there is nothing more to do: the jobs then end.
        let mut to_do = Some(to_do);
        let mut early = BTreeMap::new();
        for _ in 0..AHEAD {
            self.draw_into(&mut to_do, runs_max);
        }
        while let Ok((task, outcome)) = outcomes.recv() {
            early.insert(task.number, (task, outcome));
            while let Some((task, outcome)) = early.remove(&self.tally.runs()) {
                self.look_at(task, &outcome, watch);
                self.draw_into(&mut to_do, runs_max);
            }
        }
        // When the time is over, a job may leave a task behind whose followers were run.
        for (task, outcome) in early.into_values() {
            self.look_at(task, &outcome, watch);
        }
    }

    fn draw_into(&mut self, to_do: &mut Option<Sender<Task>>, runs_max: u64) {
        if self.drawn >= runs_max {
            *to_do = None;
        }
        if let Some(sender) = to_do {
            let task = self.draw();
            // The jobs are gone if the time is over.
            let _ = sender.send(task);
        }
        if self.drawn >= runs_max {
            *to_do = None;
        }
    }

    fn draw(&mut self) -> Task {
        let number = self.drawn;
        self.drawn += 1;
        let (origin, plan) = self.draw_mutant().unwrap_or_else(|| self.draw_fresh());
        Task {
            number,
            origin,
            plan,
        }
    }

    fn draw_fresh(&mut self) -> (Origin, Plan) {
        let place = self.rng.random_range(0..self.campaigns.len());
        let seed = self.rng.random_range(0..SEED_LIMIT);
        let mut plan = self.campaigns[place].plan(seed);
        // A schedule has one plan, but other things may happen in it.
        plan.seed = seed;
        let origin = match self.campaigns[place].plans {
            Plans::Drawn(_) => Origin::Fresh(place),
            Plans::Fixed(_) => Origin::Mutated,
        };
        (origin, plan)
    }

    fn draw_mutant(&mut self) -> Option<(Origin, Plan)> {
        if self.rng.random_range(0..100) >= MUTATED_PERCENT {
            return None;
        }
        let counts = self.tally.counts();
        let plan = self.corpus.draw(counts, &mut self.rng)?;
        let other = self.corpus.draw(counts, &mut self.rng)?;
        Some((Origin::Mutated, mutate(plan, other, &mut self.rng)))
    }

    fn look_at(
        &mut self,
        task: Task,
        outcome: &RunOutcome,
        watch: &mut impl FnMut(&Tally, Option<&Broken>),
    ) {
        let Task {
            number,
            origin,
            plan,
        } = task;
        self.tally.add(number, origin, &plan, outcome);
        if outcome.violations.is_empty() {
            let situations = situations(&outcome.reached);
            let (counts, runs) = (self.tally.counts(), self.tally.runs());
            self.corpus.consider(&plan, &situations, counts, runs);
            watch(&self.tally, None);
            return;
        }
        let broken = Broken {
            number,
            origin,
            plan,
            violations: outcome.violations.clone(),
        };
        let is_kept = self.broken.len() < BROKEN_MAX || self.is_first_of_its_kind(&broken);
        watch(&self.tally, Some(&broken).filter(|_| is_kept));
        if is_kept {
            self.broken.push(broken);
        }
    }

    fn is_first_of_its_kind(&self, broken: &Broken) -> bool {
        let met = |violation: &RunViolation| {
            let mut before = self.broken.iter().flat_map(|broken| &broken.violations);
            before.any(|other| other.violation.kind() == violation.violation.kind())
        };
        !broken.violations.iter().all(met)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::campaign::load;
    use crate::judge::Violation;

    /// A made-up run, which meets the rarer things, the more faults begin in the same second.
    fn fake(plan: &Plan) -> RunOutcome {
        let mut reached = BTreeMap::from([("branch:refill".to_owned(), 1)]);
        let mut together: BTreeMap<u64, usize> = BTreeMap::new();
        for planned in &plan.faults {
            *together.entry(planned.at_ms / 1_000).or_default() += 1;
        }
        let most = together.into_values().max().unwrap_or(0);
        for level in 1..=most {
            reached.insert(format!("branch:{level} together"), 1);
        }
        let violations = (most > 9).then_some(RunViolation {
            at_ms: 1,
            violation: Violation::NotDrained { hub: 0, held: most },
        });
        RunOutcome {
            seed: plan.seed,
            reached,
            violations: violations.into_iter().collect(),
            ..RunOutcome::default()
        }
    }

    fn soak_of(jobs: usize, runs_max: u64) -> Soaked {
        let campaigns = [load("storm").unwrap(), load("drought").unwrap()];
        let options = SoakOptions {
            seed: 5,
            jobs,
            runs_max: Some(runs_max),
        };
        soak(&campaigns, options, &fake, &|| false, |_, _| {})
    }

    #[test]
    fn the_seed_decides_all_whatever_the_number_of_jobs() {
        let (one, three) = (soak_of(1, 150), soak_of(3, 150));
        assert_eq!(one.tally.runs(), 150);
        assert_eq!(one.tally.counts(), three.tally.counts());
        assert_eq!(one.tally.coverage(), three.tally.coverage());
        assert_eq!(one.corpus, three.corpus);
        let plans = |soaked: &Soaked| {
            let plans = soaked.broken.iter().map(|broken| broken.plan.clone());
            plans.collect::<Vec<_>>()
        };
        assert_eq!(plans(&one), plans(&three));
    }

    #[test]
    fn the_search_gets_further_than_fresh_seeds() {
        let soaked = soak_of(2, 600);
        let met = soaked.tally.situations().values();
        let by_fresh = met.clone().filter(|met| met.runs > met.mutated).count();
        let by_mutants = met.filter(|met| met.mutated > 0).count();
        assert!(by_mutants > by_fresh, "{by_mutants} {by_fresh}");
        assert!(!soaked.broken.is_empty());
        assert!(soaked.broken.len() <= BROKEN_MAX);
        let is_mutated = |broken: &Broken| broken.origin == Origin::Mutated;
        assert!(soaked.broken.iter().any(is_mutated));
    }

    #[test]
    fn what_has_begun_when_the_time_is_over_is_counted() {
        let begun = AtomicU64::new(0);
        let over = || begun.load(Ordering::Relaxed) >= 40;
        let run = |plan: &Plan| {
            begun.fetch_add(1, Ordering::Relaxed);
            fake(plan)
        };
        let options = SoakOptions {
            seed: 1,
            jobs: 4,
            runs_max: None,
        };
        let campaigns = [load("calm").unwrap()];
        let soaked = soak(&campaigns, options, &run, &over, |_, _| {});
        assert_eq!(soaked.tally.runs(), begun.load(Ordering::Relaxed));
        assert!((40..44).contains(&soaked.tally.runs()));
    }
}
