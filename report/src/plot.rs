//! Plots with two axes, and charts of series, all with one look.
//!
//! Axes are drawn here, and not by plotters' mesh: the mesh omits the labels of an axis whose line it omits, sets the
//! description of the vertical axis sideways, and takes names for chosen ticks only from a coordinate type of one's own.

use maud::{Markup, html};

use super::canvas::{Align, Canvas, Fit, Ink, key};
use super::statistics::Spread;
use super::text::count;

const WIDTH: i32 = 450;
const LEFT: i32 = 64;
const RIGHT: i32 = WIDTH - 14;
const TOP: i32 = 34;

/// An axis: where values lie on it, and which of them have names.
pub struct Axis {
    label: &'static str,
    from: f64,
    to: f64,
    is_log: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Names at the numbers 0, 1, 2 and so on, with half a step on either side.
    pub fn names(label: &'static str, names: Vec<String>) -> Self {
        Self {
            label,
            from: -0.5,
            to: names.len() as f64 - 0.5,
            is_log: false,
            ticks: names
                .into_iter()
                .enumerate()
                .map(|(i, name)| (i as f64, name))
                .collect(),
        }
    }

    /// From 0 to `most`, with the numbers in `named` written out.
    pub fn numbers(label: &'static str, most: f64, named: &[f64]) -> Self {
        Self {
            label,
            from: 0.0,
            to: most,
            is_log: false,
            ticks: named
                .iter()
                .map(|value| (*value, count(*value as u64)))
                .collect(),
        }
    }

    /// From one number to another, with names at the ticks.
    #[must_use]
    pub fn named(label: &'static str, (from, to): (f64, f64), ticks: Vec<(f64, String)>) -> Self {
        Self {
            label,
            from,
            to,
            is_log: false,
            ticks,
        }
    }

    /// From 0 to at least `most`, with about four round steps.
    pub fn linear(label: &'static str, most: f64, name: fn(f64) -> String) -> Self {
        let step = round_step(most / 4.0);
        let count = (most / step).ceil().max(1.0);
        Self {
            label,
            from: 0.0,
            to: count * step,
            is_log: false,
            ticks: (0..=count as u32)
                .map(|i| f64::from(i) * step)
                .map(|value| (value, name(value)))
                .collect(),
        }
    }

    /// A logarithmic axis over the whole powers of ten around both numbers.
    pub fn log(label: &'static str, least: f64, most: f64, name: fn(f64) -> String) -> Self {
        let first = least.max(1e-3).log10().floor() as i32;
        let last = (most.max(1e-3).log10().ceil() as i32).max(first + 1);
        let power = |i: i32| 10_f64.powi(i);
        Self {
            label,
            from: power(first),
            to: power(last),
            is_log: true,
            ticks: (first..=last).map(|i| (power(i), name(power(i)))).collect(),
        }
    }

    /// The position of a value, from 0 to 1.
    fn part(&self, value: f64) -> f64 {
        let (from, to, value) = if self.is_log {
            let value = value.max(self.from);
            (self.from.log10(), self.to.log10(), value.log10())
        } else {
            (self.from, self.to, value)
        };
        ((value - from) / (to - from)).clamp(0.0, 1.0)
    }
}

/// The smallest of 1, 2 or 5 times a power of ten that is at least `least`.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1e-9).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let enough = steps.into_iter().find(|step| *step >= least * 0.999);
    enough.unwrap_or(10.0 * power)
}

/// The shape of a mark. It tells series apart for readers who cannot tell the colours apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A circle.
    Dot,
    /// A square on its corner.
    Diamond,
    /// A triangle.
    Triangle,
    /// Two crossed strokes.
    Cross,
}

/// The look of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its colour.
    pub ink: Ink,
    /// Its mark.
    pub shape: Shape,
}

impl Look {
    /// The looks, in the order in which series take them.
    pub const ALL: [Self; 4] = [
        Self::new(Ink::Down, Shape::Dot),
        Self::new(Ink::Lying, Shape::Diamond),
        Self::new(Ink::Blame, Shape::Triangle),
        Self::new(Ink::Good, Shape::Cross),
    ];

    const fn new(ink: Ink, shape: Shape) -> Self {
        Self { ink, shape }
    }

