//! The figures that have targets, beside the bare route.

use dske_report::Section;
use dske_report::bars;
use dske_report::canvas::Ink;
use maud::{Markup, html};

use super::words::{concurrency, keys_asked_for};
use super::{Comparison, runs_of};
use crate::measure::words::{median, number};
use crate::throughput::condition::{Condition, Subject};
use crate::throughput::data::{Measured, Throughput};
use crate::throughput::plan::{BASE, Part};
use crate::throughput::targets::Figures;

/// The section; empty where nothing was measured.
pub(super) fn section(data: &Throughput) -> Markup {
    let all: Vec<&Measured> = data.of(Part::Limit).collect();
    let Some(first) = all.first() else {
        return html! {};
    };
    let asks_for_one_key = |m: &&Measured| {
        let Condition {
            keys_per_call,
            size_bits,
            ..
        } = m.condition;
        (keys_per_call, size_bits) == (BASE.keys_per_call, BASE.size_bits)
    };
    let (single, bulk): (Vec<&Measured>, Vec<&Measured>) =
        all.iter().partition(|m| asks_for_one_key(m));
    let rates = Comparison {
        title: "One key per call: keys a second",
        value: number,
        figure: |run| run.keys_per_s,
        heading: |condition| format!("concurrency {}", concurrency(condition)),
        name: |condition| condition.subject.words(),
        ink: |condition| match condition.subject {
            Subject::BareRoute => Ink::Lying,
            Subject::Processes | Subject::Actors => Ink::Down,
        },
    };
    let bulk_rates = Comparison {
        title: "Bulk: Mbit of key a second",
        figure: |run| run.mbit_per_s,
        heading: keys_asked_for,
        ..rates
    };
    Section {
        id: "limit",
        title: "How near to the limit",
        lead: html! {
            "A key takes two requests of its SAEs, whatever happens behind them. So no protocol could be faster here than a bare \
             actix-web route that answers with a key container of the same size and does nothing for it: one process, one worker, \
             asked twice for a key by the same HTTP client. Bare and real were measured in turn."
        },
        legend: bars::legend(&[("real", Ink::Down), ("bare route", Ink::Lying)]),
        panels: html! {
            (rates.draw(&single))
            @if !bulk.is_empty() { (bulk_rates.draw(&bulk)) }
        },
        caption: html! {
            "Bars are medians, whiskers reach to the most. " b { "What to see:" } " the real cluster reaches "
            (median(Figures::of(data).share_of_bare, "%")) " of the bare route at concurrency 32. Besides the two requests, each of its \
             keys takes " (2 * u32::from(first.condition.hubs)) " requests to hubs, on the same two cores."
        },
        tables: runs_of(data, Part::Limit),
    }
    .html()
}
