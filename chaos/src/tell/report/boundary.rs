//! The one figure across all campaigns: does a key succeed, and how does that compare with N−K?

use std::cmp::Reverse;
use std::collections::BTreeMap;

use dske_report::number_table;
use dske_report::statistics::{Estimate, wilson};
use dske_report::text::{count, percent};
use maud::{Markup, html};

use super::boundary_chart::{FAR, Panel, Tally, legend};
use crate::summary::{BoundaryPoint, Resilience};

/// Clusters with a panel of their own; the table has all of them.
const PANELS: usize = 5;

/// The section; empty if there is nothing to show.
pub(super) fn section(summary: &Resilience) -> Markup {
    let measured = summary.boundary.iter().filter(|p| p.tried > 0);
    let mut points: Vec<BoundaryPoint> = measured.copied().collect();
    points.sort_by_key(|p| (p.hubs, p.threshold, p.down, p.lying));
    if points.is_empty() {
        return html! {};
    }
    let charted: Vec<&BoundaryPoint> = points.iter().filter(|p| p.lying < p.threshold).collect();
    html! {
        section #boundary {
            h2 { "How many hubs can fail before keys do" }
            p {
                "A key needs K honest hubs, out of N, that can be reached. Theory: it succeeds while no more than "
                b { "N − K" } " hubs are down or lying, and fails beyond. " (found(&charted))
            }
            figure {
                (legend())
                div.panels { @for panel in panels(&charted) { div { (panel.draw()) } } }
                figcaption {
                    "Whiskers: 95 % confidence (Wilson). Shaded, with the step: what theory promises. Under the axis, n: how \
                     many pairs of calls (master and slave) were measured. Pairs during which PSRD was cut off or a client was \
                     down are left out. " b { "What to look for:" } " every point on the step, at the top up to the boundary \
                     and at the bottom after it. A point that hangs below the step is worth a look, because theory promises \
                     success there. A point above the step means that a hub failed or lied only before or after it did its \
                     part." (excluded(&points))
                }
            }
            (table(&points))
        }
    }
}

fn found(charted: &[&BoundaryPoint]) -> Markup {
    let is_promised = |p: &&&BoundaryPoint| lost(p) <= allowed(p);
    let inside = Tally::of(charted.iter().filter(is_promised).copied());
    let beyond = Tally::of(charted.iter().filter(|p| !is_promised(p)).copied());
    html! {
        "Measured " (rate("up to the boundary", inside)) " " (rate("Beyond it", beyond))
    }
}

fn rate(place: &str, tally: Tally) -> Markup {
    html! {
        (place) ": "
        @if let Some(Estimate { low, high, .. }) = wilson(tally.succeeded, tally.tried) {
            b { (count(tally.succeeded)) " of " (count(tally.tried)) } " succeeded ("
            (percent(tally.succeeded, tally.tried)) ", 95 % confidence " (interval(low, high)) ")."
        } @else {
            "not measured."
        }
    }
}

fn interval(low: f64, high: f64) -> String {
    format!("{:.2}–{:.2} %", low * 100.0, high * 100.0)
}

fn excluded(points: &[BoundaryPoint]) -> Markup {
    let excluded = Tally::of(points.iter().filter(|p| p.lying >= p.threshold)).tried;
    html! {
        @if excluded > 0 {
            " " (count(excluded)) " pairs with K or more liars are only in the table: there DSKE promises nothing."
        }
    }
}

fn panels(charted: &[&BoundaryPoint]) -> Vec<Panel> {
    let mut clusters: BTreeMap<(u8, u8), Vec<&BoundaryPoint>> = BTreeMap::new();
    for point in charted {
        clusters
            .entry((point.hubs, point.threshold))
            .or_default()
            .push(point);
    }
    let mut each: Vec<Panel> = clusters
        .iter()
        .map(|((n, k), points)| Panel {
            title: format!("N = {n} hubs, K = {k}"),
            axis: "hubs down or lying",
            first: 0,
            last: i32::from(*n),
            promise: i32::from(*n) - i32::from(*k),
            tallies: tallies(points, lost),
        })
        .collect();
    // A stable sort: equally well measured clusters stay in order of N and K.
    each.sort_by_key(|panel| {
        let tallies = panel.tallies.values().flatten();
        Reverse(tallies.map(|tally| tally.tried).sum::<u64>())
    });
    each.truncate(PANELS);
    if clusters.len() > 1 {
        let tallies = tallies(charted, |p| (lost(p) - allowed(p)).clamp(-FAR, FAR));
        let first = tallies.keys().next().copied().unwrap_or(0).min(0);
        let last = tallies.keys().next_back().copied().unwrap_or(0).max(1);
        let title = format!("All {} clusters together", clusters.len());
        each.insert(
            0,
            Panel {
                title,
                axis: "hubs down or lying, minus (N − K)",
                first,
                last,
                promise: 0,
                tallies,
            },
        );
    }
    each
}

