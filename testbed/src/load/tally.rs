//! What is counted, and in which span of time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::Load;
use super::failure::{Failure, WRONG};
use crate::latencies::histogram;

/// The span of time that is measured.
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

    /// Ends the span now: nothing is measured any more.
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

/// What a latency was measured of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Latency {
    /// Get key.
    GetKey,
    /// Get key with key IDs.
    GetKeyWithIds,
    /// The whole operation.
    Both,
}

/// Counts what happens within the window. For throughput it matters when an operation ended; for latencies and errors,
/// when it was due.
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

    /// Counts a latency that is part of an operation that was due at this time.
    pub(super) fn took(&self, what: Latency, due: Instant, latency: Duration) {
        if self.window.contains(due) {
            let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            self.latencies.borrow_mut()[what as usize].saturating_record(us.max(1));
        }
    }

    /// Counts an operation that has succeeded.
    pub(super) fn completed(&self, at: Instant) {
        if self.window.contains(at) {
            self.operations.set(self.operations.get() + 1);
        }
    }

    /// Counts an operation that was due at this time and has failed.
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

    /// How many operations had wrong keys.
    pub(super) fn mismatches(&self) -> u64 {
        let errors = self.errors.borrow();
        let wrong = WRONG.iter().filter_map(|kind| errors.get(*kind));
        wrong.map(|errors| errors.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Arrivals, Load};
    use super::*;

    fn load() -> Load {
        Load {
            pairs: Vec::new(),
            arrivals: Arrivals::Closed { concurrency: 1 },
            size_bits: 256,
            keys_per_call: 3,
            warm_up: Duration::ZERO,
            duration: Duration::ZERO,
        }
    }

    fn failure(kind: &str, message: &str) -> Failure {
        Failure {
            kind: kind.to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn latencies_and_errors_belong_to_when_they_were_due_and_keys_to_when_they_were_there() {
        let from = Instant::now() + Duration::from_secs(10);
        let window = Rc::new(Window::new(from, Duration::from_secs(2)));
        let tally = Tally::new(&load(), window);
        // Seconds after the window opens: when it was due, when it ended.
        for (due, end) in [(-1, 1), (0, 1), (1, 3), (1, 1), (2, 3), (-2, -1)] {
            let at = |s: i64| from + Duration::from_secs(20) - Duration::from_secs((20 - s) as u64);
            tally.took(Latency::Both, at(due), at(end) - at(due));
            tally.completed(at(end));
            tally.failed(at(due), failure("k", "m"));
        }
        assert_eq!(tally.latency(Latency::Both).len(), 3);
        assert_eq!(tally.latency(Latency::GetKey).len(), 0);
        assert_eq!((tally.operations(), tally.keys()), (3, 9));
        assert_eq!(tally.errors()["k"].count, 3);
    }

    #[test]
    fn a_closed_window_ends_where_it_was_closed() {
        let from = Instant::now();
        let window = Window::new(from, Duration::from_secs(60));
        assert!(!window.is_over());
        window.close();
        assert!(window.is_over() && window.length() < Duration::from_secs(30));
        // One that has not opened yet has no length.
        let window = Window::new(from + Duration::from_secs(60), Duration::from_secs(60));
        window.close();
        assert_eq!(window.length(), Duration::ZERO);
    }

    #[test]
    fn the_first_error_of_each_kind_is_kept_and_wrong_keys_are_told_apart() {
        let from = Instant::now();
        let tally = Tally::new(&load(), Rc::new(Window::new(from, Duration::from_secs(60))));
        for (kind, message) in [
            ("get-key-503", "one"),
            ("get-key-503", "two"),
            (WRONG[0], "three"),
        ] {
            tally.failed(from, failure(kind, message));
        }
        let errors = tally.errors();
        assert_eq!(errors["get-key-503"].first, "one");
        assert_eq!(errors["get-key-503"].count, 2);
        assert_eq!(tally.mismatches(), 1);
    }
}
