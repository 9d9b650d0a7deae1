//! Why a link could not do what it was asked for.

use std::time::Duration;

use crate::protocol::channel::OpenError;
use crate::protocol::hub::OobError;
use crate::psrd::PoolError;

use super::super::transport::Unreachable;

/// Why an exchange with a hub failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The hub could not be reached.
    #[error("cannot be reached: {0}")]
    Unreachable(#[from] Unreachable),
    /// The link itself is gone.
    #[error("cannot be reached: the link has stopped")]
    Stopped,
    /// No response came within the time for one request.
    #[error("no response within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// No PSRD is left, and no more can be had.
    #[error("no PSRD left: {0}")]
    NoPsrd(#[from] NoPsrd),
    /// The response was not accepted.
    #[error("{0}")]
    Response(OpenError),
    /// Too many exchanges are in flight. Nothing has been sent.
    #[error("too much is waiting for its answers")]
    Busy,
    /// The deadline came before an attempt succeeded.
    #[error("gave up at the deadline{}", .0.as_ref().map(|e| format!("; last attempt: {e}")).unwrap_or_default())]
    Deadline(Option<Box<LinkError>>),
}

/// Why no PSRD can be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoPsrd {
    /// The client is not registered at the hub.
    #[error("not registered")]
    NotRegistered,
    /// The hub refused to register the client or to deliver a block. Nothing was delivered.
    #[error("{0}")]
    Refused(OobError),
    /// The client's own pool has too few bytes left, or does not take the block that was delivered.
    #[error("{0}")]
    Pool(#[from] PoolError),
    /// It was delivered, and others were faster.
    #[error("others have used up what was delivered")]
    Taken,
    /// The delivery was broken off inside this node.
    #[error("its delivery was broken off")]
    BrokenOff,
}

impl LinkError {
    /// Whether trying again is pointless, because the hub has proved that it was the hub and has said its last word.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Response(OpenError::Refused(refusal)) => !refusal.is_passing(),
            Self::Response(OpenError::AuthenticMalformed(_)) => true,
            Self::Response(_)
            | Self::Unreachable(_)
            | Self::Stopped
            | Self::Timeout(_)
            | Self::NoPsrd(_)
            | Self::Busy
            | Self::Deadline(_) => false,
        }
    }
}
