//! Figures that others report.

use dske_report::Section;
use dske_report::plot::{Axis, Look, Plot};
use dske_report::statistics::Spread;
use maud::{Markup, html};

use crate::measure::words::{number, range};
use crate::throughput::data::Throughput;
use crate::throughput::peers::PEERS;
use crate::throughput::targets::Figures;

/// The section.
pub(super) fn section(data: &Throughput) -> Markup {
    let figures = Figures::of(data);
    // One key of 256 bits in each call.
    let single = figures.keys_per_s.map(|spread| spread.times(256.0 / 1e6));
    let ours = [
        ("here, one key of 256 bits per call", single),
        ("here, keys of 1 Mbit", figures.bulk_mbit_per_s),
    ];
    let ours = ours
        .into_iter()
        .filter_map(|(name, figure)| Some((name, figure?)));
    let ours: Vec<(&str, Spread)> = ours.collect();
    Section {
        id: "peers",
        title: "What others report",
        lead: html! { "Mbit of key a second is the one figure that all of them have." },
        legend: html! {},
        panels: chart(&ours),
        caption: html! {
            "Each step up is a factor of ten. " b { "What to see:" } " orders of magnitude, and no more: only dske-python does the same \
             on a machine like this."
        },
        tables: table(&ours),
    }
    .html()
}

fn chart(ours: &[(&str, Spread)]) -> Markup {
    let ours = ours
        .iter()
        .map(|(name, figure)| (*name, figure.median, Look::ALL[0]));
    let others = PEERS
        .iter()
        .map(|peer| (peer.name, peer.mbit_per_s, Look::ALL[1]));
    let all: Vec<(&str, f64, Look)> = ours.chain(others).collect();
    let (least, most) = all
        .iter()
        .fold((f64::MAX, 0.0_f64), |(least, most), (_, value, _)| {
            (least.min(*value), most.max(*value))
        });
    let plot = Plot {
        title: "Mbit of key a second".to_owned(),
        x: Axis::names("", (1..=all.len()).map(|i| i.to_string()).collect()),
        y: Axis::log("Mbit/s", least, most, number),
        height: 260,
    };
    let marks = plot.draw(|frame| {
        for (x, (_, value, look)) in all.iter().enumerate() {
            frame.mark((x as f64, *value), (*value, *value), 0, *look);
        }
    });
    html! {
        (marks)
        div { ol { @for (name, value, _) in &all { li { (name) ": " (number(*value)) " Mbit/s" } } } }
    }
}

fn table(ours: &[(&str, Spread)]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th { "who" } th { "reports" } th { "comparable?" } th { "source" } } }
                tbody {
                    @for (name, figure) in ours {
                        tr {
                            td.name { (name) }
                            td { (number(figure.median)) " Mbit/s of key (" (range(Some(*figure))) ")" }
                            td {}
                            td { "this run" }
                        }
                    }
                    @for peer in &PEERS {
                        tr {
                            td.name { (peer.name) }
                            td { (peer.figure) }
                            td { (peer.comparable) }
                            td { a href=(peer.link) { (peer.source) } }
                        }
                    }
                }
            }
        }
    }
}
