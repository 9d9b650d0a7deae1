//! How a call ends.

use std::collections::BTreeSet;
use std::fmt;

use super::link::Heard;
use crate::judge::{Verdict, Violation};
use crate::world::observer::record::{Call, Outcome};

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
            Outcome::Unknown(_) => return None,
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

/// A way in which a call may end, and which answers it has heard then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// How.
    pub end: End,
    /// What came by then it has heard, in microseconds.
    pub heard_us: u64,
    /// What comes after that it does not hear any more.
    pub deaf_us: u64,
}

/// Answers until some time, by the moment at which they came. Of one moment nobody can tell in which order the client heard
/// them.
pub fn moments<'a, 'b>(
    heard: &'b [&'a Heard],
    until_us: u64,
) -> impl Iterator<Item = &'b [&'a Heard]> {
    let moments = heard.chunk_by(|a, b| a.at_us == b.at_us);
    moments.take_while(move |moment| moment.iter().all(|answer| answer.at_us <= until_us))
}

/// Compares how a call ended with how it can have ended. Returns whether it is as the model says.
pub fn compare(call: &Call, possible: &BTreeSet<End>, verdict: &mut Verdict) -> bool {
    let is_possible = End::of(&call.outcome).is_none_or(|end| possible.contains(&end));
    verdict.expect(is_possible, call.until_us, || Violation::OutsideModel {
        call: call.id,
        kind: call.kind,
        client: call.client,
        possible: possible.iter().copied().collect(),
        end: call.outcome.line(),
    });
    is_possible
}

/// The selections of answers of which it can be that just they were accepted.
#[must_use]
pub fn selections<'a>(heard: &[&'a Heard]) -> Vec<Vec<&'a Heard>> {
    let mut selections = vec![Vec::new()];
    for &answer in heard {
        let without = selections.clone();
        for selection in &mut selections {
            selection.push(answer);
        }
        if !answer.is_certain {
            selections.extend(without);
        }
    }
    selections
}
