//! The nemesis: starts and ends the planned faults between the steps of the simulation.
//!
//! | module | what it holds |
//! |---|---|
//! | `lossy` | a client's way to a hub that loses messages |
//! | `swapped` | a client's way to a hub on which answers are swapped |
//! | `flood` | the outsider that floods hubs |
//! | `rogue` | the registered client that breaks every rule |

pub(super) mod flood;
pub(crate) mod lossy;
pub(super) mod rogue;
pub(crate) mod swapped;

use std::rc::Rc;
use std::time::Duration;

use dske::topology::{NodeAddress, Topology};
use dske_testbed::sim::network::{FaultId, NetFault, Network};

use crate::plan::reached::Reached;
use crate::plan::{Fault, Plan};
use crate::world::observer::Observer;
use crate::world::observer::record::NoteKind;

pub(crate) struct Nemesis {
    plan: Rc<Plan>,
    hubs: Vec<String>,
    clients: Vec<String>,
    network: Network,
    observer: Observer,
    /// What is to be done, latest first.
    agenda: Vec<Step>,
    /// Faults of the network that are active, by the index of the plan.
    active: Vec<Vec<FaultId>>,
    /// How many crashes of each host are active.
    down: std::collections::BTreeMap<String, u32>,
}

struct Step {
    at_ms: u64,
    fault: usize,
    starts: bool,
}

impl Nemesis {
    pub(super) fn new(
        plan: &Rc<Plan>,
        topology: &Topology,
        network: Network,
        observer: Observer,
    ) -> Self {
        let names =
            |nodes: &[NodeAddress]| nodes.iter().map(|node| node.name.to_string()).collect();
        let mut agenda = Vec::new();
        for (fault, planned) in plan.faults.iter().enumerate() {
            let (at_ms, until_ms) = (planned.at_ms, planned.until_ms);
            agenda.push(Step {
                at_ms,
                fault,
                starts: true,
            });
            agenda.push(Step {
                at_ms: until_ms,
                fault,
                starts: false,
            });
        }
        agenda.sort_by_key(|step| std::cmp::Reverse((step.at_ms, step.starts, step.fault)));
        Self {
            plan: Rc::clone(plan),
            hubs: names(&topology.hubs),
            clients: names(&topology.clients),
            network,
            observer,
            agenda,
            active: plan.faults.iter().map(|_| Vec::new()).collect(),
            down: std::collections::BTreeMap::new(),
        }
    }

    /// Starts and ends the faults that are due.
    pub(super) fn act(&mut self, sim: &mut turmoil::Sim<'_>) {
        let now_ms = u64::try_from(sim.elapsed().as_millis()).unwrap_or(u64::MAX);
        while self.agenda.last().is_some_and(|step| step.at_ms <= now_ms) {
            let Some(step) = self.agenda.pop() else {
                return;
            };
            let fault = self.plan.faults[step.fault].fault.clone();
            let at_us = u64::try_from(sim.elapsed().as_micros()).unwrap_or(u64::MAX);
            let what = if step.starts {
                NoteKind::FaultBegins
            } else {
                NoteKind::FaultEnds
            };
            self.observer.note_at(at_us, what(fault.clone()));
            if step.starts {
                self.observer.reach(Reached::Fault(fault.kind()));
                self.start(sim, step.fault, &fault);
            } else {
                self.stop(sim, step.fault, &fault);
            }
        }
    }

    fn start(&mut self, sim: &mut turmoil::Sim<'_>, index: usize, fault: &Fault) {
        let net = self.net_faults(fault);
        for fault in net {
            let id = self.network.start(sim, fault);
            self.active[index].push(id);
        }
        if let Some(host) = self.crashed(fault) {
            let down = self.down.entry(host.clone()).or_default();
            *down += 1;
            if *down == 1 {
                sim.crash(host.as_str());
            }
        }
    }

    fn stop(&mut self, sim: &mut turmoil::Sim<'_>, index: usize, fault: &Fault) {
        for id in std::mem::take(&mut self.active[index]) {
            self.network.stop(sim, id);
        }
        if let Some(host) = self.crashed(fault) {
            let down = self.down.entry(host.clone()).or_default();
            *down -= 1;
            if *down == 0 {
                sim.bounce(host.as_str());
            }
        }
    }

    fn crashed(&self, fault: &Fault) -> Option<String> {
        match fault {
            Fault::CrashHub { hub } => self.hubs.get(*hub).cloned(),
            Fault::CrashClient { client } => self.clients.get(*client).cloned(),
            _ => None,
        }
    }

    fn net_faults(&self, fault: &Fault) -> Vec<NetFault> {
        let hubs = |indices: &[usize]| {
            indices
                .iter()
                .map(|&i| self.hubs[i].clone())
                .collect::<Vec<_>>()
        };
        let clients = |indices: &[usize]| {
            indices
                .iter()
                .map(|&i| self.clients[i].clone())
                .collect::<Vec<_>>()
        };
        match fault {
            Fault::Partition {
                clients: c,
                hubs: h,
            } => vec![
                NetFault::Cut {
                    from: clients(c),
                    to: hubs(h),
                },
                NetFault::Cut {
                    from: hubs(h),
                    to: clients(c),
                },
            ],
            Fault::PartitionToHubs {
                clients: c,
                hubs: h,
            } => {
                vec![NetFault::Cut {
                    from: clients(c),
                    to: hubs(h),
                }]
            }
            Fault::PartitionToClients {
                clients: c,
                hubs: h,
            } => {
                vec![NetFault::Cut {
                    from: hubs(h),
                    to: clients(c),
                }]
            }
            Fault::Hold { client, hub } => vec![NetFault::Hold {
                a: clients(&[*client]),
                b: hubs(&[*hub]),
            }],
            Fault::SlowLink {
                client,
                hub,
                latency_ms,
            } => vec![NetFault::Slow {
                a: clients(&[*client]),
                b: hubs(&[*hub]),
                latency: Duration::from_millis(*latency_ms),
            }],
            // Carried out by the tap of a link, the hub's front, the attacker's host, an SAE, or the simulator.
            Fault::LossyLink { .. }
            | Fault::SwapAnswers { .. }
            | Fault::SlowHub { .. }
            | Fault::CutRefill { .. }
            | Fault::LoseDelivery { .. }
            | Fault::Flood { .. }
            | Fault::RogueClient { .. }
            | Fault::GreedySae { .. }
            | Fault::CrashHub { .. }
            | Fault::CrashClient { .. } => Vec::new(),
        }
    }
}
