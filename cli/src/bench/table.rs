//! A report of a load for people.

use std::fmt::Write as _;

use tabled::builder::Builder;
use tabled::settings::Alignment;
use tabled::settings::object::Columns;

use dske_testbed::latencies::Latencies;
use dske_testbed::load::report::{LoadReport, NodeFigures};
use dske_testbed::load::{Arrivals, Load};

use super::super::nodes::names;
use super::super::print::{BAD, plain};

/// Most pairs that are named. If there are more, only their number is shown, so that the line stays short.
const PAIRS_NAMED_MAX: usize = 8;

pub(super) fn show(report: &LoadReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, report);
    text
}

fn write_all(text: &mut String, report: &LoadReport) -> std::fmt::Result {
    writeln!(text, "{}", what(&report.load))?;
    let early = if report.interrupted {
        " (stopped early)"
    } else {
        ""
    };
    writeln!(
        text,
        "measured for {:.1} s after {:.1} s of warm-up{early}\n",
        report.elapsed_s,
        report.load.warm_up.as_secs_f64()
    )?;
    writeln!(text, "{}\n", throughput(report))?;
    writeln!(text, "{}\n", latencies(report))?;
    writeln!(text, "{}", nodes(report))?;
    if report.errors_total() > 0 {
        writeln!(text, "\n{BAD}{}{BAD:#}", errors(report))?;
    }
    Ok(())
}

/// What was asked for.
fn what(load: &Load) -> String {
    let arrivals = match load.arrivals {
        Arrivals::Closed { concurrency } => format!("closed loop, {concurrency} at a time"),
        Arrivals::Open { per_second, .. } => format!("open loop, {per_second} a second"),
    };
    let keys = match load.keys_per_call {
        1 => "1 key".to_owned(),
        keys => format!("{keys} keys"),
    };
    let pairs = match load.pairs.len() {
        count if count > PAIRS_NAMED_MAX => format!("{count} pairs of SAEs"),
        _ => names(
            load.pairs
                .iter()
                .map(|pair| format!("{}:{}", pair.master, pair.slave)),
        ),
    };
    format!(
        "{arrivals}, {keys} of {} bits a call, for {pairs}",
        load.size_bits
    )
}

fn throughput(report: &LoadReport) -> String {
    let mut table = Builder::new();
    table.push_record(["keys/s", "Mbit/s of key", "operations", "keys", "errors"]);
    table.push_record([
        format!("{:.1}", report.keys_per_s),
        format!("{:.3}", report.mbit_per_s),
        report.operations.to_string(),
        report.keys.to_string(),
        report.errors_total().to_string(),
    ]);
    numbers(table, 0)
}

fn latencies(report: &LoadReport) -> String {
    let mut table = Builder::new();
    table.push_record([
        "latency in ms",
        "mean",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "p99.99",
        "max",
    ]);
    let mut row = |name: &str, of: &Latencies| {
        let percentiles = [
            of.p50_us,
            of.p90_us,
            of.p99_us,
            of.p99_9_us,
            of.p99_99_us,
            of.max_us,
        ];
        let all = std::iter::once(of.mean_us).chain(percentiles.map(|us| us as f64));
        let shown = all.map(|us| match of.count {
            0 => "-".to_owned(),
            _ => format!("{:.3}", us / 1000.0),
        });
        table.push_record(std::iter::once(name.to_owned()).chain(shown));
    };
    row("get key", &report.get_key);
    row("get key with key IDs", &report.get_key_with_ids);
    row("both", &report.both);
    numbers(table, 1)
}

fn nodes(report: &LoadReport) -> String {
    let mut table = Builder::new();
    table.push_record([
        "node",
        "role",
        "CPU %",
        "CPU µs/key",
        "memory MiB",
        "PSRD bytes/key",
    ]);
    let mut row = |name: &str, role: &str, used: Used| {
        let per_key = |value: Option<f64>| {
            let value = value.filter(|_| report.keys > 0);
            value.map(|value| value / report.keys as f64)
        };
        table.push_record([
            name.to_owned(),
            role.to_owned(),
            or_dash(used.cpu_s.map(|cpu_s| cpu_s / report.elapsed_s * 100.0)),
            or_dash(per_key(used.cpu_s).map(|cpu_s| cpu_s * 1e6)),
            or_dash(used.memory_bytes.map(|bytes| bytes / f64::from(1 << 20))),
            or_dash(per_key(used.psrd_bytes)),
        ]);
    };
    for node in &report.nodes {
        row(node.name.as_str(), node.role.as_str(), Used::by(node));
    }
    row("(all nodes)", "", report.nodes.iter().map(Used::by).sum());
    let generator = Used {
        cpu_s: Some(report.generator_cpu_s),
        ..Used::default()
    };
    row("(generator)", "", generator);
    numbers(table, 2)
}

/// What a node used, as far as it told.
#[derive(Default)]
struct Used {
    cpu_s: Option<f64>,
    memory_bytes: Option<f64>,
    psrd_bytes: Option<f64>,
}

impl Used {
    fn by(node: &NodeFigures) -> Self {
        Self {
            cpu_s: node.cpu_s,
            memory_bytes: node.rss_bytes.map(|bytes| bytes as f64),
            psrd_bytes: node.psrd_bytes.map(|bytes| bytes as f64),
        }
    }
}

impl std::iter::Sum for Used {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let add = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a + b),
            (one, other) => one.or(other),
        };
        all.fold(Self::default(), |sum, one| Self {
            cpu_s: add(sum.cpu_s, one.cpu_s),
            memory_bytes: add(sum.memory_bytes, one.memory_bytes),
            psrd_bytes: add(sum.psrd_bytes, one.psrd_bytes),
        })
    }
}

fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

fn errors(report: &LoadReport) -> String {
    let mut table = Builder::new();
    table.push_record(["error", "times", "the first one"]);
    for (kind, count) in &report.errors {
        let first = report.first_errors.get(kind).map_or("", String::as_str);
        table.push_record([kind.as_str(), &count.to_string(), first]);
    }
    plain(table.build())
}

/// A table with numbers from this column on.
fn numbers(table: Builder, from: usize) -> String {
    let mut table = table.build();
    table.modify(Columns::new(from..), Alignment::right());
    plain(table)
}

/// A warning that figures of programs built without optimisation say nothing about DSKE.
pub(super) fn warning(report: &LoadReport) -> Option<String> {
    let own = (report.generator_profile == "debug").then_some("this program");
    let slow = report.nodes.iter();
    let slow = slow.filter(|node| node.profile.as_deref() == Some("debug"));
    let slow: Vec<&str> = own
        .into_iter()
        .chain(slow.map(|node| node.name.as_str()))
        .collect();
    (!slow.is_empty()).then(|| {
        format!(
            "built without optimisation, so that the figures mean little: {}; build with `cargo build --release`",
            names(slow)
        )
    })
}
