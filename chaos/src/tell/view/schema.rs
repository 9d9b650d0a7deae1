//! What a trace says: the types of `docs/campaigns.md`, "A trace as JSON". Times are microseconds since the run began.
//!
//! Nothing here is secret: of shares and keys there are IDs, lengths, and whether two of them are the same.

use serde::Serialize;

use crate::plan::Plan;

/// Name of the format. It changes when a field changes its meaning or goes.
pub const SCHEMA: &str = "dske-trace/1";

/// One run, as its observer saw it.
#[derive(Debug, Clone)]
pub struct Trace {
    /// What was drawn before the run.
    pub plan: Plan,
    /// Who takes part: attackers, clients, hubs.
    pub nodes: Vec<Node>,
    /// The planned faults, in the order of the plan.
    pub faults: Vec<FaultSpan>,
    /// What broke, in order of time.
    pub violations: Vec<Violation>,
    /// Who knows what of each key that a client drew, in order of time.
    pub keys: Vec<KeyStory>,
    /// What happened, in order of time.
    pub events: Vec<Event>,
}

impl Trace {
    /// Names of the hubs whose contents the adversary reads.
    pub(super) fn adversary(&self) -> Vec<&str> {
        let hubs = self.nodes.iter().filter(|node| node.adversary);
        hubs.map(|node| node.name.as_str()).collect()
    }
}

/// Somebody who takes part.
#[derive(Debug, Clone, Serialize)]
pub struct Node {
    /// Name, by which events speak of it.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its index among those of its role, as plans and violations count them. A hub's x is one more.
    pub index: usize,
    /// For a hub: whether it lies at some time.
    pub lies: bool,
    /// For a hub: whether the adversary reads what it holds.
    pub adversary: bool,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Floods hubs, and holds no PSRD.
    Outsider,
    /// A registered client that keeps to no rules.
    Rogue,
    /// A client that runs the production code, with the SAE that it serves.
    Client,
    /// A hub.
    Hub,
}

/// A fault, and where it is felt.
#[derive(Debug, Clone, Serialize)]
pub struct FaultSpan {
    /// Its kind, as campaign files spell it.
    pub kind: &'static str,
    /// When it begins.
    pub at_us: u64,
    /// When it ends.
    pub until_us: u64,
    /// In a few words.
    pub text: String,
    /// Nodes that it affects.
    pub nodes: Vec<String>,
    /// Links that it affects: client and hub.
    pub links: Vec<(String, String)>,
}

/// A broken invariant.
#[derive(Debug, Clone, Serialize)]
pub struct Violation {
    /// When it broke.
    pub at_us: u64,
    /// Name of the invariant.
    pub invariant: String,
    /// What was expected and what was seen.
    pub detail: String,
    /// The keys that the words name.
    pub keys: Vec<String>,
}

/// Who knows what of one key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyStory {
    /// Its ID.
    pub id: String,
    /// When its first share was sent.
    pub at_us: u64,
    /// The SAE that asked for it.
    pub master: String,
    /// The SAEs that may have it.
    pub slaves: Vec<String>,
    /// How many bits it has.
    pub bits: usize,
    /// The hubs that said that they hold a share of it.
    pub stored: Vec<Stored>,
    /// The SAEs that were given it.
    pub delivered: Vec<Delivered>,
    /// Each share that the adversary learnt: with K of them it knows the key.
    pub adversary: Vec<Learnt>,
}

/// A hub said that it holds a share.
#[derive(Debug, Clone, Serialize)]
pub struct Stored {
    /// When.
    pub at_us: u64,
    /// The hub.
    pub hub: String,
}

/// An SAE was given a key.
#[derive(Debug, Clone, Serialize)]
pub struct Delivered {
    /// When.
    pub at_us: u64,
    /// The SAE.
    pub sae: String,
    /// In which call.
    pub call: u32,
    /// In which role it asked.
    pub role: &'static str,
    /// Which of the values that were delivered under this ID, from 1: more than one is a disagreement.
    pub value: usize,
    /// Whether that is what the master's client drew; absent where fewer than K shares were sent, so that nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn: Option<bool>,
}

