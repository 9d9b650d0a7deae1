//! The actor between a hub's HTTP routes and the hub: records what passes, and can slow the hub down or cut its
//! PSRD deliveries off.
//!
//! What it sends to the hub, the hub deals with in this order: each of these is sent by a recipient of its own, which has
//! room for one in the hub's mailbox whatever else is there.

use std::future::pending;
use std::time::Duration;

use actix::prelude::*;
use dske::node::hub::{Ask, DeliverPsrd, GetHubStatus, HubHandle, Register};
use dske::protocol::NodeName;
use dske::protocol::channel::Unverified;
use dske::protocol::hub::{HubStatus, OobError, Registration};
use dske::protocol::{Request, Response};
use dske::psrd::Block;

use super::Observer;
use super::record::{Answered, Asked, NoteKind, OutOfBand, Seen};
use crate::plan::reached::{FaultEffect, Reached};
use crate::plan::{Fault, Plan};
use crate::world::clock::now_us;

/// A hub that is watched.
pub struct Front {
    /// The hub itself.
    pub inner: HubHandle,
    /// Who watches.
    pub observer: Observer,
    /// Index of the hub.
    pub hub: usize,
    /// Names of the clients, by index.
    pub clients: Vec<NodeName>,
}

impl Actor for Front {
    type Context = Context<Self>;
}

impl Front {
    fn client_of(&self, request: &Request) -> Option<usize> {
        let unverified = Unverified::read(request).ok()?;
        self.index_of(unverified.client())
    }

    fn index_of(&self, name: &NodeName) -> Option<usize> {
        self.clients.iter().position(|client| client == name)
    }
}

impl Handler<Ask> for Front {
    type Result = ResponseFuture<Response>;

    fn handle(&mut self, Ask(request): Ask, _: &mut Self::Context) -> Self::Result {
        let (observer, inner, hub) = (self.observer.clone(), self.inner.ask.clone(), self.hub);
        let client = self.client_of(&request);
        Box::pin(async move {
            observer.message(client, hub, Seen::Arrived(request.clone()));
            let delay = delay(&observer.seen().plan, hub, now_us() / 1000);
            if !delay.is_zero() {
                observer.reach(Reached::Effect(FaultEffect::SlowedResponse));
                tokio::time::sleep(delay).await;
            }
            let deal = observer.deal(hub, Asked::Message(request.clone()));
            let Ok(response) = inner.send(Ask(request.clone())).await else {
                // The hub has stopped: it never answers.
                return pending().await;
            };
            observer.dealt(deal, Answered::Message(response.clone()));
            let said = Seen::Said {
                to: request,
                response: response.clone(),
            };
            observer.message(client, hub, said);
            response
        })
    }
}

impl Handler<Register> for Front {
    type Result = ResponseFuture<Result<Registration, OobError>>;

    fn handle(&mut self, message: Register, _: &mut Self::Context) -> Self::Result {
        let (observer, inner, hub) = (self.observer.clone(), self.inner.register.clone(), self.hub);
        let client = self.index_of(&message.0.client);
        Box::pin(async move {
            let name = message.0.client.clone();
            observer.note(NoteKind::Register { hub, client: name });
            let deal = observer.deal(hub, Asked::Registration(message.0.clone()));
            let registered = match inner.send(message).await {
                Ok(registered) => registered,
                // A hub that has stopped never answers.
                Err(_) => pending().await,
            };
            observer.dealt(deal, Answered::Registration(registered.clone()));
            if registered.is_ok() {
                observer.out_of_band(hub, client, OutOfBand::Registered);
            }
            registered
        })
    }
}

impl Handler<DeliverPsrd> for Front {
    type Result = ResponseFuture<Result<Block, OobError>>;

    fn handle(&mut self, message: DeliverPsrd, _: &mut Self::Context) -> Self::Result {
        let (observer, inner, hub) = (
            self.observer.clone(),
            self.inner.deliver_psrd.clone(),
            self.hub,
        );
        let client = self.index_of(&message.0.client);
        Box::pin(async move {
            if is_cut_off(&observer.seen().plan, hub, now_us() / 1000) {
                observer.reach(Reached::Effect(FaultEffect::RefillRefused));
                observer.out_of_band(hub, client, OutOfBand::RefillCutOff);
                return pending().await;
            }
            let owner = message.0.owner;
            let deal = observer.deal(hub, Asked::Delivery(message.0.clone()));
            let delivered = match inner.send(message).await {
                Ok(delivered) => delivered,
                Err(_) => pending().await,
            };
            let drawn = delivered.as_ref().map(Block::id).map_err(Clone::clone);
            observer.dealt(deal, Answered::Delivery(drawn));
            if let (Ok(block), Some(client)) = (&delivered, client) {
                observer.block(hub, client, owner, block);
            }
            if loses_deliveries(&observer.seen().plan, hub, now_us() / 1000) {
                observer.reach(Reached::Effect(FaultEffect::DeliveryLost));
                observer.out_of_band(hub, client, OutOfBand::DeliveryLost);
                return pending().await;
            }
            delivered
        })
    }
}

impl Handler<GetHubStatus> for Front {
    type Result = ResponseFuture<HubStatus>;

    fn handle(&mut self, message: GetHubStatus, _: &mut Self::Context) -> Self::Result {
        let (observer, inner) = (self.observer.clone(), self.inner.status.clone());
        let deal = observer.deal(self.hub, Asked::Status);
        let sent = inner.send(message);
        Box::pin(async move {
            let status = sent.await.expect("the hub lives as long as its front");
            observer.dealt(deal, Answered::Status(status.clone()));
            status
        })
    }
}

fn delay(plan: &Plan, hub: usize, at_ms: u64) -> Duration {
    let delays = plan.faults_at(at_ms).filter_map(|fault| match fault {
        Fault::SlowHub {
            hub: slow,
            delay_ms,
        } if *slow == hub => Some(*delay_ms),
        _ => None,
    });
    Duration::from_millis(delays.max().unwrap_or(0))
}

fn loses_deliveries(plan: &Plan, hub: usize, at_ms: u64) -> bool {
    plan.faults_at(at_ms)
        .any(|fault| matches!(fault, Fault::LoseDelivery { hub: h } if *h == hub))
}

fn is_cut_off(plan: &Plan, hub: usize, at_ms: u64) -> bool {
    plan.faults_at(at_ms)
        .any(|fault| matches!(fault, Fault::CutRefill { hub: cut } if *cut == hub))
}
