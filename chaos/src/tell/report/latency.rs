//! How long calls took, as a histogram over simulated time.

use dske_report::canvas::{Align, Canvas, Fit, Ink};
use dske_report::text::{counted, millis, short};
use maud::{Markup, html};

use crate::summary::Distribution;

const WIDTH: i32 = 450;
const HEIGHT: i32 = 230;
const LEFT: i32 = 44;
const RIGHT: i32 = WIDTH - 24;
const TOP: i32 = 56;
const BOTTOM: i32 = HEIGHT - 44;

/// A figure with the histogram of successful calls, or a sentence where there were none.
pub(super) fn figure(title: &str, calls: &Distribution) -> Markup {
    if calls.count == 0 {
        return html! { figure { figcaption { b { (title) } ": no successful call." } } };
    }
    html! {
        figure {
            @if let Some(buckets) = Buckets::of(calls) { (buckets.draw(title, calls)) }
            figcaption {
                b { (title) } ", " (counted(calls.count, "call")) ": half within " (millis(calls.p50)) ", 90 % within "
                (millis(calls.p90)) ", 99 % within " (millis(calls.p99)) ", longest " (millis(calls.max)) "."
            }
        }
    }
}

/// The buckets, from the first to the last that is not empty.
struct Buckets {
    counts: Vec<u64>,
    /// One more than `counts`: lower edges, and the end of the last bucket.
    edges: Vec<f64>,
}

impl Buckets {
    fn of(calls: &Distribution) -> Option<Self> {
        let n = calls.buckets.len().min(calls.edges.len());
        let first = calls.buckets[..n].iter().position(|count| *count > 0)?;
        let last = calls.buckets[..n].iter().rposition(|count| *count > 0)?;
        let mut edges = calls.edges[first..=last].to_vec();
        // The last bucket is open: it ends where the next one would begin, or at the largest sample.
        let open_end = calls.max.max(calls.edges[last] * 1.25 + 0.1);
        edges.push(calls.edges.get(last + 1).copied().unwrap_or(open_end));
        Some(Self {
            counts: calls.buckets[first..=last].to_vec(),
            edges,
        })
    }

    fn draw(&self, title: &str, calls: &Distribution) -> Markup {
        let label = format!("Histogram of {title} in simulated time");
        Canvas::draw((WIDTH, HEIGHT), Fit::Shrink, &label, |canvas| {
            self.draw_bars(canvas);
            self.draw_axis(canvas);
            // The highest percentile has the top label, so that no line crosses the label of another.
            for (row, (name, value)) in [("p99", calls.p99), ("p90", calls.p90), ("p50", calls.p50)]
                .iter()
                .enumerate()
            {
                self.draw_percentile(canvas, row as i32, name, *value);
            }
        })
    }

    fn draw_bars(&self, canvas: &Canvas<'_>) {
        let most = self.counts.iter().copied().max().unwrap_or(1).max(1);
        for share in [0_u8, 1, 2] {
            let y = BOTTOM - i32::from(share) * (BOTTOM - TOP) / 2;
            canvas.line((LEFT, y), (RIGHT, y), Ink::Grid, 1);
        }
        canvas.text("0", (LEFT - 6, BOTTOM), 12.0, Align::End, Ink::Muted);
        canvas.text(&short(most), (LEFT - 6, TOP), 12.0, Align::End, Ink::Muted);
        for (i, count) in self.counts.iter().enumerate() {
            if *count == 0 {
                continue;
            }
            let tall =
                u128::from(*count) * u128::from((BOTTOM - TOP).unsigned_abs()) / u128::from(most);
            // At least a pixel and a half: a single slow call must be visible.
            let top = BOTTOM - i32::try_from(tall).unwrap_or(0).max(2);
            let right = (self.x(i + 1) - 1).max(self.x(i) + 1);
            canvas.rectangle((self.x(i), top), (right, BOTTOM), Ink::Down);
        }
    }

