//! The report: `throughput.json` and CSV files for machines, and one self-contained `throughput.html` for people.
//!
//! | file | what it draws |
//! |---|---|
//! | `page` | the frame, in reading order |
//! | `summary` | the answer, and every target |
//! | `limit`, `curves`, `latency`, `beside`, `cpu`, `memory`, `peers` | a figure each |
//! | `words` | numbers and conditions as people write them |

mod beside;
mod cpu;
mod curves;
mod latency;
mod limit;
mod memory;
mod page;
mod peers;
mod summary;
pub(crate) mod words;

use std::path::{Path, PathBuf};

use super::data::Throughput;
use super::table::{FOLDER, tables};
use dske_report::beside::{THROUGHPUT, link};
use dske_report::{ReportError, check_writable, replace, write_json};

pub use page::html;

/// Writes `throughput.html`, `throughput.json`, and a CSV file for each table, into `out_dir`. Gives the path of the page.
///
/// # Errors
/// [`ReportError`] names the path that could not be created or written.
pub fn write(out_dir: &Path, data: &Throughput) -> Result<PathBuf, ReportError> {
    let folder = out_dir.join(FOLDER);
    check_writable(&folder)?;
    write_json(&out_dir.join("throughput.json"), data)?;
    for table in tables(data) {
        replace(&folder.join(format!("{}.csv", table.name)), &table.csv())?;
    }
    let page = out_dir.join(THROUGHPUT.file);
    replace(&page, &html(data))?;
    link(out_dir)?;
    Ok(page)
}
