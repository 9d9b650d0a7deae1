//! The client's actor: the key management entity (KME) that SAEs talk to, ETSI GS QKD 014.

mod capacity;
mod establish;
mod fetch;
mod status;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;
use rand::CryptoRng;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::crypto::shamir::{ShareIndex, Sharing};
use crate::protocol::initiator::{EstablishError, EstablishedKey, KeySource};
use crate::protocol::responder::FetchError;
use crate::protocol::{KeyId, NodeName, SaeId};

use super::handed_out::HandedOut;
use super::link::{Link, LinkConfig, LinkError};
use super::transport::Transport;
use super::workload::{Full, Task, Workload, WorkloadMax};
use capacity::Capacity;
pub use status::{ClientStatus, HubPeerStatus};

/// Sizes and numbers of keys that a client hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimits {
    /// Size of a key when the SAE does not say, in bits.
    pub default_bits: usize,
    /// Smallest key, in bits.
    pub min_bits: usize,
    /// Largest key, in bits.
    pub max_bits: usize,
    /// Keys in one call at most.
    pub per_request_max: usize,
    /// Largest `stored_key_count` that is ever reported.
    pub stored_max: usize,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// One request to a hub.
    pub request_timeout: Duration,
    /// A call by an SAE.
    pub call_deadline: Duration,
    /// Waiting for the other hubs once K have a share.
    pub grace: Duration,
    /// Delivering late shares in the background, counted from the start of the call.
    pub background: Duration,
    /// How long a hub hands a share to the same SAE again, after it first did.
    pub linger: Duration,
}

/// A hub as a client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubPeer {
    /// Its x coordinate.
    pub x: ShareIndex,
    /// Its name.
    pub name: NodeName,
}

/// What a client is told when it is built.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Its name, which is also its KME ID.
    pub name: NodeName,
    /// Every SAE of the topology, with the client that serves it.
    pub saes: BTreeMap<SaeId, NodeName>,
    /// The hubs.
    pub hubs: Vec<HubPeer>,
    /// Threshold and number of hubs.
    pub sharing: Sharing,
    /// Sizes and numbers of keys.
    pub keys: KeyLimits,
    /// Where the randomness of keys comes from.
    pub key_source: KeySource,
    /// How long things may take.
    pub timing: Timing,
    /// Bytes of a block of PSRD.
    pub block_bytes: usize,
    /// A pool with less than this is refilled.
    pub low_water_bytes: usize,
}

/// Get key, ETSI GS QKD 014 clause 5.3.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<EstablishedKey>, KmeError>")]
pub struct GetKey {
    /// The SAE that asks: the master.
    pub caller: SaeId,
    /// The SAEs that may fetch the keys, the one of the path first.
    pub slave_saes: Vec<SaeId>,
    /// Number of keys; the default is 1.
    pub number: Option<usize>,
    /// Size of each key in bits; the default is [`KeyLimits::default_bits`].
    pub size_bits: Option<usize>,
}

/// Get key with key IDs, ETSI GS QKD 014 clause 5.4.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<EstablishedKey>, KmeError>")]
pub struct GetKeyWithIds {
    /// The SAE that asks: a slave.
    pub caller: SaeId,
    /// The SAE that got the keys first.
    pub master_sae: SaeId,
    /// The keys.
    pub key_ids: Vec<KeyId>,
}

/// Get status, ETSI GS QKD 014 clause 5.2.
#[derive(Debug, Message)]
#[rtype(result = "Result<KmeStatus, KmeError>")]
pub struct GetStatus {
    /// The SAE that asks: the master.
    pub caller: SaeId,
    /// The slave.
    pub slave_sae: SaeId,
}

/// Whether an SAE may ask this client for anything at all.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), KmeError>")]
pub struct CheckCaller(pub SaeId);

/// Management: what does the client say of itself?
#[derive(Debug, Message)]
#[rtype(result = "ClientStatus")]
pub struct GetClientStatus;

/// What Get status is answered from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmeStatus {
    /// The KME that serves the caller.
    pub source_kme: NodeName,
    /// The KME that serves the slave.
    pub target_kme: NodeName,
    /// The caller.
    pub master_sae: SaeId,
    /// The slave.
    pub slave_sae: SaeId,
    /// Sizes and numbers of keys.
    pub keys: KeyLimits,
    /// Keys of default size for which there is PSRD at K hubs at least.
    pub stored_key_count: usize,
}

