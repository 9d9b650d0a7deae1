//! Values in campaign files.

use std::fmt;

use dske::protocol::initiator::KeySource;
use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use serde::{Deserialize, Deserializer};

/// A number, or a range `[from, to]` from which the seed draws, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Smallest value.
    pub from: u64,
    /// Largest value.
    pub to: u64,
}

impl Range {
    /// Always the same.
    #[must_use]
    pub const fn just(value: u64) -> Self {
        Self {
            from: value,
            to: value,
        }
    }

    /// Draws a value.
    pub fn draw(self, rng: &mut ChaCha12Rng) -> u64 {
        rng.random_range(self.from..=self.to)
    }

    /// Draws a value whose order of magnitude is drawn first, so that small ones are as likely as large ones.
    pub fn draw_wide(self, rng: &mut ChaCha12Rng) -> u64 {
        let magnitude = |value: u64| value.max(1).ilog2();
        let drawn = rng.random_range(magnitude(self.from)..=magnitude(self.to));
        let from = if drawn == 0 { 0 } else { 1 << drawn };
        let within = Self {
            from: self.from.max(from),
            to: self.to.min((2 << drawn) - 1),
        };
        within.draw(rng)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{}–{}", self.from, self.to)
        }
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected a whole number, or a range such as [1, 5]"
        )]
        enum Form {
            Number(u64),
            Pair([u64; 2]),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(value) => Ok(Self::just(value)),
            Form::Pair([from, to]) if from <= to => Ok(Self { from, to }),
            Form::Pair([from, to]) => Err(serde::de::Error::custom(format!(
                "the range [{from}, {to}] is the wrong way round"
            ))),
        }
    }
}

/// Shortest and longest way through the network: `[1, 8]`, or `[[0, 5], [5, 40]]` if the seed draws each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// What the shortest is drawn from.
    pub shortest: Range,
    /// What the longest is drawn from.
    pub longest: Range,
}

impl Latency {
    /// Draws the shortest and the longest way.
    pub fn draw(self, rng: &mut ChaCha12Rng) -> (u64, u64) {
        (self.shortest.draw(rng), self.longest.draw(rng))
    }

    /// From the very shortest to the very longest.
    #[must_use]
    pub const fn all(self) -> Range {
        Range {
            from: self.shortest.from,
            to: self.longest.to,
        }
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected a whole number, shortest and longest such as [1, 8], or a range for each such as [[0, 5], [5, 40]]"
        )]
        enum Form {
            Number(u64),
            Pair([Range; 2]),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(value) => Ok(Self {
                shortest: Range::just(value),
                longest: Range::just(value),
            }),
            Form::Pair([shortest, longest]) if shortest.to <= longest.from => {
                Ok(Self { shortest, longest })
            }
            Form::Pair([shortest, longest]) => Err(serde::de::Error::custom(format!(
                "the shortest way, {shortest}, has to be at most the longest, {longest}"
            ))),
        }
    }
}

/// A value, or a list of values from which the seed draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<T>(Vec<T>);

impl<T: Copy> Choice<T> {
    /// Always the same.
    #[must_use]
    pub fn just(value: T) -> Self {
        Self(vec![value])
    }

    /// Draws a value.
    ///
    /// # Panics
    /// Never: a list in a file has at least one value.
    pub fn draw(&self, rng: &mut ChaCha12Rng) -> T {
        self.0[rng.random_range(0..self.0.len())]
    }
}

impl<'de> Deserialize<'de> for Choice<KeySource> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected \"generator\", \"psrd\", or a list of them"
        )]
        enum Form {
            One(KeySource),
            List(Vec<KeySource>),
        }
        match Form::deserialize(deserializer)? {
            Form::One(value) => Ok(Self::just(value)),
            Form::List(values) if values.is_empty() => Err(serde::de::Error::custom(
                "the list is empty: there is nothing to draw from",
            )),
            Form::List(values) => Ok(Self(values)),
        }
    }
}

/// Whether runs switch kinds of faults and lies off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Swarm {
    /// `false`: every run has all of them.
    #[default]
    Off,
    /// `true`: each run switches some off.
    Kinds,
    /// `"wide"`: each run draws how many kinds there are, how often each comes, from an eighth to eight times as often
    /// as the campaign says, and the magnitude of sizes.
    Wide,
}

impl<'de> Deserialize<'de> for Swarm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected true, false, or \"wide\"")]
        enum Form {
            Flag(bool),
            Word(Word),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Word {
            Wide,
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Flag(false) => Self::Off,
            Form::Flag(true) => Self::Kinds,
            Form::Word(Word::Wide) => Self::Wide,
        })
    }
}

/// A number of hubs: a [`Range`], or a word that depends on N and K.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Range(Range),
    /// `"N"`.
    All,
    /// `"N-K"`.
    Spare,
    /// `"K-1"`.
    BelowThreshold,
    /// `"<K"`: drawn from 0 to K − 1.
    UnderThreshold,
    /// `"K"`.
    Threshold,
}

impl Count {
    /// Draws a number of hubs.
    pub fn draw(self, hubs: u64, threshold: u64, rng: &mut ChaCha12Rng) -> u64 {
        let count = match self {
            Self::Range(range) => range.draw(rng),
            Self::All => hubs,
            Self::Spare => hubs - threshold,
            Self::BelowThreshold => threshold - 1,
            Self::UnderThreshold => rng.random_range(0..threshold),
            Self::Threshold => threshold,
        };
        count.min(hubs)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected a number, a range such as [1, 3], or one of \"N\", \"N-K\", \"K\", \"K-1\", \"<K\""
        )]
        enum Form {
            Number(u64),
            Pair([u64; 2]),
            Word(Word),
        }
        #[derive(Deserialize)]
        enum Word {
            #[serde(rename = "N")]
            All,
            #[serde(rename = "N-K")]
            Spare,
            #[serde(rename = "K-1")]
            BelowThreshold,
            #[serde(rename = "<K")]
            UnderThreshold,
            #[serde(rename = "K")]
            Threshold,
        }
        match Form::deserialize(deserializer)? {
            Form::Number(value) => Ok(Self::Range(Range::just(value))),
            Form::Pair([from, to]) if from <= to => Ok(Self::Range(Range { from, to })),
            Form::Pair([from, to]) => Err(serde::de::Error::custom(format!(
                "the range [{from}, {to}] is the wrong way round"
            ))),
            Form::Word(Word::All) => Ok(Self::All),
            Form::Word(Word::Spare) => Ok(Self::Spare),
            Form::Word(Word::BelowThreshold) => Ok(Self::BelowThreshold),
            Form::Word(Word::UnderThreshold) => Ok(Self::UnderThreshold),
            Form::Word(Word::Threshold) => Ok(Self::Threshold),
        }
    }
}
