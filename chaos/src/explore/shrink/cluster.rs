//! A smaller cluster. Only the last clients and hubs can go, and only if nothing refers to them: the others would become
//! somebody else.

use super::numbers::lower;
use super::search::Search;
use crate::plan::{ClusterPlan, Plan};

/// Fewer clients, SAEs, hubs, and members of the coalition; a lower threshold.
pub(super) fn all(search: &mut Search<'_>) {
    let saes = saes_per_client_needed(search.plan());
    down_to(
        search,
        saes,
        |cluster| cluster.saes_per_client,
        |cluster, saes| cluster.saes_per_client = saes,
    );
    let clients = clients_needed(search.plan());
    down_to(
        search,
        clients,
        |cluster| cluster.clients,
        |cluster, clients| {
            cluster.clients = clients;
        },
    );
    let hubs = hubs_needed(search.plan());
    // As much to spare as before, then less of it.
    down_to(
        search,
        1,
        |cluster| cluster.threshold,
        |cluster, threshold| {
            cluster.hubs -= cluster.threshold - threshold;
            lower_threshold(cluster, threshold);
        },
    );
    down_to(
        search,
        hubs,
        |cluster| cluster.hubs,
        |cluster, hubs| {
            cluster.hubs = hubs;
            cluster.coalition = cluster.coalition.min(hubs);
        },
    );
    down_to(search, 1, |cluster| cluster.threshold, lower_threshold);
    lower(
        search,
        |plan| Some(plan.cluster.coalition.into()),
        |plan, coalition| plan.cluster.coalition = coalition as u8,
        0,
        1,
    );
}

/// The coalition stays as far below the threshold as it may.
fn lower_threshold(cluster: &mut ClusterPlan, threshold: u8) {
    if cluster.coalition < cluster.threshold {
        cluster.coalition = cluster.coalition.min(threshold - 1);
    }
    cluster.threshold = threshold;
    cluster.coalition = cluster.coalition.min(cluster.hubs);
}

/// Takes the smallest value that still breaks. There are few, so that all can be tried.
fn down_to(
    search: &mut Search<'_>,
    min: u8,
    read: fn(&ClusterPlan) -> u8,
    write: impl Fn(&mut ClusterPlan, u8) + Sync,
) {
    let now = read(&search.plan().cluster);
    let smaller = usize::from(now.saturating_sub(min));
    search.take_first(smaller, |plan, i| write(&mut plan.cluster, min + i as u8));
}

/// The SAEs that calls are about.
fn saes(plan: &Plan) -> impl Iterator<Item = usize> {
    let calls = plan.calls.iter();
    let calls = calls.flat_map(|call| {
        let named = [Some(call.master), Some(call.slave)];
        named.into_iter().chain([call.also, call.intruder])
    });
    calls.flatten()
}

fn saes_per_client_needed(plan: &Plan) -> u8 {
    needed(saes(plan), 1).div_ceil(plan.cluster.clients)
}

fn clients_needed(plan: &Plan) -> u8 {
    // With fewer clients, the second SAE of each of them would be that of another.
    if plan.cluster.saes_per_client > 1 {
        return plan.cluster.clients;
    }
    let faults = plan
        .faults
        .iter()
        .flat_map(|planned| planned.fault.clients());
    needed(saes(plan).chain(faults), 2)
}

fn hubs_needed(plan: &Plan) -> u8 {
    let faults = plan.faults.iter().flat_map(|planned| planned.fault.hubs());
    let liars = plan.liars.iter().map(|liar| liar.hub);
    needed(faults.chain(liars), 1)
}

fn needed(indices: impl Iterator<Item = usize>, at_least: u8) -> u8 {
    let last = indices.max().map_or(0, |index| index + 1);
    u8::try_from(last).unwrap_or(u8::MAX).max(at_least)
}
