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
    /// How many subsets of answers a call may try.
    pub subsets_max: u64,
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
            patience_us: if plan.has_narrow_links() {
                0
            } else {
                deadline_us.min(750_000)
            },
            subsets_max: cluster.limits.subsets_max as u64,
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

    /// Whether a client finds the key that so many right shares agree on, among so many wrong ones, whatever the order of its
    /// steps: because none is wrong, by error correction, or because it may try all subsets.
    #[must_use]
    pub fn finds(&self, right: usize, wrong: usize) -> bool {
        let (all, k) = ((right + wrong) as u64, self.threshold as u64);
        let subsets = (0..k).fold(1, |ways, i| ways * (all - i) / (i + 1));
        // One call may have to search for each of its keys.
        wrong == 0 || right >= self.threshold + wrong || subsets * 128 <= self.subsets_max
    }

    /// How many shares have to agree so that others are wrong beyond doubt.
    #[must_use]
    pub fn beyond_doubt(&self) -> usize {
        self.threshold.max(2 * self.threshold - 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::load;

    #[test]
    fn with_a_small_budget_wrong_shares_have_to_be_outnumbered_by_k() {
        let mut plan = load("calm").unwrap().plan(1);
        (plan.cluster.hubs, plan.cluster.threshold) = (9, 3);
        let finds = |plan: &Plan, right, wrong| Rules::of(plan).finds(right, wrong);
        assert!(finds(&plan, 3, 6), "all 84 subsets are tried");
        plan.cluster.limits.subsets_max = 2;
        assert!(finds(&plan, 3, 0) && finds(&plan, 5, 2));
        assert!(!finds(&plan, 4, 2) && !finds(&plan, 3, 1));
    }
}
