//! The format of a campaign file. Every field is explained in `docs/campaigns.md`.

use dske::protocol::initiator::KeySource;
use dske::protocol::limits::NodeLimits;
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::value::{Choice, Count, Latency, Range, Swarm};
use crate::plan::{self, ClusterPlan, FaultKind, Liar, Lie, PlannedCall, PlannedFault};

/// A campaign file, as it is written: either distributions, or a schedule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CampaignFile {
    pub(super) about: String,
    pub(super) seeds: Option<Spanned<u64>>,
    pub(super) swarm: Option<Spanned<Swarm>>,
    pub(super) cluster: Option<Spanned<ClusterSection>>,
    pub(super) workload: Option<Spanned<WorkloadSection>>,
    #[serde(default)]
    pub(super) faults: Vec<Spanned<FaultSection>>,
    pub(super) nemesis: Option<Spanned<NemesisSection>>,
    pub(super) lies: Option<Spanned<LiesSection>>,
    pub(super) schedule: Option<ScheduleSection>,
    #[serde(default)]
    pub(super) expect: ExpectSection,
}

/// What the plans of a campaign are drawn from.
#[derive(Debug, Clone)]
pub struct Distributions {
    /// Whether runs switch kinds of faults and lies off.
    pub swarm: Swarm,
    /// The cluster.
    pub cluster: Spanned<ClusterSection>,
    /// What the SAEs do.
    pub workload: Spanned<WorkloadSection>,
    /// What the nemesis does.
    pub faults: Vec<Spanned<FaultSection>>,
    /// Limits of what the nemesis does.
    pub nemesis: NemesisSection,
    /// Which hubs lie.
    pub lies: Option<Spanned<LiesSection>>,
}

/// The section `[cluster]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSection {
    /// Hubs (N).
    pub hubs: Range,
    /// Threshold (K).
    pub threshold: Range,
    /// Clients.
    #[serde(default = "three")]
    pub clients: Range,
    /// SAEs that each client serves.
    #[serde(default = "alone")]
    pub saes_per_client: Range,
    /// Shortest and longest way through the network, one way.
    #[serde(default = "latency_ms")]
    pub latency_ms: Latency,
    /// How finely simulated time is cut.
    #[serde(default = "tick_ms")]
    pub tick_ms: u64,
    /// Bytes of a block of PSRD.
    #[serde(default = "psrd_block_bytes")]
    pub psrd_block_bytes: Range,
    /// A pool with less than this is refilled.
    #[serde(default = "psrd_low_water_bytes")]
    pub psrd_low_water_bytes: Range,
    /// How long a client waits for one response of a hub.
    #[serde(default = "request_timeout_ms")]
    pub request_timeout_ms: Range,
    /// How long a call by an SAE may take.
    #[serde(default = "call_deadline_ms")]
    pub call_deadline_ms: Range,
    /// How long a client waits for the other hubs once K have a share.
    #[serde(default = "grace_ms")]
    pub grace_ms: Range,
    /// Time to live of a share.
    #[serde(default = "share_ttl_ms")]
    pub share_ttl_ms: Range,
    /// Hubs that pool all that they hold.
    #[serde(default = "below_threshold")]
    pub coalition: Count,
    /// Where the randomness of keys comes from.
    #[serde(default = "generator")]
    pub key_source: Choice<KeySource>,
    /// Most shares that a hub holds.
    #[serde(default = "shares_per_hub_max")]
    pub shares_per_hub_max: Range,
    /// Most bytes of shares that a hub holds.
    #[serde(default = "share_bytes_per_hub_max")]
    pub share_bytes_per_hub_max: Range,
    /// Other limits of nodes.
    #[serde(default)]
    pub limits: NodeLimits,
}

fn shares_per_hub_max() -> Range {
    Range::just(plan::shares_max())
}

fn share_bytes_per_hub_max() -> Range {
    Range::just(plan::share_bytes_max())
}

fn three() -> Range {
    Range::just(3)
}

fn latency_ms() -> Latency {
    Latency {
        shortest: Range::just(1),
        longest: Range::just(8),
    }
}

fn tick_ms() -> u64 {
    2
}

fn psrd_block_bytes() -> Range {
    Range::just(16_384)
}

fn psrd_low_water_bytes() -> Range {
    Range::just(4_096)
}

fn request_timeout_ms() -> Range {
    Range::just(500)
}

fn call_deadline_ms() -> Range {
    Range::just(3_000)
}

fn grace_ms() -> Range {
    Range::just(200)
}

fn share_ttl_ms() -> Range {
    Range::just(8_000)
}

fn below_threshold() -> Count {
    Count::BelowThreshold
}

fn generator() -> Choice<KeySource> {
    Choice::just(KeySource::Generator)
}

