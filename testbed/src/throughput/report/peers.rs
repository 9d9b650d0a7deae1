//! What others report.

use super::words::{number, range};
use crate::throughput::data::Throughput;
use crate::throughput::peers::{PEERS, Peer};
use crate::throughput::stats::Spread;
use crate::throughput::targets::Figures;
use dske_report::Section;
use dske_report::plot::{Axis, Look, Plot};
use dske_report::text::escape;
use maud::PreEscaped;

/// The section.
pub(super) fn section(data: &Throughput) -> String {
    let figures = Figures::of(data);
    // One key of 256 bits in each call.
    let single = figures.keys_per_s.map(|spread| spread.times(256.0 / 1e6));
    let ours = [
        ("here, one key of 256 bits per call", single),
        ("here, keys of 1 Mbit", figures.bulk_mbit_per_s),
    ];
    let our_rows: String = ours
        .iter()
        .map(|(name, figure)| our_row(name, *figure))
        .collect();
    let rows: String = PEERS.iter().map(row).collect();
    let table = format!(
        r#"<div class="scroll"><table><thead><tr><th>who</th><th>reports</th><th>comparable?</th><th>source</th></tr></thead><tbody>
{our_rows}{rows}</tbody></table></div>"#
    );
    Section {
        id: "peers",
        title: "What others report",
        lead: PreEscaped("Mbit of key a second is the one figure that all of them have.".to_owned()),
        legend: PreEscaped(String::new()),
        panels: PreEscaped(chart(&ours)),
        caption: PreEscaped("Each step up is ten times more. <b>What to see:</b> orders of magnitude, and no more: only dske-python does the \
                  same on such a machine."
            .to_owned()),
        tables: PreEscaped(table),
    }
    .html().into_string()
}

fn chart(ours: &[(&str, Option<Spread>)]) -> String {
    let measured = ours
        .iter()
        .filter_map(|(name, figure)| Some((*name, figure.as_ref()?.median)));
    let others = PEERS.iter().map(|peer| (peer.name, peer.mbit_per_s));
    let all: Vec<(&str, f64, Look)> = measured
        .map(|(name, value)| (name, value, Look::ALL[0]))
        .chain(others.map(|(name, value)| (name, value, Look::ALL[1])))
        .collect();
    let (least, most) = all
        .iter()
        .fold((f64::MAX, 0.0_f64), |(least, most), (_, value, _)| {
            (least.min(*value), most.max(*value))
        });
    let ticks = (0..all.len()).map(|i| (i as f64, (i + 1).to_string()));
    let plot = Plot {
        title: "Mbit of key a second".to_owned(),
        x: Axis::named("", (-0.5, all.len() as f64 - 0.5), ticks.collect()),
        y: Axis::log("Mbit/s", least, most, number),
        height: 260,
    };
    let marks = plot.draw(|frame| {
        for (x, (_, value, look)) in all.iter().enumerate() {
            frame.mark((x as f64, *value), (*value, *value), 0, *look);
        }
    });
    let names: String = all
        .iter()
        .map(|(name, value, _)| format!("<li>{}: {} Mbit/s</li>", escape(name), number(*value)))
        .collect();
    let marks = marks.into_string();
    format!("{marks}<div><ol>{names}</ol></div>")
}

fn our_row(name: &str, figure: Option<Spread>) -> String {
    let Some(spread) = figure else {
        return String::new();
    };
    format!(
        "<tr><td class=\"name\">{name}</td><td>{} Mbit/s of key ({})</td><td></td><td>this run</td></tr>\n",
        number(spread.median),
        range(Some(spread)),
    )
}

fn row(peer: &Peer) -> String {
    format!(
        r#"<tr><td class="name">{}</td><td>{}</td><td>{}</td><td><a href="{}">{}</a></td></tr>
"#,
        escape(peer.name),
        escape(peer.figure),
        escape(peer.comparable),
        escape(peer.link),
        escape(peer.source),
    )
}
