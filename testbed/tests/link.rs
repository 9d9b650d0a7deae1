//! A client's link to one hub, against the production hub behind a transport that can lose messages. What is reserved is
//! spent once or never, and the link maintains itself.
#![allow(clippy::unwrap_used)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
use dske::protocol::message::{
    DepositBody, DepositOutcome, DepositReply, DepositedKey, FetchQuery, Plain,
};
use dske::protocol::signature::Signature;
use dske::protocol::store::StoreLimits;
use dske::protocol::{KeyId, NodeName, Request, Response};
use dske::psrd::{Allocation, Block, BlockId};
use dske_testbed::sim::WorldOptions;
use futures_util::future::{FutureExt, LocalBoxFuture, join_all, pending, ready};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

const SIZE: usize = 16;
const SHARE_BYTES: usize = TAG_SECRET_BYTES + SIZE;
const COST: usize = MAC_KEY_BYTES + SHARE_BYTES;
const LOW_WATER_BYTES: usize = 512;
const BLOCK_BYTES: usize = 1024;
const SECOND: Duration = Duration::from_secs(1);

/// A hub, or its absence, and what has been seen of it.
#[derive(Default)]
struct Wire {
    hub: RefCell<Option<Hub>>,
    lives: Cell<u64>,
    /// How long an answer takes.
    takes: Cell<Duration>,
    /// How many answers are still to be lost.
    lose: Cell<u32>,
    /// Whether what is sent to the hub has no answer, ever.
    is_mute: Cell<bool>,
    /// Whether its registrations and its PSRD are on their way, for ever.
    delivers_nothing: Cell<bool>,
    sent: RefCell<Vec<Request>>,
    blocks: RefCell<BTreeMap<BlockId, Vec<u8>>>,
    registered: Cell<u64>,
    tried_to_register: Cell<u64>,
    tried_to_deliver: Cell<u64>,
}

struct Way(Rc<Wire>);

fn down<T>() -> Result<T, Unreachable> {
    Err(Unreachable("it is down".to_owned()))
}

