//! The production hub behind a transport that can lose messages, and a link to it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, Addr};
use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::mac::MAC_KEY_BYTES;
use dske::crypto::secret::Secret;
use dske::crypto::shamir::{ShareIndex, Sharing};
use dske::node::link::{
    Exchange, GetLinkStatus, Link, LinkConfig, LinkError, LinkStatus, Reservation, Reserve,
};
use dske::node::transport::{Transport, Unreachable};
use dske::protocol::batch::{Operation, Reply, operations_of};
use dske::protocol::channel::Unverified;
use dske::protocol::hub::{
    Hub, HubConfig, OobError, PsrdRequest, Registration, RegistrationRequest,
};
use dske::protocol::limits::NodeLimits;
use dske::protocol::message::{DepositBody, DepositOutcome, DepositReply, DepositedKey, Plain};
use dske::protocol::signature::Signature;
use dske::protocol::store::StoreLimits;
use dske::protocol::{KeyId, NodeName, Request, Response};
use dske::psrd::{Allocation, Block, BlockId};
use dske_testbed::sim::WorldOptions;
use futures_util::future::{FutureExt, LocalBoxFuture, pending, ready};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use tokio::time::{Instant, sleep};

pub(crate) const SIZE: usize = 16;
pub(crate) const SHARE_BYTES: usize = TAG_SECRET_BYTES + SIZE;
pub(crate) const COST: usize = MAC_KEY_BYTES + SHARE_BYTES;
pub(crate) const LOW_WATER_BYTES: usize = 512;
pub(crate) const BLOCK_BYTES: usize = 1024;
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A hub, or its absence, and what has been seen of it.
#[derive(Default)]
pub(crate) struct Wire {
    pub(crate) hub: RefCell<Option<Hub>>,
    lives: Cell<u64>,
    /// How long an answer takes.
    pub(crate) takes: Cell<Duration>,
    /// How many answers are still to be lost.
    pub(crate) lose: Cell<u32>,
    /// Whether what is sent to the hub has no answer, ever.
    pub(crate) is_mute: Cell<bool>,
    /// Whether its registrations and its PSRD are on their way, for ever.
    pub(crate) delivers_nothing: Cell<bool>,
    pub(crate) sent: RefCell<Vec<Request>>,
    /// When.
    pub(crate) sent_at: RefCell<Vec<Instant>>,
    blocks: RefCell<BTreeMap<BlockId, Vec<u8>>>,
    pub(crate) registered: Cell<u64>,
    pub(crate) tried_to_register: Cell<u64>,
    pub(crate) tried_to_deliver: Cell<u64>,
}

struct Way(Rc<Wire>);

pub(crate) fn down<T>() -> Result<T, Unreachable> {
    Err(Unreachable("it is down".to_owned()))
}

