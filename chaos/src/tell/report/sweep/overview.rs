//! The page of a sweep as a whole, in reading order.

use dske_report::text::{count, counted, seconds};
use dske_report::{Banner, Tone, footer, frame};
use maud::{Markup, html};

use super::super::violation::article;
use super::summary::summary;
use super::{collusion, cost, latency, map, psrd, recovery, wan};
use crate::explore::sweep::Sweep;

/// Violations that are shown before the rest is only counted.
const MOST_SHOWN: usize = 5;

/// The whole report as one HTML page that loads nothing. The same sweep gives the same bytes, except for the real time.
#[must_use]
pub fn page(sweep: &Sweep) -> String {
    let body = html! {
        (banner(sweep))
        (broken(sweep))
        (map::section(sweep))
        (collusion::section(sweep))
        (latency::section(sweep))
        (wan::section(sweep))
        (recovery::section(sweep))
        (psrd::section(sweep))
        (cost::section(sweep))
        (how_to_read(sweep))
    };
    frame("DSKE sweep: how far it goes", &body).into_string()
}

fn banner(sweep: &Sweep) -> Markup {
    let broken = sweep.violations.len() as u64;
    let (tone, headline) = match (broken, sweep.runs) {
        (_, 0) => (Tone::Unknown, html! { "Nothing was measured" }),
        (0, _) => (Tone::Held, html! { "How far it goes, and nothing broke" }),
        (n, _) => (
            Tone::Broken,
            html! { (counted(n, "broken invariant")) " on the way" },
        ),
    };
    Banner {
        tone,
        kicker: html! { "DSKE sweep · dske " (sweep.version) " · " a href="index.html" { "back to the campaigns" } },
        headline,
        details: html! { ul { @for line in summary(sweep) { li { (line) } } } },
    }
    .html()
}

fn broken(sweep: &Sweep) -> Markup {
    if sweep.violations.is_empty() {
        return html! {};
    }
    let more = sweep.violations.len().saturating_sub(MOST_SHOWN) as u64;
    html! {
        section #broken {
            h2 { "What broke" }
            @for violation in sweep.violations.iter().take(MOST_SHOWN) {
                (article(&html! { (violation.part) ": " (violation.invariant) }, &html! {
                    p.where { "seed " (violation.seed) ", at " (count(violation.at_ms)) " ms simulated" }
                    p { (violation.detail) }
                    p { "Replay: " code { "cargo chaos replay " (violation.file) " --trace" } }
                }))
            }
            @if more > 0 { p { "… and " (count(more)) " more." } }
        }
    }
}

fn how_to_read(sweep: &Sweep) -> Markup {
    let explanation = html! {
        p {
            "A sweep makes the same experiment again and again and changes one thing at a time. The nodes run their production \
             code on a simulated network in simulated time. An observer outside of them judged all invariants on each of "
            (count(sweep.runs)) " runs (" (seconds(sweep.simulated_seconds)) " simulated, " (seconds(sweep.wall_seconds))
            " real). Times are those of the model: no time passes for computing, and none for queues in routers. Rates come \
             with 95 % confidence (Wilson). " b { "p50" } " is the median. " b { "p99" } " is what 99 of 100 keys stay below, \
             by nearest rank: always a value that was measured."
        }
        p {
            "All numbers are in " code { "sweep.json" } ", and those of each figure in a CSV file in the directory "
            code { "sweep" } ", beside this page. " code { "docs/sweep.md" } " says how each figure is made, and what each \
             field means."
        }
    };
    let origin = html! { "dske " (sweep.version) " · digest of all runs " (sweep.digest) };
    footer(&explanation, &sweep.command, &origin)
}
