//! What a responder finds out while it puts keys together.

use crate::crypto::robust::Method;
use crate::crypto::shamir::ShareIndex;
use crate::protocol::names::KeyId;

/// How a hub misbehaved, provably: it signed what no honest hub of this topology would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Misbehaviour {
    /// It answered for other keys than it was asked about.
    #[error("answered for a key it was not asked about")]
    WrongKey,
    /// Its x is not the one that the topology gives it.
    #[error("claimed another x coordinate")]
    WrongIndex,
    /// Its N is not that of the topology.
    #[error("claimed another number of hubs")]
    WrongHubs,
    /// Its K is not that of the topology.
    #[error("claimed another threshold")]
    WrongThreshold,
    /// It handed out a share although, by its own words, the master is another or the slave may not have it.
    #[error("named other SAEs than it was asked about")]
    WrongSaes,
    /// Its share does not have the size that it claims.
    #[error("sent a share of the wrong size")]
    WrongSize,
    /// Its public parts are not those of the key.
    #[error("claimed other public parts than the key has")]
    WrongPublicParts,
    /// Its share is not on the key's polynomial.
    #[error("sent a share that is not on the key's polynomial")]
    WrongShare,
    /// It signed a response that cannot be read.
    #[error("signed a malformed response")]
    Malformed,
}

impl Misbehaviour {
    /// A short name, for counters.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::WrongKey => "wrong-key",
            Self::WrongIndex => "wrong-index",
            Self::WrongHubs => "wrong-hubs",
            Self::WrongThreshold => "wrong-threshold",
            Self::WrongSaes => "wrong-saes",
            Self::WrongSize => "wrong-size",
            Self::WrongPublicParts => "wrong-public-parts",
            Self::WrongShare => "wrong-share",
            Self::Malformed => "malformed",
        }
    }
}

/// A hub, and how it misbehaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blame {
    /// The hub.
    pub x: ShareIndex,
    /// What it did.
    pub what: Misbehaviour,
}

/// Something worth knowing about how keys were put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A hub lied.
    Blamed(Blame),
    /// A key's first K shares did not fit, and another method found the key.
    Corrected(Method),
    /// Two different keys both fit: K hubs or more are lying together.
    TwoKeysFit(KeyId),
}

impl Event {
    pub(super) fn blamed(x: ShareIndex, what: Misbehaviour) -> Self {
        Self::Blamed(Blame { x, what })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn misbehaviour_is_called_what_the_specification_says() {
        let all = [
            Misbehaviour::WrongKey,
            Misbehaviour::WrongIndex,
            Misbehaviour::WrongHubs,
            Misbehaviour::WrongThreshold,
            Misbehaviour::WrongSaes,
            Misbehaviour::WrongSize,
            Misbehaviour::WrongPublicParts,
            Misbehaviour::WrongShare,
            Misbehaviour::Malformed,
        ];
        let kinds: BTreeSet<&str> = all.into_iter().map(Misbehaviour::kind).collect();
        let specification = include_str!("../../../docs/protocol.md");
        let rows = specification
            .lines()
            .skip_while(|row| !row.starts_with("| `wrong-key`"));
        let rows = rows.take_while(|row| row.starts_with('|'));
        let names = rows.filter_map(|row| row.split(" | ").next());
        let names = names.flat_map(|names| names.split('`').skip(1).step_by(2));
        assert_eq!(kinds, names.collect());
        assert_eq!(kinds.len(), all.len());
    }
}
