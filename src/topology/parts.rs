//! What a topology is made of, and the check that makes a [`Topology`] of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::error::{FirstNode, TopologyError, TopologyProblem};
use super::range::within;
use super::tls::is_loopback;
use super::{KeysSection, NodeAddress, PsrdSection, TimingSection, TlsSection, Topology};
use crate::crypto::shamir::Sharing;
use crate::http::directory::{CertificateName, is_reserved};
use crate::protocol::limits::{NodeLimits, SHARE_BYTES_MAX, SHARES_MAX};
use crate::protocol::{NodeName, SaeId};

/// Port of the first node, if nothing else is said.
pub(super) const BASE_PORT: u16 = 8100;

/// What a topology is made of, as a program or a file says it. `docs/topology.md` explains every field.
///
/// ```
/// use dske::topology::{ClientParts, HubParts, TopologyParts};
///
/// let hubs = ["hank", "helen", "hilary"].map(|name| HubParts::named(name.parse().unwrap()));
/// let clients = ["carol", "celia"].map(|name| ClientParts::named(name.parse().unwrap()));
/// let topology = TopologyParts::new(2, hubs, clients).check("example").unwrap();
/// assert_eq!(topology.clients[0].address, "127.0.0.1:8103");
/// ```
#[derive(Debug, Clone)]
pub struct TopologyParts {
    /// K: how many hubs suffice for a key.
    pub threshold: u8,
    /// Whether a threshold of 1 is wanted.
    pub allow_threshold_one: bool,
    /// Port of the first node. The n-th node, hubs first, has the n-th port from there, unless it has an address.
    pub base_port: u16,
    /// The hubs: the first has x = 1.
    pub hubs: Vec<HubParts>,
    /// The clients.
    pub clients: Vec<ClientParts>,
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
    /// Limits of nodes. A file cannot say them: the usual ones suit everybody but tests.
    pub limits: NodeLimits,
    /// Where certificates are. Nodes without them speak plain HTTP.
    pub tls: Option<TlsSection>,
    /// Whether nodes may speak plain HTTP where others can reach them.
    pub allow_plain_text: bool,
    /// Folder of the logs and the run state of nodes in the background.
    pub log_dir: PathBuf,
    /// Further names by which nodes are called, such as that of a proxy.
    pub host_names: Vec<String>,
}

/// A hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubParts {
    /// Its name.
    pub name: NodeName,
    /// `host:port`. Without one, the node listens at 127.0.0.1, at its port from `base_port` on.
    pub address: Option<String>,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientParts {
    /// Its name.
    pub name: NodeName,
    /// `host:port`. Without one, the node listens at 127.0.0.1, at its port from `base_port` on.
    pub address: Option<String>,
    /// The SAEs that it serves. If nothing is said, it serves one that has its own name.
    pub saes: Option<Vec<SaeParts>>,
}

/// An SAE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaeParts {
    /// Its ID.
    pub id: SaeId,
    /// What its certificate says. Without one, the common name is the ID.
    pub certificate: Option<CertificateName>,
}

impl From<SaeId> for SaeParts {
    /// With the certificate that has its ID as common name.
    fn from(id: SaeId) -> Self {
        Self {
            id,
            certificate: None,
        }
    }
}

impl HubParts {
    /// With this name, and the default of everything else.
    #[must_use]
    pub fn named(name: NodeName) -> Self {
        Self {
            name,
            address: None,
        }
    }
}

impl ClientParts {
    /// With this name, and the default of everything else.
    #[must_use]
    pub fn named(name: NodeName) -> Self {
        Self {
            name,
            address: None,
            saes: None,
        }
    }
}

impl TopologyParts {
    /// Hubs and clients, with the default of everything else.
    pub fn new(
        threshold: u8,
        hubs: impl IntoIterator<Item = HubParts>,
        clients: impl IntoIterator<Item = ClientParts>,
    ) -> Self {
        Self {
            threshold,
            allow_threshold_one: false,
            base_port: BASE_PORT,
            hubs: hubs.into_iter().collect(),
            clients: clients.into_iter().collect(),
            psrd: PsrdSection::default(),
            keys: KeysSection::default(),
            timing: TimingSection::default(),
            shares_per_hub_max: SHARES_MAX,
            share_bytes_per_hub_max: SHARE_BYTES_MAX,
            limits: NodeLimits::default(),
            tls: None,
            allow_plain_text: false,
            log_dir: PathBuf::from("logs"),
            host_names: Vec::new(),
        }
    }

    /// Checks the parts, and makes a topology of them. `name` stands in errors where the name of a file would.
    ///
    /// # Errors
    /// The first problem.
    pub fn check(self, name: &str) -> Result<Topology, TopologyError> {
        self.check_at(name, &Lines::default())
    }

    /// The same for parts that were read from these lines of a file.
    pub(super) fn check_at(self, file: &str, lines: &Lines) -> Result<Topology, TopologyError> {
        self.checked(lines)
            .map_err(|(place, problem)| TopologyError {
                file: file.to_owned(),
                line: lines.of(place),
                problem: Box::new(problem),
            })
    }

