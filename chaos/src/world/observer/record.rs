//! What is recorded of messages, calls and lies. Times are microseconds since the run began.

use std::time::Duration;

use dske::crypto::secret::Secret;
use dske::http::etsi::Status;
use dske::node::client::ClientStatus;
use dske::protocol::channel::PoolOwner;
use dske::protocol::hub::{HubStatus, OobError, PsrdRequest, Registration, RegistrationRequest};
use dske::protocol::{KeyId, NodeName, Request, Response, SaeId};
use dske::psrd::BlockId;

use crate::plan::attack::FloodAttack;
use crate::plan::reached::Reached;
use crate::plan::{self, Fault, Lie, Mistake};

/// A message, seen at one place.
pub struct Message {
    /// When.
    pub at_us: u64,
    /// Index of the client. At a hub: of the client that the message names as its sender.
    pub client: Option<usize>,
    /// Index of the hub.
    pub hub: usize,
    /// Where, and what.
    pub what: Seen,
}

/// Where a message was seen.
pub enum Seen {
    /// A request leaves the client.
    Sent(Request),
    /// A request reaches the hub.
    Arrived(Request),
    /// A response leaves the hub.
    Said {
        /// The request that it answers.
        to: Request,
        /// The response.
        response: Response,
    },
    /// A response reaches the client.
    Heard {
        /// The request that it answers.
        to: Request,
        /// The response.
        response: Response,
    },
}

/// Something that a hub dealt with. A hub deals with one thing after the other, in the order of these records.
pub struct Deal {
    /// When it began.
    pub at_us: u64,
    /// Index of the hub.
    pub hub: usize,
    /// What it was.
    pub asked: Asked,
    /// The answer, if the hub gave one.
    pub answer: Option<Answered>,
}

/// What a hub is asked.
pub enum Asked {
    /// To start: it has forgotten all that was before.
    Start,
    /// To register a client.
    Registration(RegistrationRequest),
    /// For a block of PSRD.
    Delivery(PsrdRequest),
    /// A message.
    Message(Request),
    /// What it has to tell about itself.
    Status,
}

/// What a hub answers.
pub enum Answered {
    /// Whether it registered the client.
    Registration(Result<Registration, OobError>),
    /// The block that it drew.
    Delivery(Result<BlockId, OobError>),
    /// A message.
    Message(Response),
    /// What it tells about itself.
    Status(HubStatus),
}

/// A call by an SAE.
pub struct Call {
    /// Number of the planned call; of a greedy SAE's, counted down from the largest.
    pub id: u32,
    /// Who calls what.
    pub kind: CallKind,
    /// Index of the client that is called.
    pub client: usize,
    /// The SAE that calls.
    pub sae: SaeId,
    /// The SAE of the path: the slave that keys are for, or the master whose keys are fetched.
    pub other: SaeId,
    /// Keys asked for. None if the client has to see by itself that something is wrong.
    pub number: u16,
    /// Their IDs, if the call is to fetch them.
    pub key_ids: Vec<KeyId>,
    /// When it began.
    pub from_us: u64,
    /// When it ended.
    pub until_us: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// Kinds of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallKind {
    /// The master gets keys.
    Master,
    /// The slave fetches them.
    Slave,
    /// The slave tries to fetch them once more, after it was told that they cannot be had now.
    SlaveRetry,
    /// The slave fetches them once more, and must not get them.
    SlaveAgain,
    /// An SAE that is not named tries to fetch them, and must not get them.
    Intruder,
    /// A greedy SAE gets keys that nobody fetches. No call of the plan.
    Greedy,
    /// The master asks for the status of its KME.
    Status,
    /// An SAE makes a mistake, and must get nothing.
    Mistaken(Mistake),
}

impl CallKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Slave => "slave",
            Self::SlaveRetry => "slave-retry",
            Self::SlaveAgain => "slave-again",
            Self::Status => "status",
            Self::Intruder => "intruder",
            Self::Greedy => "greedy",
            Self::Mistaken(_) => "mistaken",
        }
    }

    /// Whether it asks for new keys, and its client has no reason to refuse that at once.
    #[must_use]
    pub fn establishes(self) -> bool {
        matches!(self, Self::Master | Self::Greedy)
    }

    /// Whether it asks for keys by their IDs, and its client has no reason to refuse that at once.
    #[must_use]
    pub fn fetches(self) -> bool {
        match self {
            Self::Master | Self::Greedy | Self::Status => false,
            Self::Slave | Self::SlaveRetry | Self::SlaveAgain | Self::Intruder => true,
            Self::Mistaken(mistake) => mistake.refusal().is_none(),
        }
    }

    /// Whether a slave asks for its keys as it may: for the first time, or again where it could not have them.
    #[must_use]
    pub fn is_due(self) -> bool {
        matches!(self, Self::Slave | Self::SlaveRetry)
    }
}

/// What came of a call.
pub enum Outcome {
    /// Keys were delivered.
    Keys(Vec<Key>),
    /// What the KME can deliver.
    Status(Box<Status>),
    /// The client refused, with this status and message.
    Refused(u16, String),
    /// Nobody knows: the client did not answer.
    Unknown(String),
}

/// A key as an SAE got it.
#[derive(Clone)]
pub struct Key {
    /// Its ID.
    pub id: KeyId,
    /// Its bytes.
    pub bytes: Secret,
}

impl Outcome {
    /// The keys, if there are any.
    #[must_use]
    pub fn keys(&self) -> Option<&[Key]> {
        match self {
            Self::Keys(keys) => Some(keys),
            Self::Status(_) | Self::Refused(..) | Self::Unknown(_) => None,
        }
    }

