//! How long a connection may take, how many there may be, and how much they may hold.
//!
//! Nobody has to say who they are before they connect, so that connections and requests that are still arriving cannot
//! have accounts. What they share is bounded in another way: where it would be too much, the one goes that has kept the node
//! waiting longest. Who sends its request without delay is never that one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::limits::BODY_BYTES_MAX;
use crate::psrd::BLOCK_BYTES_MAX;

/// How long a whole request may take to arrive, its head and its body, and how long its answer may take to be read. The
/// longest body then needs some 3 Mbit/s.
pub const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection may be idle between two requests. Clients close theirs sooner, so that none is closed just when
/// they use it again.
pub const IDLE_MAX: Duration = Duration::from_secs(60);

/// Most connections of a node, however many descriptors it may have. Each takes some 30 KiB.
pub const CONNECTIONS_MAX: usize = 4096;

/// Most bytes at a node of requests that are not answered, and of answers that are not read. A single one may have more.
pub const BYTES_MAX: usize = 128 * 1024 * 1024;

// Several of the longest requests can arrive at the same time, and more than one of the longest answers can be under way.
const _: () = assert!(8 * BODY_BYTES_MAX <= BYTES_MAX && 2 * BLOCK_BYTES_MAX <= BYTES_MAX);

/// All connections of a node.
#[derive(Debug)]
pub(super) struct Connections {
    max: usize,
    bytes_max: usize,
    bytes: Cell<usize>,
    next: Cell<u64>,
    open: RefCell<BTreeMap<u64, Rc<Guard>>>,
}

/// What the node knows of one connection. Its stream and the routes tell it what happens.
#[derive(Debug)]
pub(super) struct Guard {
    node: Rc<Connections>,
    id: u64,
    phase: Cell<Phase>,
    /// Since when the phase lasts.
    since: Cell<Instant>,
    /// Bytes that were read and not answered, and of an answer that is not written.
    bytes: Cell<usize>,
    /// Whether bytes have arrived since the request was whole: they belong to the next one.
    ahead: Cell<bool>,
    /// Until when what is being written has to be read.
    written_by: Cell<Option<Instant>>,
    over: Cell<Option<Over>>,
    waker: RefCell<Option<Waker>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has arrived since the last answer.
    Idle,
    /// A request is arriving.
    Receiving,
    /// A request is whole, and not answered yet. How long that takes is up to the node.
    Working,
    /// The answer is being written.
    Answered,
}

/// Why nothing more is read from a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Its request took too long.
    Late,
    /// Others needed its room.
    Shed,
}

impl Connections {
    pub(super) fn new(max: usize, bytes_max: usize) -> Rc<Self> {
        Rc::new(Self {
            max,
            bytes_max,
            bytes: Cell::new(0),
            next: Cell::new(0),
            open: RefCell::default(),
        })
    }

    /// Admits a new connection. Beyond the maximum, one has to go. It is one of those of which there are most: who floods a
    /// node with requests that never end does not cost others the connections that they keep, nor the other way round.
    pub(super) fn admit(self: &Rc<Self>, now: Instant) -> Rc<Guard> {
        let id = self.next.get();
        self.next.set(id + 1);
        let guard = Rc::new(Guard {
            node: Rc::clone(self),
            id,
            // Who connects has something to ask.
            phase: Cell::new(Phase::Receiving),
            since: Cell::new(now),
            bytes: Cell::new(0),
            ahead: Cell::new(false),
            written_by: Cell::new(None),
            over: Cell::new(None),
            waker: RefCell::new(None),
        });
        self.open.borrow_mut().insert(id, Rc::clone(&guard));
        if self.open.borrow().len() > self.max {
            let most = [Phase::Idle, Phase::Receiving, Phase::Answered]
                .into_iter()
                .max_by_key(|phase| self.number_in(*phase));
            self.shed(|guard| Some(guard.phase.get()) == most);
        }
        guard
    }

    fn number_in(&self, phase: Phase) -> usize {
        let open = self.open.borrow();
        let stays = |guard: &&Rc<Guard>| guard.over.get().is_none();
        let in_phase = open.values().filter(|guard| guard.phase.get() == phase);
        in_phase.filter(stays).count()
    }

    /// Ends the connection that has kept the node waiting longest, among those that this is about. Returns whether there
    /// is one.
    fn shed(&self, about: impl Fn(&Guard) -> bool) -> bool {
        let open = self.open.borrow();
        let waiting = open.values().filter(|guard| {
            guard.phase.get() != Phase::Working && guard.over.get().is_none() && about(guard)
        });
        let longest = waiting.min_by_key(|guard| guard.since.get());
        longest.is_some_and(|guard| {
            guard.end(Over::Shed);
            true
        })
    }
}

impl Guard {
    fn enter(&self, phase: Phase, now: Instant) {
        self.phase.set(phase);
        self.since.set(now);
    }

