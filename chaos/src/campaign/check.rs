//! What a campaign must not say, each with its line.

use toml::Spanned;

use super::checker::Checker;
use super::file::{CampaignFile, ExpectSection};
use super::value::Range;
use super::{Campaign, CampaignError, Plans, schedule};
use crate::plan::{Invariant, limits, reached};

/// Reads and checks the text of a campaign. `file` is its name, for errors.
///
/// # Errors
/// If it says something that cannot be.
pub fn parse(name: &str, file: &str, text: &str) -> Result<Campaign, CampaignError> {
    let checker = Checker { file, text };
    schedule::check_version(checker)?;
    let mut file: CampaignFile =
        toml::from_str(text).map_err(|e| checker.error(e.span(), e.message()))?;
    let section = file.schedule.take();
    let seeds = checker.seeds(&file, section.is_some())?;
    checker.expect(&file.expect)?;
    let (about, expect) = (
        std::mem::take(&mut file.about),
        std::mem::take(&mut file.expect),
    );
    let plans = match section {
        Some(section) => {
            checker.nothing_is_drawn(&file)?;
            Plans::Fixed(Box::new(schedule::plan(checker, section)?))
        }
        None => Plans::Drawn(Box::new(checker.distributions(file)?)),
    };
    Ok(Campaign {
        name: name.to_owned(),
        source: String::new(),
        about,
        seeds,
        plans,
        expect,
    })
}