    fn checked(self, lines: &Lines) -> Result<Topology, Flaw> {
        let sharing = self.sharing().map_err(at(Place::Threshold))?;
        within("base_port", self.base_port, 1..=u16::MAX).map_err(at(Place::BasePort))?;
        let mut hubs = self.nodes(lines)?;
        let clients = hubs.split_off(self.hubs.len());
        self.psrd.check().map_err(at(Place::Psrd))?;
        self.keys.check().map_err(at(Place::Keys))?;
        self.timing.check().map_err(at(Place::Timing))?;
        let shares = self.shares_per_hub_max;
        within("shares_per_hub_max", shares, 1..=100_000_000)
            .map_err(at(Place::SharesPerHubMax))?;
        let share_bytes = self.share_bytes_per_hub_max;
        // At the least there is room for the share of the largest key.
        within("share_bytes_per_hub_max", share_bytes, 1 << 20..=1 << 40)
            .map_err(at(Place::ShareBytesPerHubMax))?;
        if let Some(name) = self.host_names.iter().find(|name| !is_host(name)) {
            let problem = TopologyProblem::HostName(name.clone());
            return Err((Place::HostNames, problem));
        }
        if self.allow_plain_text && self.tls.is_some() {
            return Err((Place::Threshold, TopologyProblem::PlainTextUnused));
        }
        let nodes = hubs.iter().chain(&clients).enumerate();
        let protected = self.allow_plain_text || self.tls.is_some();
        for (number, node) in nodes.filter(|_| !protected) {
            if !is_loopback(&node.address) {
                let problem = TopologyProblem::PlainText(node.address.clone());
                return Err((Place::Address(number), problem));
            }
        }
        let (saes, sae_certificates) = self.saes()?;
        Ok(Topology {
            sharing,
            hubs,
            clients,
            saes,
            sae_certificates,
            tls: self.tls,
            psrd: self.psrd,
            keys: self.keys,
            timing: self.timing,
            shares_per_hub_max: shares,
            share_bytes_per_hub_max: share_bytes,
            limits: self.limits,
            log_dir: self.log_dir,
            host_names: self.host_names,
        })
    }

    fn sharing(&self) -> Result<Sharing, TopologyProblem> {
        let threshold = self.threshold;
        if self.hubs.is_empty() {
            return Err(TopologyProblem::NoHubs);
        }
        let hubs = u8::try_from(self.hubs.len()).map_err(|_| TopologyProblem::TooManyHubs)?;
        if threshold == 1 && !self.allow_threshold_one {
            return Err(TopologyProblem::ThresholdOne);
        }
        let sharing = Sharing::allowing_single(threshold, hubs);
        sharing.map_err(|_| TopologyProblem::Threshold { threshold, hubs })
    }

