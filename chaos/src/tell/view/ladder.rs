//! A trace as text: a line for each thing that happened, at the simulated time when it did.

use std::fmt::Write;

use super::schema::{Call, Event, Fate, KeyPart, KeyStory, Kind, Mac, Message, Trace, What};
use super::seconds;
use crate::world::observer::trace::clock;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Calls, faults, lies, starts and violations.
    Essential,
    /// Every message as well, and who knows what in the end.
    All,
}

/// The trace as text.
#[must_use]
pub fn ladder(trace: &Trace, detail: Detail) -> String {
    let wanted = |event: &&Event| detail == Detail::All || is_essential(&event.what);
    let events = trace.events.iter().filter(wanted);
    let mut lines: Vec<(u64, String)> = events.flat_map(|event| of_event(trace, event)).collect();
    lines.extend(trace.violations.iter().map(|violation| {
        let text = format!("{}: {}", violation.invariant, violation.detail);
        (violation.at_us, line("BROKEN", &text))
    }));
    lines.sort_by_key(|(at_us, _)| *at_us);
    let mut text = String::new();
    for (at_us, line) in lines {
        let _ = writeln!(text, "{}{line}", clock(at_us));
    }
    if detail == Detail::All {
        text += &who_knows_what(trace);
    }
    text
}

fn is_essential(what: &What) -> bool {
    match what {
        What::Call(_)
        | What::Lie { .. }
        | What::FaultBegins { .. }
        | What::FaultEnds { .. }
        | What::Start { .. } => true,
        What::Message(_) | What::Register { .. } | What::Psrd { .. } | What::Mark { .. } => false,
    }
}

fn line(word: &str, text: &str) -> String {
    format!("{word:<8} {text}").trim_end().to_owned()
}

fn of_event(trace: &Trace, event: &Event) -> Vec<(u64, String)> {
    let at_us = event.at_us;
    let fault = |index: &usize| {
        let fault = trace.faults.get(*index);
        fault.map_or("", |fault| fault.text.as_str())
    };
    let text = match &event.what {
        What::Message(message) => return vec![(at_us, of_message(at_us, message))],
        What::Call(call) => return of_call(at_us, call),
        What::Lie { hub, to, lie, keys } => {
            let text = format!("{} {}", arrow(hub, to), with_keys(lie, keys));
            line("lie", &text)
        }
        What::FaultBegins { fault: index } => line("fault", &format!("begins {}", fault(index))),
        What::FaultEnds { fault: index } => line("fault", &format!("ends   {}", fault(index))),
        What::Start { node, life: 0 } => line("start", node),
        What::Start { node, life } => line("start", &format!("{node}, again: {life}")),
        What::Register { client, hub } => line("register", &arrow(client, hub)),
        What::Psrd {
            client,
            hub,
            owner,
            block,
        } => line(
            "psrd",
            &format!(
                "{} block {}, the {owner} allocates",
                arrow(hub, client),
                short(block)
            ),
        ),
        What::Mark { mark, about } => line("mark", &format!("{mark}: {about}")),
    };
    vec![(at_us, text)]
}

fn of_call(at_us: u64, call: &Call) -> Vec<(u64, String)> {
    let Call { id, sae, role, .. } = call;
    let begins = format!("{id} begins: {sae} ({role}), {} keys", call.number);
    let ends = format!("{id} ends: {sae} ({role}), {}", call.text);
    vec![
        (at_us, line("call", &begins)),
        (call.until_us, line("call", &with_keys(&ends, &call.keys))),
    ]
}