impl Transport for Way {
    fn ask(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>> {
        let wire = &self.0;
        wire.sent.borrow_mut().push(request.clone());
        wire.sent_at.borrow_mut().push(Instant::now());
        if wire.is_mute.get() {
            return pending().boxed_local();
        }
        let answer = match wire.hub.borrow_mut().as_mut() {
            None => down(),
            Some(hub) => {
                let response = hub.handle(SECOND, &request);
                match wire.lose.get() {
                    0 => Ok(response),
                    left => {
                        wire.lose.set(left - 1);
                        down()
                    }
                }
            }
        };
        let takes = wire.takes.get();
        async move {
            // Even a timer of zero length waits for the next tick.
            if !takes.is_zero() {
                sleep(takes).await;
            }
            answer
        }
        .boxed_local()
    }

    fn register(
        &self,
        request: RegistrationRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Registration, OobError>, Unreachable>> {
        let wire = &self.0;
        wire.tried_to_register.set(wire.tried_to_register.get() + 1);
        if wire.is_mute.get() {
            return pending().boxed_local();
        }
        let answer = match wire.hub.borrow_mut().as_mut() {
            None => down(),
            Some(hub) => {
                wire.registered.set(wire.registered.get() + 1);
                Ok(hub.register(&request))
            }
        };
        ready(answer).boxed_local()
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        let wire = &self.0;
        wire.tried_to_deliver.set(wire.tried_to_deliver.get() + 1);
        if wire.delivers_nothing.get() {
            return pending().boxed_local();
        }
        let answer = match wire.hub.borrow_mut().as_mut() {
            None => down(),
            Some(hub) => Ok(hub.deliver_psrd(&request).map(|block| {
                let (id, octets) = (block.id(), block.into_octets());
                wire.blocks.borrow_mut().insert(id, octets[16..].to_vec());
                Block::from_octets(&octets).unwrap()
            })),
        };
        ready(answer).boxed_local()
    }
}

impl Wire {
    /// A hub that has forgotten everything.
    pub(crate) fn start_hub(&self) {
        let name: NodeName = "a".parse().unwrap();
        let saes = BTreeSet::from(["a", "b"].map(|sae| sae.parse().unwrap()));
        let config = HubConfig {
            name: "hub".parse().unwrap(),
            x: ShareIndex::new(1).unwrap(),
            sharing: Sharing::new(2, 3).unwrap(),
            clients: BTreeMap::from([(name, saes)]),
            block_bytes: BLOCK_BYTES,
            limits: NodeLimits::default(),
            store: StoreLimits {
                shares_max: 100,
                bytes_max: 1 << 30,
                ttl: 60 * SECOND,
                linger: SECOND,
                background: SECOND,
            },
        };
        let life = self.lives.replace(self.lives.get() + 1);
        let rng = ChaCha12Rng::seed_from_u64(life);
        *self.hub.borrow_mut() = Some(Hub::new(config, Box::new(rng)));
    }

    /// A hub that is frozen has no answer to anything.
    pub(crate) fn freeze_hub(&self, is_frozen: bool) {
        self.is_mute.set(is_frozen);
        self.delivers_nothing.set(is_frozen);
    }

    pub(crate) fn stop_hub(&self) {
        *self.hub.borrow_mut() = None;
    }

    pub(crate) fn bytes(&self, allocation: &Allocation) -> Vec<u8> {
        let blocks = self.blocks.borrow();
        let fragments = allocation.fragments().iter();
        let bytes = fragments
            .flat_map(|f| blocks[&f.block()][f.start() as usize..f.end() as usize].to_vec());
        bytes.collect()
    }

    /// The allocations of what was sent.
    pub(crate) fn allocations(&self) -> Vec<Allocation> {
        let sent = self.sent.borrow();
        let signatures = sent
            .iter()
            .map(|request| Signature::from_header(request.signature.as_deref()).unwrap());
        signatures.map(|signature| signature.allocation).collect()
    }

    /// The shares of what was sent, decrypted.
    pub(crate) fn shares(&self) -> Vec<Vec<u8>> {
        let sent = self.sent.borrow();
        let shares = sent
            .iter()
            .zip(self.allocations())
            .map(|(request, allocation)| {
                assert!(Unverified::read(request).is_ok());
                let operations = operations_of(request).unwrap();
                let [Operation::Deposit(body)] = operations.as_slice() else {
                    panic!("{operations:?}")
                };
                let pad = self.bytes(&allocation).split_off(MAC_KEY_BYTES);
                let share = body.keys[0].share.0.iter().zip(pad);
                share.map(|(share, pad)| share ^ pad).collect()
            });
        shares.collect()
    }
}

/// Every byte is named once.
#[track_caller]
pub(crate) fn are_disjoint(allocations: &[Allocation]) {
    let mut seen = BTreeSet::new();
    for fragment in allocations.iter().flat_map(Allocation::fragments) {
        for position in fragment.start()..fragment.end() {
            let fresh = seen.insert((fragment.block(), position));
            assert!(
                fresh,
                "byte {position} of {} serves twice",
                fragment.block()
            );
        }
    }
}

pub(crate) fn link(wire: &Rc<Wire>) -> Addr<Link> {
    let config = LinkConfig {
        start: Default::default(),
        client: "a".parse().unwrap(),
        saes: ["a", "b", "c"].map(|sae| sae.parse().unwrap()).into(),
        block_bytes: BLOCK_BYTES,
        low_water_bytes: LOW_WATER_BYTES,
        request_timeout: SECOND,
        limits: NodeLimits::default(),
    };
    Link::new(config, Rc::new(Way(Rc::clone(wire)))).start()
}

pub(crate) async fn status(link: &Addr<Link>) -> LinkStatus {
    link.send(GetLinkStatus).await.unwrap()
}

pub(crate) async fn reserve(link: &Addr<Link>, bytes: usize) -> Result<Reservation, LinkError> {
    let deadline = Instant::now() + 10 * SECOND;
    link.send(Reserve { bytes, deadline }).await.unwrap()
}

pub(crate) async fn deposit(
    link: &Addr<Link>,
    share: &[u8],
    reserved: Option<Reservation>,
) -> Result<DepositReply, LinkError> {
    deposit_for("a", link, share, reserved).await
}

/// The ID of the key whose shares begin with this byte.
pub(crate) fn key_id(byte: u8) -> KeyId {
    KeyId::random(&mut ChaCha12Rng::seed_from_u64(byte.into()))
}

pub(crate) async fn deposit_for(
    master: &str,
    link: &Addr<Link>,
    share: &[u8],
    reserved: Option<Reservation>,
) -> Result<DepositReply, LinkError> {
    let key = DepositedKey {
        key_id: key_id(share[0]),
        tag: "00".repeat(16).parse().unwrap(),
        share: Plain(Secret::from(share.to_vec())),
    };
    let deposit = DepositBody {
        client: "a".parse().unwrap(),
        master_sae: master.parse().unwrap(),
        slave_saes: vec!["b".parse().unwrap()],
        hubs: 3,
        threshold: 2,
        x: 1,
        size: share.len() - TAG_SECRET_BYTES,
        keys: vec![key],
    };
    let message = Exchange {
        operation: Operation::Deposit(deposit),
        reserved,
        deadline: Instant::now() + 10 * SECOND,
    };
    match link.send(message).await.unwrap()? {
        Reply::Deposit(reply) => Ok(reply),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn stored(reply: Result<DepositReply, LinkError>) {
    assert_eq!(reply.unwrap().keys[0].outcome, DepositOutcome::Stored);
}

/// Runs on simulated time.
pub(crate) fn run<F: Future<Output = ()> + 'static>(scenario: impl FnOnce(Rc<Wire>) -> F) {
    let mut sim = WorldOptions::with_seed(1).build();
    let scenario = scenario(Rc::default());
    sim.client("client", async {
        scenario.await;
        Ok(())
    });
    sim.run().unwrap();
}
