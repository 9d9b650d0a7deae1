//! The distribution of latencies.

use dske_report::Section;
use dske_report::plot::{Axis, Look, Plot, legend};
use dske_report::text::millis;
use maud::{Markup, html};

use super::runs_of;
use crate::latencies::Bucket;
use crate::measure::words::number;
use crate::throughput::data::{Measured, Throughput};
use crate::throughput::plan::Part;

/// Nines that are shown: up to 99.99 %.
const NINES: f64 = 4.0;

/// The section; empty where nothing was measured.
pub(super) fn section(data: &Throughput) -> Markup {
    let all: Vec<&Measured> = data.of(Part::Latency).collect();
    if all.is_empty() {
        return html! {};
    }
    let is_open = |m: &&Measured| m.condition.share_of_capacity.is_some();
    let (open, closed): (Vec<&Measured>, Vec<&Measured>) = all.iter().partition(|m| is_open(m));
    Section {
        id: "latency",
        title: "How latencies are distributed",
        lead: html! {
            "Left a " b { "closed loop" } ": each operation begins when another has ended. Right an " b { "open loop" } ": operations \
             begin at a fixed rate, a share of the rate that the closed loop reached at concurrency 32, and each latency counts from \
             when the operation was due. So an operation that waits behind a slow one counts as slow itself."
        },
        legend: html! {},
        panels: html! { (panel("Closed loop", &closed, &all)) (panel("Open loop", &open, &all)) },
        caption: html! {
            "Horizontal: the share of operations that took no longer; each step to the right is ten times rarer. Both scales are the \
             same. " b { "What to see:" } " how far the tail lies above the median, and at which share of the capacity operations \
             begin to wait: there the curve rises away from those below it."
        },
        tables: runs_of(data, Part::Latency),
    }
    .html()
}

fn name(measured: &Measured) -> String {
    let condition = &measured.condition;
    match (condition.concurrency, condition.share_of_capacity) {
        (Some(concurrency), _) => format!("concurrency {concurrency}"),
        (None, share) => format!(
            "{} %: {} calls/s",
            number(100.0 * share.unwrap_or_default()),
            number(condition.per_second.unwrap_or_default())
        ),
    }
}

fn panel(title: &str, shown: &[&Measured], all: &[&Measured]) -> Markup {
    if shown.is_empty() {
        return html! {};
    }
    let buckets = all
        .iter()
        .flat_map(|m| &m.runs)
        .flat_map(|run| &run.buckets);
    let (least, most) = buckets.fold((u64::MAX, 1), |(least, most), bucket| {
        (least.min(bucket.up_to_us), most.max(bucket.up_to_us))
    });
    let ticks = [
        (0.0, "0"),
        (0.301, "50"),
        (1.0, "90"),
        (2.0, "99"),
        (3.0, "99.9"),
    ];
    let ticks = ticks.into_iter().chain([(NINES, "99.99")]);
    let ms = |us: u64| us as f64 / 1e3;
    let plot = Plot {
        title: title.to_owned(),
        x: Axis::named(
            "percent of operations",
            // A little more, so that the last name fits.
            (0.0, NINES + 0.2),
            ticks.map(|(x, name)| (x, name.to_owned())).collect(),
        ),
        y: Axis::log("ms, both calls", ms(least.min(most)), ms(most), millis),
        height: 300,
    };
    let chart = plot.draw(|frame| {
        for (measured, look) in shown.iter().zip(Look::ALL) {
            let Some(run) = measured.runs.first() else {
                continue;
            };
            let curve = curve(&run.buckets);
            frame.path(&curve, look.ink, 2);
            if let Some(last) = curve.last() {
                frame.mark(*last, (last.1, last.1), 0, look);
            }
        }
    });
    let names: Vec<String> = shown.iter().map(|m| name(m)).collect();
    let entries: Vec<(&str, Look)> = names.iter().map(String::as_str).zip(Look::ALL).collect();
    html! { div { (legend(&entries)) (chart) } }
}

/// The latency in milliseconds against nines: 1 is 90 %, 2 is 99 %. It ends where the number of operations is too small.
fn curve(buckets: &[Bucket]) -> Vec<(f64, f64)> {
    let total: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    let mut below = 0;
    let mut curve = Vec::new();
    for bucket in buckets {
        let ms = bucket.up_to_us as f64 / 1e3;
        let from = nines(below, total);
        below += bucket.count;
        let to = if below == total {
            // The slowest operation is one of `total`.
            (total as f64).log10()
        } else {
            nines(below, total)
        };
        if from > NINES {
            break;
        }
        curve.push((from, ms));
        curve.push((to.clamp(from, NINES), ms));
    }
    curve
}

fn nines(below: u64, total: u64) -> f64 {
    -(1.0 - below as f64 / total.max(1) as f64).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(up_to_us: u64, count: u64) -> Bucket {
        Bucket { up_to_us, count }
    }

    #[test]
    fn a_curve_steps_where_buckets_end_and_stops_at_one_in_so_many() {
        let curve = curve(&[bucket(1_000, 90), bucket(2_000, 9), bucket(50_000, 1)]);
        let rounded: Vec<(f64, f64)> = curve
            .iter()
            .map(|(x, y)| ((x * 100.0).round() / 100.0, *y))
            .collect();
        assert_eq!(
            rounded,
            [
                (0.0, 1.0),
                (1.0, 1.0),
                (1.0, 2.0),
                (2.0, 2.0),
                (2.0, 50.0),
                (2.0, 50.0)
            ]
        );
    }

    #[test]
    fn no_operations_have_no_curve() {
        assert!(curve(&[]).is_empty());
        assert!(curve(&[bucket(5, 0)]).iter().all(|(x, _)| x.is_finite()));
    }
}
