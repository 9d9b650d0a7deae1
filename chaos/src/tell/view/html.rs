//! A trace as a page that loads nothing: a ladder of who sent what to whom, with what the adversary knows beside it.
//!
//! The page holds the JSON document of the trace, and draws the part of it that is in sight. What messages mean, what
//! became of them, and who knows what, is worked out here and not in the page.

mod controls;
mod keys;
mod plan;

use dske_report::{Banner, STYLE, Tone, footer, head};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::json::json;
use super::schema::{Fate, Message, Role, Trace, Violation, What};
use super::seconds;
use crate::campaign::VERSION;

/// Violations that are shown before the rest is folded away.
const BROKEN_MAX: usize = 4;

/// What draws the ladder.
const SCRIPTS: [&str; 4] = [
    include_str!("html/model.js"),
    include_str!("html/axis.js"),
    include_str!("html/draw.js"),
    include_str!("html/steer.js"),
];

/// The page. `replay` is the command that shows the run again.
#[must_use]
pub fn page(trace: &Trace, replay: &str) -> String {
    let title = format!("Campaign {}, seed {}", trace.plan.campaign, trace.plan.seed);
    // Inside a script nothing is markup except its end and comments.
    let data = json(trace).replace('<', "\\u003c");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&title, &[STYLE, include_str!("html/page.css")]))
            body {
                main.run {
                    (banner(trace, replay))
                    (facts(trace))
                    (controls::section())
                    (keys::table(trace))
                    (plan::tables(trace))
                    (how_to_read())
                }
                script type="application/json" id="trace" { (PreEscaped(data)) }
                script { @for script in SCRIPTS { (PreEscaped(script)) } }
            }
        }
    };
    page.into_string()
}

fn banner(trace: &Trace, replay: &str) -> Markup {
    let (tone, headline) = match trace.violations.first() {
        None => (Tone::Held, html! { "All invariants held." }),
        Some(first) => (
            Tone::Broken,
            html! { (first.invariant) " broke at " (seconds(first.at_us)) "." },
        ),
    };
    let shown = trace.violations.len().min(BROKEN_MAX);
    let all: Vec<(usize, &Violation)> = trace.violations.iter().enumerate().collect();
    let (first, rest) = all.split_at(shown);
    Banner {
        tone,
        kicker: html! {
            "One run of DSKE · campaign " (trace.plan.campaign) ", seed " (trace.plan.seed) " · dske " (VERSION)
        },
        headline,
        details: html! {
            @for (index, violation) in first { (broken(*index, violation)) }
            @if !rest.is_empty() {
                details {
                    summary { "… and " (rest.len()) " more" }
                    @for (index, violation) in rest { (broken(*index, violation)) }
                }
            }
            p { "Replay: " code { (replay) } }
        },
    }
    .html()
}

fn broken(index: usize, violation: &Violation) -> Markup {
    html! {
        p.broken-at {
            span { b { (violation.invariant) } " at " (seconds(violation.at_us)) ": " (violation.detail) }
            button type="button" data-violation=(index) { "show" }
        }
    }
}

fn facts(trace: &Trace) -> Markup {
    let cluster = &trace.plan.cluster;
    let messages = trace.events.iter().filter_map(|event| match &event.what {
        What::Message(message) => Some(&**message),
        _ => None,
    });
    let messages: Vec<&Message> = messages.collect();
    let count = |wanted: fn(&Message) -> bool| {
        let found = messages.iter().filter(|message| wanted(message));
        found.count().to_string()
    };
    let facts = [
        (
            "hubs, K of N",
            format!("{} of {}", cluster.threshold, cluster.hubs),
        ),
        ("clients", cluster.clients.to_string()),
        ("calls", trace.plan.calls.len().to_string()),
        ("faults", trace.plan.faults.len().to_string()),
        ("hubs that lie", trace.plan.lying_hubs().len().to_string()),
        ("adversary reads", adversary(trace)),
        ("messages", messages.len().to_string()),
        ("lost", count(|message| message.fate == Fate::Lost)),
        ("late", count(|message| message.fate == Fate::Late)),
        ("lies", count(|message| message.lie.is_some())),
        ("attacks", count(|message| message.forged.is_some())),
    ];
    html! {
        dl.facts {
            @for (name, value) in &facts { div { dt { (name) } dd { (value) } } }
        }
    }
}

fn adversary(trace: &Trace) -> String {
    let nodes = trace.nodes.iter();
    let nodes = nodes.filter(|node| node.adversary || node.role == Role::Rogue);
    let names: Vec<&str> = nodes.map(|node| node.name.as_str()).collect();
    match names.is_empty() {
        true => "the wire only".to_owned(),
        false => format!("the wire, {}", names.join(", ")),
    }
}

fn how_to_read() -> Markup {
    let explanation = html! {
        p {
            "Each message is seen where it is sent and where it arrives. A message that was sent and never arrived is "
            b { "lost" } ". A message is " b { "late" } " if it came, or would have come, when its client had given up waiting. \
             The reason is the fault that was active on its link, if there was one; it is worked out from the plan. An "
            b { "attack" } " is a message by the outsider or the rogue client. A " b { "lie" } " is an answer by a hub that \
             lies at that moment."
        }
        p {
            "The " b { "adversary" } " reads the whole wire, and has the PSRD of its hubs: those that lie, and the rest of the \
             coalition. A share that is sent to one of them is known from when it is sent. So is what hubs hand to the rogue \
             client. Whatever else broken nodes leak is judged by the invariant " b { "secrecy" } ", and not counted here."
        }
    };
    let origin = html! {
        "The data is inside this page, as the JSON that " code { "cargo chaos replay … --trace json" }
        " prints. It holds no share, key or pad. The page loads nothing."
    };
    footer(&explanation, "", &origin)
}
