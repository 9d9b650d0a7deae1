//! Keys that colluding hubs find out.

use dske_report::Section;
use dske_report::canvas::Ink;
use dske_report::plot::{Axis, Look, Plot, legend};
use dske_report::text::{count, percent};
use maud::{Markup, html};

use super::numbers;
use crate::explore::sweep::Sweep;
use crate::explore::sweep::collusion::Point;

/// The section; empty if nothing was measured.
pub(super) fn section(sweep: &Sweep) -> Markup {
    let Some(first) = sweep.collusion.first() else {
        return html! {};
    };
    let clusters = sweep.collusion.iter().map(|p| (p.hubs, p.threshold));
    let mut clusters: Vec<(u8, u8)> = clusters.collect();
    clusters.dedup();
    Section {
        id: "collusion",
        title: "How many hubs have to collude to know a key",
        lead: html! {
            "Hubs pool the PSRD that they hold and read every byte on the wire. They decrypt what was deposited with them, take \
             ciphertext for shares where they have nothing else, interpolate, and check the result against the public tag. \
             Each mark is such an attack on " (count(first.found.tried)) " keys. What the attack finds is then compared with \
             the keys that the SAEs got."
        },
        legend: legend(&[
            ("keys from the generator", Look::ALL[0]),
            ("keys from PSRD", Look::ALL[1]),
        ]),
        panels: html! { @for cluster in clusters { (panel(sweep, cluster)) } },
        caption: html! {
            b { "What to learn:" } " K − 1 hubs with the whole wire find nothing, K find everything; there is nothing in \
             between. " (found(&sweep.collusion)) " Whiskers: 95 % confidence. Shaded: where theory says that everything is \
             found. That fewer than K hubs " i { "cannot" } " know more is what the invariant " b { "secrecy" } " shows on the \
             same runs: for K − 1 hubs it builds a world in which another key was the right one."
        },
        tables: numbers(sweep, &["collusion"]),
    }
    .html()
}

/// What was found below K and from K on.
pub(super) fn found(points: &[Point]) -> String {
    let sum = |in_theory: bool| {
        let side = points.iter().filter(|p| p.found_in_theory == in_theory);
        side.fold((0, 0), |(found, tried), p| {
            (found + p.found.succeeded, tried + p.found.tried)
        })
    };
    let (below, above) = (sum(false), sum(true));
    format!(
        "Fewer than K found {} of {} keys, K or more {} of {} ({}).",
        count(below.0),
        count(below.1),
        count(above.0),
        count(above.1),
        percent(above.0, above.1)
    )
}

fn panel(sweep: &Sweep, (hubs, threshold): (u8, u8)) -> Markup {
    let plot = Plot {
        title: format!("N = {hubs}, K = {threshold}"),
        x: Axis::names(
            "hubs that collude",
            (0..=hubs).map(|hubs| hubs.to_string()).collect(),
        ),
        y: Axis::linear("keys found, %", 100.0, |value| format!("{value:.0}")),
        height: 210,
    };
    plot.draw(|frame| {
        let (k, n) = (f64::from(threshold), f64::from(hubs));
        frame.band(k - 0.5, n + 0.5);
        let step = [
            (-0.5, 0.0),
            (k - 0.5, 0.0),
            (k - 0.5, 100.0),
            (n + 0.5, 100.0),
        ];
        frame.path(&step, Ink::Text, 2);
        let of_cluster = |p: &&Point| (p.hubs, p.threshold) == (hubs, threshold);
        for point in sweep.collusion.iter().filter(of_cluster) {
            let (aside, look) = match point.key_source.as_str() {
                "psrd" => (6, Look::ALL[1]),
                _ => (-6, Look::ALL[0]),
            };
            let at = (f64::from(point.colluding), 100.0 * point.found.rate);
            let whisker = (100.0 * point.found.low, 100.0 * point.found.high);
            frame.mark(at, whisker, aside, look);
        }
    })
}
