//! A client's way to a hub on which answers are swapped: each goes to whoever waits for the other.
//!
//! Whoever does this need not break anything: answers are in two streams, and each is passed on whole. A client has to find
//! out that neither answers what it asked.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use dske::node::transport::{Transport, Unreachable};
use dske::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use dske::protocol::{Request, Response};
use dske::psrd::Block;
use futures_util::future::{FutureExt, LocalBoxFuture};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::plan::Fault;
use crate::plan::reached::{FaultEffect, Reached};
use crate::world::clock::now_us;
use crate::world::observer::Observer;
use crate::world::observer::record::OutOfBand;

/// How long an answer is held back for another one to swap it with: shorter than any time-out.
const HELD: Duration = Duration::from_millis(150);

/// A transport that swaps answers while a fault says so.
pub(crate) struct Swapped {
    inner: Rc<dyn Transport>,
    link: Rc<Link>,
}

struct Link {
    observer: Observer,
    client: usize,
    hub: usize,
    /// The answer that is held back, with the way to whoever waits for it.
    held: RefCell<Option<Held>>,
}

struct Held {
    response: Response,
    waiting: oneshot::Sender<Response>,
}

impl Swapped {
    pub(crate) fn new(
        inner: Rc<dyn Transport>,
        observer: Observer,
        client: usize,
        hub: usize,
    ) -> Self {
        let link = Rc::new(Link {
            observer,
            client,
            hub,
            held: RefCell::default(),
        });
        Self { inner, link }
    }
}

impl Link {
    fn is_active(&self) -> bool {
        let (seen, now_ms) = (self.observer.seen(), now_us() / 1000);
        seen.plan.faults_at(now_ms).any(|fault| {
            matches!(fault, Fault::SwapAnswers { client, hub }
                if (*client, *hub) == (self.client, self.hub))
        })
    }

    /// The answer that somebody hears who is due this one.
    async fn pass(&self, response: Response) -> Response {
        if !self.is_active() {
            return response;
        }
        // Whoever has given up waiting is no longer there to be deceived.
        let held = self.held.take().filter(|held| !held.waiting.is_closed());
        if let Some(Held {
            response: other,
            waiting,
        }) = held
        {
            self.observer
                .reach(Reached::Effect(FaultEffect::AnswersSwapped));
            self.observer
                .out_of_band(self.hub, Some(self.client), OutOfBand::AnswersSwapped);
            // It is there: nothing has run since it was asked.
            drop(waiting.send(response));
            return other;
        }
        let (waiting, swapped) = oneshot::channel();
        let own = response.clone();
        self.held.replace(Some(Held { response, waiting }));
        match timeout(HELD, swapped).await {
            Ok(Ok(other)) => other,
            Ok(Err(_)) | Err(_) => own,
        }
    }
}

impl Transport for Swapped {
    fn ask(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>> {
        let (answer, link) = (self.inner.ask(request), Rc::clone(&self.link));
        async move {
            let response = answer.await?;
            Ok(link.pass(response).await)
        }
        .boxed_local()
    }

    fn register(
        &self,
        request: RegistrationRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Registration, OobError>, Unreachable>> {
        self.inner.register(request)
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        self.inner.deliver_psrd(request)
    }
}
