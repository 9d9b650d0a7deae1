//! What a Byzantine hub can do.

use serde::{Deserialize, Serialize};

/// A hub that lies for some time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Liar {
    /// Index of the hub.
    pub hub: usize,
    /// When it begins.
    pub from_ms: u64,
    /// When it is honest again.
    pub until_ms: u64,
    /// What it draws from.
    pub lies: Vec<Lie>,
    /// How often it lies, in percent of its answers.
    pub rate_percent: u8,
}

/// A lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// Changes bytes of a share.
    CorruptShare,
    /// Hands out the share of another key.
    SwapShares,
    /// Sends an earlier answer again.
    ReplayAnswer,
    /// Answers for another key ID.
    WrongKey,
    /// Claims another x.
    WrongX,
    /// Claims another tag.
    WrongTag,
    /// Claims another key size.
    WrongSize,
    /// Claims another number of hubs.
    WrongHubs,
    /// Claims another threshold.
    WrongThreshold,
    /// Claims other SAEs.
    WrongIds,
    /// Sends a wrong MAC.
    ForgeMac,
    /// Tells some clients the truth and others not.
    Equivocate,
    /// Says that it has no share.
    Withhold,
    /// Does not answer.
    Silent,
    /// Answers at the last moment.
    Delay,
    /// Does not take a share.
    RefuseStore,
    /// Together with the other liars makes up another key with a fitting tag. Works with K of them.
    ForgeTogether,
    /// Together with the other liars makes up another polynomial through the same key, on which honest hubs are off.
    FrameTogether,
}

impl Lie {
    /// All lies that a hub can tell by itself.
    pub const ALONE: [Self; 16] = [
        Self::CorruptShare,
        Self::SwapShares,
        Self::ReplayAnswer,
        Self::WrongKey,
        Self::WrongX,
        Self::WrongTag,
        Self::WrongSize,
        Self::WrongHubs,
        Self::WrongThreshold,
        Self::WrongIds,
        Self::ForgeMac,
        Self::Equivocate,
        Self::Withhold,
        Self::Silent,
        Self::Delay,
        Self::RefuseStore,
    ];

    /// The lie's name, as campaign files spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CorruptShare => "corrupt-share",
            Self::SwapShares => "swap-shares",
            Self::ReplayAnswer => "replay-answer",
            Self::WrongKey => "wrong-key",
            Self::WrongX => "wrong-x",
            Self::WrongTag => "wrong-tag",
            Self::WrongSize => "wrong-size",
            Self::WrongHubs => "wrong-hubs",
            Self::WrongThreshold => "wrong-threshold",
            Self::WrongIds => "wrong-ids",
            Self::ForgeMac => "forge-mac",
            Self::Equivocate => "equivocate",
            Self::Withhold => "withhold",
            Self::Silent => "silent",
            Self::Delay => "delay",
            Self::RefuseStore => "refuse-store",
            Self::ForgeTogether => "forge-together",
            Self::FrameTogether => "frame-together",
        }
    }

    /// What the client that is lied to calls the lie, if it can only be one thing.
    #[must_use]
    pub fn blamed_as(self) -> Option<&'static str> {
        match self {
            Self::WrongKey => Some("wrong-key"),
            Self::WrongX => Some("wrong-index"),
            Self::WrongHubs => Some("wrong-hubs"),
            Self::WrongThreshold => Some("wrong-threshold"),
            Self::WrongTag => Some("wrong-public-parts"),
            Self::CorruptShare
            | Self::SwapShares
            | Self::Equivocate
            | Self::ForgeTogether
            | Self::FrameTogether => Some("wrong-share"),
            // Depends on how it is done.
            Self::WrongSize | Self::WrongIds => None,
            Self::ReplayAnswer
            | Self::ForgeMac
            | Self::Withhold
            | Self::Silent
            | Self::Delay
            | Self::RefuseStore => None,
        }
    }

    /// Whether the client that is lied to can pin it on the hub: the hub signed what no honest hub would. Matched
    /// exhaustively, so that no new lie escapes blame by being forgotten.
    #[must_use]
    pub fn is_provable(self) -> bool {
        match self {
            Self::CorruptShare
            | Self::SwapShares
            | Self::WrongKey
            | Self::WrongX
            | Self::WrongTag
            | Self::WrongSize
            | Self::WrongHubs
            | Self::WrongThreshold
            | Self::WrongIds
            | Self::Equivocate
            | Self::ForgeTogether
            | Self::FrameTogether => true,
            // Anybody on the network could have done it.
            Self::ReplayAnswer | Self::ForgeMac => false,
            // An honest hub that restarted, is slow or is full does the same.
            Self::Withhold | Self::Silent | Self::Delay | Self::RefuseStore => false,
        }
    }
}
