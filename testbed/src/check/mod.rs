//! Compares the current build with a revision: both clusters run side by side, and short windows of load alternate between
//! them, so that whatever else the machine does disturbs both alike. The results are ratios.
//!
//! | module | what it holds |
//! |---|---|
//! | [`build`] | builds the `dske` command of the working tree and of a revision |
//! | `scenario` | the loads |
//! | `cpu` | CPU time of processes |
//! | [`ratio`] | ratios with confidence intervals, and the verdict on each |
//!
//! The current load generator drives both clusters, over ETSI GS QKD 014 alone: the messages between the nodes of a cluster
//! may differ between the two builds.

pub mod build;
mod cpu;
pub mod ratio;
mod scenario;

use std::path::PathBuf;
use std::time::Duration;

use crate::eprintln;
use crate::load::{LoadError, run};

use crate::Cluster;
use crate::process::{ProcessCluster, StartError};
use build::{BuildError, Builder};
use ratio::{Comparison, Measure, Row};
use scenario::{SCENARIOS, Scenario, topology};

/// What to compare, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The revision, as git names it.
    pub revision: String,
    /// The repository.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// Rounds for each scenario. Each round measures both builds twice.
    pub rounds: u32,
    /// How long a build is measured at a time.
    pub window: Duration,
}

/// Why a comparison failed.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// One of the two commands cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A cluster cannot be started.
    #[error("the cluster of {which} cannot be started: {error}")]
    Start {
        /// Commit and subject of the build.
        which: String,
        /// Why.
        error: StartError,
    },
    /// A cluster cannot be measured.
    #[error("{which}, {scenario}: {error}")]
    Load {
        /// Commit and subject of the build.
        which: String,
        /// The scenario.
        scenario: &'static str,
        /// Why.
        error: LoadError,
    },
    /// Operations failed under the load.
    #[error("{which}, {scenario}: {failed} operations failed; the first said: {first}")]
    Failed {
        /// Commit and subject of the build.
        which: String,
        /// The scenario.
        scenario: &'static str,
        /// The number of operations that failed.
        failed: u64,
        /// The message of the first error.
        first: String,
    },
    /// The window was too short for a single operation.
    #[error("{which}, {scenario}: no operation ended within {} s; give it more with --window", .window.as_secs_f64())]
    NothingEnded {
        /// Commit and subject of the build.
        which: String,
        /// The scenario.
        scenario: &'static str,
        /// How long the window was.
        window: Duration,
    },
}

/// A build, running.
struct Side {
    which: String,
    cluster: ProcessCluster,
}

/// Builds both commands, runs both clusters, and compares them. Reports progress on standard error. Must be called on a
/// running actix system.
///
/// # Errors
/// If one of the two cannot be built, started or measured.
pub async fn compare(options: &Options) -> Result<Comparison, CheckError> {
    let builder = Builder {
        root: &options.root,
        target: &options.target,
    };
    // The revision first, so that a name that git does not know is reported at once.
    let revision = builder.revision(&options.revision)?;
    let current = builder.current()?;
    let current = start(&current).await?;
    let revision = start(&revision).await?;
    let mut rows = Vec::new();
    for scenario in &SCENARIOS {
        eprintln!("measuring: {}", scenario.name);
        let samples = alternate(&current, &revision, scenario, options).await?;
        rows.extend(Measure::ALL.map(|measure| Row::new(scenario.name, measure, &samples)));
    }
    Ok(Comparison {
        current: current.which,
        revision: revision.which,
        rows,
    })
}

async fn start(built: &build::Built) -> Result<Side, CheckError> {
    let cluster = ProcessCluster::start(&built.binary, &topology()).await;
    Ok(Side {
        which: built.which.clone(),
        cluster: cluster.map_err(|error| CheckError::Start {
            which: built.which.clone(),
            error,
        })?,
    })
}

/// Measures both builds twice in each round, in an order in which a machine that slows down favours neither.
async fn alternate(
    current: &Side,
    revision: &Side,
    scenario: &Scenario,
    options: &Options,
) -> Result<Vec<ratio::Round>, CheckError> {
    let measure = |side| window(side, scenario, options.window);
    // Once without counting, to open connections and to fill pools and caches.
    for side in [current, revision] {
        measure(side).await?;
    }
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let first = measure(current).await?;
        let others = [measure(revision).await?, measure(revision).await?];
        let last = measure(current).await?;
        rounds.push(ratio::Round {
            current: [first, last],
            revision: others,
        });
    }
    Ok(rounds)
}

/// Measures one window.
async fn window(
    side: &Side,
    scenario: &Scenario,
    window: Duration,
) -> Result<ratio::Sample, CheckError> {
    let (which, name) = (side.which.clone(), scenario.name);
    let processes = side.cluster.process_ids();
    let load = scenario.load(side.cluster.topology(), window);
    let before = cpu::used_s(&processes);
    let report = run(side.cluster.topology(), &load).await;
    let after = cpu::used_s(&processes);
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            return Err(CheckError::Load {
                which,
                scenario: name,
                error,
            });
        }
    };
    if let Some(first) = report.first_errors.into_values().next() {
        return Err(CheckError::Failed {
            which,
            scenario: name,
            failed: report.errors.into_values().sum(),
            first,
        });
    }
    if report.keys == 0 {
        return Err(CheckError::NothingEnded {
            which,
            scenario: name,
            window,
        });
    }
    // The CPU time includes operations that ended after the window.
    let keys = report.both.count * load.keys_per_call as u64;
    let cpu_s = after.zip(before).map(|(after, before)| after - before);
    Ok(ratio::Sample {
        keys_per_s: report.keys_per_s,
        p50_ms: report.both.p50_us as f64 / 1e3,
        cpu_us_per_key: cpu_s.map(|cpu_s| cpu_s * 1e6 / keys as f64),
    })
}
