//! `cargo chaos selftest`.

use std::path::PathBuf;

use clap::Args;
use dske::harness::Canary;
use dske_report::check_writable;
use dske_testbed::{eprintln, println};

use super::{CliError, jobs, progress};
use crate::campaign::Campaign;
use crate::cli::failures::{Failures, SaveError};
use crate::explore::runner::in_order;
use crate::explore::selftest::{Canaried, Caught, campaigns, hunt, reduce};
use crate::explore::shrink::Shrunk;
use crate::outcome::panics;
use crate::plan::Plan;
use crate::plan::canary::named;
use crate::tell::report::write_selftest;
use crate::tell::table;
use crate::tell::view::told;

#[derive(Debug, Args)]
pub(super) struct SelfTest {
    /// Only these bugs.
    #[arg(value_name = "CANARY")]
    names: Vec<String>,
    /// Runs that a bug may take to be seen.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    runs: u64,
    /// Bugs at the same time [default: one for each core].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Where `selftest.html` and `selftest.json` go.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Do not reduce the runs in which bugs are seen.
    #[arg(long)]
    no_shrink: bool,
    /// Save what is left of them as schedules, in the directory `failures` below DIR.
    #[arg(long, conflicts_with = "no_shrink")]
    save: bool,
}

impl SelfTest {
    /// Plants the canaries of these names, or all of them, and prints what sees each.
    pub(super) fn run(&self) -> Result<bool, CliError> {
        let canaries = self.canaries()?;
        let campaigns = campaigns()?;
        check_writable(&self.out)?;
        let mut failures = match self.save {
            true => Some(Failures::below(&self.out)?),
            false => None,
        };
        panics::capture();
        let progress = progress("canaries");
        progress.set_prefix("selftest");
        progress.set_length(canaries.len() as u64);
        println!("{}", table::canary_head());
        let mut all = Vec::with_capacity(canaries.len());
        let look = |canary: &Canary| self.look_for(*canary, &campaigns);
        in_order(&canaries, jobs(self.jobs), look, |(mut hunted, shrunk)| {
            if let (Some(failures), Some(shrunk)) = (&mut failures, shrunk) {
                save(failures, &mut hunted, &shrunk, &campaigns)?;
            }
            progress.suspend(|| println!("{}", table::canary(&hunted)));
            progress.inc(1);
            all.push(hunted);
            Ok::<_, CliError>(())
        })?;
        progress.finish_and_clear();
        println!("{}", table::canary_verdict(&all));
        println!("report: {}", write_selftest(&self.out, &all)?.display());
        Ok(all.iter().all(|hunted| hunted.caught.is_some()))
    }

    fn canaries(&self) -> Result<Vec<Canary>, CliError> {
        if self.names.is_empty() {
            return Ok(Canary::ALL.to_vec());
        }
        let named = self.names.iter().map(|name| Ok(named(name)?));
        named.collect()
    }

    /// Hunts a canary, and reduces the run in which it was caught.
    fn look_for(
        &self,
        canary: Canary,
        campaigns: &[Campaign],
    ) -> (Canaried, Option<(Plan, Shrunk)>) {
        let (mut hunted, by) = hunt(canary, campaigns, self.runs);
        let caught = hunted.caught.as_mut().filter(|_| !self.no_shrink);
        let shrunk = caught.zip(by).map(|(caught, by)| {
            let campaign = campaign(caught, campaigns);
            reduce(canary, caught, &by, campaign)
        });
        (hunted, shrunk)
    }
}

fn campaign<'a>(caught: &Caught, campaigns: &'a [Campaign]) -> &'a Campaign {
    let mut campaigns = campaigns.iter();
    let campaign = campaigns.find(|campaign| campaign.name == caught.campaign);
    campaign.expect("it was caught in one of them")
}

fn save(
    failures: &mut Failures,
    hunted: &mut Canaried,
    (before, shrunk): &(Plan, Shrunk),
    campaigns: &[Campaign],
) -> Result<(), CliError> {
    let Some(caught) = &mut hunted.caught else {
        return Ok(());
    };
    let campaign = campaign(caught, campaigns);
    match (
        failures.save(campaign, before, shrunk, &told(&shrunk.plan).1),
        &mut caught.left,
    ) {
        (Ok(saved), Some(left)) => left.file = Some(saved.file),
        (Ok(_), None) => {}
        (Err(SaveError::TooLarge(why)), _) => eprintln!("{}: not saved: {why}", hunted.canary),
        (Err(SaveError::Write(error)), _) => return Err(error.into()),
    }
    Ok(())
}
