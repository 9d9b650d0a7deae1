//! A plan: everything that one seed draws, before the run. A fault schedule is data.
//!
//! | module | what it holds |
//! |---|---|
//! | [`call`] | exchanges between SAEs |
//! | [`canary`] | bugs that are planted on purpose, by name |
//! | [`fault`] | what the nemesis can do |
//! | [`lie`] | what a Byzantine hub can do |
//! | [`limits`] | what a plan may hold |
//! | [`attack`] | what attackers can try |
//! | [`mistake`] | what can be wrong with a call |
//! | [`invariant`] | what must hold, by name |
//! | `named` | enums whose variants have names |
//! | [`reached`] | the names of what a run can reach |
//! | [`check`], [`flaw`] | what makes a plan unusable |
//! | `topology` | the cluster as the nodes know it |
//! | [`saes`] | which SAEs there are, and who serves them |
//! | [`stream`] | one generator for each part: a new draw in one part does not change the others |

pub mod attack;
pub mod call;
pub mod canary;
pub mod check;
pub mod fault;
pub mod flaw;
pub mod invariant;
pub mod lie;
pub mod limits;
pub mod mistake;
pub(crate) mod named;
pub mod reached;
pub mod saes;
pub mod stream;
mod topology;

use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::mac::MAC_KEY_BYTES;
use dske::harness::Canary;
use dske::protocol::initiator::KeySource;
use dske::protocol::limits::{
    ATTEMPTS_MAX, EXCHANGES_MAX, NodeLimits, SHARE_BYTES_MAX, SHARES_MAX, keys_per_answer,
};
use serde::{Deserialize, Serialize};

pub use call::PlannedCall;
pub(crate) use call::TRY_AGAIN_AFTER_MS;
pub use fault::{Fault, FaultKind, PlannedFault};
pub use invariant::Invariant;
pub use lie::{Liar, Lie};
pub use mistake::Mistake;
pub use saes::{Guarantee, greedy_sae};
pub use topology::Promises;

/// Names of hubs, in order of x.
pub const HUB_NAMES: [&str; 16] = [
    "hank", "helen", "hilary", "holly", "hugo", "heidi", "henry", "hazel", "harry", "hannah",
    "hector", "hester", "hiram", "homer", "horace", "hubert",
];

/// Names of clients. Each serves one SAE of the same name, and may serve others.
pub const CLIENT_NAMES: [&str; 5] = ["carol", "celia", "cindy", "connie", "curtis"];

/// Name of the client that does not run the production code, in plans that have one, and of the SAE that it serves. It
/// is numbered behind all others.
pub const ROGUE_NAME: &str = "mallory";

/// A run, before it happens. Times are milliseconds since its beginning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Name of the campaign.
    pub campaign: String,
    /// The seed.
    pub seed: u64,
    /// The cluster.
    pub cluster: ClusterPlan,
    /// What the SAEs do, in order of time.
    pub calls: Vec<PlannedCall>,
    /// What the nemesis does, in order of time.
    pub faults: Vec<PlannedFault>,
    /// Which hubs lie, and how.
    pub liars: Vec<Liar>,
    /// When all faults and lies are over.
    pub heal_at_ms: u64,
    /// How long after that everything has to work again.
    pub recovery_ms: u64,
    /// When the run ends.
    pub end_ms: u64,
    /// A bug that is planted in the nodes on purpose. Never drawn.
    #[serde(serialize_with = "canary::serialize")]
    pub canary: Option<Canary>,
}

