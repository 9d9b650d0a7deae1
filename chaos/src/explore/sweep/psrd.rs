//! The PSRD that a key costs, compared with theory, and the PSRD that failures waste.

use std::collections::BTreeMap;

use dske::protocol::channel::PoolOwner;
use dske::protocol::signature::Signature;
use dske::psrd::BlockId;
use serde::Serialize;

use super::exchange::{Rate, exchanges};
use super::lab::Lab;
use super::latency::lossy_links;
use super::setup::{MASTER, SLAVE, Setup, ask, close, shuffled_hubs, throughout};
use super::theory;
use crate::judge::Facts;
use crate::plan::{Fault, Plan, PlannedFault};
use crate::world::observer::record::{Message, Seen};

/// N and K.
pub(crate) const CLUSTER: (u8, u8) = (5, 3);

/// Key sizes.
const SIZES_BITS: [u32; 6] = [64, 128, 256, 512, 1_024, 4_096];

/// How often keys are asked for.
const EVERY_MS: u64 = 100;

/// When the first is.
const FROM_MS: u64 = 3_000;

/// Runs of each kind of failure.
const RUNS: usize = 2;

/// Keys of such a run for each sample. Where a hub restarts it does so once in them.
const KEYS_A_SAMPLE: usize = 3;

/// How long a hub that restarts, or is cut off, is away.
const AWAY_MS: u64 = 500;

/// Keys of one size, on a healthy network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Bits of the key.
    pub bits: u32,
    /// Keys that both sides got.
    pub keys: u64,
    /// PSRD that all messages used, at all hubs, for each of these keys.
    pub bytes_per_key: f64,
    /// What it should be.
    pub bytes_in_theory: u64,
}

/// Keys of 256 bits during one kind of failure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waste {
    /// The failure.
    pub failure: String,
    /// Keys that both sides got, of those that were asked for.
    #[serde(flatten)]
    pub arrived: Rate,
    /// PSRD of exchanges with a hub that were carried through, for each key that arrived.
    pub useful_bytes_per_key: f64,
    /// PSRD of messages that came to nothing, since they or their answers never arrived, or were refused.
    pub vain_bytes_per_key: f64,
    /// PSRD that was delivered and never used, because one end forgot it or the link registered again.
    pub abandoned_bytes_per_key: f64,
    /// The last two, of all three.
    pub wasted_share: f64,
}

pub(super) fn by_size(lab: &mut Lab<'_>) -> Vec<Point> {
    let mut setup = Setup::new(lab, "size");
    let keys = lab.samples();
    let plans = SIZES_BITS.map(|bits| {
        let mut plan = setup.plan(CLUSTER.0, CLUSTER.1);
        ask(&mut plan, keys, FROM_MS, EVERY_MS);
        for call in &mut plan.calls {
            call.bits = bits;
        }
        close(&mut plan);
        plan
    });
    let found = lab.run(&plans, |facts| (arrived(facts), Spent::of(facts)));
    let points = SIZES_BITS.iter().zip(found).filter_map(|(&bits, found)| {
        let (arrived, spent) = found?;
        Some(Point {
            bits,
            keys: arrived.succeeded,
            bytes_per_key: per_key(spent.useful + spent.vain, arrived),
            bytes_in_theory: theory::psrd_bytes(CLUSTER.0, u64::from(bits / 8)),
        })
    });
    points.collect()
}

