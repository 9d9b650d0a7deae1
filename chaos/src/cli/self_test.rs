//! `cargo chaos selftest`.

use std::path::Path;

use dske::harness::Canary;

use super::{CliError, jobs, progress};
use crate::runner::capture_panics;
use crate::selftest::{campaigns, hunt};
use crate::{report, table};

/// Plants the canaries of these names, or all of them, and prints what sees each.
pub(super) fn self_test(
    names: &[String],
    runs_max: u64,
    at_once: Option<u16>,
    out: &Path,
) -> Result<bool, CliError> {
    let canaries = canaries(names)?;
    let campaigns = campaigns()?;
    report::check_writable(out)?;
    capture_panics();
    let progress = progress("canaries");
    progress.set_prefix("selftest");
    progress.set_length(canaries.len() as u64);
    println!("{}", table::canary_head());
    let mut all = Vec::with_capacity(canaries.len());
    for canary in canaries {
        progress.set_message(canary.name());
        let hunted = hunt(canary, &campaigns, runs_max, jobs(at_once));
        progress.suspend(|| println!("{}", table::canary(&hunted)));
        progress.inc(1);
        all.push(hunted);
    }
    progress.finish_and_clear();
    println!("{}", table::canary_verdict(&all));
    report::write_json(&out.join("selftest.json"), &all)?;
    Ok(all.iter().all(|hunted| hunted.caught.is_some()))
}

fn canaries(names: &[String]) -> Result<Vec<Canary>, CliError> {
    if names.is_empty() {
        return Ok(Canary::ALL.to_vec());
    }
    let named = names.iter().map(|name| {
        let mut all = Canary::ALL.iter();
        let known = all.find(|canary| canary.name() == name);
        known.copied().ok_or_else(|| CliError::UnknownCanary {
            name: name.clone(),
            known: Canary::ALL.iter().map(|canary| canary.name()).collect(),
        })
    });
    named.collect()
}
