//! The search runs candidates on all cores, and takes the first in their order that breaks.
//!
//! The number of jobs changes nothing but the time: candidates are started in order, so that all before the first that
//! breaks have been run when it is known. Those after it which other jobs have started by then are not counted, and
//! nothing is concluded from them.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use sha2::{Digest, Sha256};

use super::premise::Premises;
use super::{Breaks, Progress, Shrunk};
use crate::outcome::RunViolation;
use crate::plan::Plan;

/// A search that is under way.
pub(super) struct Search<'a> {
    known: Known<'a>,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

/// The smallest plan so far, and what is known about others.
struct Known<'a> {
    plan: Plan,
    violation: RunViolation,
    breaks: Breaks<'a>,
    jobs: usize,
    runs_max: u32,
    runs: u32,
    premises: Premises,
    /// Plans that were run and did not break, by hash: rounds come back to them.
    fruitless: BTreeSet<[u8; 32]>,
}

/// What the jobs share while candidates are tried.
#[derive(Default)]
struct Board {
    /// The next candidate to look at.
    next: usize,
    /// Runs that were started.
    started: u32,
    /// Runs that did not break: their number among those started, and the plan's hash.
    fruitless: Vec<(u32, [u8; 32])>,
    /// The first that broke.
    found: Option<Found>,
}

struct Found {
    run: u32,
    candidate: usize,
    plan: Plan,
    violation: RunViolation,
}

/// A candidate that is to be run.
struct Task {
    run: u32,
    candidate: usize,
    hash: [u8; 32],
    plan: Plan,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        plan: &Plan,
        violation: &RunViolation,
        breaks: Breaks<'a>,
        jobs: usize,
        runs_max: u32,
        progress: &'a mut dyn FnMut(Progress<'_>),
    ) -> Self {
        let known = Known {
            premises: Premises::of(plan),
            plan: plan.clone(),
            violation: violation.clone(),
            breaks,
            jobs: jobs.max(1),
            runs_max,
            runs: 0,
            fruitless: BTreeSet::new(),
        };
        Self { known, progress }
    }

    /// The smallest plan so far.
    pub(super) fn plan(&self) -> &Plan {
        &self.known.plan
    }

    /// When it breaks.
    pub(super) fn breaks_at_ms(&self) -> u64 {
        self.known.violation.at_ms
    }

    /// Whether all runs are used up.
    pub(super) fn is_spent(&self) -> bool {
        self.known.runs >= self.known.runs_max
    }

    /// Tries `number` candidates, each made of the present plan by `make` with its index, and takes the first that
    /// breaks. Gives its index.
    pub(super) fn take_first(
        &mut self,
        number: usize,
        make: impl Fn(&mut Plan, usize) + Sync,
    ) -> Option<usize> {
        let board = self.known.try_all(number, &make);
        let taken = self.known.learn(board);
        (self.progress)(Progress {
            plan: &self.known.plan,
            runs: self.known.runs,
        });
        taken
    }

    pub(super) fn finish(self, is_minimal: bool) -> Shrunk {
        Shrunk {
            plan: self.known.plan,
            violation: self.known.violation,
            runs: self.known.runs,
            is_minimal,
        }
    }
}

impl Known<'_> {
    /// Runs candidates in their order until one breaks.
    fn try_all(&self, number: usize, make: &(impl Fn(&mut Plan, usize) + Sync)) -> Board {
        let board = Mutex::new(Board::default());
        let work = || {
            loop {
                let task = self.next_task(&mut lock(&board), number, make);
                let Some(task) = task else { return };
                let violation = (self.breaks)(&task.plan);
                lock(&board).enter(task, violation);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.jobs.min(number) {
                scope.spawn(work);
            }
            work();
        });
        board.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one job alone would have learned.
    fn learn(&mut self, board: Board) -> Option<usize> {
        let until = board
            .found
            .as_ref()
            .map_or(board.started, |found| found.run);
        let fruitless = board.fruitless.into_iter().filter(|(run, _)| *run < until);
        self.fruitless.extend(fruitless.map(|(_, hash)| hash));
        self.runs += until + u32::from(board.found.is_some());
        board.found.map(|found| {
            self.plan = found.plan;
            self.violation = found.violation;
            found.candidate
        })
    }

    /// The next candidate that is worth a run.
    fn next_task(
        &self,
        board: &mut Board,
        number: usize,
        make: &impl Fn(&mut Plan, usize),
    ) -> Option<Task> {
        while board.found.is_none()
            && board.next < number
            && self.runs + board.started < self.runs_max
        {
            let candidate = board.next;
            board.next += 1;
            let mut plan = self.plan.clone();
            make(&mut plan, candidate);
            sort(&mut plan);
            if plan == self.plan || !self.premises.hold(&plan) || plan.check().is_err() {
                continue;
            }
            let hash = hash(&plan);
            if self.fruitless.contains(&hash) {
                continue;
            }
            let run = board.started;
            board.started += 1;
            return Some(Task {
                run,
                candidate,
                hash,
                plan,
            });
        }
        None
    }
}

