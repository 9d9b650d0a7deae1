//! Rows of horizontal bars under a title, and groups of them that compare figures.

use maud::{Markup, html};

use super::canvas::{Align, Canvas, Fit, Ink, key};
use super::statistics::Spread;

const WIDTH: i32 = 450;
const LEFT: i32 = 128;
const RIGHT: i32 = WIDTH - 84;

/// Height of a row in pixels.
pub const ROW: i32 = 24;

/// Rows while they are drawn. The position of a row is the middle of its height, in pixels from the top.
pub struct Rows<'a, 'c> {
    most: f64,
    canvas: &'a Canvas<'c>,
}

/// Draws the title, then what `paint` adds, as one panel. The longest bar is `most`.
pub fn draw(title: &str, most: f64, height: i32, paint: impl FnOnce(&Rows<'_, '_>)) -> Markup {
    let svg = Canvas::draw((WIDTH, height), Fit::Shrink, title, |canvas| {
        canvas.text(title, (4, 13), 14.0, Align::Start, Ink::Text);
        paint(&Rows { most, canvas });
    });
    html! { div { (svg) } }
}

impl Rows<'_, '_> {
    fn x(&self, value: f64) -> i32 {
        LEFT + (value / self.most * f64::from(RIGHT - LEFT)).round() as i32
    }

    /// The name of a row, left of its bars.
    pub fn label(&self, y: i32, text: &str, ink: Ink) {
        self.canvas.text(text, (LEFT - 8, y), 12.0, Align::End, ink);
    }

    /// A bar from one value to another, at least one pixel long.
    pub fn bar(&self, y: i32, from: f64, to: f64, ink: Ink) {
        let (from, to) = (self.x(from), self.x(to).max(self.x(from) + 1));
        self.canvas.rectangle((from, y - 7), (to, y + 7), ink);
    }

    /// Text to the right of a value.
    pub fn value(&self, y: i32, at: f64, text: &str) {
        let at = (self.x(at) + 8, y);
        self.canvas.text(text, at, 12.0, Align::Start, Ink::Text);
    }

    /// A line from one value to another, with a stroke across its end.
    pub fn whisker(&self, y: i32, from: f64, to: f64) {
        let (from, to) = (self.x(from), self.x(to));
        self.canvas.line((from, y), (to, y), Ink::Text, 1);
        self.canvas.line((to, y - 4), (to, y + 4), Ink::Text, 1);
    }

    /// A heading for the rows that follow.
    pub fn heading(&self, y: i32, text: &str) {
        self.canvas
            .text(text, (4, y), 13.0, Align::Start, Ink::Text);
    }

    /// A dashed line at a value through all rows above, with its name to its left.
    pub fn limit(&self, y: i32, at: f64, text: &str) {
        let x = self.x(at);
        self.canvas.dashes(x, (26, y), Ink::Bad);
        self.canvas
            .text(text, (x - 6, y), 12.0, Align::End, Ink::Bad);
    }
}

/// A figure as a bar.
pub struct Bar<'a> {
    /// Its name.
    pub name: &'a str,
    /// The figure, if it was measured.
    pub figure: Option<Spread>,
    /// Its colour.
    pub ink: Ink,
}

/// Draws groups of bars under their headings, as one panel. Bars are medians, and whiskers reach to the most. `value` writes
/// a median.
pub fn groups(title: &str, value: fn(f64) -> String, groups: &[(String, Vec<Bar<'_>>)]) -> Markup {
    let bars = || groups.iter().flat_map(|(_, bars)| bars);
    let most = bars()
        .filter_map(|bar| Some(bar.figure?.high))
        .fold(f64::MIN_POSITIVE, f64::max);
    let rows = (groups.len() + bars().count()) as i32;
    draw(title, most, 30 + ROW * rows, |rows| {
        let mut y = 36;
        for (heading, bars) in groups {
            rows.heading(y, heading);
            y += ROW;
            for bar in bars {
                rows.label(y, bar.name, Ink::Text);
                if let Some(figure) = bar.figure {
                    rows.bar(y, 0.0, figure.median, bar.ink);
                    rows.whisker(y, figure.median, figure.high);
                    rows.value(y, figure.high, &value(figure.median));
                } else {
                    rows.value(y, 0.0, "not measured");
                }
                y += ROW;
            }
        }
    })
}

/// The legend: each colour with its name.
#[must_use]
pub fn legend(entries: &[(&str, Ink)]) -> Markup {
    html! {
        p.keys {
            @for (name, ink) in entries { (key(name, |canvas| canvas.rectangle((2, 3), (16, 13), *ink))) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_has_its_figure_and_what_is_missing_is_told() {
        let bar = |name, figure| Bar {
            name,
            figure,
            ink: Ink::Good,
        };
        let bars = vec![
            bar("first", Spread::of([1.0, 2.0, 4.0])),
            bar("second", None),
        ];
        let groups = groups("Speed", |v| format!("{v} m/s"), &[("one".to_owned(), bars)]);
        let drawn = groups.into_string();
        for text in ["one", "first", "2 m/s", "second", "not measured"] {
            assert!(drawn.contains(&format!("\n{text}\n")), "{text}: {drawn}");
        }
        assert_eq!(drawn.matches("var(--good)").count(), 1);
    }
}
