//! What a hub takes when it holds many shares: keys are established, and nobody fetches them.

use std::io;
use std::time::Duration;

use crate::load::Pair;
use futures_util::future::join_all;
use tokio::time::Instant;

use super::data::Held;
use super::lab::{LabError, Programs, pair, topology, wait_until_provisioned};
use super::plan::{BASE, BULK_CONCURRENCY, KEYS_PER_CALL_MAX};
use crate::process::ProcessCluster;
use crate::{Cluster, KeyRequest};

/// How often the memory is looked at until all shares are there.
const LOOKS: u64 = 20;

/// Fills the hubs of a fresh cluster until each holds `shares`, or the time is over.
pub(super) async fn measure(
    programs: &Programs,
    shares: u64,
    within: Duration,
) -> Result<Vec<Held>, LabError> {
    let text = topology(BASE.hubs, BASE.threshold);
    let text = format!("{text}[timing]\nshare_ttl_ms = 86_400_000\n");
    let cluster = ProcessCluster::start(&programs.dske, &text).await?;
    let deadline = Instant::now() + within;
    // What the pools take is there before the first share is counted.
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

/// So many calls for as many keys as one may ask for. A call that fails is not made again: what is counted are the
/// shares that are there.
async fn establish(cluster: &ProcessCluster, calls: u64) {
    let Pair { master, slave } = pair();
    let request = KeyRequest {
        number: Some(KEYS_PER_CALL_MAX),
        size_bits: Some(BASE.size_bits),
        also: Vec::new(),
    };
    let place = async |calls: u64| {
        for _ in 0..calls {
            // The status that is read next shows what came of it.
            let _ = cluster.get_key(&master, &slave, &request).await;
        }
    };
    let places = BULK_CONCURRENCY as u64;
    let each = (0..places).map(|i| place(calls / places + u64::from(i < calls % places)));
    join_all(each).await;
}

/// What the first hub holds, and takes.
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

/// Resident memory of a process, from proc(5).
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other("there is no VmRSS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_some_memory() {
        let bytes = resident_bytes(std::process::id()).unwrap();
        assert!(bytes > 100_000, "{bytes}");
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(resident_bytes(u32::MAX).is_err());
    }
}
