//! A run as rows of marks.

use serde::Serialize;

use super::RunViolation;
use crate::judge::Facts;
use crate::plan::{CLIENT_NAMES, Fault, HUB_NAMES, Plan};
use crate::world::observer::record::{CallKind, Outcome};

/// One run as rows of marks.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timeline {
    /// The run's seed.
    pub seed: u64,
    /// Simulated length of the run.
    pub end_ms: u64,
    /// When everything was healed and recovery was demanded.
    pub heal_ms: u64,
    /// Rows, hubs first, then clients.
    pub nodes: Vec<String>,
    /// What happened, in order of time.
    pub marks: Vec<Mark>,
    /// The command that replays this run. Empty if there is none; the report then shows only the seed.
    pub replay: String,
}

/// Something that happened at a node.
#[derive(Debug, Clone, Serialize)]
pub struct Mark {
    /// Row: an index into [`Timeline::nodes`].
    pub node: usize,
    /// Start, in simulated milliseconds.
    pub at_ms: u64,
    /// End, for what lasts.
    pub until_ms: Option<u64>,
    /// What it is.
    pub kind: MarkKind,
    /// A few words, for example `crash` or `wrong share value`.
    pub label: String,
}

/// Kinds of marks, drawn in different colours and shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// The node is down, cut off or slowed: lasts from `at_ms` to `until_ms`.
    Fault,
    /// The hub told a lie.
    Lie,
    /// A client blamed this hub.
    Blame,
    /// A key was handed to an SAE at this client.
    Delivered,
    /// A call by an SAE at this client failed.
    Failed,
    /// An invariant broke.
    Violation,
}

pub(super) fn of(facts: &Facts<'_>, violations: &[RunViolation]) -> Timeline {
    let seen = facts.seen;
    let plan: &Plan = &seen.plan;
    let hubs = usize::from(plan.cluster.hubs);
    let mark = |node, at_us: u64, kind, label: String| Mark {
        node,
        at_ms: at_us / 1000,
        until_ms: None,
        kind,
        label,
    };
    let mut marks = Vec::new();
    for planned in &plan.faults {
        let rows = match &planned.fault {
            Fault::CrashClient { client } | Fault::GreedySae { client, .. } => vec![hubs + client],
            fault => fault.hubs(),
        };
        marks.extend(rows.into_iter().map(|node| Mark {
            node,
            at_ms: planned.at_ms,
            until_ms: Some(planned.until_ms),
            kind: MarkKind::Fault,
            label: planned.fault.kind().to_string(),
        }));
    }
    let lies = seen.lies.iter();
    marks
        .extend(lies.map(|lie| mark(lie.hub, lie.at_us, MarkKind::Lie, lie.lie.name().to_owned())));
    let blames = seen.blamed_at.iter();
    marks.extend(blames.map(|(&(client, hub), &at_us)| {
        mark(
            hub,
            at_us,
            MarkKind::Blame,
            format!("blamed by {}", CLIENT_NAMES[client]),
        )
    }));
    for call in &seen.calls {
        let (kind, label) = match (&call.outcome, call.kind) {
            (Outcome::Keys(keys), kind) if kind.is_due() => {
                (MarkKind::Delivered, format!("{} keys", keys.len()))
            }
            (Outcome::Refused(..) | Outcome::Unknown(_), CallKind::Master | CallKind::Slave) => {
                (MarkKind::Failed, call.outcome.line())
            }
            _ => continue,
        };
        marks.push(mark(hubs + call.client, call.until_us, kind, label));
    }
    marks.extend(violations.iter().map(|violation| Mark {
        node: 0,
        at_ms: violation.at_ms,
        until_ms: None,
        kind: MarkKind::Violation,
        label: violation.invariant().to_owned(),
    }));
    marks.sort_by_key(|mark| (mark.at_ms, mark.node));
    let names = HUB_NAMES.iter().take(hubs);
    let names = names.chain(CLIENT_NAMES.iter().take(usize::from(plan.cluster.clients)));
    Timeline {
        seed: plan.seed,
        end_ms: plan.end_ms,
        heal_ms: plan.heal_at_ms,
        replay: String::new(),
        nodes: names.map(|name| (*name).to_owned()).collect(),
        marks,
    }
}
