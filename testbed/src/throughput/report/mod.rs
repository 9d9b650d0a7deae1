//! The report: `throughput.json` and CSV files for machines, and one self-contained `throughput.html` for people.
//!
//! | file | what it draws |
//! |---|---|
//! | `page` | the page, in reading order |
//! | `summary` | the verdict, and every target |
//! | `limit`, `curves`, `latency`, `subjects`, `trouble`, `cpu`, `memory`, `peers` | one figure each |
//! | `words` | conditions as people write them |

mod cpu;
mod curves;
mod latency;
mod limit;
mod memory;
mod page;
mod peers;
mod subjects;
mod summary;
mod trouble;
mod words;

use std::path::{Path, PathBuf};

use dske_report::bars::{self, Bar};
use dske_report::beside::THROUGHPUT;
use dske_report::canvas::Ink;
use dske_report::{ReportError, Table};
use maud::{Markup, html};

use super::condition::Condition;
use super::data::{Measured, Run, Throughput};
use super::plan::Part;
use super::table::{self, FOLDER, tables};
use crate::measure::report;

pub use page::page;

/// Writes `throughput.html`, `throughput.json`, and a CSV file for each table, into `out_dir`. Returns the path of the page.
///
/// # Errors
/// [`ReportError`] names the path that could not be created or written.
pub fn write(out_dir: &Path, data: &Throughput) -> Result<PathBuf, ReportError> {
    report::write(out_dir, &THROUGHPUT, data, &tables(data), page(data))
}

/// The rows behind a part.
fn runs_of(data: &Throughput, part: Part) -> Markup {
    details(table::part(data, part))
}

/// The rows of a table.
fn details(table: Option<Table>) -> Markup {
    html! { @if let Some(table) = table { (table.details(FOLDER)) } }
}

/// A figure of some conditions as bars, in a group for each heading.
struct Comparison {
    title: &'static str,
    value: fn(f64) -> String,
    figure: fn(&Run) -> f64,
    heading: fn(&Condition) -> String,
    name: fn(&Condition) -> &'static str,
    ink: fn(&Condition) -> Ink,
}

impl Comparison {
    fn draw(&self, all: &[&Measured]) -> Markup {
        let mut groups: Vec<(String, Vec<Bar<'_>>)> = Vec::new();
        for measured in all {
            let condition = &measured.condition;
            let heading = (self.heading)(condition);
            let bar = Bar {
                name: (self.name)(condition),
                figure: measured.spread(self.figure),
                ink: (self.ink)(condition),
            };
            match groups.iter_mut().find(|(of, _)| *of == heading) {
                Some((_, bars)) => bars.push(bar),
                None => groups.push((heading, vec![bar])),
            }
        }
        bars::groups(self.title, self.value, &groups)
    }
}
