//! One run: a plan becomes a simulated cluster, and ends as an outcome.
//!
//! | module | what it holds |
//! |---|---|
//! | `hooks` | what is put between the nodes: fronts, taps, lying hubs |
//! | `lossy` | a client's way to a hub that loses messages |
//! | `saes` | the SAEs: make the planned calls and record what came of them |
//! | `nemesis` | starts and ends the planned faults |
//! | `flood` | the outsider that floods hubs |
//! | `rogue` | the client that keeps to no rules |
//! | [`effects`] | what the faults did |
//! | `polls` | reads the status of every node now and then |
//! | [`outcome`] | what is kept of a run |

pub mod effects;
mod flood;
mod hooks;
mod lossy;
mod nemesis;
pub mod outcome;
mod polls;
mod rogue;
mod saes;

use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::time::Duration;

use dske::topology::Topology;
use dske_testbed::sim::network::Network;
use dske_testbed::sim::{Hooks, WorldOptions, add_nodes};
use futures_util::future::join;

use crate::invariant::{ALL, Facts};
use crate::observer::Observer;
use crate::plan::Plan;
use crate::runner::panicked;
use crate::tell::view;
use hooks::ChaosHooks;
use nemesis::Nemesis;
pub use outcome::RunOutcome;

/// Names of what the client that keeps to no rules tries.
#[must_use]
pub fn attack_names() -> Vec<&'static str> {
    rogue::attack_names()
}

/// What a run is to keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Keep what happened, for people and tools to read.
    pub keep_trace: bool,
}

/// Runs a plan to its end and judges it. Needs a fresh thread: libraries keep state in thread-locals.
///
/// # Panics
/// If the simulator fails, which is a bug of the harness.
#[must_use]
pub fn run(plan: &Plan, options: RunOptions) -> RunOutcome {
    dske::harness::begin(plan.canary);
    let plan = Rc::new(plan.clone());
    let observer = Observer::new(Rc::clone(&plan), options.keep_trace);
    let simulate_and_judge = || {
        simulate(&plan, &observer);
        judge(&Facts::new(&observer.seen()))
    };
    if !options.keep_trace {
        return simulate_and_judge();
    }
    // What led to a panic is what somebody wants to read.
    let result = panic::catch_unwind(AssertUnwindSafe(simulate_and_judge));
    let mut outcome = result.unwrap_or_else(|cause| panicked(&plan, cause.as_ref()));
    let seen = observer.seen();
    outcome.trace = Some(view::of(&Facts::new(&seen), &outcome.violations));
    outcome
}

/// Runs a plan to its end, judges it, and looks at what was seen for something that the outcome does not hold.
///
/// # Panics
/// As [`run`].
pub fn run_and_look<T>(plan: &Plan, look: impl FnOnce(&Facts<'_>) -> T) -> (RunOutcome, T) {
    dske::harness::begin(plan.canary);
    let plan = Rc::new(plan.clone());
    let observer = Observer::new(Rc::clone(&plan), false);
    simulate(&plan, &observer);
    let seen = observer.seen();
    let facts = Facts::new(&seen);
    (judge(&facts), look(&facts))
}

fn judge(facts: &Facts<'_>) -> RunOutcome {
    let verdicts = ALL.map(|(name, check)| (name, check(facts)));
    outcome::of(facts, &verdicts)
}

/// What the observer of a run sees. Needs a fresh thread, like [`run`].
#[cfg(test)]
pub(crate) fn observe(plan: &Plan) -> Observer {
    dske::harness::begin(plan.canary);
    let plan = Rc::new(plan.clone());
    let observer = Observer::new(Rc::clone(&plan), true);
    simulate(&plan, &observer);
    observer
}

async fn outside(topology: Rc<Topology>, observer: Observer) -> turmoil::Result {
    flood::start(&topology, &observer);
    rogue::start(&topology, &observer);
    let polls = polls::run(Rc::clone(&topology), observer.clone());
    let (all_made, ()) = join(saes::run(topology, observer), polls).await;
    all_made
}

fn simulate(plan: &Rc<Plan>, observer: &Observer) {
    let mut topology =
        Topology::parse("plan", &plan.topology()).expect("a plan makes a valid topology");
    // The hubs know the rogue client by its SAE; but nobody runs the production code under its name.
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
    // Whoever is not a node shares one host: no fault touches them, and the simulator's work for each tick grows with
    // the number of hosts times that of links. The run is over when this host is.
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
