//! When operations begin.
//!
//! In the closed loop a fixed number of loops run side by side, and each begins an operation when its last one has ended.
//! In the open loop operations begin at a fixed rate, and the latency of each counts from when it was due: an operation
//! that had to wait because earlier ones were slow was slow itself.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep};

use super::Arrivals;
use super::operation::Worker;
use super::tally::Window;

/// How long a loop waits after an operation that failed. Without it, a cluster that refuses everything at once would be
/// asked as fast as the processor can.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(10);

/// Begins operations until the window closes. In the open loop the first is due at `begin`, however late that is noticed, so
/// that how many are due in the window depends on nothing else. The future that is returned is ready when the last of them
/// has ended. When it is dropped, they are aborted.
pub(super) fn start(
    arrivals: Arrivals,
    begin: Instant,
    worker: &Rc<Worker>,
    window: &Rc<Window>,
) -> impl Future<Output = ()> {
    let mut running = JoinSet::new();
    match arrivals {
        Arrivals::Closed { concurrency } => {
            let next = Rc::new(Cell::new(0));
            for _ in 0..concurrency {
                running.spawn_local(closed(next.clone(), worker.clone(), window.clone()));
            }
        }
        Arrivals::Open {
            per_second,
            in_flight_max,
        } => {
            let schedule = Schedule::new(begin, per_second);
            running.spawn_local(open(
                schedule,
                in_flight_max,
                worker.clone(),
                window.clone(),
            ));
        }
    }
    running.join_all().map(drop)
}

async fn closed(next: Rc<Cell<u64>>, worker: Rc<Worker>, window: Rc<Window>) {
    while !window.is_over() {
        let number = next.replace(next.get() + 1);
        if worker.operate(number, Instant::now()).await.is_err() {
            sleep(PAUSE_AFTER_FAILURE).await;
        }
    }
}

async fn open(schedule: Schedule, in_flight_max: usize, worker: Rc<Worker>, window: Rc<Window>) {
    let pacer = Pacer::start(schedule);
    let mut in_flight = JoinSet::new();
    for number in 0.. {
        let due = schedule.due(number);
        while Instant::now() < due && !window.is_over() {
            pacer.tick.notified().await;
        }
        // An operation that was due in time counts, even if it could not begin in time.
        if due >= window.until() {
            break;
        }
        while in_flight.try_join_next().is_some() {}
        if in_flight.len() < in_flight_max {
            let worker = Rc::clone(&worker);
            // The worker counts how it ends.
            in_flight.spawn_local(async move { drop(worker.operate(number, due).await) });
        } else {
            worker.overloaded(due);
        }
        // However many operations are due at once, those in flight have to make progress.
        consume_budget().await;
    }
    in_flight.join_all().await;
}

/// Evenly spaced instants.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    from: Instant,
    per_second: f64,
}

impl Schedule {
    fn new(from: Instant, per_second: f64) -> Self {
        Self { from, per_second }
    }

    /// Computed from the start each time, so that rounding errors do not add up.
    fn due(&self, number: u64) -> Instant {
        self.from + Duration::from_secs_f64(number as f64 / self.per_second)
    }

    /// The number of the first one that is due after `now`.
    fn next_after(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.from);
        (passed.as_secs_f64() * self.per_second) as u64 + 1
    }
}

/// A thread that tells when an operation is due. The runtime's timers have a resolution of milliseconds, which is longer
/// than many operations take. The system's timers have one of microseconds.
struct Pacer {
    tick: Arc<Notify>,
    /// Dropped with this, it ends the thread.
    _alive: mpsc::Sender<()>,
}

/// Longest sleep of the thread, and so how late an open loop may see that its time is over.
const SLEEP_MAX: Duration = Duration::from_millis(100);

impl Pacer {
    fn start(schedule: Schedule) -> Self {
        let tick = Arc::new(Notify::new());
        let (alive, ended) = mpsc::channel();
        let notify = Arc::clone(&tick);
        thread::spawn(move || {
            loop {
                let now = Instant::now();
                let due = schedule.due(schedule.next_after(now));
                let pause = due.saturating_duration_since(now).min(SLEEP_MAX);
                if ended.recv_timeout(pause) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
                notify.notify_one();
            }
        });
        Self {
            tick,
            _alive: alive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_due_evenly_and_drift_nowhere() {
        let from = Instant::now();
        for per_second in [0.25, 3.0, 1_000.0, 999_999.0] {
            let schedule = Schedule::new(from, per_second);
            assert_eq!(schedule.due(0), from);
            for number in [1_u64, 2, 1_000_000] {
                let expected = number as f64 / per_second;
                let passed = (schedule.due(number) - from).as_secs_f64();
                assert!((passed - expected).abs() < 1e-6, "{per_second} {number}");
            }
        }
    }

    #[test]
    fn the_next_one_is_always_in_the_future_and_none_is_left_out() {
        let from = Instant::now();
        let schedule = Schedule::new(from, 7.0);
        for ms in 0..3_000 {
            let now = from + Duration::from_millis(ms);
            let next = schedule.next_after(now);
            assert!(schedule.due(next) > now, "{ms}");
            assert!(schedule.due(next - 1) <= now, "{ms}");
        }
    }

    #[tokio::test]
    async fn the_pacer_ticks_when_an_operation_is_due_and_ends_when_nobody_listens() {
        let schedule = Schedule::new(Instant::now(), 2_000.0);
        let pacer = Pacer::start(schedule);
        for number in 1..40 {
            while Instant::now() < schedule.due(number) {
                // There is no timer here: without a tick after each the test does not end.
                pacer.tick.notified().await;
            }
        }
        let tick = Arc::clone(&pacer.tick);
        drop(pacer);
        while Arc::strong_count(&tick) > 1 {
            thread::yield_now();
        }
    }
}
