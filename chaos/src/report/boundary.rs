//! The one chart across all campaigns: does a key succeed, and how does that compare with N−K?

use std::collections::BTreeMap;

use dske_report::canvas::{Align, Canvas, Fit, Ink};
use dske_report::text::{count, percent, short};

use super::stats::wilson;
use crate::summary::{BoundaryPoint, Resilience};

/// Clusters with a panel of their own; the table has all of them.
const PANELS: usize = 5;

/// Hubs to each side of the boundary of all clusters together; what is farther off is counted with the last.
const FAR: i32 = 4;

/// Calls and successes.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    tried: u64,
    succeeded: u64,
}

impl Tally {
    fn add(&mut self, point: &BoundaryPoint) {
        self.tried += point.tried;
        self.succeeded += point.succeeded.min(point.tried);
    }

    fn of<'a>(points: impl Iterator<Item = &'a BoundaryPoint>) -> Self {
        let mut tally = Self::default();
        points.for_each(|point| tally.add(point));
        tally
    }
}

/// One set of axes: what is on x is counted from `first` to `last`, and theory promises success up to `promise`.
struct Panel {
    title: String,
    axis: &'static str,
    first: i32,
    last: i32,
    promise: i32,
    /// By x: calls with no liar, and with at least one.
    tallies: BTreeMap<i32, [Tally; 2]>,
}

/// The section, or an empty string where there is nothing to show.
pub(super) fn section(summary: &Resilience) -> String {
    let mut points: Vec<BoundaryPoint> = summary
        .boundary
        .iter()
        .filter(|p| p.tried > 0)
        .copied()
        .collect();
    points.sort_by_key(|p| (p.hubs, p.threshold, p.down, p.lying));
    if points.is_empty() {
        return String::new();
    }
    let charted: Vec<&BoundaryPoint> = points.iter().filter(|p| p.lying < p.threshold).collect();
    let panels: String = panels(&charted)
        .iter()
        .map(|panel| format!("<div>{}</div>", panel.draw()))
        .collect();
    format!(
        r#"<section id="boundary"><h2>How many hubs can fail before keys do</h2>
<p>A key needs K honest hubs that can be reached out of N. Theory: it succeeds while no more than <b>N − K</b> hubs are
down or lying, and fails beyond. {found}</p>
<figure><p class="keys">{legend}</p><div class="panels">{panels}</div>
<figcaption>Whiskers: 95 % confidence (Wilson). Shaded, with the step: what theory promises. Under the axis, n:
how many pairs of calls (master and slave) were measured; those during which PSRD was cut off or a client was down are
left out. <b>What to look for:</b> every point on the step, at the top up to the
boundary and at the bottom after it; a point that hangs below the step is worth a look, for theory promises success
there; one above it means that a hub failed or lied only before or after its part was done.{excluded}</figcaption></figure>
{table}</section>"#,
        found = found(&charted),
        legend = legend(),
        excluded = excluded(&points),
        table = table(&points),
    )
}

fn found(charted: &[&BoundaryPoint]) -> String {
    let promised = |p: &&&BoundaryPoint| lost(p) <= allowed(p);
    let inside = Tally::of(charted.iter().filter(|p| promised(p)).copied());
    let beyond = Tally::of(charted.iter().filter(|p| !promised(p)).copied());
    let say = |tally: Tally, place: &str| match wilson(tally.succeeded, tally.tried) {
        None => format!("{place}: not measured."),
        Some((low, high)) => format!(
            "{place}: <b>{} of {}</b> succeeded ({}, 95 % confidence {:.2}–{:.2} %).",
            count(tally.succeeded),
            count(tally.tried),
            percent(tally.succeeded, tally.tried),
            low * 100.0,
            high * 100.0
        ),
    };
    format!(
        "Measured {} {}",
        say(inside, "up to the boundary"),
        say(beyond, "Beyond it")
    )
}

