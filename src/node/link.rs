//! A client's link to one hub: it registers, keeps the pools filled, and carries exchanges through.
//!
//! An exchange that fails is tried again with fresh PSRD until its deadline, so that no byte is used twice even if
//! nobody knows whether the first message arrived. Whatever a response shows of a hub that has forgotten the client (a
//! restart, a lost delivery) leads to a new registration with new PSRD. Between exchanges the link maintains itself:
//! it registers and refills when necessary, even if nobody asks for keys.
//!
//! Each layer uses the ones below it:
//!
//! | module | its job |
//! |---|---|
//! | `exchange` | attempts, until one succeeds or the deadline has come |
//! | `outbox` | what waits while a request is in flight, and leaves together in the next one |
//! | `window` | how many requests are under way, and whether the hub answers |
//! | `carrier` | one message to the hub and its response |
//! | `provisioning` | registration and refill |
//! | `supply` | the PSRD at hand, under its registration |

mod carrier;
mod config;
mod error;
mod exchange;
mod outbox;
mod provisioning;
mod supply;
mod window;

use std::rc::Rc;

use actix::prelude::*;
use serde::{Deserialize, Serialize};

use crate::protocol::batch::Reply;
use crate::protocol::channel::PoolOwner;
use crate::protocol::message::Plain;

use super::transport::Transport;
use super::while_heard::WhileHeard;
use carrier::Carrier;
pub use config::LinkConfig;
pub use error::{LinkError, NoPsrd};
use exchange::Exchanges;
pub use exchange::{Exchange, Reserve};
use provisioning::Provisioning;
pub use supply::Reservation;

/// What a link tells about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkStatus {
    /// Whether the hub knows the client, as far as the client can know.
    pub registered: bool,
    /// PSRD bytes left for requests.
    pub up_bytes_left: usize,
    /// PSRD bytes left for responses.
    pub down_bytes_left: usize,
    /// Exchanges that have not ended, or whose shares something still holds.
    pub in_flight: usize,
    /// Registrations since the start.
    pub registrations: u64,
    /// Blocks delivered since the start.
    pub refills: u64,
    /// Attempts beyond the first since the start.
    pub retries: u64,
    /// Responses that could not be verified since the start.
    pub unverified: u64,
    /// Attempts that found no PSRD to spend, since the start.
    pub psrd_exhausted: u64,
}

/// Asks for the link's status.
#[derive(Message)]
#[rtype(result = "LinkStatus")]
pub struct GetLinkStatus;

/// The link's actor.
pub struct Link {
    provisioning: Rc<Provisioning>,
    exchanges: Rc<Exchanges>,
}

impl Link {
    /// An actor that is ready to be started.
    #[must_use]
    pub fn new(config: LinkConfig, transport: Rc<dyn Transport>) -> Self {
        let (saes, limits) = (config.saes.clone(), config.limits);
        let provisioning = Rc::new(Provisioning::new(config.clone(), Rc::clone(&transport)));
        let carrier = Rc::new(Carrier::new(config, transport, Rc::clone(&provisioning)));
        let exchanges = Rc::new(Exchanges::new(
            saes,
            limits,
            Rc::clone(&provisioning),
            carrier,
        ));
        Self {
            provisioning,
            exchanges,
        }
    }
}

impl Actor for Link {
    type Context = Context<Self>;

    /// Gets PSRD at once, so that the first key does not have to wait for it, and looks after it from then on.
    fn started(&mut self, _: &mut Self::Context) {
        let provisioning = Rc::downgrade(&self.provisioning);
        tokio::task::spawn_local(Provisioning::upkeep(provisioning));
    }
}

impl Handler<Reserve> for Link {
    type Result = WhileHeard<Result<Reservation, LinkError>>;

    fn handle(&mut self, message: Reserve, _: &mut Self::Context) -> Self::Result {
        let exchanges = Rc::clone(&self.exchanges);
        WhileHeard::new(async move { exchanges.reserve(message).await })
    }
}

impl Handler<Exchange> for Link {
    type Result = WhileHeard<Result<Reply<Plain>, LinkError>>;

    fn handle(&mut self, message: Exchange, _: &mut Self::Context) -> Self::Result {
        let exchanges = Rc::clone(&self.exchanges);
        WhileHeard::new(async move { exchanges.carry_through(message).await })
    }
}

impl Handler<GetLinkStatus> for Link {
    type Result = MessageResult<GetLinkStatus>;

    fn handle(&mut self, _: GetLinkStatus, _: &mut Self::Context) -> Self::Result {
        let supply = self.provisioning.supply();
        let counters = supply.counters();
        MessageResult(LinkStatus {
            registered: supply.is_registered(),
            up_bytes_left: supply.left(PoolOwner::Client),
            down_bytes_left: supply.left(PoolOwner::Hub),
            in_flight: self.exchanges.in_flight(),
            registrations: counters.registrations,
            refills: counters.refills,
            retries: self.exchanges.retries(),
            unverified: counters.unverified,
            psrd_exhausted: counters.psrd_exhausted,
        })
    }
}
