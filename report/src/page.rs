//! The frame of every page, and a figure's section in it.

/// The style of all pages.
pub const STYLE: &str = include_str!("style.css");

/// A page that loads nothing: the style is inside it.
#[must_use]
pub fn frame(title: &str, body: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>{style}</style></head><body><main>
{body}
</main></body></html>
"#,
        style = STYLE,
    )
}

/// A figure in its section. All of it is HTML.
pub struct Section<'a> {
    /// Anchor on the page.
    pub id: &'a str,
    /// Heading.
    pub title: &'a str,
    /// What was done.
    pub lead: String,
    /// What the marks stand for.
    pub legend: String,
    /// The charts.
    pub panels: String,
    /// What to learn from it.
    pub caption: String,
    /// The tables that hold its numbers.
    pub tables: String,
}

impl Section<'_> {
    /// The section.
    #[must_use]
    pub fn html(&self) -> String {
        let Self {
            id,
            title,
            lead,
            legend,
            panels,
            caption,
            tables,
        } = self;
        format!(
            r#"<section id="{id}"><h2>{title}</h2><p>{lead}</p>
<figure>{legend}<div class="panels">{panels}</div><figcaption>{caption}</figcaption></figure>
{tables}</section>"#
        )
    }
}