/// The cluster of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterPlan {
    /// Hubs (N).
    pub hubs: u8,
    /// Threshold (K).
    pub threshold: u8,
    /// Clients.
    pub clients: u8,
    /// SAEs that each client serves, beside a greedy one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub saes_per_client: u8,
    /// Shortest and longest way through the network, one way.
    pub latency_ms: (u64, u64),
    /// The same for single links, by client and hub, where they are longer or shorter than others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub link_latency_ms: Vec<Vec<(u64, u64)>>,
    /// How finely simulated time is cut.
    pub tick_ms: u64,
    /// Bytes of a block of PSRD.
    pub psrd_block_bytes: u64,
    /// A pool with less than this is refilled.
    pub psrd_low_water_bytes: u64,
    /// How long a client waits for one response of a hub.
    pub request_timeout_ms: u64,
    /// How long a call by an SAE may take.
    pub call_deadline_ms: u64,
    /// How long a client waits for the other hubs once K have a share.
    pub grace_ms: u64,
    /// Time to live of a share.
    pub share_ttl_ms: u64,
    /// Hubs that pool everything they hold, and also read the whole wire.
    pub coalition: u8,
    /// Where the randomness of keys comes from.
    pub key_source: KeySource,
    /// Most shares that a hub holds.
    #[serde(default = "shares_max")]
    pub shares_per_hub_max: u64,
    /// Most bytes of shares that a hub holds.
    #[serde(default = "share_bytes_max")]
    pub share_bytes_per_hub_max: u64,
    /// Other limits of nodes, where they are not the usual ones.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub limits: NodeLimits,
}

fn is_usual(limits: &NodeLimits) -> bool {
    *limits == NodeLimits::default()
}

fn one() -> u8 {
    1
}

fn is_one(number: &u8) -> bool {
    *number == 1
}

pub(crate) fn shares_max() -> u64 {
    SHARES_MAX as u64
}

pub(crate) fn share_bytes_max() -> u64 {
    SHARE_BYTES_MAX as u64
}

/// Bytes of the share of a key.
#[must_use]
pub fn share_bytes(bits: u32) -> u64 {
    u64::from(bits) / 8 + TAG_SECRET_BYTES as u64
}

/// Between the expiry of the last share and the end of a run: the last poll has to see it.
const DRAIN_MARGIN_MS: u64 = 2_500;

impl ClusterPlan {
    /// How many keys of a size one call can ask for. A client refuses more than the blocks carry that a link brings for
    /// the last attempt of an exchange, or than a body carries in JSON.
    #[must_use]
    pub fn keys_max(&self, bits: u32) -> u16 {
        let by_pads = self.pad_bytes() / share_bytes(bits);
        let by_room = keys_per_answer(bits as usize / 8) as u64;
        let keys = by_pads.min(by_room).min(*limits::NUMBER.end());
        u16::try_from(keys).unwrap_or(u16::MAX)
    }

    /// How many bits a key may have so that one call can ask for it.
    #[must_use]
    pub fn bits_max(&self) -> usize {
        let bytes = self.pad_bytes().saturating_sub(TAG_SECRET_BYTES as u64);
        usize::try_from(bytes)
            .unwrap_or(usize::MAX)
            .saturating_mul(8)
    }

    /// Bytes of pads that a hub has for the answer to the last attempt of a fetch.
    fn pad_bytes(&self) -> u64 {
        let psrd_bytes = self.psrd_block_bytes * u64::from(ATTEMPTS_MAX - 1);
        psrd_bytes.saturating_sub(MAC_KEY_BYTES as u64)
    }

    /// When all shares have expired, if nothing happens after `last_ms`. A share may be delivered late, for as long as
    /// the background lasts (twice the deadline), and then lives.
    #[must_use]
    pub fn drained_at_ms(&self, last_ms: u64) -> u64 {
        last_ms + 2 * self.call_deadline_ms + self.share_ttl_ms + DRAIN_MARGIN_MS
    }
}

impl Plan {
    /// When the run may end at the earliest.
    #[must_use]
    pub fn shortest_end_ms(&self) -> u64 {
        let calls = self.calls.iter();
        let last_ms = calls.map(|call| call.last_asked_ms(&self.cluster)).max();
        let last_ms = last_ms.unwrap_or(0);
        self.cluster.drained_at_ms(last_ms.max(self.heal_at_ms))
    }

