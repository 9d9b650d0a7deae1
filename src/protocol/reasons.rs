//! Why hubs did not do their part in a call.

use std::collections::BTreeMap;
use std::fmt;

use crate::crypto::shamir::{ShareIndex, Sharing};

use super::names::NodeName;

/// Why one hub did not do its part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The hub.
    pub x: ShareIndex,
    /// Its name, where it is known.
    pub hub: Option<NodeName>,
    /// What it said, or why it said nothing. A text, since links report more kinds of failure than the protocol knows.
    pub why: String,
}

/// A reason for each hub that did not do its part, in order of x. They are shown as `; hub 1 (hank): …; hub 4: …`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons(pub Vec<Reason>);

impl Reasons {
    pub(super) fn of(
        sharing: Sharing,
        outcomes: &BTreeMap<ShareIndex, Result<(), String>>,
    ) -> Self {
        let reasons = sharing.indices().filter_map(|x| {
            let why = match outcomes.get(&x) {
                Some(Ok(())) => return None,
                Some(Err(why)) => why.clone(),
                None => "no answer in time".to_owned(),
            };
            Some(Reason { x, hub: None, why })
        });
        Self(reasons.collect())
    }

    /// Adds the hubs' names: people know hubs by name, the protocol by x alone.
    pub fn name_hubs(&mut self, name: impl Fn(ShareIndex) -> Option<NodeName>) {
        for reason in &mut self.0 {
            reason.hub = name(reason.x);
        }
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|reason| match &reason.hub {
            Some(hub) => write!(f, "; hub {} ({hub}): {}", reason.x, reason.why),
            None => write!(f, "; hub {}: {}", reason.x, reason.why),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hubs_are_shown_by_name_where_it_is_known() {
        let sharing = Sharing::new(2, 3).unwrap();
        let x = |x| ShareIndex::new(x).unwrap();
        let outcomes = BTreeMap::from([(x(1), Err("full".to_owned())), (x(2), Ok(()))]);
        let mut reasons = Reasons::of(sharing, &outcomes);
        assert_eq!(
            reasons.to_string(),
            "; hub 1: full; hub 3: no answer in time"
        );
        reasons.name_hubs(|hub| (hub == x(1)).then(|| "hank".parse().unwrap()));
        assert_eq!(
            reasons.to_string(),
            "; hub 1 (hank): full; hub 3: no answer in time"
        );
    }
}
