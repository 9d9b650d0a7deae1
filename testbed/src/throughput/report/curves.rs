//! Figures against one thing that varies.

use dske_report::Section;
use dske_report::plot::{Axis, Chart, Scale, Series};
use dske_report::text::{millis, short};
use maud::{Markup, html};

use super::runs_of;
use super::words::{bits, concurrency};
use crate::measure::words::number;
use crate::throughput::condition::Condition;
use crate::throughput::data::{Measured, Run, Throughput};
use crate::throughput::plan::{BULK_CONCURRENCY, Part};

/// The name of a series, and its figure.
type Figure = (&'static str, fn(&Run) -> f64);

/// Figures that share a chart.
struct Panel {
    title: &'static str,
    unit: &'static str,
    scale: Scale,
    value: fn(f64) -> String,
    figures: &'static [Figure],
}

/// What varies in a part, and what the page says about it.
struct Varied {
    part: Part,
    label: &'static str,
    value: fn(&Condition) -> String,
    panels: [Panel; 2],
    title: &'static str,
    lead: String,
    /// What to see.
    lesson: &'static str,
}

const KEYS_PER_S: &[Figure] = &[("keys a second", |run| run.keys_per_s)];
const MBIT_PER_S: &[Figure] = &[("Mbit of key a second", |run| run.mbit_per_s)];
const LATENCIES: &[Figure] = &[
    ("median", |run| run.p50_ms),
    ("99th percentile", |run| run.p99_ms),
];
const CPU: &[Figure] = &[
    ("all hubs", |run| {
        run.hubs_cpu_us_per_key.unwrap_or(f64::NAN)
    }),
    ("both clients", |run| {
        run.clients_cpu_us_per_key.unwrap_or(f64::NAN)
    }),
];

fn whole(value: f64) -> String {
    short(value.max(0.0).round() as u64)
}

const fn rate(scale: Scale) -> Panel {
    Panel {
        title: "Keys a second",
        unit: "keys/s",
        scale,
        value: whole,
        figures: KEYS_PER_S,
    }
}

const fn latency(title: &'static str) -> Panel {
    Panel {
        title,
        unit: "ms, both calls",
        scale: Scale::Log,
        value: millis,
        figures: LATENCIES,
    }
}

pub(super) fn against_concurrency(data: &Throughput) -> Markup {
    Varied {
        part: Part::Concurrency,
        label: "operations in flight",
        value: concurrency,
        panels: [rate(Scale::Linear), latency("Latency of a key")],
        title: "Keys a second against concurrency",
        lead: "One key of 256 bits in each call, N = 5, K = 3, one pair of SAEs. An operation is both calls: the master gets a key, \
               the slave gets the same key by its ID, and both are compared."
            .to_owned(),
        lesson: "the rate climbs until both cores are busy. Beyond that, further operations only wait for each other, and the \
                 latency of each grows in proportion.",
    }
    .section(data)
}

pub(super) fn against_keys_per_call(data: &Throughput) -> Markup {
    Varied {
        part: Part::KeysPerCall,
        label: "keys in one call",
        value: |condition| condition.keys_per_call.to_string(),
        panels: [rate(Scale::Log), latency("Latency of both calls")],
        title: "Against keys in one call",
        lead: format!("Keys of 256 bits; {BULK_CONCURRENCY} operations in flight."),
        lesson: "a call costs the same messages however many keys it asks for, so many keys at once are cheaper. Where the curve \
                 bends, the work for each key (sharing, PSRD, encoding) outweighs that for the messages.",
    }
    .section(data)
}

pub(super) fn against_clusters(data: &Throughput) -> Markup {
    Varied {
        part: Part::Clusters,
        label: "hubs (N) / threshold (K)",
        value: |condition| format!("{}/{}", condition.hubs, condition.threshold),
        panels: [
            rate(Scale::Linear),
            Panel {
                title: "CPU time of a key",
                unit: "µs",
                scale: Scale::Linear,
                value: whole,
                figures: CPU,
            },
        ],
        title: "Against the number of hubs and the threshold",
        lead: "One key of 256 bits in each call, concurrency 32. Every hub is one more process on the same cores.".to_owned(),
        lesson: "CPU time grows with N, because every hub gets two messages for a key. Hubs on machines of their own would not \
                 share these cores: then only the clients' part would count.",
    }
    .section(data)
}

pub(super) fn against_key_size(data: &Throughput) -> Markup {
    Varied {
        part: Part::KeySize,
        label: "bits of a key",
        value: |condition| bits(condition.size_bits),
        panels: [
            Panel {
                title: "Mbit of key a second",
                unit: "Mbit/s",
                scale: Scale::Log,
                value: number,
                figures: MBIT_PER_S,
            },
            rate(Scale::Log),
        ],
        title: "Against the size of a key",
        lead: format!("One key in each call; {BULK_CONCURRENCY} operations in flight."),
        lesson: "small keys cost the same whatever their size. Large ones cost by the byte: N hubs share, encrypt, send, store and \
                 combine each byte, and as much PSRD has to be delivered first.",
    }
    .section(data)
}

impl Varied {
    /// The section; empty where nothing was measured.
    fn section(&self, data: &Throughput) -> Markup {
        let points: Vec<&Measured> = data.of(self.part).collect();
        if points.is_empty() {
            return html! {};
        }
        let charts = self.panels.iter().map(|panel| self.chart(panel, &points));
        let charts: Vec<(Markup, Markup)> = charts.map(|c| (c.legend(), c.draw())).collect();
        let runs = points.iter().map(|m| m.runs.len()).max().unwrap_or(0);
        Section {
            id: &self.part.name(),
            title: self.title,
            lead: html! { (self.lead) },
            legend: html! { @for (legend, _) in &charts { (legend) } },
            panels: html! { @for (_, panel) in &charts { (panel) } },
            caption: html! {
                @if runs > 1 { "Marks are medians of " (runs) " runs, whiskers reach from the least to the most. " }
                @else { "Each mark is one run. " }
                b { "What to see:" } " " (self.lesson)
            },
            tables: runs_of(data, self.part),
        }
        .html()
    }

    fn chart(&self, panel: &Panel, points: &[&Measured]) -> Chart {
        let names = points.iter().map(|m| (self.value)(&m.condition));
        let series = |(name, figure): &Figure| {
            let points = points.iter().enumerate();
            let points = points.filter_map(|(x, m)| Some((x as f64, m.spread(*figure)?)));
            Series {
                name: (*name).to_owned(),
                points: points.collect(),
            }
        };
        Chart {
            title: panel.title,
            x: Axis::names(self.label, names.collect()),
            unit: panel.unit,
            scale: panel.scale,
            value: panel.value,
            height: 280,
            series: panel.figures.iter().map(series).collect(),
        }
    }
}
