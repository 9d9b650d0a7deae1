//! How long a key takes between cities.

use dske_report::Section;
use dske_report::bars::{self, ROW};
use dske_report::canvas::Ink;
use dske_report::text::{millis, trim};
use maud::{Markup, html};

use super::numbers;
use crate::explore::sweep::Sweep;
use crate::explore::sweep::wan::{CLUSTER, Link, Point, SLOW_MS};

/// What a published demonstration of DSKE over continental distances reports (arXiv:2205.00615): below 70 ms.
pub(super) const PUBLISHED_MS: f64 = 70.0;

/// The section; empty if nothing was measured.
pub(super) fn section(sweep: &Sweep) -> Markup {
    let mut profiles: Vec<&str> = sweep.wan.iter().map(|p| p.profile.as_str()).collect();
    profiles.dedup();
    let Some(first) = sweep.wan.first() else {
        return html! {};
    };
    let steps = profiles.iter().filter_map(|profile| {
        let point = sweep.wan.iter().find(|p| p.profile == *profile)?;
        Some(format!("{} in {profile}", exact(point.resolution_ms)))
    });
    let steps: Vec<String> = steps.collect();
    Section {
        id: "wan",
        title: "How long a key takes between cities",
        lead: html! {
            "N = " (CLUSTER.0) ", K = " (CLUSTER.1) ". One round trip establishes a key: the master sends all shares at once, \
             and needs the answers of K hubs. One more round trip fetches it. So each takes as long as the round trip to the \
             K-th nearest hub or, where the master waits for the others, to the farthest. For each part of the world the round \
             trips come first, with the K nearest hubs dark. Then comes what was measured: with all hubs up, and with the hub \
             nearest to both clients down, " (SLOW_MS) " ms slow, or lying about its shares."
        },
        legend: bars::legend(&BARS),
        panels: html! {
            @for profile in &profiles { (round_trips(sweep, profile)) (times(sweep, profile)) }
        },
        caption: html! {
            "Bars: medians; whiskers: 99th percentile of both together, of " (first.arrived.tried) " keys each; each group of \
             bars has its own scale. Latencies are typical values computed from distance (great circle × 1.5 at 5 µs/km, plus \
             jitter), not measurements. Time is cut into steps of " (steps.join(", ")) ". " b { "What to learn:" }
            " without a grace period a bad hub costs no more than the way to the next nearest; with one, a single hub that is \
             down costs all of it. The published demonstration of DSKE, with hubs thousands of kilometres away, reports a \
             latency below 70 ms (arXiv:2205.00615; dashed): " (compared(&sweep.wan)) ". The same order of magnitude does not \
             prove the same set-up, which the publication does not give in all detail."
        },
        tables: numbers(sweep, &["wan", "wan-links"]),
    }
    .html()
}

fn compared(points: &[Point]) -> String {
    let continental = find(points, "continental", "all-up", 0);
    continental.map_or_else(String::new, |p| {
        format!(
            "here, between Toronto and Vancouver, it is {} in the median, if the master returns at K",
            exact(p.both_p50_ms)
        )
    })
}

/// What was measured in one part of the world, under one condition, with one grace period.
pub(super) fn find<'a>(
    points: &'a [Point],
    profile: &str,
    condition: &str,
    grace_ms: u64,
) -> Option<&'a Point> {
    let wanted = (profile, condition, grace_ms);
    let of = |p: &&Point| (p.profile.as_str(), p.condition.as_str(), p.grace_ms) == wanted;
    points.iter().find(of)
}

/// As fine as time is cut where it matters.
fn exact(ms: f64) -> String {
    if ms >= 100.0 {
        return millis(ms);
    }
    format!("{} ms", trim(ms, 2))
}

const BARS: [(&str, Ink); 2] = [
    ("establish (median)", Ink::Down),
    ("fetch (median)", Ink::Lying),
];

/// Round trips, nearest first, of both clients.
fn round_trips(sweep: &Sweep, profile: &str) -> Markup {
    let links = |role: &str| {
        let of = |link: &&Link| (link.profile.as_str(), link.role.as_str()) == (profile, role);
        let mut links: Vec<&Link> = sweep.wan_links.iter().filter(of).collect();
        links.sort_by(|a, b| a.one_way_ms.total_cmp(&b.one_way_ms));
        links
    };
    let (master, slave) = (links("master"), links("slave"));
    let longest = master
        .iter()
        .chain(&slave)
        .map(|link| 2.0 * link.one_way_ms);
    let most_ms = longest.fold(0.1, f64::max);
    let count = (master.len() + slave.len() + 2) as i32;
    let title = format!("{profile}: round trips to the hubs");
    bars::draw(&title, most_ms, 30 + ROW * count, |rows| {
        let mut y = 36;
        for links in [master, slave] {
            let Some(first) = links.first() else { continue };
            let text = format!("{} ({})", first.client, first.role);
            rows.heading(y, &text);
            y += ROW;
            for (i, link) in links.iter().enumerate() {
                let ink = if i < usize::from(CLUSTER.1) {
                    Ink::Text
                } else {
                    Ink::Grid
                };
                rows.label(y, &link.hub, Ink::Text);
                rows.bar(y, 0.0, 2.0 * link.one_way_ms, ink);
                rows.value(y, 2.0 * link.one_way_ms, &millis(2.0 * link.one_way_ms));
                y += ROW;
            }
        }
    })
}

/// What was measured. Each grace period has its own scale, because short times could not be seen beside long ones.
fn times(sweep: &Sweep, profile: &str) -> Markup {
    let points = sweep.wan.iter().filter(|p| p.profile == profile);
    let points: Vec<&Point> = points.collect();
    let mut graces: Vec<u64> = points.iter().map(|p| p.grace_ms).collect();
    graces.sort_unstable();
    graces.dedup();
    let of = |grace_ms: &u64| {
        let of_grace = points.iter().filter(|p| p.grace_ms == *grace_ms).copied();
        panel(profile, *grace_ms, &of_grace.collect::<Vec<_>>())
    };
    html! { div { @for grace_ms in &graces { (of(grace_ms)) } } }
}

fn panel(profile: &str, grace_ms: u64, points: &[&Point]) -> Markup {
    let is_compared = profile == "continental";
    let least = if is_compared { 1.1 * PUBLISHED_MS } else { 0.1 };
    let most_ms = points.iter().map(|p| p.both_p99_ms).fold(least, f64::max);
    let title = match grace_ms {
        0 => format!("{profile}: a key, if the master returns at K"),
        ms => format!("{profile}: if it waits up to {ms} ms for the others"),
    };
    let height = 26 + ROW * (points.len() as i32 + i32::from(is_compared));
    bars::draw(&title, most_ms, height, |rows| {
        let mut y = 36;
        for point in points {
            rows.label(y, words(&point.condition), Ink::Text);
            let between = point.establish_p50_ms;
            rows.bar(y, 0.0, between, Ink::Down);
            rows.bar(y, between, between + point.fetch_p50_ms, Ink::Lying);
            let medians = between + point.fetch_p50_ms;
            rows.whisker(y, medians, point.both_p99_ms);
            rows.value(y, point.both_p99_ms, &exact(point.both_p50_ms));
            y += ROW;
        }
        if is_compared {
            rows.limit(y, PUBLISHED_MS, "published: below 70 ms");
        }
    })
}

fn words(condition: &str) -> &str {
    match condition {
        "all-up" => "all hubs up",
        "one-down" => "nearest down",
        "one-slow" => "nearest slow",
        "one-lying" => "nearest lying",
        other => other,
    }
}
