//! The transport between a client's link and awc: records what leaves and what arrives.

use std::rc::Rc;

use dske::node::transport::{Transport, Unreachable};
use dske::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use dske::protocol::{Request, Response};
use dske::psrd::Block;
use futures_util::future::{FutureExt, LocalBoxFuture};

use super::record::{Message, Seen};
use super::{Observer, now_us, trace};

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
        observer.note(&format!("sent c{client}>h{hub} {}", line(&request)));
        observer.see().messages.push(Message {
            at_us: now_us(),
            client: Some(client),
            hub,
            what: Seen::Sent(request.clone()),
        });
        let answer = self.inner.ask(request.clone());
        async move {
            let response = answer.await?;
            observer.note(&format!(
                "heard h{hub}>c{client} {}",
                response_line(&response)
            ));
            observer.see().messages.push(Message {
                at_us: now_us(),
                client: Some(client),
                hub,
                what: Seen::Heard {
                    to: request,
                    response: response.clone(),
                },
            });
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

/// A request in one line: never raw HTTP heads, whose order is random.
pub(super) fn line(request: &Request) -> String {
    format!(
        "{} {} signature={} body={}",
        request.method,
        request.target,
        request.signature.as_deref().unwrap_or("-"),
        trace::fingerprint(&request.body)
    )
}

/// A response in one line.
pub(super) fn response_line(response: &Response) -> String {
    format!(
        "{} signature={} body={}",
        response.status,
        response.signature.as_deref().unwrap_or("-"),
        trace::fingerprint(&response.body)
    )
}
