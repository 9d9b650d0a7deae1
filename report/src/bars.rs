//! Rows of horizontal bars under a title.

use maud::{Markup, html};

use super::canvas::{Align, Canvas, Fit, Ink, key};

const WIDTH: i32 = 450;
const LEFT: i32 = 128;
const RIGHT: i32 = WIDTH - 84;

/// Pixels of a row.
pub const ROW: i32 = 24;

/// Rows while they are drawn. Where one lies is said by the middle of its height in pixels.
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

    /// What a row is about, left of its bars.
    pub fn label(&self, y: i32, text: &str, ink: Ink) {
        self.canvas.text(text, (LEFT - 8, y), 12.0, Align::End, ink);
    }

    /// A bar from one value to another; at least one pixel long.
    pub fn bar(&self, y: i32, from: f64, to: f64, ink: Ink) {
        let (from, to) = (self.x(from), self.x(to).max(self.x(from) + 1));
        self.canvas.rectangle((from, y - 7), (to, y + 7), ink);
    }

    /// A figure right of a value.
    pub fn value(&self, y: i32, at: f64, text: &str) {
        let at = (self.x(at) + 8, y);
        self.canvas.text(text, at, 12.0, Align::Start, Ink::Text);
    }

    /// A line from one value to another, with an end.
    pub fn whisker(&self, y: i32, from: f64, to: f64) {
        let (from, to) = (self.x(from), self.x(to));
        self.canvas.line((from, y), (to, y), Ink::Text, 1);
        self.canvas.line((to, y - 4), (to, y + 4), Ink::Text, 1);
    }

    /// A heading of the rows that follow.
    pub fn heading(&self, y: i32, text: &str) {
        self.canvas
            .text(text, (4, y), 13.0, Align::Start, Ink::Text);
    }

    /// A dashed line at a value through all rows above, with its name left of it.
    pub fn limit(&self, y: i32, at: f64, text: &str) {
        let x = self.x(at);
        self.canvas.dashes(x, (26, y), Ink::Bad);
        self.canvas
            .text(text, (x - 6, y), 12.0, Align::End, Ink::Bad);
    }
}

/// What the colours stand for.
#[must_use]
pub fn legend(entries: &[(&str, Ink)]) -> Markup {
    html! {
        p.keys {
            @for (name, ink) in entries { (key(name, |canvas| canvas.rectangle((2, 3), (16, 13), *ink))) }
        }
    }
}
