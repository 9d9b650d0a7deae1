//! The observer: sees every message at both ends, every block of PSRD, every call, fault and lie, and judges
//! nothing. The invariants read what it has seen.
//!
//! | module | what it holds |
//! |---|---|
//! | [`record`] | what is recorded of messages, calls, lies |
//! | [`trace`] | the timeline as text, and its hash |
//! | [`front`] | the actor between a hub's HTTP routes and the hub |
//! | [`tap`] | the transport between a client's link and awc |
//! | [`open`] | reading encrypted messages with the recorded PSRD |

pub mod front;
pub mod open;
pub mod record;
pub mod tap;
pub mod trace;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use dske::node::client::ClientStatus;
use dske::protocol::Request;
use dske::protocol::channel::PoolOwner;
use dske::protocol::hub::HubStatus;
use dske::psrd::{Block, BlockId};

use crate::plan::Plan;
use record::{Call, LieTold, Message};
use trace::Trace;

/// A block of PSRD that was delivered.
pub struct ObservedBlock {
    /// When it was delivered.
    pub at_us: u64,
    /// Index of the hub.
    pub hub: usize,
    /// Index of the client.
    pub client: usize,
    /// Which end allocates from it.
    pub owner: PoolOwner,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Everything that happened in a run.
pub struct Observation {
    /// What was drawn before the run.
    pub plan: Rc<Plan>,
    /// Every block of PSRD.
    pub blocks: BTreeMap<BlockId, ObservedBlock>,
    /// Blocks whose ID was delivered before: never expected.
    pub blocks_twice: Vec<BlockId>,
    /// Every message, at every place where it was seen, in order of time.
    pub messages: Vec<Message>,
    /// Every call by an SAE.
    pub calls: Vec<Call>,
    /// Every lie.
    pub lies: Vec<LieTold>,
    /// The largest blame counters seen: (client, hub) → how → count.
    pub blame: BTreeMap<(usize, usize), BTreeMap<String, u64>>,
    /// When a client first blamed a hub, in microseconds.
    pub blamed_at: BTreeMap<(usize, usize), u64>,
    /// Statuses of hubs, as polled: time in microseconds, hub, status.
    pub hub_statuses: Vec<(u64, usize, HubStatus)>,
    /// How often each client has started, from 0.
    pub client_lives: BTreeMap<usize, u32>,
    /// When each life of each client began, in microseconds.
    pub client_starts: BTreeMap<(usize, u32), u64>,
    /// The last status of each client in each of its lives.
    pub client_statuses: BTreeMap<(usize, u32), ClientStatus>,
    /// When that status was asked for, in microseconds: what had happened by then is in it.
    pub client_polls: BTreeMap<(usize, u32), u64>,
    /// The requests that an outsider made up or changed, with the hub that it sent them to.
    pub made_up: Vec<(usize, Request)>,
    /// Fault, lie or rare branch → how often.
    pub reached: BTreeMap<String, u64>,
    /// The timeline.
    pub trace: Trace,
}

/// A handle on the [`Observation`], for everything that sees a part of it. One thread, so an `Rc` will do.
#[derive(Clone)]
pub struct Observer(Rc<RefCell<Observation>>);

impl Observer {
    /// An observer that has seen nothing. `keep_lines` keeps the timeline as text.
    #[must_use]
    pub fn new(plan: Rc<Plan>, keep_lines: bool) -> Self {
        Self(Rc::new(RefCell::new(Observation {
            plan,
            blocks: BTreeMap::new(),
            blocks_twice: Vec::new(),
            messages: Vec::new(),
            calls: Vec::new(),
            lies: Vec::new(),
            blame: BTreeMap::new(),
            blamed_at: BTreeMap::new(),
            hub_statuses: Vec::new(),
            client_lives: BTreeMap::new(),
            client_starts: BTreeMap::new(),
            client_statuses: BTreeMap::new(),
            client_polls: BTreeMap::new(),
            made_up: Vec::new(),
            reached: BTreeMap::new(),
            trace: Trace::new(keep_lines),
        })))
    }

    /// Looks at what was seen.
    #[must_use]
    pub fn seen(&self) -> Ref<'_, Observation> {
        self.0.borrow()
    }

    pub(crate) fn see(&self) -> RefMut<'_, Observation> {
        self.0.borrow_mut()
    }

    /// Counts something as reached.
    pub fn reach(&self, what: &str) {
        *self.see().reached.entry(what.to_owned()).or_default() += 1;
    }

    /// Adds a line to the timeline, at the present simulated time.
    pub fn note(&self, line: &str) {
        self.see().trace.add(now_us(), line);
    }

    pub(crate) fn block(&self, hub: usize, client: usize, owner: PoolOwner, block: &Block) {
        let mut seen = self.see();
        let observed = ObservedBlock {
            at_us: now_us(),
            hub,
            client,
            owner,
            bytes: block.expose_bytes().to_vec(),
        };
        if seen.blocks.insert(block.id(), observed).is_some() {
            seen.blocks_twice.push(block.id());
        }
        let line = format!(
            "psrd hub={hub} client={client} owner={owner:?} block={} bytes={}",
            block.id(),
            trace::fingerprint(block.expose_bytes())
        );
        seen.trace.add(now_us(), &line);
    }
}

/// Simulated time of the host that is running, in microseconds; zero outside the simulation.
#[must_use]
pub fn now_us() -> u64 {
    let elapsed = turmoil::sim_elapsed().unwrap_or_default();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}
