//! The topology file: which hubs and clients there are, and what they are told. Documented in `docs/topology.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::crypto::shamir::Sharing;
use crate::node::client::{ClientConfig, HubPeer, KeyLimits, Timing};
use crate::protocol::hub::HubConfig;
use crate::protocol::initiator::KeySource;
use crate::protocol::limits::{
    BLOCKS_MAX, KEY_BYTES_MAX, KEYS_PER_MESSAGE_MAX, SHARE_BYTES_MAX, SHARES_MAX,
};
use crate::protocol::store::StoreLimits;
use crate::protocol::{NodeName, SaeId};
use crate::psrd::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN};

/// Largest topology file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A topology file that cannot be used. One line: file, line, what is wrong, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct TopologyError {
    /// The file.
    pub file: String,
    /// The line, from 1, if it is about one.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

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
#[derive(Debug, Clone)]
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
    /// Shares that a hub holds at most.
    pub shares_per_hub_max: usize,
    /// Bytes of shares that a hub holds at most.
    pub share_bytes_per_hub_max: usize,
    /// How a client knows which SAE is calling.
    pub sae_identity: SaeIdentity,
    /// Where nodes that run in the background keep their logs and their run state.
    pub log_dir: PathBuf,
}

/// How a client knows which SAE is calling, ETSI GS QKD 014 clause 5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaeIdentity {
    /// By the value of the `Authorization` header, on plain HTTP: whoever reaches the port can claim to be any SAE.
    AuthorizationHeader,
}

/// The section `[psrd]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PsrdSection {
    /// Bytes of a block.
    pub block_bytes: usize,
    /// A pool with less than this is refilled.
    pub low_water_bytes: usize,
}

impl Default for PsrdSection {
    fn default() -> Self {
        Self {
            block_bytes: 64 * 1024,
            low_water_bytes: 32 * 1024,
        }
    }
}

/// The section `[keys]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysSection {
    /// Size of a key when the SAE does not say, in bits.
    pub default_bits: usize,
    /// Smallest key, in bits.
    pub min_bits: usize,
    /// Largest key, in bits.
    pub max_bits: usize,
    /// Keys in one call at most.
    pub per_request_max: usize,
    /// Largest `stored_key_count` that is ever reported.
    pub stored_max: usize,
    /// Where the randomness of keys comes from.
    pub source: KeySource,
}

impl Default for KeysSection {
    fn default() -> Self {
        Self {
            default_bits: 256,
            min_bits: 64,
            max_bits: 65_536,
            per_request_max: 128,
            stored_max: 100_000,
            source: KeySource::Generator,
        }
    }
}

/// The section `[timing]`, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimingSection {
    /// One request to a hub.
    pub request_timeout_ms: u64,
    /// A call by an SAE.
    pub call_deadline_ms: u64,
    /// Waiting for the other hubs once K have a share.
    pub grace_ms: u64,
    /// Delivering late shares in the background.
    pub background_ms: u64,
    /// Time to live of a share that is not fetched.
    pub share_ttl_ms: u64,
    /// How long after its first fetch an SAE's client may ask a hub again.
    pub linger_ms: u64,
}

