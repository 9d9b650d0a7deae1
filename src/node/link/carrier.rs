//! One message to the hub and its response.

use std::rc::Rc;

use tokio::time::timeout;

use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::batch::{Operation, Reply};
use crate::protocol::channel::{PoolOwner, batch_cost};
use crate::protocol::message::Plain;
use crate::protocol::{Request, Response};

use super::super::transport::Transport;
use super::config::LinkConfig;
use super::error::LinkError;
use super::provisioning::Provisioning;
use super::supply::{Reservation, Supply};

/// Seals operations, sends them once, and opens the response.
pub(super) struct Carrier {
    config: LinkConfig,
    transport: Rc<dyn Transport>,
    provisioning: Rc<Provisioning>,
}

impl Carrier {
    pub(super) fn new(
        config: LinkConfig,
        transport: Rc<dyn Transport>,
        provisioning: Rc<Provisioning>,
    ) -> Self {
        Self {
            config,
            transport,
            provisioning,
        }
    }

    /// Bytes left in one of the pools.
    pub(super) fn psrd_left(&self, owner: PoolOwner) -> usize {
        self.provisioning.supply().left(owner)
    }

    /// Bytes of fresh PSRD that an operation needs which leaves alone, beside what is reserved for it.
    pub(super) fn fresh_cost(
        &self,
        operation: &Operation<Plain>,
        reserved: Option<&Reservation>,
    ) -> usize {
        self.cost_beside(std::slice::from_ref(operation), reserved)
    }

    fn cost_beside(&self, batch: &[Operation<Plain>], reserved: Option<&Reservation>) -> usize {
        let cost = batch_cost(batch);
        let is_good = |reserved| self.provisioning.supply().accepts(reserved, cost);
        if reserved.is_some_and(is_good) {
            0
        } else {
            cost
        }
    }

    /// Whether a request can be sent that needs so much fresh PSRD, and answered.
    pub(super) fn is_ready(&self, cost: usize) -> bool {
        self.provisioning.supply().is_ready_for(cost)
    }

    /// Gets PSRD unless there is enough.
    pub(super) async fn make_ready(&self, cost: usize) -> Result<(), LinkError> {
        let is_ready = |supply: &Supply| supply.is_ready_for(cost);
        self.provisioning.make_ready(cost, is_ready).await
    }

    /// Carries a batch of operations. There is one reply to each operation, in the same order.
    pub(super) async fn carry(
        &self,
        attempt: u32,
        batch: Vec<Operation<Plain>>,
        mut reserved: Option<Reservation>,
    ) -> Result<Vec<Reply<Plain>>, LinkError> {
        let provisioning = &self.provisioning;
        // A new registration since it was reserved has made it void.
        if reserved.is_some() && self.cost_beside(&batch, reserved.as_ref()) > 0 {
            reached(Mark::ReservationLost);
            reserved = None;
        }
        if provisioning.is_running() {
            reached(Mark::RefillRace);
        }
        let client = &self.config.client;
        let sealed = provisioning.supply().seal(client, attempt, batch, reserved);
        let (request, awaited) = sealed?;
        let response = self.send(request).await?;
        let is_refilling = provisioning.is_running();
        let mut supply = provisioning.supply();
        let opened = supply.open(&awaited, &response, is_refilling);
        drop(supply);
        provisioning.top_up();
        opened.map_err(LinkError::Response)
    }

    async fn send(&self, request: Request) -> Result<Response, LinkError> {
        let again = canary(Canary::RetrySameMessage).then(|| request.clone());
        let request_timeout = self.config.request_timeout;
        let mut response = timeout(request_timeout, self.transport.ask(request)).await;
        if let Some(request) = again.filter(|_| !matches!(response, Ok(Ok(_)))) {
            response = timeout(request_timeout, self.transport.ask(request)).await;
        }
        let response = response.map_err(|_| LinkError::Timeout(request_timeout))?;
        Ok(response?)
    }
}
