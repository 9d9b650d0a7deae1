//! Figures against one thing that is varied.

use super::words::{bits, concurrency, number};
use crate::throughput::data::{Condition, Measured, Run, Throughput};
use crate::throughput::plan::{BULK_CONCURRENCY, Part};
use crate::throughput::table;
use dske_report::Section;
use dske_report::plot::{Axis, Look, Plot, legend};
use dske_report::text::{millis, short};
use maud::PreEscaped;

/// A curve: its name, and its figure.
type Series = (&'static str, fn(&Run) -> f64);

/// A chart of one part.
struct Chart {
    title: &'static str,
    unit: &'static str,
    is_log: bool,
    name: fn(f64) -> String,
    series: &'static [Series],
}

/// A part with what varies in it.
struct Varied {
    part: Part,
    label: &'static str,
    value: fn(&Condition) -> String,
    charts: [Chart; 2],
}

const KEYS_PER_S: &[Series] = &[("keys a second", |run| run.keys_per_s)];
const MBIT_PER_S: &[Series] = &[("Mbit of key a second", |run| run.mbit_per_s)];
const LATENCIES: &[Series] = &[
    ("median", |run| run.p50_ms),
    ("99th percentile", |run| run.p99_ms),
];
const CPU: &[Series] = &[
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

const fn rate(title: &'static str, is_log: bool) -> Chart {
    Chart {
        title,
        unit: "keys/s",
        is_log,
        name: whole,
        series: KEYS_PER_S,
    }
}

const fn latency(title: &'static str) -> Chart {
    Chart {
        title,
        unit: "ms, both calls",
        is_log: true,
        name: millis,
        series: LATENCIES,
    }
}

pub(super) fn against_concurrency(data: &Throughput) -> String {
    let varied = Varied {
        part: Part::Concurrency,
        label: "operations at the same time",
        value: concurrency,
        charts: [rate("Keys a second", false), latency("What a key takes")],
    };
    varied.section(
        data,
        "Keys a second against concurrency",
        "One key of 256 bits in each call, N = 5, K = 3, one pair of SAEs. An operation is both calls: the master gets a key, the \
         slave gets the same one by its ID, and both are compared."
            .to_owned(),
        "<b>What to see:</b> the rate climbs until both cores are busy. From there on more operations only wait for each other, and \
         the time of each grows in proportion.",
    )
}

pub(super) fn against_keys_per_call(data: &Throughput) -> String {
    let varied = Varied {
        part: Part::KeysPerCall,
        label: "keys in one call",
        value: |condition| condition.keys_per_call.to_string(),
        charts: [rate("Keys a second", true), latency("What both calls take")],
    };
    varied.section(
        data,
        "Against keys in one call",
        format!("Keys of 256 bits; {BULK_CONCURRENCY} operations at the same time."),
        "<b>What to see:</b> a call costs the same messages however many keys it asks for, so keys come cheaper by the dozen. Where \
         the curve bends, each key's own work (sharing, PSRD, encoding) outweighs that of the messages.",
    )
}

pub(super) fn against_clusters(data: &Throughput) -> String {
    let varied = Varied {
        part: Part::Clusters,
        label: "hubs (N) / threshold (K)",
        value: |condition| format!("{}/{}", condition.hubs, condition.threshold),
        charts: [
            rate("Keys a second", false),
            Chart {
                title: "CPU time of a key",
                unit: "µs",
                is_log: false,
                name: whole,
                series: CPU,
            },
        ],
    };
    varied.section(
        data,
        "Against the number of hubs and the threshold",
        "One key of 256 bits in each call, concurrency 32. Every hub is one more process on the same cores.".to_owned(),
        "<b>What to see:</b> CPU time grows with N, since every hub gets two messages for a key. On machines of their own hubs would \
         not share these cores: then only the clients' part would count.",
    )
}

pub(super) fn against_key_size(data: &Throughput) -> String {
    let varied = Varied {
        part: Part::KeySize,
        label: "bits of a key",
        value: |condition| bits(condition.size_bits),
        charts: [
            Chart {
                title: "Mbit of key a second",
                unit: "Mbit/s",
                is_log: true,
                name: number,
                series: MBIT_PER_S,
            },
            rate("Keys a second", true),
        ],
    };
    varied.section(
        data,
        "Against the size of a key",
        format!("One key in each call; {BULK_CONCURRENCY} operations at the same time."),
        "<b>What to see:</b> small keys cost the same whatever their size. Large ones cost by the byte: each is shared, encrypted, \
         sent, stored and put together at N hubs, and as much PSRD has to be delivered before.",
    )
}

impl Varied {
    /// The section, or an empty string where nothing was measured.
    fn section(&self, data: &Throughput, title: &str, lead: String, caption: &str) -> String {
        let points: Vec<&Measured> = data.of(self.part).collect();
        if points.is_empty() {
            return String::new();
        }
        let legends = self.charts.iter().filter(|chart| chart.series.len() > 1);
        let legends: String = legends.map(Chart::legend).collect();
        let panels: String = self
            .charts
            .iter()
            .map(|chart| chart.draw(self, &points))
            .collect();
        let runs = points.iter().map(|m| m.runs.len()).max().unwrap_or(0);
        let spread = if runs > 1 {
            format!("Marks are medians of {runs} runs, whiskers reach from the least to the most. ")
        } else {
            "Each mark is one run. ".to_owned()
        };
        Section {
            id: &self.part.name(),
            title,
            lead: PreEscaped(lead),
            legend: PreEscaped(legends),
            panels: PreEscaped(panels),
            caption: PreEscaped(spread + caption),
            tables: PreEscaped(details(data, self.part)),
        }
        .html()
        .into_string()
    }
}

/// The rows behind a part.
pub(super) fn details(data: &Throughput, part: Part) -> String {
    let table = table::part(data, part);
    table.map_or_else(String::new, |table| {
        table.details(table::FOLDER).into_string()
    })
}

impl Chart {
    fn legend(&self) -> String {
        let entries = self.series.iter().zip(Look::ALL);
        let entries: Vec<(&str, Look)> = entries.map(|((name, _), look)| (*name, look)).collect();
        legend(&entries).into_string()
    }

    fn draw(&self, varied: &Varied, points: &[&Measured]) -> String {
        let spreads = points.iter().flat_map(|m| {
            let of = |(_, figure): &Series| m.spread(*figure);
            self.series.iter().filter_map(of)
        });
        let (least, most) = spreads.fold((f64::MAX, 0.0_f64), |(least, most), spread| {
            (least.min(spread.low), most.max(spread.high))
        });
        let names = points.iter().map(|m| (varied.value)(&m.condition));
        let plot = Plot {
            title: self.title.to_owned(),
            x: Axis::names(varied.label, names.collect()),
            y: if self.is_log {
                Axis::log(self.unit, least.min(most), most, self.name)
            } else {
                Axis::linear(self.unit, most, self.name)
            },
            height: 280,
        };
        plot.draw(|frame| {
            for ((_, figure), look) in self.series.iter().zip(Look::ALL) {
                let measured = points.iter().enumerate();
                let spreads: Vec<_> = measured
                    .filter_map(|(x, m)| Some((x as f64, m.spread(*figure)?)))
                    .collect();
                let line: Vec<_> = spreads.iter().map(|(x, s)| (*x, s.median)).collect();
                frame.path(&line, look.ink, 2);
                for (x, spread) in spreads {
                    frame.mark((x, spread.median), (spread.low, spread.high), 0, look);
                }
            }
        })
        .into_string()
    }
}
