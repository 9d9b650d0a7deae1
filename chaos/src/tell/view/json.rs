//! A trace as one JSON document. Each event, key, fault and violation is on its own line, so that tools that read lines
//! can read it, too.

use serde::Serialize;

use super::schema::{SCHEMA, Trace};
use crate::campaign::VERSION;

/// The document.
#[must_use]
pub fn json(trace: &Trace) -> String {
    let plan = &trace.plan;
    let fields = [
        ("schema", one(&SCHEMA)),
        ("version", one(&VERSION)),
        ("campaign", one(&plan.campaign)),
        ("seed", one(&plan.seed)),
        ("hubs", one(&plan.cluster.hubs)),
        ("threshold", one(&plan.cluster.threshold)),
        ("end_us", one(&(plan.end_ms * 1000))),
        ("heal_us", one(&(plan.heal_at_ms * 1000))),
        ("adversary", one(&trace.adversary())),
        ("plan", one(plan)),
        ("nodes", lines(&trace.nodes)),
        ("faults", lines(&trace.faults)),
        ("violations", lines(&trace.violations)),
        ("keys", lines(&trace.keys)),
        ("events", lines(&trace.events)),
    ];
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("\"{name}\": {value}"))
        .collect();
    format!("{{\n{}\n}}\n", fields.join(",\n"))
}

fn one(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a trace is numbers, words, and lists of them")
}

fn lines<T: Serialize>(values: &[T]) -> String {
    let lines: Vec<String> = values.iter().map(one).collect();
    if lines.is_empty() {
        return "[]".to_owned();
    }
    format!("[\n{}\n]", lines.join(",\n"))
}
