//! What is counted, and within which time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::Load;
use super::operation::{Failure, WRONG};

/// The time that is measured.
#[derive(Debug)]
pub(super) struct Window {
    from: Instant,
    until: Cell<Instant>,
}

impl Window {
    pub(super) fn new(from: Instant, length: Duration) -> Self {
        Self {
            from,
            until: Cell::new(from + length),
        }
    }

    pub(super) fn from(&self) -> Instant {
        self.from
    }

    pub(super) fn until(&self) -> Instant {
        self.until.get()
    }

    /// Nothing is measured from now on.
    pub(super) fn close(&self) {
        self.until.set(self.until.get().min(Instant::now()));
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until.get()
    }

    pub(super) fn length(&self) -> Duration {
        self.until.get().saturating_duration_since(self.from)
    }

    fn contains(&self, at: Instant) -> bool {
        self.from <= at && at < self.until.get()
    }
}

/// What a latency is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Latency {
    /// Get key.
    GetKey,
    /// Get key with key IDs.
    GetKeyWithIds,
    /// The whole operation.
    Both,
}

/// Longest latency that is told from longer ones: no call takes an hour.
const LATENCY_MAX: Duration = Duration::from_secs(60 * 60);

/// A histogram of microseconds, exact to three digits.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX.as_micros() as u64, 3)
        .expect("one to an hour of microseconds with three digits is what the library takes")
}

/// Counts what happens within the window: throughput by when operations ended, latencies and errors by when operations
/// were due.
pub(super) struct Tally {
    window: Rc<Window>,
    keys_per_call: u64,
    latencies: RefCell<[Histogram<u64>; 3]>,
    operations: Cell<u64>,
    errors: RefCell<BTreeMap<String, Errors>>,
}

/// Errors of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Errors {
    pub(super) count: u64,
    pub(super) first: String,
}

impl Tally {
    pub(super) fn new(load: &Load, window: Rc<Window>) -> Self {
        Self {
            window,
            keys_per_call: load.keys_per_call as u64,
            latencies: RefCell::new([histogram(), histogram(), histogram()]),
            operations: Cell::new(0),
            errors: RefCell::default(),
        }
    }

    /// Something took so long, as part of an operation that was due at this time.
    pub(super) fn took(&self, what: Latency, due: Instant, latency: Duration) {
        if self.window.contains(due) {
            let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            self.latencies.borrow_mut()[what as usize].saturating_record(us.max(1));
        }
    }

    /// An operation has ended as it should.
    pub(super) fn completed(&self, at: Instant) {
        if self.window.contains(at) {
            self.operations.set(self.operations.get() + 1);
        }
    }

    /// An operation that was due at this time has failed.
    pub(super) fn failed(&self, due: Instant, failure: Failure) {
        if self.window.contains(due) {
            let mut errors = self.errors.borrow_mut();
            let errors = errors.entry(failure.kind).or_insert_with(|| Errors {
                count: 0,
                first: failure.message,
            });
            errors.count += 1;
        }
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations.get()
    }

    pub(super) fn keys(&self) -> u64 {
        self.operations.get() * self.keys_per_call
    }

    pub(super) fn latency(&self, what: Latency) -> Histogram<u64> {
        self.latencies.borrow()[what as usize].clone()
    }

    pub(super) fn errors(&self) -> BTreeMap<String, Errors> {
        self.errors.borrow().clone()
    }

    /// Operations whose keys were not right.
    pub(super) fn mismatches(&self) -> u64 {
        let errors = self.errors.borrow();
        let wrong = WRONG.iter().filter_map(|kind| errors.get(*kind));
        wrong.map(|errors| errors.count).sum()
    }
}
