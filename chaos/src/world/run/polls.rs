//! Reads the status of every node now and then, through the same management routes that operators use, and its metrics
//! before it crashes and at the end.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use dske::http::paths;
use dske::node::client::ClientStatus;
use dske::protocol::NodeName;
use dske::protocol::hub::HubStatus;
use dske::topology::Topology;
use dske_testbed::EtsiClient;
use dske_testbed::sim::PORT;
use dske_testbed::sim::net::http_client;
use futures_util::future::{join, join_all};

use crate::plan::Fault;
use crate::world::clock::{now_us, sleep_until_ms};
use crate::world::observer::record::{MetricsSeen, Node, NodeStatus, NoteKind};
use crate::world::observer::{ClientWork, Observer, PoolsSeen};

/// Between two polls, in milliseconds.
const INTERVAL_MS: u64 = 1_000;

/// A node that does not answer within this is down.
const TIMEOUT: Duration = Duration::from_millis(500);

/// How long before the end of the run the last poll is: its answers have to arrive in time.
const LAST_BEFORE_END_MS: u64 = 600;

/// How long before the end of the run, and before a crash, metrics are compared with statuses: three answers have to arrive in
/// time.
const METRICS_BEFORE_END_MS: u64 = 1_900;
const METRICS_BEFORE_CRASH_MS: u64 = 100;

/// Largest answer, in bytes.
const METRICS_BYTES_MAX: usize = 1 << 20;

/// The nodes, and how they are asked.
struct Nodes {
    http: awc::Client,
    topology: Rc<Topology>,
    observer: Observer,
}

/// Polls until the plan's end.
pub(super) async fn run(topology: Rc<Topology>, observer: Observer) {
    let plan = Rc::clone(&observer.seen().plan);
    let nodes = Nodes {
        http: http_client(TIMEOUT),
        topology,
        observer,
    };
    let metrics = plan.faults.iter().filter_map(|planned| {
        let node = match planned.fault {
            Fault::CrashHub { hub } => Node::Hub(hub),
            Fault::CrashClient { client } => Node::Client(client),
            _ => return None,
        };
        Some((planned.at_ms.saturating_sub(METRICS_BEFORE_CRASH_MS), node))
    });
    let at_end = nodes
        .all()
        .map(|node| (plan.end_ms - METRICS_BEFORE_END_MS, node));
    let metrics = metrics
        .chain(at_end)
        .map(|(at_ms, node)| nodes.metrics(at_ms, node));
    join(
        nodes.poll_until(plan.end_ms - LAST_BEFORE_END_MS),
        join_all(metrics),
    )
    .await;
}

impl Nodes {
    fn all(&self) -> impl Iterator<Item = Node> {
        let hubs = (0..self.topology.hubs.len()).map(Node::Hub);
        hubs.chain((0..self.topology.clients.len()).map(Node::Client))
    }

    fn name(&self, node: Node) -> &NodeName {
        match node {
            Node::Hub(hub) => &self.topology.hubs[hub].name,
            Node::Client(client) => &self.topology.clients[client].name,
        }
    }

    async fn poll_until(&self, end_ms: u64) {
        let mut at_ms = INTERVAL_MS;
        loop {
            sleep_until_ms(at_ms.min(end_ms)).await;
            join_all(self.all().map(|node| self.poll(node))).await;
            if at_ms >= end_ms {
                return;
            }
            at_ms += INTERVAL_MS;
        }
    }

    /// Asks a node for its status.
    async fn poll(&self, node: Node) -> Option<NodeStatus> {
        let address = format!("{}:{PORT}", self.name(node));
        let asked = EtsiClient::new(self.http.clone(), &address, TIMEOUT);
        match node {
            Node::Hub(hub) => {
                let status = poll_hub(&asked, hub, &self.observer).await?;
                Some(NodeStatus::Hub(status))
            }
            Node::Client(client) => {
                let status = poll_client(&asked, client, &self.observer).await?;
                Some(NodeStatus::Client(status))
            }
        }
    }

    /// Records the metrics of a node at a moment.
    async fn metrics(&self, at_ms: u64, node: Node) {
        sleep_until_ms(at_ms).await;
        let seen = self.ask_for_metrics(node).await;
        self.observer.see().metrics.extend(seen);
    }

    /// Asks a node for its status, its metrics, and its status again.
    async fn ask_for_metrics(&self, node: Node) -> Option<MetricsSeen> {
        let (Node::Hub(index) | Node::Client(index)) = node;
        Some(MetricsSeen {
            node: index,
            before: self.poll(node).await?,
            text: self.text(node).await?,
            after: self.poll(node).await?,
            at_us: now_us(),
        })
    }

    /// What a node answers to those who collect metrics. It holds real times, and is in no trace.
    async fn text(&self, node: Node) -> Option<String> {
        let url = format!("http://{}:{PORT}{}", self.name(node), paths::METRICS);
        let mut response = self.http.get(url).timeout(TIMEOUT).send().await.ok()?;
        let body = response.body().limit(METRICS_BYTES_MAX);
        let body = tokio::time::timeout(TIMEOUT, body).await.ok()?.ok()?;
        String::from_utf8(body.to_vec()).ok()
    }
}

async fn poll_hub(node: &EtsiClient, hub: usize, observer: &Observer) -> Option<HubStatus> {
    let status = node.get::<HubStatus>(paths::HUB_STATUS, None).await.ok()?;
    let shares = status.shares_held;
    observer.note(NoteKind::HubStatus { hub, shares });
    let polled = (now_us(), hub, status.clone());
    observer.see().hub_statuses.push(polled);
    Some(status)
}

async fn poll_client(
    node: &EtsiClient,
    client: usize,
    observer: &Observer,
) -> Option<ClientStatus> {
    let asked_us = now_us();
    let status = node
        .get::<ClientStatus>(paths::CLIENT_STATUS, None)
        .await
        .ok()?;
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
    seen.client_statuses.insert((client, life), status.clone());
    seen.client_polls.insert((client, life), asked_us);
    Some(status)
}
