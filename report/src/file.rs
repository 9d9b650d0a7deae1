//! Puts the files of a report on disk, whole or not at all.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// Why a report could not be written. Each message is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The output directory does not exist and cannot be made.
    #[error("cannot create the report directory {}: {source}; choose a directory that you may write to", path.display())]
    CreateDirectory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file in the output directory cannot be written.
    #[error("cannot write {}: {source}; check the permissions and the free space of its directory", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The summary does not fit into JSON.
    #[error("cannot express the summary as JSON for {}: {source}; this is a bug in the summary's types", path.display())]
    Json {
        /// The file that it was meant for.
        path: PathBuf,
        /// What the serializer said.
        source: serde_json::Error,
    },
}

/// Writes a value as JSON, whole or not at all.
///
/// # Errors
///
/// [`ReportError`] names the path that could not be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ReportError> {
    let mut json = serde_json::to_string_pretty(value).map_err(|source| ReportError::Json {
        path: path.to_path_buf(),
        source,
    })?;
    json.push('\n');
    replace(path, &json)
}

/// Checks that files can be written into `out_dir`, which is created if need be. Ask before hours of work.
///
/// # Errors
///
/// [`ReportError`] names the path that could not be created or written.
pub fn check_writable(out_dir: &Path) -> Result<(), ReportError> {
    fs::create_dir_all(out_dir).map_err(|source| ReportError::CreateDirectory {
        path: out_dir.to_path_buf(),
        source,
    })?;
    let path = out_dir.join(format!(".{}.tmp", std::process::id()));
    fs::write(&path, [])
        .and_then(|()| fs::remove_file(&path))
        .map_err(|source| ReportError::WriteFile { path, source })
}

/// Puts a file in its place, whole or not at all: the file is written beside its place and then renamed. So neither a
/// reader nor an interrupted run ever meets half a report.
///
/// # Errors
///
/// [`ReportError`] names the path that could not be written.
pub fn replace(path: &Path, content: &str) -> Result<(), ReportError> {
    let mut name = path.file_name().map(ToOwned::to_owned).unwrap_or_default();
    name.push(format!(".{}.tmp", std::process::id()));
    let partial = path.with_file_name(name);
    fs::write(&partial, content)
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|source| {
            // The first error is the one that matters; a leftover that cannot be removed changes nothing.
            let _ = fs::remove_file(&partial);
            ReportError::WriteFile {
                path: path.to_path_buf(),
                source,
            }
        })
}