    fn draw_axis(&self, canvas: &Canvas<'_>) {
        canvas.line((LEFT, BOTTOM), (RIGHT, BOTTOM), Ink::Text, 1);
        let every = self.counts.len().div_ceil(5).max(1);
        for (i, edge) in self.edges.iter().enumerate().step_by(every) {
            canvas.line((self.x(i), BOTTOM), (self.x(i), BOTTOM + 4), Ink::Text, 1);
            canvas.text(
                &millis(*edge),
                (self.x(i), BOTTOM + 14),
                12.0,
                Align::Middle,
                Ink::Text,
            );
        }
        let middle = i32::midpoint(LEFT, RIGHT);
        canvas.text(
            "simulated time (bars widen to the right)",
            (middle, HEIGHT - 10),
            12.0,
            Align::Middle,
            Ink::Muted,
        );
    }

    fn draw_percentile(&self, canvas: &Canvas<'_>, row: i32, name: &str, value: f64) {
        let (x, y) = (self.position(value), 10 + row * 16);
        canvas.line((x, y - 6), (x, BOTTOM), Ink::Text, 2);
        let (at, align) = if x > 90 {
            (x - 5, Align::End)
        } else {
            (x + 5, Align::Start)
        };
        canvas.text(
            &format!("{name} {}", millis(value)),
            (at, y),
            12.0,
            align,
            Ink::Text,
        );
    }

    /// The left pixel of bucket `i`.
    fn x(&self, i: usize) -> i32 {
        let n = i32::try_from(self.counts.len()).unwrap_or(i32::MAX).max(1);
        let i = i32::try_from(i).unwrap_or(n).min(n);
        LEFT + (i64::from(RIGHT - LEFT) * i64::from(i) / i64::from(n)) as i32
    }

    /// The pixel of a duration: linear inside its bucket.
    fn position(&self, value: f64) -> i32 {
        let after = self
            .edges
            .partition_point(|edge| *edge <= value)
            .clamp(1, self.counts.len());
        let (low, high) = (self.edges[after - 1], self.edges[after]);
        let part = if high > low {
            ((value - low) / (high - low)).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let (left, right) = (self.x(after - 1), self.x(after));
        left + (part * f64::from(right - left)).round() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(buckets: Vec<u64>, edges: Vec<f64>, max: f64) -> Distribution {
        let count = buckets.iter().sum();
        Distribution {
            count,
            p50: max / 2.0,
            p90: max,
            p99: max,
            max,
            buckets,
            edges,
        }
    }

    #[test]
    fn no_calls_is_said_and_not_drawn() {
        let html = figure("master call", &Distribution::default()).into_string();
        assert!(html.contains("no successful call") && !html.contains("<svg"));
    }

    #[test]
    fn counts_without_buckets_still_give_the_numbers() {
        let calls = Distribution {
            count: 1,
            p50: 4.0,
            p90: 4.0,
            p99: 4.0,
            max: 4.0,
            ..Default::default()
        };
        let html = figure("master call", &calls).into_string();
        assert!(html.contains("1 call: half within 4 ms") && !html.contains("<svg"));
    }

    #[test]
    fn empty_buckets_at_the_ends_are_cut() {
        let buckets = Buckets::of(&sample(
            vec![0, 3, 0, 2, 0],
            vec![0.0, 1.0, 2.0, 4.0, 8.0],
            6.0,
        ));
        let buckets = buckets.expect("there are samples");
        assert_eq!(
            (buckets.counts, buckets.edges),
            (vec![3, 0, 2], vec![1.0, 2.0, 4.0, 8.0])
        );
    }

    #[test]
    fn the_open_bucket_ends_at_the_largest_sample() {
        let buckets =
            Buckets::of(&sample(vec![0, 3], vec![0.0, 10.0], 80.0)).expect("there are samples");
        assert_eq!(buckets.edges, [10.0, 80.0]);
        assert_eq!(
            (buckets.position(10.0), buckets.position(80.0)),
            (LEFT, RIGHT)
        );
        assert_eq!(
            (buckets.position(0.0), buckets.position(f64::INFINITY)),
            (LEFT, RIGHT)
        );
    }

    #[test]
    fn lists_of_different_length_and_odd_numbers_do_not_panic() {
        for calls in [
            sample(vec![1, 2, 3], vec![0.0], 5.0),
            sample(vec![1], vec![0.0, 1.0, 2.0], 0.0),
            sample(vec![1], vec![0.0], f64::NAN),
            sample(vec![u64::MAX - 1, 1], vec![5.0, 5.0], 5.0),
            Distribution {
                count: 5,
                ..Default::default()
            },
        ] {
            assert!(figure("x", &calls).0.contains("<figcaption>"));
        }
    }
}
