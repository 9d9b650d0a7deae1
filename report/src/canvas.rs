//! A canvas over plotters' SVG backend whose colours follow the reader's light or dark theme.

use maud::{Markup, PreEscaped, html};
use plotters::{coord::Shift, prelude::*, style::text_anchor};

/// A colour by its meaning. The page's style gives each a value for the light and for the dark theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Text and axes.
    Text,
    /// Less important text.
    Muted,
    /// Lines behind the data.
    Grid,
    /// A shaded region.
    Band,
    /// The first colour of series: hubs that are down, or establishing.
    Down,
    /// The second colour of series: hubs that lie, or fetching.
    Lying,
    /// A good result.
    Good,
    /// A hub that is blamed.
    Blame,
    /// A result that must not occur.
    Bad,
    /// A node or link on which a fault is active.
    Fault,
}

impl Ink {
    const ALL: [Self; 10] = [
        Self::Text,
        Self::Muted,
        Self::Grid,
        Self::Band,
        Self::Down,
        Self::Lying,
        Self::Good,
        Self::Blame,
        Self::Bad,
        Self::Fault,
    ];

    /// The style sheet's name for it.
    fn variable(self) -> &'static str {
        match self {
            Self::Text => "var(--text)",
            Self::Muted => "var(--muted)",
            Self::Grid => "var(--grid)",
            Self::Band => "var(--band)",
            Self::Down => "var(--down)",
            Self::Lying => "var(--lying)",
            Self::Good => "var(--good)",
            Self::Blame => "var(--blame)",
            Self::Bad => "var(--bad)",
            Self::Fault => "var(--fault)",
        }
    }

    /// The colour that plotters draws with. [`finish`] replaces it by the variable, because plotters knows only fixed colours.
    fn placeholder(self) -> RGBColor {
        RGBColor(1, 2, self as u8)
    }
}

/// Which part of a text lies at its position.
#[derive(Debug, Clone, Copy)]
pub enum Align {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// How far the page may shrink a chart on a narrow screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Shrinks with the screen.
    Shrink,
    /// Keeps its size, and scrolls inside its own frame.
    Scroll,
}

/// Draws an SVG of a fixed size in pixels.
///
/// Drawing cannot fail: the backend writes into a string, and its only errors are those of files and bitmaps.
pub struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

const NO_IO: &str = "drawing into a string does no I/O";

