//! Shows the state of nodes: a table for people, or the JSON of the management routes.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Map, Value};
use tabled::builder::Builder;
use tabled::settings::Alignment;
use tabled::settings::object::Columns;

use dske::node::client::ClientStatus;
use dske::protocol::hub::HubStatus;
use dske::topology::{Role, Topology};
use dske_testbed::{eprintln, println};

use super::CliError;
use super::condition::Condition;
use super::mgmt::Mgmt;
use super::nodes::{Node, Selection, Site, names};
use super::print::{BAD, plain};

pub(super) fn status(
    site: &Site,
    selection: &Selection<'_>,
    as_json: bool,
) -> Result<(), CliError> {
    let nodes = selection.of(&site.topology)?;
    let found = actix_rt::System::new().block_on(async {
        let mgmt = Mgmt::new(&site.topology)?;
        Ok(join_all(nodes.iter().map(|node| Condition::of(node, site, &mgmt))).await)
    });
    let found: Result<Vec<Condition>, CliError> =
        found.and_then(|found: Vec<_>| found.into_iter().collect());
    let found: Vec<(Node, Condition)> = nodes.into_iter().zip(found?).collect();
    if as_json {
        println!("{:#}", json(&found));
    } else {
        table(&site.topology, &found);
    }
    if selection.is_everything() {
        for stray in site.strays()? {
            eprintln!("{BAD}warning{BAD:#}: {stray}, is still running; `dske stop` stops it");
        }
    }
    let of = |is_meant: fn(&Condition) -> bool| {
        let meant = found.iter().filter(|(_, condition)| is_meant(condition));
        names(meant.map(|(node, _)| &node.name))
    };
    let (not_running, silent) = (of(|condition| !condition.runs()), of(Condition::is_silent));
    match not_running.is_empty() && silent.is_empty() {
        true => Ok(()),
        false => Err(CliError::Unwell {
            not_running,
            silent,
        }),
    }
}

/// `{"hubs": {NAME: STATUS, …}, "clients": {…}}`, with `null` for a node that does not work.
fn json(found: &[(Node, Condition)]) -> Value {
    let of = |role: Role| {
        let nodes = found.iter().filter(|(node, _)| node.role == role);
        let entries = nodes.map(|(node, condition)| {
            let status = condition.status().cloned().unwrap_or_default();
            (node.name.to_string(), status)
        });
        Value::Object(entries.collect())
    };
    let both = [("hubs", of(Role::Hub)), ("clients", of(Role::Client))];
    let both = both.map(|(role, nodes)| (role.to_owned(), nodes));
    Value::Object(Map::from_iter(both))
}

fn table(topology: &Topology, found: &[(Node, Condition)]) {
    let mut table = Builder::new();
    table.push_record([
        "node", "role", "port", "up since", "peers", "shares", "keys", "fetched", "failed", "blame",
    ]);
    let mut left = BTreeMap::new();
    let mut sick = Vec::new();
    for (node, condition) in found {
        let row = match condition {
            Condition::Works(status) => row(topology, node, status, &mut left),
            unwell => Err(unwell.to_string()),
        };
        let head = [
            node.name.to_string(),
            node.role.as_str().to_owned(),
            node.port().to_owned(),
        ];
        match row {
            Ok(row) => table.push_record(head.into_iter().chain(row)),
            Err(why) => {
                sick.push(format!("{node}: {why}"));
                table.push_record(head.into_iter().chain(["-".to_owned()]));
            }
        }
    }
    let mut table = table.build();
    for numbers in [2..3, 4..9] {
        table.modify(Columns::new(numbers), Alignment::right());
    }
    println!("{}", plain(table));
    for (title, rows) in left {
        if let Some(matrix) = matrix(&rows) {
            println!("\n{title}\n{matrix}");
        }
    }
    for line in sick {
        println!("{BAD}{line}{BAD:#}");
    }
}

/// The PSRD that is left: by the title of the table, a row for each node.
type Left = BTreeMap<&'static str, Vec<Pools>>;

/// A node, and for each of its peers what is left of the two pools.
type Pools = (String, Vec<(String, String)>);

const CLIENT_TITLE: &str = "PSRD bytes left at clients, for requests / responses";
const HUB_TITLE: &str = "PSRD bytes left at hubs, for requests / responses";

/// The columns from `up since` on.
fn row(
    topology: &Topology,
    node: &Node,
    status: &Value,
    left: &mut Left,
) -> Result<Vec<String>, String> {
    let unreadable = |error: serde_json::Error| format!("its status cannot be read: {error}");
    match node.role {
        Role::Hub => {
            let status = serde_json::from_value::<HubStatus>(status.clone()).map_err(unreadable)?;
            let peers = status.peers.iter().map(|peer| {
                let shown = pools(peer.up_bytes_left, peer.down_bytes_left);
                (peer.client.to_string(), shown)
            });
            left.entry(HUB_TITLE)
                .or_default()
                .push((node.name.to_string(), peers.collect()));
            Ok(vec![
                since(status.uptime_ms),
                format!("{}/{}", status.peers.len(), topology.clients.len()),
                status.shares_held.to_string(),
            ])
        }
        Role::Client => {
            let status =
                serde_json::from_value::<ClientStatus>(status.clone()).map_err(unreadable)?;
            let peers = status.hubs.iter().filter(|hub| hub.link.registered);
            let peers: Vec<_> = peers
                .map(|hub| {
                    let shown = pools(hub.link.up_bytes_left, hub.link.down_bytes_left);
                    (hub.name.to_string(), shown)
                })
                .collect();
            let registered = peers.len();
            left.entry(CLIENT_TITLE)
                .or_default()
                .push((node.name.to_string(), peers));
            let counters = &status.counters;
            let blame = status.hubs.iter().flat_map(|hub| {
                let how = hub.blame.iter();
                how.map(|(how, count)| format!("{}: {how} ×{count}", hub.name))
            });
            Ok(vec![
                since(status.uptime_ms),
                format!("{registered}/{}", topology.hubs.len()),
                String::new(),
                counters.keys_established.to_string(),
                counters.keys_fetched.to_string(),
                (counters.establish_failures + counters.fetch_failures).to_string(),
                names(blame),
            ])
        }
    }
}

fn pools(up_bytes: usize, down_bytes: usize) -> String {
    format!("{up_bytes} / {down_bytes}")
}

/// Nodes as rows, peers as columns. Nothing if no node has a peer.
fn matrix(rows: &[Pools]) -> Option<String> {
    let mut peers: Vec<&str> = Vec::new();
    for (peer, _) in rows.iter().flat_map(|(_, peers)| peers) {
        if !peers.contains(&peer.as_str()) {
            peers.push(peer);
        }
    }
    if peers.is_empty() {
        return None;
    }
    let head: Vec<&str> = std::iter::once("").chain(peers.iter().copied()).collect();
    let mut table = Builder::new();
    table.push_record(head);
    for (node, of) in rows {
        let cell = |peer: &&str| {
            let known = of.iter().find(|(name, _)| name == peer);
            known.map_or("-", |(_, shown)| shown)
        };
        table.push_record(std::iter::once(node.as_str()).chain(peers.iter().map(cell)));
    }
    Some(plain(table.build()))
}

/// When a node was started, in local time.
fn since(uptime_ms: u64) -> String {
    let uptime = i64::try_from(uptime_ms).map_or(SignedDuration::MAX, SignedDuration::from_millis);
    match Timestamp::now().checked_sub(uptime) {
        Ok(start) => {
            let start = start.to_zoned_datetime(TimeZone::system());
            start.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        Err(_) => "-".to_owned(),
    }
}
