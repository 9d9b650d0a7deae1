//! The conditions under which a cluster is measured.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who answers the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// One process for each node, over HTTP.
    Processes,
    /// Actors in one process, without HTTP.
    Actors,
    /// A bare actix-web route that gives the same answer as a client without doing anything for it. Two requests count as a
    /// key.
    BareRoute,
}

impl Subject {
    /// In a few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Processes => "processes, HTTP",
            Self::Actors => "actors",
            Self::BareRoute => "bare route",
        }
    }
}

/// What is wrong with one hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Nothing.
    None,
    /// Its process is killed.
    Stopped,
    /// Everything that is sent to it arrives one second late.
    Slow,
}

impl Trouble {
    /// In a few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "undisturbed",
            Self::Stopped => "one hub stopped",
            Self::Slow => "one hub slow",
        }
    }
}

/// The circumstances of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Who answers.
    pub subject: Subject,
    /// Hubs (N).
    pub hubs: u8,
    /// Threshold (K).
    pub threshold: u8,
    /// What is wrong with one hub.
    pub trouble: Trouble,
    /// Bits of each key.
    pub size_bits: usize,
    /// Keys in one call.
    pub keys_per_call: usize,
    /// Closed loop: operations in flight.
    pub concurrency: Option<usize>,
    /// Open loop: its rate as a share of the rate that the closed loop reached.
    pub share_of_capacity: Option<f64>,
    /// Open loop: operations that begin each second.
    pub per_second: Option<f64>,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            hubs,
            threshold,
            ..
        } = self;
        write!(f, "{}, {threshold} of {hubs} hubs", subject.words())?;
        if self.trouble != Trouble::None {
            write!(f, ", {}", self.trouble.words())?;
        }
        write!(f, ", {} × {} bits", self.keys_per_call, self.size_bits)?;
        match (self.concurrency, self.per_second) {
            (Some(concurrency), _) => write!(f, ", concurrency {concurrency}"),
            (None, Some(rate)) => write!(f, ", {rate:.0} calls/s"),
            (None, None) => Ok(()),
        }
    }
}
