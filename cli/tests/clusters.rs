//! The same scenarios on all three kinds of clusters: actors in one process, processes over HTTP, and simulation.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use dske::http::etsi::KeyContainer;
use dske::protocol::{KeyId, NodeName, SaeId};
use dske::topology::Topology;
use dske_testbed::local::LocalCluster;
use dske_testbed::process::ProcessCluster;
use dske_testbed::sim::{self, WorldOptions};
use dske_testbed::{CallError, Cluster, KeyRequest};

const TOPOLOGY: &str = include_str!("../../topology.toml");

fn topology() -> Topology {
    Topology::parse("topology.toml", TOPOLOGY).unwrap()
}

/// The same cluster, with clients that make keys of PSRD.
fn topology_with_keys_from_psrd() -> Topology {
    let text = format!("{TOPOLOGY}\n[keys]\nsource = \"psrd\"\n");
    Topology::parse("topology.toml", &text).unwrap()
}

fn sae(name: &str) -> SaeId {
    name.parse().unwrap()
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn ids(container: &KeyContainer) -> Vec<KeyId> {
    container
        .keys
        .iter()
        .map(|key| key.key_ID.parse().unwrap())
        .collect()
}

fn status_of<T: std::fmt::Debug>(result: Result<T, CallError>) -> u16 {
    match result {
        Err(CallError::Refused { status, .. }) => status,
        other => panic!("a refusal was expected, not {other:?}"),
    }
}

async fn keys_reach_their_slave_once_and_nobody_else(cluster: &impl Cluster) {
    let (carol, celia, cindy) = (sae("carol"), sae("celia"), sae("cindy"));
    let request = KeyRequest {
        number: Some(3),
        size_bits: Some(512),
        ..KeyRequest::default()
    };
    let given = cluster.get_key(&carol, &celia, &request).await.unwrap();
    assert_eq!(given.keys.len(), 3);
    assert!(
        given.keys.iter().all(|key| key.key.len() == 88),
        "512 bits in base64"
    );
    let ids = ids(&given);
    // Neither a stranger nor the master itself, and neither uses the keys up.
    assert_eq!(
        status_of(cluster.get_key_with_ids(&cindy, &carol, &ids).await),
        401
    );
    assert_eq!(
        status_of(cluster.get_key_with_ids(&carol, &carol, &ids).await),
        401
    );
    // The wrong master in the path.
    assert_eq!(
        status_of(cluster.get_key_with_ids(&celia, &cindy, &ids).await),
        400
    );
    let fetched = cluster
        .get_key_with_ids(&celia, &carol, &ids)
        .await
        .unwrap();
    assert_eq!(fetched, given);
    assert_eq!(
        status_of(cluster.get_key_with_ids(&celia, &carol, &ids).await),
        400
    );
}

async fn a_key_for_a_group_reaches_each_member_once(cluster: &impl Cluster) {
    let (carol, celia, cindy) = (sae("carol"), sae("celia"), sae("cindy"));
    let request = KeyRequest {
        also: vec![cindy.clone()],
        ..KeyRequest::default()
    };
    let given = cluster.get_key(&carol, &celia, &request).await.unwrap();
    for member in [&cindy, &celia] {
        let fetched = cluster
            .get_key_with_ids(member, &carol, &ids(&given))
            .await
            .unwrap();
        assert_eq!(fetched, given);
        assert_eq!(
            status_of(cluster.get_key_with_ids(member, &carol, &ids(&given)).await),
            400
        );
    }
}

async fn what_is_asked_wrongly_is_refused(cluster: &impl Cluster) {
    let (carol, celia) = (sae("carol"), sae("celia"));
    let request = |number, size_bits| KeyRequest {
        number,
        size_bits,
        also: Vec::new(),
    };
    for (request, message) in [
        (request(Some(0), None), "number must be 1 to 128"),
        (request(Some(129), None), "number must be 1 to 128"),
        (request(None, Some(56)), "size must be 64 to"),
        (request(None, Some(1 << 20)), "size must be 64 to"),
        (request(None, Some(257)), "size shall be a multiple of 8"),
    ] {
        match cluster.get_key(&carol, &celia, &request).await {
            Err(CallError::Refused {
                status: 400,
                message: said,
            }) => assert!(said.contains(message), "{said}"),
            other => panic!("{request:?}: {other:?}"),
        }
    }
    assert_eq!(
        status_of(
            cluster
                .get_key(&carol, &sae("nobody"), &KeyRequest::default())
                .await
        ),
        400
    );
    let unknown = "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap();
    match cluster.get_key_with_ids(&celia, &carol, &[unknown]).await {
        Err(CallError::Refused {
            status: 400,
            message,
        }) => {
            assert!(
                message.starts_with("one or more keys specified are not found on KME"),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
}

async fn status_tells_what_there_is(cluster: &impl Cluster) {
    let status = cluster.status(&sae("carol"), &sae("celia")).await.unwrap();
    assert_eq!(status.source_KME_ID, "carol");
    assert_eq!(status.target_KME_ID, "celia");
    assert_eq!(status.key_size, 256);
    assert!(status.stored_key_count > 0);
    let client = cluster.client_status(&node("carol")).await.unwrap();
    assert_eq!(client.hubs.len(), 5);
    assert!(
        client
            .hubs
            .iter()
            .all(|hub| hub.link.registered && hub.blame.is_empty())
    );
    let hub = cluster.hub_status(&node("hank")).await.unwrap();
    assert!(hub.peers.iter().any(|peer| peer.client == node("carol")));
}

async fn any_three_of_five_hubs_will_do_and_two_will_not(cluster: &impl Cluster) {
    let (carol, celia) = (sae("carol"), sae("celia"));
    let request = KeyRequest::default();
    let before = cluster.get_key(&carol, &celia, &request).await.unwrap();
    cluster.stop_hub(&node("hank")).await;
    cluster.stop_hub(&node("hugo")).await;
    // Three are left: one key that was made before, and one that is made now.
    let fetched = cluster
        .get_key_with_ids(&celia, &carol, &ids(&before))
        .await
        .unwrap();
    assert_eq!(fetched, before);
    let between = cluster.get_key(&carol, &celia, &request).await.unwrap();
    let unfetched = cluster.get_key(&carol, &celia, &request).await.unwrap();
    let fetched = cluster
        .get_key_with_ids(&celia, &carol, &ids(&between))
        .await
        .unwrap();
    assert_eq!(fetched, between);
    // Two are left.
    cluster.stop_hub(&node("holly")).await;
    match cluster.get_key(&carol, &celia, &request).await {
        Err(CallError::Refused {
            status: 503,
            message,
        }) => {
            assert!(
                message.contains("2 of 5 hubs hold a share, 3 are needed"),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        status_of(
            cluster
                .get_key_with_ids(&celia, &carol, &ids(&unfetched))
                .await
        ),
        503
    );
    // All are back: hubs that have forgotten everything register their clients again.
    for hub in ["hank", "holly", "hugo"] {
        cluster.start_hub(&node(hub)).await;
    }
    let after = cluster.get_key(&carol, &celia, &request).await.unwrap();
    let fetched = cluster
        .get_key_with_ids(&celia, &carol, &ids(&after))
        .await
        .unwrap();
    assert_eq!(fetched, after);
}

async fn all(cluster: impl Cluster) {
    keys_reach_their_slave_once_and_nobody_else(&cluster).await;
    a_key_for_a_group_reaches_each_member_once(&cluster).await;
    what_is_asked_wrongly_is_refused(&cluster).await;
    status_tells_what_there_is(&cluster).await;
    any_three_of_five_hubs_will_do_and_two_will_not(&cluster).await;
}

#[test]
fn on_local_actors() {
    actix_rt::System::new().block_on(async { all(LocalCluster::start(topology(), 1)).await });
}

#[test]
fn on_local_actors_with_keys_from_psrd() {
    let topology = topology_with_keys_from_psrd();
    actix_rt::System::new().block_on(async { all(LocalCluster::start(topology, 1)).await });
}

#[test]
fn on_processes() {
    actix_rt::System::new().block_on(async {
        let binary = Path::new(env!("CARGO_BIN_EXE_dske"));
        all(ProcessCluster::start(binary, TOPOLOGY).await.unwrap()).await;
    });
}

#[test]
fn on_a_simulation() {
    sim::run(topology(), WorldOptions::with_seed(1), all).unwrap();
}

#[test]
fn a_hub_that_starts_after_its_clients_is_in_use_without_any_call() {
    sim::run(
        topology(),
        WorldOptions::with_seed(1),
        |cluster| async move {
            let hank = node("hank");
            let clients = ["carol", "celia", "cindy", "connie", "curtis"].map(node);
            // Before any message has crossed the network.
            cluster.stop_hub(&hank).await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            for client in &clients {
                let status = cluster.client_status(client).await.unwrap();
                for hub in &status.hubs {
                    assert_eq!(
                        hub.link.registered,
                        hub.name != hank,
                        "{client} {}",
                        hub.name
                    );
                }
            }
            cluster.start_hub(&hank).await;
            // The longest pause, and the time that a vain attempt takes.
            tokio::time::sleep(Duration::from_secs(10)).await;
            for client in &clients {
                let status = cluster.client_status(client).await.unwrap();
                let link = &status
                    .hubs
                    .iter()
                    .find(|hub| hub.name == hank)
                    .unwrap()
                    .link;
                assert!(link.registered && link.up_bytes_left > 0 && link.down_bytes_left > 0);
                assert_eq!((link.registrations, link.retries), (1, 0), "{client}");
            }
            let status = cluster.hub_status(&hank).await.unwrap();
            assert_eq!(status.peers.len(), clients.len());
        },
    )
    .unwrap();
}

#[test]
fn on_a_simulation_with_keys_from_psrd() {
    let topology = topology_with_keys_from_psrd();
    sim::run(topology, WorldOptions::with_seed(1), all).unwrap();
}
