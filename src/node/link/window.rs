//! How many requests to the hub may be under way at the same time: some while it answers, and few while it does not.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::error::LinkError;

/// Requests under way at most. One leaves every 20 ms even if none is answered, so that this is enough for a hub that is
/// more than a second away, and a hub that stops answering gets no more.
const REQUESTS_MAX: usize = 64;

/// How long a request to a silent hub stands alone. A request that was lost says nothing about the next one: so nobody
/// waits for its time-out once the hub is back.
const PROBE_EVERY: Duration = Duration::from_millis(250);

/// The requests under way, and whether the hub answers.
#[derive(Default)]
pub(super) struct Window {
    under_way: Cell<usize>,
    /// Requests sent since the start.
    sent: Cell<u64>,
    /// How many of them had been sent when the hub was last heard.
    sent_when_heard: Cell<u64>,
    last_sent: Cell<Option<Instant>>,
    is_silent: Cell<bool>,
    left: Notify,
}

impl Window {
    /// Whether a request has gone unanswered, and nothing has been heard of the hub since it was sent.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent.get()
    }

    /// Waits until one more request may be sent.
    pub(super) async fn has_room(&self) {
        loop {
            let now = Instant::now();
            match self.next_from(now) {
                Some(at) if at <= now => return,
                // Whether this ends by time or by an answer, there is something new to look at.
                Some(at) => drop(timeout_at(at, self.left.notified()).await),
                None => self.left.notified().await,
            }
        }
    }

    /// When one more request may be sent, unless one that is under way ends before. `None`: not before one ends.
    fn next_from(&self, now: Instant) -> Option<Instant> {
        if self.under_way.get() >= REQUESTS_MAX {
            return None;
        }
        let is_asked = self.is_silent() && self.under_way.get() > 0;
        let last_sent = self.last_sent.get().filter(|_| is_asked);
        Some(last_sent.map_or(now, |at| at + PROBE_EVERY))
    }

    /// A request is sent.
    pub(super) fn enter(self: &Rc<Self>) -> UnderWay {
        self.under_way.update(|number| number + 1);
        self.sent.update(|number| number + 1);
        self.last_sent.set(Some(Instant::now()));
        UnderWay {
            number: self.sent.get(),
            is_probe: self.is_silent(),
            window: Rc::clone(self),
        }
    }
}

/// A request under way, until this is dropped.
pub(super) struct UnderWay {
    window: Rc<Window>,
    /// Counted from 1.
    number: u64,
    is_probe: bool,
}

impl UnderWay {
    /// The hub has answered, however.
    pub(super) fn answered(&self) {
        self.window.sent_when_heard.set(self.window.sent.get());
        self.window.is_silent.set(false);
    }

    /// The request has failed. Returns whether it was an attempt to reach a silent hub, and has shown that the hub is silent
    /// still.
    pub(super) fn failed(&self, error: &LinkError) -> bool {
        match error {
            LinkError::Response(_) => self.answered(),
            LinkError::Unreachable(_) | LinkError::Timeout(_) => {
                let heard_since = self.window.sent_when_heard.get() >= self.number;
                self.window
                    .is_silent
                    .update(|is_silent| is_silent || !heard_since);
                return self.is_probe && self.window.is_silent();
            }
            // It has never left.
            _ => {}
        }
        false
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.window.under_way.update(|number| number - 1);
        self.window.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_ANSWER: LinkError = LinkError::Timeout(Duration::from_secs(1));

    fn has_room(window: &Window) -> bool {
        has_room_after(window, Duration::ZERO)
    }

    fn has_room_after(window: &Window, last_sent: Duration) -> bool {
        let now = window.last_sent.get().unwrap_or_else(Instant::now) + last_sent;
        window.next_from(now).is_some_and(|at| at <= now)
    }

    #[test]
    fn a_silent_hub_gets_a_request_now_and_then_until_it_answers() {
        let window = Rc::new(Window::default());
        let all: Vec<UnderWay> = (0..REQUESTS_MAX)
            .map(|_| {
                assert!(has_room(&window));
                window.enter()
            })
            .collect();
        assert!(!has_room_after(&window, Duration::from_secs(3600)));
        assert!(!all[0].failed(&NO_ANSWER), "others may be answered yet");
        assert!(window.is_silent());
        drop(all);
        assert!(has_room(&window));
        let first = window.enter();
        assert!(!has_room_after(
            &window,
            PROBE_EVERY - Duration::from_millis(1)
        ));
        assert!(has_room_after(&window, PROBE_EVERY));
        let second = window.enter();
        assert!(!has_room(&window));
        assert!(first.failed(&NO_ANSWER));
        drop(first);
        assert!(!has_room(&window), "the second is under way");
        drop(second);
        assert!(has_room(&window));
        let third = window.enter();
        third.answered();
        assert!(!window.is_silent() && has_room(&window));
    }

    #[test]
    fn one_request_that_is_lost_is_no_silence_if_a_later_one_is_answered() {
        let window = Rc::new(Window::default());
        let [lost, answered] = [window.enter(), window.enter()];
        answered.answered();
        assert!(!lost.failed(&NO_ANSWER));
        assert!(!window.is_silent());
        let later = window.enter();
        assert!(!later.failed(&NO_ANSWER));
        assert!(window.is_silent());
    }
}
