//! What a hub refuses, and whose fault it is.

use serde::{Deserialize, Serialize};

/// Why a hub refused a whole message.
///
/// The variants up to [`Refusal::Malformed`] are answered without a signature, since the hub cannot tell who asked;
/// a client must treat them as hints that anyone on the network could have made up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Refusal {
    /// The hub shares no PSRD with this client: it has restarted, or the client never registered.
    #[error("this hub shares no PSRD with client {client}; register first")]
    Unregistered {
        /// Who the message says it is from.
        client: String,
    },
    /// The signature header is missing or cannot be read.
    #[error("the DSKE-Signature header is missing or malformed: {reason}")]
    BadSignatureHeader {
        /// What is wrong with it.
        reason: String,
    },
    /// The allocation names blocks that the hub does not have any more: it has restarted, or has given them up.
    #[error("this hub does not have the PSRD that the message names: {reason}; register again")]
    UnknownPsrd {
        /// Which block.
        reason: String,
    },
    /// The allocation does not go with the message, or names bytes that were used before.
    #[error("the allocation cannot be used: {reason}")]
    BadAllocation {
        /// What is wrong with it.
        reason: String,
    },
    /// The MAC does not fit: the message was changed or forged. Nothing was consumed.
    #[error("the message authentication code does not fit")]
    BadMac,
    /// The hub has no PSRD left to authenticate its answer with.
    #[error("this hub has no PSRD left to answer with; deliver more")]
    PsrdExhausted,
    /// The message cannot be parsed, so that it cannot even be told who sent it.
    #[error("the message is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The sender's topology is not the hub's.
    #[error("topology mismatch: {what} is {theirs} in the message and {ours} at this hub")]
    TopologyMismatch {
        /// `hubs`, `threshold` or `x`.
        what: String,
        /// The value in the message.
        theirs: u8,
        /// The value in the hub's topology.
        ours: u8,
    },
    /// The client may not speak for this SAE.
    #[error("client {client} does not serve SAE {sae}")]
    ForeignSae {
        /// The client.
        client: String,
        /// The SAE it wanted to speak for.
        sae: String,
    },
    /// A number in the message is outside the limits.
    #[error("{what} must be {min} to {max}, not {got}")]
    OutOfLimits {
        /// What the number counts.
        what: String,
        /// Smallest value allowed.
        min: usize,
        /// Largest value allowed.
        max: usize,
        /// The value in the message.
        got: usize,
    },
    /// The answer would make the batch's response too long: to be asked again, in another one.
    #[error("the answers to this batch are too long for one message; ask for this one again")]
    TooMuchAtOnce,
    /// Verified, but its content makes no sense.
    #[error("the message is authentic but malformed: {reason}")]
    AuthenticMalformed {
        /// What is wrong with it.
        reason: String,
    },
}

impl Refusal {
    /// Whether the same operation may be granted if it is asked again.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::PsrdExhausted | Self::TooMuchAtOnce)
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Unregistered { .. } | Self::UnknownPsrd { .. } | Self::BadMac => 401,
            Self::ForeignSae { .. } => 403,
            Self::BadAllocation { .. } | Self::TopologyMismatch { .. } => 409,
            Self::PsrdExhausted | Self::TooMuchAtOnce => 503,
            Self::BadSignatureHeader { .. }
            | Self::Malformed { .. }
            | Self::OutOfLimits { .. }
            | Self::AuthenticMalformed { .. } => 400,
        }
    }

    /// A short name, for counters.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unregistered { .. } => "unregistered",
            Self::BadSignatureHeader { .. } => "bad-signature-header",
            Self::UnknownPsrd { .. } => "unknown-psrd",
            Self::BadAllocation { .. } => "bad-allocation",
            Self::BadMac => "bad-mac",
            Self::PsrdExhausted => "psrd-exhausted",
            Self::Malformed { .. } => "malformed",
            Self::TooMuchAtOnce => "too-much-at-once",
            Self::TopologyMismatch { .. } => "topology-mismatch",
            Self::ForeignSae { .. } => "foreign-sae",
            Self::OutOfLimits { .. } => "out-of-limits",
            Self::AuthenticMalformed { .. } => "authentic-malformed",
        }
    }
}
