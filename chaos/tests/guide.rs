//! `docs/chaos.md` says what is true: its campaign runs, its code is that of the repository, its lists are complete.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use dske::harness::Canary;
use dske_chaos::campaign::{self, Campaign};
use dske_chaos::explore::run::run;
use dske_chaos::explore::runner::run_seeds;
use dske_chaos::explore::selftest;
use dske_chaos::plan::{FaultKind, Invariant, Lie, Mistake};
use dske_chaos::summarize::summarize;
use dske_chaos::summary::CampaignSummary;
use dske_chaos::tell::report::UNCOVERED;

const GUIDE: &str = include_str!("../../docs/chaos.md");
const CAMPAIGNS: &str = include_str!("../../docs/campaigns.md");

/// Fenced blocks: what stands behind the fence, and the text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

fn campaigns() -> Vec<Campaign> {
    let written = blocks(GUIDE)
        .into_iter()
        .filter(|(kind, _)| *kind == "toml");
    let parsed = written.map(|(_, text)| campaign::check::parse("guide", "docs/chaos.md", text));
    parsed.map(|campaign| campaign.unwrap()).collect()
}

/// One space for any white space, so that a quotation may be indented otherwise.
fn normalised(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_campaign_holds_and_reaches_what_it_expects() {
    let campaigns = campaigns();
    assert_eq!(campaigns.len(), 1);
    for campaign in &campaigns {
        let summary = holds(campaign);
        let cut = summary.effects["partition-to-clients"];
        assert!(cut.lost > 0 && cut.calls > 0, "{cut:?}");
    }
}

#[test]
fn the_example_to_copy_holds_and_reaches_what_it_expects() {
    let example = include_str!("../../examples/campaign.toml");
    holds(&campaign::check::parse("campaign", "examples/campaign.toml", example).unwrap());
}

/// Runs a campaign with its own seeds, and demands that it holds and is not weak.
fn holds(campaign: &Campaign) -> CampaignSummary {
    let seeds = campaign.seeds_to_run(None, None);
    let outcomes = run_seeds(campaign, &seeds, 2, run, |_| {});
    let summary = summarize(campaign, &outcomes, 1.0);
    assert!(summary.holds(), "{:?}", summary.violations);
    assert_eq!(summary.weaknesses(), Vec::<String>::new());
    summary
}

#[test]
fn every_quotation_is_in_the_file_that_it_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut quoted = 0;
    for (kind, text) in blocks(GUIDE) {
        let Some(file) = kind.strip_prefix("rust") else {
            assert!(matches!(kind, "toml" | "text"), "```{kind}");
            continue;
        };
        let source = fs::read_to_string(root.join(file.trim())).expect(kind);
        let source = normalised(&source);
        let mut rest = source.as_str();
        for part in text.split("// …") {
            let part = normalised(part);
            let at = rest.find(&part);
            let at = at.unwrap_or_else(|| panic!("{file} has no longer, in this order: {part}"));
            rest = &rest[at + part.len()..];
            quoted += 1;
        }
    }
    assert!(quoted >= 15, "{quoted}");
}

/// Files that the page tells people to open.
#[test]
fn every_file_that_is_named_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let is_path = |word: &&str| {
        ["chaos/", "src/", "docs/"]
            .iter()
            .any(|dir| word.starts_with(dir))
            && !word.contains(' ')
    };
    let prose = GUIDE.split('`').filter(is_path);
    let mut named = 0;
    for path in prose {
        assert!(root.join(path).exists(), "{path}");
        named += 1;
    }
    assert!(named > 15, "{named}");
}

#[test]
fn every_fault_can_be_drawn_as_often_as_it_is_asked_for_and_is_documented() {
    for &kind in FaultKind::ALL {
        let text = |strength: &str| {
            format!(
                "about = \"x\"\nseeds = 1\n[cluster]\nhubs = 5\nthreshold = 3\n\
                 [workload]\nduration_s = 20\ncalls_per_second = 1\n\
                 [[faults]]\nkind = \"{kind}\"\nper_minute = 30\nduration_ms = 100\n{strength}"
            )
        };
        let parse = |text: &str| campaign::check::parse("x", "x.toml", text);
        let campaign = parse(&text("")).or_else(|_| parse(&text("strength = 5\n")));
        let plan = campaign.unwrap().plan(1);
        assert_eq!(plan.faults.len(), 10, "{kind}");
        assert!(plan.faults.iter().all(|fault| fault.fault.kind() == kind));
        assert_eq!(plan.check(), Ok(()), "{kind}");
        assert!(is_in_a_table(kind.name()), "{kind}");
    }
}

#[test]
fn every_lie_is_documented() {
    for lie in Lie::ALL {
        assert!(is_in_a_table(lie.name()), "{}", lie.name());
    }
}

#[test]
fn every_mistake_is_documented() {
    for mistake in Mistake::ALL {
        assert!(is_in_a_table(mistake.name()), "{mistake}");
    }
}

#[test]
fn every_invariant_is_documented_and_seen_by_a_canary_or_a_control() {
    let controls: Vec<String> = campaign::names()
        .filter_map(|name| campaign::load(name).unwrap().expect.breaks)
        .map(|breaks| breaks.into_inner())
        .collect();
    for &invariant in Invariant::ALL {
        let name = invariant.name();
        assert!(is_in_a_table(name), "{name}");
        let mut canaries = Canary::ALL.iter();
        let broken = canaries.any(|canary| selftest::expected(*canary).contains(&invariant))
            || controls.iter().any(|control| control == name);
        assert!(broken, "nothing shows that {name} can break");
    }
}

/// Whether the reference has a row that begins with this name.
fn is_in_a_table(name: &str) -> bool {
    let named = format!("`{name}`");
    let mut rows = CAMPAIGNS.lines().filter(|line| line.starts_with("| `"));
    rows.any(|row| row.split('|').nth(1).unwrap_or_default().contains(&named))
}

#[test]
fn what_is_not_covered_is_said_in_the_same_words_as_in_the_report() {
    let page = normalised(GUIDE);
    for (what, why) in UNCOVERED {
        let line = format!("- **{what}**: {why}");
        assert!(page.contains(&line), "{line}");
    }
    let (_, listed) = GUIDE.split_once("## What is not covered").unwrap();
    assert_eq!(listed.matches("\n- ").count(), UNCOVERED.len());
}
