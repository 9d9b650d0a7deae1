//! The schedule as a file, with its story: what breaks, where it comes from, how to see it again; and the page that shows
//! it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dske_report::{ReportError, check_writable, replace};

use crate::campaign::schedule::{TooLarge, write};
use crate::campaign::{Campaign, VERSION, quoted};
use crate::explore::shrink::Shrunk;
use crate::outcome::RunViolation;
use crate::plan::Plan;
use crate::summary::{ShrunkFile, Size};
use crate::tell::view::Trace;
use crate::tell::view::html;

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

    /// Saves what is left of a run of a campaign, whose plan was `before`, with a page of its trace.
    ///
    /// # Errors
    /// If it cannot be written, or is too large for a file.
    pub fn save(
        &mut self,
        campaign: &Campaign,
        before: &Plan,
        shrunk: &Shrunk,
        trace: &Trace,
    ) -> Result<ShrunkFile, SaveError> {
        let name = match before.canary {
            Some(canary) => format!("canary-{canary}"),
            None => self.free_name(&campaign.name, before.seed, shrunk.violation.invariant()),
        };
        let path = self.dir.join(format!("{name}.toml"));
        let page = self.dir.join(format!("{name}.html"));
        let file = path.display().to_string();
        let saved = ShrunkFile {
            view: page.display().to_string(),
            replay: format!("cargo chaos replay {} --trace", quoted(&file)),
            file,
            before: Size::of(before),
            after: Size::of(&shrunk.plan),
            runs: shrunk.runs,
        };
        let about = format!(
            "Breaks {}: what is left of campaign {}, seed {}.",
            shrunk.violation.invariant(),
            campaign.name,
            before.seed
        );
        let story = story(campaign, before, shrunk, &saved);
        let text = write(&shrunk.plan, &about, &story)?;
        self.put(name, &path, &text)?;
        replace(&page, &html::page(trace, &saved.replay))?;
        Ok(saved)
    }

    /// Saves the plan of a run that broke something as it is, and gives the file: before anything is taken away, or for
    /// a run that no seed of a campaign draws.
    ///
    /// # Errors
    /// If it cannot be written, or is too large for a file.
    pub fn save_whole(
        &mut self,
        campaign: &str,
        plan: &Plan,
        violations: &[RunViolation],
    ) -> Result<String, SaveError> {
        let short = format!("{campaign}-{}-whole", plan.seed);
        let numbered = (2..).map(|number| format!("{short}-{number}"));
        let name = self.first_free(std::iter::once(short.clone()).chain(numbered));
        let path = self.dir.join(format!("{name}.toml"));
        let file = path.display().to_string();
        let about = format!("Breaks {}: a whole run.", invariants(violations));
        let mut story = Vec::new();
        for violation in violations.iter().take(TOLD_MAX) {
            let (at_s, ms) = (violation.at_ms / 1000, violation.at_ms % 1000);
            story.push(format!(
                "Breaks {} at {at_s}.{ms:03} s:",
                violation.invariant()
            ));
            story.push(violation.detail());
        }
        if let Some(more) = violations.len().checked_sub(TOLD_MAX + 1) {
            story.push(format!("… and {} more", more + 1));
        }
        story.push(String::new());
        story.push(format!(
            "Replay: cargo chaos replay {} --trace",
            quoted(&file)
        ));
        story.push(format!("Shrink: cargo chaos shrink {}", quoted(&file)));
        story.push(String::new());
        self.put(name, &path, &write(plan, &about, &story)?)?;
        Ok(file)
    }

    /// Puts a file into the directory, which is made if it is the first.
    fn put(&mut self, name: String, path: &Path, text: &str) -> Result<(), ReportError> {
        std::fs::create_dir_all(&self.dir).map_err(|source| ReportError::CreateDirectory {
            path: self.dir.clone(),
            source,
        })?;
        replace(path, text)?;
        self.taken.insert(name);
        Ok(())
    }

    /// `NAME-SEED`; with the invariant, and a number, where another failure of the same command has that name.
    fn free_name(&self, campaign: &str, seed: u64, invariant: &str) -> String {
        let short = format!("{campaign}-{seed}");
        let long = format!("{short}-{invariant}");
        let numbered = (2..).map(|number| format!("{long}-{number}"));
        self.first_free([short, long.clone()].into_iter().chain(numbered))
    }

    fn first_free(&self, mut names: impl Iterator<Item = String>) -> String {
        let free = names.find(|name| !self.taken.contains(name));
        free.expect("there is no end of numbers")
    }
}

/// Violations that are told at the top of a whole run.
const TOLD_MAX: usize = 5;

/// The invariants that broke, each once.
#[must_use]
pub fn invariants(violations: &[RunViolation]) -> String {
    let names: BTreeSet<&str> = violations.iter().map(RunViolation::invariant).collect();
    let names: Vec<&str> = names.into_iter().collect();
    names.join(", ")
}

