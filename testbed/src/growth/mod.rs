//! What more of everything costs: hubs, clients, shares held, pre-shared random data.
//!
//! | file | idea |
//! |---|---|
//! | [`data`] | what is measured, as it is in `growth.json` |
//! | `clusters` | time for a key against hubs and clients |
//! | `shares` | time and memory against the shares that a hub holds |
//! | `pools` | time and memory against the size of a pool |
//! | [`slope`] | how fast a cost grows |
//! | `figure` | a cost against what grows, drawn and judged |
//! | [`report`] | CSV, and the page |
//! | [`cli`] | the command, for `benches/growth.rs` |

pub mod cli;
mod clusters;
pub mod data;
mod figure;
mod pools;
pub mod report;
mod shares;
pub mod slope;

use std::io;
use std::path::Path;
use std::time::Duration;

use dske::protocol::NameError;
use dske::psrd::{BlockError, PoolError};
use dske::topology::TopologyError;
use tokio::time::Instant;

use crate::process::StartError;
use crate::throughput::data::Subject;
use crate::throughput::machine;
use data::{ClusterPoint, Growth};

/// Hubs where it is clients that grow in number.
const BASE_HUBS: u8 = 5;

/// Clients where it is hubs that grow in number.
const BASE_CLIENTS: usize = 2;

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum GrowthError {
    /// A cluster does not start.
    #[error("a cluster cannot be started: {0}")]
    Start(#[from] StartError),
    /// A topology is refused.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A name is refused.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A block of PSRD is refused.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A pool refuses what it is asked for.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The system does not tell how much memory this process has.
    #[error("the memory of this process cannot be read: {0}; it takes Linux with /proc mounted")]
    Memory(io::Error),
}

/// How much to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What can be believed.
    Full,
    /// Enough to see that everything works.
    Quick,
}

impl Extent {
    /// Numbers of hubs.
    fn hubs(self) -> &'static [u8] {
        match self {
            Self::Full => &[3, 4, 6, 8, 12, 16, 23, 32],
            Self::Quick => &[3, 8],
        }
    }

    /// Numbers of clients.
    fn clients(self) -> &'static [usize] {
        match self {
            Self::Full => &[2, 5, 10, 20, 50, 100, 200],
            Self::Quick => &[2, 10],
        }
    }

    /// Most shares of a hub.
    fn shares_max(self) -> usize {
        match self {
            Self::Full => 1_000_000,
            Self::Quick => 10_000,
        }
    }

    /// Largest pool.
    fn pool_bytes_max(self) -> usize {
        match self {
            Self::Full => 1 << 30,
            Self::Quick => 1 << 20,
        }
    }

    /// How often each cluster is measured, and how long.
    fn clusters(self) -> (usize, Duration) {
        match self {
            Self::Full => (3, Duration::from_millis(1_000)),
            Self::Quick => (1, Duration::from_millis(300)),
        }
    }
}

/// Measures everything. `progress` is told each result as a line. Has to be called on a running actix system.
///
/// # Errors
/// If something that is to be measured cannot be started. What goes wrong under a load is counted.
pub async fn run(
    extent: Extent,
    command: &str,
    dske: &Path,
    progress: impl Fn(&str),
) -> Result<Growth, GrowthError> {
    let begun = Instant::now();
    // Memory first: what has not been used before shows.
    let (shares, store) = shares::measure(extent.shares_max(), &progress)?;
    let pools = pools::measure(extent.pool_bytes_max(), &progress)?;
    drop(store);
    let (mut hubs, mut clients): (Vec<ClusterPoint>, Vec<ClusterPoint>) = Default::default();
    for subject in [Subject::Actors, Subject::Processes] {
        for &n in extent.hubs() {
            let cluster = clusters::Size {
                subject,
                hubs: n,
                clients: BASE_CLIENTS,
            };
            hubs.extend(clusters::measure(cluster, dske, extent.clusters(), &progress).await?);
        }
    }
    for &n in extent.clients() {
        let cluster = clusters::Size {
            // So many processes would measure how the system shares two cores among them.
            subject: Subject::Actors,
            hubs: BASE_HUBS,
            clients: n,
        };
        clients.extend(clusters::measure(cluster, dske, extent.clusters(), &progress).await?);
    }
    Ok(Growth {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: command.to_owned(),
        started: jiff::Timestamp::now()
            .strftime("%Y-%m-%d %H:%M UTC")
            .to_string(),
        machine: machine::this(),
        wall_s: begun.elapsed().as_secs_f64(),
        hubs,
        clients,
        shares,
        pools,
    })
}
