//! No block of memory that a node gives back holds a secret, but for the network buffers of libraries. What is given back
//! unwiped may stay in the process for as long as it runs, and end up in a core dump or on a swap partition.
//!
//! Whatever the nodes draw is known to be secret, and so are the keys and shares that follow from it, and their texts. Two keys
//! at a time are established and fetched, one call after the other and at once, with refills in between; refused in several
//! ways; given up by callers; found among wrong shares; and not established, for too few hubs. Shares are deposited and fetched in
//! JSON, too, and PSRD is delivered as bytes and as text. All of that goes over HTTP, in the flavour that users get.
#![allow(clippy::unwrap_used)]

#[path = "memory/by_hand.rs"]
mod by_hand;
#[path = "memory/drawn.rs"]
mod drawn;
#[path = "memory/liar.rs"]
mod liar;
#[path = "memory/nodes.rs"]
mod nodes;
#[path = "memory/watch.rs"]
mod watch;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use by_hand::ByHand;
use drawn::Wanted;
use dske::crypto::secret::Secret;
use dske::http::paths;
use dske::protocol::{KeyId, SaeId};
use dske::topology::Topology;
use dske_testbed::{CallError, Cluster, KeyRequest};
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use nodes::Nodes;
use serde_json::json;
use watch::{Found, SEEN_FROM_BYTES, Watching, keep_secret, watch};

#[global_allocator]
static ALLOCATOR: Watching = Watching;

