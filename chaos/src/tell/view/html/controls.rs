//! The ladder with what steers it. The scripts beside this file find these elements by their `id`.

use maud::{Markup, html};

/// How to use the ladder by eye, keyboard and mouse.
const HELP: &str = "\
Time goes down. Where nothing happens for long, time is squeezed, and the axis says for how long. Bars beside clients are \
calls by SAEs. A red mark under a name means that the adversary reads what this node holds. A small box means that the node \
starts. Keys, with the ladder chosen: ↑ ↓ move, + − zoom, ← → walk through messages, v violation, Home all. Wheel: zoom; \
with Shift: move; or drag.";

/// The same for those who cannot see the ladder.
const LABEL: &str = "\
Ladder of messages, time downwards. Arrow keys: up and down move in time, left and right choose messages. Plus and minus \
zoom, v goes to the violation, Home shows the whole run. The list of events below says the same in words.";

pub(super) fn section() -> Markup {
    html! {
        section aria-label="What happened" {
            div.bar { (moving()) }
            div.bar { (choosing()) }
            canvas #overview aria-hidden="true" {}
            canvas #ladder tabindex="0" role="img" aria-label=(LABEL) {}
            p.keys { (legend()) }
            p.note { (HELP) }
            div #detail aria-live="polite" {}
            details #list {
                summary { "The events in sight, as text" }
                ol #events {}
            }
        }
    }
}

fn moving() -> Markup {
    html! {
        span {
            (button("first", "violation", "To the first violation, or the first call"))
            (button("whole", "whole run", "The whole run"))
        }
        span { (button("in", "+", "Zoom in")) (button("out", "−", "Zoom out")) }
        span { (button("earlier", "↑", "Earlier")) (button("later", "↓", "Later")) }
        span {
            (button("previous", "previous", "Choose the message before"))
            (button("next", "next", "Choose the next message"))
        }
        span { (time("from")) (time("to")) " s" }
    }
}

fn choosing() -> Markup {
    html! {
        span { label for="key" { "key" } select #key {} }
        span { label for="node" { "node" } select #node {} }
        span {
            label for="show" { "show" }
            select #show {
                option value="all" { "everything" }
                option value="trouble" { "lost, late, lies, attacks, failed calls" }
                option value="honest" { "all but attackers" }
            }
        }
        span { input #squeeze type="checkbox" checked; label for="squeeze" { "squeeze idle time" } }
    }
}

fn button(id: &str, words: &str, label: &str) -> Markup {
    html! { button type="button" id=(id) title=(label) aria-label=(label) { (words) } }
}

fn time(id: &str) -> Markup {
    html! { label for=(id) { (id) } input id=(id) type="number" min="0" step="0.001"; }
}

fn legend() -> Markup {
    let line = "border-color";
    let area = "background";
    html! {
        (key("", line, "text", "request"))
        (key("", line, "muted", "answer"))
        (key("dashed", line, "down", "lost or late"))
        (key("", line, "lying", "lie"))
        (key("", line, "blame", "attack"))
        (key("area", area, "good", "call that gave keys"))
        (key("area", area, "bad", "call that failed"))
        (key("area", area, "fault", "fault"))
        (key("", line, "bad", "violation"))
        (key("dashed", line, "bad", "K shares: the key is known"))
    }
}

fn key(class: &str, property: &str, ink: &str, words: &str) -> Markup {
    html! {
        span.key {
            span class={ "swatch " (class) } style={ (property) ":var(--" (ink) ")" } {}
            (words)
        }
    }
}
