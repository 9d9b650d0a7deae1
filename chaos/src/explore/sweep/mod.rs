//! The sweep repeats one experiment and changes one thing at a time, until a curve can be drawn.
//!
//! Campaigns look for what breaks; a sweep measures how far things go. Its plans are not drawn from distributions but made
//! one by one. They run like any other, and all invariants judge every run. `docs/sweep.md` says how each figure is made.
//!
//! | module | what it holds |
//! |---|---|
//! | [`map`] | keys that arrive, by hubs that crashed and hubs that lie |
//! | [`latency`] | how long a key takes, by slow hubs and by loss |
//! | [`recovery`] | how long it takes until keys arrive again after a partition |
//! | [`psrd`] | PSRD that a key costs, and what failures waste |
//! | [`cost`] | bytes and messages of a key, by N and K |
//! | [`collusion`] | keys that colluding hubs find out |
//! | [`wan`] | how long a key takes between cities |
//! | [`theory`] | what should come out |
//! | `setup`, `lab` | plans, and running them |
//! | `exchange`, `attack`, `cities` | what is read off a run, what colluding hubs do, and how far cities are apart |
//! | [`table`] | figures as CSV |

mod attack;
mod cities;
pub mod collusion;
pub mod cost;
mod exchange;
mod lab;
pub mod latency;
pub mod map;
pub mod psrd;
pub mod recovery;
mod setup;
pub mod table;
pub mod theory;
pub mod wan;

use serde::Serialize;

use crate::campaign::VERSION;
use crate::explore::interrupt;
use crate::outcome::RunViolation;
use crate::plan::Plan;
use crate::plan::named::named;
use lab::Lab;

named! {
    /// What can be swept by itself, in the order of the report.
    pub enum Part {
        /// Keys that arrive, by hubs that crashed and hubs that lie.
        Map = "map",
        /// Keys that colluding hubs find out.
        Collusion = "collusion",
        /// How long a key takes, by slow hubs and by loss.
        Latency = "latency",
        /// How long a key takes between cities.
        Wan = "wan",
        /// How long it takes until keys arrive again after a partition.
        Recovery = "recovery",
        /// PSRD that a key costs.
        Psrd = "psrd",
        /// Bytes and messages of a key.
        Cost = "cost",
    }
}

/// What is to be swept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Keys, or runs, for each point of a figure. What needs more of them, such as a 99th percentile, takes a multiple.
    pub samples: u32,
    /// Decides all that is drawn.
    pub seed: u64,
    /// Runs at the same time.
    pub jobs: usize,
    /// The parts, in the order of [`Part::ALL`].
    pub parts: Vec<Part>,
}

/// What came out: the contents of `reports/sweep.json`, and all that the page is drawn from. But for the real time it is
/// the same for the same options.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sweep {
    /// Version of `dske` that was measured.
    pub version: String,
    /// The command that produces the same numbers again.
    pub command: String,
    /// The seed.
    pub seed: u64,
    /// Keys, or runs, for each point of a figure.
    pub samples: u32,
    /// Runs that were made.
    pub runs: u64,
    /// Keys that masters asked for.
    pub keys_requested: u64,
    /// Keys that both sides got.
    pub keys_arrived: u64,
    /// Evaluations of invariants.
    pub checks: u64,
    /// Broken invariants. Empty is good.
    pub violations: Vec<Violation>,
    /// Simulated seconds, all runs together.
    pub simulated_seconds: f64,
    /// Real seconds.
    pub wall_seconds: f64,
    /// The part in which the sweep was interrupted: its figures and those of later ones are missing.
    pub interrupted_in: Option<String>,
    /// SHA-256 over the timelines of all runs in order, in hexadecimal.
    pub digest: String,
    /// Keys that arrive, by hubs that crashed and hubs that lie.
    pub map: Vec<map::Cell>,
    /// Keys that colluding hubs find out.
    pub collusion: Vec<collusion::Point>,
    /// How long a key takes, by slow hubs and by loss.
    pub latency: Vec<latency::Point>,
    /// How long a key takes between cities.
    pub wan: Vec<wan::Point>,
    /// How far the hubs are away from the clients there.
    pub wan_links: Vec<wan::Link>,
    /// How long it takes until keys arrive again after a partition.
    pub recovery: Vec<recovery::Point>,
    /// PSRD of a key by its size.
    pub psrd: Vec<psrd::Point>,
    /// PSRD that failures waste.
    pub waste: Vec<psrd::Waste>,
    /// Bytes and messages of a key.
    pub cost: Vec<cost::Point>,
}

/// A broken invariant.
#[derive(Debug, Clone, Serialize)]
pub struct Violation {
    /// The part during which it broke.
    pub part: String,
    /// The run's seed.
    pub seed: u64,
    /// Name of the invariant.
    pub invariant: String,
    /// Simulated milliseconds since the run began.
    pub at_ms: u64,
    /// What was expected and what was seen, by whom.
    pub detail: String,
    /// The run as a schedule. Empty if it could not be saved.
    pub file: String,
}

/// A run that broke an invariant, as it can be run again.
pub struct Broken {
    /// The plan.
    pub plan: Plan,
    /// What broke.
    pub violation: RunViolation,
}

/// Measures the given parts. `watch` is called when a run ends, with its part, the number of finished runs and their total.
/// Runs that broke something are returned beside the figures.
pub fn sweep(options: &Options, watch: impl FnMut(Part, usize, usize)) -> (Sweep, Vec<Broken>) {
    let mut lab = Lab::new(options, watch);
    let mut sweep = Sweep {
        version: VERSION.to_owned(),
        seed: options.seed,
        samples: options.samples,
        ..Sweep::default()
    };
    for &part in &options.parts {
        if sweep.interrupted_in.is_some() {
            break;
        }
        lab.begin(part);
        let whole = sweep.clone();
        match part {
            Part::Map => sweep.map = map::measure(&mut lab),
            Part::Collusion => sweep.collusion = collusion::measure(&mut lab),
            Part::Latency => sweep.latency = latency::measure(&mut lab),
            Part::Wan => (sweep.wan, sweep.wan_links) = wan::measure(&mut lab),
            Part::Recovery => sweep.recovery = recovery::measure(&mut lab),
            Part::Psrd => {
                sweep.psrd = psrd::by_size(&mut lab);
                sweep.waste = psrd::by_failure(&mut lab);
            }
            Part::Cost => sweep.cost = cost::measure(&mut lab),
        }
        if interrupt::asked() {
            // Figures of half a part would mislead. What broke in it is kept by the lab.
            sweep = Sweep {
                interrupted_in: Some(part.name().to_owned()),
                ..whole
            };
        }
    }
    lab.finish(sweep)
}