impl Transport for Way {
    fn ask(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>> {
        let wire = &self.0;
        wire.sent.borrow_mut().push(request.clone());
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
    fn start_hub(&self) {
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
    fn freeze_hub(&self, is_frozen: bool) {
        self.is_mute.set(is_frozen);
        self.delivers_nothing.set(is_frozen);
    }

    fn stop_hub(&self) {
        *self.hub.borrow_mut() = None;
    }

    fn bytes(&self, allocation: &Allocation) -> Vec<u8> {
        let blocks = self.blocks.borrow();
        let fragments = allocation.fragments().iter();
        let bytes = fragments
            .flat_map(|f| blocks[&f.block()][f.start() as usize..f.end() as usize].to_vec());
        bytes.collect()
    }

    /// The allocations of what was sent.
    fn allocations(&self) -> Vec<Allocation> {
        let sent = self.sent.borrow();
        let signatures = sent
            .iter()
            .map(|request| Signature::from_header(request.signature.as_deref()).unwrap());
        signatures.map(|signature| signature.allocation).collect()
    }

    /// The shares of what was sent, decrypted.
    fn shares(&self) -> Vec<Vec<u8>> {
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
fn are_disjoint(allocations: &[Allocation]) {
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

fn link(wire: &Rc<Wire>) -> Addr<Link> {
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

async fn status(link: &Addr<Link>) -> LinkStatus {
    link.send(GetLinkStatus).await.unwrap()
}

async fn reserve(link: &Addr<Link>, bytes: usize) -> Result<Reservation, LinkError> {
    let deadline = Instant::now() + 10 * SECOND;
    link.send(Reserve { bytes, deadline }).await.unwrap()
}

async fn deposit(
    link: &Addr<Link>,
    share: &[u8],
    reserved: Option<Reservation>,
) -> Result<DepositReply, LinkError> {
    deposit_for("a", link, share, reserved).await
}

async fn deposit_for(
    master: &str,
    link: &Addr<Link>,
    share: &[u8],
    reserved: Option<Reservation>,
) -> Result<DepositReply, LinkError> {
    let key = DepositedKey {
        key_id: KeyId::random(&mut ChaCha12Rng::seed_from_u64(share[0].into())),
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
fn stored(reply: Result<DepositReply, LinkError>) {
    assert_eq!(reply.unwrap().keys[0].outcome, DepositOutcome::Stored);
}

/// Runs on simulated time.
fn run<F: Future<Output = ()> + 'static>(scenario: impl FnOnce(Rc<Wire>) -> F) {
    let mut sim = WorldOptions::with_seed(1).build();
    let scenario = scenario(Rc::default());
    sim.client("client", async {
        scenario.await;
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn the_first_attempt_spends_what_is_reserved_and_each_further_one_fresh_psrd() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        let reserved = reserve(&link, COST).await.unwrap();
        let allocation = reserved.spent().allocation().clone();
        let pad = wire.bytes(&allocation)[MAC_KEY_BYTES..].to_vec();
        wire.lose.set(2);
        stored(deposit(&link, &pad, Some(reserved)).await);
        let allocations = wire.allocations();
        assert_eq!(allocations.len(), 3);
        assert_eq!(allocations[0], allocation);
        are_disjoint(&allocations);
        assert_eq!(wire.shares(), [&pad[..]; 3], "the share stays the same");
        let first = operations_of(&wire.sent.borrow()[0]).unwrap();
        let [Operation::Deposit(first)] = first.as_slice() else {
            panic!("{first:?}")
        };
        assert_eq!(
            first.keys[0].share.0, [0; SHARE_BYTES],
            "the share is its pad"
        );
        assert_eq!(status(&link).await.retries, 2);
    });
}

#[test]
fn what_is_reserved_under_a_registration_that_was_replaced_is_never_sent() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        let [one, two] = [reserve(&link, COST).await, reserve(&link, COST).await];
        let stale = [&one, &two].map(|r| r.as_ref().unwrap().spent().allocation().clone());
        let pad = wire.bytes(&stale[1])[MAC_KEY_BYTES..].to_vec();
        // The hub restarts. The first deposit finds that out: its reservation is refused.
        wire.start_hub();
        stored(deposit(&link, &[1; SHARE_BYTES], one.ok()).await);
        assert_eq!(wire.registered.get(), 2);
        assert_eq!(wire.allocations()[0], stale[0]);
        // The second one goes out with fresh PSRD at once, and is taken at once.
        let before = status(&link).await;
        wire.sent.borrow_mut().clear();
        stored(deposit(&link, &pad, two.ok()).await);
        let after = status(&link).await;
        assert_eq!(after.retries, before.retries);
        assert_eq!(after.registrations, before.registrations);
        let allocations = wire.allocations();
        assert_eq!(allocations.len(), 1);
        let blocks = |allocation: &Allocation| -> BTreeSet<BlockId> {
            allocation.fragments().iter().map(|f| f.block()).collect()
        };
        assert!(blocks(&allocations[0]).is_disjoint(&blocks(&stale[1])));
        assert_eq!(wire.shares(), [pad]);
    });
}

#[test]
fn a_reservation_of_another_length_than_its_message_is_not_used() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        for bytes in [COST - 1, COST + 1] {
            let reserved = reserve(&link, bytes).await.unwrap();
            let allocation = reserved.spent().allocation().clone();
            stored(deposit(&link, &[bytes as u8; SHARE_BYTES], Some(reserved)).await);
            let mut allocations = wire.allocations();
            allocations.push(allocation);
            are_disjoint(&allocations);
        }
    });
}

#[test]
fn psrd_at_hand_is_reserved_without_the_hub_and_none_is_made_up() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND / 2).await;
        let refills = status(&link).await.refills;
        wire.stop_hub();
        let mut allocations = Vec::new();
        let mut reserved = Vec::new();
        for _ in 0..BLOCK_BYTES / COST {
            let before = Instant::now();
            let reservation = reserve(&link, COST).await.unwrap();
            assert_eq!(before.elapsed(), Duration::ZERO);
            allocations.push(reservation.spent().allocation().clone());
            reserved.push(reservation);
        }
        are_disjoint(&allocations);
        let error = reserve(&link, COST).await.unwrap_err();
        assert_eq!(error, down::<()>().unwrap_err().into());
        // The hub is back, and PSRD is delivered first.
        wire.start_hub();
        assert!(reserve(&link, 3 * BLOCK_BYTES).await.is_ok());
        assert!(status(&link).await.refills > refills);
    });
}

