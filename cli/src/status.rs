//! Shows the state of nodes: a table for people, or the JSON of the management routes.

use std::collections::BTreeMap;

use anstream::println;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Map, Value};
use tabled::Table;
use tabled::builder::Builder;
use tabled::settings::Alignment;
use tabled::settings::object::Columns;

use dske::node::client::ClientStatus;
use dske::protocol::hub::HubStatus;
use dske::topology::{Role, Topology};

use super::CliError;
use super::mgmt::{Found, Mgmt};
use super::nodes::{Node, Selection, names};
use super::print::{BAD, plain};
use super::run_file::RunState;

pub(super) fn status(
    topology: &Topology,
    selection: &Selection<'_>,
    as_json: bool,
) -> Result<(), CliError> {
    let nodes = selection.of(topology)?;
    let found = actix_rt::System::new().block_on(async {
        let mgmt = Mgmt::new();
        join_all(nodes.iter().map(|node| mgmt.status(node))).await
    });
    let found: Vec<(Node, Found)> = nodes.into_iter().zip(found).collect();
    if as_json {
        println!("{:#}", json(&found));
    } else {
        table(topology, &found)?;
    }
    let down = found
        .iter()
        .filter(|(_, found)| !matches!(found, Found::Node(_)));
    let down: Vec<&Node> = down.map(|(node, _)| node).collect();
    if down.is_empty() {
        Ok(())
    } else {
        Err(CliError::NotRunning(names(
            down.iter().map(|node| &node.name),
        )))
    }
}

/// `{"hubs": {NAME: STATUS, …}, "clients": {…}}`, with `null` for a node that is not running.
fn json(found: &[(Node, Found)]) -> Value {
    let of = |role: Role| {
        let nodes = found.iter().filter(|(node, _)| node.role == role);
        let entries = nodes.map(|(node, found)| {
            let status = match found {
                Found::Node(status) => status.clone(),
                Found::Nobody | Found::Other | Found::Silence => Value::Null,
            };
            (node.name.to_string(), status)
        });
        Value::Object(entries.collect())
    };
    let both = [("hubs", of(Role::Hub)), ("clients", of(Role::Client))];
    let both = both.map(|(role, nodes)| (role.to_owned(), nodes));
    Value::Object(Map::from_iter(both))
}

fn table(topology: &Topology, found: &[(Node, Found)]) -> Result<(), CliError> {
    let mut table = Builder::new();
    table.push_record([
        "node", "role", "port", "up since", "peers", "shares", "keys", "fetched", "failed", "blame",
    ]);
    let mut left = BTreeMap::new();
    let mut sick = Vec::new();
    for (node, found) in found {
        let row = match found {
            Found::Node(status) => row(topology, node, status, &mut left),
            Found::Nobody => Err(match node.state()? {
                RunState::Runs { .. } => "starting or stopping".to_owned(),
                RunState::Crashed => {
                    format!("crashed; see {}", node.log().display())
                }
                RunState::Stopped => "not running".to_owned(),
            }),
            Found::Other => Err("another program uses its port".to_owned()),
            Found::Silence => Err("does not answer".to_owned()),
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
    let mut table = plain(table);
    for numbers in [2..3, 4..9] {
        table.modify(Columns::new(numbers), Alignment::right());
    }
    println!("{table}");
    for (title, rows) in left {
        println!("\n{title}\n{}", matrix(&rows));
    }
    for line in sick {
        println!("{BAD}{line}{BAD:#}");
    }
    Ok(())
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

/// Nodes as rows, peers as columns.
fn matrix(rows: &[Pools]) -> Table {
    let mut peers: Vec<&str> = Vec::new();
    for (peer, _) in rows.iter().flat_map(|(_, peers)| peers) {
        if !peers.contains(&peer.as_str()) {
            peers.push(peer);
        }
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
    plain(table)
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
