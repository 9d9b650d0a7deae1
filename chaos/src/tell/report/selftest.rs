//! The page of a self-test: which invariant saw which bug.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dske_report::text::{count, counted, list, millis, seconds};
use dske_report::{Banner, ReportError, Tone, beside, frame, replace, tiles, write_json};
use maud::{Markup, html};

use super::invariants::{KNOWN, meaning};
use crate::campaign::VERSION;
use crate::explore::selftest::{Canaried, Caught, Steps, median_left};

/// Writes `selftest.json` and `selftest.html`; gives the path of the page.
///
/// # Errors
/// If they cannot be written.
pub fn write_selftest(out: &Path, all: &[Canaried]) -> Result<PathBuf, ReportError> {
    write_json(&out.join("selftest.json"), &all)?;
    let path = out.join(beside::SELFTEST.file);
    replace(&path, &page(all))?;
    beside::link(out)?;
    Ok(path)
}

/// The page. The same canaries give the same bytes.
fn page(all: &[Canaried]) -> String {
    let body = html! { (banner(all)) (numbers(all)) (grid(all)) (details(all)) };
    frame("DSKE self-test", &body).into_string()
}

fn banner(all: &[Canaried]) -> Markup {
    let missed = all.iter().filter(|one| one.caught.is_none());
    let missed: Vec<&str> = missed.map(|one| one.canary.as_str()).collect();
    let planted = counted(all.len() as u64, "planted bug");
    let (tone, headline) = match missed.len() {
        0 => (Tone::Held, html! { "Seen: all of " (planted) }),
        n => (Tone::Broken, html! { "Not seen: " (n) " of " (planted) }),
    };
    Banner {
        tone,
        kicker: html! { "DSKE self-test · dske " (VERSION) },
        headline,
        details: html! {
            p {
                "That campaigns hold says something only if they would break on a broken system. So bugs, called "
                b { "canaries" } ", are planted in the nodes one at a time. For each bug, campaigns run until an invariant that \
                 the bug breaks has seen it."
            }
            @if !missed.is_empty() {
                p { "No invariant sees " (list(&missed)) ": a hole in the checks." }
            }
        },
    }
    .html()
}

fn numbers(all: &[Canaried]) -> Markup {
    let mut runs: Vec<u64> = all.iter().map(|one| one.runs).collect();
    runs.sort_unstable();
    let median = |size| median_left(all, size).map_or_else(|| "–".to_owned(), count);
    tiles(&[
        (
            count(runs.get(runs.len() / 2).copied().unwrap_or_default()),
            "runs, in the median",
            "until a bug was seen",
        ),
        (
            count(runs.last().copied().unwrap_or_default()),
            "runs at most",
            "until a bug was seen",
        ),
        (
            median(Steps::causes),
            "faults and lies left, in the median",
            "when the run that showed a bug is shrunk",
        ),
        (
            median(|steps| steps.calls),
            "calls left, in the median",
            "of the same runs",
        ),
    ])
}

/// The canaries by the invariants that saw them.
fn grid(all: &[Canaried]) -> Markup {
    let invariants = columns(all);
    html! {
        section {
            h2 { "Which invariant saw which bug" }
            div.scroll {
                table.numbers.grid {
                    thead {
                        tr {
                            th { "bug" }
                            @for name in &invariants { th.turned title=(meaning(name)) { span { (name) } } }
                            th { "runs" } th { "faults + lies" } th { "calls" } th { "time" }
                        }
                    }
                    tbody { @for one in all { (row(one, &invariants)) } }
                }
            }
            p.note {
                b { "●" } " was expected to see the bug, and did. " b { "◦" } " broke in the same run, as a consequence. "
                b { "?" } " could have seen the bug, and did not in that run: where several invariants could see it, one is \
                 enough."
            }
            p.note {
                b { "Runs" } ": how many it took until the bug was seen; each is another campaign or seed. "
                b { "Faults + lies" } " and " b { "calls" } ": what happened in that run → what is left of it after shrinking, \
                 with the same invariant still seeing the bug. 0: calls alone show it. ≤: the runs for shrinking were used up, \
                 so that more might go. " b { "Time" } ": real seconds, for finding and shrinking."
            }
        }
    }
}

/// The invariants in their usual order, then whatever else broke: a panic.
fn columns(all: &[Canaried]) -> Vec<&str> {
    let known = KNOWN.iter().map(|(name, _)| *name);
    let others: BTreeSet<&str> = all
        .iter()
        .filter_map(|one| one.caught.as_ref())
        .flat_map(|caught| &caught.invariants)
        .map(String::as_str)
        .filter(|name| KNOWN.iter().all(|(known, _)| known != name))
        .collect();
    known.chain(others).collect()
}

fn row(one: &Canaried, invariants: &[&str]) -> Markup {
    html! {
        tr.missed[one.caught.is_none()] {
            td.name title=(one.about) { (one.canary) }
            @for name in invariants { (mark(one, name)) }
            td { (count(one.runs)) }
            td { (sizes(one, Steps::causes)) }
            td { (sizes(one, |steps| steps.calls)) }
            td { (seconds(one.seconds())) }
        }
    }
}

/// What one invariant has to do with one bug.
fn mark(one: &Canaried, invariant: &str) -> Markup {
    let is_expected = one.expected.iter().any(|expected| expected == invariant);
    let broke = |caught: &Caught| caught.invariants.iter().any(|broken| broken == invariant);
    let has_broken = one.caught.as_ref().is_some_and(broke);
    let sign = match (is_expected, has_broken) {
        (true, true) => "●",
        (true, false) => "?",
        (false, true) => "◦",
        (false, false) => "",
    };
    html! { td.mark.saw[is_expected && has_broken] { (sign) } }
}

fn sizes(one: &Canaried, size: fn(&Steps) -> u64) -> Markup {
    let Some(caught) = &one.caught else {
        return html! { "–" };
    };
    html! {
        (count(size(&caught.steps)))
        @if let Some(left) = &caught.left {
            " → "
            @if !left.is_minimal && size(&left.steps) > 0 { "≤ " }
            b { (count(size(&left.steps))) }
        }
    }
}

/// What each bug is, and what was said about it.
fn details(all: &[Canaried]) -> Markup {
    html! {
        section {
            h2 { "What each bug is, and what was seen of it" }
            @for one in all {
                details {
                    summary { b { (one.canary) } ": " (one.about) }
                    @match &one.caught {
                        None => p {
                            "Nothing saw it in " (counted(one.runs, "run")) ". It should break " (one.expected.join(" or ")) "."
                        },
                        Some(caught) => (seen(caught)),
                    }
                }
            }
        }
    }
}

fn seen(caught: &Caught) -> Markup {
    html! {
        p.where { (caught.campaign) ", seed " (caught.seed) ", at " (millis(caught.at_ms as f64)) " simulated" }
        p { b { (caught.by) } ": " (caught.detail) }
        @if let Some(left) = &caught.left {
            p {
                "Left after " (counted(left.runs.into(), "run")) ": "
                (count(left.steps.faults)) " of " (counted(caught.steps.faults, "fault")) ", "
                (count(left.steps.lies)) " of " (counted(caught.steps.lies, "lie")) ", "
                (count(left.steps.calls)) " of " (counted(caught.steps.calls, "call")) "."
                @if let Some(file) = &left.file { " Replay: " code { "cargo chaos replay " (file) } }
            }
        }
    }
}
