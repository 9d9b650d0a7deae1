//! Memory of a hub that holds many shares.

use dske_report::Section;
use dske_report::Table;
use dske_report::plot::{Axis, Chart, Scale, Series};
use dske_report::statistics::Spread;
use dske_report::text::count;
use maud::{Markup, html};

use super::details;
use crate::measure::words::{median, number};
use crate::throughput::data::{Held, Throughput};
use crate::throughput::plan::SHARES;
use crate::throughput::targets::Figures;

/// The section; empty where nothing was measured.
pub(super) fn section(data: &Throughput) -> Markup {
    let Some(last) = data.memory.last() else {
        return html! {};
    };
    let point = |held: &Held| {
        let mib = held.rss_bytes as f64 / f64::from(1 << 20);
        Some((held.shares as f64, Spread::of([mib])?))
    };
    let chart = Chart {
        title: "Memory of one hub",
        x: Axis::linear("thousand shares held", last.shares as f64, |n| {
            count((n / 1e3) as u64)
        }),
        unit: "MiB resident",
        scale: Scale::Linear,
        value: number,
        height: 260,
        series: vec![Series {
            name: "memory".to_owned(),
            points: data.memory.iter().filter_map(point).collect(),
        }],
    };
    Section {
        id: "memory",
        title: "Memory of a hub that holds many shares",
        lead: html! {
            "Keys of 256 bits are established, 128 in a call, and nobody fetches them. In the end the hub held " (count(last.shares))
            " shares."
            @if last.shares < SHARES { " The time was over before it held " (count(SHARES)) "." }
        },
        legend: html! {},
        panels: chart.draw(),
        caption: html! {
            b { "What to see:" } " the slope. Each share takes " (median(Figures::of(data).bytes_per_share, "bytes")) " with all that \
             belongs to it, of which 80 are the share itself. Where the line is straight, that does not change as the store grows; \
             steps are where a table grows."
        },
        tables: details(Table::of("memory", &data.memory)),
    }
    .html()
}
