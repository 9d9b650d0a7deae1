//! The page's frame, in reading order.

use dske_report::{beside, frame, text::escape};

use super::changes::{self, Before};
use super::{boundary, campaign, effects, growth, overview, uncovered, verdict::judge};
use crate::summary::Resilience;

/// The whole report as one HTML page that loads nothing. The same summary after the same one gives the same bytes.
#[must_use]
pub fn html(summary: &Resilience, before: &Before) -> String {
    let verdict = judge(summary);
    let campaigns: String = summary
        .campaigns
        .iter()
        .enumerate()
        .map(|(i, c)| campaign::section(i, c))
        .collect();
    let body = format!(
        r#"{banner}
{broken}
{numbers}
{contents}
{invariants}
{beside}
{boundary}
{effects}
{growth}
{changes}
{uncovered}
{campaigns}
{footer}"#,
        banner = overview::banner(summary, &verdict),
        broken = overview::broken(summary, &verdict),
        numbers = overview::numbers(summary),
        contents = overview::contents(summary),
        invariants = overview::invariants(summary),
        beside = beside::hints().0,
        boundary = boundary::section(summary),
        growth = growth::section(summary),
        effects = effects::section(summary),
        changes = changes::section(summary, before),
        uncovered = uncovered::section(),
        footer = footer(summary),
    );
    frame("DSKE resilience report", &maud::PreEscaped(body)).0
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
{command}<p class="digest">dske {version}</p></footer>"#,
        version = escape(&summary.version),
    )
}
