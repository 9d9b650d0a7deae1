//! Campaigns: TOML files that say what is drawn, how often, and what must come of it; or one schedule, in which
//! nothing is left to draw. `docs/campaigns.md`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`file`](mod@file) | the file's format |
//! | [`value`] | numbers, ranges, and counts relative to N and K |
//! | [`check`] | what a campaign must not say |
//! | `checker` | errors with their lines |
//! | `distributions` | the same of distributions |
//! | [`draw`], `draw_calls`, `draw_faults` | how distributions and a seed become a plan |
//! | [`schedule`] | a plan as a file, there and back |

pub mod check;
mod checker;
mod distributions;
pub mod draw;
mod draw_calls;
pub(crate) mod draw_faults;
pub mod file;
pub mod schedule;
pub mod value;

use std::fmt;
use std::path::Path;

use dske::protocol::limits::EXCHANGES_MAX;

use crate::plan::Plan;
use file::{Distributions, ExpectSection};
use value::{Count, Range};

/// The version of `dske` that runs the campaigns.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A campaign.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Its name: the file's.
    pub name: String,
    /// What the command has to be told to find it again: its name, or the path of its file.
    pub source: String,
    /// What it does, in plain words.
    pub about: String,
    /// Seeds that are run by default.
    pub seeds: u64,
    /// Where its plans come from.
    pub plans: Plans,
    /// What must come of it.
    pub expect: ExpectSection,
}

/// Where the plans of a campaign come from.
#[derive(Debug, Clone)]
pub enum Plans {
    /// The seed draws them.
    Drawn(Box<Distributions>),
    /// There is one, the campaign's schedule.
    Fixed(Box<Plan>),
}

impl Campaign {
    /// The plan of a seed. A schedule has one plan, whatever the seed.
    #[must_use]
    pub fn plan(&self, seed: u64) -> Plan {
        match &self.plans {
            Plans::Drawn(distributions) => distributions.plan(&self.name, seed),
            Plans::Fixed(plan) => (**plan).clone(),
        }
    }

    /// The seeds that are run if `number` of them are asked for, from `first` on. A schedule has a seed of its own,
    /// and is run once.
    #[must_use]
    pub fn seeds_to_run(&self, first: Option<u64>, number: Option<u64>) -> Vec<u64> {
        if let Plans::Fixed(plan) = &self.plans {
            return vec![plan.seed];
        }
        let number = number.unwrap_or(if first.is_some() { 1 } else { self.seeds });
        let first = first.unwrap_or(1);
        (first..first.saturating_add(number)).collect()
    }

    /// The seed of one run.
    ///
    /// # Errors
    /// If none was asked for and one is needed, or another than a schedule's own.
    pub fn one_seed(&self, asked: Option<u64>) -> Result<u64, SeedError> {
        match (&self.plans, asked) {
            (Plans::Fixed(plan), Some(asked)) if asked != plan.seed => Err(SeedError::NotOwn {
                name: self.source.clone(),
                asked,
                own: plan.seed,
            }),
            (Plans::Fixed(plan), _) => Ok(plan.seed),
            (Plans::Drawn(_), Some(asked)) => Ok(asked),
            (Plans::Drawn(_), None) => Err(SeedError::Missing {
                name: self.source.clone(),
            }),
        }
    }

    /// Number of hubs (N).
    #[must_use]
    pub fn hubs(&self) -> Range {
        self.range(
            |drawn| drawn.cluster.get_ref().hubs,
            |plan| plan.cluster.hubs,
        )
    }

    /// Threshold (K).
    #[must_use]
    pub fn threshold(&self) -> Range {
        self.range(
            |drawn| drawn.cluster.get_ref().threshold,
            |plan| plan.cluster.threshold,
        )
    }

    /// Number of clients.
    #[must_use]
    pub fn clients(&self) -> Range {
        self.range(
            |drawn| drawn.cluster.get_ref().clients,
            |plan| plan.cluster.clients,
        )
    }

