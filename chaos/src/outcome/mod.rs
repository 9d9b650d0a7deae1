//! What is kept of a run.
//!
//! | module | what it holds |
//! |---|---|
//! | `reached` | faults, lies and rare branches, counted |
//! | [`effects`] | what the faults did |
//! | [`timeline`] | the run as rows of marks |
//! | [`boundary`] | calls by the conditions under which they ran |
//! | [`panics`] | runs that panicked |

pub mod boundary;
pub mod effects;
pub mod panics;
mod reached;
pub mod timeline;
mod violation;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::judge::excuse::{self, is_owed};
use crate::judge::margin::{self, Shares};
use crate::judge::violation::Panic;
use crate::judge::{self, Facts, Violation};
use crate::plan::{Invariant, Plan, PlannedCall};
use crate::world::observer::record::{CallKind, Outcome};
use boundary::BoundaryPoint;
use effects::Effect;
use timeline::Timeline;
pub use violation::RunViolation;

/// What is kept of a run.
#[derive(Debug, Clone, Default)]
pub struct RunOutcome {
    /// The seed.
    pub seed: u64,
    /// Broken invariants.
    pub violations: Vec<RunViolation>,
    /// Keys that masters asked for.
    pub keys_requested: u64,
    /// Keys that masters were given.
    pub keys_established: u64,
    /// Keys that did not arrive at all sides.
    pub keys_failed: u64,
    /// Keys that all their slaves fetched.
    pub keys_fetched: u64,
    /// Calls to which keys are owed unless there is an excuse.
    pub calls_owed: u64,
    /// Excuse → how many of these failed, and were excused by it.
    pub excuses: BTreeMap<String, u64>,
    /// The shares of the keys that masters were given.
    pub shares: Shares,
    /// Faults injected.
    pub faults: u64,
    /// Lies told.
    pub lies: u64,
    /// Fault, lie or rare branch → how often.
    pub reached: BTreeMap<String, u64>,
    /// Kind of fault → what its faults did.
    pub effects: BTreeMap<String, Effect>,
    /// Invariant → how often it was evaluated.
    pub checked: BTreeMap<String, u64>,
    /// Simulated milliseconds of each successful call by a master.
    pub establish_ms: Vec<f64>,
    /// Simulated milliseconds of each successful call by a slave.
    pub fetch_ms: Vec<f64>,
    /// The run as rows of marks.
    pub timeline: Timeline,
    /// Calls by the conditions under which they ran.
    pub boundary: Vec<BoundaryPoint>,
    /// Simulated length.
    pub simulated_ms: u64,
    /// SHA-256 of the timeline, with what was reached and what the invariants said.
    pub digest: [u8; 32],
}

impl RunOutcome {
    /// Judges a run by what was seen, and keeps the outcome.
    #[must_use]
    pub fn of(facts: &Facts<'_>) -> Self {
        let (seen, plan) = (facts.seen, &facts.seen.plan);
        let mut checked = BTreeMap::new();
        let mut violations = Vec::new();
        for &invariant in Invariant::ALL {
            let verdict = judge::check(invariant)(facts);
            checked.insert(invariant.name().to_owned(), verdict.evaluated);
            violations.extend(verdict.broken.into_iter().map(RunViolation::from));
        }
        let requested = plan.calls.iter().map(PlannedCall::keys).sum();
        let (keys_established, keys_fetched) = (established(facts), arrived(facts));
        let mut outcome = Self {
            seed: plan.seed,
            keys_requested: requested,
            keys_established,
            keys_failed: requested - keys_fetched,
            keys_fetched,
            calls_owed: seen.calls.iter().filter(|call| is_owed(call)).count() as u64,
            excuses: excuse::covered(facts),
            shares: margin::shares(facts),
            faults: plan.faults.len() as u64,
            lies: seen.lies.len() as u64,
            reached: reached::of(facts),
            effects: effects::of(facts),
            checked,
            establish_ms: durations(facts, CallKind::Master),
            fetch_ms: durations(facts, CallKind::Slave),
            timeline: timeline::of(facts, &violations),
            boundary: boundary::of(facts),
            simulated_ms: plan.end_ms,
            digest: [0; 32],
            violations,
        };
        outcome.digest = digest(facts, &outcome);
        outcome
    }

    /// The outcome of a run that panicked.
    #[must_use]
    pub fn panicked(plan: &Plan, panic: Panic) -> Self {
        Self {
            seed: plan.seed,
            violations: vec![RunViolation {
                at_ms: 0,
                violation: Violation::Panic(panic),
            }],
            ..Self::default()
        }
    }
}

fn established(facts: &Facts<'_>) -> u64 {
    let calls = facts.calls(CallKind::Master);
    let keys = calls.filter_map(|call| call.outcome.keys());
    keys.map(|keys| keys.len() as u64).sum()
}

/// Keys that reached all of their slaves, of whom a group has several.
fn arrived(facts: &Facts<'_>) -> u64 {
    let mut slaves: BTreeMap<u32, u64> = BTreeMap::new();
    for call in facts.seen.calls.iter().filter(|call| call.kind.is_due()) {
        let keys = call.outcome.keys().map_or(0, <[_]>::len);
        *slaves.entry(call.id).or_default() += keys as u64;
    }
    let complete = facts.seen.plan.calls.iter().filter(|call| {
        let arrived = slaves.get(&call.id).copied().unwrap_or_default();
        arrived == call.slaves().count() as u64 * call.keys()
    });
    complete.map(PlannedCall::keys).sum()
}

fn durations(facts: &Facts<'_>, kind: CallKind) -> Vec<f64> {
    let done = facts
        .calls(kind)
        .filter(|call| matches!(call.outcome, Outcome::Keys(_)));
    done.map(|call| (call.until_us - call.from_us) as f64 / 1000.0)
        .collect()
}

fn digest(facts: &Facts<'_>, outcome: &RunOutcome) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(facts.seen.trace.digest());
    hash.update(format!(
        "{:?}{:?}{:?}",
        outcome.reached, outcome.checked, outcome.violations
    ));
    hash.finalize().into()
}
