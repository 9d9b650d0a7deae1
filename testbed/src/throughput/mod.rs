//! The throughput sweep: measures clusters of real processes beside what the machine allows, and writes a report.
//!
//! | file | what it does |
//! |---|---|
//! | [`condition`] | the conditions under which a cluster is measured |
//! | [`plan`] | lists the parts, and the conditions of each |
//! | [`data`] | holds the measured data, as `throughput.json` does |
//! | [`lab`] | starts clusters and bare routes, and measures them |
//! | [`bare`] | serves a route that does nothing: the limit |
//! | `closed_loop` | drives what the load generator of `dske` does not reach |
//! | `memory` | fills hubs with shares |
//! | [`profile`] | samples where the CPU time goes |
//! | [`targets`], `peers` | the targets, and what others report |
//! | `table`, [`report`] | CSV, and the page |
//! | [`cli`] | the command, for `benches/throughput.rs` |
//!
//! Loads are those of [`crate::load`]. The conditions of a part are measured in turn, again and again, so that whatever
//! disturbs the machine disturbs all of them.

pub mod bare;
pub mod cli;
pub(crate) mod closed_loop;
pub mod condition;
pub mod data;
pub mod lab;
mod memory;
mod peers;
pub mod plan;
pub mod profile;
pub mod report;
mod table;
pub mod targets;

use std::time::Duration;

use tokio::time::Instant;

use crate::measure::{Extent, Provenance};
use condition::Condition;
use data::{LeftOut, Measured, Run, Throughput};
use lab::{Lab, LabError, Programs};
use plan::{BASE, Experiment, Part, SHARES};

/// What to measure.
pub struct Sweep {
    /// How much.
    pub extent: Extent,
    /// Which parts.
    pub parts: Vec<Part>,
    /// The command line, for the report.
    pub command: String,
    /// The programs that are started.
    pub programs: Programs,
}

/// Measures everything, and gives `progress` a line for each result. Must be called on a running actix system.
///
/// # Errors
/// If something cannot be started or does not report. Operations that fail under a load are counted instead.
pub async fn run(sweep: &Sweep, progress: impl Fn(&str)) -> Result<Throughput, LabError> {
    let begun = Instant::now();
    let mut data = Throughput {
        provenance: Provenance::starting(&sweep.command, sweep.extent),
        measured: Vec::new(),
        memory: Vec::new(),
        profiles: Vec::new(),
        left_out: Vec::new(),
    };
    let experiments = sweep.extent.experiments().into_iter();
    for experiment in experiments.filter(|e| sweep.parts.contains(&e.part)) {
        let measured = measure(&sweep.programs, experiment, &progress).await?;
        data.measured.extend(measured);
    }
    if sweep.parts.contains(&Part::Profile) {
        let taken = profile::take(&sweep.programs, sweep.extent.profile_times(), &progress);
        match taken.await {
            Ok(profiles) => data.profiles = profiles,
            Err(profile::ProfileError::Lab(error)) => return Err(error),
            Err(error) => {
                let reason = error.to_string();
                progress(&format!("profile: left out: {reason}"));
                let part = Part::Profile;
                data.left_out.push(LeftOut { part, reason });
            }
        }
    }
    if sweep.parts.contains(&Part::Memory) {
        let (shares, within) = sweep.extent.memory();
        data.memory = memory::measure(&sweep.programs, shares, within).await?;
        if let Some(last) = data.memory.last() {
            let mib = last.rss_bytes >> 20;
            progress(&format!("memory: {} shares in {mib} MiB", last.shares));
        }
    }
    data.provenance.wall_s = begun.elapsed().as_secs_f64();
    Ok(data)
}

/// Measures each condition of an experiment in turn, again and again.
async fn measure(
    programs: &Programs,
    experiment: Experiment,
    progress: &impl Fn(&str),
) -> Result<Vec<Measured>, LabError> {
    let Experiment {
        part, conditions, ..
    } = experiment;
    let lab = Lab::start(programs, &conditions).await?;
    let times = (experiment.warm_up, experiment.duration);
    let unmeasured = |condition| Measured {
        part,
        condition,
        runs: Vec::new(),
    };
    let mut all: Vec<Measured> = conditions.into_iter().map(unmeasured).collect();
    for _ in 0..experiment.repetitions {
        for i in 0..all.len() {
            let condition = at_its_rate(all[i].condition, &all);
            let mut run = lab.measure(&condition, times).await?;
            if !experiment.keeps_buckets {
                run.buckets.clear();
            }
            progress(&line(part, &condition, &run));
            all[i].condition = condition;
            all[i].runs.push(run);
        }
    }
    Ok(all)
}

/// The rate of an open loop follows from the rate that the closed loop before it has reached.
fn at_its_rate(condition: Condition, measured: &[Measured]) -> Condition {
    let capacity = measured.iter().find(|m| m.condition == BASE);
    let capacity = capacity.and_then(|m| m.spread(|run| run.keys_per_s));
    let rate = condition.share_of_capacity.zip(capacity);
    Condition {
        // One call a second is the least that a load may be.
        per_second: rate.map(|(share, capacity)| (share * capacity.median).max(1.0)),
        ..condition
    }
}

fn line(part: Part, condition: &Condition, run: &Run) -> String {
    let errors = match &run.first_error {
        Some(first) => format!(", {} failed: {first}", run.errors),
        None => String::new(),
    };
    format!(
        "{}: {}: {:.0} keys/s, {:.1} Mbit/s, median {:.2} ms{errors}",
        part.name(),
        condition,
        run.keys_per_s,
        run.mbit_per_s,
        run.p50_ms,
    )
}

impl Extent {
    /// Warm-up and sampling time. Shares stay for ten seconds after they were fetched; until they come and go at the same
    /// rate, the process writes to new pages of memory, which the system has to clear first.
    fn profile_times(self) -> (Duration, Duration) {
        match self {
            Self::Full => (Duration::from_secs(11), Duration::from_secs(3)),
            // perf takes some tenths of a second to start.
            Self::Quick => (Duration::from_millis(300), Duration::from_secs(1)),
        }
    }

    /// The shares to fill a hub with, and how long that may take.
    fn memory(self) -> (u64, Duration) {
        match self {
            Self::Full => (SHARES, Duration::from_secs(45)),
            Self::Quick => (SHARES / 10, Duration::from_secs(3)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_loop_goes_at_a_share_of_what_the_closed_loop_reached() {
        let run = Run {
            keys: 1,
            keys_per_s: 4_000.0,
            ..Run::default()
        };
        let closed = Measured {
            part: Part::Latency,
            condition: BASE,
            runs: vec![run],
        };
        let open = Condition {
            concurrency: None,
            share_of_capacity: Some(0.25),
            ..BASE
        };
        let of = |measured: &[Measured]| at_its_rate(open, measured).per_second;
        assert_eq!(of(&[closed]), Some(1_000.0));
        assert_eq!(of(&[]), None);
        assert_eq!(at_its_rate(BASE, &[]), BASE);
    }
}
