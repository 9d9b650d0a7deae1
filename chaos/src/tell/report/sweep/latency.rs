//! How long a key takes, by slow hubs and by loss.

use dske_report::Section;
use dske_report::plot::{Axis, Look, Plot, legend};
use dske_report::text::{count, millis};
use maud::{Markup, html};

use super::numbers;
use crate::explore::sweep::Sweep;
use crate::explore::sweep::latency::{CLUSTER, PATIENCE, Point, SLOW_MS};

/// The section; empty if nothing was measured.
pub(super) fn section(sweep: &Sweep) -> Markup {
    let Some(first) = sweep.latency.first() else {
        return html! {};
    };
    let names = ["return at K", "grace period 200 ms", "wait for all hubs"];
    let entries: Vec<(&str, Look)> = names.into_iter().zip(Look::ALL).collect();
    let tried: u64 = sweep.latency.iter().map(|p| p.arrived.tried).sum();
    let succeeded: u64 = sweep.latency.iter().map(|p| p.arrived.succeeded).sum();
    Section {
        id: "latency",
        title: "How long a key takes when hubs are slow or messages are lost",
        lead: html! {
            "N = " (CLUSTER.0) ", K = " (CLUSTER.1) "; each way through the network takes 1 to 8 ms. A slow hub looks at each \
             request " (SLOW_MS) " ms late. A message that is lost comes " (millis(200.0)) " late, because TCP sends it again, \
             then again after twice that time. The colours are three ways to wait once K hubs have their shares."
        },
        legend: legend(&entries),
        panels: panels(sweep),
        caption: html! {
            "Marks: median; whiskers: up to the 99th percentile, of " (first.arrived.tried) " keys each, of which "
            (count(succeeded)) " of " (count(tried)) " arrived in the end. Time is cut into steps of 2 ms. Shaded: up to N − K \
             slow hubs. " b { "What to learn:" } " returning at K makes a master blind to up to N − K slow hubs. A grace period \
             costs all of its time as soon as one hub is slower; in return, more hubs hold the key when the slave asks. Loss \
             shows in the tail first: with K of N a key needs the K luckiest messages, not all. A slave always takes the K \
             quickest answers."
        },
        tables: numbers(sweep, &["latency"]),
    }
    .html()
}

fn panels(sweep: &Sweep) -> Markup {
    let slow = "slow hubs, of 5";
    let loss = "messages lost on each link, %";
    html! {
        (panel(sweep, "slow-hubs", "Establishing, with slow hubs", slow, true))
        (panel(sweep, "slow-hubs", "Fetching, with slow hubs", slow, false))
        (panel(sweep, "loss-percent", "Establishing, with loss", loss, true))
        (panel(sweep, "loss-percent", "Fetching, with loss", loss, false))
    }
}

fn panel(
    sweep: &Sweep,
    trouble: &str,
    title: &str,
    label: &'static str,
    establish: bool,
) -> Markup {
    let points: Vec<&Point> = sweep
        .latency
        .iter()
        .filter(|p| p.trouble == trouble)
        .collect();
    let mut amounts: Vec<u64> = points.iter().map(|p| p.amount).collect();
    amounts.dedup();
    let plot = Plot {
        title: title.to_owned(),
        x: Axis::names(label, amounts.iter().map(u64::to_string).collect()),
        // The same for all four, so that they can be compared.
        y: Axis::log("time", 5.0, 5_000.0, millis),
        height: 280,
    };
    plot.draw(|frame| {
        if trouble == "slow-hubs" {
            frame.band(-0.5, f64::from(CLUSTER.0 - CLUSTER.1) + 0.5);
        }
        for (i, (patience, _)) in PATIENCE.into_iter().enumerate() {
            let look = Look::ALL[i];
            let aside = 9 * (i as i32 - 1);
            for point in points.iter().filter(|p| p.patience == patience) {
                let at = amounts.iter().position(|amount| *amount == point.amount);
                let (p50, p99) = if establish {
                    (point.establish_p50_ms, point.establish_p99_ms)
                } else {
                    (point.fetch_p50_ms, point.fetch_p99_ms)
                };
                let x = at.unwrap_or(0) as f64;
                frame.mark((x, p50), (p50, p99), aside, look);
            }
        }
    })
}