fn excluded(points: &[BoundaryPoint]) -> String {
    match Tally::of(points.iter().filter(|p| p.lying >= p.threshold)).tried {
        0 => String::new(),
        n => format!(
            " {} pairs with K or more liars are only in the table: there DSKE promises nothing.",
            count(n)
        ),
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
        std::cmp::Reverse(
            panel
                .tallies
                .values()
                .flatten()
                .map(|t| t.tried)
                .sum::<u64>(),
        )
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

const WIDTH: i32 = 450;
const HEIGHT: i32 = 310;
const LEFT: i32 = 52;
const RIGHT: i32 = WIDTH - 12;
const TOP: i32 = 34;
const BOTTOM: i32 = HEIGHT - 78;

impl Panel {
    fn draw(&self) -> String {
        let label = format!(
            "{}: share of keys that succeeded against {}",
            self.title, self.axis
        );
        Canvas::draw((WIDTH, HEIGHT), Fit::Shrink, &label, |canvas| {
            canvas.text(&self.title, (LEFT, 14), 14.0, Align::Start, Ink::Text);
            self.draw_axes(canvas);
            self.draw_theory(canvas);
            for (x, [quiet, lying]) in &self.tallies {
                self.draw_point(canvas, *x, *quiet, false);
                self.draw_point(canvas, *x, *lying, true);
            }
        })
        .0
    }

    /// The pixel of `x`, which may lie between two counts.
    fn at(&self, x: f64) -> i32 {
        let span = f64::from(self.last - self.first + 1);
        let part = (x - f64::from(self.first) + 0.5) / span;
        (f64::from(LEFT) + part * f64::from(RIGHT - LEFT)).round() as i32
    }

    fn draw_axes(&self, canvas: &Canvas<'_>) {
        for percent in [0, 25, 50, 75, 100] {
            let y = height(f64::from(percent) / 100.0);
            canvas.line((LEFT, y), (RIGHT, y), Ink::Grid, 1);
            canvas.text(
                &format!("{percent} %"),
                (LEFT - 6, y),
                12.0,
                Align::End,
                Ink::Muted,
            );
        }
        canvas.dot((LEFT - 28, BOTTOM + 32), 4, Ink::Down);
        canvas.diamond((LEFT - 28, BOTTOM + 47), 5, Ink::Lying);
        for row in [32, 47] {
            canvas.text("n", (LEFT - 8, BOTTOM + row), 11.0, Align::End, Ink::Muted);
        }
        canvas.text(
            self.axis,
            (i32::midpoint(LEFT, RIGHT), HEIGHT - 10),
            13.0,
            Align::Middle,
            Ink::Text,
        );
        for x in self.first..=self.last {
            let name = match x {
                x if x == -FAR => format!("≤ −{FAR}"),
                x if x == FAR && self.first < 0 => format!("≥ +{FAR}"),
                x if x > 0 && self.first < 0 => format!("+{x}"),
                x => x.to_string().replace('-', "−"),
            };
            canvas.text(
                &name,
                (self.at(f64::from(x)), BOTTOM + 15),
                13.0,
                Align::Middle,
                Ink::Text,
            );
        }
    }

    fn draw_theory(&self, canvas: &Canvas<'_>) {
        let step = self.at(f64::from(self.promise) + 0.5);
        canvas.rectangle((LEFT, height(1.0)), (step, BOTTOM), Ink::Band);
        let stair = [
            (LEFT, height(1.0)),
            (step, height(1.0)),
            (step, BOTTOM),
            (RIGHT, BOTTOM),
        ];
        canvas.path(&stair, Ink::Text, 2);
        let (x, align) = if step > RIGHT - 110 {
            (step - 6, Align::End)
        } else {
            (step + 6, Align::Start)
        };
        canvas.text(
            "boundary N − K",
            (x, height(0.875)),
            12.0,
            align,
            Ink::Muted,
        );
    }

    fn draw_point(&self, canvas: &Canvas<'_>, x: i32, tally: Tally, lying: bool) {
        let Some((low, high)) = wilson(tally.succeeded, tally.tried) else {
            return;
        };
        let (offset, ink, row) = if lying {
            (0.14, Ink::Lying, 47)
        } else {
            (-0.14, Ink::Down, 32)
        };
        let x_mark = self.at(f64::from(x) + offset);
        canvas.line((x_mark, height(low)), (x_mark, height(high)), ink, 2);
        for end in [low, high] {
            canvas.line((x_mark - 4, height(end)), (x_mark + 4, height(end)), ink, 2);
        }
        #[allow(clippy::cast_precision_loss)] // counts of calls are far below 2^52
        let y = height(tally.succeeded as f64 / tally.tried as f64);
        if lying {
            canvas.diamond((x_mark, y), 7, ink);
        } else {
            canvas.dot((x_mark, y), 6, ink);
        }
        canvas.text(
            &short(tally.tried),
            (self.at(f64::from(x)), BOTTOM + row),
            11.0,
            Align::Middle,
            Ink::Muted,
        );
    }
}

fn height(rate: f64) -> i32 {
    (f64::from(BOTTOM) - rate * f64::from(BOTTOM - TOP)).round() as i32
}

fn legend() -> String {
    let swatch = |label: &str, paint: &dyn Fn(&Canvas<'_>)| {
        format!(
            r#"<span class="key">{}{label}</span> "#,
            Canvas::draw((18, 16), Fit::Shrink, label, paint).0
        )
    };
    swatch("hubs only down", &|c| c.dot((9, 8), 6, Ink::Down))
        + &swatch("one or more hubs lying", &|c| {
            c.diamond((9, 8), 7, Ink::Lying)
        })
}

fn table(points: &[BoundaryPoint]) -> String {
    let rows: String = points
        .iter()
        .map(|p| {
            let theory = match (p.lying >= p.threshold, lost(p) <= allowed(p)) {
                (true, _) => "no promise",
                (false, true) => "succeeds",
                (false, false) => "fails",
            };
            let (low, high) = wilson(p.succeeded, p.tried).unwrap_or((0.0, 1.0));
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{theory}</td><td>{}</td><td>{}</td><td>{}</td>\
                 <td>{:.2}–{:.2} %</td></tr>\n",
                p.hubs,
                p.threshold,
                p.down,
                p.lying,
                count(p.tried),
                count(p.succeeded),
                percent(p.succeeded, p.tried),
                low * 100.0,
                high * 100.0,
            )
        })
        .collect();
    format!(
        r#"<details><summary>The numbers behind it</summary><div class="scroll"><table class="numbers">
<thead><tr><th>N</th><th>K</th><th>down</th><th>lying</th><th>theory</th><th>tried</th><th>succeeded</th><th>rate</th>
<th>95 % confidence</th></tr></thead><tbody>
{rows}</tbody></table></div></details>"#
    )
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
