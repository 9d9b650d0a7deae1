//! What did not hold, with the evidence. The line that each violation says is its documentation: what was expected and
//! what was seen, by whom. No key material.

use std::collections::BTreeMap;

use dske::protocol::{KeyId, NodeName, SaeId};
use dske::psrd::BlockId;
use dske_uniform::Dependence;

use super::accounts::Miscount;
use super::accounts::metrics::WrongMetrics;
use super::margin::NotSent;
use super::model::client::end::End;
use super::quiet::Unquiet;
use super::secrecy::leak::Leak;
use super::waiting::WrongWait;
use crate::plan::{Guarantee, Invariant, Lie, Mistake};
use crate::world::observer::record::CallKind;

/// Which blames a client has counted for a hub, if any.
pub type Blames = Option<BTreeMap<String, u64>>;

/// A property that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the line of each variant says what its fields are"
)]
pub enum Violation {
    // Agreement.
    #[error(
        "client {client} delivered the same key for {key} as was delivered for {other} ({kind:?}, call {call})"
    )]
    SameKeyTwice {
        client: usize,
        key: KeyId,
        other: KeyId,
        kind: CallKind,
        call: u32,
    },
    #[error(
        "key {key} is not the same for client {} ({:?}) and client {} ({:?})",
        .first.0, .first.1, .second.0, .second.1
    )]
    KeysDiffer {
        key: KeyId,
        first: (usize, CallKind),
        second: (usize, CallKind),
    },

    // No false key.
    #[error("client {client} delivered key {key} ({kind:?}), but another key was drawn")]
    AnotherKey {
        client: usize,
        key: KeyId,
        kind: CallKind,
    },
    #[error("client {client} delivered key {key} ({kind:?}), but no such key was drawn")]
    UndrawnKey {
        client: usize,
        key: KeyId,
        kind: CallKind,
    },

    // Secrecy.
    #[error("hubs {coalition:?} with the whole wire can rule out values of key {key}: {why}")]
    KeyLeaks {
        coalition: Vec<usize>,
        key: KeyId,
        why: Leak,
    },
    #[error("{place} holds {bytes} bytes of a key or share")]
    SecretInText { place: Text, bytes: usize },
    #[error("what was drawn for keys is not uniform: {0}")]
    DependentDraws(Dependence),

    // One time.
    #[error("block {block} was delivered twice")]
    BlockTwice { block: BlockId },
    #[error(
        "bytes {}..{} of block {block} serve the message {message}, and {}..{} served {by}",
        .bytes.0, .bytes.1, .before.0, .before.1
    )]
    BytesServeTwo {
        block: BlockId,
        bytes: (u32, u32),
        message: String,
        before: (u32, u32),
        by: String,
    },
    #[error("client {client} sent the request {request} twice")]
    SentTwice { client: usize, request: String },
    #[error("hub {hub} accepted the request {request} twice")]
    AcceptedTwice { hub: usize, request: String },
    #[error("hub {hub} accepted the request {request}, some bytes of which had served {by}")]
    AcceptedUsedBytes {
        hub: usize,
        request: String,
        by: String,
    },
    #[error(
        "hub {hub} refused the request {request} of client {client:?}, since its bytes had been used up, and had not seen it before"
    )]
    RefusedFreshBytes {
        hub: usize,
        request: String,
        client: Option<usize>,
    },

    // Authentic.
    #[error(
        "hub {hub} accepted the request {request} to {target}, which {}: it signed its answer of status {status}",
        maker(.by_outsider)
    )]
    ForgeryAccepted {
        hub: usize,
        request: String,
        target: String,
        by_outsider: bool,
        status: u16,
    },
    #[error(
        "client {client} heard {heard} answers of hub {hub} that it could not verify, and counts {counted}: it accepted one with a wrong MAC"
    )]
    WrongMacAccepted {
        client: usize,
        heard: u64,
        hub: usize,
        counted: u64,
    },

    // Established.
    #[error(
        "client {client} gave the master {keys} keys in call {call}, when {threshold} hubs had to have said that they hold a share of all of them, and only {hubs:?} had"
    )]
    TooFewHold {
        client: usize,
        keys: usize,
        call: u32,
        threshold: usize,
        hubs: Vec<usize>,
    },

    // Answered.
    #[error(
        "call {call} ({kind:?}) had to be answered by client {client} within {within_ms} ms; after {after_ms} ms it ended with: {end}"
    )]
    NotAnswered {
        call: u32,
        kind: CallKind,
        client: usize,
        within_ms: u64,
        after_ms: u64,
        end: String,
    },

    // Availability.
    #[error(
        "call {call} ({kind:?} at client {client}) began at {at_ms} ms with K honest hubs in reach and had to succeed; it ended with: {end}"
    )]
    NotServed {
        call: u32,
        kind: CallKind,
        client: usize,
        at_ms: u64,
        end: String,
    },

    // Blame.
    #[error("client {client} blames hub {hub} ({blames:?}), which has not lied to it")]
    HonestBlamed {
        client: usize,
        hub: usize,
        blames: Blames,
    },
    #[error(
        "client {client} put the key together and met the lie {lie} of hub {hub}, but does not blame it for that: {blames:?}"
    )]
    LiarNotBlamed {
        client: usize,
        lie: Lie,
        hub: usize,
        blames: Blames,
    },

    // Refused as specified.
    #[error(
        "call {call} of SAE {sae} ({mistake}) had to be refused with status {status} and {words:?}, but ended with: {end}"
    )]
    NotRefused {
        call: u32,
        sae: SaeId,
        mistake: Mistake,
        status: u16,
        words: &'static str,
        end: String,
    },
    #[error(
        "call {call} of SAE {sae} ({mistake}) had to be refused at once, within {within_ms} ms, but was so after {after_ms} ms"
    )]
    RefusedLate {
        call: u32,
        sae: SaeId,
        mistake: Mistake,
        within_ms: u64,
        after_ms: u64,
    },
    #[error(
        "client {client} sent hub {hub} a {what} of key {key} for SAE {sae}, which no call had asked for"
    )]
    AskedByNobody {
        client: usize,
        hub: usize,
        what: &'static str,
        key: KeyId,
        sae: SaeId,
    },

    // Status as specified.
    #[error("call {call}: SAE {sae} asked client {client} for a status, which ended with: {end}")]
    NoStatus {
        call: u32,
        client: usize,
        sae: SaeId,
        end: String,
    },
    #[error(
        "call {call}: the status of client {client} says that {what} is {said}, and it is {truth}"
    )]
    WrongStatus {
        call: u32,
        client: usize,
        what: &'static str,
        said: String,
        truth: String,
    },
    #[error(
        "call {call}: the status of client {client} says that there is PSRD for {said} keys at K hubs, and there is for {} to {}",
        .truth.0, .truth.1
    )]
    WrongCount {
        call: u32,
        client: usize,
        said: usize,
        truth: (usize, usize),
    },

    // Access.
    #[error("SAE {sae} got key {key}, for which it is not named")]
    SaeNotNamed { sae: SaeId, key: KeyId },
    #[error("client {client} got the keys of call {call}, for which its SAE is not named")]
    IntruderServed { client: usize, call: u32 },
    #[error(
        "client {client} handed key {key} to its SAE twice, in calls {first} and {call}, {after_ms} ms apart"
    )]
    FetchedTwice {
        key: KeyId,
        client: usize,
        call: u32,
        first: u32,
        after_ms: u64,
    },
    #[error(
        "hub {hub} handed a share of key {key} to {client} that nobody had deposited there like this"
    )]
    NeverDeposited {
        hub: usize,
        key: KeyId,
        client: &'static str,
    },
    #[error(
        "hub {hub} handed its share of key {key} to client {client} for SAE {sae}, but it was deposited for {}",
        .slaves.join(", ")
    )]
    HandedToAnother {
        hub: usize,
        key: KeyId,
        client: &'static str,
        sae: SaeId,
        slaves: Vec<String>,
    },
    #[error("hub {hub} took shares of client {client} {why}")]
    WronglyTaken {
        hub: usize,
        client: &'static str,
        why: Untakable,
    },
    #[error(
        "hub {hub} took a share of key {key} from client {client}, though it held another of client {first}"
    )]
    ShareReplaced {
        hub: usize,
        key: KeyId,
        client: usize,
        first: usize,
    },
    #[error(
        "hub {hub} refused a share of key {key} from client {client} as a conflict, but had taken no other for the master {master}"
    )]
    FalseConflict {
        hub: usize,
        key: KeyId,
        client: usize,
        master: SaeId,
    },

    // Fair.
    #[error(
        "hub {hub} had no room for key {key} of SAE {sae}, for which it can have held no more than {held} shares of {bytes} bytes, and has to keep room for {} shares and {} bytes",
        .guarantee.shares, .guarantee.bytes
    )]
    NoRoomForOwn {
        hub: usize,
        key: KeyId,
        sae: SaeId,
        held: u64,
        bytes: u64,
        guarantee: Guarantee,
    },
    #[error(
        "{failed} of {calls} calls of other SAEs failed while a greedy one asked for keys, and 1 in 100 may; call {first} was the first, and ended with: {end}"
    )]
    PaidByOthers {
        failed: u64,
        calls: u64,
        first: u32,
        end: String,
    },

    // Nothing for nobody.
    #[error(
        "client {client} sent hub {hub} a {what} of key {key} {late_ms} ms after nobody waited for it any more"
    )]
    SentForNobody {
        client: usize,
        hub: usize,
        what: &'static str,
        key: KeyId,
        late_ms: u64,
    },

    // Bounded work.
    #[error(
        "client {client} searched {what} {done} since its last poll, and {calls} fetches were under way, for which it may be {max}"
    )]
    TooMuchWork {
        client: usize,
        what: &'static str,
        done: u64,
        calls: u64,
        max: u64,
    },

    // Recovery.
    #[error(
        "call {call} ({kind:?} at client {client}) began {after_ms} ms after everything was healed and had to succeed; it ended with: {end}"
    )]
    NotRecovered {
        call: u32,
        kind: CallKind,
        client: usize,
        after_ms: u64,
        end: String,
    },

    // Quiet.
    #[error(transparent)]
    Unquiet(#[from] Unquiet),

    // Accounts.
    #[error(transparent)]
    Miscount(#[from] Miscount),
    #[error(transparent)]
    WrongMetrics(#[from] WrongMetrics),

    // Margin.
    #[error(transparent)]
    NotSent(#[from] NotSent),

    // Waiting.
    #[error(transparent)]
    WrongWait(#[from] WrongWait),

    // Bounds.
    #[error("hub {hub} holds {held} {what}, {max} are allowed")]
    StoreTooFull {
        hub: usize,
        held: usize,
        what: &'static str,
        max: u64,
    },
    #[error("hub {hub} has {bytes} bytes of PSRD for {client}, {max} are allowed")]
    PoolTooFull {
        hub: usize,
        bytes: usize,
        client: NodeName,
        max: usize,
    },
    #[error("hub {hub} still holds {held} shares after the time to live of all has passed")]
    NotDrained { hub: usize, held: usize },
    #[error("client {client} still has {number} {what} in flight at the end")]
    StillInFlight {
        client: usize,
        number: usize,
        what: &'static str,
    },
    #[error("hub {hub} was never heard of")]
    NeverHeardOf { hub: usize },

    // The model of a client.
    #[error(
        "call {call} ({kind:?} at client {client}) had to end as the model says ({}), and ended with: {end}", ends(.possible)
    )]
    OutsideModel {
        call: u32,
        kind: CallKind,
        client: usize,
        possible: Vec<End>,
        end: String,
    },
    #[error(
        "client {client} gave its master keys in call {call} without waiting for hub {hub}, which had kept no call waiting before"
    )]
    NotWaitedFor {
        call: u32,
        client: usize,
        hub: usize,
    },
    #[error(
        "client {client} gave its SAE other keys in call {call} ({kind:?}) than those that the answers of the hubs make"
    )]
    OtherKeysThanModel {
        call: u32,
        kind: CallKind,
        client: usize,
    },
    #[error(
        "client {client} had to blame hub {hub} for {why} {least} to {most} times, as often as it met that, and counts {counted}"
    )]
    BlamedOutsideModel {
        client: usize,
        hub: usize,
        why: String,
        counted: u64,
        least: u64,
        most: u64,
    },
    #[error(
        "client {client} had to say of {least} to {most} keys that two fit, and counts {counted}"
    )]
    AlarmsOutsideModel {
        client: usize,
        counted: u64,
        least: u64,
        most: u64,
    },
    #[error("client {client} registered at hub {hub} again, though nothing was lost")]
    NeedlessRegistration { client: usize, hub: usize },
    #[error("client {client} sent hub {hub} the same {what} of key {key} {attempts} times")]
    TooManyAttempts {
        client: usize,
        hub: usize,
        what: &'static str,
        key: KeyId,
        attempts: u32,
    },
    // As specified.
    #[error("hub {hub} had to answer {expected} to {to}, and said {said}")]
    AnsweredOtherwise {
        hub: usize,
        to: String,
        expected: String,
        said: String,
    },
    #[error("hub {hub} tells of {said} {what}, and it has to be {least} to {most}")]
    CountsOtherwise {
        hub: usize,
        what: String,
        said: usize,
        least: u64,
        most: u64,
    },

    // Of the run itself.
    #[error("the run panicked: {0}")]
    Panic(Panic),
}

