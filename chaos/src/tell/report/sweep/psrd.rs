//! PSRD that a key costs, and what failures waste.

use dske_report::Section;
use dske_report::bars;
use dske_report::canvas::{Align, Canvas, Fit, Ink};
use dske_report::plot::{Axis, Look, Plot};
use dske_report::text::{count, short};
use maud::{Markup, html};

use super::numbers;
use crate::explore::sweep::Sweep;
use crate::explore::sweep::psrd::{CLUSTER, Point, Waste};

/// The section; empty if nothing was measured.
pub(super) fn section(sweep: &Sweep) -> Markup {
    let Some(first) = sweep.waste.first() else {
        return html! {};
    };
    let is_as_in_theory = |p: &Point| p.bytes_per_key == p.bytes_in_theory as f64;
    Section {
        id: "psrd",
        title: "How much pre-shared randomness a key costs",
        lead: html! {
            "N = " (CLUSTER.0) ", K = " (CLUSTER.1) ". Each hub takes part with four messages. Each message is signed under 32 \
             fresh bytes, and two of them carry a share of 48 bytes more than the key, under a pad of that length. So a key of \
             L bytes costs N · (4 · 32 + 2 · (48 + L)) bytes. Measured on a healthy network: "
            @if sweep.psrd.iter().all(is_as_in_theory) {
                b { "exactly that" } ", at every size."
            } @else {
                b { "not that" } ", see the table."
            }
        },
        legend: bars::legend(&PARTS.map(|(name, ink, _)| (name, ink))),
        panels: html! { (by_size(sweep)) (by_failure(sweep)) },
        caption: html! {
            "By size: PSRD for each key at all hubs together; the line is theory, the marks are measured. By what fails: keys \
             of 256 bits, " (count(first.arrived.tried)) " in each row, and the share of the bytes that is waste. "
            b { "What to learn:" } " exchanges that are carried through never cost more than theory says. A hub slower than the \
             time-out of 500 ms is asked again and again, with fresh PSRD each time. A restart, or a delivery of PSRD that is \
             lost, makes a client register again: what is left of its blocks, here of 16 KiB, is then worth nothing. That \
             happens once, whatever the number of keys. So smaller blocks waste less, and more keys make the waste a smaller \
             share."
        },
        tables: numbers(sweep, &["psrd", "waste"]),
    }
    .html()
}

fn by_size(sweep: &Sweep) -> Markup {
    let points = &sweep.psrd;
    let most = points.iter().map(|p| p.bytes_in_theory as f64);
    let plot = Plot {
        title: "By the size of the key".to_owned(),
        x: Axis::numbers(
            "bits of the key",
            4_300.0,
            &[0.0, 512.0, 1_024.0, 2_048.0, 4_096.0],
        ),
        y: Axis::linear(
            "bytes of PSRD for each key",
            most.fold(1.0, f64::max),
            |value| short(value as u64),
        ),
        height: 280,
    };
    plot.draw(|frame| {
        let theory = points
            .iter()
            .map(|p| (f64::from(p.bits), p.bytes_in_theory as f64));
        frame.path(&theory.collect::<Vec<_>>(), Ink::Text, 1);
        for p in points {
            let at = (f64::from(p.bits), p.bytes_per_key);
            frame.mark(at, (at.1, at.1), 0, Look::ALL[0]);
        }
    })
}

/// Its name, its colour, and how much it is.
type Segment = (&'static str, Ink, fn(&Waste) -> f64);

/// What became of it, in the order of the bars.
const PARTS: [Segment; 3] = [
    (
        "used for exchanges that were carried through",
        Ink::Down,
        |w| w.useful_bytes_per_key,
    ),
    (
        "in vain: the message or its answer was lost, late or refused",
        Ink::Lying,
        |w| w.vain_bytes_per_key,
    ),
    ("left behind: delivered, then forgotten", Ink::Blame, |w| {
        w.abandoned_bytes_per_key
    }),
];

const WIDTH: i32 = 450;
const LEFT: i32 = 144;
const RIGHT: i32 = WIDTH - 142;
const ROW: i32 = 32;

fn by_failure(sweep: &Sweep) -> Markup {
    let title = "By what fails, bytes for each key";
    let total = |w: &Waste| PARTS.iter().map(|(_, _, part)| part(w)).sum::<f64>();
    let most = sweep.waste.iter().map(total).fold(1.0, f64::max);
    let height = 34 + ROW * sweep.waste.len() as i32;
    let x = |value: f64| LEFT + (value / most * f64::from(RIGHT - LEFT)).round() as i32;
    let svg = Canvas::draw((WIDTH, height), Fit::Shrink, title, |canvas| {
        canvas.text(title, (4, 13), 14.0, Align::Start, Ink::Text);
        for (waste, row) in sweep.waste.iter().zip(0..) {
            let y = 44 + ROW * row;
            canvas.text(&waste.failure, (LEFT - 8, y), 12.0, Align::End, Ink::Text);
            let mut from = 0.0;
            for (_, ink, part) in PARTS {
                let to = from + part(waste);
                if to > from {
                    canvas.rectangle((x(from), y - 9), (x(to).max(x(from) + 1), y + 9), ink);
                }
                from = to;
            }
            let text = format!(
                "{} · {:.1} % waste",
                count(from.round() as u64),
                100.0 * waste.wasted_share
            );
            canvas.text(&text, (x(from) + 6, y), 12.0, Align::Start, Ink::Text);
        }
    });
    html! { div { (svg) } }
}