    fn range(&self, drawn: fn(&Distributions) -> Range, fixed: fn(&Plan) -> u8) -> Range {
        match &self.plans {
            Plans::Drawn(distributions) => drawn(distributions),
            Plans::Fixed(plan) => Range::just(fixed(plan).into()),
        }
    }

    /// Whether nothing is done to the nodes.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        match &self.plans {
            Plans::Drawn(drawn) => drawn.faults.is_empty() && drawn.lies.is_none(),
            Plans::Fixed(plan) => plan.faults.is_empty() && plan.liars.is_empty(),
        }
    }

    /// Whether SAEs ask for the status of their KME.
    #[must_use]
    pub fn asks_for_status(&self) -> bool {
        match &self.plans {
            Plans::Drawn(drawn) => drawn.workload.get_ref().status_percent > 0,
            Plans::Fixed(plan) => plan.calls.iter().any(|call| call.status),
        }
    }

    /// Whether links may be full.
    #[must_use]
    pub fn has_narrow_links(&self) -> bool {
        let limits = match &self.plans {
            Plans::Drawn(drawn) => drawn.cluster.get_ref().limits,
            Plans::Fixed(plan) => plan.cluster.limits,
        };
        limits.exchanges_max < EXCHANGES_MAX
    }

    /// Whether K hubs lie, or more.
    #[must_use]
    pub fn may_outvote(&self) -> bool {
        match &self.plans {
            Plans::Drawn(drawn) => drawn
                .lies
                .as_ref()
                .is_some_and(|lies| matches!(lies.get_ref().liars, Count::Threshold | Count::All)),
            Plans::Fixed(plan) => plan.lying_hubs().len() >= usize::from(plan.cluster.threshold),
        }
    }

    /// How many of 100 calls one excuse may cover, or the campaign is weak. A schedule may be about nothing but a call that
    /// is excused.
    #[must_use]
    pub fn excused_percent_max(&self) -> u64 {
        let said = self.expect.excused_percent_max.as_ref();
        let default = match &self.plans {
            Plans::Drawn(_) => EXCUSED_PERCENT_MAX,
            Plans::Fixed(_) => 100,
        };
        said.map_or(default, |percent| *percent.get_ref())
    }

    /// The command that replays one of its runs.
    #[must_use]
    pub fn replay_command(&self, seed: u64) -> String {
        let seed = match &self.plans {
            Plans::Drawn(_) => format!(" --seed {seed}"),
            Plans::Fixed(_) => String::new(),
        };
        format!("cargo chaos replay {}{seed} --trace", quoted(&self.source))
    }
}

/// A name or path as it has to be typed in a shell.
#[must_use]
pub fn quoted(source: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if source.chars().all(plain) {
        source.to_owned()
    } else {
        format!("'{}'", source.replace('\'', "'\\''"))
    }
}

/// A seed that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// None was named.
    #[error("{name}: which run? Add --seed <SEED>")]
    Missing {
        /// The campaign, as it was asked for.
        name: String,
    },
    /// A schedule has its own.
    #[error("{name}: is a schedule of seed {own}, not {asked}; leave --seed out")]
    NotOwn {
        /// The schedule, as it was asked for.
        name: String,
        /// The seed that was asked for.
        asked: u64,
        /// The schedule's.
        own: u64,
    },
}