fn story(campaign: &Campaign, before: &Plan, shrunk: &Shrunk, saved: &ShrunkFile) -> Vec<String> {
    let violation = &shrunk.violation;
    let (at_s, ms) = (violation.at_ms / 1000, violation.at_ms % 1000);
    let rest = if shrunk.is_minimal {
        "nothing more can be taken away"
    } else {
        "the runs were used up before nothing more could be taken away"
    };
    let whole_run = match before.canary {
        Some(canary) => format!("cargo chaos selftest {canary}"),
        None => campaign.replay_command(before.seed),
    };
    let planted = before.canary.map(|canary| {
        let about = canary.about();
        [
            format!("Only with the bug {canary} planted in the nodes: {about}."),
            String::new(),
        ]
    });
    let breaks = [
        format!("Breaks {} at {at_s}.{ms:03} s:", violation.invariant()),
        violation.detail(),
        String::new(),
    ];
    let origin = [
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
        format!("To look at:    {}", saved.view),
        format!("The whole run: {whole_run}"),
        String::new(),
    ];
    breaks
        .into_iter()
        .chain(planted.into_iter().flatten())
        .chain(origin)
        .collect()
}

#[cfg(test)]
mod tests {
    use dske::harness::Canary;

    use super::*;
    use crate::campaign::load;
    use crate::explore::shrink::testing::{big, violation};
    use crate::tell::view::of_plan;

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
        let saved = failures
            .save(&campaign, &big(), &shrunk(), &of_plan(&shrunk().plan, &[]))
            .unwrap();
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
            "# Breaks agreement at 1.234 s:\n# key 0a782fb5-3434-48fe-aa4d-14f41d46cf92 is not the same",
            "# Shrunk from campaign calm, seed 1, by dske ",
            &format!("# Replay:        {}\n", saved.replay),
            &format!("# To look at:    {}\n", saved.view),
            "# The whole run: cargo chaos replay calm --seed 1 --trace\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(saved.view.ends_with("my out/failures/calm-1.html"));
        let page = std::fs::read_to_string(&saved.view).unwrap();
        assert!(page.contains("/failures/calm-1.toml' --trace</code>"));
        assert_eq!(load(&saved.file).unwrap().plan(1), shrunk().plan);
    }

    #[test]
    fn a_whole_run_is_a_campaign_too_and_none_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let mut failures = Failures::below(dir.path()).unwrap();
        let mut other = big();
        other.faults.clear();
        let violations = [violation(1_234)];
        let mut save = |plan| {
            failures
                .save_whole("calm-mutated", plan, &violations)
                .unwrap()
        };
        let (first, second) = (save(&big()), save(&other));
        assert!(first.ends_with("/failures/calm-mutated-1-whole.toml"));
        assert!(second.ends_with("/failures/calm-mutated-1-whole-2.toml"));
        let text = std::fs::read_to_string(&first).unwrap();
        assert!(text.starts_with("# Breaks agreement at 1.234 s:\n# key 0a782fb5-3434-48fe-aa4d-14f41d46cf92 is not the same"));
        assert!(text.contains(&format!("# Replay: cargo chaos replay {first} --trace\n")));
        assert_eq!(load(&first).unwrap().plan(0), big());
        assert_eq!(load(&second).unwrap().plan(0), other);
        let many = vec![violation(1_234); 8];
        let third = failures.save_whole("calm-mutated", &other, &many).unwrap();
        let text = std::fs::read_to_string(third).unwrap();
        assert_eq!(text.matches("is not the same").count(), TOLD_MAX);
        assert!(text.contains("# … and 3 more\n"));
        assert!(text.contains("about = \"Breaks agreement: a whole run.\""));
    }

    #[test]
    fn what_breaks_only_with_a_canary_says_so_and_plants_it_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut failures = Failures::below(dir.path()).unwrap();
        let planted = |plan: Plan| Plan {
            canary: Some(Canary::MacPrefix),
            ..plan
        };
        let mut shrunk = shrunk();
        shrunk.plan = planted(shrunk.plan);
        let campaign = load("calm").unwrap();
        let trace = of_plan(&shrunk.plan, &[]);
        let saved = failures.save(&campaign, &planted(big()), &shrunk, &trace);
        let saved = saved.unwrap();
        assert!(saved.file.ends_with("/failures/canary-mac-prefix.toml"));
        let text = std::fs::read_to_string(&saved.file).unwrap();
        for line in [
            "# Only with the bug mac-prefix planted in the nodes: only the first byte",
            "# The whole run: cargo chaos selftest mac-prefix\n",
            "canary = \"mac-prefix\"\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert_eq!(load(&saved.file).unwrap().plan(1), shrunk.plan);
    }

    #[test]
    fn failures_of_one_command_do_not_overwrite_each_other_and_those_of_the_last_one_go() {
        let dir = tempfile::tempdir().unwrap();
        let campaign = load("calm").unwrap();
        for _ in 0..2 {
            let mut failures = Failures::below(dir.path()).unwrap();
            for name in ["calm-1", "calm-1-agreement", "calm-1-agreement-2"] {
                let saved = failures
                    .save(&campaign, &big(), &shrunk(), &of_plan(&shrunk().plan, &[]))
                    .unwrap();
                assert!(
                    saved.file.ends_with(&format!("/{name}.toml")),
                    "{}",
                    saved.file
                );
            }
        }
    }
}