    /// One line about it, without secrets.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Keys(keys) => format!("{} keys", keys.len()),
            Self::Status(status) => format!("{} keys in store", status.stored_key_count),
            Self::Refused(status, message) => format!("{status} {message}"),
            Self::Unknown(why) => format!("unknown: {why}"),
        }
    }
}

/// What passes between a client and a hub outside of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutOfBand {
    /// The client was registered.
    Registered,
    /// The hub was cut off from the PSRD that it was asked for.
    RefillCutOff,
    /// The hub delivered a block, which was lost on its way.
    DeliveryLost,
    /// The client asked to be registered or for PSRD, and had no answer.
    Unanswered,
    /// Somebody swapped two answers to the client.
    AnswersSwapped,
}

/// What a client asks for outside of the protocol, and what it hears, seen where its messages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provision {
    /// When.
    pub at_us: u64,
    /// How many messages had been seen anywhere before: this tells what came first within one moment.
    pub after: usize,
    /// Index of the client.
    pub client: usize,
    /// Index of the hub.
    pub hub: usize,
    /// What.
    pub what: Provisioned,
}

/// What a client asks for outside of the protocol, or hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provisioned {
    /// It asks to be registered.
    AsksToRegister,
    /// It hears that it is registered.
    Registered,
    /// It has been delivered a block.
    Block(PoolOwner, BlockId),
    /// It hears that it is not registered, or not delivered a block for this pool, and why.
    Refused(Option<PoolOwner>, OobError),
    /// It asked to be registered, or for a block for this pool, and has given up waiting.
    Unanswered(Option<PoolOwner>),
}

/// A lie that a hub told.
pub struct LieTold {
    /// When.
    pub at_us: u64,
    /// Index of the hub.
    pub hub: usize,
    /// Index of the client that was lied to.
    pub client: usize,
    /// The lie.
    pub lie: Lie,
    /// The keys that it was about.
    pub key_ids: Vec<KeyId>,
    /// Signature of the request that was answered, which tells the answer from others.
    pub to: Option<String>,
}

/// What an attacker tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// The outsider.
    Flood(FloodAttack),
    /// The rogue client.
    Rogue(plan::attack::Attack),
}

impl Tried {
    /// As it is counted.
    #[must_use]
    pub fn reached(self) -> Reached<'static> {
        match self {
            Self::Flood(attack) => Reached::Flood(attack),
            Self::Rogue(attack) => Reached::Rogue(attack),
        }
    }
}

/// A message by an attacker, where it was sent.
pub struct Attack {
    /// When.
    pub at_us: u64,
    /// Index of the hub that it was sent to.
    pub hub: usize,
    /// What was tried.
    pub what: Tried,
    /// The message.
    pub request: Request,
}

impl Attack {
    /// A message of the outsider as somebody else had sent it.
    pub const REPLAY: Tried = Tried::Flood(FloodAttack::Replay);

    /// Whether the outsider sent it. What the rogue client sends is seen as [`Seen::Sent`], too.
    #[must_use]
    pub fn is_flood(&self) -> bool {
        matches!(self.what, Tried::Flood(_))
    }

    /// Whether the outsider made it up or changed it.
    #[must_use]
    pub fn is_made_up(&self) -> bool {
        self.is_flood() && self.what != Self::REPLAY
    }
}

/// Something that was seen, and is no message, call or lie.
pub struct Note {
    /// When.
    pub at_us: u64,
    /// What.
    pub what: NoteKind,
}

/// What is noted.
pub enum NoteKind {
    /// A node starts.
    Start {
        /// Which.
        node: Node,
        /// How often it has started before.
        life: u32,
    },
    /// A client asks a hub to be registered.
    Register {
        /// Index of the hub.
        hub: usize,
        /// Name that the client gives.
        client: NodeName,
    },
    /// A hub delivers a block of PSRD.
    Psrd {
        /// Index of the hub.
        hub: usize,
        /// Index of the client.
        client: usize,
        /// Which end allocates from it.
        owner: PoolOwner,
        /// Its ID.
        block: BlockId,
        /// What tells its bytes from others.
        fingerprint: String,
    },
    /// The nemesis starts a fault.
    FaultBegins(Fault),
    /// The nemesis ends a fault.
    FaultEnds(Fault),
    /// A message was lost on its way between two nodes, and is sent again so much later.
    Retransmission {
        /// Index of the client.
        client: usize,
        /// Index of the hub.
        hub: usize,
        /// How much later it arrives.
        late: Duration,
    },
    /// A hub tells how many shares it holds.
    HubStatus {
        /// Index of the hub.
        hub: usize,
        /// Shares.
        shares: usize,
    },
    /// A client tells how many keys its SAE has fetched.
    ClientStatus {
        /// Index of the client.
        client: usize,
        /// Keys.
        fetched: u64,
    },
}

/// What a node tells about itself.
pub enum NodeStatus {
    /// A client.
    Client(ClientStatus),
    /// A hub.
    Hub(HubStatus),
}

/// What a node told in its metrics, and in its status just before and just after that.
pub struct MetricsSeen {
    /// When the last answer came.
    pub at_us: u64,
    /// Index of the node among those of its kind.
    pub node: usize,
    /// The status before.
    pub before: NodeStatus,
    /// The metrics, in the text format.
    pub text: String,
    /// The status after.
    pub after: NodeStatus,
}

/// A node, by its index among those of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A client.
    Client(usize),
    /// A hub.
    Hub(usize),
}
