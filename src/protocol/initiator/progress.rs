//! Where a call stands, and how long it may take.

use std::time::Duration;

use crate::protocol::reasons::Reasons;

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// When the call has to be over.
    pub deadline: Duration,
    /// How long to wait for the other hubs once K have answered.
    pub grace: Duration,
}

/// Where a call stands.
#[derive(Debug)]
pub enum Progress<T, E> {
    /// Nothing to do until the next answer, or this time.
    WaitUntil(Duration),
    /// The call has succeeded.
    Done(T),
    /// The call has failed.
    Failed(E),
}

/// Why keys could not be established. No key is handed out, and the shares that hubs may hold are
/// taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{stored} of {hubs} hubs hold a share, {threshold} are needed{reasons}")]
pub struct EstablishError {
    /// Hubs that hold shares of all keys.
    pub stored: usize,
    /// Hubs in the topology.
    pub hubs: u8,
    /// Hubs needed.
    pub threshold: u8,
    /// What each of the other hubs said, or why it said nothing.
    pub reasons: Reasons,
}