impl Board {
    fn enter(&mut self, task: Task, violation: Option<RunViolation>) {
        let Some(violation) = violation else {
            self.fruitless.push((task.run, task.hash));
            return;
        };
        if self.found.as_ref().is_none_or(|found| task.run < found.run) {
            self.found = Some(Found {
                run: task.run,
                candidate: task.candidate,
                plan: task.plan,
                violation,
            });
        }
    }
}

/// A job that panicked is reported by its scope.
fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Order of time, which a later beginning may have changed.
fn sort(plan: &mut Plan) {
    plan.faults.sort_by_key(|fault| fault.at_ms);
    plan.liars.sort_by_key(|liar| liar.from_ms);
}

fn hash(plan: &Plan) -> [u8; 32] {
    // What a plan is debugged as has all that it holds.
    Sha256::digest(format!("{plan:?}")).into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{big, violation};
    use super::*;

    #[test]
    fn the_first_that_breaks_is_taken_and_counted_the_same_whatever_the_jobs() {
        for jobs in [1, 2, 3, 8] {
            let breaks = |plan: &Plan| {
                // Later candidates are faster, so that they tend to be known first.
                let left = u64::from(plan.calls[0].number);
                thread::sleep(std::time::Duration::from_millis(20 * (10 - left.min(9))));
                (plan.calls[0].number >= 5).then(|| violation(left))
            };
            let mut told = Vec::new();
            let mut progress = |progress: Progress<'_>| told.push(progress.runs);
            let mut start = big();
            start.calls[0].number = 100;
            let mut search = Search::new(&start, &violation(0), &breaks, jobs, 8, &mut progress);
            // Keys 1, 2, … 9: the fifth breaks.
            let number = |plan: &mut Plan, i: usize| plan.calls[0].number = i as u16 + 1;
            assert_eq!(search.take_first(9, number), Some(4), "{jobs} jobs");
            assert_eq!(
                (search.known.runs, search.breaks_at_ms()),
                (5, 5),
                "{jobs} jobs"
            );
            // The first four are known not to break, and the fifth is what there is.
            assert_eq!(search.take_first(9, number), Some(5), "{jobs} jobs");
            assert_eq!(search.known.runs, 6);
            // Two runs are left.
            let none = |plan: &mut Plan, i: usize| {
                plan.calls[0].number = 1;
                plan.calls[0].bits = 64 + 8 * i as u32;
            };
            assert_eq!(search.take_first(9, none), None);
            assert!(search.is_spent());
            assert_eq!(search.finish(false).runs, 8);
            assert_eq!(told, [5, 6, 8], "{jobs} jobs");
        }
    }

    #[test]
    fn what_cannot_be_run_is_not_run() {
        let breaks = |_: &Plan| -> Option<RunViolation> { panic!("it was run") };
        let mut progress = |_: Progress<'_>| {};
        let start = big();
        let mut search = Search::new(&start, &violation(0), &breaks, 2, 100, &mut progress);
        let spoil = |plan: &mut Plan, i: usize| match i {
            0 => plan.liars[0].lies.clear(),
            1 => plan.calls[0].number = 0,
            2 => plan.cluster.coalition = plan.cluster.threshold,
            _ => {}
        };
        assert_eq!(search.take_first(4, spoil), None);
        assert_eq!(search.finish(true).runs, 0);
    }
}
