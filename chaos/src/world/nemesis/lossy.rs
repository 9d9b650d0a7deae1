//! A client's way to a hub that loses messages.
//!
//! The simulated TCP never retransmits: a segment that it lost would break the stream for good, which no real TCP does.
//! So loss is what TCP makes of it for those who use it: the message is late by a retransmission time-out, doubled for
//! each further loss. Requests and responses are lost independently, those out of band as well.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use dske::node::transport::{Transport, Unreachable};
use dske::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use dske::protocol::{Request, Response};
use dske::psrd::Block;
use futures_util::future::{FutureExt, LocalBoxFuture};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use crate::plan::Fault;
use crate::plan::reached::{FaultEffect, Reached};
use crate::world::clock::now_us;
use crate::world::observer::Observer;
use crate::world::observer::record::NoteKind;

/// Until TCP sends again what was lost: the shortest that Linux takes (`TCP_RTO_MIN`), which on these latencies is what
/// it does take.
pub(crate) const RETRANSMISSION_MS: u64 = 200;

/// Most losses that are drawn for one message. With these it is later than the longest request time-out that a plan may
/// have: more losses would change nothing.
const LOSSES_MAX: u32 = 9;

/// A transport that loses messages while a fault says so.
pub(crate) struct Lossy {
    inner: Rc<dyn Transport>,
    link: Rc<Link>,
}

struct Link {
    observer: Observer,
    client: usize,
    hub: usize,
    rng: RefCell<ChaCha12Rng>,
}

impl Lossy {
    pub(crate) fn new(
        inner: Rc<dyn Transport>,
        observer: Observer,
        client: usize,
        hub: usize,
        rng: ChaCha12Rng,
    ) -> Self {
        let link = Rc::new(Link {
            observer,
            client,
            hub,
            rng: RefCell::new(rng),
        });
        Self { inner, link }
    }

    /// Both ways may lose. Who gives up meanwhile drops the future: then the message was never there.
    fn carry<T: 'static>(
        &self,
        send: impl FnOnce(&dyn Transport) -> LocalBoxFuture<'static, T> + 'static,
    ) -> LocalBoxFuture<'static, T> {
        let (inner, link) = (Rc::clone(&self.inner), Rc::clone(&self.link));
        async move {
            link.pass().await;
            let answer = send(inner.as_ref()).await;
            link.pass().await;
            answer
        }
        .boxed_local()
    }
}

impl Transport for Lossy {
    fn ask(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>> {
        self.carry(|inner| inner.ask(request))
    }

    fn register(
        &self,
        request: RegistrationRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Registration, OobError>, Unreachable>> {
        self.carry(|inner| inner.register(request))
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        self.carry(|inner| inner.deliver_psrd(request))
    }
}

impl Link {
    async fn pass(&self) {
        let Some(percent) = self.loss_percent() else {
            return;
        };
        let late = lateness(draw(percent, &mut self.rng.borrow_mut()));
        if late.is_zero() {
            return;
        }
        self.observer
            .reach(Reached::Effect(FaultEffect::Retransmission));
        self.observer.note(NoteKind::Retransmission {
            client: self.client,
            hub: self.hub,
            late,
        });
        tokio::time::sleep(late).await;
    }

    fn loss_percent(&self) -> Option<u64> {
        let seen = self.observer.seen();
        let faults = seen.plan.faults_at(now_us() / 1000);
        let losses = faults.filter_map(|fault| match fault {
            Fault::LossyLink {
                client,
                hub,
                loss_percent,
            } if (*client, *hub) == (self.client, self.hub) => Some(*loss_percent),
            _ => None,
        });
        losses.max()
    }
}

/// How often a message is lost before it arrives.
fn draw(percent: u64, rng: &mut ChaCha12Rng) -> u32 {
    let mut losses = 0;
    while losses < LOSSES_MAX && rng.random_range(0..100) < percent {
        losses += 1;
    }
    losses
}

/// How late a message is that was lost so often: the time-out doubles each time.
fn lateness(losses: u32) -> Duration {
    Duration::from_millis(RETRANSMISSION_MS * ((1 << losses) - 1))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::plan::limits::REQUEST_TIMEOUT_MS;

    #[test]
    fn each_loss_doubles_the_wait_until_nobody_waits_any_more() {
        let late_ms = |losses| lateness(losses).as_millis();
        assert_eq!([0, 1, 2, 3].map(late_ms), [0, 200, 600, 1_400]);
        assert!(late_ms(LOSSES_MAX) > u128::from(*REQUEST_TIMEOUT_MS.end()));
    }

    #[test]
    fn as_many_are_lost_as_the_fault_says() {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        for percent in [1, 10, 50, 90] {
            let lost = (0..10_000).filter(|_| draw(percent, &mut rng) > 0).count();
            let expected = percent as usize * 100;
            // Ten standard deviations of at most 50.
            assert!(lost.abs_diff(expected) < 500, "{percent}: {lost}");
        }
        let mut twice = (0..10_000).map(|_| draw(50, &mut rng));
        assert!(twice.any(|losses| losses == LOSSES_MAX));
    }
}
