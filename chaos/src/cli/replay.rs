//! One run again, for people and tools to read.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dske_report::{check_writable, replace};
use dske_testbed::{eprintln, print, println};

use super::CliError;
use super::histories::{Histories, breaks};
use crate::campaign;
use crate::judge::Facts;
use crate::outcome::panics;
use crate::summarize::summarize;
use crate::tell::history::history;
use crate::tell::table;
use crate::tell::view::ladder::{Detail, ladder};
use crate::tell::view::{html, json, told_and};

/// What is shown of a run.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Show every message, not only calls, faults, lies and the verdict: as text, or as one JSON document.
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, default_missing_value = "text")]
    trace: Option<Format>,
    /// Write a page that draws the run.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the history of the calls (docs/histories.md).
    #[arg(long, value_name = "DIR")]
    histories: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn replay(name: &str, seed: Option<u64>, show: &Show) -> Result<bool, CliError> {
    let campaign = campaign::load(name)?;
    let seed = campaign.one_seed(seed)?;
    if let Some(path) = &show.html {
        check_page(path)?;
    }
    let histories = Histories::below(show.histories.as_deref())?;
    panics::capture();
    let plan = campaign.plan(seed);
    let is_asked = show.histories.is_some();
    let look = |facts: &Facts<'_>| is_asked.then(|| history(facts, breaks(&campaign)));
    let (outcome, trace, history) = told_and(&plan, look);
    if let Some(history) = history.flatten() {
        histories.write(&plan, &history);
    }
    histories.written()?;
    let summary = summarize(&campaign, &[outcome], 0.0);
    let is_json = show.trace == Some(Format::Json);
    if !is_json {
        print!("{}", table::plan(&plan));
    }
    match show.trace {
        None => print!("{}", ladder(&trace, Detail::Essential)),
        Some(Format::Text) => print!("{}", ladder(&trace, Detail::All)),
        Some(Format::Json) => print!("{}", json::json(&trace)),
    }
    if let Some(path) = &show.html {
        replace(path, &html::page(&trace, &campaign.replay_command(seed)))?;
        // What goes to stdout may be for a tool.
        eprintln!("page: {}", path.display());
    }
    if !is_json {
        table::print_violations(&summary);
        println!("{}", table::verdict(&summary));
        println!("digest {}", summary.digest);
    }
    Ok(summary.holds())
}

/// Before anything runs.
fn check_page(path: &Path) -> Result<(), CliError> {
    if path.is_dir() {
        return Err(CliError::PageIsDirectory(path.to_owned()));
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    Ok(check_writable(parent.unwrap_or(Path::new(".")))?)
}
