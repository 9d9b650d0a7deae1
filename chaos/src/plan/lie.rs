//! What a Byzantine hub can do.

use serde::{Deserialize, Serialize};

use super::named::named;

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
    /// The lies that it draws from.
    pub lies: Vec<Lie>,
    /// How often it lies, in percent of its answers.
    pub rate_percent: u8,
}

named! {
    /// A lie.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Lie {
        /// Changes bytes of a share.
        CorruptShare = "corrupt-share",
        /// Hands out the share of another key.
        SwapShares = "swap-shares",
        /// Sends an earlier answer again.
        ReplayAnswer = "replay-answer",
        /// Answers for another key ID.
        WrongKey = "wrong-key",
        /// Claims another x.
        WrongX = "wrong-x",
        /// Claims another tag.
        WrongTag = "wrong-tag",
        /// Claims another key size.
        WrongSize = "wrong-size",
        /// Claims another number of hubs.
        WrongHubs = "wrong-hubs",
        /// Claims another threshold.
        WrongThreshold = "wrong-threshold",
        /// Claims other SAEs.
        WrongIds = "wrong-ids",
        /// Sends a wrong MAC.
        ForgeMac = "forge-mac",
        /// Tells some clients the truth and others not.
        Equivocate = "equivocate",
        /// Says that it has no share.
        Withhold = "withhold",
        /// Does not answer.
        Silent = "silent",
        /// Answers just before the client gives up.
        Delay = "delay",
        /// Does not take a share.
        RefuseStore = "refuse-store",
        /// Together with the other liars makes up another key with a fitting tag. Works with K of them.
        ForgeTogether = "forge-together",
        /// Together with the other liars makes up another polynomial through the same key, on which honest hubs are off.
        FrameTogether = "frame-together",
        /// Together with the other liars makes up a key with a tag of its own. Works with K of them.
        RivalKey = "rival-key",
    }
}

impl Lie {
    /// Whether a hub can tell it only together with others.
    #[must_use]
    pub fn takes_others(self) -> bool {
        matches!(
            self,
            Self::ForgeTogether | Self::FrameTogether | Self::RivalKey
        )
    }

    /// All lies that a hub can tell by itself.
    #[must_use]
    pub fn alone() -> Vec<Self> {
        let all = Self::ALL.iter().copied();
        all.filter(|lie| !lie.takes_others()).collect()
    }

    /// How the deceived client names the lie, if only one name is possible.
    #[must_use]
    pub fn blamed_as(self) -> Option<&'static str> {
        match self {
            Self::WrongKey => Some("wrong-key"),
            Self::WrongX => Some("wrong-index"),
            Self::WrongHubs => Some("wrong-hubs"),
            Self::WrongThreshold => Some("wrong-threshold"),
            Self::WrongTag | Self::RivalKey => Some("wrong-public-parts"),
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

    /// Whether the deceived client can prove the lie: the hub signed what no honest hub would sign. Matched
    /// exhaustively: a new lie cannot escape blame because somebody forgot it here.
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
            | Self::FrameTogether
            | Self::RivalKey => true,
            // Anybody on the network could have done it.
            Self::ReplayAnswer | Self::ForgeMac => false,
            // An honest hub that restarted, is slow or is full does the same.
            Self::Withhold | Self::Silent | Self::Delay | Self::RefuseStore => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_spell_a_lie_by_its_name() {
        for lie in Lie::ALL {
            assert_eq!(serde_json::to_value(lie).unwrap(), lie.name());
        }
    }
}
