//! How a call ends.

use std::fmt;

use crate::world::observer::record::Outcome;

/// How a call ends, as its SAE is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// With keys.
    Keys,
    /// Too few hubs hold shares of the keys of a master.
    NotEstablished,
    /// N − K + 1 hubs have no share of a key, or none for this SAE.
    NotFound,
    /// N − K + 1 hubs have none for this SAE.
    Forbidden,
    /// A key cannot be put together.
    Unavailable,
    /// Two keys fit.
    Ambiguous,
    /// A key was handed to this SAE before.
    HandedOut,
    /// Too many calls are under way.
    Busy,
    /// In no way that is specified.
    Unspecified,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys => "keys",
            Self::NotEstablished => "not enough hubs",
            Self::NotFound => "not found",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
            Self::Ambiguous => "ambiguous",
            Self::HandedOut => "handed out",
            Self::Busy => "busy",
            Self::Unspecified => "unspecified",
        })
    }
}

impl End {
    /// What an SAE was told, unless it was told nothing.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Option<Self> {
        Some(match outcome {
            Outcome::Keys(_) => Self::Keys,
            Outcome::Status(_) | Outcome::Unknown(_) => return None,
            Outcome::Refused(status, message) => match status {
                400 if message.contains("has been handed out") => Self::HandedOut,
                400 if message.contains("is not found") => Self::NotFound,
                401 if message.contains("not among those that may fetch") => Self::Forbidden,
                503 if message.contains("not enough hubs") => Self::NotEstablished,
                503 if message.contains("cannot be put together") => Self::Unavailable,
                503 if message.contains("two different keys") => Self::Ambiguous,
                503 if message.contains("too many calls") => Self::Busy,
                _ => Self::Unspecified,
            },
        })
    }
}
