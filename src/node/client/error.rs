//! Why an SAE does not get what it asked for.

use crate::protocol::initiator::EstablishError;
use crate::protocol::responder::FetchError;
use crate::protocol::{KeyId, SaeId};

/// Why an SAE does not get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KmeError {
    /// The caller is not served by this client.
    #[error("SAE {0} is not served by this KME")]
    UnknownCaller(SaeId),
    /// The other SAE is nowhere in the topology.
    #[error("SAE {0} is not known")]
    UnknownSae(SaeId),
    /// A number is outside what this client allows.
    #[error("{what} must be {min} to {max}, not {got}")]
    OutOfRange {
        /// What the number counts.
        what: &'static str,
        /// Smallest value allowed.
        min: usize,
        /// Largest value allowed.
        max: usize,
        /// The value asked for.
        got: usize,
    },
    /// Keys come in whole bytes. The words are those of ETSI GS QKD 014 clause 6.2.
    #[error("size shall be a multiple of 8")]
    SizeNotMultipleOf8,
    /// Each of number and size is allowed, but not both together.
    #[error(
        "{number} keys of {bits} bits are more than one message to a hub can carry; ask for at most {number_max} of this size at a time"
    )]
    TooMuch {
        /// Keys asked for.
        number: usize,
        /// Bits of each.
        bits: usize,
        /// Keys of this size that one message can carry.
        number_max: usize,
    },
    /// The call names the same slave SAE twice.
    #[error("{0} is named twice")]
    SaeTwice(SaeId),
    /// The call names the same key twice.
    #[error("{0} is named twice")]
    KeyTwice(KeyId),
    /// The keys could not be established.
    #[error("not enough hubs: {0}")]
    Establish(#[from] EstablishError),
    /// The key was handed to this SAE before, or is being fetched right now.
    #[error("key {0} has been handed out")]
    HandedOut(KeyId),
    /// So many keys have been handed to this SAE that no further ones can be remembered. Nothing has been done.
    #[error(
        "SAE {0} has been handed as many keys as this KME can remember until the hubs have forgotten them; try again later, or fetch fewer keys at a time"
    )]
    TooManyHandedOut(SaeId),
    /// The keys could not be fetched.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// Too many calls are in flight. Nothing has been done.
    #[error("too many calls are under way at this KME; try again")]
    Busy,
}
