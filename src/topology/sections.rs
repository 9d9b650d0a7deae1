//! The sections `[psrd]`, `[keys]` and `[timing]`: their fields, defaults and limits.

use serde::{Deserialize, Serialize};

use super::error::TopologyProblem;
use super::range::within;
use crate::protocol::initiator::KeySource;
use crate::protocol::limits::{KEY_BYTES_MAX, KEYS_PER_MESSAGE_MAX, blocks_max};
use crate::psrd::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN};

/// Longest time that a topology may name: one day.
const TIME_MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// The section `[psrd]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PsrdSection {
    /// Bytes of a block.
    pub block_bytes: usize,
    /// A pool with less than this is refilled.
    pub low_water_bytes: usize,
}

impl Default for PsrdSection {
    fn default() -> Self {
        Self {
            block_bytes: 64 * 1024,
            low_water_bytes: 32 * 1024,
        }
    }
}

impl PsrdSection {
    pub(super) fn check(&self) -> Result<(), TopologyProblem> {
        let blocks = BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX;
        within("psrd.block_bytes", self.block_bytes, blocks)?;
        // The first block of a pool may be used up in part. With a higher mark no pool would ever be full enough.
        let held_max = self.block_bytes * (blocks_max(self.block_bytes) - 1);
        let marks = 1..=BLOCK_BYTES_MAX.min(held_max);
        within("psrd.low_water_bytes", self.low_water_bytes, marks)?;
        Ok(())
    }
}

/// The section `[keys]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysSection {
    /// Size of a key when the SAE does not say, in bits.
    pub default_bits: usize,
    /// Smallest key, in bits.
    pub min_bits: usize,
    /// Largest key, in bits.
    pub max_bits: usize,
    /// Most keys in one call.
    pub per_request_max: usize,
    /// Largest `stored_key_count` that is ever reported.
    pub stored_max: usize,
    /// Where the randomness of keys comes from.
    pub source: KeySource,
}

impl Default for KeysSection {
    fn default() -> Self {
        Self {
            default_bits: 256,
            min_bits: 64,
            max_bits: 65_536,
            per_request_max: 128,
            stored_max: 100_000,
            source: KeySource::Generator,
        }
    }
}

impl KeysSection {
    pub(super) fn check(&self) -> Result<(), TopologyProblem> {
        let (min, max) = (self.min_bits, self.max_bits);
        within("keys.max_bits", max, 8..=KEY_BYTES_MAX * 8)?;
        within("keys.min_bits", min, 8..=max)?;
        within("keys.default_bits", self.default_bits, min..=max)?;
        let sizes = [self.default_bits, min, max];
        if let Some(bits) = sizes.iter().find(|bits| !bits.is_multiple_of(8)) {
            return Err(TopologyProblem::KeySize(*bits));
        }
        let calls = 1..=KEYS_PER_MESSAGE_MAX;
        within("keys.per_request_max", self.per_request_max, calls)?;
        let stored_max = self.stored_max as u64;
        within("keys.stored_max", stored_max, 1..=u64::from(u32::MAX))?;
        Ok(())
    }
}

/// The section `[timing]`, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimingSection {
    /// Longest time for one request to a hub.
    pub request_timeout_ms: u64,
    /// Longest time for a call by an SAE.
    pub call_deadline_ms: u64,
    /// How long a call waits for the other hubs once K have a share.
    pub grace_ms: u64,
    /// How long late shares are still delivered in the background.
    pub background_ms: u64,
    /// How long a hub keeps a share that nobody fetches.
    pub share_ttl_ms: u64,
    /// How long after its first fetch an SAE's client may ask a hub again.
    pub linger_ms: u64,
}

impl Default for TimingSection {
    fn default() -> Self {
        Self {
            request_timeout_ms: 1_000,
            call_deadline_ms: 4_000,
            grace_ms: 100,
            background_ms: 30_000,
            share_ttl_ms: 600_000,
            linger_ms: 10_000,
        }
    }
}

impl TimingSection {
    pub(super) fn check(&self) -> Result<(), TopologyProblem> {
        for (what, value, min) in [
            ("timing.request_timeout_ms", self.request_timeout_ms, 1),
            ("timing.call_deadline_ms", self.call_deadline_ms, 1),
            ("timing.grace_ms", self.grace_ms, 0),
            ("timing.background_ms", self.background_ms, 0),
            ("timing.share_ttl_ms", self.share_ttl_ms, 1),
            ("timing.linger_ms", self.linger_ms, 0),
        ] {
            within(what, value, min..=TIME_MAX_MS)?;
        }
        Ok(())
    }
}
