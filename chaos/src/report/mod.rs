//! Writes the report.
use crate::summary::Resilience;
use std::path::{Path, PathBuf};

/// The report cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be written: {error}; name another folder with --out")]
pub struct ReportError {
    /// Where.
    pub path: PathBuf,
    /// What the system says.
    pub error: std::io::Error,
}

/// Whether files can be made in a folder, which is made if need be.
///
/// # Errors
/// If not.
pub fn check_writable(out: &Path) -> Result<(), ReportError> {
    let fail = |error| ReportError {
        path: out.to_owned(),
        error,
    };
    std::fs::create_dir_all(out).map_err(fail)?;
    let probe = out.join(".writable");
    std::fs::write(&probe, [])
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(fail)
}

/// Writes.
///
/// # Errors
/// If not.
pub fn write(out: &Path, summary: &Resilience) -> Result<(), ReportError> {
    let path = out.join("resilience.json");
    let json = serde_json::to_vec_pretty(summary).unwrap_or_default();
    std::fs::write(&path, json).map_err(|error| ReportError { path, error })
}
