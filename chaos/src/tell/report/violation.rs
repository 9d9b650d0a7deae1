//! A broken invariant as an entry in a list, with what a person needs to look into it.

use std::path::Path;

use dske_report::text::{count, millis};
use maud::{Markup, html};

use crate::summary::{ShrunkFile, Violation};

/// One violation of a campaign. `place` goes before the name of the invariant.
pub(super) fn entry(place: &Markup, violation: &Violation) -> Markup {
    article(
        &html! { (place) (violation.invariant) },
        &html! {
            p.where {
                "seed " (violation.seed) ", at " (millis(violation.at_ms as f64)) " simulated (" (count(violation.at_ms)) " ms)"
            }
            p { (violation.detail) }
            @if !violation.replay.is_empty() {
                p { "Replay: " code { (violation.replay) } }
            }
            @if let Some(shrunk) = &violation.shrunk { (reduced(shrunk)) }
        },
    )
}

/// The box around an entry.
pub(super) fn article(heading: &Markup, content: &Markup) -> Markup {
    html! { article.violation { h3 { (heading) } (content) } }
}

fn reduced(shrunk: &ShrunkFile) -> Markup {
    html! {
        p { "Shrunk: " code { (shrunk.file) } ", in which " (shrunk.to_string()) "." }
        p { a href=(beside(&shrunk.view)) { b { "Look at what is left" } } ": who sent what to whom, until it breaks." }
        p { "Replay what is left: " code { (shrunk.replay) } }
    }
}

/// The link from the report to a page in the directory of failures below it.
fn beside(view: &str) -> String {
    let path = Path::new(view);
    let parts = [path.parent().and_then(Path::file_name), path.file_name()];
    let parts = parts.into_iter().flatten();
    let parts: Vec<String> = parts.map(|part| in_url(&part.to_string_lossy())).collect();
    parts.join("/")
}

/// One part of a path as a URL spells it.
fn in_url(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let spelt = part.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    spelt.collect()
}
