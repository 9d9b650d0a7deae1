//! What a client knows from its configuration. Times are in microseconds.

use crate::plan::Plan;

/// What a client knows from its configuration.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// N.
    pub hubs: usize,
    /// K.
    pub threshold: usize,
    /// How long a call may take.
    pub deadline_us: u64,
    /// How long a master waits for the other hubs once K hold its keys.
    pub grace_us: u64,
    /// How much later than its client an SAE may know that a call has ended: four ways through the network, and what is no wait.
    pub way_us: u64,
    /// How long a claim is kept while a hub may hold a share.
    pub claim_us: u64,
    /// How long it is kept once all hubs have handed out their shares.
    pub settled_claim_us: u64,
    /// Beyond that: claims are kept in whole seconds, rounded up, and the call ends before its SAE knows.
    pub claim_slack_us: u64,
    /// How long after its beginning a call may give a hub up at the earliest that has not said its last word: the pauses
    /// between five attempts are 50, 100, 200 and 400 ms long.
    pub patience_us: u64,
}

impl Rules {
    /// Those of the clients of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let cluster = &plan.cluster;
        let deadline_us = cluster.call_deadline_ms * 1000;
        // The background and the linger time are as `plan::topology` sets them.
        let (background_us, linger_us) = (2 * deadline_us, deadline_us);
        let settled_claim_us = linger_us + deadline_us;
        Self {
            hubs: cluster.hubs.into(),
            threshold: cluster.threshold.into(),
            deadline_us,
            grace_us: cluster.grace_ms * 1000,
            way_us: (4 * cluster.latency_ms.1 + 50) * 1000,
            claim_us: background_us + cluster.share_ttl_ms * 1000 + deadline_us,
            settled_claim_us,
            claim_slack_us: 2_000_000,
            patience_us: deadline_us.min(750_000),
        }
    }

    /// N − K + 1: where so many hubs have no share, there are no K others.
    #[must_use]
    pub fn enough_without(&self) -> usize {
        self.hubs - self.threshold + 1
    }

    /// How many shares of a key have to agree if the client cannot know what it handed out before it started.
    #[must_use]
    pub fn needed_after_start(&self) -> usize {
        self.threshold.max(self.hubs - self.threshold + 1)
    }

    /// How many shares have to agree so that others are wrong beyond doubt.
    #[must_use]
    pub fn beyond_doubt(&self) -> usize {
        self.threshold.max(2 * self.threshold - 2)
    }
}
