//! The rogue client breaks every rule. It is registered at every hub, has PSRD and an SAE of its own, and reads the wire.
//! It signs its messages properly: a hub that refuses one refuses its content, not its form.
//!
//! It runs the production channel ([`ClientEnd`]) and transport, and nothing else of a client.

mod attack;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use dske::http::transport::HttpTransport;
use dske::node::transport::Transport;
use dske::protocol::batch::{Encoding, operations_of};
use dske::protocol::channel::{ClientEnd, OpenError, PoolOwner, Sent};
use dske::protocol::hub::{PsrdRequest, RegistrationRequest};
use dske::protocol::{Method, NodeName, Refusal, Request, Response};
use dske::psrd::PoolError;
use dske::topology::Topology;
use dske_testbed::sim::PORT;
use dske_testbed::sim::net::http_client;
use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use uuid::Uuid;

use self::attack::{Forge, Known};
use crate::plan::stream::stream;
use crate::plan::{Fault, Plan, ROGUE_NAME};
use crate::world::clock::{now_us, sleep_until_ms};
use crate::world::observer::Observer;
use crate::world::observer::record::{self, Tried};
use crate::world::observer::tap::Tap;

/// How long it waits for an answer. It needs answers only to keep its pools in step.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Bytes that it keeps in each pool: more than any of its messages, or the answer to one, takes.
const LOW_WATER_BYTES: usize = 1_024;

/// Most deliveries in a row: a hub with tiny blocks is not worth more.
const DELIVERIES_MAX: usize = 8;

/// Starts the rogue as a task of its own, if the plan has work for it.
pub(in crate::world) fn start(topology: &Topology, observer: &Observer) {
    let plan = Rc::clone(&observer.seen().plan);
    if plan.has_rogue() {
        let rogue = Rogue::new(&plan, topology, observer.clone());
        tokio::task::spawn_local(async move { rogue.run(strikes(&plan)).await });
    }
}

/// When it sends a message, in milliseconds, in order. Attacks may overlap.
fn strikes(plan: &Plan) -> Vec<u64> {
    let attacks = plan.faults.iter().filter_map(|planned| {
        let Fault::RogueClient { per_second } = planned.fault else {
            return None;
        };
        let every_ms = (1000 / per_second).max(1);
        let times = (planned.at_ms..planned.until_ms).step_by(every_ms as usize);
        Some(times)
    });
    let mut strikes: Vec<u64> = attacks.flatten().collect();
    strikes.sort_unstable();
    strikes
}

struct Rogue {
    name: NodeName,
    observer: Observer,
    channels: Vec<Rc<RefCell<Channel>>>,
    block_bytes: usize,
    rng: ChaCha12Rng,
}

/// What it has to do with one hub.
struct Channel {
    transport: Rc<dyn Transport>,
    end: ClientEnd,
    registration: Option<Uuid>,
    /// The hub said that it has nothing left to answer with.
    hub_is_dry: bool,
}

impl Rogue {
    fn new(plan: &Plan, topology: &Topology, observer: Observer) -> Self {
        let channels = topology.hubs.iter().enumerate().map(|(hub, node)| {
            // One HTTP client a hub: connections to several would be closed in random order.
            let http = http_client(TIMEOUT);
            let inner = HttpTransport::new(http, &format!("{}:{PORT}", node.name));
            let transport = Tap {
                inner: Rc::new(inner),
                observer: observer.clone(),
                client: usize::from(plan.cluster.clients),
                hub,
            };
            Rc::new(RefCell::new(Channel {
                transport: Rc::new(transport),
                end: ClientEnd::default(),
                registration: None,
                hub_is_dry: false,
            }))
        });
        Self {
            name: ROGUE_NAME.parse().expect("a valid name"),
            channels: channels.collect(),
            block_bytes: usize::try_from(plan.cluster.psrd_block_bytes).unwrap_or(usize::MAX),
            rng: stream(&plan.campaign, plan.seed, "rogue"),
            observer,
        }
    }

    async fn run(mut self, strikes: Vec<u64>) {
        for at_ms in strikes {
            sleep_until_ms(at_ms).await;
            let hub = self.rng.random_range(0..self.channels.len());
            self.provision(hub).await;
            self.strike(hub);
        }
    }