/// Each of several exchanges at the same time may spend what was brought for another.
#[test]
fn as_much_psrd_is_brought_as_the_answers_to_several_fetches_take() {
    run(async |wire: Rc<Wire>| {
        wire.start_hub();
        let link = link(&wire);
        // The answer takes more than three blocks, and each of the four takes its own.
        let share = vec![7; 3 * BLOCK_BYTES];
        stored(deposit(&link, &share, None).await);
        let key_id = KeyId::random(&mut ChaCha12Rng::seed_from_u64(7));
        let query = FetchQuery {
            client: "a".parse().unwrap(),
            slave_sae: "b".parse().unwrap(),
            master_sae: "a".parse().unwrap(),
            key_ids: vec![key_id],
        };
        let deadline = Instant::now() + 10 * SECOND;
        let fetches = (0..4).map(|_| {
            link.send(Exchange {
                operation: Operation::Fetch(query.clone()),
                reserved: None,
                deadline,
            })
        });
        for reply in join_all(fetches).await {
            match reply.unwrap().unwrap() {
                Reply::Fetch(reply) => assert!(reply.is_complete()),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_link_registers_and_refills_by_itself() {
    run(|wire| async move {
        let link = link(&wire);
        sleep(5 * SECOND).await;
        assert!(!status(&link).await.registered);
        wire.start_hub();
        sleep(5 * SECOND).await;
        let provisioned = status(&link).await;
        assert!(provisioned.registered && provisioned.retries == 0);
        assert_eq!(provisioned.up_bytes_left, BLOCK_BYTES);
        // A reservation that nobody uses leaves the pool low.
        reserve(&link, BLOCK_BYTES - 1).await.unwrap();
        assert_eq!(status(&link).await.up_bytes_left, 1);
        sleep(2 * SECOND).await;
        assert_eq!(status(&link).await.up_bytes_left, 1 + BLOCK_BYTES);
        assert!(wire.sent.borrow().is_empty(), "nobody asked for anything");
    });
}

#[test]
fn a_link_does_not_bother_a_hub_that_is_away_nor_one_that_it_does_not_need() {
    run(|wire| async move {
        let link = link(&wire);
        sleep(60 * SECOND).await;
        // After 0, 1, 3, 7, 15, 23, 31, 39, 47 and 55 seconds.
        assert_eq!(wire.tried_to_register.get(), 10);
        wire.start_hub();
        sleep(8 * SECOND).await;
        assert_eq!(wire.registered.get(), 1);
        let provisioned = status(&link).await;
        sleep(60 * SECOND).await;
        assert_eq!(status(&link).await, provisioned);
        assert_eq!(wire.tried_to_register.get(), 11);
        // The hub goes away again, and is found again as soon as before.
        reserve(&link, BLOCK_BYTES - 1).await.unwrap();
        wire.stop_hub();
        sleep(2 * SECOND).await;
        wire.start_hub();
        sleep(4 * SECOND).await;
        assert_eq!(wire.registered.get(), 2);
        assert!(status(&link).await.registered);
    });
}

#[test]
fn a_link_that_is_gone_leaves_the_hub_alone() {
    run(|wire| async move {
        drop(link(&wire));
        sleep(60 * SECOND).await;
        assert!(wire.tried_to_register.get() <= 1);
        assert_eq!(Rc::strong_count(&wire), 1, "nothing is left of the link");
    });
}

/// Many deposits at once, whose answers come after a while, as over a network.
async fn deposit_at_once(link: &Addr<Link>, number: u8) -> Vec<Result<DepositReply, LinkError>> {
    let shares: Vec<[u8; SHARE_BYTES]> = (1..=number).map(|n| [n; SHARE_BYTES]).collect();
    let deposits = shares.iter().map(|share| deposit(link, share, None));
    join_all(deposits).await
}

fn operations_sent(wire: &Wire) -> Vec<usize> {
    let sent = wire.sent.borrow();
    sent.iter()
        .map(|request| operations_of(request).unwrap().len())
        .collect()
}

#[test]
fn what_waits_for_a_hub_leaves_together_and_what_does_not_leaves_at_once() {
    run(|wire| async move {
        wire.start_hub();
        wire.takes.set(Duration::from_millis(5));
        let link = link(&wire);
        sleep(SECOND).await;
        wire.sent.take();
        let started = Instant::now();
        stored(deposit(&link, &[100; SHARE_BYTES], None).await);
        assert_eq!(
            started.elapsed(),
            Duration::from_millis(5),
            "an idle link adds nothing"
        );
        for reply in deposit_at_once(&link, 9).await {
            stored(reply);
        }
        // The first leaves with whatever was there at the same moment. The others wait while it is in flight.
        let sent = operations_sent(&wire);
        assert_eq!(sent.iter().sum::<usize>(), 10);
        assert!(sent.len() <= 3, "{sent:?}");
        are_disjoint(&wire.allocations());
        // A batch has one MAC key, however many operations are in it.
        let spent: u64 = wire.allocations().iter().map(Allocation::total).sum();
        assert_eq!(
            spent as usize,
            sent.len() * MAC_KEY_BYTES + 10 * SHARE_BYTES
        );
    });
}

#[test]
fn a_request_that_is_lost_does_not_hold_the_next_one_up() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        // Its answer comes after nobody waits for it any more.
        wire.takes.set(60 * SECOND);
        let hanging = {
            let link = link.clone();
            tokio::task::spawn_local(async move { deposit(&link, &[100; SHARE_BYTES], None).await })
        };
        sleep(Duration::from_millis(1)).await;
        wire.takes.set(Duration::from_millis(5));
        let started = Instant::now();
        stored(deposit(&link, &[101; SHARE_BYTES], None).await);
        assert!(
            started.elapsed() < Duration::from_millis(50),
            "{:?}",
            started.elapsed()
        );
        stored(hanging.await.unwrap());
        assert!(status(&link).await.retries > 0);
    });
}

#[test]
fn one_operation_that_is_refused_takes_no_other_with_it() {
    run(|wire| async move {
        wire.start_hub();
        wire.takes.set(Duration::from_millis(5));
        let link = link(&wire);
        sleep(SECOND).await;
        // The hub knows no SAE c.
        let foreign = Exchange {
            operation: Operation::Fetch(FetchQuery {
                client: "a".parse().unwrap(),
                slave_sae: "c".parse().unwrap(),
                master_sae: "a".parse().unwrap(),
                key_ids: vec![KeyId::random(&mut ChaCha12Rng::seed_from_u64(1))],
            }),
            reserved: None,
            deadline: Instant::now() + SECOND,
        };
        let foreign = link.send(foreign);
        let (good, foreign) = futures_util::future::join(deposit_at_once(&link, 5), foreign).await;
        good.into_iter().for_each(stored);
        let refused = foreign.unwrap().unwrap_err().to_string();
        assert!(refused.contains("does not serve SAE c"), "{refused}");
        assert!(
            operations_sent(&wire)
                .iter()
                .any(|operations| *operations > 1)
        );
        assert_eq!(status(&link).await.retries, 0);
    });
}

/// A caller that goes away when this is dropped.
struct Caller(AbortHandle);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Deposits in a task of its own, for the SAE `master`.
fn call(link: &Addr<Link>, master: &'static str, share: Vec<u8>) -> Caller {
    let link = link.clone();
    let task = async move { deposit_for(master, &link, &share, None).await };
    Caller(tokio::task::spawn_local(task).abort_handle())
}

/// Two hundred calls in ten seconds, of which each waits for two.
async fn calls_to_a_silent_hub(link: &Addr<Link>) {
    let mut callers = VecDeque::new();
    for _ in 0..200 {
        callers.push_back(call(link, "a", vec![1; SHARE_BYTES]));
        if callers.len() > 40 {
            callers.pop_front();
        }
        sleep(SECOND / 20).await;
    }
}

#[test]
fn a_hub_that_does_not_answer_gets_few_requests() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        wire.is_mute.set(true);
        calls_to_a_silent_hub(&link).await;
        // One for each call of the first second, until the first of them is overdue. Then four each second.
        let sent = operations_sent(&wire);
        assert!(sent.len() <= 20 + 4 * 10 + 2, "{sent:?}");
        let probes = &sent[sent.len() - 32..];
        assert!(probes.iter().all(|operations| *operations == 1), "{sent:?}");
        // The hub answers again, and is asked as before.
        wire.is_mute.set(false);
        sleep(2 * SECOND).await;
        wire.takes.set(Duration::from_millis(5));
        wire.sent.take();
        for reply in deposit_at_once(&link, 9).await {
            stored(reply);
        }
        let sent = operations_sent(&wire);
        assert!(sent.len() <= 3, "{sent:?}");
    });
}