impl Checker<'_> {
    fn seeds(&self, file: &CampaignFile, is_schedule: bool) -> Result<u64, CampaignError> {
        match &file.seeds {
            None if is_schedule => Ok(1),
            None => Err(self.error(None, "seeds is missing: how many seeds are run by default")),
            Some(seeds) if is_schedule && *seeds.get_ref() != 1 => Err(self.error(
                Some(seeds.span()),
                &format!(
                    "a schedule is one run: seeds can only be 1, not {}",
                    seeds.get_ref()
                ),
            )),
            Some(seeds) => {
                let number = *seeds.get_ref();
                self.within(&seeds.span(), "seeds", Range::just(number), 1..=1_000_000)?;
                Ok(number)
            }
        }
    }

    fn nothing_is_drawn(&self, file: &CampaignFile) -> Result<(), CampaignError> {
        let drawn = [
            ("swarm", file.swarm.as_ref().map(Spanned::span)),
            ("cluster", file.cluster.as_ref().map(Spanned::span)),
            ("workload", file.workload.as_ref().map(Spanned::span)),
            ("faults", file.faults.first().map(Spanned::span)),
            ("nemesis", file.nemesis.as_ref().map(Spanned::span)),
            ("lies", file.lies.as_ref().map(Spanned::span)),
        ];
        let found = drawn
            .into_iter()
            .find_map(|(what, span)| Some((what, span?)));
        match found {
            None => Ok(()),
            Some((what, span)) => Err(self.error(
                Some(span),
                &format!(
                    "a campaign with a [schedule] has no {what}: nothing is drawn, the schedule says it all"
                ),
            )),
        }
    }

    fn expect(&self, expect: &ExpectSection) -> Result<(), CampaignError> {
        if let Some(breaks) = &expect.breaks
            && Invariant::named(breaks.get_ref()).is_none()
        {
            let message = format!(
                "there is no invariant {:?}; there are {}",
                breaks.get_ref(),
                Invariant::names().join(", ")
            );
            return Err(self.error(Some(breaks.span()), &message));
        }
        if let Some(percent) = &expect.excused_percent_max {
            let (what, value) = ("expect.excused_percent_max", *percent.get_ref());
            self.within(
                &percent.span(),
                what,
                Range::just(value),
                limits::EXCUSED_PERCENT,
            )?;
        }
        let known = reached::names();
        for expected in &expect.reached {
            if !known.contains(expected.get_ref()) {
                let message = format!(
                    "nothing is ever counted as {:?}; there are {}",
                    expected.get_ref(),
                    reached::meant(expected.get_ref()).join(", ")
                );
                return Err(self.error(Some(expected.span()), &message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "about = \"x\"\nseeds = 1\n[cluster]\nhubs = 5\nthreshold = 3\n[workload]\nduration_s = 5\ncalls_per_second = 1\n";

    fn error(text: &str) -> String {
        let error = parse("x", "x.toml", text).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    }

    #[test]
    fn every_campaign_that_comes_with_the_command_is_valid() {
        for name in super::super::names() {
            super::super::load(name).unwrap_or_else(|e| panic!("{e}"));
        }
        assert!(parse("x", "x.toml", SMALL).is_ok());
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_line_and_what_is_allowed() {
        for (from, to, expected) in [
            (
                "threshold = 3",
                "threshold = 6",
                "x.toml:3: cluster.threshold is 6 and cluster.hubs 5: the threshold cannot be larger",
            ),
            ("seeds = 1", "seeds = 0", "x.toml:2: seeds must be 1 to"),
            (
                "hubs = 5",
                "hubs = [5, 4]",
                "x.toml:4: the range [5, 4] is the wrong way round",
            ),
            (
                "hubs = 5",
                "hubs = 99",
                "x.toml:4: cluster.hubs must be 1 to 16, not 99",
            ),
            (
                "hubs = 5",
                "hubs = \"many\"",
                "x.toml:4: expected a whole number, or a range such as [1, 5]",
            ),
            (
                "hubs = 5",
                "hubz = 5",
                "x.toml:4: unknown field `hubz`, expected one of `hubs`",
            ),
            (
                "hubs = 5",
                "hubs = 5\npsrd_block_bytes = [256, 512]\npsrd_low_water_bytes = 16129",
                "x.toml:6: cluster.psrd_low_water_bytes must be 1 to 16128, not 16129",
            ),
            (
                "hubs = 5",
                "hubs = 5\nlatency_ms = [9, 8]",
                "x.toml:5: the shortest way, 9, has to be at most the longest, 8",
            ),
            (
                "hubs = 5",
                "hubs = 5\nlatency_ms = [[1, 4], [3, 8]]",
                "x.toml:5: the shortest way, 1–4, has to be at most the longest, 3–8",
            ),
            (
                "seeds = 1",
                "seeds = 1\nswarm = \"huge\"",
                "x.toml:3: expected true, false, or \"wide\"",
            ),
            (
                "hubs = 5",
                "hubs = 5\nkey_source = \"dice\"",
                "x.toml:5: expected \"generator\", \"psrd\", or a list of them",
            ),
            (
                "hubs = 5",
                "hubs = 5\nkey_source = []",
                "x.toml:5: the list is empty",
            ),
            (
                "duration_s = 5",
                "duration_s = 1",
                "x.toml:7: workload.duration_s must be 2 to 3600, not 1",
            ),
            (
                "calls_per_second = 1",
                "calls_per_second = 1\n[expect]\nbreaks = \"x\"",
                "x.toml:10: there is no invariant \"x\"; there are agreement",
            ),
            (
                "calls_per_second = 1",
                "calls_per_second = 1\n[expect]\nreached = [\n\"branch:retry\",\n\"branch:refil\"]",
                "x.toml:12: nothing is ever counted as \"branch:refil\"; there are branch:refill",
            ),
            (
                "calls_per_second = 1",
                "calls_per_second = 1\n[expect]\nreached = [\"lie:fib\"]",
                "x.toml:10: nothing is ever counted as \"lie:fib\"; there are lie:corrupt-share",
            ),
            (
                "calls_per_second = 1",
                "calls_per_second = 1\n[expect]\nexcused_percent_max = 101",
                "x.toml:10: expect.excused_percent_max must be 0 to 100, not 101",
            ),
            ("seeds = 1", "seeds = ", "x.toml:2: "),
        ] {
            assert!(SMALL.contains(from));
            let said = error(&SMALL.replacen(from, to, 1));
            assert!(said.starts_with(expected), "{to}: {said}");
        }
    }

    #[test]
    fn faults_and_lies_are_checked() {
        for (more, expected) in [
            (
                "[[faults]]\nkind = \"quake\"\nper_minute = 1\nduration_ms = 5",
                "x.toml:10: there is no fault \"quake\"; there are partition,",
            ),
            (
                "[[faults]]\nkind = \"hold\"\nduration_ms = 5",
                "a fault has either per_minute or at_ms",
            ),
            (
                "[[faults]]\nkind = \"flood\"\nper_minute = 1\nduration_ms = 5",
                "flood needs a strength",
            ),
            (
                "[[faults]]\nkind = \"lossy-link\"\nper_minute = 1\nduration_ms = 5\nstrength = 91",
                "faults.strength must be 1 to 90",
            ),
            (
                "[[faults]]\nkind = \"rogue-client\"\nper_minute = 1\nduration_ms = 5",
                "rogue-client needs a strength",
            ),
            (
                "[[faults]]\nkind = \"hold\"\nper_minute = 1\nduration_ms = 5\nstrength = 1",
                "hold has no strength",
            ),
            (
                "[[faults]]\nkind = \"hold\"\nper_minute = 1\nduration_ms = 99999",
                "faults.duration_ms must be 1 to 5000",
            ),
            (
                "[lies]\nliars = \"some\"\nrate_percent = 5",
                "or one of \"N\", \"N-K\", \"K\", \"K-1\"",
            ),
            (
                "[lies]\nliars = 1\nrate_percent = 101",
                "lies.rate_percent must be 1 to 100",
            ),
            (
                "[lies]\nliars = 1\nkinds = [\"fib\"]\nrate_percent = 5",
                "unknown variant `fib`, expected one of `corrupt-share`",
            ),
            (
                "[lies]\nliars = 1\nkinds = []\nrate_percent = 5",
                "lies.kinds must name at least one lie",
            ),
        ] {
            let said = error(&format!("{SMALL}{more}\n"));
            assert!(said.contains(expected), "{more}: {said}");
        }
    }

    #[test]
    fn a_third_client_is_needed_for_an_intruder_and_for_a_group() {
        for percent in ["intruder_percent", "group_percent"] {
            let text = SMALL.replacen("hubs = 5", "hubs = 5\nclients = 2", 1);
            let said = error(&format!("{text}{percent} = 5\n"));
            assert!(said.contains("needs a third SAE"), "{said}");
        }
    }
}
