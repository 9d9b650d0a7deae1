//! One hub stopped, or slow.

use dske_report::Section;
use dske_report::canvas::Ink;
use maud::{Markup, html};

use super::words::concurrency;
use super::{Comparison, runs_of};
use crate::measure::words::{median, number, range};
use crate::throughput::condition::Trouble;
use crate::throughput::data::{Measured, Throughput};
use crate::throughput::lab::SLOW_BY_MS;
use crate::throughput::plan::Part;
use crate::throughput::targets::Figures;

/// The section; empty where nothing was measured.
pub(super) fn section(data: &Throughput) -> Markup {
    let all: Vec<&Measured> = data.of(Part::Trouble).collect();
    if all.is_empty() {
        return html! {};
    }
    let latencies = Comparison {
        title: "Median latency of both calls",
        value: |ms| format!("{} ms", number(ms)),
        figure: |run| run.p50_ms,
        heading: |condition| format!("concurrency {}", concurrency(condition)),
        name: |condition| condition.trouble.words(),
        ink: |condition| match condition.trouble {
            Trouble::None => Ink::Down,
            Trouble::Stopped => Ink::Lying,
            Trouble::Slow => Ink::Blame,
        },
    };
    let rates = Comparison {
        title: "Keys a second",
        value: number,
        figure: |run| run.keys_per_s,
        ..latencies
    };
    let Figures { stopped, slow, .. } = Figures::of(data);
    Section {
        id: "trouble",
        title: "One hub stopped, or slow",
        lead: html! {
            "Three clusters side by side, measured in turn. Once all were healthy, the first hub of one cluster was killed. At the \
             first hub of another everything arrives " (SLOW_BY_MS as f64 / 1e3) " s late from then on, through a proxy in front of \
             it. All other settings are the defaults: any 3 of 5 hubs suffice."
        },
        legend: html! {},
        panels: html! { (latencies.draw(&all)) (rates.draw(&all)) },
        caption: html! {
            "Bars are medians, whiskers reach to the most. " b { "What to see:" } " whether clients wait for a hub that they do not \
             need. The worst of both concurrencies: stopped " (median(stopped, "times")) " (" (range(stopped)) "), slow "
            (median(slow, "times")) " (" (range(slow)) ") the undisturbed median."
        },
        tables: runs_of(data, Part::Trouble),
    }
    .html()
}
