//! Observations made by hand, for the tests of the checks: real hubs and channels, and whatever a test adds to them.

use std::cell::RefMut;
use std::collections::BTreeMap;
use std::time::Duration;

use dske::crypto::mac::MAC_KEY_BYTES;
use dske::crypto::secret::Secret;
use dske::crypto::shamir::{ShareIndex, Sharing};
use dske::node::client::{ClientStatus, HubPeerStatus};
use dske::node::link::LinkStatus;
use dske::protocol::batch::{Encoding, Operation, Reply};
use dske::protocol::channel::{
    Bound, ClientEnd, PoolOwner, seal_batch, seal_deposit, seal_replies,
};
use dske::protocol::hub::{Hub, HubStatus, PsrdRequest, RegistrationRequest};
use dske::protocol::initiator::{EstablishRequest, Initiator, KeySource, Patience, Progress};
use dske::protocol::message::{
    DepositBody, DepositOutcome, DepositReply, DepositResult, FetchQuery, Plain, Withdrawal,
};
use dske::protocol::responder::Responder;
use dske::protocol::signature::Signature;
use dske::protocol::{Request, Response};
use dske::psrd::{Allocation, Fragment, Spent};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::{Check, Facts, Verdict};
use crate::plan::{CLIENT_NAMES, Fault, HUB_NAMES, Liar, Lie, Plan, PlannedFault};
use crate::world::observer::open::Blocks;
use crate::world::observer::record::{
    Answered, Asked, Call, CallKind, Deal, Key, LieTold, Message, Outcome, Provisioned, Seen,
};
use crate::world::observer::{Observation, Observer};

/// The client of the master in every scene.
pub(super) const MASTER: usize = 0;

/// The client of the slave in every scene.
pub(super) const SLAVE: usize = 1;

/// A made-up run: 5 hubs, a threshold of 3, and 3 clients. Only what a test plans disturbs it.
pub(super) struct Scene {
    observer: Observer,
    pub(super) sharing: Sharing,
    hubs: Vec<Hub>,
    ends: BTreeMap<(usize, usize), ClientEnd>,
    pub(super) rng: ChaCha12Rng,
}

impl Scene {
    /// A run in which nothing has happened yet, except that all have met.
    pub(super) fn new(change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = crate::campaign::load("calm").unwrap().plan(1);
        assert!(plan.faults.is_empty() && plan.liars.is_empty());
        change(&mut plan);
        let topology = plan.topology().unwrap();
        let hubs = topology.hubs.iter().zip(0..).map(|(hub, i)| {
            let config = topology.hub(&hub.name).unwrap();
            Hub::new(config, Box::new(ChaCha12Rng::seed_from_u64(i)))
        });
        let mut scene = Self {
            hubs: hubs.collect(),
            sharing: topology.sharing,
            observer: Observer::new(&plan, false),
            ends: BTreeMap::new(),
            rng: ChaCha12Rng::seed_from_u64(99),
        };
        scene.meet();
        scene
    }

    fn meet(&mut self) {
        for (hub, state) in self.hubs.iter_mut().enumerate() {
            self.observer.deal(hub, Asked::Start);
            for client in [MASTER, SLAVE] {
                let asks = Provisioned::AsksToRegister;
                self.observer.provision(client, hub, asks);
                let name: dske::protocol::NodeName = CLIENT_NAMES[client].parse().unwrap();
                let request = RegistrationRequest {
                    client: name.clone(),
                    start: None,
                };
                let registered = state.register(&request);
                let deal = self.observer.deal(hub, Asked::Registration(request));
                let answer = Answered::Registration(registered.clone());
                self.observer.dealt(deal, answer);
                self.observer
                    .provision(client, hub, Provisioned::Registered);
                let registration = registered.unwrap().registration;
                let end = self.ends.entry((client, hub)).or_default();
                for owner in [PoolOwner::Client, PoolOwner::Hub] {
                    let request = PsrdRequest {
                        client: name.clone(),
                        registration,
                        owner,
                        size: 16_384,
                    };
                    let block = state.deliver_psrd(&request).unwrap();
                    let deal = self.observer.deal(hub, Asked::Delivery(request));
                    let answer = Answered::Delivery(Ok(block.id()));
                    self.observer.dealt(deal, answer);
                    self.observer.block(hub, client, owner, &block);
                    let delivered = Provisioned::Block(owner, block.id());
                    self.observer.provision(client, hub, delivered);
                    end.add(owner, block).unwrap();
                }
            }
        }
    }

