//! The page's frame, in reading order.

use super::{boundary, campaign, overview, text::escape, verdict::judge};
use crate::summary::Resilience;

/// The whole report as one HTML page that loads nothing. The same summary gives the same bytes.
#[must_use]
pub fn html(summary: &Resilience) -> String {
    let verdict = judge(summary);
    let campaigns: String = summary
        .campaigns
        .iter()
        .enumerate()
        .map(|(i, c)| campaign::section(i, c))
        .collect();
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>DSKE resilience report</title>
<style>{style}</style></head><body><main>
{banner}
{room_for_sweep}
{broken}
{numbers}
{contents}
{invariants}
{boundary}
{campaigns}
{footer}
</main></body></html>
"#,
        style = include_str!("style.css"),
        banner = overview::banner(summary, &verdict),
        room_for_sweep = super::write::ROOM_FOR_SWEEP,
        broken = overview::broken(summary, &verdict),
        numbers = overview::numbers(summary),
        contents = overview::contents(summary),
        invariants = overview::invariants(summary),
        boundary = boundary::section(summary),
        footer = footer(summary),
    )
}

fn footer(summary: &Resilience) -> String {
    let command = if summary.command.is_empty() {
        String::new()
    } else {
        format!(
            "<p>The same numbers again: <code>{}</code></p>",
            escape(&summary.command)
        )
    };
    format!(
        r#"<footer><h2>How to read this</h2>
<p>Every number comes from deterministic simulation: the production code of hubs and clients on a simulated network with
simulated time. A <b>campaign</b> describes a cluster, a workload, and faults or lies; a <b>run</b> is a campaign with a
seed, and the same seed always takes the same course. First faults and lies happen, then everything heals and recovery
is demanded. An observer outside the nodes checks the <b>invariants</b> all the while. A campaign that did not reach what
it promises is <b>weak</b>: it broke nothing, and proves less. The numbers are also in <code>resilience.json</code>,
beside this page.</p>
<h2>What is not covered</h2>
<ul>
<li>Computational side channels: timing, caches, power, memory left behind by the operating system.</li>
<li>Real networks and clocks: no congestion, no retransmission, no clock drift, no load of the machine. Latencies are those
of the model, not of hardware.</li>
<li>Real disks: persistence is tried against a simulated file system at most, never against hardware that loses or
corrupts what it confirmed.</li>
<li>The way in which pre-shared random data reaches clients and hubs, and how random it is.</li>
<li>K or more hubs that collude: they know the key by construction, and no protocol of this kind can prevent it.</li>
<li>Courses that no seed took. Simulation finds violations; that it found none is evidence, not proof.</li>
</ul>
{command}<p class="digest">dske {version}</p></footer>"#,
        version = escape(&summary.version),
    )
}
