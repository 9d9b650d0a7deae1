//! Actors in one process beside processes over HTTP.

use dske_report::Section;
use dske_report::canvas::Ink;
use maud::{Markup, html};

use super::words::concurrency;
use super::{Comparison, runs_of};
use crate::measure::words::number;
use crate::throughput::condition::Subject;
use crate::throughput::data::{Measured, Throughput};
use crate::throughput::plan::Part;

/// The section; empty where nothing was measured.
pub(super) fn section(data: &Throughput) -> Markup {
    let all: Vec<&Measured> = data.of(Part::Actors).collect();
    if all.is_empty() {
        return html! {};
    }
    let rates = Comparison {
        title: "Keys a second",
        value: number,
        figure: |run| run.keys_per_s,
        heading: |condition| format!("concurrency {}", concurrency(condition)),
        name: |condition| condition.subject.words(),
        ink: |condition| match condition.subject {
            Subject::Processes => Ink::Down,
            Subject::Actors | Subject::BareRoute => Ink::Lying,
        },
    };
    let latencies = Comparison {
        title: "Median latency of both calls",
        value: |ms| format!("{} ms", number(ms)),
        figure: |run| run.p50_ms,
        ..rates
    };
    Section {
        id: "actors",
        title: "Actors in one process beside processes over HTTP",
        lead: html! {
            "The same nodes as actors in this process, called without HTTP: all of them and the caller share one thread. One key of \
             256 bits in each call, N = 5, K = 3."
        },
        legend: html! {},
        panels: html! { (rates.draw(&all)) (latencies.draw(&all)) },
        caption: html! {
            b { "What to see:" } " what remains without the network. Actors use one core and the processes use both, so the difference \
             is smaller than the cost of HTTP and the kernel."
        },
        tables: runs_of(data, Part::Actors),
    }
    .html()
}
