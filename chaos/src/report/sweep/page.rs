//! The page's frame, in reading order.

use dske_report::frame;
use dske_report::text::{count, counted, escape, seconds};

use super::summary::summary;
use super::{collusion, cost, latency, map, psrd, recovery, wan};
use crate::sweep::{Sweep, Violation};

/// Violations that are shown before the rest is only counted.
const MOST_SHOWN: usize = 5;

/// The whole report as one HTML page that loads nothing. The same sweep gives the same bytes, but for the real time.
#[must_use]
pub fn html(sweep: &Sweep) -> String {
    let body = format!(
        r#"{banner}
{broken}
{map}
{collusion}
{latency}
{wan}
{recovery}
{psrd}
{cost}
{footer}"#,
        banner = banner(sweep),
        broken = broken(sweep),
        map = map::section(sweep),
        collusion = collusion::section(sweep),
        latency = latency::section(sweep),
        wan = wan::section(sweep),
        recovery = recovery::section(sweep),
        psrd = psrd::section(sweep),
        cost = cost::section(sweep),
        footer = footer(sweep),
    );
    frame("DSKE sweep: how far it goes", &maud::PreEscaped(body)).0
}

fn banner(sweep: &Sweep) -> String {
    let (class, sign, headline) = match (sweep.violations.len(), sweep.runs) {
        (_, 0) => ("weak", "?", "Nothing was measured".to_owned()),
        (0, _) => ("held", "✓", "How far it goes, and nothing broke".to_owned()),
        (n, _) => {
            let broken = counted(n as u64, "broken invariant");
            ("broken", "✗", format!("{broken} on the way"))
        }
    };
    let lines: String = summary(sweep)
        .iter()
        .map(|line| format!("<li>{}</li>", escape(line)))
        .collect();
    format!(
        r#"<header class="verdict {class}"><p class="kicker">DSKE sweep · dske {version} · <a href="index.html">back to the
campaigns</a></p>
<h1><span class="sign" aria-hidden="true">{sign}</span> {headline}</h1>
<ul>{lines}</ul></header>"#,
        version = escape(&sweep.version),
    )
}

fn broken(sweep: &Sweep) -> String {
    if sweep.violations.is_empty() {
        return String::new();
    }
    let entry = |violation: &Violation| {
        format!(
            r#"<article class="violation"><h3>{}: {}</h3><p class="where">seed {}, at {} ms simulated</p><p>{}</p>
<p>Replay: <code>cargo chaos replay {} --trace</code></p></article>"#,
            escape(&violation.part),
            escape(&violation.invariant),
            violation.seed,
            count(violation.at_ms),
            escape(&violation.detail),
            escape(&violation.file),
        )
    };
    let entries: String = sweep
        .violations
        .iter()
        .take(MOST_SHOWN)
        .map(entry)
        .collect();
    let more = match sweep.violations.len().saturating_sub(MOST_SHOWN) {
        0 => String::new(),
        more => format!("<p>… and {} more.</p>", count(more as u64)),
    };
    format!(r#"<section id="broken"><h2>What broke</h2>{entries}{more}</section>"#)
}

fn footer(sweep: &Sweep) -> String {
    format!(
        r#"<footer><h2>How to read this</h2>
<p>A sweep makes the same experiment again and again and changes one thing at a time. The nodes run their production code on
a simulated network in simulated time; an observer outside of them judged all invariants on each of {runs} runs ({simulated}
simulated, {wall} real). Times are those of the model: no time passes for computing, and none for queues in routers. Rates
come with 95 % confidence (Wilson). <b>p50</b> is the median; <b>p99</b> is what 99 of 100 keys keep below, by nearest rank:
always a value that was measured.</p>
<p>All numbers are in <code>sweep.json</code>, and each figure's in a CSV file in the directory <code>sweep</code>, beside this
page. How each figure is made, and what each field means, is in <code>docs/sweep.md</code>.</p>
<p>The same numbers again: <code>{command}</code></p>
<p class="digest">dske {version} · digest of all runs {digest}</p></footer>"#,
        runs = count(sweep.runs),
        simulated = seconds(sweep.simulated_seconds),
        wall = seconds(sweep.wall_seconds),
        command = escape(&sweep.command),
        version = escape(&sweep.version),
        digest = escape(&sweep.digest),
    )
}
