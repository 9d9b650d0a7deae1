//! The rarest situations, each as a schedule that meets it.

use std::path::{Path, PathBuf};

use dske_report::{ReportError, check_writable, replace};

use super::statistics::{RAREST, Statistics};
use super::tally::Tally;
use crate::campaign::schedule::write;
use crate::campaign::{VERSION, quoted};

/// Where such schedules go.
#[derive(Debug)]
pub struct Rarities {
    dir: PathBuf,
}

impl Rarities {
    /// They go to `soak` below the report's directory, which has to be writable.
    ///
    /// # Errors
    /// If files cannot be written there.
    pub fn below(out: &Path) -> Result<Self, ReportError> {
        let dir = out.join("soak");
        check_writable(&dir)?;
        Ok(Self { dir })
    }

    /// Saves a schedule for each of the rarest situations, and notes its file in the statistics.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn save(&self, tally: &Tally, statistics: &mut Statistics) -> Result<(), ReportError> {
        let (seed, runs) = (statistics.seed, statistics.runs);
        for situation in statistics.situations.iter_mut().take(RAREST) {
            let Some(met) = tally.situations().get(&situation.name) else {
                continue;
            };
            let name = &situation.name;
            let path = self.dir.join(format!("{}.toml", name.replace(':', "-")));
            let file = path.display().to_string();
            let about = format!(
                "Reaches {name}, which {} of {runs} runs of a soak did.",
                met.runs
            );
            let story = [
                format!("Reaches {name}. Found by cargo chaos soak --seed {seed}, dske {VERSION}."),
                format!("Replay: cargo chaos replay {} --trace", quoted(&file)),
                String::new(),
            ];
            // One with more entries than a file may have is no schedule that anybody would read.
            let Ok(text) = write(&met.example, &about, &story) else {
                continue;
            };
            let expect = format!("\n[expect]\nreached = [{name:?}]\n");
            replace(&path, &(text + &expect))?;
            situation.file = Some(file);
        }
        Ok(())
    }
}
