//! The exchanges of a plan: who asks for keys, who fetches them, and what else SAEs do beside.

use serde::{Deserialize, Serialize};

use super::{ClusterPlan, Mistake};

/// A slave that could not have its keys asks again after so long.
pub(crate) const TRY_AGAIN_AFTER_MS: u64 = 200;

/// One key exchange between two SAEs. SAEs are numbered: first one of each client, in the order of clients, then the second
/// ones, and so on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCall {
    /// Its number.
    pub id: u32,
    /// When the master asks.
    pub at_ms: u64,
    /// Index of the master.
    pub master: usize,
    /// Index of the slave.
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
    /// For a group: index of one more slave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<usize>,
    /// How long after the first slave the other one asks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub also_after_ms: u64,
    /// How often a slave asks at most until it is given its keys: again where it has been told that they cannot be had now.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub tries: u16,
    /// Whether the master asks for the status of its KME first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub status: bool,
    /// What is wrong with one more call: the master makes it before it asks as it should, or the slave as soon as the master
    /// has keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mistake: Option<Mistake>,
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
    /// The plain exchange: one key, which the slave fetches at once, and nothing beside.
    #[must_use]
    pub fn plain(id: u32, at_ms: u64, (master, slave): (usize, usize), bits: u32) -> Self {
        Self {
            id,
            at_ms,
            master,
            slave,
            bits,
            number: 1,
            fetch_after_ms: 0,
            intruder: None,
            fetch_twice: false,
            again_after_ms: 0,
            together: 1,
            also: None,
            also_after_ms: 0,
            tries: 1,
            status: false,
            mistake: None,
        }
    }

    /// The keys of all calls by the master.
    #[must_use]
    pub fn keys(&self) -> u64 {
        u64::from(self.number) * u64::from(self.together)
    }

    /// When the last SAE asks, at the latest, if nothing takes time but calls that fail.
    pub(super) fn last_asked_ms(&self, cluster: &ClusterPlan) -> u64 {
        let again = u64::from(self.tries.saturating_sub(1));
        let tries_ms = again * (cluster.call_deadline_ms + TRY_AGAIN_AFTER_MS);
        let waits_ms = self.fetch_after_ms + self.also_after_ms + self.again_after_ms;
        self.at_ms + waits_ms + tries_ms
    }

    /// All slaves.
    pub fn slaves(&self) -> impl Iterator<Item = usize> {
        [self.slave].into_iter().chain(self.also)
    }
}
