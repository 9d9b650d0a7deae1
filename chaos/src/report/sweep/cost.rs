//! Bytes and messages of a key.

use dske_report::Section;
use dske_report::plot::{Axis, Look, Plot, legend};
use dske_report::text::{count, short};

use super::numbers;
use crate::sweep::Sweep;
use crate::sweep::cost::Point;

/// The section, or an empty string where nothing was measured.
pub(super) fn section(sweep: &Sweep) -> String {
    let Some(first) = sweep.cost.first() else {
        return String::new();
    };
    let messages_as_in_theory = sweep
        .cost
        .iter()
        .all(|p| p.messages_per_key == p.messages_in_theory as f64);
    let per_hub = first.bytes_per_key / f64::from(first.hubs);
    Section {
        id: "cost",
        title: "What robustness costs on the wire",
        lead: maud::PreEscaped(format!(
            "Keys of 256 bits on a healthy network. Counted are the four messages of each hub: method, target, the header
<code>DSKE-Signature</code> and the body of requests, status, that header and the body of responses. Not counted: other headers of
HTTP, TCP/IP, registration, and the delivery of PSRD. Messages: {}.",
            if messages_as_in_theory {
                "<b>exactly 4 N for each key</b>"
            } else {
                "<b>not 4 N for each key</b>, see the table"
            }
        )),
        legend: maud::PreEscaped(legend(&[
            ("both", Look::ALL[0]),
            ("establish", Look::ALL[1]),
            ("fetch", Look::ALL[2]),
        ]).0),
        panels: maud::PreEscaped(panel(sweep, "K = 3, by the number of hubs", "hubs (N)", |p| {
            (p.threshold == 3).then_some(p.hubs)
        }) + &panel(sweep, "N = 10, by the threshold", "threshold (K)", |p| {
            (p.hubs == 10).then_some(p.threshold)
        })),
        caption: maud::PreEscaped(format!(
            "Each mark is {} keys, all of which cost the same but for the lengths of numbers; establishing and fetching cost
nearly the same. <b>What to learn:</b> each further hub costs
about {} bytes for each key, whatever K is. So tolerance of one more bad hub costs one more hub, and a higher threshold, against
collusion, costs nothing on the wire.",
            count(first.keys),
            count(per_hub.round() as u64)
        )),
        tables: maud::PreEscaped(numbers(sweep, &["cost"])),
    }
    .html().into_string()
}

fn panel(sweep: &Sweep, title: &str, label: &'static str, x: fn(&Point) -> Option<u8>) -> String {
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
    .0
}
