//! What the commands print. Colours appear only where the terminal has them and `NO_COLOR` is not set.

use std::path::Path;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::ProgressBar;
use tabled::Table;
use tabled::settings::Padding;

use dske::topology::{Role, Topology};
use dske_testbed::{eprintln, println};

use super::CliError;

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const FAINT: Style = Style::new().dimmed();

pub(super) fn error(error: &CliError) {
    eprintln!("{BAD}error{BAD:#}: {error}");
}

/// A spinner for what takes long. It shows on a terminal only.
pub(super) fn spinner(message: String) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(message);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// A table whose columns are separated by spaces alone: easy to read, and to cut in a shell.
pub(super) fn plain(mut table: Table) -> String {
    table
        .with(tabled::settings::Style::empty())
        .with(Padding::new(0, 2, 0, 0));
    let table = table.to_string();
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// How many there are of a thing.
pub(super) fn count(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// Prints what a topology describes.
pub(super) fn summary(file: &Path, topology: &Topology) {
    println!(
        "{}: {GOOD}ok{GOOD:#}: {}, of which any {} are enough for a key; {} with {}",
        file.display(),
        count(topology.hubs.len(), "hub"),
        topology.sharing.threshold(),
        count(topology.clients.len(), "client"),
        count(topology.saes.len(), "SAE")
    );
    for (role, node) in topology.nodes() {
        let saes = topology.saes.iter().filter(|(_, home)| **home == node.name);
        let saes: Vec<&str> = saes.map(|(sae, _)| sae.as_str()).collect();
        let saes = match role {
            Role::Client => format!(" {FAINT}for SAE{FAINT:#} {}", saes.join(", ")),
            Role::Hub => String::new(),
        };
        let role = role.as_str();
        println!("  {role:<6} {:<12} {}{saes}", node.name, node.address);
    }
}
