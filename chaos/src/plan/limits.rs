//! What a plan may hold, in one place. Campaign files and schedules keep to the same limits.

use std::ops::RangeInclusive;

use dske::protocol::limits::{KEY_BYTES_MAX, SHARE_BYTES_MAX, SHARES_MAX};

use super::{CLIENT_NAMES, HUB_NAMES};

/// From and to, both allowed.
pub type Limit = RangeInclusive<u64>;

/// Hubs: limited by the names that there are.
pub const HUBS: Limit = 1..=HUB_NAMES.len() as u64;

/// Clients: a master and a slave at least, limited by the names that there are.
pub const CLIENTS: Limit = 2..=CLIENT_NAMES.len() as u64;

/// SAEs of each client: all of them may have accounts of their own, and some more tell nothing new.
pub const SAES_PER_CLIENT: Limit = 1..=3;

/// One way through the network: beyond a second, every call fails for that alone. At 0 a message would arrive within the
/// tick in which it was sent, in which each host has a clock of its own: it could be seen to arrive before it was sent.
pub const LATENCY_MS: Limit = 1..=1_000;

/// Coarser ticks than the shortest time-outs would round them away.
pub const TICK_MS: Limit = 1..=100;

/// Bytes of a block of PSRD: from less than one message needs to more than a run spends.
pub const PSRD_BLOCK_BYTES: Limit = 256..=1 << 23;

/// Bytes below which a pool is refilled.
pub const PSRD_LOW_WATER_BYTES: Limit = 1..=1 << 23;

/// A client waits so long for one response.
pub const REQUEST_TIMEOUT_MS: Limit = 10..=60_000;

/// A call by an SAE may take so long.
pub const CALL_DEADLINE_MS: Limit = 100..=60_000;

/// Wait for the other hubs once K have a share.
pub const GRACE_MS: Limit = 0..=60_000;

/// Time to live of a share. A run waits until the last one has expired.
pub const SHARE_TTL_MS: Limit = 1_000..=600_000;

/// Length of the phase of faults: an hour.
pub const HEAL_AT_MS: Limit = 0..=3_600_000;

/// How long after healing all must work again.
pub const RECOVERY_MS: Limit = 0..=600_000;

/// Length of a run: the longest phase of faults, recovery, and twice the longest life of a share after them.
pub const END_MS: Limit = 0..=7_200_000;

/// Before the first call: the nodes start with the run, and have to find each other.
pub const FIRST_CALL_MS: u64 = 1_000;

/// Keys in one call: what one message holds.
pub const NUMBER: Limit = 1..=128;

/// Bits of a key, in steps of 8.
pub const BITS: Limit = 64..=8 * KEY_BYTES_MAX as u64;

/// A slave asks once more after so long at most: when the longest life of a share is over, it can be told that.
pub const AGAIN_AFTER_MS: Limit = 0..=*SHARE_TTL_MS.end();

/// Calls of a slave until it is given its keys.
pub const TRIES: Limit = 1..=8;

/// Calls by the master whose keys are fetched at once.
pub const TOGETHER: Limit = 1..=16;

/// Shares of a hub.
pub const SHARES_PER_HUB: Limit = 1..=SHARES_MAX as u64;

/// Bytes of a hub's shares, from what a topology allows.
pub const SHARE_BYTES_PER_HUB: Limit = 1 << 20..=SHARE_BYTES_MAX as u64;

/// Strength of a fault: milliseconds, or messages a second.
pub const STRENGTH: Limit = 1..=10_000;

/// Messages that a link loses. One that loses all of them is a partition.
pub const LOSS_PERCENT: Limit = 1..=90;

/// Calls that one excuse may cover.
pub const EXCUSED_PERCENT: Limit = 0..=100;

/// How many of its answers are lies. A hub that never lies is honest.
pub const RATE_PERCENT: Limit = 1..=100;

#[cfg(test)]
mod tests {
    use dske::protocol::limits::SUBSETS_MAX;

    use super::*;

    /// How many ways there are to choose `few` of `many`.
    fn choose(many: u64, few: u64) -> u64 {
        (0..few).fold(1, |ways, i| ways * (many - i) / (i + 1))
    }

    /// Why only a campaign with a small budget expects `mark:error-correction`. Answers come one by one, and each is tried
    /// at once. With w wrong ones, K + w answers suffice for the search over all C(K + w, w) subsets, and K + 2w for error
    /// correction: where the search may try all subsets, it has found the key w answers earlier.
    #[test]
    fn error_correction_never_has_its_turn_in_clusters_of_this_size() {
        let within_budget = |hubs: u64| {
            (1..=hubs).all(|threshold| {
                let mut wrong = (1..).take_while(|wrong| threshold + 2 * wrong <= hubs);
                wrong.all(|wrong| choose(threshold + wrong, wrong) <= SUBSETS_MAX as u64)
            })
        };
        assert!(HUBS.clone().all(within_budget));
        assert!((1..=25).all(within_budget) && !within_budget(26));
    }
}
