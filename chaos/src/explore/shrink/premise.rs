//! What the protocol's promises rest on. A reduction that took it away would break an invariant for that alone.

use crate::plan::Plan;

/// The premises that hold for the plan that is shrunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Premises {
    liars_below_threshold: bool,
    coalition_below_threshold: bool,
    /// With K = 1 every hub knows every key: nothing is kept from anybody.
    threshold_above_one: bool,
}

impl Premises {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            liars_below_threshold: plan.lying_hubs().len() < usize::from(plan.cluster.threshold),
            coalition_below_threshold: plan.cluster.coalition < plan.cluster.threshold,
            threshold_above_one: plan.cluster.threshold > 1,
        }
    }

    /// Whether all that held still holds.
    pub(super) fn hold(self, plan: &Plan) -> bool {
        let now = Self::of(plan);
        (now.liars_below_threshold || !self.liars_below_threshold)
            && (now.coalition_below_threshold || !self.coalition_below_threshold)
            && (now.threshold_above_one || !self.threshold_above_one)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::big;
    use super::*;

    #[test]
    fn fewer_than_k_liars_and_conspirators_stay_fewer_than_k_and_k_above_one() {
        let plan = big();
        let premises = Premises::of(&plan);
        assert!(premises.hold(&plan));
        let with = |change: fn(&mut Plan)| {
            let mut plan = plan.clone();
            change(&mut plan);
            plan
        };
        let liars = with(|plan| plan.cluster.threshold = plan.lying_hubs().len() as u8);
        assert!(!premises.hold(&liars));
        let coalition = with(|plan| plan.cluster.coalition = plan.cluster.threshold);
        assert!(!premises.hold(&coalition));
        let one = with(|plan| {
            plan.liars.clear();
            (plan.cluster.threshold, plan.cluster.coalition) = (1, 0);
        });
        assert!(!premises.hold(&one));
        // Where K forge together anyway, nothing is lost.
        assert!(Premises::of(&liars).hold(&liars));
        assert!(Premises::of(&coalition).hold(&coalition));
    }
}
