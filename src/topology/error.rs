//! Why a topology cannot be used.

use std::fmt;
use std::io;

use super::range::OutOfRange;
use crate::protocol::names::NameError;
use crate::protocol::{NodeName, SaeId};

/// Largest topology file that is read, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A topology that cannot be used. Its text is one line: the file, the line, what is wrong, and what is allowed.
#[derive(Debug, thiserror::Error)]
pub struct TopologyError {
    /// The file, or the name of a topology that no file describes.
    pub file: String,
    /// The line, from 1, if the problem is on one.
    pub line: Option<usize>,
    /// What is wrong.
    #[source]
    pub problem: Box<TopologyProblem>,
}

/// What is wrong with a topology.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyProblem {
    /// The file cannot be read.
    #[error("cannot be read: {0}; name another with --topology")]
    Unreadable(io::Error),
    /// The file is larger than any topology.
    #[error("has {bytes} bytes, a topology has at most {FILE_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// The text is not TOML, or has fields that a topology does not have. This is what the parser says, in one line.
    #[error("{0}")]
    Syntax(String),
    /// A node without TLS can be reached from elsewhere.
    #[error(
        "{0} can be reached by others, and without TLS whoever reaches it may be any SAE, and register as any client; \
         add [tls] (`dske pki init` makes certificates), or set allow_plain_text = true"
    )]
    PlainText(String),
    /// TLS and its opposite.
    #[error("allow_plain_text has no use beside [tls]; remove one of them")]
    PlainTextUnused,
    /// The common name of an SAE's certificate is kept for nodes and people.
    #[error(
        "a certificate with the common name {0:?} cannot be an SAE's: such names are those of nodes and operators; \
         name the SAE otherwise, or its certificate by san_uri, san_dns or sha256"
    )]
    ReservedName(String),
    /// Two SAEs have the same certificate.
    #[error("SAE {first} has the same certificate; an SAE needs its own")]
    CertificateTaken {
        /// The other SAE.
        first: SaeId,
    },
    /// Keys are set up through hubs.
    #[error("there are no hubs; name at least as many as the threshold")]
    NoHubs,
    /// More hubs than there are x coordinates.
    #[error("there are more than 255 hubs")]
    TooManyHubs,
    /// The threshold is 1, and `allow_threshold_one` is not set.
    #[error(
        "threshold 1 lets every single hub know every key; if that is wanted, set allow_threshold_one = true"
    )]
    ThresholdOne,
    /// The threshold is 0, or above the number of hubs.
    #[error("threshold must be 1 to the number of hubs, which is {hubs}; it is {threshold}")]
    Threshold {
        /// The threshold.
        threshold: u8,
        /// The number of hubs.
        hubs: u8,
    },
    /// The name of a node or of an SAE cannot be one.
    #[error("{name:?}: {error}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        error: NameError,
    },
    /// A node without an address would get a port above 65535.
    #[error("base_port leaves no port for this node")]
    NoPortLeft,
    /// The address of a node is not `host:port`.
    #[error("{0:?} is not an address; write host:port, such as 127.0.0.1:8100")]
    Address(String),
    /// A name by which nodes are to be called cannot be one.
    #[error(
        "{0:?} in host_names is not a host name; write it without scheme and port, such as kme.example.org"
    )]
    HostName(String),
    /// Two nodes have the same name, or the same address.
    #[error("the {what} {value} is taken by {}; every node needs its own", first_node(.first))]
    Taken {
        /// `name` or `address`.
        what: &'static str,
        /// The name or address that both have.
        value: String,
        /// The node that has it first.
        first: FirstNode,
    },
    /// Two clients serve the same SAE.
    #[error("SAE {sae} is served by client {client} already; an SAE has one client")]
    SaeTaken {
        /// The SAE.
        sae: SaeId,
        /// The client that serves it already.
        client: NodeName,
    },
    /// A number is outside of its bounds.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A key size is not a whole number of bytes.
    #[error("key sizes are multiples of 8 bits; {0} is not")]
    KeySize(usize),
}

/// The first of two nodes that have something in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstNode {
    /// Its name.
    pub name: NodeName,
    /// Its line in the file, if there is a file.
    pub line: Option<usize>,
}

fn first_node(first: &FirstNode) -> String {
    match first.line {
        Some(line) => format!("the node on line {line}"),
        None => format!("another node, {}", first.name),
    }
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}
