//! The transport between a client's link and awc: records what leaves and what arrives.

use std::rc::Rc;

use dske::node::transport::{Transport, Unreachable};
use dske::protocol::channel::PoolOwner;
use dske::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use dske::protocol::{Request, Response};
use dske::psrd::Block;
use futures_util::future::{FutureExt, LocalBoxFuture};

use super::Observer;
use super::record::{OutOfBand, Provisioned, Seen};
use crate::world::clock::now_us;

/// A transport that is watched.
pub struct Tap {
    /// The transport that does the work.
    pub inner: Rc<dyn Transport>,
    /// Who watches.
    pub observer: Observer,
    /// Index of the client.
    pub client: usize,
    /// Index of the hub.
    pub hub: usize,
}

impl Tap {
    /// Asks the hub out of band, and records what the client hears: `heard` says it of what is not refused. A client that
    /// has waited long enough drops what it has asked.
    fn out_of_band<T: 'static>(
        &self,
        pool: Option<PoolOwner>,
        asked: LocalBoxFuture<'static, Result<Result<T, OobError>, Unreachable>>,
        heard: impl FnOnce(&T) -> Provisioned + 'static,
    ) -> LocalBoxFuture<'static, Result<Result<T, OobError>, Unreachable>> {
        let waiting = Waiting {
            observer: self.observer.clone(),
            client: self.client,
            hub: self.hub,
            pool,
            since_us: now_us(),
            is_answered: false,
        };
        async move {
            // All of it moves here, not one field.
            let mut waiting = waiting;
            let answer = asked.await;
            if let Ok(answer) = &answer {
                waiting.is_answered = true;
                let heard = match answer {
                    Ok(given) => heard(given),
                    Err(refusal) => Provisioned::Refused(pool, refusal.clone()),
                };
                waiting
                    .observer
                    .provision(waiting.client, waiting.hub, heard);
            }
            answer
        }
        .boxed_local()
    }
}

/// Somebody who waits for an answer out of band.
struct Waiting {
    observer: Observer,
    client: usize,
    hub: usize,
    /// The pool that a block is for; none for a registration.
    pool: Option<PoolOwner>,
    since_us: u64,
    is_answered: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_answered {
            let (at_us, client) = (self.since_us, Some(self.client));
            let what = OutOfBand::Unanswered;
            self.observer.out_of_band_at(at_us, self.hub, client, what);
            let what = Provisioned::Unanswered(self.pool);
            self.observer.provision(self.client, self.hub, what);
        }
    }
}

impl Transport for Tap {
    fn ask(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>> {
        let (observer, client, hub) = (self.observer.clone(), self.client, self.hub);
        observer.message(Some(client), hub, Seen::Sent(request.clone()));
        let answer = self.inner.ask(request.clone());
        async move {
            let response = answer.await?;
            let heard = Seen::Heard {
                to: request,
                response: response.clone(),
            };
            observer.message(Some(client), hub, heard);
            Ok(response)
        }
        .boxed_local()
    }

    fn register(
        &self,
        request: RegistrationRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Registration, OobError>, Unreachable>> {
        self.observer
            .provision(self.client, self.hub, Provisioned::AsksToRegister);
        let asked = self.inner.register(request);
        self.out_of_band(None, asked, |_| Provisioned::Registered)
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        let owner = request.owner;
        let asked = self.inner.deliver_psrd(request);
        self.out_of_band(Some(owner), asked, move |block| {
            Provisioned::Block(owner, block.id())
        })
    }
}
