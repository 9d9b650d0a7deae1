//! What is put between the nodes.

use std::rc::Rc;

use actix::Actor;
use dske::node::hub::{HubHandle, HubNode};
use dske::node::transport::Transport;
use dske::protocol::NodeName;
use dske::protocol::hub::{Hub, HubConfig};
use dske::topology::Topology;
use dske_testbed::sim::Hooks;
use rand::CryptoRng;

use crate::plan::stream::stream;
use crate::plan::{Fault, ROGUE_NAME};
use crate::world::byzantine::forgers::Forgers;
use crate::world::byzantine::lying_hub::LyingHub;
use crate::world::clock::now_us;
use crate::world::observer::Observer;
use crate::world::observer::front::Front;
use crate::world::observer::record::{Asked, Node, NoteKind};
use crate::world::observer::tap::Tap;

use crate::world::nemesis::lossy::Lossy;
use crate::world::nemesis::swapped::Swapped;

pub(super) struct ChaosHooks {
    observer: Observer,
    hubs: Vec<NodeName>,
    clients: Vec<NodeName>,
    forgers: Forgers,
}

impl ChaosHooks {
    pub(super) fn new(topology: Rc<Topology>, observer: Observer) -> Self {
        let plan = Rc::clone(&observer.seen().plan);
        let names = |nodes: &[dske::topology::NodeAddress]| {
            nodes.iter().map(|node| node.name.clone()).collect()
        };
        let rng = stream(&plan.campaign, plan.seed, "forgers");
        let mut clients: Vec<NodeName> = names(&topology.clients);
        if plan.has_rogue() {
            clients.push(ROGUE_NAME.parse().expect("a valid name"));
        }
        Self {
            observer,
            hubs: names(&topology.hubs),
            clients,
            forgers: Forgers::new(plan.lying_hubs(), topology.sharing, rng),
        }
    }

    fn start(&self, hub: Hub, index: usize, life: u32) -> HubHandle {
        let plan = Rc::clone(&self.observer.seen().plan);
        // A hub that never lies is the production actor itself.
        if !plan.lying_hubs().contains(&index) {
            return HubNode::new(hub).start().into();
        }
        let rng = stream(&plan.campaign, plan.seed, &format!("liar {index} {life}"));
        let (clients, observer) = (self.clients.clone(), self.observer.clone());
        LyingHub::new(hub, index, clients, observer, self.forgers.clone(), rng)
            .start()
            .into()
    }
}

impl ChaosHooks {
    /// Each life of each link has a stream of its own: what one loses does not move what others do.
    fn with_loss(&self, client: usize, hub: usize, inner: Rc<dyn Transport>) -> Rc<dyn Transport> {
        let (observer, seen) = (self.observer.clone(), self.observer.seen());
        let plan = &seen.plan;
        let is_lossy = plan.faults.iter().any(|planned| {
            matches!(planned.fault, Fault::LossyLink { client: c, hub: h, .. }
                if (c, h) == (client, hub))
        });
        if !is_lossy {
            return inner;
        }
        let life = seen.client_lives.get(&client).copied().unwrap_or_default();
        let part = format!("loss c{client} h{hub} {life}");
        let rng = stream(&plan.campaign, plan.seed, &part);
        Rc::new(Lossy::new(inner, observer, client, hub, rng))
    }

    fn with_swaps(&self, client: usize, hub: usize, inner: Rc<dyn Transport>) -> Rc<dyn Transport> {
        let swaps = self.observer.seen().plan.faults.iter().any(|planned| {
            matches!(planned.fault, Fault::SwapAnswers { client: c, hub: h } if (c, h) == (client, hub))
        });
        if !swaps {
            return inner;
        }
        Rc::new(Swapped::new(inner, self.observer.clone(), client, hub))
    }
}

impl Hooks for ChaosHooks {
    fn start_hub(&self, config: HubConfig, rng: Box<dyn CryptoRng>, life: u32) -> HubHandle {
        let index = index_of(&self.hubs, &config.name);
        let node = Node::Hub(index);
        self.observer.note(NoteKind::Start { node, life });
        self.observer.deal(index, Asked::Start);
        let front = Front {
            inner: self.start(Hub::new(config, rng), index, life),
            observer: self.observer.clone(),
            hub: index,
            clients: self.clients.clone(),
        };
        front.start().into()
    }

    fn transport(
        &self,
        client: &NodeName,
        hub: &NodeName,
        inner: Rc<dyn Transport>,
    ) -> Rc<dyn Transport> {
        let (client, hub) = (index_of(&self.clients, client), index_of(&self.hubs, hub));
        Rc::new(Tap {
            inner: self.with_swaps(client, hub, self.with_loss(client, hub, inner)),
            observer: self.observer.clone(),
            client,
            hub,
        })
    }

    fn client_starts(&self, client: &NodeName, life: u32) {
        let index = index_of(&self.clients, client);
        let mut seen = self.observer.see();
        seen.client_lives.insert(index, life);
        seen.client_starts.insert((index, life), now_us());
        drop(seen);
        let node = Node::Client(index);
        self.observer.note(NoteKind::Start { node, life });
    }
}

fn index_of(names: &[NodeName], name: &NodeName) -> usize {
    let index = names.iter().position(|known| known == name);
    index.expect("every node of a run is in its topology")
}
