//! How a client reaches a hub. The authenticated messages are the same, whatever carries them.

use futures_util::future::{FutureExt, LocalBoxFuture};

use crate::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use crate::protocol::{Request, Response};
use crate::psrd::Block;

use super::hub::{Ask, DeliverPsrd, HubHandle, Register};

/// The hub could not be reached, or its answer did not come back. Holds the reason in the transport's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// What comes back from the hub, or the reason why nothing did.
pub type Carried<T> = LocalBoxFuture<'static, Result<T, Unreachable>>;

/// The way from a client to one hub. Implementations need no time-outs: the link has them.
pub trait Transport {
    /// Carries a signed request to the hub and the response back.
    fn ask(&self, request: Request) -> Carried<Response>;

    /// Registers the client out of band.
    fn register(&self, request: RegistrationRequest) -> Carried<Result<Registration, OobError>>;

    /// Fetches a block of PSRD out of band.
    fn deliver_psrd(&self, request: PsrdRequest) -> Carried<Result<Block, OobError>>;
}

/// The hub is an actor in the same process.
impl Transport for HubHandle {
    fn ask(&self, request: Request) -> Carried<Response> {
        let sent = self.ask.send(Ask(request));
        async move { sent.await.map_err(stopped) }.boxed_local()
    }

    fn register(&self, request: RegistrationRequest) -> Carried<Result<Registration, OobError>> {
        let sent = self.register.send(Register(request));
        async move { sent.await.map_err(stopped) }.boxed_local()
    }

    fn deliver_psrd(&self, request: PsrdRequest) -> Carried<Result<Block, OobError>> {
        let sent = self.deliver_psrd.send(DeliverPsrd(request));
        async move { sent.await.map_err(stopped) }.boxed_local()
    }
}

fn stopped(_: actix::MailboxError) -> Unreachable {
    Unreachable("the hub has stopped".to_owned())
}
