//! What a client can be asked for.

use actix::Message;

use crate::protocol::initiator::EstablishedKey;
use crate::protocol::{KeyId, NodeName, SaeId};

use super::config::KeyLimits;
use super::error::KmeError;
use super::status::ClientStatus;

/// Get key, ETSI GS QKD 014 clause 5.3, as the SAE said it: nothing of it has been checked.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<EstablishedKey>, KmeError>")]
pub struct GetKey {
    /// The SAE that asks: the master.
    pub caller: SaeId,
    /// The SAEs that may fetch the keys, the one of the path first.
    pub slave_saes: Vec<SaeId>,
    /// Number of keys; the default is 1.
    pub number: Option<usize>,
    /// Size of each key in bits; the default is [`KeyLimits::default_bits`].
    pub size_bits: Option<usize>,
}

/// Get key with key IDs, ETSI GS QKD 014 clause 5.4, as the SAE said it.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<EstablishedKey>, KmeError>")]
pub struct GetKeyWithIds {
    /// The SAE that asks: a slave.
    pub caller: SaeId,
    /// The SAE that got the keys first.
    pub master_sae: SaeId,
    /// The keys.
    pub key_ids: Vec<KeyId>,
}

/// Get status, ETSI GS QKD 014 clause 5.2.
#[derive(Debug, Message)]
#[rtype(result = "Result<KmeStatus, KmeError>")]
pub struct GetStatus {
    /// The SAE that asks: the master.
    pub caller: SaeId,
    /// The slave.
    pub slave_sae: SaeId,
}

/// What Get status is answered from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmeStatus {
    /// The KME that serves the caller.
    pub source_kme: NodeName,
    /// The KME that serves the slave.
    pub target_kme: NodeName,
    /// The caller.
    pub master_sae: SaeId,
    /// The slave.
    pub slave_sae: SaeId,
    /// Sizes and numbers of keys.
    pub keys: KeyLimits,
    /// Number of keys of default size for which there is PSRD at K hubs at least.
    pub stored_key_count: usize,
}

/// Asks whether an SAE may ask this client for anything at all.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), KmeError>")]
pub struct CheckCaller(pub SaeId);

/// Management: asks for the client's status.
#[derive(Debug, Message)]
#[rtype(result = "ClientStatus")]
pub struct GetClientStatus;
