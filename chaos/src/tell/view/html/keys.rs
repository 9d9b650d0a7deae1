//! Who knows what of each key, as a table.

use maud::{Markup, html};

use crate::tell::view::schema::{Delivered, KeyStory, Trace};
use crate::tell::view::seconds;

/// Rows of the table: the choice of keys above it has all of them.
const KEYS_MAX: usize = 200;

pub(super) fn table(trace: &Trace) -> Markup {
    if trace.keys.is_empty() {
        return html! {};
    }
    // Keys that a violation names come first.
    let is_named = |key: &KeyStory| trace.violations.iter().any(|v| v.keys.contains(&key.id));
    let (named, others): (Vec<&KeyStory>, Vec<&KeyStory>) =
        trace.keys.iter().partition(|key| is_named(key));
    let threshold = trace.plan.cluster.threshold;
    let more = trace.keys.len().saturating_sub(KEYS_MAX);
    html! {
        section {
            h2 { "Who knows what" }
            p {
                "For each key: the hubs that said that they hold a share, the SAEs that were given it, and how many of its \
                 shares the adversary came to know. It takes K = " (threshold) " shares to know the key."
            }
            div.scroll {
                table #keys {
                    thead {
                        tr {
                            th { "key" } th { "from" } th { "for" } th { "bits" } th { "shares at" } th { "given to" }
                            th { "adversary" }
                        }
                    }
                    tbody {
                        @for key in named.iter().chain(&others).take(KEYS_MAX) { (row(key, usize::from(threshold))) }
                    }
                }
            }
            @if more > 0 { p { "… and " (more) " more, which can be chosen above." } }
        }
    }
}

fn row(key: &KeyStory, threshold: usize) -> Markup {
    let stored = key.stored.iter().map(|stored| stored.hub.as_str());
    let stored: Vec<&str> = stored.collect();
    let given = key.delivered.iter().map(|given| {
        let at = seconds(given.at_us);
        format!("{} at {at}{}", given.sae, note(given))
    });
    let given: Vec<String> = given.collect();
    let learnt = key.adversary.iter();
    let learnt = learnt.map(|learnt| format!("{} at {}", learnt.how, seconds(learnt.at_us)));
    let learnt: Vec<String> = learnt.collect();
    let is_wrong = key.delivered.iter().any(|given| !note(given).is_empty());
    let is_known = key.adversary.len() >= threshold;
    html! {
        tr data-key=(key.id) {
            td {
                button type="button" data-key=(key.id) title=(key.id) { (key.id.get(..8).unwrap_or(&key.id)) }
            }
            td { (key.master) }
            td { (key.slaves.join(", ")) }
            td { (key.bits) }
            td { (stored.join(", ")) }
            td.alarm[is_wrong] { (given.join("; ")) }
            td.alarm[is_known] title=(learnt.join("; ")) { (key.adversary.len()) " of " (threshold) }
        }
    }
}

/// What is wrong with a key that was handed out, if anything is.
fn note(given: &Delivered) -> &'static str {
    match (given.value, given.drawn) {
        (_, Some(false)) => ": a false key",
        (1, _) => "",
        _ => ": another key",
    }
}