impl Default for TimingSection {
    fn default() -> Self {
        Self {
            request_timeout_ms: 1_000,
            call_deadline_ms: 4_000,
            grace_ms: 100,
            background_ms: 30_000,
            share_ttl_ms: 600_000,
            linger_ms: 10_000,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    threshold: Spanned<u8>,
    #[serde(default)]
    allow_threshold_one: bool,
    #[serde(default = "default_base_port")]
    base_port: Spanned<u16>,
    #[serde(default)]
    psrd: Option<Spanned<PsrdSection>>,
    #[serde(default)]
    keys: Option<Spanned<KeysSection>>,
    #[serde(default)]
    timing: Option<Spanned<TimingSection>>,
    #[serde(default)]
    shares_per_hub_max: Option<Spanned<usize>>,
    #[serde(default)]
    share_bytes_per_hub_max: Option<Spanned<usize>>,
    #[serde(default)]
    sae_identity: Option<Spanned<String>>,
    #[serde(default)]
    log_dir: Option<PathBuf>,
    hubs: Vec<HubEntry>,
    clients: Vec<ClientEntry>,
}

fn default_base_port() -> Spanned<u16> {
    Spanned::new(0..0, 8100)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HubEntry {
    name: Spanned<String>,
    #[serde(default)]
    address: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientEntry {
    name: Spanned<String>,
    #[serde(default)]
    address: Option<Spanned<String>>,
    #[serde(default)]
    saes: Vec<Spanned<String>>,
}

impl Topology {
    /// Reads and checks a topology file.
    ///
    /// # Errors
    /// If it cannot be read, or says something that cannot be.
    pub fn read(path: &Path) -> Result<Self, TopologyError> {
        let file = path.display().to_string();
        let fail = |message: String| TopologyError {
            file: file.clone(),
            line: None,
            message,
        };
        let size = std::fs::metadata(path)
            .map_err(|e| fail(format!("cannot be read: {e}; name another with --topology")))?
            .len();
        if size > FILE_BYTES_MAX {
            return Err(fail(format!(
                "has {size} bytes, a topology has at most {FILE_BYTES_MAX}"
            )));
        }
        let text =
            std::fs::read_to_string(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
        let mut topology = Self::parse(&file, &text)?;
        // Commands typed in another folder have to find the same logs and run state.
        let folder = path.parent().unwrap_or(Path::new(""));
        topology.log_dir = folder.join(topology.log_dir);
        Ok(topology)
    }

    /// Checks the text of a topology file. `file` is its name, for errors.
    ///
    /// # Errors
    /// If it says something that cannot be.
    pub fn parse(file: &str, text: &str) -> Result<Self, TopologyError> {
        Checker { file, text }.check()
    }

    /// What the hub with this name is told.
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
            },
        })
    }

    /// What the client with this name is told.
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
                linger: Duration::from_millis(self.timing.linger_ms),
            },
            block_bytes: self.psrd.block_bytes,
            low_water_bytes: self.psrd.low_water_bytes,
        })
    }

    /// All nodes, hubs first.
    pub fn nodes(&self) -> impl Iterator<Item = (Role, &NodeAddress)> {
        let hubs = self.hubs.iter().map(|hub| (Role::Hub, hub));
        let clients = self.clients.iter().map(|client| (Role::Client, client));
        hubs.chain(clients)
    }

    /// The address of a node.
    #[must_use]
    pub fn address(&self, name: &NodeName) -> Option<&str> {
        let (_, node) = self.nodes().find(|(_, node)| node.name == *name)?;
        Some(&node.address)
    }
}

struct Checker<'a> {
    file: &'a str,
    text: &'a str,
}

