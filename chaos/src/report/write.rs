//! Puts the report on disk.

use std::fs;
use std::path::{Path, PathBuf};

use dske_report::beside::{self, INDEX};
use dske_report::{ReportError, replace, write_json};

use super::changes::Before;
use super::page::html;
use crate::summary::Resilience;

/// The files that [`write()`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page for people, `index.html`.
    pub html: PathBuf,
    /// The numbers for machines, `resilience.json`.
    pub json: PathBuf,
}

/// Writes `resilience.json` and `index.html` into `out_dir`, which is created if need be.
///
/// Each file appears whole or not at all: it is written beside its place and then renamed, so that a reader or an
/// interrupted run never meets half a report.
///
/// # Errors
///
/// [`ReportError`] names the path that could not be created or written.
pub fn write(out_dir: &Path, summary: &Resilience) -> Result<Written, ReportError> {
    fs::create_dir_all(out_dir).map_err(|source| ReportError::CreateDirectory {
        path: out_dir.to_path_buf(),
        source,
    })?;
    let written = Written {
        html: out_dir.join(INDEX),
        json: out_dir.join("resilience.json"),
    };
    let before = Before::read(&written.json);
    write_json(&written.json, summary)?;
    replace(&written.html, &html(summary, &before))?;
    beside::link(out_dir)?;
    Ok(written)
}
