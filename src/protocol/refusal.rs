//! What a hub refuses, and whose fault it is.

use serde::{Deserialize, Serialize};

/// Why a hub refused a message, or one operation of a batch.
///
/// A refusal without a signature is a hint that anyone on the network could have made up; [`Refusal::signing`] says
/// which ones a hub signs. The texts inside are for people: another hub may word them differently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "code", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Refusal {
    /// The hub shares no PSRD with this client: it has restarted, or the client never registered.
    #[error("this hub shares no PSRD with client {client}; register first")]
    Unregistered {
        /// Who the message says it is from.
        client: String,
    },
    /// The signature header is missing or cannot be read.
    #[error("the DSKE-Signature header is missing or malformed: {reason}")]
    BadSignatureHeader {
        /// What is wrong with it.
        reason: String,
    },
    /// The allocation names blocks that the hub no longer has: it has restarted, or has given them up.
    #[error("this hub does not have the PSRD that the message names: {reason}; register again")]
    UnknownPsrd {
        /// Which block.
        reason: String,
    },
    /// The allocation does not match the message, or names bytes that were used before.
    #[error("the allocation cannot be used: {reason}")]
    BadAllocation {
        /// What is wrong with it.
        reason: String,
    },
    /// The MAC does not fit: the message was changed or forged. Nothing was consumed.
    #[error("the message authentication code does not fit")]
    BadMac,
    /// The hub has no PSRD left to authenticate its answer with.
    #[error("this hub has no PSRD left to answer with; deliver more")]
    PsrdExhausted,
    /// The message cannot be parsed: not even its sender is known.
    #[error("the message is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The sender's topology is not the hub's.
    #[error("topology mismatch: {what} is {theirs} in the message and {ours} at this hub")]
    TopologyMismatch {
        /// `hubs`, `threshold` or `x`.
        what: String,
        /// The value in the message.
        theirs: u8,
        /// The value in the hub's topology.
        ours: u8,
    },
    /// The client may not speak for this SAE.
    #[error("client {client} does not serve SAE {sae}")]
    ForeignSae {
        /// The client.
        client: String,
        /// The SAE it wanted to speak for.
        sae: String,
    },
    /// A number in the message is outside the limits.
    #[error("{what} must be {min} to {max}, not {got}")]
    OutOfLimits {
        /// What the number counts.
        what: String,
        /// Smallest value allowed.
        min: usize,
        /// Largest value allowed.
        max: usize,
        /// The value in the message.
        got: usize,
    },
    /// The answer would make the response to the batch too long. The client can ask again, in another batch.
    #[error("the answers to this batch are too long for one message; ask for this one again")]
    TooMuchAtOnce,
    /// The message is authentic, but its content makes no sense.
    #[error("the message is authentic but malformed: {reason}")]
    AuthenticMalformed {
        /// What is wrong with it.
        reason: String,
    },
}

/// Whether a hub signs a refusal. Signing spends PSRD, so a hub signs nothing for somebody who is not proved to hold some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// Never: the hub cannot tell who asked.
    Never,
    /// If the hub has enough PSRD left for a signature.
    IfPsrdIsLeft,
    /// Always: the client has proved who it is.
    Always,
}

/// Whose fault a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody's: a hub has restarted, or cannot do everything at once.
    Nobody,
    /// The network's: somebody on the way changed or forged the message.
    Network,
    /// The sender's, whoever that is: nothing proves it.
    Sender,
    /// The client's: it signed the message.
    Client,
}

/// Makes one row for each variant. The compiler notices if a row is missing.
macro_rules! kinds {
    ($($variant:ident: $kind:literal, $status:literal, $signing:ident, $fault:ident;)*) => {
        impl Refusal {
            /// The names of all kinds.
            pub const KINDS: &'static [&'static str] = &[$($kind),*];

            /// The name of its kind, for counters: the `code` in its JSON.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $kind,)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub fn status(&self) -> u16 {
                match self { $(Self::$variant { .. } => $status,)* }
            }

            /// Whether a hub signs it.
            #[must_use]
            pub fn signing(&self) -> Signing {
                match self { $(Self::$variant { .. } => Signing::$signing,)* }
            }

            /// Whose fault it is.
            #[must_use]
            pub fn fault(&self) -> Fault {
                match self { $(Self::$variant { .. } => Fault::$fault,)* }
            }
        }
    };
}