    /// What has been seen, to be changed by hand.
    pub(super) fn see(&self) -> RefMut<'_, Observation> {
        self.observer.see()
    }

    /// What a check says of it.
    pub(super) fn judge(&self, check: Check) -> Verdict {
        let seen = self.observer.seen();
        check(&Facts::new(&seen))
    }

    /// The master gets two keys of 16 bytes; every hub takes its shares within 3 ms.
    pub(super) fn establish(&mut self, id: u32, at_ms: u64) -> Vec<Key> {
        let request = EstablishRequest {
            client: CLIENT_NAMES[MASTER].parse().unwrap(),
            master_sae: CLIENT_NAMES[MASTER].parse().unwrap(),
            slave_saes: vec![CLIENT_NAMES[SLAVE].parse().unwrap()],
            size: 16,
            number: 2,
        };
        let patience = Patience {
            deadline: Duration::from_secs(3),
            grace: Duration::from_millis(200),
        };
        let mut reserved = BTreeMap::new();
        for x in self.sharing.indices() {
            let end = self.ends.get_mut(&(MASTER, usize::from(x.get()) - 1));
            let spent = end.unwrap().spend(request.deposit_cost()).unwrap();
            reserved.insert(x, spent);
        }
        let source = self.see().plan.cluster.key_source;
        let (mut initiator, deposits) = match source {
            KeySource::Generator => {
                Initiator::begin(&request, self.sharing, patience, &mut self.rng)
            }
            KeySource::Psrd => {
                let reserved = reserved.iter().map(|(&x, spent)| (x, spent)).collect();
                let rng = &mut self.rng;
                Initiator::begin_from_psrd(&request, self.sharing, patience, &reserved, rng)
                    .unwrap()
            }
        };
        for (x, deposit) in deposits {
            let hub = usize::from(x.get()) - 1;
            let (request, sent) = seal_deposit(reserved.remove(&x).unwrap(), &deposit);
            let response = self.exchange(MASTER, hub, at_ms, request);
            let end = self.ends.get_mut(&(MASTER, hub)).unwrap();
            let reply = end.open_deposit_reply(&sent, &response).unwrap();
            initiator.on_reply(Duration::ZERO, x, &reply);
        }
        let Progress::Done(keys) = initiator.progress(Duration::ZERO) else {
            panic!("all hubs hold a share")
        };
        let keys: Vec<Key> = keys.into_iter().map(key).collect();
        let outcome = Outcome::Keys(keys.clone());
        self.call(id, CallKind::Master, MASTER, (at_ms, at_ms + 4), outcome);
        keys
    }

    /// The slave fetches keys from all hubs.
    pub(super) fn fetch(&mut self, id: u32, at_ms: u64, keys: &[Key]) {
        let query = FetchQuery {
            client: CLIENT_NAMES[SLAVE].parse().unwrap(),
            slave_sae: CLIENT_NAMES[SLAVE].parse().unwrap(),
            master_sae: CLIENT_NAMES[MASTER].parse().unwrap(),
            key_ids: keys.iter().map(|key| key.id).collect(),
        };
        let mut responder = Responder::begin(query.clone(), self.sharing, Duration::from_secs(3));
        for hub in 0..self.hubs.len() {
            let end = self.ends.get_mut(&(SLAVE, hub)).unwrap();
            let (request, sent) = end.seal_fetch(&query).unwrap();
            let response = self.exchange(SLAVE, hub, at_ms, request);
            let end = self.ends.get_mut(&(SLAVE, hub)).unwrap();
            let reply = end.open_fetch_reply(&sent, &response).unwrap();
            let x = ShareIndex::new(hub as u8 + 1).unwrap();
            responder.on_reply(x, reply, &mut self.rng);
        }
        let Progress::Done(keys) = responder.progress(Duration::ZERO) else {
            panic!("all hubs hold a share")
        };
        let outcome = Outcome::Keys(keys.into_iter().map(key).collect());
        self.call(id, CallKind::Slave, SLAVE, (at_ms, at_ms + 4), outcome);
    }

    /// The last deposit that the master sent to a hub.
    pub(super) fn last_deposit(&self, hub: usize) -> DepositBody<Plain> {
        let seen = self.see();
        let facts = Facts::new(&seen);
        let mut deposits = facts.deposits.iter().rev();
        let last = deposits.find(|deposit| (deposit.client, deposit.hub) == (MASTER, hub));
        last.unwrap().body.clone()
    }

    /// The same for one key of which nobody has heard.
    pub(super) fn deposit_of_another_key(&mut self, hub: usize) -> DepositBody<Plain> {
        let mut body = self.last_deposit(hub);
        body.keys.truncate(1);
        body.keys[0].key_id = unheard_of(&mut self.rng).id;
        body
    }

    /// The master sends a deposit to a hub once more, with fresh PSRD.
    pub(super) fn deposit_again(&mut self, hub: usize, at_ms: u64, body: &DepositBody<Plain>) {
        let end = self.ends.get_mut(&(MASTER, hub)).unwrap();
        let (request, _) = end.seal_deposit(body).unwrap();
        self.exchange(MASTER, hub, at_ms, request);
    }

    /// The master withdraws the keys of a deposit from a hub.
    pub(super) fn withdraw(&mut self, hub: usize, at_ms: u64, body: &DepositBody<Plain>) {
        let withdrawal = Operation::Withdraw(Withdrawal {
            client: body.client.clone(),
            master_sae: body.master_sae.clone(),
            key_ids: body.keys.iter().map(|key| key.key_id).collect(),
        });
        let end = self.ends.get_mut(&(MASTER, hub)).unwrap();
        let spent = end.spend(MAC_KEY_BYTES).unwrap();
        let (request, _) = seal_batch(spent, &body.client, vec![withdrawal]);
        self.exchange(MASTER, hub, at_ms, request);
    }

    /// The master sends a deposit to a hub, which is seen to say this of all its keys, whatever the real one would have
    /// said.
    pub(super) fn deposit_answered(
        &self,
        hub: usize,
        at_ms: u64,
        body: &DepositBody<Plain>,
        outcome: DepositOutcome,
    ) {
        // Bytes far behind those that were spent.
        let spent = {
            let seen = self.see();
            let mut blocks = seen.blocks.iter().filter(|(_, block)| {
                (block.hub, block.client, block.owner) == (hub, MASTER, PoolOwner::Client)
            });
            let (id, block) = blocks.next().unwrap();
            let bytes = MAC_KEY_BYTES + body.share_bytes();
            let start = 8_192 + u32::try_from(at_ms).unwrap();
            let fragment = Fragment::new(*id, start, u32::try_from(bytes).unwrap()).unwrap();
            let range = start as usize..start as usize + bytes;
            let bytes = Secret::from(block.bytes[range].to_vec());
            Spent::forge(Allocation::new(vec![fragment]).unwrap(), bytes)
        };
        let (request, _) = seal_deposit(spent, body);
        let keys = body.keys.iter().map(|key| DepositResult {
            key_id: key.key_id,
            outcome,
        });
        let reply = DepositReply {
            keys: keys.collect(),
        };
        let response = Response {
            status: 200,
            signature: Some("signed".to_owned()),
            body: serde_json::to_vec(&reply).unwrap().into(),
        };
        self.message(MASTER, hub, at_ms, Seen::Sent(request.clone()));
        let to = request;
        self.message(MASTER, hub, at_ms + 2, Seen::Said { to, response });
    }

    /// A request goes to a hub and is answered, seen at every place.
    fn exchange(&mut self, client: usize, hub: usize, at_ms: u64, request: Request) -> Response {
        let now = Duration::from_millis(at_ms + 1);
        let response = self.hubs[hub].handle(now, &request);
        self.see().deals.push(Deal {
            at_us: (at_ms + 1) * 1000,
            hub,
            asked: Asked::Message(request.clone()),
            answer: Some(Answered::Message(response.clone())),
        });
        let (to, answer) = (request.clone(), response.clone());
        let said = Seen::Said {
            to: to.clone(),
            response: answer.clone(),
        };
        let heard = Seen::Heard {
            to,
            response: answer,
        };
        let steps = [
            Seen::Sent(request.clone()),
            Seen::Arrived(request),
            said,
            heard,
        ];
        for (ms, what) in (at_ms..).zip(steps) {
            self.message(client, hub, ms, what);
        }
        response
    }

    /// A message is seen.
    pub(super) fn message(&self, client: usize, hub: usize, at_ms: u64, what: Seen) {
        self.see().messages.push(Message {
            at_us: at_ms * 1000,
            client: Some(client),
            hub,
            what,
        });
    }

    /// An SAE calls.
    pub(super) fn call(
        &self,
        id: u32,
        kind: CallKind,
        client: usize,
        (from_ms, until_ms): (u64, u64),
        outcome: Outcome,
    ) {
        let mut seen = self.see();
        let (fetches, given) = (kind.fetches(), seen.calls.iter());
        let given = given.filter(|call| fetches && (call.id, call.kind) == (id, CallKind::Master));
        let given = given.filter_map(|call| call.outcome.keys()).flatten();
        let key_ids = given.map(|key| key.id).collect();
        let sae = |client: usize| CLIENT_NAMES[client].parse().unwrap();
        seen.calls.push(Call {
            id,
            kind,
            client,
            sae: sae(client),
            other: sae(if fetches { MASTER } else { SLAVE }),
            number: 2,
            key_ids,
            from_us: from_ms * 1000,
            until_us: until_ms * 1000,
            outcome,
        });
    }

    /// The last request that a client sent to a hub.
    pub(super) fn last_sent(&self, client: usize, hub: usize) -> Request {
        let seen = self.see();
        let mut sent = seen.messages.iter().rev().filter_map(|message| {
            let mine = message.client == Some(client) && message.hub == hub;
            match &message.what {
                Seen::Sent(request) if mine => Some(request.clone()),
                _ => None,
            }
        });
        sent.next().unwrap()
    }

    /// A hub tells the slave's client a lie in its last answer, about these keys.
    pub(super) fn lie(&self, hub: usize, lie: Lie, at_ms: u64, keys: &[Key]) {
        let to = self.last_sent(SLAVE, hub).signature;
        self.see().lies.push(LieTold {
            at_us: at_ms * 1000,
            hub,
            client: SLAVE,
            lie,
            key_ids: keys.iter().map(|key| key.id).collect(),
            to,
        });
    }

    /// The slave's client is seen to blame a hub.
    pub(super) fn blamed(&self, hub: usize, at_ms: u64) {
        let mut seen = self.see();
        let how = BTreeMap::from([("wrong-share".to_owned(), 1)]);
        seen.blame.insert((SLAVE, hub), how);
        seen.blamed_at.insert((SLAVE, hub), at_ms * 1000);
    }

    /// The number of a client that does not run the production code.
    pub(super) fn rogue(&self) -> usize {
        usize::from(self.see().plan.cluster.clients)
    }

    /// Changes the last answer of a hub to a deposit of the master, signed as if the hub had said so.
    pub(super) fn answer_again(&self, hub: usize, change: impl Fn(&mut DepositResult)) {
        let mut seen = self.see();
        let Observation {
            messages, blocks, ..
        } = &mut *seen;
        let heard = messages.iter_mut().rev().find_map(|message| {
            let mine = (message.client, message.hub) == (Some(MASTER), hub);
            match &mut message.what {
                Seen::Heard { to, response } if mine => Some((to, response)),
                _ => None,
            }
        });
        let (to, response) = heard.unwrap();
        let signature =
            |header: &Option<String>| Signature::from_header(header.as_deref()).unwrap();
        let bound = Bound {
            signature: signature(&to.signature),
            encoding: Encoding::of(to),
        };
        let allocation = signature(&response.signature).allocation;
        let mut reply: DepositReply = serde_json::from_slice(&response.body).unwrap();
        reply.keys.iter_mut().for_each(change);
        let spent = Spent::forge(allocation.clone(), blocks.of(&allocation).unwrap());
        *response = seal_replies(spent, &bound, Ok(vec![Reply::Deposit(reply)]));
    }

    /// A client starts, and is polled later: so many answers of each hub it could not verify.
    pub(super) fn polled(
        &self,
        client: usize,
        life: u32,
        start_ms: u64,
        polled_ms: u64,
        unverified: impl Fn(usize) -> u64,
    ) {
        let hubs = self.sharing.indices().map(|x| HubPeerStatus {
            name: HUB_NAMES[usize::from(x.get()) - 1].parse().unwrap(),
            x,
            blame: BTreeMap::new(),
            link: LinkStatus {
                unverified: unverified(usize::from(x.get()) - 1),
                ..LinkStatus::default()
            },
        });
        let status = ClientStatus {
            name: CLIENT_NAMES[client].parse().unwrap(),
            uptime_ms: polled_ms - start_ms,
            saes: Vec::new(),
            claims: 0,
            calls_in_flight: 0,
            hubs: hubs.collect(),
            counters: Default::default(),
        };
        let mut seen = self.see();
        seen.client_starts.insert((client, life), start_ms * 1000);
        seen.client_statuses.insert((client, life), status);
        seen.client_polls.insert((client, life), polled_ms * 1000);
    }

    /// A hub's status, as it is now, is polled.
    pub(super) fn poll(&self, hub: usize, at_ms: u64, change: impl FnOnce(&mut HubStatus)) {
        let mut status = self.hubs[hub].status(Duration::ZERO);
        change(&mut status);
        self.see().deals.push(Deal {
            at_us: at_ms * 1000,
            hub,
            asked: Asked::Status,
            answer: Some(Answered::Status(status.clone())),
        });
        self.see().hub_statuses.push((at_ms * 1000, hub, status));
    }

    /// Every hub is polled at the end, when it holds nothing any more.
    pub(super) fn poll_all_drained(&mut self) {
        let end_ms = self.see().plan.end_ms;
        for hub in 0..self.hubs.len() {
            self.hubs[hub].expire(Duration::from_millis(end_ms));
            self.poll(hub, end_ms, |_| {});
        }
    }
}

