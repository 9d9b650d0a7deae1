//! A plan: everything that one seed draws, before the run. A fault schedule is data.
//!
//! | module | what it holds |
//! |---|---|
//! | [`canary`] | bugs that are planted on purpose, by name |
//! | [`fault`] | what the nemesis can do |
//! | [`lie`] | what a Byzantine hub can do |
//! | [`limits`] | what a plan may hold |
//! | [`attack`] | what attackers can try |
//! | [`invariant`] | what must hold, by name |
//! | `named` | enums whose variants have names |
//! | [`reached`] | the names of what a run can reach |
//! | [`check`], [`flaw`] | what makes a plan unusable |
//! | `topology` | the cluster as the nodes know it |
//! | [`stream`] | one generator for each part: a new draw in one part does not change the others |

pub mod attack;
pub mod canary;
pub mod check;
pub mod fault;
pub mod flaw;
pub mod invariant;
pub mod lie;
pub mod limits;
pub(crate) mod named;
pub mod reached;
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

pub use fault::{Fault, FaultKind, PlannedFault};
pub use invariant::Invariant;
pub use lie::{Liar, Lie};

/// Names of hubs, in order of x.
pub const HUB_NAMES: [&str; 16] = [
    "hank", "helen", "hilary", "holly", "hugo", "heidi", "henry", "hazel", "harry", "hannah",
    "hector", "hester", "hiram", "homer", "horace", "hubert",
];

/// Names of clients. Each serves one SAE of the same name.
pub const CLIENT_NAMES: [&str; 5] = ["carol", "celia", "cindy", "connie", "curtis"];

/// Name of the client that does not run the production code, in plans that have one, and of the SAE that it serves. It
/// is numbered behind all others.
pub const ROGUE_NAME: &str = "mallory";

/// What the SAE of a client that takes what it can adds to the client's name.
const GREEDY_SUFFIX: &str = "-greedy";

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

pub(crate) fn shares_max() -> u64 {
    SHARES_MAX as u64
}

pub(crate) fn share_bytes_max() -> u64 {
    SHARE_BYTES_MAX as u64
}

/// What a hub keeps for the shares of one SAE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarantee {
    /// Shares.
    pub shares: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Bytes of the share of a key.
#[must_use]
pub fn share_bytes(bits: u32) -> u64 {
    u64::from(bits) / 8 + TAG_SECRET_BYTES as u64
}

/// One key exchange between two SAEs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCall {
    /// Its number.
    pub id: u32,
    /// When the master asks.
    pub at_ms: u64,
    /// Index of the master's client.
    pub master: usize,
    /// Index of the slave's client.
    pub slave: usize,
    /// Bits of each key.
    pub bits: u32,
    /// Number of keys.
    pub number: u16,
    /// How long after the master's answer the slave asks.
    pub fetch_after_ms: u64,
    /// An SAE that is not named and tries to fetch the keys, before the slave does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intruder: Option<usize>,
    /// Whether the slaves ask once more, and must not get them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fetch_twice: bool,
    /// How long after the answer to the first time they do.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub again_after_ms: u64,
    /// How often the master asks, one call after the other, before the slaves fetch the keys of all these calls at once.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub together: u16,
    /// For a group: index of the client of one more slave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<usize>,
}

fn is_zero(ms: &u64) -> bool {
    *ms == 0
}

fn once() -> u16 {
    1
}

fn is_once(times: &u16) -> bool {
    *times == 1
}

impl PlannedCall {
    /// The keys of all calls by the master.
    #[must_use]
    pub fn keys(&self) -> u64 {
        u64::from(self.number) * u64::from(self.together)
    }

    /// When the last SAE asks, at the latest, if nothing takes time.
    fn last_asked_ms(&self) -> u64 {
        self.at_ms + self.fetch_after_ms + self.again_after_ms
    }

    /// The clients of all slaves.
    pub fn slaves(&self) -> impl Iterator<Item = usize> {
        [self.slave].into_iter().chain(self.also)
    }
}

/// Between the expiry of the last share and the end of a run: the last poll has to see it.
const DRAIN_MARGIN_MS: u64 = 2_500;

impl ClusterPlan {
    /// How many keys of a size one call can ask for. A client refuses more than the blocks carry that a link brings for
    /// the last attempt of an exchange, or than a body carries in JSON.
    #[must_use]
    pub fn keys_max(&self, bits: u32) -> u16 {
        let psrd_bytes = self.psrd_block_bytes * u64::from(ATTEMPTS_MAX - 1);
        let share_bytes = share_bytes(bits);
        let by_pads = psrd_bytes.saturating_sub(MAC_KEY_BYTES as u64) / share_bytes;
        let by_room = keys_per_answer(bits as usize / 8) as u64;
        let keys = by_pads.min(by_room).min(*limits::NUMBER.end());
        u16::try_from(keys).unwrap_or(u16::MAX)
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
        let last_ms = self.calls.iter().map(PlannedCall::last_asked_ms).max();
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

    /// Whether one SAE of a client takes what it can.
    #[must_use]
    pub fn has_greedy(&self, client: usize) -> bool {
        self.faults.iter().any(
            |planned| matches!(planned.fault, Fault::GreedySae { client: c, .. } if c == client),
        )
    }

    /// The SAEs that a client serves: one of its own name, and the greedy one if there is one.
    #[must_use]
    pub fn saes_of(&self, client: usize) -> Vec<String> {
        let name = self.client_name(client);
        let greedy = self.has_greedy(client).then(|| greedy_sae(name));
        std::iter::once(name.to_owned()).chain(greedy).collect()
    }

    /// How much of its store each hub keeps for the shares of a master SAE, whatever others deposit: half of it, in equal
    /// parts for all clients, and each part in equal parts for the client's SAEs. `None` for an SAE that there is not.
    #[must_use]
    pub fn guarantee(&self, sae: &str) -> Option<Guarantee> {
        let clients = usize::from(self.cluster.clients) + usize::from(self.has_rogue());
        let mut saes = (0..clients).map(|client| self.saes_of(client));
        let saes = saes.find(|saes| saes.iter().any(|one| one == sae))?;
        let part = |max: u64| max / 2 / clients as u64 / saes.len() as u64;
        Some(Guarantee {
            shares: part(self.cluster.shares_per_hub_max),
            bytes: part(self.cluster.share_bytes_per_hub_max),
        })
    }

    /// Name of a client, and of the SAE that it serves.
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

/// The SAE of a client that takes what it can.
#[must_use]
pub fn greedy_sae(client: &str) -> String {
    format!("{client}{GREEDY_SUFFIX}")
}
