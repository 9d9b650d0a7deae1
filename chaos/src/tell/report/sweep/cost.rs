//! Bytes and messages of a key.

use dske_report::Section;
use dske_report::plot::{Axis, Look, Plot, legend};
use dske_report::text::{count, short};
use maud::{Markup, html};

use super::numbers;
use crate::explore::sweep::Sweep;
use crate::explore::sweep::cost::Point;

/// The section; empty if nothing was measured.
pub(super) fn section(sweep: &Sweep) -> Markup {
    let Some(first) = sweep.cost.first() else {
        return html! {};
    };
    let is_as_in_theory = |p: &Point| p.messages_per_key == p.messages_in_theory as f64;
    let per_hub = first.bytes_per_key / f64::from(first.hubs);
    Section {
        id: "cost",
        title: "What robustness costs on the wire",
        lead: html! {
            "Keys of 256 bits on a healthy network. The four messages of each hub are counted: of requests the method, target, \
             header " code { "DSKE-Signature" } " and body; of responses the status, the same header and the body. Not counted \
             are other headers of HTTP, TCP/IP, registration, and the delivery of PSRD. Messages: "
            @if sweep.cost.iter().all(is_as_in_theory) {
                b { "exactly 4 N for each key" } "."
            } @else {
                b { "not 4 N for each key" } ", see the table."
            }
        },
        legend: legend(&[
            ("both", Look::ALL[0]),
            ("establish", Look::ALL[1]),
            ("fetch", Look::ALL[2]),
        ]),
        panels: html! {
            (panel(sweep, "K = 3, by the number of hubs", "hubs (N)", |p| (p.threshold == 3).then_some(p.hubs)))
            (panel(sweep, "N = 10, by the threshold", "threshold (K)", |p| (p.hubs == 10).then_some(p.threshold)))
        },
        caption: html! {
            "Each mark is " (count(first.keys)) " keys, all of which cost the same except for the lengths of numbers. \
             Establishing and fetching cost nearly the same. " b { "What to learn:" } " each further hub costs about "
            (count(per_hub.round() as u64)) " bytes for each key, whatever K is. So tolerance of one more bad hub costs one \
             more hub, and a higher threshold, against collusion, costs nothing on the wire."
        },
        tables: numbers(sweep, &["cost"]),
    }
    .html()
}

fn panel(sweep: &Sweep, title: &str, label: &'static str, x: fn(&Point) -> Option<u8>) -> Markup {
    let mut points: Vec<(u8, &Point)> = sweep
        .cost
        .iter()
        .filter_map(|point| Some((x(point)?, point)))
        .collect();
    points.sort_by_key(|(x, _)| *x);
    let most = sweep.cost.iter().map(|p| p.bytes_per_key);
    let plot = Plot {
        title: title.to_owned(),
        x: Axis::numbers(
            label,
            points.last().map_or(1.0, |(x, _)| f64::from(*x) + 1.0),
            &points
                .iter()
                .map(|(x, _)| f64::from(*x))
                .collect::<Vec<_>>(),
        ),
        y: Axis::linear("bytes for each key", most.fold(1.0, f64::max), |value| {
            short(value as u64)
        }),
        height: 260,
    };
    let series: [fn(&Point) -> f64; 3] = [
        |p| p.bytes_per_key,
        |p| p.establish_bytes_per_key,
        |p| p.fetch_bytes_per_key,
    ];
    plot.draw(|frame| {
        for (i, bytes) in series.iter().enumerate() {
            for (x, point) in &points {
                let value = bytes(point);
                frame.mark((f64::from(*x), value), (value, value), 0, Look::ALL[i]);
            }
        }
    })
}
