//! A share that is held, with all that the hub knows about its key.

use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use crate::crypto::secret::Secret;
use crate::protocol::message::Plain;
use crate::protocol::names::{KeyId, SaeId};

/// What all keys of a deposit have in common. They share one copy, since a hub holds very many.
#[derive(Debug, PartialEq, Eq)]
pub struct Terms {
    /// The master SAE's account, as the store numbers it.
    pub account: usize,
    /// The SAE that asked for the keys.
    pub master_sae: SaeId,
    /// The SAEs that may fetch.
    pub slave_saes: Vec<SaeId>,
    /// Bytes of each user key.
    pub size: usize,
}

/// A share with all that the hub knows about its key, besides its ID.
#[derive(Debug, Clone)]
pub struct HeldShare {
    /// Whose key it is, who may fetch it, and its size.
    pub terms: Arc<Terms>,
    /// The public tag.
    pub tag: KeyTag,
    /// The share.
    pub share: Plain,
}

impl HeldShare {
    /// What is left of a key that was withdrawn: nothing, which no SAE may fetch. No deposit is the same.
    pub(super) fn withdrawn(account: usize, master_sae: &SaeId) -> Self {
        Self {
            terms: Arc::new(Terms {
                account,
                master_sae: master_sae.clone(),
                slave_saes: Vec::new(),
                size: 0,
            }),
            tag: KeyTag::compute(&[0; TAG_SECRET_BYTES], &[]),
            share: Plain(Secret::from(Vec::new())),
        }
    }

    /// Whether the key was withdrawn.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.terms.slave_saes.is_empty()
    }

    /// Whether the same deposit was made again: every part is equal. The share is compared in constant time.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.terms == other.terms
            && self.tag == other.tag
            && bool::from(self.share.0.ct_eq(&other.share.0))
    }
}

/// An entry of the store.
pub(super) struct Entry {
    pub(super) key_id: KeyId,
    pub(super) held: HeldShare,
    pub(super) expires: Time,
    /// To whom it has been handed. Mostly that is nobody, and then the box takes no memory.
    pub(super) fetched: Box<[HandedOut]>,
}

/// Who asks for shares.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The SAE.
    pub sae: &'a SaeId,
    /// The start of its client.
    pub start: Uuid,
}

/// That a share has been handed to an SAE.
#[derive(Debug, Clone)]
pub(super) struct HandedOut {
    pub(super) sae: SaeId,
    pub(super) start: Uuid,
    /// Until when it may ask again.
    pub(super) until: Time,
}

impl Entry {
    pub(super) fn is_of(&self, master_sae: &SaeId, key_id: KeyId) -> bool {
        self.key_id == key_id && self.held.terms.master_sae == *master_sae
    }

    pub(super) fn handed_out(&self, sae: &SaeId) -> Option<&HandedOut> {
        self.fetched
            .iter()
            .find(|handed_out| handed_out.sae == *sae)
    }
}

/// A time in nanoseconds, in half the memory of a `Duration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(u64);

impl From<Duration> for Time {
    fn from(time: Duration) -> Self {
        Self(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }
}
