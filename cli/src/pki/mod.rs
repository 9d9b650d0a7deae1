//! A CA for tests, and the certificates of all parties of a topology.
//!
//! | module | what it does |
//! |---|---|
//! | `ca` | makes certificates and the list of those that are revoked |
//! | `folder` | the folder of certificates and keys, and the section `[tls]` that names it |

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use dske::http::peer::Identity;
use dske::http::tls::describe;
use dske::protocol::{NodeName, SaeId};
use dske::topology::Topology;
use dske_testbed::{eprintln, println};

use super::CliError;
use super::print::{BAD, FAINT, GOOD, count, plain};
use super::tls::WARN_BEFORE;

mod ca;
mod folder;

use ca::Ca;
use folder::Folder;

const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;

#[derive(Debug, Subcommand)]
pub(super) enum Pki {
    /// Make a CA for tests, a certificate for every party of the topology, and the section [tls].
    Init {
        /// The folder of certificates and keys, which must not exist yet.
        #[arg(long, value_name = "FOLDER", default_value = "pki")]
        out: PathBuf,
    },
    /// Make a new certificate and key for one party. The old ones are replaced, not revoked.
    Issue(Party),
    /// Revoke the certificate of one party. Nodes notice within five seconds.
    Revoke(Party),
    /// Show all certificates, and until when they are valid; exit code 1 if one has expired.
    Show,
}

/// Whose certificate it is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Party {
    /// That of an SAE.
    #[arg(long, value_name = "ID")]
    sae: Option<SaeId>,
    /// That of a client (KME).
    #[arg(long = "client", id = "party_client", value_name = "NAME")]
    client: Option<NodeName>,
    /// That of a hub.
    #[arg(long = "hub", id = "party_hub", value_name = "NAME")]
    hub: Option<NodeName>,
    /// That of an operator.
    #[arg(long)]
    operator: bool,
    /// That of a monitor.
    #[arg(long)]
    monitor: bool,
}

impl Party {
    fn identity(&self) -> Identity {
        let sae = self.sae.clone().map(Identity::Sae);
        let client = self.client.clone().map(Identity::Client);
        let hub = self.hub.clone().map(Identity::Hub);
        let node = sae.or(client).or(hub);
        node.unwrap_or(match self.monitor {
            true => Identity::Monitor,
            false => Identity::Operator,
        })
    }
}

/// `file`: the topology.
pub(super) fn pki(file: &Path, command: &Pki) -> Result<(), CliError> {
    match command {
        Pki::Init { out } => init(file, out),
        Pki::Issue(party) => issue(file, &party.identity()),
        Pki::Revoke(party) => revoke(file, &party.identity()),
        Pki::Show => show(file),
    }
}

fn init(file: &Path, out: &Path) -> Result<(), CliError> {
    let (topology, text) = folder::with_tls(file, out)?;
    let folder = Folder::make(&folder::beside(file, out))?;
    let ca = Ca::new()?;
    folder.write_public("ca.pem", &ca.pem())?;
    folder.write_key("ca.key", &ca.key_pem())?;
    folder.write_public("ca.crl", &ca.revoked(&[])?)?;
    let parties = parties(&topology);
    for party in &parties {
        write(&folder, &ca, &topology, party)?;
    }
    if let Some(text) = text {
        folder::write_topology(file, &text)?;
        println!("{GOOD}Added [tls]{GOOD:#} to {}", file.display());
    }
    println!(
        "{GOOD}Made{GOOD:#} a CA and {} in {}",
        count(parties.len(), "certificate"),
        folder.path().display()
    );
    eprintln!(
        "{FAINT}This CA is for tests: its key lies beside the certificates. docs/certificates.md tells how to use another.{FAINT:#}"
    );
    Ok(())
}

fn issue(file: &Path, party: &Identity) -> Result<(), CliError> {
    let (topology, folder) = existing(file)?;
    known(&topology, party)?;
    let ca = folder.ca()?;
    write(&folder, &ca, &topology, party)?;
    println!("{GOOD}Issued{GOOD:#} a certificate for {party}");
    Ok(())
}

fn revoke(file: &Path, party: &Identity) -> Result<(), CliError> {
    let (_, folder) = existing(file)?;
    let serial = folder.serial_of(party)?;
    let mut serials = folder.revoked()?;
    if !serials.contains(&serial) {
        serials.push(serial);
    }
    folder.write_public("ca.crl", &folder.ca()?.revoked(&serials)?)?;
    println!("{GOOD}Revoked{GOOD:#} the certificate of {party}");
    Ok(())
}

fn show(file: &Path) -> Result<(), CliError> {
    let (topology, folder) = existing(file)?;
    let revoked = folder.revoked()?;
    let mut table = tabled::builder::Builder::default();
    let mut warnings = Vec::new();
    for party in parties(&topology) {
        let path = folder.certificate(&party);
        let (name, left) = match describe(&path) {
            Ok(described) => described,
            Err(error) => {
                warnings.push(error.to_string());
                continue;
            }
        };
        let days = left.as_secs() / SECONDS_OF_A_DAY;
        let is_revoked = revoked.contains(&folder.serial_of(&party)?);
        let state = match (is_revoked, days) {
            (true, _) => "revoked".to_owned(),
            (false, 0) => "expires today, or has expired".to_owned(),
            (false, days) => format!("valid for {}", count(days.try_into().unwrap_or(0), "day")),
        };
        if left < WARN_BEFORE && !is_revoked {
            warnings.push(format!(
                "the certificate of {party} is valid for {days} days"
            ));
        }
        let file = path.file_name().unwrap_or_default();
        table.push_record([
            party.to_string(),
            name,
            file.to_string_lossy().into_owned(),
            state,
        ]);
    }
    println!("{}", plain(table.build()));
    for warning in &warnings {
        eprintln!("{BAD}warning{BAD:#}: {warning}");
    }
    match warnings.is_empty() {
        true => Ok(()),
        false => Err(CliError::CertificatesEnd),
    }
}

/// The topology, and the folder that its section `[tls]` names.
fn existing(file: &Path) -> Result<(Topology, Folder), CliError> {
    let topology = Topology::read(file)?;
    let tls = topology.tls.as_ref().ok_or(CliError::NoTls)?;
    let folder = Folder::at(tls.directory.clone());
    Ok((topology, folder))
}

/// Everybody who has a certificate.
fn parties(topology: &Topology) -> Vec<Identity> {
    let hubs = topology
        .hubs
        .iter()
        .map(|hub| Identity::Hub(hub.name.clone()));
    let clients = topology.clients.iter();
    let clients = clients.map(|client| Identity::Client(client.name.clone()));
    let saes = topology.saes.keys().cloned().map(Identity::Sae);
    let people = [Identity::Operator, Identity::Monitor];
    hubs.chain(clients).chain(saes).chain(people).collect()
}

fn known(topology: &Topology, party: &Identity) -> Result<(), CliError> {
    match parties(topology).contains(party) {
        true => Ok(()),
        false => Err(CliError::UnknownParty(party.to_string())),
    }
}

fn write(folder: &Folder, ca: &Ca, topology: &Topology, party: &Identity) -> Result<(), CliError> {
    let issued = ca.issue(topology, party)?;
    folder.write_key(&format!("{}.key", party.file_stem()), &issued.key)?;
    folder.write_public(&format!("{}.pem", party.file_stem()), &issued.certificate)
}
