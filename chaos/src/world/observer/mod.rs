//! The observer: sees every message at both ends, every block of PSRD, every call, fault and lie, and judges
//! nothing. The invariants read what it has seen.
//!
//! | module | what it holds |
//! |---|---|
//! | [`record`] | what is recorded of messages, calls, lies, and all else |
//! | `line` | each record as a line, with nothing that is secret |
//! | [`trace`] | the hash of all lines |
//! | [`front`] | the actor between a hub's HTTP routes and the hub |
//! | [`tap`] | the transport between a client's link and awc |
//! | [`open`] | reading encrypted messages with the recorded PSRD |

pub mod front;
mod line;
pub mod open;
pub mod record;
pub mod tap;
pub mod trace;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use dske::harness::Mark;
use dske::node::client::ClientStatus;
use dske::protocol::channel::PoolOwner;
use dske::protocol::hub::HubStatus;
use dske::psrd::{Block, BlockId};

use super::clock::now_us;
use crate::plan::Plan;
use crate::plan::reached::Reached;
use record::{
    Answered, Asked, Attack, Call, Deal, LieTold, Message, MetricsSeen, Note, NoteKind, OutOfBand,
    Provision, Provisioned, Seen,
};
use trace::TraceHash;

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

/// The work of searching for keys that a client had done since it started.
#[derive(Debug, Clone, Copy)]
pub struct ClientWork {
    /// When it was asked, in microseconds.
    pub at_us: u64,
    /// Index of the client.
    pub client: usize,
    /// How often it had started before.
    pub life: u32,
    /// Subsets of shares tried.
    pub subsets: u64,
    /// Bytes of shares put together for them.
    pub bytes: u64,
}

/// The PSRD that a client had for a hub when it was asked.
#[derive(Debug, Clone, Copy)]
pub struct PoolsSeen {
    /// When it was asked, in microseconds.
    pub asked_us: u64,
    /// When the answer came.
    pub at_us: u64,
    /// Index of the client.
    pub client: usize,
    /// Index of the hub.
    pub hub: usize,
    /// Bytes left for requests.
    pub up_bytes: usize,
    /// Bytes left for answers.
    pub down_bytes: usize,
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
    /// Everything that hubs dealt with, in the order in which they did.
    pub deals: Vec<Deal>,
    /// What else passed between clients and hubs, or did not: time in microseconds, hub, client.
    pub out_of_band: Vec<(u64, usize, usize, OutOfBand)>,
    /// The same as clients see it, in order of time.
    pub provisions: Vec<Provision>,
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
    /// What nodes told in their metrics, in order of time.
    pub metrics: Vec<MetricsSeen>,
    /// How often each client has started, from 0.
    pub client_lives: BTreeMap<usize, u32>,
    /// When each life of each client began, in microseconds.
    pub client_starts: BTreeMap<(usize, u32), u64>,
    /// The last status of each client in each of its lives.
    pub client_statuses: BTreeMap<(usize, u32), ClientStatus>,
    /// When that status was asked for, in microseconds: what had happened by then is in it.
    pub client_polls: BTreeMap<(usize, u32), u64>,
    /// The work of searching that each life of each client had done by the times when it was asked, in order of time.
    pub client_work: Vec<ClientWork>,
    /// The pools of the clients as they were polled, in order of time.
    pub pools: Vec<PoolsSeen>,
    /// Every message by the outsider or the rogue client.
    pub attacks: Vec<Attack>,
    /// What is no message, call or lie.
    pub notes: Vec<Note>,
    /// When the nodes reached a mark, in microseconds: noticed with the next thing that is seen. Empty unless marks are
    /// watched.
    pub marks: Vec<(u64, Mark)>,
    /// Fault, lie or rare branch → how often.
    pub reached: BTreeMap<String, u64>,
    /// The hash of all that was seen.
    pub trace: TraceHash,
    /// The counts of all marks at the last look, if marks are watched.
    marks_known: Option<BTreeMap<Mark, u64>>,
}

/// A handle on the [`Observation`], for everything that sees a part of it. One thread, so an `Rc` will do.
#[derive(Clone)]
pub struct Observer(Rc<RefCell<Observation>>);