/// What makes two violations the same failure. Evidence that differs from run to run does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// This invariant broke.
    Invariant(Invariant),
    /// The run panicked in this place.
    Panic(Option<Place>),
}

/// Name of the violation that a panic is.
pub const PANIC: &str = "panic";

impl Kind {
    /// Its name: that of the invariant, or [`PANIC`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invariant(invariant) => invariant.name(),
            Self::Panic(_) => PANIC,
        }
    }
}

impl Violation {
    /// Of which kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        Kind::Invariant(match self {
            Self::SameKeyTwice { .. } | Self::KeysDiffer { .. } => Invariant::Agreement,
            Self::AnotherKey { .. } | Self::UndrawnKey { .. } => Invariant::NoFalseKey,
            Self::KeyLeaks { .. } | Self::SecretInText { .. } | Self::DependentDraws(_) => {
                Invariant::Secrecy
            }
            Self::BlockTwice { .. }
            | Self::BytesServeTwo { .. }
            | Self::SentTwice { .. }
            | Self::AcceptedTwice { .. }
            | Self::AcceptedUsedBytes { .. }
            | Self::RefusedFreshBytes { .. } => Invariant::OneTime,
            Self::ForgeryAccepted { .. } | Self::WrongMacAccepted { .. } => Invariant::Authentic,
            Self::TooFewHold { .. } => Invariant::Established,
            Self::NotAnswered { .. } => Invariant::Answered,
            Self::NotServed { .. } => Invariant::Availability,
            Self::HonestBlamed { .. } | Self::LiarNotBlamed { .. } => Invariant::Blame,
            Self::SaeNotNamed { .. }
            | Self::IntruderServed { .. }
            | Self::FetchedTwice { .. }
            | Self::NeverDeposited { .. }
            | Self::HandedToAnother { .. }
            | Self::WronglyTaken { .. }
            | Self::ShareReplaced { .. }
            | Self::FalseConflict { .. } => Invariant::Access,
            Self::NoRoomForOwn { .. } | Self::PaidByOthers { .. } => Invariant::Fair,
            Self::SentForNobody { .. } => Invariant::NothingForNobody,
            Self::TooMuchWork { .. } => Invariant::BoundedWork,
            Self::NotRecovered { .. } => Invariant::Recovery,
            Self::Unquiet(_) => Invariant::Quiet,
            Self::Miscount(_) | Self::WrongMetrics(_) => Invariant::Accounts,
            Self::NotSent(_) => Invariant::Margin,
            Self::WrongWait(_) => Invariant::Waiting,
            Self::StoreTooFull { .. }
            | Self::PoolTooFull { .. }
            | Self::NotDrained { .. }
            | Self::StillInFlight { .. }
            | Self::NeverHeardOf { .. } => Invariant::Bounds,
            Self::OutsideModel { .. }
            | Self::NotWaitedFor { .. }
            | Self::OtherKeysThanModel { .. }
            | Self::BlamedOutsideModel { .. }
            | Self::AlarmsOutsideModel { .. }
            | Self::NeedlessRegistration { .. }
            | Self::TooManyAttempts { .. } => Invariant::ClientAsSpecified,
            Self::NotRefused { .. } | Self::RefusedLate { .. } | Self::AskedByNobody { .. } => {
                Invariant::RefusedAsSpecified
            }
            Self::NoStatus { .. } | Self::WrongStatus { .. } | Self::WrongCount { .. } => {
                Invariant::StatusAsSpecified
            }
            Self::AnsweredOtherwise { .. } | Self::CountsOtherwise { .. } => {
                Invariant::HubAsSpecified
            }
            Self::Panic(panic) => return Kind::Panic(panic.place.clone()),
        })
    }
}