pub(super) fn by_failure(lab: &mut Lab<'_>) -> Vec<Waste> {
    /// What makes a plan fail.
    type Failure = (&'static str, fn(&mut Plan));
    const FAILURES: [Failure; 7] = [
        ("none", |_| {}),
        ("one hub down", |plan| {
            let hub = shuffled_hubs(plan)[0];
            plan.faults = vec![throughout(Fault::CrashHub { hub })];
        }),
        ("one hub restarts once", |plan| {
            let hub = shuffled_hubs(plan)[0];
            once(plan, Fault::CrashHub { hub });
        }),
        ("one hub cut off once", |plan| {
            let hubs = shuffled_hubs(plan)[..1].to_vec();
            let clients = vec![MASTER, SLAVE];
            once(plan, Fault::Partition { clients, hubs });
        }),
        ("one hub too slow", |plan| {
            let hub = shuffled_hubs(plan)[0];
            let delay_ms = 700;
            plan.faults = vec![throughout(Fault::SlowHub { hub, delay_ms })];
        }),
        ("5 % loss", |plan| lossy_links(plan, 5)),
        ("20 % loss", |plan| lossy_links(plan, 20)),
    ];
    let mut setup = Setup::new(lab, "failure");
    let keys = KEYS_A_SAMPLE * lab.samples();
    let mut plans = Vec::new();
    for (_, fail) in FAILURES {
        for _ in 0..RUNS {
            let mut plan = setup.plan(CLUSTER.0, CLUSTER.1);
            ask(&mut plan, keys, FROM_MS, EVERY_MS);
            fail(&mut plan);
            close(&mut plan);
            plans.push(plan);
        }
    }
    let found = lab.run(&plans, |facts| (arrived(facts), Spent::of(facts)));
    let runs = FAILURES.iter().zip(found.chunks(RUNS));
    runs.map(|((failure, _), found)| {
        let (mut tried, mut succeeded, mut spent) = (0, 0, Spent::default());
        for (arrived, more) in found.iter().flatten() {
            tried += arrived.tried;
            succeeded += arrived.succeeded;
            spent.useful += more.useful;
            spent.vain += more.vain;
            spent.abandoned += more.abandoned;
        }
        let arrived = Rate::of(succeeded, tried);
        let wasted = spent.vain + spent.abandoned;
        Waste {
            failure: (*failure).to_owned(),
            arrived,
            useful_bytes_per_key: per_key(spent.useful, arrived),
            vain_bytes_per_key: per_key(spent.vain, arrived),
            abandoned_bytes_per_key: per_key(spent.abandoned, arrived),
            wasted_share: wasted as f64 / (spent.useful + wasted).max(1) as f64,
        }
    })
    .collect()
}

/// In the midst of the calls.
fn once(plan: &mut Plan, fault: Fault) {
    let last_ms = plan.calls.last().map_or(0, |call| call.at_ms);
    let at_ms = u64::midpoint(FROM_MS, last_ms);
    plan.faults = vec![PlannedFault {
        at_ms,
        until_ms: at_ms + AWAY_MS,
        fault,
    }];
}

fn arrived(facts: &Facts<'_>) -> Rate {
    Rate::count(exchanges(facts).iter().map(|key| key.fetch_us.is_some()))
}

fn per_key(bytes: u64, arrived: Rate) -> f64 {
    bytes as f64 / arrived.succeeded.max(1) as f64
}

/// PSRD by what became of it, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Spent {
    useful: u64,
    vain: u64,
    abandoned: u64,
}

impl Spent {
    fn of(facts: &Facts<'_>) -> Self {
        let mut spent = Self::default();
        let messages = &facts.seen.messages;
        // By signature, which no two messages share.
        let mut through = std::collections::BTreeSet::new();
        for message in messages {
            if let Seen::Heard { to, response } = &message.what
                && response.status == 200
            {
                through.extend([to.signature.as_deref(), response.signature.as_deref()]);
            }
        }
        for signature in messages.iter().filter_map(sent_signature) {
            let bytes = used(signature);
            if through.contains(&Some(signature)) {
                spent.useful += bytes;
            } else {
                spent.vain += bytes;
            }
        }
        spent.abandoned = abandoned(facts);
        spent
    }
}

/// The signature of a message where it leaves its sender.
fn sent_signature(message: &Message) -> Option<&str> {
    match &message.what {
        Seen::Sent(request) => request.signature.as_deref(),
        Seen::Said { response, .. } => response.signature.as_deref(),
        Seen::Arrived(_) | Seen::Heard { .. } => None,
    }
}

fn used(signature: &str) -> u64 {
    Signature::from_header(Some(signature)).map_or(0, |signature| signature.allocation.total())
}

/// Bytes that were delivered and skipped. Pools are used in order, so whatever was left when a later block of the same
/// pool came into use will never be used.
fn abandoned(facts: &Facts<'_>) -> u64 {
    let mut used: BTreeMap<BlockId, u64> = BTreeMap::new();
    let signatures = facts.seen.messages.iter().filter_map(sent_signature);
    for signature in signatures.filter_map(|text| Signature::from_header(Some(text)).ok()) {
        for fragment in signature.allocation.fragments() {
            *used.entry(fragment.block()).or_default() += u64::from(fragment.size());
        }
    }
    let mut pools: BTreeMap<_, Vec<(u64, u64, u64)>> = BTreeMap::new();
    for (id, block) in &facts.seen.blocks {
        let used = used.get(id).copied().unwrap_or_default();
        let pool = (block.hub, block.client, block.owner == PoolOwner::Client);
        let blocks = pools.entry(pool).or_default();
        blocks.push((block.at_us, block.bytes.len() as u64, used));
    }
    let abandoned = pools.values_mut().map(|blocks| {
        blocks.sort_unstable();
        let last_in_use = blocks.iter().rposition(|(_, _, used)| *used > 0);
        let skipped = blocks.iter().take(last_in_use.unwrap_or(0));
        skipped.map(|(_, size, used)| size - used).sum::<u64>()
    });
    abandoned.sum()
}