/// Why an SAE does not get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KmeError {
    /// The caller is not served by this client.
    #[error("SAE {0} is not served by this KME")]
    UnknownCaller(SaeId),
    /// The other SAE is nowhere in the topology.
    #[error("SAE {0} is not known")]
    UnknownSae(SaeId),
    /// A number is outside what this client allows.
    #[error("{what} must be {min} to {max}, not {got}")]
    OutOfRange {
        /// What the number counts.
        what: &'static str,
        /// Smallest value allowed.
        min: usize,
        /// Largest value allowed.
        max: usize,
        /// The value asked for.
        got: usize,
    },
    /// Keys come in whole bytes. The words are those of ETSI GS QKD 014 clause 6.2.
    #[error("size shall be a multiple of 8")]
    SizeNotMultipleOf8,
    /// Each of number and size is allowed, but not both together.
    #[error(
        "{number} keys of {bits} bits are more than one message to a hub can carry; ask for at most {number_max} of this size at a time"
    )]
    TooMuch {
        /// Keys asked for.
        number: usize,
        /// Bits of each.
        bits: usize,
        /// Keys of this size that one message can carry.
        number_max: usize,
    },
    /// The same key ID or SAE was named twice.
    #[error("{0} is named twice")]
    Duplicate(String),
    /// The keys could not be established.
    #[error("not enough hubs: {0}")]
    Establish(#[from] EstablishError),
    /// The key was handed to this SAE before, or is being fetched right now.
    #[error("key {0} has been handed out")]
    HandedOut(KeyId),
    /// The keys could not be fetched.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// More is under way than there may be. Nothing has been done.
    #[error("too many calls are under way at this KME; try again")]
    Busy,
}

/// The client's actor.
pub struct ClientNode {
    core: Rc<Core>,
}

/// What the client's calls share. Each call runs as a future of its own.
struct Core {
    config: ClientConfig,
    capacity: Capacity,
    links: BTreeMap<ShareIndex, Addr<Link>>,
    rng: RefCell<Box<dyn CryptoRng>>,
    started: Instant,
    counters: RefCell<status::Counters>,
    handed_out: RefCell<HandedOut>,
    workload: Rc<Workload>,
    /// Hubs that made the last call that they were part of wait in vain, once it had its K.
    late: RefCell<BTreeSet<ShareIndex>>,
}

/// Calls at most. Their shares stand in memory once for each hub.
const WORKLOAD_MAX: WorkloadMax = WorkloadMax {
    tasks: 1024,
    bytes: 256 * 1024 * 1024,
};

impl ClientNode {
    /// Starts the client and its links. `transport` says how to reach each hub.
    ///
    /// Needs a running actix system or a tokio `LocalSet`.
    pub fn start(
        mut config: ClientConfig,
        rng: Box<dyn CryptoRng>,
        transport: impl Fn(&HubPeer) -> Rc<dyn Transport>,
    ) -> Addr<Self> {
        let links = config.hubs.iter().map(|hub| {
            let link = LinkConfig {
                client: config.name.clone(),
                hub: hub.name.clone(),
                block_bytes: config.block_bytes,
                low_water_bytes: config.low_water_bytes,
                request_timeout: config.timing.request_timeout,
                retry_delay: RETRY_DELAY,
            };
            (hub.x, Link::new(link, transport(hub)).start())
        });
        let links = links.collect();
        // K hubs have handed a key out before its call was over.
        let handed_out = HandedOut::new(config.timing.call_deadline + config.timing.linger);
        let capacity = Capacity::new(config.block_bytes);
        config.keys = capacity.honest(config.keys);
        let core = Core {
            links,
            capacity,
            config,
            rng: RefCell::new(rng),
            started: Instant::now(),
            counters: RefCell::default(),
            handed_out: RefCell::new(handed_out),
            workload: Workload::new(WORKLOAD_MAX),
            late: RefCell::default(),
        };
        Self {
            core: Rc::new(core),
        }
        .start()
    }
}

/// Before the second attempt: long enough for a hub that has just lost its connection, short beside a call's deadline.
const RETRY_DELAY: Duration = Duration::from_millis(50);

impl Actor for ClientNode {
    type Context = Context<Self>;
}

impl Handler<GetKey> for ClientNode {
    type Result = ResponseFuture<Result<Vec<EstablishedKey>, KmeError>>;

    fn handle(&mut self, message: GetKey, _: &mut Self::Context) -> Self::Result {
        Box::pin(Rc::clone(&self.core).get_key(message))
    }
}

