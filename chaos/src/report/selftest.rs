//! The page of a self-test: which invariant saw which bug.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dske_report::frame;
use dske_report::text::{count, counted, escape, millis, seconds};
use dske_report::{ReportError, beside, replace, write_json};

use super::invariants::{KNOWN, meaning};
use crate::campaign::VERSION;
use crate::selftest::{Canaried, Caught, Steps, median_left};

/// Writes `selftest.json` and `selftest.html`; gives the path of the page.
///
/// # Errors
/// If they cannot be written.
pub fn write_selftest(out: &Path, all: &[Canaried]) -> Result<PathBuf, ReportError> {
    write_json(&out.join("selftest.json"), &all)?;
    let page = out.join(beside::SELFTEST.file);
    replace(&page, &html(all))?;
    beside::link(out)?;
    Ok(page)
}

/// The page. The same canaries give the same bytes.
fn html(all: &[Canaried]) -> String {
    let body = [banner(all), numbers(all), grid(all), details(all)].concat();
    frame("DSKE self-test", &maud::PreEscaped(body)).0
}

fn banner(all: &[Canaried]) -> String {
    let missed: Vec<&Canaried> = all.iter().filter(|one| one.caught.is_none()).collect();
    let (class, sign, headline) = match missed.len() {
        0 => (
            "held",
            "✓",
            format!("Seen: all of {}", counted(all.len() as u64, "planted bug")),
        ),
        n => (
            "broken",
            "✗",
            format!(
                "Not seen: {n} of {}",
                counted(all.len() as u64, "planted bug")
            ),
        ),
    };
    let names: Vec<String> = missed
        .iter()
        .map(|one| format!("<b>{}</b>", escape(&one.canary)))
        .collect();
    let hole = if missed.is_empty() {
        String::new()
    } else {
        format!(
            "<p>No invariant sees {}: a hole in the checks.</p>",
            names.join(", ")
        )
    };
    format!(
        r#"<header class="verdict {class}"><p class="kicker">DSKE self-test · dske {VERSION}</p>
<h1><span class="sign" aria-hidden="true">{sign}</span> {headline}</h1>
<p>That campaigns hold says something only if they would break on a broken system. So bugs, <b>canaries</b>, are planted in the
nodes one at a time, and campaigns are run until an invariant that the bug breaks has seen it.</p>{hole}</header>"#,
    )
}

fn numbers(all: &[Canaried]) -> String {
    let mut runs: Vec<u64> = all.iter().map(|one| one.runs).collect();
    runs.sort_unstable();
    let median = |size| median_left(all, size).map_or_else(|| "–".to_owned(), count);
    let cards = [
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
    ];
    let cards: String = cards
        .iter()
        .map(|(value, name, about)| {
            format!(r#"<div><dd>{value}</dd><dt><b>{name}</b> {about}</dt></div>"#)
        })
        .collect();
    format!(r#"<dl class="numbers">{cards}</dl>"#)
}

/// The canaries by the invariants that saw them.
fn grid(all: &[Canaried]) -> String {
    let invariants = columns(all);
    let head: String = invariants
        .iter()
        .map(|name| {
            format!(
                r#"<th class="turned" title="{}"><span>{}</span></th>"#,
                meaning(name),
                escape(name)
            )
        })
        .collect();
    let rows: String = all.iter().map(|one| row(one, &invariants)).collect();
    format!(
        r#"<section><h2>Which invariant saw which bug</h2><div class="scroll"><table class="numbers grid"><thead><tr><th>bug</th>{head}<th>runs</th><th>faults + lies</th><th>calls</th><th>time</th></tr></thead><tbody>
{rows}</tbody></table></div>
<p class="note"><b>●</b> has to see the bug, and did. <b>◦</b> broke in the same run, as a consequence. <b>?</b> could have seen it, and
did not in that run: where several have to see a bug, one is enough.</p>
<p class="note"><b>Runs</b>: how many it took until the bug was seen; each is another campaign or seed. <b>Faults + lies</b> and <b>calls</b>: what
happened in that run → what is left of it when it is shrunk for as long as the same invariant sees the bug. 0: calls alone show it.
≤: the runs for shrinking were used up, and more might go. <b>Time</b>: real seconds, for finding and shrinking.</p></section>"#
    )
}

/// The invariants in their usual order, and what else broke: a panic.
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

fn row(one: &Canaried, invariants: &[&str]) -> String {
    let cells: String = invariants
        .iter()
        .map(|name| {
            let is_expected = one.expected.iter().any(|expected| expected == name);
            let broke = |caught: &Caught| caught.invariants.iter().any(|broken| broken == name);
            let (class, sign) = match (is_expected, one.caught.as_ref().is_some_and(broke)) {
                (true, true) => ("saw", "●"),
                (true, false) => ("", "?"),
                (false, true) => ("", "◦"),
                (false, false) => ("", ""),
            };
            format!(r#"<td class="mark {class}">{sign}</td>"#)
        })
        .collect();
    let class = if one.caught.is_none() { "missed" } else { "" };
    format!(
        r#"<tr class="{class}"><td class="name" title="{}">{}</td>{cells}<td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>
"#,
        escape(&one.about),
        escape(&one.canary),
        count(one.runs),
        sizes(one, Steps::causes),
        sizes(one, |steps| steps.calls),
        seconds(one.seconds()),
    )
}

fn sizes(one: &Canaried, size: fn(&Steps) -> u64) -> String {
    let Some(caught) = &one.caught else {
        return "–".to_owned();
    };
    let before = count(size(&caught.steps));
    match &caught.left {
        None => before,
        Some(left) => {
            let after = size(&left.steps);
            let more = if left.is_minimal || after == 0 {
                ""
            } else {
                "≤ "
            };
            format!("{before} → {more}<b>{}</b>", count(after))
        }
    }
}

/// What each bug is, and what was said about it.
fn details(all: &[Canaried]) -> String {
    let entries: String = all.iter().map(detail).collect();
    format!("<section><h2>What each bug is, and what was seen of it</h2>{entries}</section>")
}

fn detail(one: &Canaried) -> String {
    let seen = match &one.caught {
        None => format!(
            "<p>Nothing saw it in {}. It should break {}.</p>",
            counted(one.runs, "run"),
            escape(&one.expected.join(" or "))
        ),
        Some(caught) => format!(
            r#"<p class="where">{}, seed {}, at {} simulated</p><p><b>{}</b>: {}</p>{}"#,
            escape(&caught.campaign),
            caught.seed,
            millis(caught.at_ms as f64),
            escape(&caught.by),
            escape(&caught.detail),
            left(caught),
        ),
    };
    format!(
        r#"<details><summary><b>{}</b>: {}</summary>{seen}</details>
"#,
        escape(&one.canary),
        escape(&one.about),
    )
}

fn left(caught: &Caught) -> String {
    let Some(left) = &caught.left else {
        return String::new();
    };
    let (before, after) = (caught.steps, left.steps);
    let file = left.file.as_ref().map_or_else(String::new, |file| {
        format!(" Replay: <code>cargo chaos replay {}</code>", escape(file))
    });
    format!(
        "<p>Left after {}: {} of {}, {} of {}, {} of {}.{file}</p>",
        counted(left.runs.into(), "run"),
        count(after.faults),
        counted(before.faults, "fault"),
        count(after.lies),
        counted(before.lies, "lie"),
        count(after.calls),
        counted(before.calls, "call"),
    )
}
