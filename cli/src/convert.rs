//! Converts a topology of dske-python (YAML) to a topology file (TOML).
//!
//! Its fields, after the project's own example file: `base_port`, `start_request_psrd_threshold`,
//! `stop_request_psrd_threshold`, `get_psrd_block_size`, `min_nr_shares`, `hubs` with a `name`, `clients` with a `name`
//! and `encryptors`, each with a `name`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;

use serde::Deserialize;

use dske::topology::Topology;
use dske_testbed::{eprintln, print};

use super::CliError;
use super::print::FAINT;

/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The threshold of dske-python where the file names none.
const MIN_NR_SHARES: u8 = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Yaml {
    base_port: Option<u16>,
    start_request_psrd_threshold: Option<u64>,
    stop_request_psrd_threshold: Option<u64>,
    get_psrd_block_size: Option<u64>,
    min_nr_shares: Option<u8>,
    hubs: Vec<Hub>,
    clients: Vec<Client>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hub {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    name: String,
    encryptors: Option<Vec<Encryptor>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encryptor {
    name: String,
}

pub(super) fn convert(yaml: &Path, out: Option<&Path>) -> Result<(), CliError> {
    let fail = |line, message| CliError::Convert {
        file: yaml.to_owned(),
        line,
        message,
    };
    let text = read(yaml).map_err(|message| fail(None, message))?;
    let topology = parse(&text).map_err(|(line, message)| fail(line, message))?;
    let toml = to_toml(&topology);
    // Refuses what dske-python allows and this project does not, such as a threshold above the number of hubs.
    Topology::parse("the converted topology", &toml)
        .map_err(|e| fail(None, e.problem.to_string()))?;
    if topology.stop_request_psrd_threshold.is_some() {
        eprintln!(
            "{FAINT}stop_request_psrd_threshold is left out: a pool is refilled until it is above low_water_bytes{FAINT:#}"
        );
    }
    let Some(out) = out else {
        print!("{toml}");
        return Ok(());
    };
    let written = File::create_new(out).and_then(|mut file| file.write_all(toml.as_bytes()));
    written.map_err(|reason| CliError::File {
        path: out.to_owned(),
        what: "cannot be written; name a file that does not exist",
        reason,
    })
}

fn read(path: &Path) -> Result<String, String> {
    let cannot = |e: std::io::Error| format!("cannot be read: {e}");
    let mut text = String::new();
    let file = File::open(path).map_err(cannot)?;
    let mut file = file.take(FILE_BYTES_MAX + 1);
    file.read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("a topology has at most {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

/// # Errors
/// The line, if the error is about one, and what is wrong.
fn parse(text: &str) -> Result<Yaml, (Option<u64>, String)> {
    serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        let message = error.without_snippet().to_string();
        let message = message.lines().collect::<Vec<_>>().join("; ");
        // The line stands in front already.
        let message = message.split(" at line ").next().unwrap_or_default();
        (line, message.to_owned())
    })
}

fn to_toml(yaml: &Yaml) -> String {
    let mut toml = String::new();
    let mut line = |text: String| {
        toml.push_str(&text);
        toml.push('\n');
    };
    let threshold = yaml.min_nr_shares.unwrap_or(MIN_NR_SHARES);
    line(format!("threshold = {threshold}"));
    if threshold == 1 {
        line("allow_threshold_one = true".to_owned());
    }
    if let Some(base_port) = yaml.base_port {
        line(format!("base_port = {base_port}"));
    }
    line("hubs = [".to_owned());
    for hub in &yaml.hubs {
        line(format!("    {{ name = {} }},", quoted(&hub.name)));
    }
    line("]".to_owned());
    line("clients = [".to_owned());
    for client in &yaml.clients {
        let encryptors = client.encryptors.as_deref().unwrap_or_default();
        let saes: Vec<String> = encryptors.iter().map(|sae| quoted(&sae.name)).collect();
        let saes = match saes.as_slice() {
            [] => String::new(),
            saes => format!(", saes = [{}]", saes.join(", ")),
        };
        line(format!("    {{ name = {}{saes} }},", quoted(&client.name)));
    }
    line("]".to_owned());
    let psrd = [
        ("block_bytes", yaml.get_psrd_block_size),
        ("low_water_bytes", yaml.start_request_psrd_threshold),
    ];
    if psrd.iter().any(|(_, value)| value.is_some()) {
        let _ = write!(toml, "\n[psrd]\n");
        for (field, value) in psrd {
            if let Some(value) = value {
                let _ = writeln!(toml, "{field} = {value}");
            }
        }
    }
    toml
}

/// A name as a TOML string, escaped.
fn quoted(name: &str) -> String {
    toml::Value::from(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "\
# A comment
base_port: 9000
start_request_psrd_threshold: 500
get_psrd_block_size: 1000
min_nr_shares: 2
hubs:
  - name: hank   # the first
  - name: helen
clients:
  - name: carol
    encryptors:
      - name: sam
  - name: curtis
    encryptors:
      - name: sunny
      - name: susan
  - name: cindy
";

    fn converted(yaml: &str) -> Topology {
        let yaml = parse(yaml).unwrap_or_else(|(line, e)| panic!("{line:?}: {e}"));
        Topology::parse("t", &to_toml(&yaml)).unwrap()
    }

    #[test]
    fn every_field_finds_its_place() {
        let topology = converted(FULL);
        assert_eq!(topology.sharing.threshold(), 2);
        assert_eq!(topology.hubs.len(), 2);
        assert_eq!(topology.clients[2].address, "127.0.0.1:9004");
        assert_eq!(topology.psrd.block_bytes, 1000);
        assert_eq!(topology.psrd.low_water_bytes, 500);
        let home = |sae: &str| topology.saes[&sae.parse().unwrap()].as_str();
        assert_eq!(
            ["sam", "sunny", "susan", "cindy"].map(home),
            ["carol", "curtis", "curtis", "cindy"]
        );
    }

    #[test]
    fn what_is_left_out_has_the_defaults_of_either_side() {
        let topology = converted(
            "hubs: [{name: a}, {name: b}, {name: c}]\nclients: [{name: d}, {name: e, encryptors: }]",
        );
        assert_eq!(topology.sharing.threshold(), 3);
        assert_eq!(topology.hubs[0].address, "127.0.0.1:8100");
        assert_eq!(topology.psrd, dske::topology::PsrdSection::default());
    }

    #[test]
    fn what_is_not_such_a_topology_is_refused_with_its_line() {
        for (from, to, line) in [
            ("min_nr_shares: 2", "min_nr_shares: two", 5),
            ("get_psrd_block_size", "get_psrd_blocksize", 4),
            ("  - name: helen", "  - nam: helen", 8),
        ] {
            assert!(FULL.contains(from), "{from}");
            let (found, message) = match parse(&FULL.replace(from, to)) {
                Ok(_) => panic!("{to} was accepted"),
                Err(error) => error,
            };
            assert_eq!(found, Some(line), "{to}: {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
        assert!(parse("hubs: [").is_err());
        assert!(parse("").is_err());
        // As deep as the limit of the parser, and deeper.
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}