fn lost(p: &BoundaryPoint) -> i32 {
    i32::from(p.down) + i32::from(p.lying)
}

fn allowed(p: &BoundaryPoint) -> i32 {
    i32::from(p.hubs) - i32::from(p.threshold)
}

fn tallies(
    points: &[&BoundaryPoint],
    x: impl Fn(&BoundaryPoint) -> i32,
) -> BTreeMap<i32, [Tally; 2]> {
    let mut by_x: BTreeMap<i32, [Tally; 2]> = BTreeMap::new();
    for point in points {
        by_x.entry(x(point)).or_default()[usize::from(point.lying > 0)].add(point);
    }
    by_x
}

fn table(points: &[BoundaryPoint]) -> Markup {
    let heads = html! {
        th { "N" } th { "K" } th { "down" } th { "lying" } th { "theory" } th { "tried" } th { "succeeded" } th { "rate" }
        th { "95 % confidence" }
    };
    let rows = html! {
        @for p in points {
            @let (low, high) = wilson(p.succeeded, p.tried).map_or((0.0, 1.0), |rate| (rate.low, rate.high));
            tr {
                td { (p.hubs) }
                td { (p.threshold) }
                td { (p.down) }
                td { (p.lying) }
                td {
                    @match (p.lying >= p.threshold, lost(p) <= allowed(p)) {
                        (true, _) => "no promise",
                        (false, true) => "succeeds",
                        (false, false) => "fails",
                    }
                }
                td { (count(p.tried)) }
                td { (count(p.succeeded)) }
                td { (percent(p.succeeded, p.tried)) }
                td { (interval(low, high)) }
            }
        }
    };
    html! { details { summary { "The numbers behind it" } (number_table(&heads, &rows)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(hubs: u8, down: u8, lying: u8, tried: u64, succeeded: u64) -> BoundaryPoint {
        BoundaryPoint {
            hubs,
            threshold: 3,
            down,
            lying,
            tried,
            succeeded,
        }
    }

    fn render(boundary: Vec<BoundaryPoint>) -> String {
        section(&Resilience {
            boundary,
            ..Default::default()
        })
        .into_string()
    }

    #[test]
    fn unmeasured_conditions_draw_nothing() {
        assert_eq!(render(vec![]), "");
        assert_eq!(render(vec![point(5, 1, 0, 0, 0)]), "");
    }

    #[test]
    fn calls_count_on_their_side_of_the_boundary() {
        let html = render(vec![
            point(5, 1, 1, 40, 39),
            point(5, 2, 1, 10, 0),
            point(5, 0, 3, 7, 7),
        ]);
        assert!(
            html.contains("up to the boundary: <b>39 of 40</b>"),
            "{html}"
        );
        assert!(html.contains("Beyond it: <b>0 of 10</b>"));
        assert!(html.contains("7 pairs with K or more liars") && html.contains("no promise"));
    }

    #[test]
    fn several_clusters_are_also_drawn_together() {
        let html = render(vec![point(5, 0, 0, 10, 10), point(7, 1, 0, 20, 20)]);
        assert!(html.contains("All 2 clusters together"));
        assert!(html.contains("N = 5 hubs, K = 3") && html.contains("N = 7 hubs, K = 3"));
        assert!(!render(vec![point(5, 0, 0, 10, 10)]).contains("clusters together"));
    }

    #[test]
    fn a_threshold_above_the_hubs_is_drawn_without_panic() {
        assert!(render(vec![point(1, 0, 0, 3, 0), point(1, 200, 2, 3, 9)]).contains("<svg"));
    }
}
