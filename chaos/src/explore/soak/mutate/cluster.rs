//! Another cluster. What is drawn keeps within what the campaign `swarm` draws.

use dske::protocol::initiator::KeySource;
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use crate::campaign::draw::BLOCKS_TO_LOW_WATER;
use crate::campaign::value::Range;
use crate::plan::Plan;

const BLOCK_BYTES: Range = Range {
    from: 256,
    to: 131_072,
};

/// More or fewer hubs, or another threshold.
pub(super) fn resize(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    let cluster = &mut plan.cluster;
    match rng.random_range(0..4) {
        0 => cluster.hubs = rng.random_range(1..=16),
        1 => cluster.threshold = rng.random_range(1..=cluster.hubs),
        2 => cluster.hubs += rng.random_range(1..=2),
        _ => cluster.clients = rng.random_range(2..=5),
    }
}

/// Other latencies, or other time-outs.
pub(super) fn retime(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    let cluster = &mut plan.cluster;
    match rng.random_range(0..5) {
        0 => cluster.latency_ms = (rng.random_range(1..=4), rng.random_range(4..=40)),
        1 => cluster.request_timeout_ms = rng.random_range(300..=1_200),
        2 => cluster.call_deadline_ms = rng.random_range(2_500..=5_000),
        3 => cluster.grace_ms = rng.random_range(0..=500),
        _ => cluster.share_ttl_ms = rng.random_range(4_000..=10_000),
    }
}

/// Other blocks of PSRD, another low-water mark, or keys of another source.
pub(super) fn refill_otherwise(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    let cluster = &mut plan.cluster;
    match rng.random_range(0..3) {
        0 => cluster.psrd_block_bytes = BLOCK_BYTES.draw_wide(rng),
        1 => {
            let to = cluster.psrd_block_bytes * BLOCKS_TO_LOW_WATER;
            cluster.psrd_low_water_bytes = Range { from: 256, to }.draw_wide(rng);
        }
        _ => {
            cluster.key_source = match cluster.key_source {
                KeySource::Generator => KeySource::Psrd,
                KeySource::Psrd => KeySource::Generator,
            }
        }
    }
}