impl Canvas<'_> {
    /// Draws with `paint` and returns the finished SVG element. `label` describes it for readers who cannot see it.
    pub fn draw(
        size: (i32, i32),
        fit: Fit,
        label: &str,
        paint: impl FnOnce(&Canvas<'_>),
    ) -> Markup {
        let mut svg = String::new();
        {
            let pixels = (size.0.unsigned_abs(), size.1.unsigned_abs());
            let area = SVGBackend::with_string(&mut svg, pixels).into_drawing_area();
            let canvas = Canvas { area };
            paint(&canvas);
            canvas.area.present().expect(NO_IO);
        }
        finish(&svg, size, fit, label)
    }

    /// A straight line.
    pub fn line(&self, from: (i32, i32), to: (i32, i32), ink: Ink, width: u32) {
        self.path(&[from, to], ink, width);
    }

    /// A line through points.
    pub fn path(&self, points: &[(i32, i32)], ink: Ink, width: u32) {
        let style = ink.placeholder().stroke_width(width);
        self.area
            .draw(&PathElement::new(points.to_vec(), style))
            .expect(NO_IO);
    }

    /// A vertical line of dashes.
    pub fn dashes(&self, x: i32, (top, bottom): (i32, i32), ink: Ink) {
        let mut y = top;
        while y < bottom {
            self.line((x, y), (x, (y + 5).min(bottom)), ink, 2);
            y += 9;
        }
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&self, from: (i32, i32), to: (i32, i32), ink: Ink) {
        self.area
            .draw(&Rectangle::new([from, to], ink.placeholder().filled()))
            .expect(NO_IO);
    }

    /// A filled circle.
    pub fn dot(&self, at: (i32, i32), radius: i32, ink: Ink) {
        self.area
            .draw(&Circle::new(at, radius, ink.placeholder().filled()))
            .expect(NO_IO);
    }

    /// A filled triangle.
    pub fn triangle(&self, at: (i32, i32), size: i32, ink: Ink) {
        self.area
            .draw(&TriangleMarker::new(at, size, ink.placeholder().filled()))
            .expect(NO_IO);
    }

    /// A filled square on its corner.
    pub fn diamond(&self, (x, y): (i32, i32), size: i32, ink: Ink) {
        let corners = vec![(x, y - size), (x + size, y), (x, y + size), (x - size, y)];
        self.area
            .draw(&Polygon::new(corners, ink.placeholder().filled()))
            .expect(NO_IO);
    }

    /// Two crossed strokes.
    pub fn cross(&self, at: (i32, i32), size: i32, ink: Ink) {
        self.area
            .draw(&Cross::new(at, size, ink.placeholder().stroke_width(2)))
            .expect(NO_IO);
    }

    /// Text of `size` pixels, centred vertically on its position.
    pub fn text(&self, text: &str, at: (i32, i32), size: f64, align: Align, ink: Ink) {
        let horizontal = match align {
            Align::Start => text_anchor::HPos::Left,
            Align::Middle => text_anchor::HPos::Center,
            Align::End => text_anchor::HPos::Right,
        };
        // The backend divides the size by 1.24 to make up for fonts that it cannot measure.
        let color = ink.placeholder();
        let style = TextStyle::from(("sans-serif", size * 1.24).into_font())
            .color(&color)
            .pos(text_anchor::Pos::new(horizontal, text_anchor::VPos::Center));
        self.area
            .draw(&Text::new(text.to_owned(), at, style))
            .expect(NO_IO);
    }
}

/// Replaces colours by variables, and makes the frame scale. Text from the data is never replaced, because the backend
/// escapes its quotation marks.
fn finish(svg: &str, (width, height): (i32, i32), fit: Fit, label: &str) -> Markup {
    let inner = svg.split_once('>').map_or(svg, |(_, inner)| inner);
    let mut inner = inner
        .trim_end()
        .trim_end_matches("</svg>")
        .replace(r#" opacity="1""#, "");
    for ink in Ink::ALL {
        let RGBColor(r, g, b) = ink.placeholder();
        let color = format!("\"#{r:02X}{g:02X}{b:02X}\"");
        inner = inner.replace(&color, &format!("\"{}\"", ink.variable()));
    }
    html! {
        svg.chart.wide[fit == Fit::Scroll] viewBox={ "0 0 " (width) " " (height) } style={ "width:" (width) "px" }
            role="img" aria-label=(label) { (PreEscaped(inner)) }
    }
}

/// A small mark with its name, for the legend of a chart.
pub fn key(name: &str, paint: impl FnOnce(&Canvas<'_>)) -> Markup {
    html! {
        span.key { (Canvas::draw((18, 16), Fit::Shrink, name, paint)) (name) } " "
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_to_the_page_and_text_stays_text() {
        let svg = Canvas::draw((100, 50), Fit::Shrink, "a <b> \"c\"", |canvas| {
            for ink in Ink::ALL {
                canvas.line((0, 0), (9, 9), ink, 1);
            }
            canvas.text(
                "</svg><script>\"#010200\"",
                (5, 5),
                12.0,
                Align::Start,
                Ink::Text,
            );
        });
        let svg = svg.into_string();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        assert_eq!(svg.matches("</svg>").count(), 1);
        assert!(
            Ink::ALL
                .iter()
                .all(|ink| svg.contains(&format!("stroke=\"{}\"", ink.variable())))
        );
        assert!(!svg.contains("=\"#") && !svg.contains("http") && !svg.contains("<script"));
        assert!(svg.contains("&lt;script&gt;&quot;#010200&quot;"));
        assert!(svg.contains("aria-label=\"a &lt;b&gt; &quot;c&quot;\""));
    }
}