#[test]
fn what_comes_while_a_silent_hub_is_asked_waits_for_an_attempt_of_its_own() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        wire.is_mute.set(true);
        let first = deposit(&link, &[1; SHARE_BYTES], None);
        let second = async {
            // The first attempt has failed after a second, and the next one will, since it left when the hub was mute.
            sleep(SECOND * 19 / 10).await;
            wire.is_mute.set(false);
            deposit(&link, &[2; SHARE_BYTES], None).await
        };
        let (first, second) = futures_util::future::join(first, second).await;
        stored(first);
        stored(second);
        assert_eq!(status(&link).await.retries, 2, "both of the first one");
    });
}

#[test]
fn what_nobody_waits_for_any_more_never_leaves() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        // There is no PSRD, and no more can be had: everything waits.
        wire.freeze_hub(true);
        let up_left = status(&link).await.up_bytes_left;
        drop(reserve(&link, up_left).await.unwrap());
        let delivered = wire.tried_to_deliver.get();
        calls_to_a_silent_hub(&link).await;
        let tried = wire.tried_to_deliver.get() + wire.tried_to_register.get() - delivered;
        assert!(tried <= 12, "{tried} attempts to get PSRD in ten seconds");
        wire.freeze_hub(false);
        sleep(60 * SECOND).await;
        let sent = operations_sent(&wire);
        assert_eq!(sent.len(), 0, "{sent:?} for nobody");
        assert!(status(&link).await.registered);
    });
}