fn key(key: dske::protocol::initiator::EstablishedKey) -> Key {
    Key {
        id: key.key_id,
        bytes: key.bytes,
    }
}

/// A key of which nobody has ever heard.
pub(super) fn unheard_of(rng: &mut ChaCha12Rng) -> Key {
    Key {
        id: dske::protocol::KeyId::random(rng),
        bytes: Secret::from(vec![7; 16]),
    }
}

/// The keys with one bit of the first one changed.
pub(super) fn falsified(keys: &[Key]) -> Vec<Key> {
    let mut keys = keys.to_vec();
    keys[0].bytes[3] ^= 4;
    keys
}

/// A fault with its times.
pub(super) fn fault(at_ms: u64, until_ms: u64, fault: Fault) -> PlannedFault {
    PlannedFault {
        at_ms,
        until_ms,
        fault,
    }
}

/// A hub that lies from the beginning to the end.
pub(super) fn liar(hub: usize) -> Liar {
    assert!(hub < HUB_NAMES.len());
    Liar {
        hub,
        from_ms: 0,
        until_ms: u64::MAX,
        lies: Lie::alone(),
        rate_percent: 100,
    }
}

/// A call by the master from 5.000 s to 5.100 s that is refused, under a plan.
pub(super) fn master_refused(plan: impl FnOnce(&mut Plan)) -> Scene {
    let scene = Scene::new(plan);
    scene.call(0, CallKind::Master, MASTER, (5_000, 5_100), refused());
    scene
}

/// What the client says when it cannot serve.
pub(super) fn refused() -> Outcome {
    Outcome::Refused(503, "no".to_owned())
}

/// Nobody knows what came of it.
pub(super) fn unknown() -> Outcome {
    Outcome::Unknown("no answer".to_owned())
}

impl Verdict {
    /// Passes if the property was evaluated, and held.
    #[track_caller]
    pub(super) fn must_hold(&self) {
        assert!(self.evaluated > 0, "nothing was evaluated");
        assert_eq!(self.broken, []);
    }

    /// Passes if the property did not hold in one place, and the evidence says `why`.
    #[track_caller]
    pub(super) fn must_break(&self, why: &str) {
        let [broken] = self.broken.as_slice() else {
            panic!(
                "{} places, expected one: {:?}",
                self.broken.len(),
                self.broken
            )
        };
        let said = broken.violation.to_string();
        assert!(said.contains(why), "{why}: {said}");
    }
}
