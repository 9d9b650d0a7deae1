//! What can be wrong with a call by an SAE.
//!
//! Most mistakes a KME sees by itself: it has to refuse the call at once, before anything is drawn, spent or claimed. Others
//! only the hubs can tell: then the call fails as what they say determines, and uses nothing up.

use serde::{Deserialize, Serialize};

use super::named::named;

named! {
    /// What is wrong with a call.
    /// A draw picks one by its position here.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Mistake {
        /// A master asks for no keys.
        NumberZero = "number-zero",
        /// A master asks for one key more than its KME gives at once.
        NumberTooLarge = "number-too-large",
        /// A master asks for one key more of the largest size than a message to a hub can carry.
        TooMuch = "too-much",
        /// A master asks for a number that is a text.
        NumberIsText = "number-is-text",
        /// A master asks for keys of no bits.
        SizeZero = "size-zero",
        /// A master asks for keys a byte shorter than the shortest.
        SizeTooSmall = "size-too-small",
        /// A master asks for keys a byte longer than the longest.
        SizeTooLarge = "size-too-large",
        /// A master asks for keys of half a byte more.
        SizeNoBytes = "size-no-bytes",
        /// A master asks for keys for an SAE that there is not.
        UnknownSlave = "unknown-slave",
        /// A master asks for keys for one more SAE that there is not.
        UnknownMember = "unknown-member",
        /// A master names more slaves than it may.
        TooManySlaves = "too-many-slaves",
        /// A master demands an extension.
        MandatoryExtension = "mandatory-extension",
        /// A master says something that no KME knows.
        UnknownParameter = "unknown-parameter",
        /// A master sends a body that is no object.
        NoObject = "no-object",
        /// A master asks the KME of another.
        OtherKme = "other-kme",
        /// A master asks for the status towards an SAE that there is not.
        StatusOfNobody = "status-of-nobody",
        /// A master asks for a status with parameters.
        StatusWithParameters = "status-with-parameters",
        /// A slave asks for no keys.
        NoIds = "no-ids",
        /// A slave asks for a key ID that is none.
        IdMalformed = "id-malformed",
        /// A slave asks for a key twice in one call.
        IdTwice = "id-twice",
        /// A slave asks for more keys than it may.
        TooManyIds = "too-many-ids",
        /// A slave asks for keys of a master that there is not.
        UnknownMaster = "unknown-master",
        /// A slave asks for its keys and one that nobody has.
        UnknownId = "unknown-id",
        /// A slave asks for its keys and one of the same master for others.
        IdOfAnotherSlave = "id-of-another-slave",
        /// A slave asks for its keys and one of another master.
        IdOfAnotherMaster = "id-of-another-master",
    }
}

impl Mistake {
    /// Whether it is one of a slave: then it is made with the IDs of keys, before the slave asks as it should.
    #[must_use]
    pub fn is_of_slave(self) -> bool {
        self >= Self::NoIds
    }

    /// The status that a KME answers which sees the mistake by itself, and words that its message holds. `None` if it has to
    /// ask the hubs.
    #[must_use]
    pub fn refusal(self) -> Option<(u16, &'static str)> {
        Some(match self {
            Self::NumberZero | Self::NumberTooLarge => (400, "number must be 1 to "),
            Self::TooMuch => (400, "more than one message to a hub can carry"),
            Self::NumberIsText => (400, "number must be a whole number"),
            Self::SizeZero | Self::SizeTooSmall | Self::SizeTooLarge => (400, "size must be "),
            Self::SizeNoBytes => (400, "size shall be a multiple of 8"),
            Self::UnknownSlave
            | Self::UnknownMember
            | Self::UnknownMaster
            | Self::StatusOfNobody => (400, "is not known"),
            Self::TooManySlaves => (400, "slave SAEs must be 1 to "),
            Self::MandatoryExtension => {
                (400, "not all extension_mandatory parameters are supported")
            }
            Self::UnknownParameter => (400, "is not part of a Key request"),
            Self::NoObject => (400, "the body must be a JSON object"),
            Self::OtherKme => (401, "is not served by this KME"),
            Self::StatusWithParameters => (400, "Get status takes no parameters"),
            Self::NoIds => (400, "key_IDs must be an array of at least one object"),
            Self::IdMalformed => (400, "key_IDs[0]: "),
            Self::IdTwice => (400, "is named twice"),
            Self::TooManyIds => (400, "key IDs must be 1 to "),
            Self::UnknownId | Self::IdOfAnotherSlave | Self::IdOfAnotherMaster => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slave_makes_those_from_the_first_of_its_own_on() {
        let of_slaves = Mistake::ALL.iter().filter(|mistake| mistake.is_of_slave());
        assert_eq!(of_slaves.count(), 8);
        assert!(!Mistake::OtherKme.is_of_slave() && Mistake::NoIds.is_of_slave());
    }

    #[test]
    fn only_a_slave_makes_mistakes_that_take_hubs_to_see() {
        for mistake in Mistake::ALL {
            assert!(
                mistake.refusal().is_some() || mistake.is_of_slave(),
                "{mistake}"
            );
        }
    }
}
