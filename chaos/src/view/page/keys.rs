//! Who knows what of each key, as a table.

use dske_report::text::escape;

use super::seconds;
use crate::view::schema::{KeyStory, Trace};

/// Rows of the table: the choice of keys above it has all of them.
const KEYS_MAX: usize = 200;

pub(super) fn table(trace: &Trace) -> String {
    if trace.keys.is_empty() {
        return String::new();
    }
    // Those that a violation names come first.
    let is_named = |key: &KeyStory| trace.violations.iter().any(|v| v.keys.contains(&key.id));
    let (named, others): (Vec<&KeyStory>, Vec<&KeyStory>) =
        trace.keys.iter().partition(|key| is_named(key));
    let rows: String = named
        .iter()
        .chain(&others)
        .take(KEYS_MAX)
        .map(|key| row(trace, key))
        .collect();
    let more = match trace.keys.len().saturating_sub(KEYS_MAX) {
        0 => String::new(),
        more => format!("<p>… and {more} more, which can be chosen above.</p>"),
    };
    format!(
        r#"<section><h2>Who knows what</h2>
<p>Of each key: the hubs that said that they hold a share, the SAEs that were given it, and how many of its shares the
adversary came to know. It takes K = {threshold} to know the key.</p>
<div class="scroll"><table id="keys"><thead><tr><th>key</th><th>from</th><th>for</th><th>bits</th><th>shares at</th><th>given to</th><th>adversary</th></tr></thead>
<tbody>{rows}</tbody></table></div>{more}</section>"#,
        threshold = trace.plan.cluster.threshold,
    )
}

fn row(trace: &Trace, key: &KeyStory) -> String {
    let stored: Vec<&str> = key
        .stored
        .iter()
        .map(|stored| stored.hub.as_str())
        .collect();
    let mut alarm = false;
    let given: Vec<String> = key
        .delivered
        .iter()
        .map(|given| {
            let note = match (given.value, given.drawn) {
                (_, Some(false)) => ": a false key",
                (1, _) => "",
                _ => ": another key",
            };
            alarm |= !note.is_empty();
            format!("{} at {}{note}", given.sae, seconds(given.at_us))
        })
        .collect();
    let learnt: Vec<String> = key
        .adversary
        .iter()
        .map(|learnt| format!("{} at {}", learnt.how, seconds(learnt.at_us)))
        .collect();
    let is_known = key.adversary.len() >= usize::from(trace.plan.cluster.threshold);
    let class = |alarm: bool| if alarm { " class=\"alarm\"" } else { "" };
    format!(
        "<tr data-key=\"{id}\"><td><button type=\"button\" data-key=\"{id}\" title=\"{id}\">{short}</button></td>\
         <td>{master}</td><td>{slaves}</td><td>{bits}</td><td>{stored}</td><td{}>{given}</td>\
         <td{} title=\"{learnt}\">{held} of {threshold}</td></tr>\n",
        class(alarm),
        class(is_known),
        id = escape(&key.id),
        short = escape(key.id.get(..8).unwrap_or(&key.id)),
        master = escape(&key.master),
        slaves = escape(&key.slaves.join(", ")),
        bits = key.bits,
        stored = escape(&stored.join(", ")),
        given = escape(&given.join("; ")),
        learnt = escape(&learnt.join("; ")),
        held = key.adversary.len(),
        threshold = trace.plan.cluster.threshold,
    )
}
