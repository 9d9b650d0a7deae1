//! A trace as a page that loads nothing: a ladder of who sent what to whom, with what the adversary knows beside it.
//!
//! The page holds the JSON document of the trace, and draws what of it is in sight. What messages mean, what became of
//! them, and who knows what, is worked out here and not there.

mod keys;
mod plan;

use dske_report::{STYLE, text::escape};

use super::json::json;
use super::schema::{Fate, Message, Role, Trace, Violation, What};
use crate::campaign::VERSION;

/// Violations that are shown before the rest is folded away.
const BROKEN_MAX: usize = 4;

/// The page. `replay` is the command that shows the run again.
#[must_use]
pub fn html(trace: &Trace, replay: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>{house}{style}</style></head><body><main class="run">
{banner}
{facts}
{controls}
{keys}
{plan}
{footer}
</main>
<script type="application/json" id="trace">{data}</script>
<script>{model}{axis}{draw}{steer}</script>
</body></html>
"#,
        title = escape(&format!(
            "Campaign {}, seed {}",
            trace.plan.campaign, trace.plan.seed
        )),
        house = STYLE,
        style = include_str!("page/page.css"),
        banner = banner(trace, replay),
        facts = facts(trace),
        controls = controls(),
        keys = keys::table(trace),
        plan = plan::tables(trace),
        footer = footer(),
        // Inside a script nothing is markup but its end and comments.
        data = json(trace).replace('<', "\\u003c"),
        model = include_str!("page/model.js"),
        axis = include_str!("page/axis.js"),
        draw = include_str!("page/draw.js"),
        steer = include_str!("page/steer.js"),
    )
}

fn banner(trace: &Trace, replay: &str) -> String {
    let plan = &trace.plan;
    let (class, sign, headline) = match trace.violations.first() {
        None => ("held", "✓", "All invariants held.".to_owned()),
        Some(first) => {
            let headline = format!("{} broke at {}.", first.invariant, seconds(first.at_us));
            ("broken", "✗", headline)
        }
    };
    let (first, rest) = trace
        .violations
        .split_at(trace.violations.len().min(BROKEN_MAX));
    let all = |from: usize, violations: &[Violation]| -> String {
        let violations = (from..).zip(violations);
        violations
            .map(|(index, violation)| broken(index, violation))
            .collect()
    };
    let mut violations = all(0, first);
    if !rest.is_empty() {
        violations += &format!(
            "<details><summary>… and {} more</summary>{}</details>",
            rest.len(),
            all(BROKEN_MAX, rest)
        );
    }
    format!(
        r#"<header class="verdict {class}"><p class="kicker">One run of DSKE · campaign {campaign}, seed {seed} · dske {VERSION}</p>
<h1><span class="sign" aria-hidden="true">{sign}</span> {headline}</h1>
{violations}<p>Replay: <code>{replay}</code></p></header>"#,
        campaign = escape(&plan.campaign),
        seed = plan.seed,
        headline = escape(&headline),
        replay = escape(replay),
    )
}

fn broken(index: usize, violation: &Violation) -> String {
    format!(
        "<p class=\"broken-at\"><span><b>{}</b> at {}: {}</span>\
         <button type=\"button\" data-violation=\"{index}\">show</button></p>\n",
        escape(&violation.invariant),
        seconds(violation.at_us),
        escape(&violation.detail),
    )
}

fn facts(trace: &Trace) -> String {
    let cluster = &trace.plan.cluster;
    let messages: Vec<&Message> = trace
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Message(message) => Some(&**message),
            _ => None,
        })
        .collect();
    let count = |wanted: &dyn Fn(&Message) -> bool| {
        let found = messages.iter().filter(|message| wanted(message));
        found.count().to_string()
    };
    let adversary: Vec<&str> = trace
        .nodes
        .iter()
        .filter(|node| node.adversary || node.role == Role::Rogue)
        .map(|node| node.name.as_str())
        .collect();
    let adversary = match adversary.is_empty() {
        true => "the wire only".to_owned(),
        false => format!("the wire, {}", adversary.join(", ")),
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
        ("adversary reads", adversary),
        ("messages", messages.len().to_string()),
        ("lost", count(&|message| message.fate == Fate::Lost)),
        ("late", count(&|message| message.fate == Fate::Late)),
        ("lies", count(&|message| message.lie.is_some())),
        ("attacks", count(&|message| message.forged.is_some())),
    ];
    let facts: String = facts
        .iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(value)))
        .collect();
    format!("<dl class=\"facts\">{facts}</dl>")
}