impl Handler<GetKeyWithIds> for ClientNode {
    type Result = ResponseFuture<Result<Vec<EstablishedKey>, KmeError>>;

    fn handle(&mut self, message: GetKeyWithIds, _: &mut Self::Context) -> Self::Result {
        Box::pin(Rc::clone(&self.core).get_key_with_ids(message))
    }
}

impl Handler<GetStatus> for ClientNode {
    type Result = ResponseFuture<Result<KmeStatus, KmeError>>;

    fn handle(&mut self, message: GetStatus, _: &mut Self::Context) -> Self::Result {
        Box::pin(Rc::clone(&self.core).kme_status(message))
    }
}

impl Handler<CheckCaller> for ClientNode {
    type Result = Result<(), KmeError>;

    fn handle(&mut self, CheckCaller(sae): CheckCaller, _: &mut Self::Context) -> Self::Result {
        self.core.check_caller(&sae)
    }
}

impl Handler<GetClientStatus> for ClientNode {
    type Result = ResponseFuture<ClientStatus>;

    fn handle(&mut self, _: GetClientStatus, _: &mut Self::Context) -> Self::Result {
        Box::pin(Rc::clone(&self.core).client_status())
    }
}

/// What a hub's link says.
type Answer<T> = (ShareIndex, Result<T, LinkError>);

impl Core {
    /// Time as the state machines count it.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Takes a call on, with so many bytes of shares.
    fn take(&self, bytes: usize) -> Result<Task, KmeError> {
        self.workload.take(bytes).map_err(|Full| KmeError::Busy)
    }

    /// Asks the link to a hub.
    fn ask_link<M, T>(
        &self,
        x: ShareIndex,
        message: M,
    ) -> impl Future<Output = Result<T, LinkError>> + use<M, T>
    where
        M: Message<Result = Result<T, LinkError>> + Send + 'static,
        T: Send + 'static,
        Link: Handler<M>,
    {
        let sent = self.links.get(&x).map(|link| link.send(message));
        async move {
            match sent {
                Some(sent) => sent.await.unwrap_or_else(|_| Err(LinkError::stopped())),
                None => Err(LinkError::stopped()),
            }
        }
    }

    /// Asks all links at once. What they say once nobody listens any more is dropped.
    fn ask_all_links<M, T>(&self, message: impl Fn() -> M) -> mpsc::UnboundedReceiver<Answer<T>>
    where
        M: Message<Result = Result<T, LinkError>> + Send + 'static,
        T: Send + 'static,
        Link: Handler<M>,
    {
        // As many answers as there are hubs.
        let (sender, receiver) = mpsc::unbounded_channel();
        for &x in self.links.keys() {
            let asked = self.ask_link(x, message());
            let sender = sender.clone();
            tokio::task::spawn_local(async move {
                let _ = sender.send((x, asked.await));
            });
        }
        receiver
    }

    /// The next answer. `None` when the time has come, or all hubs have answered: the next look at the progress says
    /// what that means.
    async fn next<T>(
        &self,
        answers: &mut mpsc::UnboundedReceiver<Answer<T>>,
        until: Duration,
    ) -> Option<Answer<T>> {
        let answer = timeout_at(self.started + until, answers.recv()).await;
        answer.ok().flatten()
    }

    fn name_of(&self, x: ShareIndex) -> Option<NodeName> {
        let mut hubs = self.config.hubs.iter();
        hubs.find(|hub| hub.x == x).map(|hub| hub.name.clone())
    }

    fn check_caller(&self, caller: &SaeId) -> Result<(), KmeError> {
        if self.config.saes.get(caller) == Some(&self.config.name) {
            Ok(())
        } else {
            Err(KmeError::UnknownCaller(caller.clone()))
        }
    }

    fn home_of(&self, sae: &SaeId) -> Result<&NodeName, KmeError> {
        let home = self.config.saes.get(sae);
        home.ok_or_else(|| KmeError::UnknownSae(sae.clone()))
    }
}

fn check_range(what: &'static str, got: usize, min: usize, max: usize) -> Result<(), KmeError> {
    if (min..=max).contains(&got) {
        return Ok(());
    }
    Err(KmeError::OutOfRange {
        what,
        min,
        max,
        got,
    })
}

fn check_distinct<T: Ord + ToString>(values: &[T]) -> Result<(), KmeError> {
    let mut seen = BTreeSet::new();
    match values.iter().find(|value| !seen.insert(*value)) {
        Some(twice) => Err(KmeError::Duplicate(twice.to_string())),
        None => Ok(()),
    }
}
