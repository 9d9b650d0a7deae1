//! Histories of runs as files, where the user asks for them.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use dske_report::{ReportError, check_writable, replace};

use crate::campaign::Campaign;
use crate::explore::run::{run, run_and_look};
use crate::outcome::RunOutcome;
use crate::plan::Plan;
use crate::tell::history::history;

/// Where histories go, if anywhere.
pub(super) struct Histories {
    directory: Option<PathBuf>,
    /// The first file that could not be written. Runs end on threads of their own.
    failed: Mutex<Option<ReportError>>,
}

impl Histories {
    /// Checks that files can be written there, before anything runs.
    pub(super) fn below(directory: Option<&Path>) -> Result<Self, ReportError> {
        directory.map(check_writable).transpose()?;
        Ok(Self {
            directory: directory.map(Path::to_owned),
            failed: Mutex::new(None),
        })
    }

    /// Runs a plan, and writes its history.
    pub(super) fn run(&self, campaign: &Campaign, plan: &Plan) -> RunOutcome {
        if self.directory.is_none() {
            return run(plan);
        }
        let (outcome, text) = run_and_look(plan, |facts| history(facts, breaks(campaign)));
        self.write(plan, &text);
        outcome
    }

    /// Writes the history of a run.
    pub(super) fn write(&self, plan: &Plan, text: &str) {
        let Some(directory) = &self.directory else {
            return;
        };
        let path = directory.join(format!("{}-{}.jsonl", plan.campaign, plan.seed));
        if let Err(error) = replace(&path, text) {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
        }
    }

    /// Whether all files were written so far.
    pub(super) fn written(&self) -> Result<(), ReportError> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.take().map_or(Ok(()), Err)
    }
}

/// What a negative control has to break.
pub(super) fn breaks(campaign: &Campaign) -> Option<&str> {
    let breaks = campaign.expect.breaks.as_ref();
    breaks.map(|breaks| breaks.get_ref().as_str())
}
