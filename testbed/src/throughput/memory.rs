//! Memory of a hub that holds many shares: keys are established, and nobody fetches them.

use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::data::Held;
use super::lab::{LabError, Programs, pair, topology, wait_until_provisioned};
use super::plan::{BASE, BULK_CONCURRENCY, KEYS_PER_CALL_MAX};
use crate::load::Pair;
use crate::measure::machine::resident_bytes;
use crate::process::ProcessCluster;
use crate::{Cluster, KeyRequest};

/// How often the memory is read until the hub holds all shares.
const LOOKS: u64 = 20;

/// Fills the hubs of a fresh cluster until each holds `shares`, or the time is over. The first entry is the empty hub.
pub(super) async fn measure(
    programs: &Programs,
    shares: u64,
    within: Duration,
) -> Result<Vec<Held>, LabError> {
    let text = topology(BASE.hubs, BASE.threshold);
    let text = format!("{text}[timing]\nshare_ttl_ms = 86_400_000\n");
    let cluster = ProcessCluster::start(&programs.dske, &text).await?;
    let deadline = Instant::now() + within;
    // Pools are full before the first share is counted, so that their memory does not count.
    wait_until_provisioned(&cluster).await;
    establish(&cluster, 1).await;
    let mut held = vec![look(&cluster).await?];
    for i in 1..=LOOKS {
        let wanted = shares * i / LOOKS;
        let missing = wanted.saturating_sub(held.last().map_or(0, |held| held.shares));
        establish(&cluster, missing.div_ceil(KEYS_PER_CALL_MAX as u64)).await;
        held.push(look(&cluster).await?);
        if Instant::now() >= deadline {
            break;
        }
    }
    Ok(held)
}

/// Makes so many calls, each for as many keys as a call may ask for. A call that fails is not repeated: only the shares
/// that the hub reports count.
async fn establish(cluster: &ProcessCluster, calls: u64) {
    let Pair { master, slave } = pair();
    let request = KeyRequest {
        number: Some(KEYS_PER_CALL_MAX),
        size_bits: Some(BASE.size_bits),
        also: Vec::new(),
    };
    let place = async |calls: u64| {
        for _ in 0..calls {
            // The hub's status, which is read next, shows whether it succeeded.
            let _ = cluster.get_key(&master, &slave, &request).await;
        }
    };
    let places = BULK_CONCURRENCY as u64;
    let each = (0..places).map(|i| place(calls / places + u64::from(i < calls % places)));
    join_all(each).await;
}

/// The number of shares in the first hub, and its memory.
async fn look(cluster: &ProcessCluster) -> Result<Held, LabError> {
    let node = &cluster.topology().hubs[0].name;
    let status = cluster.hub_status(node).await;
    let status = status.map_err(|error| LabError::Status {
        node: node.clone(),
        error,
    })?;
    let memory = cluster
        .process_id(node)
        .ok_or_else(|| io::Error::other("it has ended"));
    let memory = memory.and_then(resident_bytes);
    Ok(Held {
        shares: status.shares_held as u64,
        rss_bytes: memory.map_err(|error| LabError::Memory {
            node: node.clone(),
            error,
        })?,
    })
}