fn topology(source: &str) -> Topology {
    let base_port = dske_testbed::process::free_ports(10).unwrap();
    let text = format!(
        "threshold = 2
        base_port = {base_port}
        hubs = [{{ name = \"hank\" }}, {{ name = \"helen\" }}, {{ name = \"hilary\" }}]
        clients = [{{ name = \"carol\" }}, {{ name = \"celia\" }}, {{ name = \"cindy\" }}]
        [psrd]
        block_bytes = 8192
        low_water_bytes = 4096
        [keys]
        source = \"{source}\"
        "
    );
    Topology::parse("memory.toml", &text).unwrap()
}

fn sae(name: &str) -> SaeId {
    name.parse().unwrap()
}

/// Two keys of 64 bytes from carol, which celia fetches.
async fn establish(nodes: &Nodes) -> Vec<KeyId> {
    let request = KeyRequest {
        number: Some(2),
        size_bits: Some(512),
        also: vec![],
    };
    let given = nodes.get_key(&sae("carol"), &sae("celia"), &request).await;
    let given = given.unwrap();
    let ids: Vec<KeyId> = given
        .keys
        .iter()
        .map(|key| key.key_ID.parse().unwrap())
        .collect();
    let fetched = nodes
        .get_key_with_ids(&sae("celia"), &sae("carol"), &ids)
        .await;
    assert_eq!(fetched.unwrap(), given);
    ids
}

async fn live(nodes: Nodes) {
    *nodes.wanted.lock().unwrap() = Wanted {
        bytes: 64,
        number: 2,
    };
    for _ in 0..10 {
        establish(&nodes).await;
    }
    // At the same time, so that links send batches.
    let all = join_all((0..10).map(|_| establish(&nodes))).await;
    refusals(&nodes, &all[0]).await;
    deliveries(&nodes).await;
    in_json(&nodes).await;
    wrong_shares(&nodes).await;
    a_caller_goes_away(&nodes).await;
    too_few_hubs(&nodes).await;
    nodes.stop_all().await;
}

async fn refusals(nodes: &Nodes, ids: &[KeyId]) {
    let fetch = async |caller: &str, ids: &[KeyId]| {
        let fetched = nodes
            .get_key_with_ids(&sae(caller), &sae("carol"), ids)
            .await;
        match fetched {
            Err(CallError::Refused { status, .. }) => status,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(fetch("celia", ids).await, 400);
    assert_eq!(fetch("cindy", ids).await, 401);
    let unknown = "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap();
    assert_eq!(fetch("celia", &[unknown]).await, 400);
}

/// A block that is delivered as text, and one that nobody reads.
async fn deliveries(nodes: &Nodes) {
    let url = |path| {
        let hank = nodes
            .topology()
            .address(&"hank".parse().unwrap())
            .unwrap()
            .to_owned();
        format!("http://{hank}{path}")
    };
    let http = awc::Client::default();
    let post = async |path, body: &serde_json::Value| {
        let request = http
            .post(url(path))
            .insert_header((CONTENT_TYPE, "application/json"));
        request.send_json(body).await.unwrap()
    };
    let registered: serde_json::Value = post(paths::REGISTRATION, &json!({ "client": "cindy" }))
        .await
        .json()
        .await
        .unwrap();
    let wanted = json!({
        "client": "cindy", "registration": registered["registration"], "owner": "client", "size": 8192,
    });
    let mut read = post(paths::PSRD, &wanted).await;
    assert!(read.status().is_success());
    // Piece by piece: what awc would collect it in grows.
    let mut length = 0;
    while let Some(piece) = read.next().await {
        length += piece.unwrap().len();
    }
    assert!(length > 8192);
    assert!(post(paths::PSRD, &wanted).await.status().is_success());
}

async fn in_json(nodes: &Nodes) {
    let topology = nodes.topology();
    let hank = topology.address(&"hank".parse().unwrap()).unwrap();
    let mut cindy = ByHand::register("cindy", hank, 8_192).await;
    for _ in 0..5 {
        cindy.deposit_and_fetch(3, 2).await;
    }
}

/// With K = 2 and two honest hubs every key is found, and the third hub is seen to lie.
async fn wrong_shares(nodes: &Nodes) {
    nodes.is_last_lying.set(true);
    for _ in 0..5 {
        establish(nodes).await;
    }
    join_all((0..5).map(|_| establish(nodes))).await;
    nodes.is_last_lying.set(false);
    let status = nodes
        .client_status(&"celia".parse().unwrap())
        .await
        .unwrap();
    let blame = &status.hubs[2].blame;
    assert!(
        blame.get("wrong-share").is_some_and(|times| *times > 0),
        "{blame:?}"
    );
}

async fn a_caller_goes_away(nodes: &Nodes) {
    for patience in [0, 1, 2, 3, 5] {
        let patience = Duration::from_millis(patience);
        let _ = tokio::time::timeout(patience, establish(nodes)).await;
    }
}

async fn too_few_hubs(nodes: &Nodes) {
    let ids = establish(nodes).await;
    for hub in ["helen", "hilary"] {
        nodes.stop(&hub.parse().unwrap());
    }
    let given = nodes
        .get_key(&sae("carol"), &sae("celia"), &KeyRequest::default())
        .await;
    assert!(matches!(given, Err(CallError::Refused { status: 503, .. })));
    let fetched = nodes
        .get_key_with_ids(&sae("celia"), &sae("carol"), &ids)
        .await;
    assert!(matches!(fetched, Err(CallError::Refused { .. })));
}

/// The functions of a trace, innermost first. Each is on a line of its own behind its number.
fn functions(trace: &str) -> impl Iterator<Item = &str> {
    let lines = trace.lines().map(str::trim_start);
    let numbered = lines.filter_map(|line| line.split_once(": "));
    let is_number = |(number, _): &(&str, &str)| number.bytes().all(|byte| byte.is_ascii_digit());
    numbered.filter(is_number).map(|(_, function)| function)
}

/// Whether it is a buffer into which actix or awc read from a socket, or out of which they write: those are `BytesMut`, and
/// nobody but the library can wipe them. A server's connection may give its buffers back by itself, where `BytesMut` is
/// inlined. What awc collects a body in is one too, but it need not be used.
fn is_network_buffer(found: &Found) -> bool {
    let mut innermost = functions(&found.trace).take(20);
    let of_a_library = |function: &str| {
        function.contains("bytes_mut") || function.contains("drop_in_place<actix_http::h1::")
    };
    innermost.any(of_a_library) && !found.trace.contains("read_body.rs")
}

/// What was found, with the places that gave it back, and how often.
fn summary<'a>(found: impl IntoIterator<Item = &'a Found>) -> Vec<String> {
    let mut by_place: BTreeMap<(&str, usize, String), usize> = BTreeMap::new();
    for found in found {
        // The first ones are those that look.
        let functions = functions(&found.trace).skip(5).take(8);
        let functions: Vec<String> = functions
            .map(|name| name.chars().take(90).collect())
            .collect();
        let place = (found.secret, found.block_bytes, functions.join(" < "));
        *by_place.entry(place).or_default() += 1;
    }
    let lines = by_place.into_iter();
    let lines = lines.map(|((secret, bytes, functions), times)| {
        format!("{times} times {secret} in {bytes} bytes: {functions}")
    });
    lines.collect()
}

#[test]
fn no_block_that_a_node_gives_back_holds_a_secret() {
    for source in ["generator", "psrd"] {
        let topology = topology(source);
        let found = actix_rt::System::new().block_on(async {
            let nodes = Nodes::start(&topology).await;
            watch(live(nodes)).await
        });
        let (of_libraries, of_nodes): (Vec<Found>, Vec<Found>) =
            found.into_iter().partition(is_network_buffer);
        println!(
            "keys from {source}, network buffers: {:#?}",
            summary(&of_libraries)
        );
        assert!(!of_libraries.is_empty(), "keys and PSRD went over sockets");
        let of_nodes = summary(&of_nodes);
        assert!(
            of_nodes.is_empty(),
            "keys from {source}: {SEEN_FROM_BYTES} bytes of a secret or more: {of_nodes:#?}"
        );
    }
}

#[test]
fn a_secret_that_is_not_wiped_is_seen_and_one_that_is_wiped_is_not() {
    let bytes: Vec<u8> = (0..=255).map(|n: u8| n.wrapping_mul(167) ^ 0x5a).collect();
    keep_secret("a pattern", &bytes);
    let found = |work: &dyn Fn()| {
        let work = async { work() };
        watch(work).now_or_never().unwrap().len()
    };
    assert_eq!(found(&|| drop(black_box(bytes.clone()))), 1);
    assert_eq!(
        found(&|| drop(black_box(bytes[100..100 + SEEN_FROM_BYTES].to_vec()))),
        1
    );
    assert_eq!(
        found(&|| drop(black_box(bytes[101..101 + SEEN_FROM_BYTES].to_vec()))),
        1
    );
    assert_eq!(found(&|| drop(black_box(Secret::from(bytes.clone())))), 0);
    let growing = || {
        let mut growing = Vec::with_capacity(100);
        growing.extend_from_slice(&bytes[..100]);
        growing.push(1);
        drop(black_box(Secret::from(growing)));
    };
    assert_eq!(found(&growing), 1, "what it was before it grew");
}
