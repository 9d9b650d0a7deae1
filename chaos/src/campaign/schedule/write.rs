//! Writes a plan as a schedule, for people to read and change: a line for each call, fault and liar.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;
use toml::ser::ValueSerializer;

use super::ENTRIES_MAX;
use crate::campaign::VERSION;
use crate::plan::{CLIENT_NAMES, HUB_NAMES, Plan};

/// A plan as a campaign file. `about` says what it does, `comments` are the lines at its top.
///
/// # Errors
/// If the plan has more calls, faults or liars than a file may have.
pub fn write(plan: &Plan, about: &str, comments: &[String]) -> Result<String, TooLarge> {
    let Plan {
        campaign,
        seed,
        cluster,
        calls,
        faults,
        liars,
        heal_at_ms,
        recovery_ms,
        end_ms,
        canary,
    } = plan;
    let largest = calls.len().max(faults.len()).max(liars.len());
    if largest > ENTRIES_MAX {
        return Err(TooLarge(largest));
    }
    let mut text: String = comments.iter().map(|line| comment(line)).collect();
    let hubs = HUB_NAMES.iter().take(cluster.hubs.into());
    let clients = CLIENT_NAMES.iter().take(cluster.clients.into());
    text += &comment(&legend("Hubs", hubs));
    text += &comment(&legend("Clients", clients));
    if cluster.saes_per_client > 1 {
        let saes = (0..plan.saes()).map(|sae| plan.sae_name(sae));
        text += &comment(&legend("SAEs", saes));
    }
    text += &format!("about = {}\n\n[schedule]\n", inline(about));
    text += &format!("version = {}\n", inline(VERSION));
    text += &format!("campaign = {}\n", inline(campaign));
    text += &format!("seed = {seed}\n");
    text += &format!("heal_at_ms = {heal_at_ms}\n");
    text += &format!("recovery_ms = {recovery_ms}\n");
    text += &format!("end_ms = {end_ms}\n");
    if let Some(canary) = canary {
        text += &format!("canary = {}\n", inline(canary.name()));
    }
    text += &lines("calls", calls);
    text += &lines("faults", faults);
    text += &lines("liars", liars);
    // Below the tables in which it is, since it may hold a table itself.
    let tables = BTreeMap::from([("schedule", BTreeMap::from([("cluster", cluster)]))]);
    let cluster = toml::to_string(&tables).expect("a cluster is numbers and words");
    text += &format!("\n{cluster}");
    Ok(text)
}

/// The plan has more calls, faults or liars than anybody would read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a schedule has at most {ENTRIES_MAX} calls, faults and liars each, and this one would have {0} of a kind"
)]
pub struct TooLarge(pub(super) usize);

fn lines<T: Serialize>(name: &str, entries: &[T]) -> String {
    if entries.is_empty() {
        return format!("{name} = []\n");
    }
    let lines: String = entries
        .iter()
        .map(|entry| format!("    {},\n", inline(entry)))
        .collect();
    format!("{name} = [\n{lines}]\n")
}

/// A value on one line.
pub(super) fn inline<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = String::new();
    value
        .serialize(ValueSerializer::new(&mut text))
        .expect("a plan holds numbers below 2^63, words, and lists of them");
    text
}

/// One line, whatever the text holds: what follows a line break would be read as TOML.
fn comment(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("# {line}").trim_end().to_owned() + "\n"
}

fn legend(what: &str, names: impl Iterator<Item = impl Display>) -> String {
    let names: Vec<String> = names
        .enumerate()
        .map(|(index, name)| format!("{index} {name}"))
        .collect();
    format!("{what}: {}.", names.join(", "))
}
