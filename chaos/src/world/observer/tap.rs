//! The transport between a client's link and awc: records what leaves and what arrives.

use std::rc::Rc;

use dske::node::transport::{Transport, Unreachable};
use dske::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use dske::protocol::{Request, Response};
use dske::psrd::Block;
use futures_util::future::{FutureExt, LocalBoxFuture};

use super::Observer;
use super::record::{OutOfBand, Seen};
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
    /// Asks the hub out of band, and records it if the answer is what was asked for, or if there is none. A client that has
    /// waited long enough drops what it has asked.
    fn out_of_band<T: 'static>(
        &self,
        heard: OutOfBand,
        asked: LocalBoxFuture<'static, Result<Result<T, OobError>, Unreachable>>,
    ) -> LocalBoxFuture<'static, Result<Result<T, OobError>, Unreachable>> {
        let waiting = Waiting {
            observer: self.observer.clone(),
            client: self.client,
            hub: self.hub,
            since_us: now_us(),
            is_answered: false,
        };
        async move {
            // All of it moves here, not one field.
            let mut waiting = waiting;
            let answer = asked.await;
            waiting.is_answered = answer.is_ok();
            if matches!(answer, Ok(Ok(_))) {
                let Waiting {
                    observer,
                    client,
                    hub,
                    ..
                } = &waiting;
                observer.out_of_band(*hub, Some(*client), heard);
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
    since_us: u64,
    is_answered: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_answered {
            let (at_us, client) = (self.since_us, Some(self.client));
            let what = OutOfBand::Unanswered;
            self.observer.out_of_band_at(at_us, self.hub, client, what);
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
        let asked = self.inner.register(request);
        self.out_of_band(OutOfBand::RegistrationHeard, asked)
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        let asked = self.inner.deliver_psrd(request);
        self.out_of_band(OutOfBand::BlockHeard, asked)
    }
}
