//! The verdict, and every target.

use dske_report::statistics::Spread;
use dske_report::text::count;
use dske_report::{Tone, number_table};
use maud::{Markup, html};

use crate::measure::report;
use crate::measure::words::{median, number, range};
use crate::throughput::data::{Measured, Throughput};
use crate::throughput::targets::{Figures, Standing, Target, targets};

/// Failures that are shown; the rest is only counted.
const FAILURES_SHOWN: usize = 6;

/// The verdict, and the main figures.
pub(super) fn banner(data: &Throughput) -> Markup {
    let all = targets(data);
    let count_of = |standing| all.iter().filter(|t| t.standing() == standing).count();
    let (reached, missed) = (count_of(Standing::Reached), count_of(Standing::Missed));
    let figures = Figures::of(data);
    let tone = match (reached, missed) {
        (0, 0) => Tone::Unknown,
        (_, 0) => Tone::Held,
        _ => Tone::Weak,
    };
    let headline = html! {
        @if let Some(rate) = figures.keys_per_s { (number(rate.median)) " keys a second over real HTTP" }
        @else { "What was measured" }
    };
    let details = html! {
        p {
            @if reached + missed == 0 { "None of the figures with targets was measured." }
            @else { (reached) " of " (reached + missed) " targets that were measured are reached." }
        }
    };
    html! {
        (report::banner("DSKE throughput", &data.provenance, tone, headline, details))
        (main_figures(&figures))
    }
}

fn main_figures(figures: &Figures) -> Markup {
    let tiles: [(Option<Spread>, &str, &str); 4] = [
        (
            figures.keys_per_s,
            "keys/s",
            "one key per call, concurrency 32",
        ),
        (
            figures.alone_ms,
            "ms",
            "for a key at concurrency 1, both calls",
        ),
        (
            figures.share_of_bare,
            "%",
            "of what a bare HTTP route allows",
        ),
        (
            figures.bulk_mbit_per_s,
            "Mbit/s",
            "of key, in keys of 1 Mbit",
        ),
    ];
    html! {
        dl.numbers {
            @for (figure, unit, meaning) in tiles {
                div { dd { (median(figure, unit)) } dt { (meaning) br; (range(figure)) } }
            }
        }
    }
}

/// Every target with its verdict.
pub(super) fn targets_table(data: &Throughput) -> Markup {
    let heads = html! {
        th { "target" } th.words { "verdict" } th { "measured" } th { "target value" } th.words { "least to most" }
    };
    let rows = html! { @for target in targets(data) { (row(&target)) } };
    html! {
        section id="targets" {
            h2 { "Every target" }
            (number_table(&heads, &rows))
            p.note {
                "Measured is the median; the verdict says by what factor the target is reached or missed. All on one machine: "
                (data.provenance.machine.words()) "."
            }
        }
    }
}

fn row(target: &Target) -> Markup {
    let (class, verdict) = match target.standing() {
        Standing::Reached => ("held", "reached"),
        Standing::Missed => ("weak", "missed"),
        Standing::Unknown => ("", "not measured"),
    };
    // Above 1 also where the target is missed: the verdict says in which direction.
    let factor = target.factor().map(|factor| factor.max(1.0 / factor));
    html! {
        tr {
            td.name { (target.name) }
            td.words {
                span.tag.(class) { (verdict) @if let Some(factor) = factor { " " (number(factor)) " ×" } }
            }
            td { (median(target.figure, target.unit)) }
            td { (if target.more_is_better { "over" } else { "under" }) " " (number(target.aim)) " " (target.unit) }
            td.words { (range(target.figure)) }
        }
    }
}

/// Operations that failed, if any did.
pub(super) fn failures(data: &Throughput) -> Markup {
    let errors = |m: &Measured| m.runs.iter().map(|run| run.errors).sum::<u64>();
    let failed: Vec<&Measured> = data.measured.iter().filter(|m| errors(m) > 0).collect();
    if failed.is_empty() {
        return html! {};
    }
    html! {
        div.box.weak {
            h3 { "Not every operation succeeded" }
            ul {
                @for m in failed.iter().take(FAILURES_SHOWN) {
                    @let first = m.runs.iter().find_map(|run| run.first_error.as_deref());
                    li {
                        (m.part.name()) ", " (m.condition) ": " (count(errors(m))) " operations failed; the first: "
                        (first.unwrap_or("no reason was reported"))
                    }
                }
                @if failed.len() > FAILURES_SHOWN {
                    li { "… and under " (failed.len() - FAILURES_SHOWN) " more conditions" }
                }
            }
        }
    }
}