/// The campaigns that come with the command, in the order in which they run.
const BUILT_IN: &[(&str, &str)] = &[
    ("calm", include_str!("../../campaigns/calm.toml")),
    ("callers", include_str!("../../campaigns/callers.toml")),
    ("busy", include_str!("../../campaigns/busy.toml")),
    (
        "partitions",
        include_str!("../../campaigns/partitions.toml"),
    ),
    ("crashes", include_str!("../../campaigns/crashes.toml")),
    ("swapped", include_str!("../../campaigns/swapped.toml")),
    ("lossy", include_str!("../../campaigns/lossy.toml")),
    (
        "byzantine-minority",
        include_str!("../../campaigns/byzantine-minority.toml"),
    ),
    (
        "byzantine-majority",
        include_str!("../../campaigns/byzantine-majority.toml"),
    ),
    (
        "byzantine-framing",
        include_str!("../../campaigns/byzantine-framing.toml"),
    ),
    (
        "byzantine-forgery",
        include_str!("../../campaigns/byzantine-forgery.toml"),
    ),
    (
        "byzantine-rivals",
        include_str!("../../campaigns/byzantine-rivals.toml"),
    ),
    (
        "rivals-control",
        include_str!("../../campaigns/rivals-control.toml"),
    ),
    ("collusion", include_str!("../../campaigns/collusion.toml")),
    (
        "collusion-control",
        include_str!("../../campaigns/collusion-control.toml"),
    ),
    ("drought", include_str!("../../campaigns/drought.toml")),
    (
        "lost-blocks",
        include_str!("../../campaigns/lost-blocks.toml"),
    ),
    ("scarcity", include_str!("../../campaigns/scarcity.toml")),
    ("repeats", include_str!("../../campaigns/repeats.toml")),
    ("limits", include_str!("../../campaigns/limits.toml")),
    ("tight", include_str!("../../campaigns/tight.toml")),
    ("narrow", include_str!("../../campaigns/narrow.toml")),
    (
        "correction",
        include_str!("../../campaigns/correction.toml"),
    ),
    ("greedy", include_str!("../../campaigns/greedy.toml")),
    ("siege", include_str!("../../campaigns/siege.toml")),
    ("absence", include_str!("../../campaigns/absence.toml")),
    ("search", include_str!("../../campaigns/search.toml")),
    ("storm", include_str!("../../campaigns/storm.toml")),
    ("swarm", include_str!("../../campaigns/swarm.toml")),
];

/// How many of 100 calls one excuse may cover in a campaign that does not say otherwise.
const EXCUSED_PERCENT_MAX: u64 = 5;

/// Largest campaign file that is read, in bytes: a schedule with as many calls, faults and liars as it may have, at
/// 150 bytes each, fits.
const FILE_BYTES_MAX: u64 = 5 * 1024 * 1024;

/// A campaign that cannot be used. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CampaignError {
    /// The file, or the name that was asked for.
    pub file: String,
    /// The line, from 1, if it is about one.
    pub line: Option<usize>,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl fmt::Display for CampaignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Names of the campaigns that come with the command.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// A campaign by the name of one that comes with the command, or by the path of a file (with a `/`, or ending in
/// `.toml`).
///
/// # Errors
/// If there is none of this name, or the file says something that cannot be.
pub fn load(name: &str) -> Result<Campaign, CampaignError> {
    let mut campaign = if name.contains('/') || name.ends_with(".toml") {
        read(name)?
    } else {
        built_in(name)?
    };
    name.clone_into(&mut campaign.source);
    Ok(campaign)
}

fn built_in(name: &str) -> Result<Campaign, CampaignError> {
    match BUILT_IN.iter().find(|(known, _)| *known == name) {
        Some((name, text)) => check::parse(name, &format!("{name}.toml"), text),
        None => Err(CampaignError {
            file: name.to_owned(),
            line: None,
            message: format!(
                "there is no such campaign; there are {}, and files that end in .toml",
                names().collect::<Vec<_>>().join(", ")
            ),
        }),
    }
}

fn read(file: &str) -> Result<Campaign, CampaignError> {
    let fail = |message: String| CampaignError {
        file: file.to_owned(),
        line: None,
        message,
    };
    let path = Path::new(file);
    let size = std::fs::metadata(path)
        .map_err(|e| fail(format!("cannot be read: {e}")))?
        .len();
    if size > FILE_BYTES_MAX {
        return Err(fail(format!(
            "has {size} bytes, a campaign has at most {FILE_BYTES_MAX}"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
    let name = path
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    check::parse(&name, file, &text)
}
