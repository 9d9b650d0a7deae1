//! Which hubs and clients there are, and what each of them is told.
//!
//! A [`Topology`] is always a checked one. It comes from a file or a text ([`Topology::read`], [`Topology::parse`]), or from
//! parts that a program puts together ([`TopologyParts::check`]); both pass the same check.
//!
//! | module | what it holds |
//! |---|---|
//! | `sections` | the sections `[psrd]`, `[keys]` and `[timing]`: fields, defaults, limits |
//! | `parts` | what a topology is made of, and the check |
//! | `file` | reads the parts from the text of a file (`docs/topology.md`), and knows the line of each |
//! | `tls` | the section `[tls]`, and what an address without it may be |
//! | `error` | what can be wrong with a topology |
//! | [`range`] | the check of a number against its bounds |

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::crypto::shamir::Sharing;
use crate::http::Names;
use crate::http::directory::{CertificateName, Directory};
use crate::node::client::{ClientConfig, HubPeer, KeyLimits, Timing};
use crate::protocol::hub::HubConfig;
use crate::protocol::limits::NodeLimits;
use crate::protocol::store::StoreLimits;
use crate::protocol::{NodeName, SaeId};

mod error;
mod file;
mod parts;
pub mod range;
mod sections;
#[cfg(test)]
mod tests;
mod tls;

pub use error::{FirstNode, TopologyError, TopologyProblem};
pub use parts::{ClientParts, HubParts, SaeParts, TopologyParts};
pub use sections::{KeysSection, PsrdSection, TimingSection};
pub use tls::TlsSection;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A security hub.
    Hub,
    /// A client (KME).
    Client,
}

impl Role {
    /// `hub` or `client`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Client => "client",
        }
    }
}

/// A node with its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAddress {
    /// Its name.
    pub name: NodeName,
    /// `host:port`.
    pub address: String,
}

/// A checked topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Threshold and number of hubs.
    pub sharing: Sharing,
    /// The hubs in order: the first has x = 1.
    pub hubs: Vec<NodeAddress>,
    /// The clients in order.
    pub clients: Vec<NodeAddress>,
    /// Every SAE, with the client that serves it.
    pub saes: BTreeMap<SaeId, NodeName>,
    /// PSRD blocks and water marks.
    pub psrd: PsrdSection,
    /// Sizes and numbers of keys.
    pub keys: KeysSection,
    /// How long things may take.
    pub timing: TimingSection,
    /// Most shares that a hub holds.
    pub shares_per_hub_max: usize,
    /// Most bytes of shares that a hub holds.
    pub share_bytes_per_hub_max: usize,
    /// Limits of nodes. A file has the usual ones.
    pub limits: NodeLimits,
    /// Whose certificate is which SAE's. Without TLS nobody asks.
    pub sae_certificates: BTreeMap<CertificateName, SaeId>,
    /// Where certificates are. Nodes without them speak plain HTTP.
    pub tls: Option<TlsSection>,
    /// Where nodes that run in the background keep their logs and their run state.
    pub log_dir: PathBuf,
    /// Further names by which nodes are called.
    pub host_names: Vec<String>,
}

impl Topology {
    /// The configuration of the hub with this name. `None` if there is no such hub.
    #[must_use]
    pub fn hub(&self, name: &NodeName) -> Option<HubConfig> {
        let index = self.hubs.iter().position(|hub| hub.name == *name)?;
        let x = self.sharing.indices().nth(index)?;
        let mut clients: BTreeMap<NodeName, BTreeSet<SaeId>> = BTreeMap::new();
        for (sae, client) in &self.saes {
            clients
                .entry(client.clone())
                .or_default()
                .insert(sae.clone());
        }
        Some(HubConfig {
            name: name.clone(),
            x,
            sharing: self.sharing,
            clients,
            store: StoreLimits {
                shares_max: self.shares_per_hub_max,
                bytes_max: self.share_bytes_per_hub_max,
                ttl: Duration::from_millis(self.timing.share_ttl_ms),
                linger: Duration::from_millis(self.timing.linger_ms),
                background: Duration::from_millis(self.timing.background_ms),
            },
            block_bytes: self.psrd.block_bytes,
            limits: self.limits,
        })
    }

    /// The configuration of the client with this name. `None` if there is no such client.
    #[must_use]
    pub fn client(&self, name: &NodeName) -> Option<ClientConfig> {
        self.clients.iter().find(|client| client.name == *name)?;
        let hubs = self.sharing.indices().zip(&self.hubs);
        Some(ClientConfig {
            name: name.clone(),
            saes: self.saes.clone(),
            hubs: hubs
                .map(|(x, hub)| HubPeer {
                    x,
                    name: hub.name.clone(),
                })
                .collect(),
            sharing: self.sharing,
            keys: KeyLimits {
                default_bits: self.keys.default_bits,
                min_bits: self.keys.min_bits,
                max_bits: self.keys.max_bits,
                per_request_max: self.keys.per_request_max,
                stored_max: self.keys.stored_max,
            },
            key_source: self.keys.source,
            timing: Timing {
                request_timeout: Duration::from_millis(self.timing.request_timeout_ms),
                call_deadline: Duration::from_millis(self.timing.call_deadline_ms),
                grace: Duration::from_millis(self.timing.grace_ms),
                background: Duration::from_millis(self.timing.background_ms),
                share_ttl: Duration::from_millis(self.timing.share_ttl_ms),
                linger: Duration::from_millis(self.timing.linger_ms),
            },
            block_bytes: self.psrd.block_bytes,
            low_water_bytes: self.psrd.low_water_bytes,
            limits: self.limits,
        })
    }

    /// All nodes, hubs first.
    pub fn nodes(&self) -> impl Iterator<Item = (Role, &NodeAddress)> {
        let hubs = self.hubs.iter().map(|hub| (Role::Hub, hub));
        let clients = self.clients.iter().map(|client| (Role::Client, client));
        hubs.chain(clients)
    }

    /// Everybody whom it names, with their certificates.
    #[must_use]
    pub fn directory(&self) -> Directory {
        let names = |nodes: &[NodeAddress]| nodes.iter().map(|node| node.name.clone()).collect();
        Directory {
            hubs: names(&self.hubs),
            clients: names(&self.clients),
            saes: self.sae_certificates.clone(),
        }
    }

    /// The names by which a node may be called: its own, that of its address, and those of `host_names`.
    #[must_use]
    pub fn names_of(&self, name: &NodeName) -> Names {
        let address = self.address(name).and_then(|a| a.rsplit_once(':'));
        let of_address = address.map(|(host, _)| host.to_owned());
        let names = [name.to_string()].into_iter().chain(of_address);
        names.chain(self.host_names.iter().cloned()).collect()
    }

    /// The origin of a node: how it is called, and where. `None` if there is no such node.
    #[must_use]
    pub fn origin(&self, name: &NodeName) -> Option<String> {
        let scheme = self.tls.as_ref().map_or("http", |_| "https");
        Some(format!("{scheme}://{}", self.address(name)?))
    }

    /// The address of a node. `None` if there is no such node.
    #[must_use]
    pub fn address(&self, name: &NodeName) -> Option<&str> {
        let (_, node) = self.nodes().find(|(_, node)| node.name == *name)?;
        Some(&node.address)
    }
}
