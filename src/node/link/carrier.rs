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
use super::supply::Reservation;

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

    /// Carries one operation, with PSRD that has been set aside for it alone.
    pub(super) async fn carry_alone(
        &self,
        attempt: u32,
        operation: Operation<Plain>,
        reserved: Reservation,
    ) -> Result<Reply<Plain>, LinkError> {
        let replies = self.carry(attempt, vec![operation], Some(reserved)).await?;
        let reply = replies.into_iter().next();
        Ok(reply.expect("a response with another number of replies than operations is an error"))
    }

    /// Carries a batch of operations. There is one reply to each operation, in the same order.
    pub(super) async fn carry(
        &self,
        attempt: u32,
        batch: Vec<Operation<Plain>>,
        reserved: Option<Reservation>,
    ) -> Result<Vec<Reply<Plain>>, LinkError> {
        let provisioning = &self.provisioning;
        let cost = batch_cost(&batch);
        let is_good = |reserved: &Reservation| provisioning.supply().accepts(reserved, cost);
        let reserved = reserved.filter(is_good);
        let needed = if reserved.is_some() { 0 } else { cost };
        provisioning
            .make_ready(needed, |supply| supply.is_ready_for(needed))
            .await?;
        // Getting ready may have replaced the registration, and with it what was reserved.
        let reserved = match reserved.filter(is_good) {
            None if needed == 0 => {
                reached(Mark::ReservationLost);
                None
            }
            reserved => reserved,
        };
        if provisioning.is_running() {
            reached(Mark::RefillRace);
        }
        let client = &self.config.client;
        let sealed = provisioning.supply().seal(client, attempt, batch, reserved);
        let (request, awaited) = sealed?;
        let response = self.send(request).await?;
        let opened = provisioning.supply().open(&awaited, &response);
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
