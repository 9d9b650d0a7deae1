//! What a hub takes when it holds many shares.

use super::words::{median, number};
use crate::throughput::data::{Held, Throughput};
use crate::throughput::plan::SHARES;
use crate::throughput::table::{FOLDER, tables};
use crate::throughput::targets::Figures;
use dske_report::Section;
use dske_report::canvas::Ink;
use dske_report::plot::{Axis, Look, Plot};
use dske_report::text::count;
use maud::PreEscaped;

/// The section, or an empty string where nothing was measured.
pub(super) fn section(data: &Throughput) -> String {
    let Some(last) = data.memory.last() else {
        return String::new();
    };
    let most = data.memory.iter().map(mib).fold(1.0, f64::max);
    let plot = Plot {
        title: "Memory of one hub".to_owned(),
        x: Axis::linear("thousand shares held", last.shares as f64, |n| {
            count((n / 1e3) as u64)
        }),
        y: Axis::linear("MiB resident", most, number),
        height: 260,
    };
    let panel = plot.draw(|frame| {
        let at = |held: &Held| (held.shares as f64, mib(held));
        let line: Vec<_> = data.memory.iter().map(at).collect();
        frame.path(&line, Ink::Down, 2);
        for (x, y) in line {
            frame.mark((x, y), (y, y), 0, Look::ALL[0]);
        }
    });
    let enough = if last.shares >= SHARES {
        String::new()
    } else {
        format!(
            " The time was over before there were {} of them.",
            count(SHARES)
        )
    };
    let table = tables(data)
        .into_iter()
        .find(|table| table.name == "memory");
    Section {
        id: "memory",
        title: "Memory of a hub that holds many shares",
        lead: PreEscaped(format!(
            "Keys of 256 bits are established, 128 in a call, and nobody fetches them. The hub held {} shares in the end.{enough}",
            count(last.shares)
        )),
        legend: PreEscaped(String::new()),
        panels: panel,
        caption: PreEscaped(format!(
            "<b>What to see:</b> the slope: each share takes {} with all that belongs to it, of which 80 are the share itself. Where \
             the line is straight, that does not change as the store grows; steps are where a table does.",
            median(Figures::of(data).bytes_per_share, "bytes")
        )),
        tables: PreEscaped(table.map_or_else(String::new, |table| table.details(FOLDER).into_string())),
    }
    .html().into_string()
}

fn mib(held: &Held) -> f64 {
    held.rss_bytes as f64 / f64::from(1 << 20)
}