fn ends(possible: &[End]) -> String {
    let ends: Vec<String> = possible.iter().map(End::to_string).collect();
    if ends.is_empty() {
        "in no way, or sooner".to_owned()
    } else {
        ends.join(", or ")
    }
}

fn maker(by_outsider: &bool) -> &'static str {
    if *by_outsider {
        "an outsider made up"
    } else {
        "the client that it names did not send"
    }
}

/// A text that left a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the line of each variant says what its fields are"
)]
pub enum Text {
    #[error("what client {client} told the SAE in call {call} ({kind:?})")]
    Told {
        client: usize,
        call: u32,
        kind: CallKind,
    },
    #[error("a refusal by hub {hub}")]
    Refusal { hub: usize },
}

/// Why a hub may not take a deposit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the line of each variant says what its fields are"
)]
pub enum Untakable {
    #[error("for the master {0}")]
    ForeignMaster(SaeId),
    #[error("with N, K, x = {claimed:?} instead of {actual:?}")]
    OtherTopology {
        claimed: (u8, u8, usize),
        actual: (u8, u8, usize),
    },
    #[error("of {0} keys in one message")]
    TooManyKeys(usize),
}

/// A panic of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panic {
    /// Where it came from, if that is known.
    pub place: Option<Place>,
    /// What it said, on one line.
    pub message: String,
}

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl std::fmt::Display for Panic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(Place { file, line, column }) = &self.place {
            write!(f, "panicked at {file}:{line}:{column}: ")?;
        }
        f.write_str(&self.message)
    }
}
