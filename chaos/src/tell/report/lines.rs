//! The page of `cargo chaos lines`: which lines of the nodes the campaigns reach, and why not the others.

use std::path::{Path, PathBuf};

use dske_report::text::{count, counted, percent};
use dske_report::{Banner, ReportError, Tone, beside, frame, number_table, replace, write_json};
use maud::{Markup, html};

use crate::campaign::VERSION;
use crate::lines::{Lines, Unreached};

/// Writes `lines.json` and `lines.html`; gives the path of the page.
///
/// # Errors
/// If they cannot be written.
pub fn write_lines(out: &Path, lines: &Lines) -> Result<PathBuf, ReportError> {
    write_json(&out.join("lines.json"), lines)?;
    let path = out.join(beside::LINES.file);
    replace(&path, &page(lines))?;
    beside::link(out)?;
    Ok(path)
}

fn page(lines: &Lines) -> String {
    let body = html! { (banner(lines)) (rooms(lines)) (unreached(lines)) };
    frame("DSKE lines reached", &body).into_string()
}

fn banner(lines: &Lines) -> Markup {
    let total = lines.total();
    let unexplained = lines.unexplained().count();
    let tone = match unexplained + lines.outdated.len() {
        0 => Tone::Held,
        _ => Tone::Weak,
    };
    Banner {
        tone,
        kicker: html! { "DSKE lines reached · dske " (VERSION) },
        headline: html! { "Campaigns reach " (percent(total.reached, total.lines)) " of the nodes' lines" },
        details: html! {
            p {
                "What no campaign reaches, no invariant can judge. Each function with lines that were not reached is listed, \
                 with the reason that " code { (crate::lines::reasons::FILE) } " gives for it."
            }
            @if unexplained > 0 {
                p { (counted(unexplained as u64, "function")) " without a reason: a hole in the campaigns, or in that file." }
            }
            @for reason in &lines.outdated {
                p { "Out of date: a reason is given for " code { (reason) } ", which is reached, or does not exist." }
            }
        },
    }
    .html()
}

fn rooms(lines: &Lines) -> Markup {
    let heads = html! { th { "part" } th { "lines" } th { "reached" } th { "" } };
    let total = lines.total();
    let rows = html! {
        @for (room, part) in &lines.rooms {
            tr { td.name { (room) } td { (count(part.lines)) } td { (count(part.reached)) } td { (percent(part.reached, part.lines)) } }
        }
        tr { td.name { b { "all" } } td { (count(total.lines)) } td { (count(total.reached)) } td { (percent(total.reached, total.lines)) } }
    };
    html! {
        section #rooms {
            h2 { "How many lines" }
            (number_table(&heads, &rows))
            p.note { "Lines of " code { "src/" } " with code, as " code { "cargo llvm-cov" } " counts them. Tests are not among them." }
        }
    }
}

fn unreached(lines: &Lines) -> Markup {
    // Those without a reason first.
    let mut all: Vec<&Unreached> = lines.unreached.iter().collect();
    all.sort_by_key(|one| one.why.is_some());
    let heads =
        html! { th { "function" } th { "lines" } th.words { "why no campaign reaches them" } };
    let rows = html! {
        @for one in all {
            tr.missed[one.why.is_none()] {
                td.name { (one.file) " " b { (one.function) } }
                td title=(numbers(one)) { @if one.is_whole { "all " } (count(one.lines.len() as u64)) }
                td.words { (one.why.as_deref().unwrap_or("no reason is given")) }
            }
        }
    };
    html! {
        section #unreached {
            h2 { "What is not reached" }
            (number_table(&heads, &rows))
        }
    }
}

fn numbers(one: &Unreached) -> String {
    let numbers: Vec<String> = one.lines.iter().map(u64::to_string).collect();
    numbers.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::Count;

    fn lines(why: Option<&str>) -> Lines {
        Lines {
            rooms: [(
                "protocol".to_owned(),
                Count {
                    lines: 200,
                    reached: 150,
                },
            )]
            .into(),
            unreached: vec![Unreached {
                file: "protocol/hub.rs".to_owned(),
                function: "new".to_owned(),
                lines: vec![3, 4],
                is_whole: true,
                why: why.map(str::to_owned),
            }],
            outdated: Vec::new(),
        }
    }

    #[test]
    fn a_function_without_a_reason_is_news_and_one_with_a_reason_is_not() {
        let html = page(&lines(None));
        assert!(
            html.contains("Campaigns reach 75.0 % of the nodes' lines"),
            "{html}"
        );
        assert!(html.contains("1 function without a reason"), "{html}");
        assert!(html.contains("<header class=\"verdict weak\">"), "{html}");
        let html = page(&lines(Some("only <real> sockets")));
        assert!(html.contains("only &lt;real&gt; sockets"), "{html}");
        assert!(html.contains("<header class=\"verdict held\">"), "{html}");
    }
}
