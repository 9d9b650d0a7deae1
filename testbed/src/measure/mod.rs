//! What the measurements [`throughput`](crate::throughput) and [`growth`](crate::growth) have in common.
//!
//! | file | what it holds |
//! |---|---|
//! | [`machine`] | the machine, and the memory of a process |
//! | `cli` | the options of both commands |
//! | `report` | the frame of both pages, and their files |
//! | `words` | numbers as people write them |

pub(crate) mod cli;
pub mod machine;
pub(crate) mod report;
pub(crate) mod words;

use machine::Machine;
use serde::{Deserialize, Serialize};

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// Enough for figures to quote.
    Full,
    /// Enough to see that everything works.
    Quick,
}

/// Where, when and how figures were measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of `dske`.
    pub version: String,
    /// The command that measures the same again.
    pub command: String,
    /// When the measurement began.
    pub started: String,
    /// How much was measured.
    pub extent: Extent,
    /// Where.
    pub machine: Machine,
    /// How long it took, in seconds.
    pub wall_s: f64,
}

impl Provenance {
    /// A measurement that begins now, on this machine.
    #[must_use]
    pub fn starting(command: &str, extent: Extent) -> Self {
        let started = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: command.to_owned(),
            started: started.to_string(),
            extent,
            machine: Machine::this(),
            wall_s: 0.0,
        }
    }
}

#[cfg(test)]
impl Provenance {
    /// One whose processor has a name that is no HTML.
    pub(crate) fn sample() -> Self {
        Self {
            version: "1.2.3".to_owned(),
            command: "cargo bench --bench sample".to_owned(),
            started: "2026-11-25 12:00 UTC".to_owned(),
            extent: Extent::Full,
            machine: Machine {
                cpu: "A <fast> one".to_owned(),
                cores: 2,
                kernel: "Linux 6".to_owned(),
            },
            wall_s: 1.0,
        }
    }
}
