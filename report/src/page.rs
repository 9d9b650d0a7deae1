//! The parts of a page: its frame, the verdict at its head, figures, tables, and its foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The style of all pages.
pub const STYLE: &str = include_str!("style.css");

/// The page as a whole.
#[must_use]
pub fn frame(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title, &[STYLE]))
            body { main { (body) } }
        }
    }
}

/// The head of a page. The styles are inside it, so that the page loads nothing.
#[must_use]
pub fn head(title: &str, styles: &[&str]) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            // Styles are files of ours. `>` has a meaning in them, and no browser decodes entities in a style.
            style { @for style in styles { (PreEscaped(style)) } }
        }
    }
}

/// How good the news of a page is: the colour and the sign of its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Everything is as it should be.
    Held,
    /// Something deserves a look.
    Weak,
    /// There is nothing to judge.
    Unknown,
    /// Something that must never happen has happened.
    Broken,
}

impl Tone {
    /// The style sheet's class for it.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Weak | Self::Unknown => "weak",
            Self::Broken => "broken",
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Held => "✓",
            Self::Weak => "!",
            Self::Unknown => "?",
            Self::Broken => "✗",
        }
    }
}

/// What a page says first.
pub struct Banner {
    /// How good the news is.
    pub tone: Tone,
    /// The small line above: what this page is.
    pub kicker: Markup,
    /// The verdict.
    pub headline: Markup,
    /// What explains the verdict.
    pub details: Markup,
}

impl Banner {
    /// The banner as HTML.
    #[must_use]
    pub fn html(&self) -> Markup {
        html! {
            header.verdict.(self.tone.class()) {
                p.kicker { (self.kicker) }
                h1 { span.sign aria-hidden="true" { (self.tone.sign()) } " " (self.headline) }
                (self.details)
            }
        }
    }
}

/// A figure in its section.
pub struct Section<'a> {
    /// Anchor on the page.
    pub id: &'a str,
    /// Heading.
    pub title: &'a str,
    /// What was done.
    pub lead: Markup,
    /// What the marks stand for.
    pub legend: Markup,
    /// The charts.
    pub panels: Markup,
    /// What to learn from it.
    pub caption: Markup,
    /// The tables that hold its numbers.
    pub tables: Markup,
}

impl Section<'_> {
    /// The section as HTML.
    #[must_use]
    pub fn html(&self) -> Markup {
        html! {
            section id=(self.id) {
                h2 { (self.title) }
                p { (self.lead) }
                figure {
                    (self.legend)
                    div.panels { (self.panels) }
                    figcaption { (self.caption) }
                }
                (self.tables)
            }
        }
    }
}

/// Big numbers side by side. Each has its value, its name, and what it means.
#[must_use]
pub fn tiles<V: maud::Render>(tiles: &[(V, &str, &str)]) -> Markup {
    html! {
        dl.numbers {
            @for (value, name, meaning) in tiles {
                div { dd { (value) } dt { b { (name) } " " (meaning) } }
            }
        }
    }
}

/// A table of numbers. Where the screen is too narrow for it, it scrolls inside its own frame. `heads` holds the `th`
/// elements, `rows` the `tr` elements.
#[must_use]
pub fn number_table(heads: &Markup, rows: &Markup) -> Markup {
    html! {
        div.scroll {
            table.numbers {
                thead { tr { (heads) } }
                tbody { (rows) }
            }
        }
    }
}

/// The last part of a page: how to read it, the command that gives the same numbers again (if there is one), and which
/// build and machine it comes from.
#[must_use]
pub fn footer(explanation: &Markup, command: &str, origin: &Markup) -> Markup {
    html! {
        footer {
            h2 { "How to read this" }
            (explanation)
            @if !command.is_empty() {
                p { "The same numbers again: " code { (command) } }
            }
            p.digest { (origin) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_styles_stay_styles() {
        let page = frame("a <b>", &html! { p { ("<script>") } }).into_string();
        assert!(page.starts_with("<!DOCTYPE html>"));
        assert!(page.contains("<title>a &lt;b&gt;</title>"));
        assert!(page.contains("<p>&lt;script&gt;</p>"));
        assert!(page.contains(STYLE));
    }

    #[test]
    fn a_footer_without_a_command_does_not_speak_of_one() {
        let command = |command| footer(&html! {}, command, &html! {}).into_string();
        assert!(command("cargo chaos run <x>").contains("<code>cargo chaos run &lt;x&gt;</code>"));
        assert!(!command("").contains("again"));
    }
}
