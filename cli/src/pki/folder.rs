//! The folder of certificates and keys, and the section `[tls]` that names it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};
use zeroize::Zeroizing;

use dske::http::peer::Identity;
use dske::topology::Topology;

use super::Ca;
use crate::CliError;

/// What is used where there is no topology file yet.
const EXAMPLE: &str = include_str!("../../../topology.toml");

/// A folder of certificates and keys.
pub(super) struct Folder(PathBuf);

/// A path as the section `[tls]` means it: relative to the topology file.
pub(super) fn beside(file: &Path, out: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(out)
}

/// A topology with the section `[tls]`, and its text if the file has to be changed for that.
pub(super) fn with_tls(file: &Path, out: &Path) -> Result<(Topology, Option<String>), CliError> {
    let name = file.display().to_string();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => EXAMPLE.to_owned(),
        Err(reason) => {
            return Err(CliError::File {
                path: file.to_owned(),
                what: "cannot be read",
                reason,
            });
        }
    };
    let table: Result<toml::Table, _> = text.parse();
    if table.is_ok_and(|table| table.contains_key("tls")) {
        let topology = Topology::read(file)?;
        let directory = topology.tls.as_ref().map(|tls| tls.directory.clone());
        return match directory {
            Some(directory) if directory == beside(file, out) => Ok((topology, None)),
            _ => Err(CliError::OtherFolder {
                named: directory.unwrap_or_default(),
                out: out.to_owned(),
            }),
        };
    }
    let quoted = |path: &Path| toml::Value::String(path.display().to_string()).to_string();
    let section = format!(
        "\n[tls]\ndirectory = {}\ncrl = {}\n",
        quoted(out),
        quoted(&out.join("ca.crl"))
    );
    let text = format!("{}\n{section}", text.trim_end());
    Ok((Topology::parse(&name, &text)?, Some(text)))
}

/// Replaces the topology file at once, or not at all.
pub(super) fn write_topology(file: &Path, text: &str) -> Result<(), CliError> {
    replace(file, text.as_bytes(), 0o644)
}

impl Folder {
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Makes a new one.
    pub(super) fn make(path: &Path) -> Result<Self, CliError> {
        fs::create_dir(path).map_err(|reason| match reason.kind() {
            io::ErrorKind::AlreadyExists => CliError::Exists(path.to_owned()),
            _ => unwritable(path, reason),
        })?;
        Ok(Self(path.to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn certificate(&self, party: &Identity) -> PathBuf {
        self.0.join(format!("{}.pem", party.file_stem()))
    }

    /// What everybody may read.
    pub(super) fn write_public(&self, name: &str, text: &str) -> Result<(), CliError> {
        replace(&self.0.join(name), text.as_bytes(), 0o644)
    }

    /// What its owner alone may read.
    pub(super) fn write_key(&self, name: &str, text: &Zeroizing<String>) -> Result<(), CliError> {
        replace(&self.0.join(name), text.as_bytes(), 0o600)
    }

    pub(super) fn ca(&self) -> Result<Ca, CliError> {
        let certificate = self.read("ca.pem")?;
        let key = self.read("ca.key")?;
        Ca::read(&certificate, &key)
    }

    /// The serial number of a party's certificate.
    pub(super) fn serial_of(&self, party: &Identity) -> Result<Vec<u8>, CliError> {
        let path = self.certificate(party);
        let pem = self.read(&format!("{}.pem", party.file_stem()))?;
        let serial = parse_x509_pem(pem.as_bytes()).ok().and_then(|(_, pem)| {
            let certificate = pem.parse_x509().ok()?;
            Some(certificate.tbs_certificate.raw_serial().to_vec())
        });
        serial.ok_or(CliError::NoPem(path))
    }

    /// The serial numbers of the certificates that are revoked.
    pub(super) fn revoked(&self) -> Result<Vec<Vec<u8>>, CliError> {
        let pem = self.read("ca.crl")?;
        let serials = parse_x509_pem(pem.as_bytes()).ok().and_then(|(_, pem)| {
            let (_, list) = CertificateRevocationList::from_der(&pem.contents).ok()?;
            let revoked = list.iter_revoked_certificates();
            Some(revoked.map(|one| one.raw_serial().to_vec()).collect())
        });
        serials.ok_or_else(|| CliError::NoPem(self.0.join("ca.crl")))
    }

    fn read(&self, name: &str) -> Result<Zeroizing<String>, CliError> {
        let path = self.0.join(name);
        let text = fs::read_to_string(&path).map(Zeroizing::new);
        text.map_err(|reason| CliError::File {
            path,
            what: "cannot be read; `dske pki init` makes it",
            reason,
        })
    }
}

/// Writes a file beside the one that it replaces: whoever reads it meanwhile reads the old one, or the new one.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    let mut new = path.to_owned().into_os_string();
    new.push(".new");
    let new = PathBuf::from(new);
    let write = || -> io::Result<()> {
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|reason| unwritable(path, reason))
}

fn unwritable(path: &Path, reason: io::Error) -> CliError {
    CliError::File {
        path: path.to_owned(),
        what: "cannot be written",
        reason,
    }
}
