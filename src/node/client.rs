//! The client's actor: the key management entity (KME) that SAEs talk to, ETSI GS QKD 014.
//!
//! | module | what it holds |
//! |---|---|
//! | `config` | what a client is told when it is built |
//! | `message` | what it can be asked for |
//! | `error` | why an SAE does not get it |
//! | `check` | what is checked before a call is admitted |
//! | `capacity` | how many keys one call can carry |
//! | `kme` | what all calls share |
//! | `hubs` | the links: asking one or all, and hearing what they say |
//! | `establish`, `fetch` | Get key, and Get key with key IDs |
//! | `get_status`, `status` | Get status, and the management status |

mod capacity;
mod check;
mod config;
mod error;
mod establish;
mod fetch;
mod get_status;
mod hubs;
mod kme;
mod message;
mod status;

use std::rc::Rc;

use actix::prelude::*;
use rand::CryptoRng;

use crate::protocol::initiator::EstablishedKey;

use super::transport::Transport;
use super::while_heard::WhileHeard;
pub use config::{ClientConfig, HubPeer, KeyLimits, Timing};
pub use error::KmeError;
use hubs::Hubs;
use kme::Kme;
pub use message::{CheckCaller, GetClientStatus, GetKey, GetKeyWithIds, GetStatus, KmeStatus};
pub use status::{ClientStatus, HubPeerStatus};

/// The client's actor.
pub struct ClientNode {
    kme: Rc<Kme>,
}

impl ClientNode {
    /// Starts the client and its links. `transport` says how to reach each hub.
    ///
    /// Needs a running actix system or a tokio `LocalSet`.
    pub fn start(
        config: ClientConfig,
        mut rng: Box<dyn CryptoRng>,
        transport: impl Fn(&HubPeer) -> Rc<dyn Transport>,
    ) -> Addr<Self> {
        let mut start = [0; 16];
        rng.fill_bytes(&mut start);
        let start = uuid::Builder::from_random_bytes(start).into_uuid();
        let hubs = Hubs::start(&config, start, transport);
        let kme = Rc::new(Kme::new(config, rng, hubs));
        Self { kme }.start()
    }
}

impl Actor for ClientNode {
    type Context = Context<Self>;
}

impl Handler<GetKey> for ClientNode {
    type Result = WhileHeard<Result<Vec<EstablishedKey>, KmeError>>;

    fn handle(&mut self, message: GetKey, _: &mut Self::Context) -> Self::Result {
        WhileHeard::new(Rc::clone(&self.kme).get_key(message))
    }
}

impl Handler<GetKeyWithIds> for ClientNode {
    type Result = ResponseFuture<Result<Vec<EstablishedKey>, KmeError>>;

    fn handle(&mut self, message: GetKeyWithIds, _: &mut Self::Context) -> Self::Result {
        Box::pin(Rc::clone(&self.kme).get_key_with_ids(message))
    }
}

impl Handler<GetStatus> for ClientNode {
    type Result = ResponseFuture<Result<KmeStatus, KmeError>>;

    fn handle(&mut self, message: GetStatus, _: &mut Self::Context) -> Self::Result {
        Box::pin(Rc::clone(&self.kme).kme_status(message))
    }
}

impl Handler<CheckCaller> for ClientNode {
    type Result = Result<(), KmeError>;

    fn handle(&mut self, CheckCaller(sae): CheckCaller, _: &mut Self::Context) -> Self::Result {
        self.kme.config.check_caller(&sae)
    }
}

impl Handler<GetClientStatus> for ClientNode {
    type Result = ResponseFuture<ClientStatus>;

    fn handle(&mut self, _: GetClientStatus, _: &mut Self::Context) -> Self::Result {
        Box::pin(Rc::clone(&self.kme).client_status())
    }
}
