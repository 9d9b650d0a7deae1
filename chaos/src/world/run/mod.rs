//! A plan becomes a simulated cluster, and runs to its end.
//!
//! | module | what it holds |
//! |---|---|
//! | `greedy` | SAEs that ask for keys, as many as they are given |
//! | `hooks` | what is put between the nodes: fronts, taps, lying hubs |
//! | `saes` | the SAEs: make the planned calls and record what came of them |
//! | `mistakes` | how they make mistakes |
//! | `polls` | reads the status of every node now and then |

mod greedy;
mod hooks;
mod mistakes;
mod polls;
mod saes;

use std::rc::Rc;
use std::time::Duration;

use dske::topology::Topology;
use dske_testbed::sim::network::Network;
use dske_testbed::sim::{Hooks, WorldOptions, add_nodes};
use futures_util::future::join;

use super::nemesis::{Nemesis, flood, rogue};
use super::observer::Observer;
use crate::plan::Plan;
use hooks::ChaosHooks;

async fn outside(topology: Rc<Topology>, observer: Observer) -> turmoil::Result {
    flood::start(&topology, &observer);
    rogue::start(&topology, &observer);
    greedy::start(&topology, &observer);
    let polls = polls::run(Rc::clone(&topology), observer.clone());
    let (all_made, ()) = join(saes::run(topology, observer), polls).await;
    all_made
}

/// Simulates the plan that the observer was made for, to its end. Needs a fresh thread: libraries keep state in
/// thread-locals.
///
/// # Panics
/// If the simulator fails, which is a bug of the harness.
pub fn simulate(observer: &Observer) {
    let plan = Rc::clone(&observer.seen().plan);
    let plan = &plan;
    dske::harness::begin(plan.canary);
    let mut topology = plan
        .topology()
        .expect("a plan was checked, or drawn within its limits");
    // The hubs know the rogue client by its SAE, but no node runs under its name.
    topology.clients.truncate(usize::from(plan.cluster.clients));
    let topology = Rc::new(topology);
    let ms = Duration::from_millis;
    let world = WorldOptions {
        seed: plan.seed,
        latency: (ms(plan.cluster.latency_ms.0), ms(plan.cluster.latency_ms.1)),
        tick: ms(plan.cluster.tick_ms),
        // Backstop: a wedged run fails at the same moment on every machine.
        duration_max: ms(plan.end_ms * 2),
    };
    let mut sim = world.build();
    let hooks: Rc<dyn Hooks> = Rc::new(ChaosHooks::new(Rc::clone(&topology), observer.clone()));
    add_nodes(&mut sim, &topology, plan.seed, &hooks);
    let network = network(&sim, plan, &topology);
    let mut nemesis = Nemesis::new(plan, &topology, network, observer.clone());
    // Everybody who is not a node shares one host: no fault touches them, and the simulator's work for each tick grows with
    // the number of hosts times the number of links. The run ends when this host ends.
    let outside = outside(topology, observer.clone());
    sim.client("outside", outside);
    loop {
        nemesis.act(&mut sim);
        let finished = sim.step().expect("no host of the simulation fails");
        if finished {
            return;
        }
    }
}

/// The healthy network, in which links may have latencies of their own.
fn network(sim: &turmoil::Sim<'_>, plan: &Plan, topology: &Topology) -> Network {
    let latency = |(shortest, longest): (u64, u64)| {
        let ms = Duration::from_millis;
        (ms(shortest), ms(longest))
    };
    let mut network = Network::new(latency(plan.cluster.latency_ms));
    for (client, links) in topology.clients.iter().zip(&plan.cluster.link_latency_ms) {
        for (hub, &latency_ms) in topology.hubs.iter().zip(links) {
            let (client, hub) = (client.name.as_str(), hub.name.as_str());
            network.set_latency(sim, client, hub, latency(latency_ms));
        }
    }
    network
}