    /// Gets registered, and enough PSRD, as far as the hub is there and gives any.
    async fn provision(&self, hub: usize) -> Option<()> {
        let channel = &self.channels[hub];
        let transport = Rc::clone(&channel.borrow().transport);
        let registered = channel.borrow().registration;
        let registration = match registered {
            Some(registration) => registration,
            None => {
                let client = self.name.clone();
                let request = RegistrationRequest {
                    client,
                    start: None,
                };
                let answer = tokio::time::timeout(TIMEOUT, transport.register(request));
                let registration = answer.await.ok()?.ok()?.ok()?.registration;
                let mut channel = channel.borrow_mut();
                channel.end = ClientEnd::default();
                channel.registration = Some(registration);
                channel.hub_is_dry = false;
                registration
            }
        };
        for owner in [PoolOwner::Client, PoolOwner::Hub] {
            for _ in 0..DELIVERIES_MAX {
                if !channel.borrow().needs(owner) {
                    break;
                }
                let request = PsrdRequest {
                    client: self.name.clone(),
                    registration,
                    owner,
                    size: self.block_bytes,
                };
                let answer = tokio::time::timeout(TIMEOUT, transport.deliver_psrd(request));
                let delivered = answer.await.ok().and_then(Result::ok);
                let mut channel = channel.borrow_mut();
                let added = match delivered {
                    Some(Ok(block)) => channel.end.add(owner, block).is_ok(),
                    // What the hub holds is unknown: next time the channel registers again, and its old bytes are void.
                    Some(Err(_)) | None => false,
                };
                if !added {
                    channel.registration = None;
                    return None;
                }
                channel.hub_is_dry &= owner == PoolOwner::Client;
            }
        }
        Some(())
    }

    /// Sends one attack, and waits for nothing.
    fn strike(&mut self, hub: usize) {
        let known = Known::from_wire(&self.observer.seen());
        let attack = attack::draw(&mut self.rng);
        let messages = {
            let mut channel = self.channels[hub].borrow_mut();
            let forge = Forge {
                me: &self.name,
                hub,
                end: &mut channel.end,
                rng: &mut self.rng,
            };
            forge.messages(attack, &known)
        };
        // Nothing to attack yet, or no PSRD to do it with.
        let Some(messages) = messages else { return };
        let what = Tried::Rogue(attack);
        self.observer.reach(what.reached());
        for (request, sent) in messages {
            self.observer.attack(record::Attack {
                at_us: now_us(),
                hub,
                what,
                request: request.clone(),
            });
            let channel = Rc::clone(&self.channels[hub]);
            tokio::task::spawn_local(ask(channel, request, sent));
        }
    }
}

async fn ask(channel: Rc<RefCell<Channel>>, request: Request, sent: Sent) {
    let to = request.clone();
    let answer = channel.borrow().transport.ask(request);
    if let Ok(Ok(response)) = tokio::time::timeout(TIMEOUT, answer).await {
        channel.borrow_mut().hear(&to, &sent, &response);
    }
}

impl Channel {
    fn needs(&self, owner: PoolOwner) -> bool {
        let dry = owner == PoolOwner::Hub && self.hub_is_dry;
        self.end.left(owner) < LOW_WATER_BYTES || dry
    }

    /// Takes the bytes of the answer out of the pool, as any client does, and notices when it has to register again.
    fn hear(&mut self, to: &Request, sent: &Sent, response: &Response) {
        let opened = match (Encoding::of(to), to.method) {
            (Encoding::Binary, _) => {
                let operations = operations_of(to).unwrap_or_default().len();
                self.end
                    .open_batch_reply(sent, operations, response)
                    .map(drop)
            }
            (Encoding::Json, Method::Post) => self.end.open_deposit_reply(sent, response).map(drop),
            (Encoding::Json, Method::Get) => self.end.open_fetch_reply(sent, response).map(drop),
        };
        match opened {
            Err(
                OpenError::Hint(Refusal::Unregistered { .. })
                | OpenError::Allocation(PoolError::UnknownBlock { .. }),
            ) => self.registration = None,
            Err(
                OpenError::Hint(Refusal::PsrdExhausted)
                | OpenError::Refused(Refusal::PsrdExhausted),
            ) => self.hub_is_dry = true,
            _ => {}
        }
    }
}
