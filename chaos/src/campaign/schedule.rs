//! Schedules: campaign files that hold one plan, instead of distributions from which plans are drawn.
//!
//! The shrinker writes them for people to read and change, with a line for each call, fault and liar. The types of the plan
//! alone define the fields of these lines.

mod write;

use dske::harness::Canary;
use serde::Deserialize;
use toml::Spanned;

use super::checker::Checker;
use super::file::ScheduleSection;
use super::value::Range;
use super::{CampaignError, VERSION};
use crate::plan::flaw::{Flaw, Part};
use crate::plan::stream::SEED_MAX;
use crate::plan::{self, Plan};
pub use write::{TooLarge, write};

/// Calls, faults or liars of a schedule at most. As many as the busiest workload makes in 50 seconds; more is nothing
/// that a person reads, and a file of them would be larger than is read.
pub const ENTRIES_MAX: usize = 10_000;

/// Characters of a campaign's name at most: what file names have.
const NAME_CHARS_MAX: usize = 255;

/// Refuses a schedule of another version, before anything else of it is looked at: it may have other fields.
pub(super) fn check_version(checker: Checker<'_>) -> Result<(), CampaignError> {
    #[derive(Deserialize)]
    struct File {
        schedule: Option<Section>,
    }
    #[derive(Deserialize)]
    struct Section {
        version: Option<Spanned<String>>,
        campaign: Option<String>,
        seed: Option<u64>,
    }
    // Other errors of the file are reported when it is read as a whole.
    let Ok(File {
        schedule: Some(section),
    }) = toml::from_str(checker.text)
    else {
        return Ok(());
    };
    let Some(version) = section.version else {
        return Ok(());
    };
    let theirs = version.get_ref();
    if theirs == VERSION {
        return Ok(());
    }
    let anew = match (section.campaign, section.seed) {
        (Some(campaign), Some(seed)) => format!(" (cargo chaos shrink {campaign} --seed {seed})"),
        _ => String::new(),
    };
    let message = format!(
        "the schedule was made by dske {theirs}, and this is dske {VERSION}, which may draw other things during the same \
         run: replay it with dske {theirs}, shrink the failure anew{anew}, or set version = {VERSION:?} to run it as it is"
    );
    Err(checker.error(Some(version.span()), &message))
}

/// The plan of a `[schedule]`.
pub(super) fn plan(checker: Checker<'_>, section: ScheduleSection) -> Result<Plan, CampaignError> {
    let name = section.campaign.get_ref();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
        let message = format!(
            "schedule.campaign must be a name of 1 to {NAME_CHARS_MAX} printable characters: that of the campaign from \
             whose streams the run draws"
        );
        return Err(checker.error(Some(section.campaign.span()), &message));
    }
    let seed = Range::just(*section.seed.get_ref());
    checker.within(&section.seed.span(), "schedule.seed", seed, 0..=SEED_MAX)?;
    few_enough(checker, "calls", &section.calls)?;
    few_enough(checker, "faults", &section.faults)?;
    few_enough(checker, "liars", &section.liars)?;
    let plan = Plan {
        campaign: section.campaign.get_ref().clone(),
        seed: *section.seed.get_ref(),
        cluster: section.cluster.get_ref().clone(),
        calls: values(&section.calls),
        faults: values(&section.faults),
        liars: values(&section.liars),
        heal_at_ms: *section.heal_at_ms.get_ref(),
        recovery_ms: *section.recovery_ms.get_ref(),
        end_ms: *section.end_ms.get_ref(),
        canary: canary(checker, section.canary.as_ref())?,
    };
    plan.check().map_err(|flaw| at(checker, &section, &flaw))?;
    Ok(plan)
}

/// The bug that the run needs to break.
fn canary(
    checker: Checker<'_>,
    name: Option<&Spanned<String>>,
) -> Result<Option<Canary>, CampaignError> {
    let named = name.map(|name| {
        let canary = plan::canary::named(name.get_ref());
        canary.map_err(|why| checker.error(Some(name.span()), &format!("schedule.canary: {why}")))
    });
    named.transpose()
}

fn values<T: Clone>(entries: &[Spanned<T>]) -> Vec<T> {
    entries
        .iter()
        .map(|entry| entry.get_ref().clone())
        .collect()
}

fn few_enough<T>(
    checker: Checker<'_>,
    what: &str,
    entries: &[Spanned<T>],
) -> Result<(), CampaignError> {
    match entries.get(ENTRIES_MAX) {
        None => Ok(()),
        Some(first_too_many) => {
            let message = format!(
                "a schedule has at most {ENTRIES_MAX} {what}, not {}",
                entries.len()
            );
            Err(checker.error(Some(first_too_many.span()), &message))
        }
    }
}

