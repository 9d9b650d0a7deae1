//! Who takes part, and where faults are felt.

use super::schema::{FaultSpan, Node, Role};
use crate::plan::{Fault, HUB_NAMES, Plan, PlannedFault};

/// The name under which the outsider appears.
pub(super) const OUTSIDER: &str = "outsider";

pub(super) fn nodes(plan: &Plan) -> Vec<Node> {
    let node = |name: &str, role, index| Node {
        name: name.to_owned(),
        role,
        index,
        lies: role == Role::Hub && plan.lying_hubs().contains(&index),
        adversary: role == Role::Hub && plan.adversary().contains(&index),
    };
    let clients = usize::from(plan.cluster.clients);
    let floods = |planned: &PlannedFault| matches!(planned.fault, Fault::Flood { .. });
    let mut nodes = Vec::new();
    if plan.faults.iter().any(floods) {
        nodes.push(node(OUTSIDER, Role::Outsider, 0));
    }
    if plan.has_rogue() {
        nodes.push(node(plan.client_name(clients), Role::Rogue, clients));
    }
    nodes.extend((0..clients).map(|client| node(plan.client_name(client), Role::Client, client)));
    let hubs = 0..usize::from(plan.cluster.hubs);
    nodes.extend(hubs.map(|hub| node(HUB_NAMES[hub], Role::Hub, hub)));
    nodes
}

pub(super) fn span(plan: &Plan, planned: &PlannedFault) -> FaultSpan {
    let hub = |hub: usize| HUB_NAMES[hub].to_owned();
    let client = |index: usize| plan.client_name(index).to_owned();
    let names = |indices: &[usize], name: &dyn Fn(usize) -> String| {
        let names: Vec<String> = indices.iter().map(|&index| name(index)).collect();
        names.join(", ")
    };
    let (mut nodes, mut links) = (Vec::new(), Vec::new());
    let what = match &planned.fault {
        Fault::Partition { clients, hubs }
        | Fault::PartitionToHubs { clients, hubs }
        | Fault::PartitionToClients { clients, hubs } => {
            let pairs = clients
                .iter()
                .flat_map(|&c| hubs.iter().map(move |&h| (c, h)));
            links.extend(pairs.map(|(c, h)| (client(c), hub(h))));
            format!("{} | {}", names(clients, &client), names(hubs, &hub))
        }
        Fault::Hold { client: c, hub: h } => {
            links.push((client(*c), hub(*h)));
            format!("{} | {}", client(*c), hub(*h))
        }
        Fault::SlowLink {
            client: c,
            hub: h,
            latency_ms,
        } => {
            links.push((client(*c), hub(*h)));
            format!("{} | {}, {latency_ms} ms", client(*c), hub(*h))
        }
        Fault::LossyLink {
            client: c,
            hub: h,
            loss_percent,
        } => {
            links.push((client(*c), hub(*h)));
            format!("{} | {}, {loss_percent} % lost", client(*c), hub(*h))
        }
        Fault::SwapAnswers { client: c, hub: h } => {
            links.push((client(*c), hub(*h)));
            format!("{} | {}", client(*c), hub(*h))
        }
        Fault::SlowHub { hub: h, delay_ms } => {
            nodes.push(hub(*h));
            format!("{}, {delay_ms} ms", hub(*h))
        }
        Fault::CrashHub { hub: h }
        | Fault::CutRefill { hub: h }
        | Fault::LoseDelivery { hub: h } => {
            nodes.push(hub(*h));
            hub(*h)
        }
        Fault::CrashClient { client: c } => {
            nodes.push(client(*c));
            client(*c)
        }
        Fault::Flood { hub: h, per_second } => {
            nodes.push(hub(*h));
            format!("{}, {per_second} messages a second", hub(*h))
        }
        Fault::RogueClient { per_second } => {
            nodes.push(client(usize::from(plan.cluster.clients)));
            format!("{per_second} messages a second")
        }
        Fault::GreedySae {
            client: c,
            per_second,
        } => {
            nodes.push(client(*c));
            format!("at {}, {per_second} calls a second", client(*c))
        }
    };
    FaultSpan {
        kind: planned.fault.kind().name(),
        at_us: planned.at_ms * 1000,
        until_us: planned.until_ms * 1000,
        text: format!("{}: {what}", planned.fault.kind()),
        nodes,
        links,
    }
}
