//! What is measured, as data: all that the report shows comes from here, and so from `throughput.json`.

use std::collections::BTreeMap;
use std::fmt;

use crate::load::LoadReport;
use crate::load::report::{Bucket, Latencies};
use dske::topology::Role;
use serde::{Deserialize, Serialize};

use super::plan::{Extent, Part};

/// All of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Version of `dske`.
    pub version: String,
    /// The command that measures it again.
    pub command: String,
    /// When it began.
    pub started: String,
    /// How much was measured.
    pub extent: Extent,
    /// Where.
    pub machine: Machine,
    /// Seconds that it took.
    pub wall_s: f64,
    /// Every condition that was measured, in the order of the plan.
    pub measured: Vec<Measured>,
    /// Memory of a hub that holds many shares.
    pub memory: Vec<Held>,
    /// Where the CPU time of a key goes.
    pub profiles: Vec<Profile>,
    /// What could not be measured, and why.
    pub left_out: Vec<LeftOut>,
}

/// The machine on which everything ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Cores that may be used.
    pub cores: usize,
    /// Release of the kernel.
    pub kernel: String,
}

/// What answers the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// One process for each node, over HTTP.
    Processes,
    /// Actors in one process, without HTTP.
    Actors,
    /// A bare actix-web route that says the same as a client, and does nothing for it. Two requests count as a key.
    BareRoute,
}

/// What is wrong with one hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Nothing.
    None,
    /// Its process is killed.
    Stopped,
    /// Everything that is sent to it arrives a second late.
    Slow,
}

/// One set of circumstances.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What answers.
    pub subject: Subject,
    /// Hubs (N).
    pub hubs: u8,
    /// Threshold (K).
    pub threshold: u8,
    /// What is wrong with one hub.
    pub trouble: Trouble,
    /// Bits of each key.
    pub size_bits: usize,
    /// Keys in one call.
    pub keys_per_call: usize,
    /// Closed loop: operations at the same time.
    pub concurrency: Option<usize>,
    /// Open loop: its rate as a share of what the closed loop reached.
    pub share_of_capacity: Option<f64>,
    /// Open loop: operations that begin each second.
    pub per_second: Option<f64>,
}

/// One condition, and each time that it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// What it was measured for.
    pub part: Part,
    /// The circumstances.
    pub condition: Condition,
    /// What came of it, time after time.
    pub runs: Vec<Run>,
}

/// What came of measuring once. Latencies are of both calls together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// How long was measured, in seconds.
    pub elapsed_s: f64,
    /// Keys that both sides got, and found to be the same.
    pub keys: u64,
    /// The same for each second.
    pub keys_per_s: f64,
    /// Mbit of key for each second.
    pub mbit_per_s: f64,
    /// 50 % took no longer, in milliseconds.
    pub p50_ms: f64,
    /// 90 %.
    pub p90_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// 99.9 %.
    pub p99_9_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Operations that failed.
    pub errors: u64,
    /// What the first one said.
    pub first_error: Option<String>,
    /// CPU time of all hubs for each key, in microseconds.
    pub hubs_cpu_us_per_key: Option<f64>,
    /// CPU time of both clients for each key, in microseconds.
    pub clients_cpu_us_per_key: Option<f64>,
    /// CPU time of what makes the calls, in microseconds for each key.
    pub generator_cpu_us_per_key: Option<f64>,
    /// PSRD used up for each key, with all hubs together.
    pub psrd_bytes_per_key: Option<f64>,
    /// Resident memory of the largest hub.
    pub hub_rss_bytes: Option<u64>,
    /// How latencies are distributed, where that is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<Bucket>,
}

impl Run {
    /// Latencies, and how many keys came in which time.
    #[must_use]
    pub fn new(keys: u64, elapsed_s: f64, size_bits: usize, latencies: &Latencies) -> Self {
        let keys_per_s = keys as f64 / elapsed_s.max(f64::MIN_POSITIVE);
        let ms = |us: u64| us as f64 / 1e3;
        Self {
            elapsed_s,
            keys,
            keys_per_s,
            mbit_per_s: keys_per_s * size_bits as f64 / 1e6,
            p50_ms: ms(latencies.p50_us),
            p90_ms: ms(latencies.p90_us),
            p99_ms: ms(latencies.p99_us),
            p99_9_ms: ms(latencies.p99_9_us),
            max_ms: ms(latencies.max_us),
            buckets: latencies.buckets.clone(),
            ..Self::default()
        }
    }
}

impl From<&LoadReport> for Run {
    fn from(report: &LoadReport) -> Self {
        let per_key = |value: f64| (report.keys > 0).then(|| value / report.keys as f64);
        let psrd: Option<u64> = {
            let told = report.nodes.iter().filter_map(|node| node.psrd_bytes);
            told.reduce(|a, b| a + b)
        };
        let hubs = report.nodes.iter().filter(|node| node.role == Role::Hub);
        Self {
            errors: report.errors_total(),
            first_error: report.first_errors.values().next().cloned(),
            hubs_cpu_us_per_key: report.cpu_us_per_key(Role::Hub),
            clients_cpu_us_per_key: report.cpu_us_per_key(Role::Client),
            generator_cpu_us_per_key: per_key(report.generator_cpu_s * 1e6),
            psrd_bytes_per_key: psrd.and_then(|bytes| per_key(bytes as f64)),
            hub_rss_bytes: hubs.filter_map(|node| node.rss_bytes).max(),
            ..Self::new(
                report.keys,
                report.elapsed_s,
                report.load.size_bits,
                &report.both,
            )
        }
    }
}

/// What a hub took when it held so many shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Shares held, of keys of 256 bits.
    pub shares: u64,
    /// Resident memory of its process.
    pub rss_bytes: u64,
}

/// Where the CPU time of a key goes under one condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// What load there was while it was taken.
    pub condition: Condition,
    /// Samples of all nodes.
    pub samples: u64,
    /// Whether the kernel's share could be seen.
    pub kernel_seen: bool,
    /// Each role's own.
    pub roles: Vec<RoleProfile>,
}

/// CPU time of the nodes that have one role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RoleProfile {
    /// `hubs` (all of them), `initiator` or `responder`.
    pub role: String,
    /// Microseconds for each key, by what they were for.
    pub us_per_key: BTreeMap<String, f64>,
    /// The functions in which most of it was spent.
    pub functions: Vec<Function>,
}

/// A function by itself, without those that it calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What its time counts as.
    pub category: String,
    /// Microseconds for each key.
    pub us_per_key: f64,
}

/// A part that could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The part.
    pub part: Part,
    /// Why.
    pub reason: String,
}

impl Throughput {
    /// What was measured for one part.
    pub fn of(&self, part: Part) -> impl Iterator<Item = &Measured> {
        self.measured.iter().filter(move |m| m.part == part)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match self.subject {
            Subject::Processes => "processes",
            Subject::Actors => "actors",
            Subject::BareRoute => "bare route",
        };
        let Self {
            hubs, threshold, ..
        } = self;
        write!(f, "{subject}, {threshold} of {hubs} hubs")?;
        match self.trouble {
            Trouble::None => {}
            Trouble::Stopped => write!(f, ", one stopped")?,
            Trouble::Slow => write!(f, ", one slow")?,
        }
        write!(f, ", {} × {} bits", self.keys_per_call, self.size_bits)?;
        match (self.concurrency, self.per_second) {
            (Some(concurrency), _) => write!(f, ", concurrency {concurrency}"),
            (None, Some(rate)) => write!(f, ", {rate:.0} calls/s"),
            (None, None) => Ok(()),
        }
    }
}
