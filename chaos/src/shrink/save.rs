//! The schedule as a file, with its story: what breaks, where it comes from, how to see it again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Shrunk;
use crate::campaign::schedule::{TooLarge, write};
use crate::campaign::{Campaign, VERSION, quoted};
use crate::plan::Plan;
use crate::report::{ReportError, check_writable, replace};
use crate::summary::{ShrunkFile, Size};

/// Where the schedules of one command go.
#[derive(Debug)]
pub struct Failures {
    dir: PathBuf,
    /// What was written: another one is not written over it.
    taken: BTreeSet<String>,
}

/// Why a schedule was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] ReportError),
    /// It is nothing that a file may hold.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl Failures {
    /// Schedules go to `failures` below the report's directory, which has to be writable. Nothing is left there if
    /// nothing breaks.
    ///
    /// # Errors
    /// If files cannot be written there.
    pub fn below(out: &Path) -> Result<Self, ReportError> {
        let dir = out.join("failures");
        check_writable(&dir)?;
        // Only an empty directory goes.
        let _ = std::fs::remove_dir(&dir);
        Ok(Self {
            dir,
            taken: BTreeSet::new(),
        })
    }

    /// Saves what is left of a run of a campaign, whose plan was `before`.
    ///
    /// # Errors
    /// If it cannot be written, or is too large for a file.
    pub fn save(
        &mut self,
        campaign: &Campaign,
        before: &Plan,
        shrunk: &Shrunk,
    ) -> Result<ShrunkFile, SaveError> {
        let name = self.free_name(&campaign.name, before.seed, &shrunk.violation.invariant);
        let path = self.dir.join(format!("{name}.toml"));
        let file = path.display().to_string();
        let saved = ShrunkFile {
            replay: format!("cargo chaos replay {} --trace", quoted(&file)),
            file,
            before: Size::of(before),
            after: Size::of(&shrunk.plan),
            runs: shrunk.runs,
        };
        let about = format!(
            "Breaks {}: what is left of campaign {}, seed {}.",
            shrunk.violation.invariant, campaign.name, before.seed
        );
        let story = story(campaign, before, shrunk, &saved);
        let text = write(&shrunk.plan, &about, &story)?;
        std::fs::create_dir_all(&self.dir).map_err(|source| ReportError::CreateDirectory {
            path: self.dir.clone(),
            source,
        })?;
        replace(&path, &text)?;
        self.taken.insert(name);
        Ok(saved)
    }

    /// `NAME-SEED`; with the invariant, and a number, where another failure of the same command has that name.
    fn free_name(&self, campaign: &str, seed: u64, invariant: &str) -> String {
        let short = format!("{campaign}-{seed}");
        let long = format!("{short}-{invariant}");
        let numbered = (2..).map(|number| format!("{long}-{number}"));
        let mut names = [short, long.clone()].into_iter().chain(numbered);
        let free = names.find(|name| !self.taken.contains(name));
        free.expect("there is no end of numbers")
    }
}

fn story(campaign: &Campaign, before: &Plan, shrunk: &Shrunk, saved: &ShrunkFile) -> Vec<String> {
    let violation = &shrunk.violation;
    let (at_s, ms) = (violation.at_ms / 1000, violation.at_ms % 1000);
    let rest = if shrunk.is_minimal {
        "nothing more can be taken away"
    } else {
        "the runs were used up before nothing more could be taken away"
    };
    vec![
        format!("Breaks {} at {at_s}.{ms:03} s:", violation.invariant),
        violation.detail.clone(),
        String::new(),
        format!(
            "Shrunk from campaign {}, seed {}, by dske {VERSION}: {saved}; {rest}.",
            campaign.name, before.seed
        ),
        format!(
            "{} of {} hubs are needed, of {} of {} before.",
            shrunk.plan.cluster.threshold,
            shrunk.plan.cluster.hubs,
            before.cluster.threshold,
            before.cluster.hubs
        ),
        String::new(),
        format!("Replay:        {}", saved.replay),
        format!("The whole run: {}", campaign.replay_command(before.seed)),
        String::new(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{big, violation};
    use super::*;
    use crate::campaign::load;

    fn shrunk() -> Shrunk {
        let mut plan = big();
        plan.calls.truncate(1);
        plan.faults.clear();
        Shrunk {
            plan,
            violation: violation(1_234),
            runs: 17,
            is_minimal: true,
        }
    }

    #[test]
    fn the_file_is_a_campaign_that_tells_its_story() {
        let dir = tempfile::tempdir().unwrap();
        let mut failures = Failures::below(&dir.path().join("my out")).unwrap();
        assert!(
            !dir.path().join("my out/failures").exists(),
            "nothing broke yet"
        );
        let campaign = load("calm").unwrap();
        let saved = failures.save(&campaign, &big(), &shrunk()).unwrap();
        assert!(saved.file.ends_with("my out/failures/calm-1.toml"));
        assert_eq!(
            saved.replay,
            format!("cargo chaos replay '{}' --trace", saved.file)
        );
        assert_eq!(
            saved.to_string(),
            "0 of 20 faults, 2 of 2 liars, 1 of 250 calls are left after 17 runs"
        );
        let text = std::fs::read_to_string(&saved.file).unwrap();
        for line in [
            "# Breaks agreement at 1.234 s:\n# two keys\n",
            "# Shrunk from campaign calm, seed 1, by dske ",
            &format!("# Replay:        {}\n", saved.replay),
            "# The whole run: cargo chaos replay calm --seed 1 --trace\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert_eq!(load(&saved.file).unwrap().plan(1), shrunk().plan);
    }

    #[test]
    fn failures_of_one_command_do_not_overwrite_each_other_and_those_of_the_last_one_go() {
        let dir = tempfile::tempdir().unwrap();
        let campaign = load("calm").unwrap();
        for _ in 0..2 {
            let mut failures = Failures::below(dir.path()).unwrap();
            for name in ["calm-1", "calm-1-agreement", "calm-1-agreement-2"] {
                let saved = failures.save(&campaign, &big(), &shrunk()).unwrap();
                assert!(
                    saved.file.ends_with(&format!("/{name}.toml")),
                    "{}",
                    saved.file
                );
            }
        }
    }
}