impl Observer {
    /// An observer that has seen nothing. With `watch_marks` it records when marks are reached, for people to read.
    #[must_use]
    pub fn new(plan: &Plan, watch_marks: bool) -> Self {
        Self(Rc::new(RefCell::new(Observation {
            plan: Rc::new(plan.clone()),
            blocks: BTreeMap::new(),
            blocks_twice: Vec::new(),
            messages: Vec::new(),
            deals: Vec::new(),
            out_of_band: Vec::new(),
            provisions: Vec::new(),
            calls: Vec::new(),
            lies: Vec::new(),
            blame: BTreeMap::new(),
            blamed_at: BTreeMap::new(),
            hub_statuses: Vec::new(),
            metrics: Vec::new(),
            client_lives: BTreeMap::new(),
            client_starts: BTreeMap::new(),
            client_statuses: BTreeMap::new(),
            client_polls: BTreeMap::new(),
            client_work: Vec::new(),
            pools: Vec::new(),
            attacks: Vec::new(),
            notes: Vec::new(),
            marks: Vec::new(),
            reached: BTreeMap::new(),
            trace: TraceHash::default(),
            marks_known: watch_marks.then(BTreeMap::new),
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
    pub fn reach(&self, what: Reached<'_>) {
        *self.see().reached.entry(what.to_string()).or_default() += 1;
    }

    pub(crate) fn message(&self, client: Option<usize>, hub: usize, what: Seen) {
        let at_us = now_us();
        let message = Message {
            at_us,
            client,
            hub,
            what,
        };
        let mut seen = self.see();
        seen.line(at_us, &message);
        seen.messages.push(message);
    }

    /// A hub begins to deal with something. Gives the number under which its answer is recorded. No line is made of it:
    /// what passes at the hub is one.
    pub(crate) fn deal(&self, hub: usize, asked: Asked) -> usize {
        let deal = Deal {
            at_us: now_us(),
            hub,
            asked,
            answer: None,
        };
        let deals = &mut self.see().deals;
        deals.push(deal);
        deals.len() - 1
    }

    /// The hub has answered.
    pub(crate) fn dealt(&self, deal: usize, answer: Answered) {
        if let Some(deal) = self.see().deals.get_mut(deal) {
            deal.answer = Some(answer);
        }
    }

    pub(crate) fn call(&self, call: Call) {
        let mut seen = self.see();
        seen.line(call.until_us, &call);
        seen.calls.push(call);
    }

    pub(crate) fn lie(&self, lie: LieTold) {
        self.reach(Reached::Lie(lie.lie));
        let mut seen = self.see();
        seen.line(lie.at_us, &lie);
        seen.lies.push(lie);
    }

    /// Records a message by an attacker. No line is made of it: what hubs see of it is one.
    pub(crate) fn attack(&self, attack: Attack) {
        self.see().attacks.push(attack);
    }

    /// Notes something at the present simulated time.
    pub(crate) fn note(&self, what: NoteKind) {
        self.note_at(now_us(), what);
    }

    pub(crate) fn note_at(&self, at_us: u64, what: NoteKind) {
        let mut seen = self.see();
        seen.line(at_us, &what);
        seen.notes.push(Note { at_us, what });
    }

    /// Records what passed outside of the protocol.
    pub(crate) fn out_of_band(&self, hub: usize, client: Option<usize>, what: OutOfBand) {
        self.out_of_band_at(now_us(), hub, client, what);
    }

    pub(crate) fn out_of_band_at(
        &self,
        at_us: u64,
        hub: usize,
        client: Option<usize>,
        what: OutOfBand,
    ) {
        if let Some(client) = client {
            self.see().out_of_band.push((at_us, hub, client, what));
        }
    }

    /// Records what a client asks for outside of the protocol, or hears.
    pub(crate) fn provision(&self, client: usize, hub: usize, what: Provisioned) {
        let mut seen = self.see();
        let after = seen.messages.len();
        seen.provisions.push(Provision {
            at_us: now_us(),
            after,
            client,
            hub,
            what,
        });
    }

    pub(crate) fn block(&self, hub: usize, client: usize, owner: PoolOwner, block: &Block) {
        let observed = ObservedBlock {
            at_us: now_us(),
            hub,
            client,
            owner,
            bytes: block.expose_bytes().to_vec(),
        };
        let known = self.see().blocks.insert(block.id(), observed);
        if known.is_some() {
            self.see().blocks_twice.push(block.id());
        }
        self.note(NoteKind::Psrd {
            hub,
            client,
            owner,
            block: block.id(),
            fingerprint: trace::fingerprint(block.expose_bytes()),
        });
    }
}

impl Observation {
    fn line(&mut self, at_us: u64, what: &impl std::fmt::Display) {
        self.look_at_marks(at_us);
        self.trace.add(at_us, what);
    }

    fn look_at_marks(&mut self, at_us: u64) {
        let Some(known) = &mut self.marks_known else {
            return;
        };
        for (mark, count) in dske::harness::marks() {
            if known.insert(mark, count) != Some(count) {
                self.marks.push((at_us, mark));
            }
        }
    }
}
