//! The transport between a client's link and awc: records what leaves and what arrives.

use std::rc::Rc;

use dske::node::transport::{Transport, Unreachable};
use dske::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use dske::protocol::{Request, Response};
use dske::psrd::Block;
use futures_util::future::{FutureExt, LocalBoxFuture};

use super::Observer;
use super::record::Seen;

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
        self.inner.register(request)
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        self.inner.deliver_psrd(request)
    }
}
