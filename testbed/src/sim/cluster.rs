//! The [`Cluster`](crate::Cluster) interface on simulated nodes: a scenario runs on a host of its own, as the SAEs would.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use dske::protocol::NodeName;
use dske::topology::Topology;

use super::net::{PORT, http_client};
use super::nodes::{Hooks, Plain, add_nodes};
use super::world::WorldOptions;
use crate::over_http::{HttpNodes, OverHttp, answer_within};

/// Simulated nodes, as seen from the host on which the scenario runs.
pub struct SimCluster {
    nodes: HttpNodes,
    commands: Rc<RefCell<VecDeque<Command>>>,
}

/// What only the simulator can do, between two steps.
enum Command {
    Crash(NodeName),
    Bounce(NodeName),
}

/// Runs a scenario against simulated nodes, to its end.
///
/// Runs on a thread of its own, since libraries keep state in thread-locals that outlives a simulation.
///
/// # Errors
/// What the simulator says, for example that the simulation did not end in time.
pub fn run<S, F>(topology: Topology, options: WorldOptions, scenario: S) -> Result<(), String>
where
    S: FnOnce(SimCluster) -> F + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let thread = std::thread::spawn(move || run_here(topology, options, scenario));
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn run_here<S, F>(topology: Topology, options: WorldOptions, scenario: S) -> Result<(), String>
where
    S: FnOnce(SimCluster) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    let topology = Rc::new(topology);
    let commands = Rc::new(RefCell::new(VecDeque::new()));
    let mut sim = options.build();
    let hooks: Rc<dyn Hooks> = Rc::new(Plain);
    add_nodes(&mut sim, &topology, options.seed, &hooks);
    let timeout = answer_within(&topology);
    let (inside, queue) = (Rc::clone(&topology), Rc::clone(&commands));
    sim.client("saes", async move {
        // Made here, since an HTTP client belongs to the host on which it is made.
        let cluster = SimCluster {
            nodes: HttpNodes::at(inside, http_client(timeout), |node| {
                format!("http://{}:{PORT}", node.name)
            }),
            commands: queue,
        };
        scenario(cluster).await;
        Ok(())
    });
    loop {
        while let Some(command) = commands.borrow_mut().pop_front() {
            match command {
                Command::Crash(node) => sim.crash(node.as_str()),
                Command::Bounce(node) => sim.bounce(node.as_str()),
            }
        }
        match sim.step() {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

impl SimCluster {
    async fn command(&self, command: Command) {
        self.commands.borrow_mut().push_back(command);
        // Carried out before the next step.
        while !self.commands.borrow().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl OverHttp for SimCluster {
    fn nodes(&self) -> &HttpNodes {
        &self.nodes
    }

    async fn stop_hub(&self, hub: &NodeName) {
        self.command(Command::Crash(hub.clone())).await;
    }

    async fn start_hub(&self, hub: &NodeName) {
        self.command(Command::Bounce(hub.clone())).await;
    }
}
