//! The shares of one key that came in, grouped by their public parts.

use crate::crypto::key_tag::KeyTag;
use crate::crypto::robust::Search;
use crate::crypto::shamir::{Share, Sharing};
use crate::protocol::names::SaeId;

/// What all honest answers have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicParts {
    pub(super) slave_saes: Vec<SaeId>,
    pub(super) size: usize,
    pub(super) tag: KeyTag,
}

/// The shares that have the same public parts, in order of arrival, and how far the search for a key in them has come.
pub(super) struct Group {
    pub(super) public: PublicParts,
    pub(super) shares: Vec<Share>,
    pub(super) search: Search,
}

/// All shares of a key, in groups. Honest ones make one group.
#[derive(Default)]
pub(super) struct Groups(Vec<Group>);

impl Groups {
    /// Adds a share to its group.
    pub(super) fn add(&mut self, public: &PublicParts, share: Share, sharing: Sharing) {
        if let Some(group) = self.0.iter_mut().find(|group| group.public == *public) {
            return group.shares.push(share);
        }
        let mut shares = Vec::with_capacity(sharing.shares().into());
        shares.push(share);
        self.0.push(Group {
            public: public.clone(),
            shares,
            search: Search::new(sharing.threshold()),
        });
    }

    /// The shares of one group.
    pub(super) fn of(&self, public: &PublicParts) -> &[Share] {
        let group = self.0.iter().find(|group| group.public == *public);
        group.map_or(&[], |group| &group.shares)
    }

    /// All groups, in order of their first arrival.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.0.iter()
    }

    /// All groups, to search in them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.0.iter_mut()
    }

    /// The number of shares in each group.
    pub(super) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|group| group.shares.len())
    }
}