#[test]
fn what_waits_for_psrd_holds_up_nothing_for_which_there_is_some() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        wire.delivers_nothing.set(true);
        let _large = call(&link, "a", vec![1; 3 * BLOCK_BYTES]);
        sleep(SECOND / 100).await;
        let small = deposit(&link, &[2; SHARE_BYTES], None);
        stored(timeout(SECOND / 100, small).await.unwrap());
        // The large one has its turn as soon as there is enough.
        wire.delivers_nothing.set(false);
        sleep(2 * SECOND).await;
        assert_eq!(operations_sent(&wire), [1, 1]);
    });
}

#[test]
fn what_is_in_flight_has_a_bound_for_each_sae_until_its_callers_have_gone() {
    const LARGE: usize = 1 << 20;
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        wire.freeze_hub(true);
        let is_busy = async |master: &'static str| {
            let asked = deposit_for(master, &link, &[1; LARGE], None);
            let answer = timeout(SECOND / 100, asked).await;
            matches!(answer, Ok(Err(LinkError::Busy)))
        };
        let mut callers = Vec::new();
        for _ in 0..64 {
            callers.push(call(&link, "a", vec![1; LARGE]));
        }
        sleep(SECOND / 100).await;
        assert!(is_busy("a").await);
        assert!(!is_busy("b").await, "it has a part of its own");
        drop(callers);
        // What has left counts until nothing is heard of it.
        sleep(2 * SECOND).await;
        assert!(!is_busy("a").await);
    });
}