// The table of `docs/protocol.md` §7.
kinds! {
    Unregistered:       "unregistered",         401, Never,        Nobody;
    UnknownPsrd:        "unknown-psrd",         401, Never,        Nobody;
    BadMac:             "bad-mac",              401, Never,        Network;
    BadSignatureHeader: "bad-signature-header", 400, Never,        Sender;
    Malformed:          "malformed",            400, Never,        Sender;
    BadAllocation:      "bad-allocation",       409, Never,        Sender;
    PsrdExhausted:      "psrd-exhausted",       503, IfPsrdIsLeft, Nobody;
    TooMuchAtOnce:      "too-much-at-once",     503, Always,       Nobody;
    TopologyMismatch:   "topology-mismatch",    409, Always,       Client;
    ForeignSae:         "foreign-sae",          403, Always,       Client;
    OutOfLimits:        "out-of-limits",        400, Always,       Client;
    AuthenticMalformed: "authentic-malformed",  400, Always,       Client;
}

impl Refusal {
    /// Whether the same operation may be granted if it is asked again.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::PsrdExhausted | Self::TooMuchAtOnce)
    }
}

/// Refuses a number that is outside of its limits.
pub(super) fn within(what: &str, got: usize, min: usize, max: usize) -> Result<(), Refusal> {
    if (min..=max).contains(&got) {
        return Ok(());
    }
    Err(Refusal::OutOfLimits {
        what: what.to_owned(),
        min,
        max,
        got,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    /// One of each kind, read from JSON by the name of its kind.
    fn all() -> Vec<Refusal> {
        let read = |kind: &&str| {
            let fields = json!({
                "code": kind, "client": "a", "sae": "b", "reason": "it is cut",
                "what": "x", "theirs": 1, "ours": 2, "min": 1, "max": 2, "got": 3,
            });
            serde_json::from_value(fields).unwrap()
        };
        Refusal::KINDS.iter().map(read).collect()
    }

    #[test]
    fn a_kind_is_called_what_its_json_says_and_listed_once() {
        let kinds: Vec<&str> = all().iter().map(Refusal::kind).collect();
        assert_eq!(kinds, Refusal::KINDS);
        let distinct: BTreeSet<&str> = kinds.iter().copied().collect();
        assert_eq!(distinct.len(), kinds.len());
    }

    #[test]
    fn kinds_are_what_the_specification_says() {
        let specification = include_str!("../../docs/protocol.md");
        let rows = specification
            .lines()
            .skip_while(|row| !row.starts_with("| code | status | signed |"));
        let rows = rows.skip(2).take_while(|row| row.starts_with("| "));
        let mut stated = Vec::new();
        for row in rows.filter(|row| !row.starts_with("| out of band")) {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
            let [codes, status, signed, fault] = cells[..] else {
                panic!("{row}");
            };
            // Inside a batch nothing has a status.
            let status = status.parse().unwrap_or(503);
            let signing = match signed {
                "no" => Signing::Never,
                "yes" => Signing::Always,
                _ => Signing::IfPsrdIsLeft,
            };
            let fault = match fault.split("'s").next() {
                Some("nobody") => Fault::Nobody,
                Some("the network") => Fault::Network,
                Some("the sender") => Fault::Sender,
                Some("the client") => Fault::Client,
                other => panic!("{other:?}"),
            };
            let codes = codes.split('`').skip(1).step_by(2);
            stated.extend(codes.map(|code| (code, status, signing, fault)));
        }
        let all = all();
        let ours = all.iter().map(|refusal| {
            let (status, signing, fault) = (refusal.status(), refusal.signing(), refusal.fault());
            (refusal.kind(), status, signing, fault)
        });
        assert_eq!(ours.collect::<Vec<_>>(), stated);
    }

    #[test]
    fn what_depends_on_how_much_is_asked_for_passes() {
        let passing = all().into_iter().filter(Refusal::is_passing);
        let passing: Vec<&str> = passing.map(|refusal| refusal.kind()).collect();
        assert_eq!(passing, ["psrd-exhausted", "too-much-at-once"]);
    }

    #[test]
    fn nobody_is_called_a_culprit_without_proof() {
        for refusal in all() {
            let signed = refusal.signing() == Signing::Always;
            match refusal.fault() {
                Fault::Client => assert!(signed, "{refusal}"),
                Fault::Network | Fault::Sender => assert!(!signed, "{refusal}"),
                Fault::Nobody => {}
            }
            if refusal.is_passing() {
                assert_eq!(refusal.fault(), Fault::Nobody, "{refusal}");
            }
        }
    }
}
