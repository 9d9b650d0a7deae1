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
            expecting = "expected a number, a range such as [1, 3], or one of \"N\", \"N-K\", \"K\", \"K-1\""
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
            Form::Word(Word::Threshold) => Ok(Self::Threshold),
        }
    }
}
