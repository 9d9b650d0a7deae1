//! The figures that have targets, beside the bare route.

use super::curves::details;
use super::words::{keys_asked_for, median, number, subject};
use crate::throughput::data::{Condition, Measured, Run, Subject, Throughput};
use crate::throughput::plan::Part;
use crate::throughput::targets::Figures;
use dske_report::Section;
use dske_report::bars::{self, ROW, Rows};
use dske_report::canvas::Ink;
use maud::PreEscaped;

/// The section, or an empty string where nothing was measured.
pub(super) fn section(data: &Throughput) -> String {
    let all: Vec<&Measured> = data.of(Part::Limit).collect();
    if all.is_empty() {
        return String::new();
    }
    let single: Vec<&Measured> = all
        .iter()
        .filter(|m| m.condition.keys_per_call == 1 && is_small(&m.condition))
        .copied()
        .collect();
    let bulk: Vec<&Measured> = all
        .iter()
        .filter(|m| !single.iter().any(|s| s.condition == m.condition))
        .copied()
        .collect();
    let figures = Figures::of(data);
    Section {
        id: "limit",
        title: "How near to the limit",
        lead: PreEscaped("A key takes two requests of its SAEs, whatever lies behind them. So a bare actix-web route that answers with a key \
               container of the same size, and does nothing for it, is the most that any protocol could reach here: one process, \
               one worker, asked twice for a key by the same HTTP client. Bare and real were measured in turn."
            .to_owned()),
        legend: PreEscaped(bars::legend(&[("real", Ink::Down), ("bare route", Ink::Lying)]).into_string()),
        panels: PreEscaped(rates(&single) + &bulk_rates(&bulk)),
        caption: PreEscaped(format!(
            "Bars are medians, whiskers reach to the most. <b>What to see:</b> the real cluster reaches {} of the bare route at \
             concurrency 32. Behind each of its keys are, besides the two requests, {} requests to hubs, on the same two cores.",
            median(figures.share_of_bare, "%"),
            2 * u32::from(all[0].condition.hubs),
        )),
        tables: PreEscaped(details(data, Part::Limit)),
    }
    .html().into_string()
}

fn is_small(condition: &Condition) -> bool {
    condition.size_bits <= 256
}

fn ink(condition: &Condition) -> Ink {
    match condition.subject {
        Subject::BareRoute => Ink::Lying,
        Subject::Processes | Subject::Actors => Ink::Down,
    }
}

/// One key per call: keys a second at each concurrency.
fn rates(all: &[&Measured]) -> String {
    let spreads = all.iter().filter_map(|m| m.spread(|run| run.keys_per_s));
    let most = spreads.map(|s| s.high).fold(1.0, f64::max);
    let mut concurrencies: Vec<usize> =
        all.iter().filter_map(|m| m.condition.concurrency).collect();
    concurrencies.sort_unstable();
    concurrencies.dedup();
    let rows = (all.len() + concurrencies.len()) as i32;
    let title = "One key per call: keys a second";
    bars::draw(title, most, 30 + ROW * rows, |rows| {
        let mut y = 36;
        for concurrency in concurrencies {
            rows.heading(y, &format!("concurrency {concurrency}"));
            y += ROW;
            let of = all
                .iter()
                .filter(|m| m.condition.concurrency == Some(concurrency));
            for measured in of {
                bar(rows, y, measured, |run| run.keys_per_s);
                y += ROW;
            }
        }
    })
    .into_string()
}

/// Many keys per call, and large ones: Mbit of key a second.
fn bulk_rates(all: &[&Measured]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let spreads = all.iter().filter_map(|m| m.spread(|run| run.mbit_per_s));
    let most = spreads.map(|s| s.high).fold(1.0, f64::max);
    let title = "Keys by the bulk: Mbit of key a second";
    bars::draw(title, most, 30 + 2 * ROW * all.len() as i32, |rows| {
        let mut y = 36;
        for measured in all {
            rows.heading(y, &keys_asked_for(&measured.condition));
            y += ROW;
            bar(rows, y, measured, |run| run.mbit_per_s);
            y += ROW;
        }
    })
    .into_string()
}

fn bar(rows: &Rows<'_, '_>, y: i32, measured: &Measured, figure: fn(&Run) -> f64) {
    rows.label(y, subject(measured.condition.subject), Ink::Text);
    if let Some(spread) = measured.spread(figure) {
        rows.bar(y, 0.0, spread.median, ink(&measured.condition));
        rows.whisker(y, spread.median, spread.high);
        rows.value(y, spread.high, &number(spread.median));
    }
}
