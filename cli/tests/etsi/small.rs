//! Tests that need short times, small blocks, or hubs that can be stopped. Each has a cluster of its own.

use std::path::Path;
use std::time::Duration;

use actix_rt::time::sleep;
use dske_testbed::Cluster;
use dske_testbed::process::ProcessCluster;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::common::nodes::{Caller, PATIENCE};
use crate::shared::{BINARY, Key, Kmes, UNKNOWN_ID, refused};

/// Longer than the linger time of the topology below, and than the second after which hubs drop expired shares.
const BEYOND_LINGER: Duration = Duration::from_millis(1_500);

const TOPOLOGY: &str = r#"
threshold = 2
base_port = 8100
hubs = [{ name = "h1" }, { name = "h2" }, { name = "h3" }]
clients = [{ name = "carol" }, { name = "celia" }, { name = "cindy" }]

[psrd]
block_bytes = 2048
low_water_bytes = 1024

[timing]
linger_ms = 200
"#;

/// How long the calls below may take that have to fail, or to end with a hub or two.
const IMPATIENT: &str = "request_timeout_ms = 1000\ncall_deadline_ms = 3000\n";

/// No call or message is given up, however slow the machine is.
fn with_small_cluster(test: impl AsyncFnOnce(&ProcessCluster, &Kmes)) {
    let ms = PATIENCE.as_millis() / 2;
    let patient = format!("request_timeout_ms = {ms}\ncall_deadline_ms = {ms}\n");
    with_cluster(&patient, test);
}

fn with_cluster(timing: &str, test: impl AsyncFnOnce(&ProcessCluster, &Kmes)) {
    actix_rt::System::new().block_on(async {
        let topology = format!("{TOPOLOGY}{timing}");
        let cluster = ProcessCluster::start(Path::new(BINARY), &topology)
            .await
            .unwrap();
        let kmes = Kmes(Caller::new(cluster.topology()));
        test(&cluster, &kmes).await;
    });
}

async fn shares_held(cluster: &ProcessCluster) -> Vec<usize> {
    let mut held = Vec::new();
    for hub in ["h1", "h2", "h3"] {
        let status = cluster.hub_status(&hub.parse().unwrap()).await.unwrap();
        held.push(status.shares_held);
    }
    held
}

/// Waits until each hub holds so many shares. A call ends with K hubs, and the others are served in the background.
async fn each_hub_holds(cluster: &ProcessCluster, shares: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let held = shares_held(cluster).await;
        if held == [shares; 3] {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "hubs hold {held:?} shares, not {shares}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// Clause 5.4 (post-condition), clause 6.4, after any time.
#[test]
fn the_good_keys_of_a_failed_request_are_still_there_after_the_linger_time() {
    with_small_cluster(async |_, kmes| {
        let given = kmes.get_keys("carol", "celia", json!({"number": 2})).await;
        let foreign = kmes.get_key("carol", "cindy").await;
        let unknown = kmes
            .fetch("celia", "carol", &[&given[0].id, UNKNOWN_ID])
            .await;
        refused(&unknown, 400, "with an unknown key");
        let named_for_one = kmes
            .fetch("celia", "carol", &[&given[1].id, &foreign.id])
            .await;
        assert_eq!(named_for_one.status, 401);
        sleep(BEYOND_LINGER).await;
        kmes.fetch_all("celia", "carol", &given).await;
        kmes.fetch_all("cindy", "carol", &[foreign]).await;
    });
}

/// Clause 5.4 (post-condition: keys provided are removed).
#[test]
fn once_all_named_saes_have_a_key_the_hubs_erase_their_shares() {
    with_small_cluster(async |cluster, kmes| {
        let group = json!({"additional_slave_SAE_IDs": ["cindy"]});
        let shared = kmes.get_keys("carol", "celia", group).await;
        let alone = kmes.get_key("carol", "celia").await;
        each_hub_holds(cluster, 2).await;
        kmes.fetch_all("celia", "carol", &[alone]).await;
        kmes.fetch_all("celia", "carol", &shared).await;
        each_hub_holds(cluster, 1).await;
        sleep(BEYOND_LINGER).await;
        assert_eq!(
            shares_held(cluster).await,
            [1, 1, 1],
            "cindy has not come yet"
        );
        kmes.fetch_all("cindy", "carol", &shared).await;
        each_hub_holds(cluster, 0).await;
    });
}

/// Clause 6.1: blocks too small for the limits of the topology lower what the status promises.
#[test]
fn what_a_status_promises_is_delivered_also_with_small_blocks() {
    with_small_cluster(async |_, kmes| {
        let status = kmes.status("carol", "celia").await;
        let count = |name: &str| status[name].as_u64().unwrap() as usize;
        let (most, largest) = (count("max_key_per_request"), count("max_key_size"));
        assert!(most < 128 && largest < 65_536, "{status}");
        for (number, size) in [(most, count("key_size")), (1, largest)] {
            let request = json!({"number": number, "size": size});
            let keys = kmes.get_keys("carol", "celia", request).await;
            assert_eq!(keys.len(), number);
            kmes.fetch_all("celia", "carol", &keys).await;
        }
        for request in [json!({"number": most + 1}), json!({"size": largest + 8})] {
            let answer = kmes
                .call("POST", "carol", "celia/enc_keys", &request.to_string())
                .await;
            refused(&answer, 400, &request.to_string());
        }
    });
}

/// Table 8, clause 5.4 (post-condition): the keys of several calls may be too many for one answer of the hubs.
#[test]
fn too_many_large_keys_in_one_fetch_are_503_and_can_be_had_one_by_one() {
    with_small_cluster(async |_, kmes| {
        let mut given: Vec<Key> = Vec::new();
        for _ in 0..8 {
            given.extend(
                kmes.get_keys("carol", "celia", json!({"size": 32_000}))
                    .await,
            );
        }
        let ids: Vec<&str> = given.iter().map(|key| key.id.as_str()).collect();
        let answer = kmes.fetch("celia", "carol", &ids).await;
        refused(&answer, 503, "32 kB at once");
        sleep(BEYOND_LINGER).await;
        for key in given {
            kmes.fetch_all("celia", "carol", &[key]).await;
        }
    });
}

/// Tables 6 and 8, clause 6.5.
#[test]
fn too_few_hubs_are_503_with_an_error_and_no_keys() {
    with_cluster(IMPATIENT, async |cluster, kmes| {
        let key = kmes.get_key("carol", "celia").await;
        for hub in ["h1", "h2"] {
            cluster.stop_hub(&hub.parse().unwrap()).await;
        }
        let begun = Instant::now();
        let answer = kmes
            .call("POST", "carol", "celia/enc_keys", "{\"number\": 3}")
            .await;
        refused(&answer, 503, "enc_keys");
        assert!(answer.message().contains("1 of 3 hubs"), "{}", answer.text);
        let answer = kmes.fetch("celia", "carol", &[&key.id]).await;
        refused(&answer, 503, "dec_keys");
        // Each call ends at its deadline, and not when the caller gives up.
        assert!(begun.elapsed() < PATIENCE / 2);
        // Get status needs no hub: it reports how little PSRD there is.
        let status = kmes.call("GET", "carol", "celia/status", "").await;
        assert_eq!(status.status, 200);
        assert!(status.body["stored_key_count"].is_u64());
        assert_eq!(status.body.get("keys"), None::<&Value>);
    });
}