    /// All nodes with their addresses, hubs first.
    fn nodes(&self, lines: &Lines) -> Result<Vec<NodeAddress>, Flaw> {
        let hubs = self.hubs.iter().map(|hub| (&hub.name, &hub.address));
        let clients = self.clients.iter();
        let clients = clients.map(|client| (&client.name, &client.address));
        let mut nodes = Vec::new();
        let mut taken: BTreeMap<(&'static str, String), FirstNode> = BTreeMap::new();
        for (number, (name, address)) in hubs.chain(clients).enumerate() {
            let address = match address {
                Some(address) => checked_address(address),
                None => self.next_address(number),
            };
            let address = address.map_err(at(Place::Address(number)))?;
            for (what, value, place) in [
                ("name", name.to_string(), Place::Name(number)),
                ("address", listened_at(&address), Place::Address(number)),
            ] {
                let this = FirstNode {
                    name: name.clone(),
                    line: lines.of(place),
                };
                if let Some(first) = taken.insert((what, value.clone()), this) {
                    return Err((place, TopologyProblem::Taken { what, value, first }));
                }
            }
            nodes.push(NodeAddress {
                name: name.clone(),
                address,
            });
        }
        Ok(nodes)
    }

    fn next_address(&self, number: usize) -> Result<String, TopologyProblem> {
        let number = u16::try_from(number).ok();
        let port = number.and_then(|number| self.base_port.checked_add(number));
        let port = port.ok_or(TopologyProblem::NoPortLeft)?;
        Ok(format!("127.0.0.1:{port}"))
    }

    /// All SAEs: the client of each, and whose certificate is which.
    fn saes(&self) -> Result<Saes, Flaw> {
        let (mut homes, mut certificates) = Saes::default();
        for (number, client) in self.clients.iter().enumerate() {
            let own = || {
                let place = Place::Name(self.hubs.len() + number);
                vec![(SaeParts::from(SaeId::from(&client.name)), place)]
            };
            let named = client.saes.as_ref().map(|saes| {
                let saes = saes.iter().cloned().enumerate();
                saes.map(|(sae, id)| (id, Place::Sae(number, sae)))
                    .collect()
            });
            for (SaeParts { id, certificate }, place) in named.unwrap_or_else(own) {
                if let Some(client) = homes.insert(id.clone(), client.name.clone()) {
                    return Err((place, TopologyProblem::SaeTaken { sae: id, client }));
                }
                let certificate = certificate.unwrap_or(CertificateName::Cn(id.to_string()));
                if self.tls.is_some()
                    && let CertificateName::Cn(name) = &certificate
                    && is_reserved(name)
                {
                    return Err((place, TopologyProblem::ReservedName(name.clone())));
                }
                if let Some(first) = certificates.insert(certificate, id) {
                    return Err((place, TopologyProblem::CertificateTaken { first }));
                }
            }
        }
        Ok((homes, certificates))
    }
}

/// The client of each SAE, and whose certificate is which.
type Saes = (BTreeMap<SaeId, NodeName>, BTreeMap<CertificateName, SaeId>);

/// A problem, and where it is.
type Flaw = (Place, TopologyProblem);

fn at<P: Into<TopologyProblem>>(place: Place) -> impl Fn(P) -> Flaw {
    move |problem| (place, problem.into())
}

fn is_host(host: &str) -> bool {
    let mut characters = host.chars();
    !host.is_empty() && characters.all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
}

/// The same for all ways to write the address of one socket.
fn listened_at(address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let host = match host.to_ascii_lowercase() {
        host if host == "localhost" => "127.0.0.1".to_owned(),
        host => host,
    };
    format!("{host}:{}", port.trim_start_matches('0'))
}

fn checked_address(address: &str) -> Result<String, TopologyProblem> {
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    let parts = address.rsplit_once(':');
    let is_valid = address
        .parse::<SocketAddr>()
        .is_ok_and(|address| address.port() != 0)
        || parts.is_some_and(|(host, port)| is_host(host) && is_port(port));
    match is_valid {
        true => Ok(address.to_owned()),
        false => Err(TopologyProblem::Address(address.to_owned())),
    }
}

/// Where in the parts a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Threshold,
    BasePort,
    Psrd,
    Keys,
    Timing,
    SharesPerHubMax,
    ShareBytesPerHubMax,
    HostNames,
    /// The name of a node. Nodes are numbered from 0, hubs first.
    Name(usize),
    /// The address of a node.
    Address(usize),
    /// An SAE: the number of the client among the clients, and its number there.
    Sae(usize, usize),
}

/// The lines, from 1, on which a file says what. Empty for parts that no file describes.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<Place, usize>);

impl Lines {
    pub(super) fn set(&mut self, place: Place, line: usize) {
        self.0.insert(place, line);
    }

    fn of(&self, place: Place) -> Option<usize> {
        self.0.get(&place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::initiator::KeySource;

    fn small() -> TopologyParts {
        let name = |name: &str| -> NodeName { name.parse().unwrap() };
        let hubs = [
            HubParts::named(name("hank")),
            HubParts::named(name("helen")),
        ];
        let celia = ClientParts {
            address: Some("10.0.0.7:9000".to_owned()),
            saes: Some(
                ["sam", "susan"]
                    .map(|id| id.parse::<SaeId>().unwrap().into())
                    .into(),
            ),
            ..ClientParts::named(name("celia"))
        };
        TopologyParts {
            allow_plain_text: true,
            base_port: 9_100,
            keys: KeysSection {
                source: KeySource::Psrd,
                ..KeysSection::default()
            },
            timing: TimingSection {
                grace_ms: 7,
                ..TimingSection::default()
            },
            ..TopologyParts::new(2, hubs, [ClientParts::named(name("carol")), celia])
        }
    }

    const SMALL: &str = "threshold = 2
base_port = 9100
allow_plain_text = true
hubs = [{ name = \"hank\" }, { name = \"helen\" }]
clients = [{ name = \"carol\" }, { name = \"celia\", address = \"10.0.0.7:9000\", saes = [\"sam\", \"susan\"] }]
[keys]
source = \"psrd\"
[timing]
grace_ms = 7
";

    #[test]
    fn parts_and_a_text_that_say_the_same_make_the_same_topology() {
        let read = Topology::parse("t.toml", SMALL).unwrap();
        assert_eq!(small().check("small").unwrap(), read);
    }

    #[test]
    fn parts_and_a_text_that_say_the_same_are_refused_alike() {
        let mut parts = small();
        parts.threshold = 3;
        let text = SMALL.replace("threshold = 2", "threshold = 3");
        let read = Topology::parse("t.toml", &text).unwrap_err();
        let built = parts.check("small").unwrap_err();
        assert_eq!(read.problem.to_string(), built.problem.to_string());
        assert_eq!((read.line, built.line), (Some(1), None));
        assert!(built.to_string().starts_with("small: threshold must be"));
    }

    #[test]
    fn a_name_that_two_nodes_have_is_told_without_lines_too() {
        let mut parts = small();
        parts.clients[1].name = "helen".parse().unwrap();
        let error = parts.check("small").unwrap_err().to_string();
        let expected =
            "small: the name helen is taken by another node, helen; every node needs its own";
        assert_eq!(error, expected);
    }
}