    fn draw(self, canvas: &Canvas<'_>, at: (i32, i32)) {
        match self.shape {
            Shape::Dot => canvas.dot(at, 5, self.ink),
            Shape::Diamond => canvas.diamond(at, 6, self.ink),
            Shape::Triangle => canvas.triangle(at, 7, self.ink),
            Shape::Cross => canvas.cross(at, 5, self.ink),
        }
    }
}

/// A plot under its title. [`Chart`] draws series of figures; this is for everything else.
pub struct Plot {
    /// The title.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Height in pixels.
    pub height: i32,
}

impl Plot {
    /// Draws the axes, then what `paint` adds, as one panel.
    pub fn draw(&self, paint: impl FnOnce(&Frame<'_, '_>)) -> Markup {
        let label = format!("{}: {} against {}", self.title, self.y.label, self.x.label);
        let svg = Canvas::draw((WIDTH, self.height), Fit::Shrink, &label, |canvas| {
            let frame = Frame { plot: self, canvas };
            frame.axes();
            paint(&frame);
        });
        html! { div { (svg) } }
    }

    fn bottom(&self) -> i32 {
        self.height - 46
    }
}

/// The inside of a plot, for drawing.
pub struct Frame<'a, 'c> {
    plot: &'a Plot,
    canvas: &'a Canvas<'c>,
}

impl Frame<'_, '_> {
    fn axes(&self) {
        let (plot, canvas) = (self.plot, self.canvas);
        canvas.text(&plot.title, (LEFT, 13), 14.0, Align::Start, Ink::Text);
        for (value, name) in &plot.y.ticks {
            let y = self.y(*value);
            canvas.line((LEFT, y), (RIGHT, y), Ink::Grid, 1);
            canvas.text(name, (LEFT - 6, y), 12.0, Align::End, Ink::Muted);
        }
        canvas.line((LEFT, plot.bottom()), (RIGHT, plot.bottom()), Ink::Text, 1);
        for (value, name) in &plot.x.ticks {
            let at = (self.x(*value), plot.bottom() + 14);
            canvas.text(name, at, 12.0, Align::Middle, Ink::Text);
        }
        let middle = i32::midpoint(LEFT, RIGHT);
        let at = (middle, plot.height - 10);
        canvas.text(plot.x.label, at, 13.0, Align::Middle, Ink::Text);
        canvas.text(plot.y.label, (RIGHT, 13), 12.0, Align::End, Ink::Muted);
    }

    fn x(&self, value: f64) -> i32 {
        LEFT + (self.plot.x.part(value) * f64::from(RIGHT - LEFT)).round() as i32
    }

    fn y(&self, value: f64) -> i32 {
        let bottom = self.plot.bottom();
        bottom - (self.plot.y.part(value) * f64::from(bottom - TOP)).round() as i32
    }

    /// A line through points.
    pub fn path(&self, points: &[(f64, f64)], ink: Ink, width: u32) {
        let points: Vec<_> = points
            .iter()
            .map(|&(x, y)| (self.x(x), self.y(y)))
            .collect();
        self.canvas.path(&points, ink, width);
    }

    /// A mark, with a whisker from one value to another. `aside` shifts it by pixels, so that series do not hide each other.
    pub fn mark(&self, (x, y): (f64, f64), whisker: (f64, f64), aside: i32, look: Look) {
        let x = self.x(x) + aside;
        let (low, high) = (self.y(whisker.0), self.y(whisker.1));
        self.canvas.line((x, low), (x, high), look.ink, 2);
        for end in [low, high] {
            self.canvas.line((x - 4, end), (x + 4, end), look.ink, 2);
        }
        look.draw(self.canvas, (x, self.y(y)));
    }

    /// Shades everything between two values of x.
    pub fn band(&self, from: f64, to: f64) {
        let (from, to) = ((self.x(from), TOP), (self.x(to), self.plot.bottom()));
        self.canvas.rectangle(from, to, Ink::Band);
    }
}