/// The adversary learnt a share.
#[derive(Debug, Clone, Serialize)]
pub struct Learnt {
    /// When.
    pub at_us: u64,
    /// The x of the hub whose share it is.
    pub x: u8,
    /// How many different shares of the key it knows now.
    pub held: usize,
    /// How it came by it.
    pub how: String,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// When it happened, or began.
    pub at_us: u64,
    /// What it was.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum What {
    /// A message, on its way from one node to another.
    Message(Box<Message>),
    /// A call by an SAE.
    Call(Call),
    /// A hub decided to lie.
    Lie {
        /// The hub.
        hub: String,
        /// To whom.
        to: String,
        /// Name of the lie.
        lie: &'static str,
        /// About which keys.
        keys: Vec<String>,
    },
    /// A fault begins: an index into the faults.
    FaultBegins {
        /// Which.
        fault: usize,
    },
    /// A fault ends.
    FaultEnds {
        /// Which.
        fault: usize,
    },
    /// A node starts.
    Start {
        /// Which.
        node: String,
        /// How often it has started before.
        life: u32,
    },
    /// A client asks a hub to be registered.
    Register {
        /// The client.
        client: String,
        /// The hub.
        hub: String,
    },
    /// A hub delivers a block of PSRD to a client.
    Psrd {
        /// The client.
        client: String,
        /// The hub.
        hub: String,
        /// Which end takes bytes from it.
        owner: &'static str,
        /// Its ID.
        block: String,
    },
    /// A node reached a rare situation, at some time since the event before.
    Mark {
        /// Its name.
        mark: &'static str,
        /// In a few words.
        about: &'static str,
    },
}

/// A request by a client, or a hub's answer.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// A request and its answer have the same number.
    pub exchange: usize,
    /// Who sent it.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What it is.
    pub kind: Kind,
    /// Why it was refused, and other things that are said in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// What it says of each key.
    pub keys: Vec<KeyPart>,
    /// Bytes of its body.
    pub bytes: usize,
    /// Its signature header: allocation of PSRD and MAC tag, as anybody on the wire sees them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Whether its MAC fits.
    pub mac: Mac,
    /// What became of it.
    pub fate: Fate,
    /// When it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_us: Option<u64>,
    /// Why it was lost or late, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// For a request that arrived and was never answered: why, or an empty text if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<String>,
    /// What an attacker tried with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forged: Option<String>,
    /// Which lie it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lie: Option<&'static str>,
}

/// Kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A request: shares of new keys.
    Deposit,
    /// A request for shares.
    Fetch,
    /// A request to erase the shares of a call that failed.
    Withdrawal,
    /// Operations of several kinds together; or the answers to them.
    Batch,
    /// A request that is none of these.
    Garbage,
    /// The answer to a deposit or a withdrawal.
    Receipt,
    /// The answer to a fetch.
    Shares,
    /// A refusal of the whole request.
    Refusal,
}

/// What a message says of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyPart {
    /// The key's ID.
    pub id: String,
    /// `share`; or `wanted` in a fetch; `withdrawn` in a withdrawal; `stored`, `conflict`, `full`; `not-found`, `forbidden`.
    pub says: &'static str,
    /// The x of the share, as the message claims it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<u8>,
    /// How long the share is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_bytes: Option<usize>,
}

/// Whether a message's MAC is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mac {
    /// It is the one that the PSRD named in the header gives.
    Fits,
    /// It is another one, or there is no such PSRD.
    Wrong,
    /// The message has no MAC.
    None,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It arrived while somebody waited for it.
    Delivered,
    /// The client had given up by the time it arrived, or would have arrived.
    Late,
    /// It never arrived.
    Lost,
    /// An answer to the outsider, who does not listen.
    Ignored,
}

/// A call by an SAE at its client.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// Number of the planned call.
    pub id: u32,
    /// The client that it calls.
    pub client: String,
    /// The SAE.
    pub sae: String,
    /// In which role it asks: `master`, `slave`, `slave-again`, `slave-retry`, `intruder`, `greedy`, `status`, `mistaken`.
    pub role: &'static str,
    /// Keys asked for.
    pub number: u16,
    /// When it ended.
    pub until_us: u64,
    /// `keys`, `status`, `refused`, or `unknown` where there was no answer.
    pub outcome: &'static str,
    /// What came of it, in words.
    pub text: String,
    /// The keys that were given.
    pub keys: Vec<String>,
}
