//! How many requests to the hub may be under way at the same time: some while it answers, and one while it does not.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

use super::error::LinkError;

/// Requests under way at most. One leaves every 20 ms even if none is answered, so that this is enough for a hub that is
/// more than a second away, and a hub that stops answering gets no more.
const REQUESTS_MAX: usize = 64;

/// The requests under way, and whether the hub answers.
#[derive(Default)]
pub(super) struct Window {
    under_way: Cell<usize>,
    /// Requests sent since the start.
    sent: Cell<u64>,
    /// How many of them had been sent when the hub was last heard.
    sent_when_heard: Cell<u64>,
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
        while self.under_way.get() >= if self.is_silent() { 1 } else { REQUESTS_MAX } {
            self.left.notified().await;
        }
    }

    /// A request is sent.
    pub(super) fn enter(self: &Rc<Self>) -> UnderWay {
        self.under_way.update(|number| number + 1);
        self.sent.update(|number| number + 1);
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

    /// The request has failed. Returns whether it was the one attempt to reach a silent hub, and has shown that the hub
    /// is silent still.
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
    use futures_util::FutureExt;

    use super::*;

    const NO_ANSWER: LinkError = LinkError::Timeout(std::time::Duration::from_secs(1));

    fn has_room(window: &Window) -> bool {
        window.has_room().now_or_never().is_some()
    }

    #[test]
    fn a_silent_hub_gets_one_request_at_a_time_until_it_answers() {
        let window = Rc::new(Window::default());
        let all: Vec<UnderWay> = (0..REQUESTS_MAX)
            .map(|_| {
                assert!(has_room(&window));
                window.enter()
            })
            .collect();
        assert!(!has_room(&window));
        assert!(!all[0].failed(&NO_ANSWER), "others may be answered yet");
        assert!(window.is_silent());
        drop(all);
        assert!(has_room(&window));
        let probe = window.enter();
        assert!(!has_room(&window));
        assert!(probe.failed(&NO_ANSWER));
        drop(probe);
        let probe = window.enter();
        probe.answered();
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