/// Figures that share their axes.
pub struct Chart {
    /// The title.
    pub title: &'static str,
    /// The horizontal axis.
    pub x: Axis,
    /// Unit of the vertical axis.
    pub unit: &'static str,
    /// Scale of the vertical axis.
    pub scale: Scale,
    /// How values of the vertical axis are written.
    pub value: fn(f64) -> String,
    /// Height in pixels.
    pub height: i32,
    /// At most as many as there are [looks](Look::ALL).
    pub series: Vec<Series>,
}

/// The scale of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// From zero, in equal steps.
    Linear,
    /// In powers of ten.
    Log,
}

/// A figure at some points of the horizontal axis.
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, Spread)>,
}

impl Chart {
    /// The legend, empty for a single series.
    #[must_use]
    pub fn legend(&self) -> Markup {
        let names = self.series.iter().map(|series| series.name.as_str());
        let entries: Vec<(&str, Look)> = names.zip(Look::ALL).collect();
        html! { @if entries.len() > 1 { (legend(&entries)) } }
    }

    /// Draws each series as a line through its medians, with whiskers from the least to the most, as one panel.
    #[must_use]
    pub fn draw(self) -> Markup {
        let spreads = self.series.iter().flat_map(|series| &series.points);
        let (least, most) = spreads.fold((f64::MAX, 0.0_f64), |(least, most), (_, spread)| {
            (least.min(spread.low), most.max(spread.high))
        });
        let plot = Plot {
            title: self.title.to_owned(),
            x: self.x,
            y: match self.scale {
                Scale::Linear => Axis::linear(self.unit, most, self.value),
                Scale::Log => Axis::log(self.unit, least.min(most), most, self.value),
            },
            height: self.height,
        };
        plot.draw(|frame| {
            for (series, look) in self.series.iter().zip(Look::ALL) {
                let line: Vec<_> = series.points.iter().map(|(x, s)| (*x, s.median)).collect();
                frame.path(&line, look.ink, 2);
                for (x, spread) in &series.points {
                    frame.mark((*x, spread.median), (spread.low, spread.high), 0, look);
                }
            }
        })
    }
}

/// The legend: each mark with the name of its series.
pub fn legend(entries: &[(&str, Look)]) -> Markup {
    html! {
        p.keys {
            @for (name, look) in entries { (key(name, |canvas| look.draw(canvas, (9, 8)))) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_what_they_are_made_for() {
        let name = |value: f64| format!("{value}");
        let linear = Axis::linear("", 6_240.0, name);
        assert_eq!((linear.to, linear.ticks.len()), (8_000.0, 5));
        assert_eq!(Axis::linear("", 0.0, name).part(0.0), 0.0);
        let log = Axis::log("", 8.0, 1_666.0, name);
        assert_eq!((log.from, log.to, log.ticks.len()), (1.0, 10_000.0, 5));
        assert!((log.part(100.0) - 0.5).abs() < 1e-9);
        assert_eq!((log.part(0.0), log.part(1e9)), (0.0, 1.0));
        let names = Axis::names("", vec!["a".into(), "b".into()]);
        assert_eq!((names.part(-0.5), names.part(1.5)), (0.0, 1.0));
    }

    fn chart(series: &[&str]) -> Chart {
        let series = series.iter().enumerate().map(|(i, name)| Series {
            name: (*name).to_owned(),
            points: vec![(0.0, Spread::of([1.0 + i as f64, 30.0]).unwrap())],
        });
        Chart {
            title: "Time",
            x: Axis::names("condition", vec!["one".to_owned()]),
            unit: "ms",
            scale: Scale::Log,
            value: |value| format!("{value}"),
            height: 200,
            series: series.collect(),
        }
    }

    #[test]
    fn a_chart_holds_its_series_and_names_them_if_there_are_several() {
        let two = chart(&["<a>", "b"]);
        let legend = two.legend().into_string();
        assert!(legend.contains("&lt;a&gt;") && legend.contains("b</span>"));
        let drawn = two.draw().into_string();
        assert!(drawn.contains("aria-label=\"Time: ms against condition\""));
        assert!(drawn.contains("var(--down)") && drawn.contains("var(--lying)"));
        // The axis ends at the power of ten above the largest value.
        assert!(drawn.contains("\n100\n") && !drawn.contains("\n1000\n"));
        assert_eq!(chart(&["a"]).legend().into_string(), "");
        assert!(chart(&[]).draw().into_string().contains("</svg>"));
    }
}
