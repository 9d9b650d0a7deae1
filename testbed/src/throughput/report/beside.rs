//! Two figures that put a few conditions beside each other: actors beside processes, and hubs in trouble.

use super::curves::details;
use super::words::{concurrency, median, number, range, subject, trouble};
use crate::throughput::data::{Condition, Measured, Run, Subject, Throughput, Trouble};
use crate::throughput::lab::SLOW_BY_MS;
use crate::throughput::plan::Part;
use crate::throughput::targets::Figures;
use dske_report::Section;
use dske_report::bars::{self, ROW};
use dske_report::canvas::Ink;
use maud::PreEscaped;

/// What is compared.
struct Comparison<'a> {
    title: &'a str,
    unit: &'a str,
    figure: fn(&Run) -> f64,
    name: fn(&Condition) -> &'static str,
    ink: fn(&Condition) -> Ink,
}

pub(super) fn actors(data: &Throughput) -> String {
    let all: Vec<&Measured> = data.of(Part::Actors).collect();
    if all.is_empty() {
        return String::new();
    }
    let ink = |condition: &Condition| match condition.subject {
        Subject::Processes => Ink::Down,
        Subject::Actors | Subject::BareRoute => Ink::Lying,
    };
    let name = |condition: &Condition| subject(condition.subject);
    let rates = Comparison {
        title: "Keys a second",
        unit: "",
        figure: |run| run.keys_per_s,
        name,
        ink,
    };
    let latencies = Comparison {
        title: "Median of both calls",
        unit: " ms",
        figure: |run| run.p50_ms,
        name,
        ink,
    };
    Section {
        id: "actors",
        title: "Actors in one process beside processes over HTTP",
        lead: PreEscaped("The same nodes as actors in this process, called without HTTP: all of them and the caller share one thread. One key \
               of 256 bits in each call, N = 5, K = 3."
            .to_owned()),
        legend: PreEscaped(String::new()),
        panels: PreEscaped(rates.draw(&all) + &latencies.draw(&all)),
        caption: PreEscaped("<b>What to see:</b> what is left when the network is taken away. Actors use one core, the processes both, so the \
                  difference is less than what HTTP and the kernel cost."
            .to_owned()),
        tables: PreEscaped(details(data, Part::Actors)),
    }
    .html().into_string()
}

pub(super) fn troubles(data: &Throughput) -> String {
    let all: Vec<&Measured> = data.of(Part::Trouble).collect();
    if all.is_empty() {
        return String::new();
    }
    let medians = Comparison {
        title: "Median of both calls",
        unit: " ms",
        figure: |run| run.p50_ms,
        name: |condition| trouble(condition.trouble),
        ink: |condition| match condition.trouble {
            Trouble::None => Ink::Down,
            Trouble::Stopped => Ink::Lying,
            Trouble::Slow => Ink::Blame,
        },
    };
    let rates = Comparison {
        title: "Keys a second",
        unit: "",
        figure: |run| run.keys_per_s,
        ..medians
    };
    let figures = Figures::of(data);
    Section {
        id: "trouble",
        title: "One hub stopped, or slow",
        lead: PreEscaped(format!(
            "Three clusters side by side, measured in turn. When all was well, the first hub of one was killed; at \
             that of another everything arrives {} s late since then, through a proxy in front of it. Everything else is as by default: any 3 of 5 hubs will do.",
            SLOW_BY_MS as f64 / 1e3
        )),
        legend: PreEscaped(String::new()),
        panels: PreEscaped(medians.draw(&all) + &rates.draw(&all)),
        caption: PreEscaped(format!(
            "Bars are medians, whiskers reach to the most. <b>What to see:</b> whether a hub that is not needed is waited for. The \
             worst of both concurrencies: stopped {} ({}), slow {} ({}) of the undisturbed median.",
            median(figures.stopped, "times"),
            range(figures.stopped),
            median(figures.slow, "times"),
            range(figures.slow),
        )),
        tables: PreEscaped(details(data, Part::Trouble)),
    }
    .html().into_string()
}

impl Comparison<'_> {
    /// Rows of bars, a group for each concurrency.
    fn draw(&self, all: &[&Measured]) -> String {
        let spreads = all.iter().filter_map(|m| m.spread(self.figure));
        let most = spreads.map(|s| s.high).fold(f64::MIN_POSITIVE, f64::max);
        let mut groups: Vec<Option<usize>> = all.iter().map(|m| m.condition.concurrency).collect();
        groups.sort_unstable();
        groups.dedup();
        let rows = (all.len() + groups.len()) as i32;
        bars::draw(self.title, most, 30 + ROW * rows, |rows| {
            let mut y = 36;
            for group in groups {
                let of: Vec<_> = all
                    .iter()
                    .filter(|m| m.condition.concurrency == group)
                    .collect();
                let heading = of.first().map(|m| concurrency(&m.condition));
                rows.heading(y, &format!("concurrency {}", heading.unwrap_or_default()));
                y += ROW;
                for measured in of {
                    rows.label(y, (self.name)(&measured.condition), Ink::Text);
                    match measured.spread(self.figure) {
                        Some(spread) => {
                            rows.bar(y, 0.0, spread.median, (self.ink)(&measured.condition));
                            rows.whisker(y, spread.median, spread.high);
                            let text = format!("{}{}", number(spread.median), self.unit);
                            rows.value(y, spread.high, &text);
                        }
                        None => rows.value(y, 0.0, "no key"),
                    }
                    y += ROW;
                }
            }
        })
        .into_string()
    }
}
