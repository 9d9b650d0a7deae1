//! The cost of more: of more hubs, clients, shares held, and pre-shared random data (PSRD).
//!
//! | file | what it does |
//! |---|---|
//! | [`data`] | holds the measured data, as `growth.json` does |
//! | `clusters` | measures the time for a key against hubs and clients |
//! | `shares` | measures time and memory against the shares that a hub holds |
//! | `pools` | measures time and memory against the size of a pool |
//! | `figure` | draws and judges a cost against what grows |
//! | `figures` | lists the figures of the page |
//! | [`report`] | writes CSV, and the page |
//! | [`cli`] | the command, for `benches/growth.rs` |

pub mod cli;
mod clusters;
pub mod data;
mod figure;
mod figures;
mod pools;
pub mod report;
mod shares;

use std::io;
use std::path::Path;
use std::time::Duration;

use dske::protocol::NameError;
use dske::psrd::{BlockError, POOL_BYTES_MAX, PoolError};
use dske::topology::TopologyError;
use tokio::time::Instant;

use crate::measure::{Extent, Provenance};
use crate::process::StartError;
use crate::throughput::condition::Subject;
use data::Growth;

/// Hubs, where the number of clients varies.
const BASE_HUBS: u8 = 5;

/// Clients, where the number of hubs varies.
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
    /// A pool refuses an operation.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The system does not report the memory of this process.
    #[error("the memory of this process cannot be read: {0}; it takes Linux with /proc mounted")]
    Memory(io::Error),
}

/// What to measure.
struct Plan {
    /// Numbers of hubs.
    hubs: &'static [u8],
    /// Numbers of clients.
    clients: &'static [usize],
    /// Most shares of a hub.
    shares_max: usize,
    /// Bytes of the largest pool.
    pool_bytes_max: usize,
    /// How often each cluster is measured.
    repetitions: usize,
    /// How long each measurement of a cluster takes.
    duration: Duration,
}

impl Plan {
    const FULL: Self = Self {
        hubs: &[3, 4, 6, 8, 12, 16, 23, 32],
        clients: &[2, 5, 10, 20, 50, 100, 200],
        shares_max: 1_000_000,
        pool_bytes_max: POOL_BYTES_MAX,
        repetitions: 3,
        duration: Duration::from_secs(1),
    };

    const QUICK: Self = Self {
        hubs: &[3, 8],
        clients: &[2, 10],
        shares_max: 10_000,
        pool_bytes_max: 1 << 20,
        repetitions: 1,
        duration: Duration::from_millis(300),
    };

    fn of(extent: Extent) -> Self {
        match extent {
            Extent::Full => Self::FULL,
            Extent::Quick => Self::QUICK,
        }
    }
}

/// Measures everything, and gives `progress` a line for each result. Must be called on a running actix system.
///
/// # Errors
/// If something cannot be started or does not report. Operations that fail under a load are counted instead.
pub async fn run(
    extent: Extent,
    command: &str,
    dske: &Path,
    progress: impl Fn(&str),
) -> Result<Growth, GrowthError> {
    let plan = Plan::of(extent);
    let provenance = Provenance::starting(command, extent);
    let begun = Instant::now();
    // Memory first: only memory that the process has never used shows as growth.
    let (shares, store) = shares::measure(plan.shares_max, &progress)?;
    let pools = pools::measure(plan.pool_bytes_max, &progress)?;
    drop(store);
    let times = (plan.repetitions, plan.duration);
    let mut growth = Growth {
        provenance,
        hubs: Vec::new(),
        clients: Vec::new(),
        shares,
        pools,
    };
    for subject in [Subject::Actors, Subject::Processes] {
        for &hubs in plan.hubs {
            let clients = BASE_CLIENTS;
            let size = clusters::Size {
                subject,
                hubs,
                clients,
            };
            let points = clusters::measure(size, dske, times, &progress).await?;
            growth.hubs.extend(points);
        }
    }
    for &clients in plan.clients {
        let size = clusters::Size {
            // So many processes would measure how the system divides two cores among them.
            subject: Subject::Actors,
            hubs: BASE_HUBS,
            clients,
        };
        let points = clusters::measure(size, dske, times, &progress).await?;
        growth.clients.extend(points);
    }
    growth.provenance.wall_s = begun.elapsed().as_secs_f64();
    Ok(growth)
}
