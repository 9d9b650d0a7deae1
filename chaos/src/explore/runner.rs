//! Runs many seeds on all cores, each in a fresh thread, and returns the outcomes in order.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::campaign::Campaign;
use crate::explore::interrupt;
use crate::outcome::{RunOutcome, panics};
use crate::plan::Plan;

/// Stack of a run: futures of many nodes nest deeply in builds without optimisation.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Runs seeds of a campaign, `jobs` at a time. `done` is told of each. The outcomes are in order of seed,
/// whatever the number of jobs. After an [`interrupt`] there are only those of the runs that had begun.
pub fn run_seeds<R>(
    campaign: &Campaign,
    seeds: &[u64],
    jobs: usize,
    run: R,
    mut done: impl FnMut(&RunOutcome),
) -> Vec<RunOutcome>
where
    R: Fn(&Plan) -> RunOutcome + Sync,
{
    let run_one = |&seed: &u64| run_fresh(&campaign.plan(seed), &run);
    let mut outcomes = Vec::with_capacity(seeds.len());
    let Ok(()) = in_order(seeds, jobs, run_one, |outcome| -> Result<(), Infallible> {
        done(&outcome);
        outcomes.push(outcome);
        Ok(())
    });
    outcomes
}

/// Does `work` on each item, `jobs` at a time, and hands the results to `done` in the order of the items, as soon as all
/// before are done. After an [`interrupt`] nothing new is begun.
///
/// # Errors
/// The first that `done` returns; nothing new is begun then.
pub fn in_order<T: Sync, R: Send, E>(
    items: &[T],
    jobs: usize,
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            let (next, sender, work) = (&next, sender.clone(), &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index).filter(|_| !interrupt::asked()) else {
                        return;
                    };
                    // Nobody listens any more once `done` has failed.
                    if sender.send((index, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // Dropped with this block: the jobs learn from it that it is over.
        let receiver = receiver;
        let mut waiting = BTreeMap::new();
        for place in 0..items.len() {
            while !waiting.contains_key(&place) {
                // All jobs have ended: after an interrupt, or because one panicked, which the scope reports.
                let Ok((index, result)) = receiver.recv() else {
                    return waiting.into_values().try_for_each(done);
                };
                waiting.insert(index, result);
            }
            if let Some(result) = waiting.remove(&place) {
                done(result)?;
            }
        }
        Ok(())
    })
}

/// Runs a plan in a thread of its own: libraries keep state in thread-locals, which would make a run differ when it is
/// alone and among others. A panic is a violation like any other.
pub fn run_fresh(plan: &Plan, run: &(impl Fn(&Plan) -> RunOutcome + Sync + ?Sized)) -> RunOutcome {
    run_fresh_and(plan, |plan| (run(plan), ())).0
}

/// The same, with something that was read off the run; with nothing if it panicked.
pub fn run_fresh_and<T: Send>(
    plan: &Plan,
    run: impl Fn(&Plan) -> (RunOutcome, T) + Sync,
) -> (RunOutcome, Option<T>) {
    let result = thread::scope(|scope| {
        let spawned = thread::Builder::new()
            .name(format!("{} seed {}", plan.campaign, plan.seed))
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || panics::catch(|| run(plan)));
        let spawned = spawned.expect("the system can start a thread");
        spawned
            .join()
            .expect("a panic of the run is caught in its thread")
    });
    match result {
        Ok((outcome, read)) => (outcome, Some(read)),
        Err(panic) => (RunOutcome::panicked(plan, panic), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::load;

    fn fake(plan: &Plan) -> RunOutcome {
        assert_ne!(plan.seed, 13, "an unlucky seed");
        RunOutcome {
            seed: plan.seed,
            keys_requested: plan.calls.len() as u64,
            ..RunOutcome::default()
        }
    }

    #[test]
    fn outcomes_come_in_order_of_seed_whatever_the_number_of_jobs() {
        let campaign = load("calm").unwrap();
        let seeds: Vec<u64> = (20..40).collect();
        for jobs in [1, 4] {
            let mut count = 0;
            let outcomes = run_seeds(&campaign, &seeds, jobs, fake, |_| count += 1);
            assert_eq!(count, seeds.len());
            assert!(outcomes.iter().map(|outcome| outcome.seed).eq(20..40));
        }
    }

    #[test]
    fn results_come_in_the_order_of_the_items_whatever_is_ready_first() {
        for jobs in [1, 3, 9] {
            let mut came = Vec::new();
            let work = |item: &u64| {
                thread::sleep(std::time::Duration::from_millis(5 * (6 - item)));
                item * 10
            };
            let done = |result| -> Result<(), u64> {
                came.push(result);
                if result == 40 { Err(result) } else { Ok(()) }
            };
            assert_eq!(in_order(&[1, 2, 3, 4, 5], jobs, work, done), Err(40));
            assert_eq!(came, [10, 20, 30, 40], "{jobs} jobs");
        }
    }

    #[test]
    fn a_panic_is_a_violation_and_the_others_go_on() {
        let campaign = load("calm").unwrap();
        let outcomes = run_seeds(&campaign, &[12, 13, 14], 2, fake, |_| {});
        assert_eq!(outcomes.len(), 3);
        assert_eq!(outcomes[1].violations[0].invariant(), "panic");
        assert!(
            outcomes[1].violations[0]
                .detail()
                .contains("an unlucky seed")
        );
        assert!(outcomes[2].violations.is_empty());
    }
}
