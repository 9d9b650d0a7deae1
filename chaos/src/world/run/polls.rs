//! Reads the status of every node now and then, through the same management routes that operators use.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use dske::http::paths;
use dske::node::client::ClientStatus;
use dske::protocol::hub::HubStatus;
use dske::topology::Topology;
use dske_testbed::EtsiClient;
use dske_testbed::sim::PORT;
use dske_testbed::sim::net::http_client;

use crate::world::clock::{now_us, sleep_until_ms};
use crate::world::observer::record::NoteKind;
use crate::world::observer::{ClientWork, Observer, PoolsSeen};

/// Between two polls, in milliseconds.
const INTERVAL_MS: u64 = 1_000;

/// A node that does not answer within this is down.
const TIMEOUT: Duration = Duration::from_millis(500);

/// How long before the end of the run the last poll is: its answers have to arrive in time.
const LAST_BEFORE_END_MS: u64 = 600;

/// Polls until the plan's end.
pub(super) async fn run(topology: Rc<Topology>, observer: Observer) {
    let http = http_client(TIMEOUT);
    let node = |name: &dske::protocol::NodeName| {
        EtsiClient::new(http.clone(), &format!("{name}:{PORT}"), TIMEOUT)
    };
    let end_ms = observer.seen().plan.end_ms - LAST_BEFORE_END_MS;
    let mut at_ms = INTERVAL_MS;
    loop {
        sleep_until_ms(at_ms.min(end_ms)).await;
        let last = at_ms >= end_ms;
        let hubs = topology.hubs.iter().enumerate().map(|(index, hub)| {
            let (node, observer) = (node(&hub.name), observer.clone());
            async move { poll_hub(&node, index, &observer).await }
        });
        let clients = topology.clients.iter().enumerate().map(|(index, client)| {
            let (node, observer) = (node(&client.name), observer.clone());
            async move { poll_client(&node, index, &observer).await }
        });
        futures_util::future::join(
            futures_util::future::join_all(hubs),
            futures_util::future::join_all(clients),
        )
        .await;
        if last {
            return;
        }
        at_ms += INTERVAL_MS;
    }
}

async fn poll_hub(node: &EtsiClient, hub: usize, observer: &Observer) {
    if let Ok(status) = node.get::<HubStatus>(paths::HUB_STATUS, None).await {
        let shares = status.shares_held;
        observer.note(NoteKind::HubStatus { hub, shares });
        observer.see().hub_statuses.push((now_us(), hub, status));
    }
}

async fn poll_client(node: &EtsiClient, client: usize, observer: &Observer) {
    let asked_us = now_us();
    let Ok(status) = node.get::<ClientStatus>(paths::CLIENT_STATUS, None).await else {
        return;
    };
    let fetched = status.counters.keys_fetched;
    observer.note(NoteKind::ClientStatus { client, fetched });
    let mut seen = observer.see();
    for peer in &status.hubs {
        let hub = usize::from(peer.x.get()) - 1;
        seen.pools.push(PoolsSeen {
            asked_us,
            at_us: now_us(),
            client,
            hub,
            up_bytes: peer.link.up_bytes_left,
            down_bytes: peer.link.down_bytes_left,
        });
        if peer.blame.is_empty() {
            continue;
        }
        seen.blamed_at.entry((client, hub)).or_insert_with(now_us);
        let blame: &mut BTreeMap<String, u64> = seen.blame.entry((client, hub)).or_default();
        for (how, count) in &peer.blame {
            let known = blame.entry(how.clone()).or_default();
            *known = (*known).max(*count);
        }
    }
    let life = seen.client_lives.get(&client).copied().unwrap_or_default();
    seen.client_work.push(ClientWork {
        at_us: now_us(),
        client,
        life,
        subsets: status.counters.subsets_tried,
        bytes: status.counters.search_bytes,
    });
    seen.client_statuses.insert((client, life), status);
    seen.client_polls.insert((client, life), asked_us);
}
