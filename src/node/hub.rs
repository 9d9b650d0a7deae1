//! The hub's actor.

use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use crate::protocol::hub::{
    Hub, HubStatus, OobError, PsrdRequest, Registration, RegistrationRequest,
};
use crate::protocol::{Request, Response};
use crate::psrd::Block;

/// A signed request.
#[derive(Message)]
#[rtype(result = "Response")]
pub struct Ask(pub Request);

/// Out of band: register a client.
#[derive(Message)]
#[rtype(result = "Result<Registration, OobError>")]
pub struct Register(pub RegistrationRequest);

/// Out of band: deliver a block of PSRD.
#[derive(Message)]
#[rtype(result = "Result<Block, OobError>")]
pub struct DeliverPsrd(pub PsrdRequest);

/// Management: the hub's status.
#[derive(Message)]
#[rtype(result = "HubStatus")]
pub struct GetHubStatus;

/// How often the hub erases expired shares while no message arrives: well below the shortest time that a person would
/// configure for a share to live.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);

/// The hub's actor: a [`Hub`] and a clock.
pub struct HubNode {
    hub: Hub,
    started: Option<Instant>,
}

impl HubNode {
    /// An actor that is ready to be started.
    #[must_use]
    pub fn new(hub: Hub) -> Self {
        Self { hub, started: None }
    }

    fn now(&self) -> Duration {
        self.started
            .map_or(Duration::ZERO, |started| started.elapsed())
    }
}

impl Actor for HubNode {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.started = Some(Instant::now());
        ctx.run_interval(EXPIRY_INTERVAL, |node, _| node.hub.expire(node.now()));
    }
}

impl Handler<Ask> for HubNode {
    type Result = MessageResult<Ask>;

    fn handle(&mut self, Ask(request): Ask, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.hub.handle(self.now(), &request))
    }
}

impl Handler<Register> for HubNode {
    type Result = Result<Registration, OobError>;

    fn handle(&mut self, Register(request): Register, _: &mut Self::Context) -> Self::Result {
        self.hub.register(&request)
    }
}

impl Handler<DeliverPsrd> for HubNode {
    type Result = Result<Block, OobError>;

    fn handle(&mut self, DeliverPsrd(request): DeliverPsrd, _: &mut Self::Context) -> Self::Result {
        self.hub.deliver_psrd(&request)
    }
}

impl Handler<GetHubStatus> for HubNode {
    type Result = MessageResult<GetHubStatus>;

    fn handle(&mut self, _: GetHubStatus, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.hub.status(self.now()))
    }
}

/// The address of whichever actor plays the hub. The testbed puts other actors behind it: one that records what passes,
/// one that lies.
#[derive(Clone)]
pub struct HubHandle {
    /// Signed requests.
    pub ask: Recipient<Ask>,
    /// Registrations.
    pub register: Recipient<Register>,
    /// PSRD delivery.
    pub deliver_psrd: Recipient<DeliverPsrd>,
    /// Status.
    pub status: Recipient<GetHubStatus>,
}

impl<A> From<Addr<A>> for HubHandle
where
    A: Actor<Context = Context<A>>
        + Handler<Ask>
        + Handler<Register>
        + Handler<DeliverPsrd>
        + Handler<GetHubStatus>,
{
    fn from(address: Addr<A>) -> Self {
        Self {
            ask: address.clone().recipient(),
            register: address.clone().recipient(),
            deliver_psrd: address.clone().recipient(),
            status: address.recipient(),
        }
    }
}