impl Checker<'_> {
    fn check(&self) -> Result<Topology, TopologyError> {
        let file: File =
            toml::from_str(self.text).map_err(|e| self.error(e.span(), e.message()))?;
        let sharing = self.sharing(&file)?;
        let base_port = &file.base_port;
        self.within(
            "base_port",
            base_port.span(),
            u64::from(*base_port.get_ref()),
            1,
            65_535,
        )?;
        let mut taken = BTreeMap::new();
        let hubs = file
            .hubs
            .iter()
            .map(|hub| (&hub.name, hub.address.as_ref()));
        let clients = file.clients.iter();
        let clients = clients.map(|client| (&client.name, client.address.as_ref()));
        let mut nodes = Vec::new();
        for (index, (name, address)) in hubs.chain(clients).enumerate() {
            nodes.push(self.node(index, name, address, *file.base_port.get_ref(), &mut taken)?);
        }
        let clients = nodes.split_off(file.hubs.len());
        let psrd = self.psrd(file.psrd.as_ref())?;
        let keys = self.keys(file.keys.as_ref())?;
        let timing = self.timing(file.timing.as_ref())?;
        let shares_per_hub_max = self.number(
            "shares_per_hub_max",
            file.shares_per_hub_max.as_ref(),
            SHARES_MAX,
            1..=100_000_000,
        )?;
        let share_bytes_per_hub_max = self.number(
            "share_bytes_per_hub_max",
            file.share_bytes_per_hub_max.as_ref(),
            SHARE_BYTES_MAX,
            1 << 20..=1 << 40, // room for the share of the largest key
        )?;
        Ok(Topology {
            sharing,
            hubs: nodes,
            saes: self.saes(&file, &clients)?,
            clients,
            psrd,
            keys,
            timing,
            shares_per_hub_max,
            share_bytes_per_hub_max,
            sae_identity: self.sae_identity(file.sae_identity.as_ref())?,
            log_dir: file.log_dir.unwrap_or_else(|| PathBuf::from("logs")),
        })
    }

    fn sae_identity(
        &self,
        identity: Option<&Spanned<String>>,
    ) -> Result<SaeIdentity, TopologyError> {
        match identity.map(|identity| (identity.get_ref().as_str(), identity.span())) {
            None | Some(("authorization-header", _)) => Ok(SaeIdentity::AuthorizationHeader),
            Some((other, span)) => Err(self.error(
                Some(span),
                &format!("sae_identity must be \"authorization-header\", not {other:?}; there is no mutual TLS yet"),
            )),
        }
    }

    fn sharing(&self, file: &File) -> Result<Sharing, TopologyError> {
        let span = Some(file.threshold.span());
        let threshold = *file.threshold.get_ref();
        let hubs = u8::try_from(file.hubs.len())
            .map_err(|_| self.error(span.clone(), "there are more than 255 hubs"))?;
        if threshold == 1 && !file.allow_threshold_one {
            return Err(self.error(
                span,
                "threshold 1 lets every single hub know every key; if that is wanted, set allow_threshold_one = true",
            ));
        }
        Sharing::allowing_single(threshold, hubs).map_err(|_| {
            self.error(
                span,
                &format!(
                    "threshold must be 1 to the number of hubs, which is {hubs}; it is {threshold}"
                ),
            )
        })
    }

    fn node(
        &self,
        index: usize,
        name: &Spanned<String>,
        address: Option<&Spanned<String>>,
        base_port: u16,
        taken: &mut BTreeMap<String, usize>,
    ) -> Result<NodeAddress, TopologyError> {
        let parsed: NodeName = name
            .get_ref()
            .parse()
            .map_err(|e| self.error(Some(name.span()), &format!("{:?}: {e}", name.get_ref())))?;
        let span = address.map_or(name.span(), Spanned::span);
        let address = match address {
            Some(address) => self.address(address)?,
            None => {
                let port = u16::try_from(index)
                    .ok()
                    .and_then(|i| base_port.checked_add(i));
                let port = port.ok_or_else(|| {
                    self.error(Some(span.clone()), "base_port leaves no port for this node")
                })?;
                format!("127.0.0.1:{port}")
            }
        };
        for (what, key, span) in [
            ("name", parsed.to_string(), name.span()),
            ("address", address.clone(), span),
        ] {
            let line = self.line(&span);
            if let Some(first) = taken.insert(format!("{what} {key}"), line) {
                return Err(self.error(
                    Some(span),
                    &format!("the {what} {key} is taken by the node on line {first}; every node needs its own"),
                ));
            }
        }
        Ok(NodeAddress {
            name: parsed,
            address,
        })
    }

    fn address(&self, address: &Spanned<String>) -> Result<String, TopologyError> {
        let text = address.get_ref();
        let valid = text.parse::<SocketAddr>().is_ok()
            || text.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty()
                    && host
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
                    && port.parse::<u16>().is_ok_and(|port| port != 0)
            });
        if valid {
            return Ok(text.clone());
        }
        Err(self.error(
            Some(address.span()),
            &format!("{text:?} is no address; write host:port, such as 127.0.0.1:8100"),
        ))
    }

    fn saes(
        &self,
        file: &File,
        clients: &[NodeAddress],
    ) -> Result<BTreeMap<SaeId, NodeName>, TopologyError> {
        let mut saes = BTreeMap::new();
        let mut add = |sae: SaeId, home: &NodeName, span: Range<usize>| match saes
            .insert(sae.clone(), home.clone())
        {
            Some(other) => Err(self.error(
                Some(span),
                &format!("SAE {sae} is served by client {other} already; an SAE has one client"),
            )),
            None => Ok(()),
        };
        for (entry, client) in file.clients.iter().zip(clients) {
            // A client without a list of SAEs serves one that has its own name.
            if entry.saes.is_empty() {
                add(SaeId::from(&client.name), &client.name, entry.name.span())?;
            }
            for sae in &entry.saes {
                let id = sae.get_ref().parse().map_err(|e| {
                    self.error(Some(sae.span()), &format!("{:?}: {e}", sae.get_ref()))
                })?;
                add(id, &client.name, sae.span())?;
            }
        }
        Ok(saes)
    }

    fn psrd(&self, section: Option<&Spanned<PsrdSection>>) -> Result<PsrdSection, TopologyError> {
        let Some(section) = section else {
            return Ok(PsrdSection::default());
        };
        let (span, psrd) = (section.span(), *section.get_ref());
        let (min, max) = (BLOCK_BYTES_MIN as u64, BLOCK_BYTES_MAX as u64);
        self.within(
            "psrd.block_bytes",
            span.clone(),
            psrd.block_bytes as u64,
            min,
            max,
        )?;
        // A pool holds so many blocks, the first of which may be spent in part: it would never come above this mark.
        let held_max = psrd.block_bytes.saturating_mul(BLOCKS_MAX - 1) as u64;
        self.within(
            "psrd.low_water_bytes",
            span,
            psrd.low_water_bytes as u64,
            1,
            max.min(held_max),
        )?;
        Ok(psrd)
    }

    fn keys(&self, section: Option<&Spanned<KeysSection>>) -> Result<KeysSection, TopologyError> {
        let Some(section) = section else {
            return Ok(KeysSection::default());
        };
        let (span, keys) = (section.span(), *section.get_ref());
        let bits_max = KEY_BYTES_MAX as u64 * 8;
        self.within(
            "keys.max_bits",
            span.clone(),
            keys.max_bits as u64,
            8,
            bits_max,
        )?;
        self.within(
            "keys.min_bits",
            span.clone(),
            keys.min_bits as u64,
            8,
            keys.max_bits as u64,
        )?;
        self.within(
            "keys.default_bits",
            span.clone(),
            keys.default_bits as u64,
            keys.min_bits as u64,
            keys.max_bits as u64,
        )?;
        for bits in [keys.default_bits, keys.min_bits, keys.max_bits] {
            if !bits.is_multiple_of(8) {
                return Err(self.error(
                    Some(span),
                    &format!("key sizes are multiples of 8 bits; {bits} is not"),
                ));
            }
        }
        let per_message = KEYS_PER_MESSAGE_MAX as u64;
        self.within(
            "keys.per_request_max",
            span.clone(),
            keys.per_request_max as u64,
            1,
            per_message,
        )?;
        self.within(
            "keys.stored_max",
            span,
            keys.stored_max as u64,
            1,
            u64::from(u32::MAX),
        )?;
        Ok(keys)
    }

    fn timing(
        &self,
        section: Option<&Spanned<TimingSection>>,
    ) -> Result<TimingSection, TopologyError> {
        let Some(section) = section else {
            return Ok(TimingSection::default());
        };
        let (span, timing) = (section.span(), *section.get_ref());
        let day = 24 * 60 * 60 * 1000;
        for (what, value, min) in [
            ("timing.request_timeout_ms", timing.request_timeout_ms, 1),
            ("timing.call_deadline_ms", timing.call_deadline_ms, 1),
            ("timing.grace_ms", timing.grace_ms, 0),
            ("timing.background_ms", timing.background_ms, 0),
            ("timing.share_ttl_ms", timing.share_ttl_ms, 1),
            ("timing.linger_ms", timing.linger_ms, 0),
        ] {
            self.within(what, span.clone(), value, min, day)?;
        }
        Ok(timing)
    }

    /// A number that need not be there.
    fn number(
        &self,
        what: &str,
        value: Option<&Spanned<usize>>,
        default: usize,
        limits: RangeInclusive<usize>,
    ) -> Result<usize, TopologyError> {
        let Some(value) = value else {
            return Ok(default);
        };
        let (got, min, max) = (*value.get_ref(), *limits.start(), *limits.end());
        self.within(what, value.span(), got as u64, min as u64, max as u64)?;
        Ok(got)
    }

    fn within(
        &self,
        what: &str,
        span: Range<usize>,
        got: u64,
        min: u64,
        max: u64,
    ) -> Result<(), TopologyError> {
        if (min..=max).contains(&got) {
            return Ok(());
        }
        Err(self.error(
            Some(span),
            &format!("{what} must be {min} to {max}, not {got}"),
        ))
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    fn error(&self, span: Option<Range<usize>>, message: &str) -> TopologyError {
        TopologyError {
            file: self.file.to_owned(),
            line: span.map(|span| self.line(&span)),
            // The parser's messages may have several lines.
            message: message.lines().collect::<Vec<_>>().join("; "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../topology.toml");

    fn parse(text: &str) -> Result<Topology, String> {
        Topology::parse("t.toml", text).map_err(|e| e.to_string())
    }

    fn with(from: &str, to: &str) -> Result<Topology, String> {
        assert!(EXAMPLE.contains(from), "the example has {from:?}");
        parse(&EXAMPLE.replacen(from, to, 1))
    }

    #[test]
    fn the_example_has_five_hubs_and_five_clients_on_ports_in_order() {
        let topology = parse(EXAMPLE).unwrap();
        let nodes: Vec<_> = topology.hubs.iter().chain(&topology.clients).collect();
        assert_eq!(nodes.len(), 10);
        for (index, node) in nodes.iter().enumerate() {
            assert_eq!(node.address, format!("127.0.0.1:{}", 8100 + index));
        }
        let carol: NodeName = "carol".parse().unwrap();
        assert_eq!(topology.saes.get(&SaeId::from(&carol)), Some(&carol));
        assert_eq!(topology.hub(&"hugo".parse().unwrap()).unwrap().x.get(), 5);
        assert!(topology.hub(&carol).is_none());
        assert!(topology.client(&carol).is_some());
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_line() {
        let line_of = |text: &str| EXAMPLE.lines().position(|l| l.contains(text)).unwrap() + 1;
        let threshold = line_of("threshold = 3");
        let celia = line_of("\"celia\"");
        for (from, to, expected) in [
            (
                "threshold = 3",
                "threshold = 6",
                format!(
                    "t.toml:{threshold}: threshold must be 1 to the number of hubs, which is 5; it is 6"
                ),
            ),
            (
                "threshold = 3",
                "threshold = 0",
                format!("t.toml:{threshold}: threshold must be"),
            ),
            (
                "threshold = 3",
                "threshold = 1",
                format!("t.toml:{threshold}: threshold 1 lets every single hub"),
            ),
            (
                "threshold = 3",
                "threshhold = 3",
                format!("t.toml:{threshold}: unknown field"),
            ),
            (
                "threshold = 3",
                "threshold = ",
                format!("t.toml:{threshold}: "),
            ),
            (
                "\"celia\"",
                "\"carol\"",
                format!("t.toml:{celia}: the name carol is taken by the node on line"),
            ),
            (
                "\"celia\"",
                "\"hank\"",
                format!("t.toml:{celia}: the name hank is taken"),
            ),
            (
                "\"celia\"",
                "\"ce lia\"",
                format!("t.toml:{celia}: \"ce lia\": a name is made of"),
            ),
            (
                "\"celia\"",
                "\"celia\", saes = [\"carol\"]",
                format!("t.toml:{celia}: SAE carol is served by client carol already"),
            ),
            (
                "\"celia\"",
                "\"celia\", address = \"127.0.0.1:8100\"",
                format!("t.toml:{celia}: the address 127.0.0.1:8100 is taken"),
            ),
            (
                "threshold = 3",
                "sae_identity = \"mutual-tls\"\nthreshold = 3",
                format!("t.toml:{threshold}: sae_identity must be \"authorization-header\""),
            ),
            (
                "\"celia\"",
                "\"celia\", address = \"here\"",
                format!("t.toml:{celia}: \"here\" is no address"),
            ),
        ] {
            let error = with(from, to).unwrap_err();
            assert!(error.starts_with(&expected), "{to}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn limits_of_the_sections_are_checked() {
        for (section, expected) in [
            ("[psrd]\nblock_bytes = 1", "psrd.block_bytes must be 64 to"),
            (
                "[psrd]\nblock_bytes = 256\nlow_water_bytes = 16129",
                "psrd.low_water_bytes must be 1 to 16128, not 16129",
            ),
            (
                "[keys]\nmax_bits = 9000000",
                "keys.max_bits must be 8 to 1048576",
            ),
            (
                "[keys]\ndefault_bits = 32",
                "keys.default_bits must be 64 to",
            ),
            (
                "[keys]\ndefault_bits = 257",
                "key sizes are multiples of 8 bits",
            ),
            (
                "[keys]\nper_request_max = 0",
                "keys.per_request_max must be 1 to 128",
            ),
            (
                "[timing]\nrequest_timeout_ms = 0",
                "timing.request_timeout_ms must be",
            ),
        ] {
            let text = format!("{EXAMPLE}\n{section}\n");
            let error = parse(&text).unwrap_err();
            assert!(error.contains(expected), "{section}: {error}");
        }
    }

    #[test]
    fn what_a_hub_holds_is_bounded_by_number_and_bytes() {
        let limits = |lines: &str| {
            let topology = parse(&format!("{lines}\n{EXAMPLE}"))?;
            let hub = topology.hub(&"hank".parse().unwrap()).unwrap();
            Ok::<_, String>((hub.store.shares_max, hub.store.bytes_max))
        };
        assert_eq!(limits(""), Ok((SHARES_MAX, SHARE_BYTES_MAX)));
        let both = "shares_per_hub_max = 7\nshare_bytes_per_hub_max = 1_048_576";
        assert_eq!(limits(both), Ok((7, 1 << 20)));
        for (line, expected) in [
            ("shares_per_hub_max = 0", "must be 1 to 100000000, not 0"),
            ("share_bytes_per_hub_max = 1_048_575", "must be 1048576 to"),
            (
                "share_bytes_per_hub_max = 1_099_511_627_777",
                "to 1099511627776, not",
            ),
        ] {
            let error = limits(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn keys_come_from_the_generator_unless_psrd_is_asked_for() {
        let source = |text: &str| {
            let topology = parse(text).unwrap();
            topology
                .client(&"carol".parse().unwrap())
                .unwrap()
                .key_source
        };
        assert_eq!(source(EXAMPLE), KeySource::Generator);
        for expected in [KeySource::Generator, KeySource::Psrd] {
            let text = format!("{EXAMPLE}\n[keys]\nsource = \"{}\"\n", expected.as_str());
            assert_eq!(source(&text), expected);
        }
        let text = format!("{EXAMPLE}\n[keys]\nmin_bits = 64\nsource = \"dice\"\n");
        let line = EXAMPLE.lines().count() + 4;
        let expected =
            format!("t.toml:{line}: unknown variant `dice`, expected `generator` or `psrd`");
        assert_eq!(parse(&text).unwrap_err(), expected);
    }

    #[test]
    fn ports_have_to_be_ports_and_to_be_enough() {
        assert!(
            with("base_port = 8100", "base_port = 0")
                .unwrap_err()
                .contains("base_port must be 1 to 65535")
        );
        assert!(
            with("base_port = 8100", "base_port = 65530")
                .unwrap_err()
                .contains("leaves no port for this node")
        );
        assert!(with("base_port = 8100", "base_port = 70000").is_err());
    }

    #[test]
    fn a_single_hub_is_enough_when_asked_for() {
        let text = "threshold = 1\nallow_threshold_one = true\nhubs = [{name = \"h\"}]\nclients = [{name = \"c\"}]";
        assert_eq!(parse(text).unwrap().sharing.shares(), 1);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Topology::read(Path::new("/nonexistent/t.toml"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("/nonexistent/t.toml: cannot be read"),
            "{error}"
        );
    }
}