fn controls() -> String {
    let button = |id: &str, words: &str, label: &str| {
        format!(
            "<button type=\"button\" id=\"{id}\" title=\"{label}\" aria-label=\"{label}\">{words}</button>"
        )
    };
    let legend = |ink: &str, class: &str, words: &str| {
        let colour = if class == "area" {
            "background"
        } else {
            "border-color"
        };
        format!(
            "<span class=\"key\"><span class=\"swatch {class}\" style=\"{colour}:var(--{ink})\"></span>{words}</span>"
        )
    };
    format!(
        r#"<section aria-label="What happened">
<div class="bar">
<span>{first}{whole}</span><span>{zoom_in}{zoom_out}</span><span>{earlier}{later}</span><span>{previous}{next}</span>
<span><label for="from">from</label><input id="from" type="number" min="0" step="0.001"><label for="to">to</label><input id="to" type="number" min="0" step="0.001"> s</span>
</div>
<div class="bar">
<span><label for="key">key</label><select id="key"></select></span>
<span><label for="node">node</label><select id="node"></select></span>
<span><label for="show">show</label><select id="show"><option value="all">everything</option>
<option value="trouble">lost, late, lies, attacks, failed calls</option><option value="honest">all but attackers</option></select></span>
<span><input id="squeeze" type="checkbox" checked><label for="squeeze">squeeze idle time</label></span>
</div>
<canvas id="overview" aria-hidden="true"></canvas>
<canvas id="ladder" tabindex="0" role="img" aria-label="Ladder of messages, time downwards. Arrow keys: up and down move in time, left and right choose messages. Plus and minus zoom, v goes to the violation, Home shows the whole run. The list of events below says the same in words."></canvas>
<p class="keys">{legend}</p>
<p class="note">Time goes down; where nothing happens for long it is squeezed, and
the axis says for how long. Bars beside clients are calls by SAEs. A red mark under a name: the adversary reads what that
node holds. A small box: the node starts. Keys, with the ladder chosen: ↑ ↓ move, + − zoom, ← → walk through messages, v
violation, Home all. Wheel: zoom; with Shift: move; or drag.</p>
<div id="detail" aria-live="polite"></div>
<details id="list"><summary>The events in sight, as text</summary><ol id="events"></ol></details>
</section>"#,
        first = button(
            "first",
            "violation",
            "To the first violation, or the first call"
        ),
        whole = button("whole", "whole run", "The whole run"),
        zoom_in = button("in", "+", "Zoom in"),
        zoom_out = button("out", "−", "Zoom out"),
        earlier = button("earlier", "↑", "Earlier"),
        later = button("later", "↓", "Later"),
        previous = button("previous", "previous", "Choose the message before"),
        next = button("next", "next", "Choose the next message"),
        legend = [
            legend("text", "", "request"),
            legend("muted", "", "answer"),
            legend("down", "dashed", "lost or late"),
            legend("lying", "", "lie"),
            legend("blame", "", "attack"),
            legend("good", "area", "call that gave keys"),
            legend("bad", "area", "call that failed"),
            legend("fault", "area", "fault"),
            legend("bad", "", "violation"),
            legend("bad", "dashed", "K shares: the key is known"),
        ]
        .concat(),
    )
}

fn footer() -> &'static str {
    r#"<footer><h2>How to read this</h2>
<p>Each message is seen where it is sent and where it arrives. One that was sent and never arrived is <b>lost</b>; one that
came, or would have come, when its client had given up waiting is <b>late</b>. The reason is the fault that was active
on its link, as far as there was one: it is worked out from the plan. An <b>attack</b> is a message by the outsider or the
rogue client. A <b>lie</b> is an answer by a hub that lies at that moment.</p>
<p>The <b>adversary</b> reads the whole wire, and has the PSRD of its hubs: those that lie, and the rest of the coalition. A
share that is sent to one of them is known from when it is sent. So is what hubs hand to the rogue client. What broken
nodes leak otherwise is judged by the invariant <b>secrecy</b>, and not counted here.</p>
<p>The data is inside this page, as the JSON that <code>cargo chaos replay … --trace json</code> prints. It holds no share, key or
pad. The page loads nothing.</p></footer>"#
}

fn seconds(us: u64) -> String {
    format!("{}.{:03} s", us / 1_000_000, us / 1000 % 1000)
}
