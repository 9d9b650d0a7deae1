//! The shares of one key that came in, grouped by their public parts.

use crate::crypto::key_tag::KeyTag;
use crate::crypto::shamir::Share;
use crate::protocol::names::SaeId;

/// What all honest answers have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicParts {
    pub(super) slave_saes: Vec<SaeId>,
    pub(super) size: usize,
    pub(super) tag: KeyTag,
}

/// Shares in order of arrival, by public parts. Honest ones make one group.
#[derive(Default)]
pub(super) struct Groups(Vec<(PublicParts, Vec<Share>)>);

impl Groups {
    /// Adds a share to its group, which has `shares_max` of them at most.
    pub(super) fn add(&mut self, public: &PublicParts, share: Share, shares_max: u8) {
        match self.0.iter_mut().find(|(of, _)| of == public) {
            Some((_, group)) => group.push(share),
            None => {
                let mut group = Vec::with_capacity(shares_max.into());
                group.push(share);
                self.0.push((public.clone(), group));
            }
        }
    }

    /// The shares of one group.
    pub(super) fn of(&self, public: &PublicParts) -> &[Share] {
        let group = self.0.iter().find(|(of, _)| of == public);
        group.map_or(&[], |(_, shares)| shares)
    }

    /// All groups, in order of their first arrival.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&PublicParts, &[Share])> {
        self.0
            .iter()
            .map(|(public, shares)| (public, shares.as_slice()))
    }

    /// The number of shares in each group.
    pub(super) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(_, shares)| shares.len())
    }
}