/// The section `[workload]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSection {
    /// Length of the phase of faults.
    pub duration_s: u64,
    /// Calls a second.
    pub calls_per_second: Range,
    /// Calls that are made at the same moment as the one before.
    #[serde(default)]
    pub burst_percent: u32,
    /// Key sizes to choose from.
    #[serde(default = "bits")]
    pub bits: Vec<u32>,
    /// Keys in one call.
    #[serde(default = "number")]
    pub number: Range,
    /// How long after the master the slave asks.
    #[serde(default = "fetch_after_ms")]
    pub fetch_after_ms: Range,
    /// Calls of which an SAE that is not named tries to fetch the keys.
    #[serde(default)]
    pub intruder_percent: u32,
    /// Calls of which the slave asks twice.
    #[serde(default)]
    pub fetch_twice_percent: u32,
    /// How long after the answer to the first time it does.
    #[serde(default = "at_once")]
    pub again_after_ms: Range,
    /// Calls by the master whose keys the slaves fetch at once.
    #[serde(default = "alone")]
    pub together: Range,
    /// Calls that name one more slave.
    #[serde(default)]
    pub group_percent: u32,
    /// How long after the first slave the other one asks.
    #[serde(default = "at_once")]
    pub also_after_ms: Range,
    /// How often a slave asks at most until it is given its keys.
    #[serde(default = "alone")]
    pub tries: Range,
    /// Calls before which the master asks for the status of its KME.
    #[serde(default)]
    pub status_percent: u32,
    /// Calls in which the slave is the master itself.
    #[serde(default)]
    pub self_percent: u32,
    /// Calls beside which an SAE makes one with a mistake.
    #[serde(default)]
    pub mistake_percent: u32,
}

fn at_once() -> Range {
    Range::just(0)
}

fn alone() -> Range {
    Range::just(1)
}

fn bits() -> Vec<u32> {
    vec![128, 256, 512]
}

fn number() -> Range {
    Range { from: 1, to: 4 }
}

fn fetch_after_ms() -> Range {
    Range { from: 0, to: 1_000 }
}

/// An entry of `[[faults]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSection {
    /// What it is.
    pub kind: FaultKind,
    /// How many in a minute, on average. Not for one with a fixed time.
    #[serde(default)]
    pub per_minute: Option<u64>,
    /// How long each lasts.
    pub duration_ms: Range,
    /// When it begins, for one with a fixed time.
    #[serde(default)]
    pub at_ms: Option<u64>,
    /// How many hubs it is about.
    #[serde(default = "one")]
    pub hubs: Count,
    /// How many clients it is about.
    #[serde(default = "one_client")]
    pub clients: Range,
    /// For `slow-link`: latency in milliseconds; for `lossy-link`: messages lost, in percent; for `slow-hub`: delay in
    /// milliseconds; for `flood` and `rogue-client`: messages a second; for `greedy-sae`: calls a second.
    #[serde(default)]
    pub strength: Option<Range>,
}

fn one() -> Count {
    Count::Range(Range::just(1))
}

fn one_client() -> Range {
    Range::just(1)
}

/// The section `[nemesis]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NemesisSection {
    /// Hubs that are disturbed at the same moment at most, in the first half.
    pub hubs_down_max: Count,
    /// The same for the second half.
    pub hubs_down_max_late: Option<Count>,
    /// How long after everything has healed all must work again.
    pub recovery_ms: u64,
}

impl Default for NemesisSection {
    fn default() -> Self {
        Self {
            hubs_down_max: Count::All,
            hubs_down_max_late: None,
            recovery_ms: 3_000,
        }
    }
}

/// The section `[lies]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiesSection {
    /// How many hubs lie.
    pub liars: Count,
    /// What they draw from.
    #[serde(default)]
    pub kinds: Option<Vec<Lie>>,
    /// How often they lie, in percent of their answers.
    pub rate_percent: Range,
    /// For how long, from a drawn moment. Without it: as long as there are faults.
    #[serde(default)]
    pub duration_ms: Option<Range>,
}

/// The section `[schedule]`: a whole plan, with what tells whether it still means the same.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleSection {
    /// The version of `dske` that made the schedule. It is checked before the rest of the file is read.
    #[serde(rename = "version")]
    pub(super) _version: IgnoredAny,
    /// The campaign whose streams the run draws from.
    pub(super) campaign: Spanned<String>,
    pub(super) seed: Spanned<u64>,
    pub(super) heal_at_ms: Spanned<u64>,
    pub(super) recovery_ms: Spanned<u64>,
    pub(super) end_ms: Spanned<u64>,
    pub(super) canary: Option<Spanned<String>>,
    pub(super) cluster: Spanned<ClusterPlan>,
    #[serde(default)]
    pub(super) calls: Vec<Spanned<PlannedCall>>,
    #[serde(default)]
    pub(super) faults: Vec<Spanned<PlannedFault>>,
    #[serde(default)]
    pub(super) liars: Vec<Spanned<Liar>>,
}

/// The section `[expect]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectSection {
    /// What has to be reached, or the campaign is weak.
    pub reached: Vec<Spanned<String>>,
    /// For a negative control: the invariant that it must break.
    pub breaks: Option<Spanned<String>>,
    /// How many of 100 calls one excuse may cover, or the campaign is weak.
    pub excused_percent_max: Option<Spanned<u64>>,
}
