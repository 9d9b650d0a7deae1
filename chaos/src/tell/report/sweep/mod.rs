//! The report of a sweep: `sweep.json` and a directory of CSV files for machines, and one self-contained `sweep.html`.
//!
//! | file | what it draws |
//! |---|---|
//! | `overview` | the page as a whole, in reading order |
//! | `summary` | what came out, in five lines |
//! | `map`, `collusion`, `latency`, `wan`, `recovery`, `psrd`, `cost` | a figure each |

mod collusion;
mod cost;
mod latency;
mod map;
mod overview;
mod psrd;
mod recovery;
mod summary;
mod wan;

use std::path::{Path, PathBuf};

use dske_report::{ReportError, beside, replace, write_json};
use maud::{Markup, html};

use crate::explore::sweep::Sweep;
use crate::explore::sweep::table::tables;

pub use overview::page;
pub use summary::summary;

/// Directory of the CSV files, beside the page.
const TABLES: &str = "sweep";

/// Whether the report can be written into `out_dir`, which is created if need be. To be asked before minutes of work.
///
/// # Errors
///
/// [`ReportError`] names the path that could not be created or written.
pub fn check_writable(out_dir: &Path) -> Result<(), ReportError> {
    dske_report::check_writable(out_dir)?;
    dske_report::check_writable(&out_dir.join(TABLES))
}

/// Writes `sweep.html`, `sweep.json`, and a CSV file for each table, into `out_dir`. Gives the path of the page.
///
/// # Errors
///
/// [`ReportError`] names the path that could not be created or written.
pub fn write(out_dir: &Path, sweep: &Sweep) -> Result<PathBuf, ReportError> {
    check_writable(out_dir)?;
    write_json(&out_dir.join("sweep.json"), sweep)?;
    for table in tables(sweep) {
        let file = format!("{}.csv", table.name);
        replace(&out_dir.join(TABLES).join(file), &table.csv())?;
    }
    let path = out_dir.join(beside::SWEEP.file);
    replace(&path, &page(sweep))?;
    beside::link(out_dir)?;
    Ok(path)
}

/// The tables behind a figure.
fn numbers(sweep: &Sweep, names: &[&str]) -> Markup {
    let all = tables(sweep);
    let found = names
        .iter()
        .filter_map(|name| all.iter().find(|table| table.name == *name));
    html! { @for table in found { (table.details(TABLES)) } }
}
