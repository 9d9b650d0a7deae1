//! How a client reaches a hub. The same authenticated messages, whatever carries them.

use futures_util::future::{FutureExt, LocalBoxFuture};

use crate::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use crate::protocol::{Request, Response};
use crate::psrd::Block;

use super::hub::{Ask, DeliverPsrd, HubHandle, Register};

/// The hub could not be reached, or its answer did not come back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// The way from a client to one hub. Implementations need no time-outs: the link has them.
pub trait Transport {
    /// Carries a signed request to the hub and the response back.
    fn ask(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>>;

    /// Registers out of band.
    fn register(
        &self,
        request: RegistrationRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Registration, OobError>, Unreachable>>;

    /// Fetches a block of PSRD out of band.
    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>>;
}

/// The hub is an actor in the same process.
impl Transport for HubHandle {
    fn ask(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>> {
        let sent = self.ask.send(Ask(request));
        async move {
            let response = sent.await.map_err(stopped)?;
            response.ok_or_else(|| Unreachable("the hub gave no answer".to_owned()))
        }
        .boxed_local()
    }

    fn register(
        &self,
        request: RegistrationRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Registration, OobError>, Unreachable>> {
        let sent = self.register.send(Register(request));
        async move { sent.await.map_err(stopped) }.boxed_local()
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        let sent = self.deliver_psrd.send(DeliverPsrd(request));
        async move { sent.await.map_err(stopped) }.boxed_local()
    }
}

fn stopped(_: actix::MailboxError) -> Unreachable {
    Unreachable("the hub has stopped".to_owned())
}
