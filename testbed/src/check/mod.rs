//! Compares the current build with a revision: both clusters run side by side, and short windows of load alternate
//! between them, so that whatever else the machine does meets both alike. What comes out is ratios.
//!
//! | module | what it holds |
//! |---|---|
//! | [`build`] | the `dske` command of the working tree, and of a revision |
//! | `scenario` | what is measured |
//! | `cpu` | CPU time of processes |
//! | [`ratio`] | ratios with confidence intervals, and what they mean |
//!
//! Both clusters are put under load by the current load generator, over ETSI GS QKD 014 alone: what the nodes of a
//! cluster say to each other may differ between the two.

pub mod build;
mod cpu;
pub mod ratio;
mod scenario;

use std::path::PathBuf;
use std::time::Duration;

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
    /// Where cargo builds it.
    pub target: PathBuf,
    /// Rounds for each scenario. In each, both are measured twice.
    pub rounds: u32,
    /// How long each is measured at a time.
    pub window: Duration,
}

/// Why nothing came of a comparison.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// One of the two cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A cluster cannot be started.
    #[error("the cluster of {which} cannot be started: {error}")]
    Start {
        /// Which of the two.
        which: String,
        /// Why.
        error: StartError,
    },
    /// A cluster cannot be measured.
    #[error("{which}, {scenario}: {error}")]
    Load {
        /// Which of the two.
        which: String,
        /// What was measured.
        scenario: &'static str,
        /// Why.
        error: LoadError,
    },
    /// Operations failed.
    #[error("{which}, {scenario}: {failed} operations failed; the first said: {first}")]
    Failed {
        /// Which of the two.
        which: String,
        /// What was measured.
        scenario: &'static str,
        /// How many.
        failed: u64,
        /// What the first error said.
        first: String,
    },
    /// Too little time for a single operation.
    #[error("{which}, {scenario}: no operation ended within {} s; give it more with --window", .window.as_secs_f64())]
    NothingEnded {
        /// Which of the two.
        which: String,
        /// What was measured.
        scenario: &'static str,
        /// How long it was given.
        window: Duration,
    },
}

/// One of the two.
struct Side {
    which: String,
    cluster: ProcessCluster,
}

/// Builds both, runs both, and compares. Says on standard error how far it is. Has to be called on a running actix system.
///
/// # Errors
/// If one of the two cannot be built, started or measured.
pub async fn compare(options: &Options) -> Result<Comparison, CheckError> {
    let builder = Builder {
        root: &options.root,
        target: &options.target,
    };
    // The revision first: a name that git does not know is told at once.
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

/// Both twice in each round, in an order in which a machine that becomes slower favours neither.
async fn alternate(
    current: &Side,
    revision: &Side,
    scenario: &Scenario,
    options: &Options,
) -> Result<Vec<ratio::Round>, CheckError> {
    let measure = |side| window(side, scenario, options.window);
    // Connections, pools and caches.
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

/// One measurement.
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
    // The processes worked for what ended after the window, too.
    let keys = report.both.count * load.keys_per_call as u64;
    let cpu_s = after.zip(before).map(|(after, before)| after - before);
    Ok(ratio::Sample {
        keys_per_s: report.keys_per_s,
        p50_ms: report.both.p50_us as f64 / 1e3,
        cpu_us_per_key: cpu_s.map(|cpu_s| cpu_s * 1e6 / keys as f64),
    })
}