    /// Whether the network or a node is disturbed for this pair at any moment of `from_ms..until_ms`, so that an
    /// exchange may legitimately fail.
    #[must_use]
    pub fn is_disturbed(&self, client: usize, hub: usize, from_ms: u64, until_ms: u64) -> bool {
        let overlaps = |a: u64, b: u64| a < until_ms && from_ms < b;
        self.faults.iter().any(|planned| {
            overlaps(planned.at_ms, planned.until_ms)
                && planned.fault.disturbs(client, hub, &self.cluster)
        })
    }

    /// The faults that are active at a moment.
    pub fn faults_at(&self, at_ms: u64) -> impl Iterator<Item = &Fault> {
        let now = move |planned: &&PlannedFault| (planned.at_ms..planned.until_ms).contains(&at_ms);
        self.faults.iter().filter(now).map(|planned| &planned.fault)
    }

    /// Whether a client runs the production code. One that does not is numbered behind all that do.
    #[must_use]
    pub fn is_honest(&self, client: usize) -> bool {
        client < usize::from(self.cluster.clients)
    }

    /// Whether there is a client that does not run the production code.
    #[must_use]
    pub fn has_rogue(&self) -> bool {
        let is_rogue = |fault: &PlannedFault| matches!(fault.fault, Fault::RogueClient { .. });
        self.faults.iter().any(is_rogue)
    }

    /// Name of a client, and of the first SAE that it serves.
    #[must_use]
    pub fn client_name(&self, client: usize) -> &'static str {
        let names = CLIENT_NAMES.get(client).filter(|_| self.is_honest(client));
        names.copied().unwrap_or(ROGUE_NAME)
    }

    /// Whether a hub lies at any moment of `from_ms..until_ms`.
    #[must_use]
    pub fn is_lying(&self, hub: usize, from_ms: u64, until_ms: u64) -> bool {
        self.liars
            .iter()
            .any(|liar| liar.hub == hub && liar.from_ms < until_ms && from_ms < liar.until_ms)
    }

    /// Whether a link may be full, since it carries fewer exchanges than is usual: then it may give up any hub at once.
    #[must_use]
    pub fn has_narrow_links(&self) -> bool {
        self.cluster.limits.exchanges_max < EXCHANGES_MAX
    }

    /// The hubs that lie at some time, in order.
    #[must_use]
    pub fn lying_hubs(&self) -> Vec<usize> {
        let mut hubs: Vec<usize> = self.liars.iter().map(|liar| liar.hub).collect();
        hubs.sort_unstable();
        hubs.dedup();
        hubs
    }

    /// The hubs that pool what they hold, in order. The cluster says how many; lying hubs come first.
    #[must_use]
    pub fn coalition(&self) -> Vec<usize> {
        self.pooling(self.cluster.coalition.into())
    }

    /// All hubs that work for the adversary: the coalition, and every hub that lies.
    #[must_use]
    pub fn adversary(&self) -> Vec<usize> {
        let pooling = usize::from(self.cluster.coalition);
        self.pooling(pooling.max(self.lying_hubs().len()))
    }

    fn pooling(&self, count: usize) -> Vec<usize> {
        let lying = self.lying_hubs();
        let others = 0..usize::from(self.cluster.hubs);
        let others = others.filter(|hub| !lying.contains(hub));
        let mut hubs: Vec<usize> = lying.iter().copied().chain(others).collect();
        hubs.truncate(count);
        hubs.sort_unstable();
        hubs
    }

    /// Whether a client is down at any moment of `from_ms..until_ms`.
    #[must_use]
    pub fn is_client_down(&self, client: usize, from_ms: u64, until_ms: u64) -> bool {
        self.faults.iter().any(|planned| {
            matches!(planned.fault, Fault::CrashClient { client: c } if c == client)
                && planned.at_ms < until_ms
                && from_ms < planned.until_ms
        })
    }
}