/// The flaw with its line.
fn at(checker: Checker<'_>, section: &ScheduleSection, flaw: &Flaw) -> CampaignError {
    let span = match flaw.part {
        Part::Plan => match flaw.field {
            "heal_at_ms" => Some(section.heal_at_ms.span()),
            "recovery_ms" => Some(section.recovery_ms.span()),
            _ => Some(section.end_ms.span()),
        },
        Part::Cluster => Some(section.cluster.span()),
        Part::Call(index) => section.calls.get(index).map(Spanned::span),
        Part::Fault(index) => section.faults.get(index).map(Spanned::span),
        Part::Liar(index) => section.liars.get(index).map(Spanned::span),
    };
    match span {
        Some(span) => checker.error_in(&span, flaw.field, &flaw.message),
        None => checker.error(None, &flaw.message),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::parse;
    use super::super::{Plans, load, names};
    use super::write::inline;
    use super::*;
    use crate::plan::{Fault, FaultKind, Liar, Lie, PlannedFault};

    /// Writes a plan and reads what was written.
    #[track_caller]
    fn there_and_back(plan: &Plan) -> String {
        let text = write(
            plan,
            "A \"plan\"\nof two lines",
            &["why\nnot = 1".to_owned()],
        )
        .unwrap();
        let campaign = parse("x", "x.toml", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert!(
            matches!(&campaign.plans, Plans::Fixed(fixed) if **fixed == *plan),
            "{text}"
        );
        assert_eq!(campaign.plan(99), *plan, "whatever the seed");
        assert_eq!(campaign.about, "A \"plan\"\nof two lines");
        assert_eq!(campaign.seeds, 1);
        text
    }

    fn plan() -> Plan {
        let mut plan = load("calm").unwrap().plan(7);
        plan.calls.truncate(2);
        plan
    }

    fn every_kind_of_fault() -> Vec<Fault> {
        let kinds = FaultKind::ALL.iter();
        kinds
            .map(|kind| kind.among(vec![2, 0], vec![4], 33))
            .collect()
    }

    #[test]
    fn every_kind_of_fault_and_lie_survives_on_a_line_of_its_own() {
        let mut plan = plan();
        for (fault, at_ms) in every_kind_of_fault().into_iter().zip(0..) {
            plan.faults.push(PlannedFault {
                at_ms,
                until_ms: 5_000 + at_ms,
                fault,
            });
        }
        for &lie in Lie::ALL {
            plan.liars.push(Liar {
                hub: 1,
                from_ms: 3,
                until_ms: 9_999,
                lies: vec![lie],
                rate_percent: 42,
            });
        }
        let text = there_and_back(&plan);
        for kind in FaultKind::names() {
            let lines = text
                .lines()
                .filter(|line| line.contains(&format!("kind = {kind:?}")));
            assert_eq!(lines.count(), 1, "{kind}");
        }
        for lie in Lie::ALL {
            let named = format!("lies = [{:?}]", lie.name());
            assert_eq!(text.lines().filter(|line| line.contains(&named)).count(), 1);
        }
        assert!(
            text.starts_with("# why not = 1\n# Hubs: 0 hank, 1 helen,"),
            "{text}"
        );
    }

    #[test]
    fn a_canary_survives() {
        for canary in Canary::ALL {
            let mut plan = plan();
            plan.canary = Some(*canary);
            let text = there_and_back(&plan);
            assert!(text.contains(&format!("\ncanary = \"{canary}\"\n")));
        }
    }

    #[test]
    fn whatever_a_campaign_draws_survives() {
        for name in names() {
            let campaign = load(name).unwrap();
            for seed in (0..40).chain([SEED_MAX]) {
                there_and_back(&campaign.plan(seed));
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_line() {
        let mut plan = plan();
        plan.faults.push(PlannedFault {
            at_ms: 1_000,
            until_ms: 2_000,
            fault: Fault::SlowHub {
                hub: 4,
                delay_ms: 88,
            },
        });
        let text = there_and_back(&plan);
        let line_of = |what: &str| {
            let found = text.lines().position(|line| line.contains(what));
            found.unwrap_or_else(|| panic!("no {what} in {text}")) + 1
        };
        let fault = line_of("slow-hub");
        for (from, to, line, why) in [
            (
                "hub = 4",
                "hub = 5",
                fault,
                "faults.hubs must be 0 to 4, not 5",
            ),
            (
                "delay_ms = 88",
                "delay_ms = 0",
                fault,
                "faults.delay_ms must be 1 to 10000",
            ),
            (
                "delay_ms = 88",
                "delay_ms = 88, speed = 1",
                fault,
                "unknown field `speed`",
            ),
            (
                "slow-hub",
                "quake",
                fault,
                "unknown variant `quake`, expected one of `partition`",
            ),
            ("delay_ms = 88", "", fault, ""),
            (
                "until_ms = 2000",
                "until_ms = 900",
                fault,
                "faults.at_ms must be 0 to 899",
            ),
            ("id = 1", "id = 0", line_of("id = 1"), "two calls of id 0"),
            (
                "id = 1",
                "id = 1, colour = 2",
                line_of("id = 1"),
                "unknown field `colour`",
            ),
            (
                "threshold = 3",
                "threshold = 6",
                line_of("threshold"),
                "must be 1 to 5, not 6",
            ),
            (
                "threshold = 3",
                "threshold = 300",
                line_of("threshold"),
                "300",
            ),
            (
                "threshold = 3",
                "thresh = 3",
                line_of("threshold"),
                "unknown field `thresh`",
            ),
            (
                "seed = 7",
                "seed = 9007199254740992",
                line_of("seed"),
                "schedule.seed must be 0 to",
            ),
            (
                "campaign = \"calm\"",
                "campaign = \"\"",
                line_of("campaign"),
                "must be a name",
            ),
            (
                "heal_at_ms = 20000",
                "heal_at_ms = 9",
                fault,
                "must be 1 to 9",
            ),
            (
                "end_ms = ",
                "end_ms = 1 #",
                line_of("end_ms"),
                "has to expire within the run",
            ),
            (
                "seed = 7",
                "seed = 7\ncanary = \"kanari\"",
                line_of("seed = ") + 1,
                "schedule.canary: there is no canary \"kanari\"; there are coefficients-without-zero, ",
            ),
            (
                "seed = 7",
                "seed = 7\nspeed = 8",
                line_of("seed = ") + 1,
                "unknown field `speed`",
            ),
        ] {
            assert!(text.contains(from), "{from}: {text}");
            let changed = text.replacen(from, to, 1);
            let said = parse("x", "x.toml", &changed).unwrap_err().to_string();
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(
                said.starts_with(&format!("x.toml:{line}: ")),
                "{to}: {said}"
            );
            assert!(said.contains(why), "{to}: {said}");
        }
    }

    #[test]
    fn a_schedule_has_nothing_that_is_drawn_and_is_run_once() {
        let text = there_and_back(&plan());
        let lines = text.lines().count();
        let workload = "[workload]\nduration_s = 5\ncalls_per_second = 1\n";
        let said = |text: &str| parse("x", "x.toml", text).unwrap_err().to_string();
        assert!(
            said(&format!("{text}{workload}")).starts_with(&format!(
                "x.toml:{}: a campaign with a [schedule] has no workload",
                lines + 1
            )),
            "{}",
            said(&format!("{text}{workload}"))
        );
        for (first, why) in [
            (
                "seeds = 2\n",
                "x.toml:1: a schedule is one run: seeds can only be 1, not 2",
            ),
            (
                "swarm = true\n",
                "x.toml:1: a campaign with a [schedule] has no swarm",
            ),
        ] {
            let said = said(&format!("{first}{text}"));
            assert!(said.starts_with(why), "{said}");
        }
        assert!(parse("x", "x.toml", &format!("seeds = 1\n{text}")).is_ok());
        let expect = "[expect]\nreached = [\"branch:refill\"]\n";
        let campaign = parse("x", "x.toml", &format!("{text}{expect}")).unwrap();
        let expected = campaign.expect.reached.iter().map(toml::Spanned::get_ref);
        assert!(expected.eq(["branch:refill"]));
    }

    #[test]
    fn another_version_is_refused_with_what_to_do_whatever_else_it_says() {
        let text = there_and_back(&plan());
        let version = format!("version = {VERSION:?}");
        let line = 1 + text.lines().position(|line| line == version).unwrap();
        let changed = text.replacen(&version, "version = \"0.0.1\"\nnew_field = 3", 1);
        let said = parse("x", "x.toml", &changed).unwrap_err().to_string();
        assert!(
            said.starts_with(&format!(
                "x.toml:{line}: the schedule was made by dske 0.0.1, and this is dske "
            )) && said.contains("replay it with dske 0.0.1")
                && said.contains("cargo chaos shrink calm --seed 7")
                && said.contains(&version),
            "{said}"
        );
        let without = text.replacen(&version, "", 1);
        let said = parse("x", "x.toml", &without).unwrap_err().to_string();
        assert!(said.contains("missing field `version`"), "{said}");
    }

    #[test]
    fn more_than_anybody_reads_is_neither_written_nor_read() {
        let mut plan = plan();
        let call = plan.calls[1].clone();
        plan.calls.truncate(1);
        plan.calls.extend((1..=ENTRIES_MAX as u32).map(|id| {
            let mut call = call.clone();
            call.id = id;
            call
        }));
        assert_eq!(write(&plan, "", &[]), Err(TooLarge(ENTRIES_MAX + 1)));
        let last = plan.calls.pop().unwrap();
        let text = there_and_back(&plan);
        assert!(
            (text.len() as u64) < super::super::FILE_BYTES_MAX / 3,
            "a full file can be read"
        );
        let more = text.replacen(
            "calls = [\n",
            &format!("calls = [\n    {},\n", inline(&last)),
            1,
        );
        let said = parse("x", "x.toml", &more).unwrap_err().to_string();
        assert!(
            said.contains("a schedule has at most 10000 calls, not 10001"),
            "{said}"
        );
    }
}
