//! Reads the text of a topology file. `docs/topology.md` is its documentation.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use super::error::{FILE_BYTES_MAX, TopologyError, TopologyProblem};
use super::parts::{ClientParts, HubParts, Lines, Place, SaeParts, TopologyParts};
use super::tls::TlsSection;
use super::{KeysSection, PsrdSection, TimingSection, Topology};
use crate::http::directory::CertificateName;
use crate::protocol::names::NameError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    threshold: Spanned<u8>,
    #[serde(default)]
    allow_threshold_one: bool,
    base_port: Option<Spanned<u16>>,
    psrd: Option<Spanned<PsrdSection>>,
    keys: Option<Spanned<KeysSection>>,
    timing: Option<Spanned<TimingSection>>,
    shares_per_hub_max: Option<Spanned<usize>>,
    share_bytes_per_hub_max: Option<Spanned<usize>>,
    #[serde(default)]
    allow_plain_text: bool,
    tls: Option<TlsSection>,
    log_dir: Option<PathBuf>,
    host_names: Option<Spanned<Vec<String>>>,
    hubs: Vec<HubEntry>,
    clients: Vec<ClientEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HubEntry {
    name: Spanned<String>,
    address: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientEntry {
    name: Spanned<String>,
    address: Option<Spanned<String>>,
    saes: Option<Vec<Spanned<SaeEntry>>>,
}

/// An SAE, with its certificate if that is not named by the SAE's ID.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "an SAE is its ID, or { id = \"…\", certificate = { cn | san_dns | san_uri | sha256 = \"…\" } }"
)]
enum SaeEntry {
    Id(String),
    Certified(Certified),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Certified {
    id: String,
    certificate: CertificateName,
}

impl Topology {
    /// Reads and checks a topology file.
    ///
    /// # Errors
    /// If the file cannot be read, or if what it says cannot be used.
    pub fn read(path: &Path) -> Result<Self, TopologyError> {
        let file = path.display().to_string();
        let text = read_text(path).map_err(|problem| TopologyError {
            file: file.clone(),
            line: None,
            problem: Box::new(problem),
        })?;
        let mut topology = Self::parse(&file, &text)?;
        // Commands that are typed in another folder have to find the same logs and run state.
        let folder = path.parent().unwrap_or(Path::new(""));
        topology.log_dir = folder.join(topology.log_dir);
        topology.tls = topology.tls.map(|tls| tls.below(folder));
        Ok(topology)
    }

    /// Checks the text of a topology file. `file` is its name, for errors.
    ///
    /// # Errors
    /// If what it says cannot be used.
    pub fn parse(file: &str, text: &str) -> Result<Self, TopologyError> {
        let mut reader = Reader {
            file,
            text,
            lines: Lines::default(),
        };
        let parts = reader.parts()?;
        parts.check_at(file, &reader.lines)
    }
}

fn read_text(path: &Path) -> Result<String, TopologyProblem> {
    let bytes = std::fs::metadata(path)
        .map_err(TopologyProblem::Unreadable)?
        .len();
    if bytes > FILE_BYTES_MAX {
        return Err(TopologyProblem::TooLarge { bytes });
    }
    std::fs::read_to_string(path).map_err(TopologyProblem::Unreadable)
}

/// Takes the parts out of the text, and notes the line of each.
struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    lines: Lines,
}

impl Reader<'_> {
    fn parts(&mut self) -> Result<TopologyParts, TopologyError> {
        let file: File = toml::from_str(self.text).map_err(|error| {
            // The parser's messages may have several lines.
            let message: Vec<&str> = error.message().lines().collect();
            self.error(error.span(), TopologyProblem::Syntax(message.join("; ")))
        })?;
        let mut hubs = Vec::with_capacity(file.hubs.len());
        for (number, hub) in file.hubs.into_iter().enumerate() {
            self.node(number, &hub.name, hub.address.as_ref());
            hubs.push(HubParts {
                name: self.name(&hub.name)?,
                address: hub.address.map(Spanned::into_inner),
            });
        }
        let mut clients = Vec::with_capacity(file.clients.len());
        for (number, client) in file.clients.into_iter().enumerate() {
            self.node(hubs.len() + number, &client.name, client.address.as_ref());
            clients.push(ClientParts {
                name: self.name(&client.name)?,
                address: client.address.map(Spanned::into_inner),
                saes: client
                    .saes
                    .map(|saes| self.saes(number, saes))
                    .transpose()?,
            });
        }
        self.set(Place::Threshold, &file.threshold);
        let mut parts = TopologyParts {
            allow_threshold_one: file.allow_threshold_one,
            ..TopologyParts::new(file.threshold.into_inner(), hubs, clients)
        };
        self.take(Place::BasePort, file.base_port, &mut parts.base_port);
        self.take(Place::Psrd, file.psrd, &mut parts.psrd);
        self.take(Place::Keys, file.keys, &mut parts.keys);
        self.take(Place::Timing, file.timing, &mut parts.timing);
        let (shares, bytes) = (file.shares_per_hub_max, file.share_bytes_per_hub_max);
        self.take(
            Place::SharesPerHubMax,
            shares,
            &mut parts.shares_per_hub_max,
        );
        let bytes_max = &mut parts.share_bytes_per_hub_max;
        self.take(Place::ShareBytesPerHubMax, bytes, bytes_max);
        self.take(Place::HostNames, file.host_names, &mut parts.host_names);
        parts.allow_plain_text = file.allow_plain_text;
        parts.tls = file.tls;
        if let Some(log_dir) = file.log_dir {
            parts.log_dir = log_dir;
        }
        Ok(parts)
    }

    /// Keeps the default where the file says nothing.
    fn take<T>(&mut self, place: Place, value: Option<Spanned<T>>, part: &mut T) {
        if let Some(value) = value {
            self.set(place, &value);
            *part = value.into_inner();
        }
    }

    fn node(&mut self, number: usize, name: &Spanned<String>, address: Option<&Spanned<String>>) {
        self.set(Place::Name(number), name);
        self.set(Place::Address(number), address.unwrap_or(name));
    }

    fn saes(
        &mut self,
        client: usize,
        saes: Vec<Spanned<SaeEntry>>,
    ) -> Result<Vec<SaeParts>, TopologyError> {
        let named = saes.into_iter().enumerate();
        let read = named.map(|(number, sae)| {
            let span = sae.span();
            self.set(Place::Sae(client, number), &sae);
            let (id, certificate) = match sae.into_inner() {
                SaeEntry::Id(id) => (id, None),
                SaeEntry::Certified(sae) => (sae.id, Some(sae.certificate)),
            };
            let id = self.name(&Spanned::new(span, id))?;
            Ok(SaeParts { id, certificate })
        });
        read.collect()
    }

    fn name<N: FromStr<Err = NameError>>(
        &self,
        text: &Spanned<String>,
    ) -> Result<N, TopologyError> {
        let name = text.get_ref();
        name.parse().map_err(|error| {
            let name = name.clone();
            self.error(Some(text.span()), TopologyProblem::Name { name, error })
        })
    }

    fn set<T>(&mut self, place: Place, value: &Spanned<T>) {
        let line = self.line(&value.span());
        self.lines.set(place, line);
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    fn error(&self, span: Option<Range<usize>>, problem: TopologyProblem) -> TopologyError {
        TopologyError {
            file: self.file.to_owned(),
            line: span.map(|span| self.line(&span)),
            problem: Box::new(problem),
        }
    }
}