    fn end(&self, over: Over) {
        self.over.set(Some(over));
        self.forget_bytes();
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Accounts for bytes. If there are too many, others have to go, or this one.
    fn holds(&self, bytes: usize) {
        let all = &self.node.bytes;
        // No answer is so long; if one were, what is given back later would still be what was taken.
        let bytes = bytes.min(usize::MAX - all.get());
        self.bytes.set(self.bytes.get() + bytes);
        all.set(all.get() + bytes);
        while all.get() > self.node.bytes_max && all.get() > self.bytes.get() {
            if !self.node.shed(|guard| guard.bytes.get() > 0) {
                break;
            }
        }
    }

    fn forget_bytes(&self) {
        let bytes = &self.node.bytes;
        bytes.set(bytes.get() - self.bytes.take());
    }

    /// Bytes have arrived.
    pub(super) fn received(&self, bytes: usize, now: Instant) {
        match self.phase.get() {
            Phase::Idle => self.enter(Phase::Receiving, now),
            Phase::Receiving => self.end_if_late(now),
            Phase::Working | Phase::Answered => self.ahead.set(true),
        }
        if self.over.get().is_none() {
            self.holds(bytes);
        }
    }

    /// The request is whole.
    pub(super) fn whole(&self, now: Instant) {
        self.ahead.set(false);
        self.enter(Phase::Working, now);
    }

    /// There is an answer of so many bytes. If the request is not whole, its time goes on.
    pub(super) fn answered(&self, bytes: usize, now: Instant) {
        if self.phase.get() == Phase::Working {
            self.enter(Phase::Answered, now);
            self.holds(bytes);
        }
    }

    /// Something is to be written.
    pub(super) fn writes(&self, now: Instant) {
        if self.written_by.get().is_none() {
            self.written_by.set(Some(now + REQUEST_WITHIN));
        }
    }

    /// All was written.
    pub(super) fn written(&self, now: Instant) {
        if self.written_by.take().is_some() && self.phase.get() == Phase::Answered {
            self.forget_bytes();
            let next = match self.ahead.take() {
                true => Phase::Receiving,
                false => Phase::Idle,
            };
            self.enter(next, now);
        }
    }

    /// Until when the node waits for bytes.
    fn read_by(&self) -> Option<Instant> {
        let at_most = match self.phase.get() {
            Phase::Idle => IDLE_MAX,
            Phase::Receiving => REQUEST_WITHIN,
            Phase::Working | Phase::Answered => return None,
        };
        Some(self.since.get() + at_most)
    }

    /// The time at which something has to be done, if nothing happens before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.read_by(), self.written_by.get()];
        deadlines.into_iter().flatten().min()
    }

    /// Whether nobody waits any longer for the answer to be read.
    pub(super) fn is_unread(&self, now: Instant) -> bool {
        let by = self.written_by.get();
        self.over.get() == Some(Over::Shed) || by.is_some_and(|by| by <= now)
    }

    /// Ends the connection if its request has not arrived in time.
    pub(super) fn end_if_late(&self, now: Instant) {
        let late = self.read_by().is_some_and(|by| by <= now);
        if late && self.over.get().is_none() {
            self.end(Over::Late);
        }
    }

    /// Why nothing more is read.
    pub(super) fn over(&self) -> Option<Over> {
        self.over.get()
    }

    /// Who is woken when the connection has to go.
    pub(super) fn wakes(&self, waker: &Waker) {
        let mut own = self.waker.borrow_mut();
        match &mut *own {
            Some(own) => own.clone_from(waker),
            None => *own = Some(waker.clone()),
        }
    }

