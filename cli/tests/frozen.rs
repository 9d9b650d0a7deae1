//! A hub that is frozen (SIGSTOP) and comes back, on real processes: while it is away, clients hold a bounded amount for
//! it and keep serving their SAEs with the others, and when it is back, it is not sent what nobody waits for any more.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use dske::protocol::{KeyId, NodeName, SaeId};
use dske_testbed::process::ProcessCluster;
use dske_testbed::{Cluster, KeyRequest};
use futures_util::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, interval, sleep};

/// Long enough that what was never bounded shows, and short enough for a test. `DSKE_FROZEN_SECONDS` makes it longer,
/// and `DSKE_FROZEN_BINARY` names another build to compare with; `--nocapture` shows what was measured.
const FROZEN_SECONDS: u64 = 12;

/// Calls in a second, of keys so large that the pools of a silent hub are empty soon.
const CALLS_PER_SECOND: u32 = 20;
const KEY_BITS: usize = 65_536;

/// After this time nobody waits for anything any more: five attempts of a second, and the pauses between them.
const OVER_SECONDS: u64 = 8;

/// What a hub finds in its sockets when it is back, at most: what two clients sent in the two seconds before they knew that
/// it is silent, and then one attempt each second to reach it.
fn sent_in_good_faith(frozen_seconds: u64) -> u64 {
    2 * (2 * u64::from(CALLS_PER_SECOND) + frozen_seconds + OVER_SECONDS)
}

fn sae(name: &str) -> SaeId {
    name.parse().unwrap()
}

fn signal(cluster: &ProcessCluster, node: &NodeName, signal: Signal) {
    let pid = i32::try_from(cluster.process_id(node).unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Resident memory of a node, in KiB.
fn memory(cluster: &ProcessCluster, node: &NodeName) -> u64 {
    let pid = cluster.process_id(node).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// Carol asks for keys and Celia fetches them, at a fixed rate. Returns how many of the calls succeeded.
async fn load(cluster: &Rc<ProcessCluster>, seconds: u64) -> (u32, u32) {
    let good = Rc::new(Cell::new(0));
    let number = CALLS_PER_SECOND * u32::try_from(seconds).unwrap();
    let mut ticks = interval(Duration::from_secs(1) / CALLS_PER_SECOND);
    let mut calls = Vec::new();
    for _ in 0..number {
        ticks.tick().await;
        let (cluster, good) = (Rc::clone(cluster), Rc::clone(&good));
        calls.push(actix_rt::spawn(async move {
            let (carol, celia) = (sae("carol"), sae("celia"));
            let request = KeyRequest {
                size_bits: Some(KEY_BITS),
                ..KeyRequest::default()
            };
            let given = cluster.get_key(&carol, &celia, &request).await;
            let Ok(given) = given else { return };
            let ids: Vec<KeyId> = given
                .keys
                .iter()
                .map(|k| k.key_ID.parse().unwrap())
                .collect();
            let fetched = cluster.get_key_with_ids(&celia, &carol, &ids).await;
            good.set(good.get() + u32::from(fetched.is_ok()));
        }));
    }
    join_all(calls).await;
    (good.get(), number)
}

async fn served(cluster: &ProcessCluster, hub: &NodeName) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match cluster.hub_status(hub).await {
            Ok(status) => return status.served.values().sum(),
            Err(error) if Instant::now() > deadline => panic!("{error}"),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

#[test]
fn a_hub_that_was_frozen_is_sent_nothing_for_nobody() {
    let seconds = std::env::var("DSKE_FROZEN_SECONDS").map(|text| text.parse().unwrap());
    let seconds = seconds.unwrap_or(FROZEN_SECONDS);
    let binary = std::env::var("DSKE_FROZEN_BINARY");
    let binary = binary.unwrap_or_else(|_| env!("CARGO_BIN_EXE_dske").to_owned());
    actix_rt::System::new().block_on(async move {
        let topology = include_str!("../../topology.toml");
        let cluster = ProcessCluster::start(Path::new(&binary), topology).await;
        let cluster = Rc::new(cluster.unwrap());
        let [hub, carol, celia] = ["hugo", "carol", "celia"].map(|name| name.parse().unwrap());
        let memory = || [&carol, &celia].map(|client| memory(&cluster, client));
        let (good, all) = load(&cluster, 2).await;
        assert_eq!(good, all);
        let before = (memory(), served(&cluster, &hub).await);

        signal(&cluster, &hub, Signal::STOP);
        let (good, all) = load(&cluster, seconds).await;
        let during = memory();
        assert!(good * 100 >= all * 99, "{good} of {all}: four of five hubs serve");

        sleep(Duration::from_secs(OVER_SECONDS)).await;
        let after = memory();
        signal(&cluster, &hub, Signal::CONT);
        sleep(Duration::from_secs(3)).await;
        let since = served(&cluster, &hub).await - before.1;
        println!(
            "memory of the clients in KiB: {:?} before, {during:?} while the hub was frozen, {after:?} afterwards, \
             {:?} when it was back; the hub has carried out {since} operations since",
            before.0,
            memory()
        );
        let most = sent_in_good_faith(seconds);
        assert!(since <= most, "{since} operations, more than {most}");
        // The hub takes part again.
        let (good, all) = load(&cluster, 1).await;
        assert_eq!(good, all);
    });
}