fn of_message(at_us: u64, message: &Message) -> String {
    let word = match message.kind {
        Kind::Deposit => "deposit",
        Kind::Fetch => "fetch",
        Kind::Withdrawal => "withdrawal",
        Kind::Batch => "batch",
        Kind::Garbage => "garbage",
        Kind::Receipt => "receipt",
        Kind::Shares => "shares",
        Kind::Refusal => "refusal",
    };
    let mut text = arrow(&message.from, &message.to);
    for part in [said_of_keys(&message.keys)]
        .into_iter()
        .chain(message.says.clone())
        .filter(|part| !part.is_empty())
    {
        let _ = write!(text, " {part};");
    }
    let _ = write!(text, " {} bytes;", message.bytes);
    let took = message
        .arrived_us
        .map(|arrived_us| format!("+{} ms", millis(arrived_us - at_us)));
    let took = took.unwrap_or_default();
    let fate = match message.fate {
        Fate::Delivered => took,
        Fate::Late => format!("LATE {took}").trim_end().to_owned(),
        Fate::Lost => "LOST".to_owned(),
        Fate::Ignored => "nobody listens".to_owned(),
    };
    let _ = write!(text, " {fate}");
    if let Some(why) = &message.why {
        let _ = write!(text, " ({why})");
    }
    if let Some(why) = &message.unanswered {
        let _ = write!(text, " NO ANSWER");
        if !why.is_empty() {
            let _ = write!(text, " ({why})");
        }
    }
    if message.mac == Mac::Wrong {
        text += " WRONG MAC";
    }
    if let Some(forged) = &message.forged {
        let _ = write!(text, " ATTACK {forged}");
    }
    if let Some(lie) = message.lie {
        let _ = write!(text, " LIE {lie}");
    }
    line(word, &text)
}

/// What a message says of keys. Keys of which it says the same are told together.
fn said_of_keys(keys: &[KeyPart]) -> String {
    let same =
        |a: &KeyPart, b: &KeyPart| (a.says, a.x, a.share_bytes) == (b.says, b.x, b.share_bytes);
    let groups = keys.chunk_by(same).map(|group| {
        let ids: Vec<String> = group.iter().map(|key| key.id.clone()).collect();
        let mut text = with_keys("", &ids).trim_start().to_owned();
        if let Some(first) = group.first() {
            if first.says != "wanted" {
                text = format!("{} {text}", first.says);
            }
            if let (Some(x), Some(bytes)) = (first.x, first.share_bytes) {
                let _ = write!(text, " x={x} {bytes} B");
            }
        }
        text
    });
    groups.collect::<Vec<_>>().join(", ")
}

fn arrow(from: &str, to: &str) -> String {
    format!("{from:>8} → {to:<8}")
}

fn with_keys(text: &str, keys: &[String]) -> String {
    let ids: Vec<&str> = keys.iter().map(|id| short(id)).collect();
    format!("{text} {}", ids.join(",")).trim_end().to_owned()
}

/// Enough of an ID to find it again.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn millis(us: u64) -> String {
    format!("{}.{}", us / 1000, us % 1000 / 100)
}

fn who_knows_what(trace: &Trace) -> String {
    if trace.keys.is_empty() {
        return String::new();
    }
    let hubs = trace.adversary();
    let who = match hubs.is_empty() {
        true => "no hub".to_owned(),
        false => hubs.join(", "),
    };
    let mut text = format!("who knows what in the end (the adversary is {who}):\n");
    for key in &trace.keys {
        let _ = writeln!(text, "{}", of_key(trace, key));
    }
    text
}

fn of_key(trace: &Trace, key: &KeyStory) -> String {
    let stored: Vec<&str> = key
        .stored
        .iter()
        .map(|stored| stored.hub.as_str())
        .collect();
    let given = key.delivered.iter().map(|given| {
        let value = match (given.value, given.drawn) {
            (_, Some(false)) => ", FALSE",
            (1, _) => "",
            _ => ", ANOTHER",
        };
        let at = seconds(given.at_us);
        format!("{} ({}{value}) at {at}", given.sae, given.role)
    });
    let given: Vec<String> = given.collect();
    let none = |text: String| {
        if text.is_empty() {
            "nobody".to_owned()
        } else {
            text
        }
    };
    format!(
        "  key {} shares: {}; given to {}; adversary: {} of the {} shares that it takes",
        short(&key.id),
        none(stored.join(" ")),
        none(given.join(", ")),
        key.adversary.len(),
        trace.plan.cluster.threshold
    )
}