    /// The connection has ended.
    pub(super) fn closed(&self) {
        self.forget_bytes();
        self.node.open.borrow_mut().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that is set by hand.
    struct Clock(Cell<Instant>);

    impl Clock {
        fn start() -> Self {
            Self(Cell::new(Instant::now()))
        }

        fn now(&self) -> Instant {
            self.0.get()
        }

        fn wait(&self, seconds: u64) {
            self.0.set(self.now() + Duration::from_secs(seconds));
        }
    }

    /// A whole request of so many bytes, and an answer that is being written.
    fn ask(guard: &Guard, now: Instant, answer: usize) {
        guard.received(1, now);
        guard.whole(now);
        guard.answered(answer, now);
        guard.writes(now);
    }

    fn over(guard: &Guard, now: Instant) -> Option<Over> {
        guard.end_if_late(now);
        guard.over()
    }

    #[test]
    fn every_request_of_a_connection_has_the_same_time() {
        let clock = Clock::start();
        let connection = Connections::new(1, 100).admit(clock.now());
        for _ in 0..3 {
            connection.received(1, clock.now());
            clock.wait(9);
            assert_eq!(over(&connection, clock.now()), None);
            ask(&connection, clock.now(), 1);
            connection.written(clock.now());
            clock.wait(59);
            assert_eq!(over(&connection, clock.now()), None, "it may be idle");
        }
        connection.received(1, clock.now());
        clock.wait(10);
        connection.received(1, clock.now());
        assert_eq!(connection.over(), Some(Over::Late));
    }

    #[test]
    fn who_sends_nothing_or_no_second_request_has_to_go() {
        let clock = Clock::start();
        let node = Connections::new(2, 100);
        let (silent, idle) = (node.admit(clock.now()), node.admit(clock.now()));
        ask(&idle, clock.now(), 1);
        idle.written(clock.now());
        clock.wait(10);
        assert_eq!(over(&silent, clock.now()), Some(Over::Late));
        assert_eq!(over(&idle, clock.now()), None);
        clock.wait(50);
        assert_eq!(over(&idle, clock.now()), Some(Over::Late));
    }

    #[test]
    fn the_node_takes_its_time_and_what_came_early_counts_from_the_answer() {
        let clock = Clock::start();
        let connection = Connections::new(1, 100).admit(clock.now());
        connection.received(1, clock.now());
        connection.whole(clock.now());
        connection.received(1, clock.now());
        clock.wait(100);
        assert_eq!(over(&connection, clock.now()), None);
        connection.answered(1, clock.now());
        connection.writes(clock.now());
        connection.written(clock.now());
        clock.wait(10);
        assert_eq!(over(&connection, clock.now()), Some(Over::Late));
    }

    #[test]
    fn an_answer_has_to_be_read_in_time_whatever_else_is_asked() {
        let clock = Clock::start();
        let connection = Connections::new(1, 100).admit(clock.now());
        ask(&connection, clock.now(), 1);
        clock.wait(9);
        ask(&connection, clock.now(), 1);
        assert!(!connection.is_unread(clock.now()));
        clock.wait(1);
        assert!(connection.is_unread(clock.now()));
    }

    #[test]
    fn an_answer_to_half_a_request_gives_it_no_more_time() {
        let clock = Clock::start();
        let connection = Connections::new(1, 100).admit(clock.now());
        connection.received(1, clock.now());
        clock.wait(9);
        connection.answered(1, clock.now());
        connection.writes(clock.now());
        connection.written(clock.now());
        clock.wait(1);
        assert_eq!(over(&connection, clock.now()), Some(Over::Late));
    }

    #[test]
    fn of_too_many_connections_the_one_goes_that_has_kept_the_node_waiting_longest() {
        let clock = Clock::start();
        let node = Connections::new(3, 100);
        let mut all = Vec::new();
        for _ in 0..3 {
            all.push(node.admit(clock.now()));
            clock.wait(1);
        }
        // The first is being answered, the second was answered just now.
        all[0].received(1, clock.now());
        all[0].whole(clock.now());
        ask(&all[1], clock.now(), 1);
        all[1].written(clock.now());
        let new = node.admit(clock.now());
        let over: Vec<_> = all.iter().map(|guard| guard.over()).collect();
        assert_eq!(over, [None, None, Some(Over::Shed)]);
        assert_eq!(new.over(), None);
        all.remove(2).closed();
        // Now most are idle.
        ask(&new, clock.now(), 1);
        new.written(clock.now());
        node.admit(clock.now());
        assert_eq!((all[1].over(), new.over()), (Some(Over::Shed), None));
    }

    #[test]
    fn of_too_many_bytes_those_go_that_have_been_arriving_longest() {
        let clock = Clock::start();
        let node = Connections::new(10, 100);
        let (slow, quick) = (node.admit(clock.now()), node.admit(clock.now()));
        slow.received(60, clock.now());
        clock.wait(1);
        quick.whole(clock.now());
        quick.received(40, clock.now());
        assert_eq!((slow.over(), quick.over()), (None, None));
        let other = node.admit(clock.now());
        other.received(1, clock.now());
        assert_eq!(slow.over(), Some(Over::Shed));
        assert_eq!((quick.over(), other.over()), (None, None));
        assert_eq!(node.bytes.get(), 41, "what is dropped no longer counts");
        other.received(70, clock.now());
        assert_eq!(other.over(), Some(Over::Shed), "whole requests stay");
        for guard in [slow, quick, other] {
            guard.closed();
        }
        assert_eq!(node.bytes.get(), 0);
    }

    #[test]
    fn of_too_many_answers_those_go_that_have_been_unread_longest() {
        let clock = Clock::start();
        let node = Connections::new(10, 100);
        let new = |answer| {
            let guard = node.admit(clock.now());
            ask(&guard, clock.now(), answer);
            guard
        };
        let (first, second) = (new(50), new(40));
        clock.wait(1);
        let large = new(200);
        let over = [&first, &second, &large].map(|guard| guard.over());
        assert_eq!(over, [Some(Over::Shed), Some(Over::Shed), None]);
        assert!(first.is_unread(clock.now()) && !large.is_unread(clock.now()));
    }
}
