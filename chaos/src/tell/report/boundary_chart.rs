//! The chart of one cluster: the share of keys that succeeded, beside the step that theory promises.

use std::collections::BTreeMap;

use dske_report::canvas::{Align, Canvas, Fit, Ink, key};
use dske_report::statistics::{Estimate, wilson};
use dske_report::text::short;
use maud::{Markup, html};

use crate::summary::BoundaryPoint;

/// Hubs to each side of the boundary of all clusters together; what is farther off is counted with the last.
pub(super) const FAR: i32 = 4;

/// Calls and successes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) tried: u64,
    pub(super) succeeded: u64,
}

impl Tally {
    pub(super) fn add(&mut self, point: &BoundaryPoint) {
        self.tried += point.tried;
        self.succeeded += point.succeeded.min(point.tried);
    }

    pub(super) fn of<'a>(points: impl Iterator<Item = &'a BoundaryPoint>) -> Self {
        let mut tally = Self::default();
        points.for_each(|point| tally.add(point));
        tally
    }
}

/// One pair of axes. The x axis counts from `first` to `last`, and theory promises success up to `promise`.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) axis: &'static str,
    pub(super) first: i32,
    pub(super) last: i32,
    pub(super) promise: i32,
    /// By x: calls with no liar, and with at least one.
    pub(super) tallies: BTreeMap<i32, [Tally; 2]>,
}

const WIDTH: i32 = 450;
const HEIGHT: i32 = 310;
const LEFT: i32 = 52;
const RIGHT: i32 = WIDTH - 12;
const TOP: i32 = 34;
const BOTTOM: i32 = HEIGHT - 78;

impl Panel {
    pub(super) fn draw(&self) -> Markup {
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
        let Some(Estimate { low, high, .. }) = wilson(tally.succeeded, tally.tried) else {
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

/// What the marks stand for.
pub(super) fn legend() -> Markup {
    html! {
        p.keys {
            (key("hubs only down", |canvas| canvas.dot((9, 8), 6, Ink::Down)))
            (key("one or more hubs lying", |canvas| canvas.diamond((9, 8), 7, Ink::Lying)))
        }
    }
}
