//! What is kept of a run.

use std::collections::BTreeMap;

use dske::protocol::batch::{Operation, operations_of};

use super::effects::{self, Effect};
use crate::invariant::{Facts, Verdict};
use crate::observer::record::{CallKind, Outcome, Seen};
use crate::plan::{CLIENT_NAMES, Fault, HUB_NAMES, Plan, PlannedFault};
use crate::summary::{BoundaryPoint, Mark, MarkKind, Timeline};
use crate::tell::view::Trace;

/// A broken invariant of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunViolation {
    /// Name of the invariant.
    pub invariant: String,
    /// Simulated milliseconds since the run began.
    pub at_ms: u64,
    /// What was expected and what was seen, by whom.
    pub detail: String,
}

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
    /// What happened, if it was kept.
    pub trace: Option<Trace>,
}

pub(super) fn of(facts: &Facts<'_>, verdicts: &[(&str, Verdict)]) -> RunOutcome {
    let seen = facts.seen;
    let plan = &seen.plan;
    let violations = verdicts.iter().flat_map(|(name, verdict)| {
        verdict.broken.iter().map(|broken| RunViolation {
            invariant: (*name).to_owned(),
            at_ms: broken.at_us / 1000,
            detail: broken.detail.clone(),
        })
    });
    let violations: Vec<RunViolation> = violations.collect();
    let checked = verdicts
        .iter()
        .map(|(name, verdict)| ((*name).to_owned(), verdict.evaluated));
    let requested = plan.calls.iter().map(|call| u64::from(call.number)).sum();
    let (keys_established, keys_fetched) = (established(facts), arrived(facts));
    let mut outcome = RunOutcome {
        seed: plan.seed,
        keys_requested: requested,
        keys_established,
        keys_failed: requested - keys_fetched,
        keys_fetched,
        faults: plan.faults.len() as u64,
        lies: seen.lies.len() as u64,
        reached: reached(facts),
        effects: effects::of(facts),
        checked: checked.collect(),
        establish_ms: durations(facts, CallKind::Master),
        fetch_ms: durations(facts, CallKind::Slave),
        timeline: timeline(facts, &violations),
        boundary: boundary(facts),
        simulated_ms: plan.end_ms,
        digest: [0; 32],
        trace: None,
        violations,
    };
    outcome.digest = digest(facts, &outcome);
    outcome
}

fn established(facts: &Facts<'_>) -> u64 {
    let calls = facts.calls(CallKind::Master);
    let keys = calls.filter_map(|call| call.outcome.keys());
    keys.map(|keys| keys.len() as u64).sum()
}

/// Keys that reached all of their slaves, of whom a group has several.
fn arrived(facts: &Facts<'_>) -> u64 {
    let mut slaves: BTreeMap<u32, usize> = BTreeMap::new();
    let delivered = facts.calls(CallKind::Slave);
    for call in delivered.filter(|call| matches!(call.outcome, Outcome::Keys(_))) {
        *slaves.entry(call.id).or_default() += 1;
    }
    let complete = facts.seen.plan.calls.iter().filter(|call| {
        let arrived = slaves.get(&call.id).copied().unwrap_or_default();
        arrived == call.slaves().count()
    });
    complete.map(|call| u64::from(call.number)).sum()
}

fn durations(facts: &Facts<'_>, kind: CallKind) -> Vec<f64> {
    let done = facts
        .calls(kind)
        .filter(|call| matches!(call.outcome, Outcome::Keys(_)));
    done.map(|call| (call.until_us - call.from_us) as f64 / 1000.0)
        .collect()
}

/// What the nodes count themselves, added to what the harness has counted.
fn reached(facts: &Facts<'_>) -> BTreeMap<String, u64> {
    let mut reached = facts.seen.reached.clone();
    let mut add = |what: &str, count: u64| {
        if count > 0 {
            *reached.entry(what.to_owned()).or_default() += count;
        }
    };
    for (mark, count) in dske::harness::marks() {
        add(&format!("mark:{mark}"), count);
    }
    for status in facts.seen.client_statuses.values() {
        let counters = &status.counters;
        add("branch:late-share", counters.late_shares);
        add("branch:error-correction", counters.error_corrections);
        add("branch:subset-search", counters.subset_searches);
        add("branch:two-keys-fit", counters.alarms);
        for hub in &status.hubs {
            add("branch:refill", hub.link.refills);
            add(
                "branch:reregistration",
                hub.link.registrations.saturating_sub(1),
            );
            add("branch:retry", hub.link.retries);
            add("branch:psrd-exhausted", hub.link.psrd_exhausted);
            add("branch:unverified-answer", hub.link.unverified);
            add("branch:blame", hub.blame.values().sum());
        }
    }
    add("branch:share-is-pad", shares_that_are_pads(facts));
    for (_, _, status) in last_statuses(facts) {
        for (what, count) in &status.refused {
            add(&format!("refused:{what}"), *count);
        }
    }
    for call in &facts.seen.calls {
        match (call.kind, &call.outcome) {
            (CallKind::Intruder, Outcome::Refused(status, _)) => {
                add(&format!("intruder:{status}"), 1)
            }
            (CallKind::SlaveAgain, Outcome::Refused(status, _)) => {
                add(&format!("second-fetch:{status}"), 1)
            }
            // Not what the nodes count: they count intruders too, who have to be refused.
            (CallKind::Master | CallKind::Slave, Outcome::Refused(..)) => {
                add("branch:call-failed", 1)
            }
            (_, Outcome::Unknown(_)) => add("call:no-answer", 1),
            _ => {}
        }
        let took_us = call.until_us - call.from_us;
        let at_deadline = took_us >= facts.seen.plan.cluster.call_deadline_ms * 1000;
        add("branch:call-at-deadline", u64::from(at_deadline));
    }
    reached
}

/// Keys made of PSRD, as the wire shows them: deposits in which a share under its pad is zero.
fn shares_that_are_pads(facts: &Facts<'_>) -> u64 {
    let sent = facts.seen.messages.iter().filter_map(|message| {
        let Seen::Sent(request) = &message.what else {
            return None;
        };
        operations_of(request)
    });
    let is_pad = |operation: &Operation| match operation {
        Operation::Fetch(_) => false,
        Operation::Deposit(body) => {
            let mut keys = body.keys.iter();
            keys.any(|key| key.share.0.iter().all(|byte| *byte == 0))
        }
    };
    sent.flatten().filter(is_pad).count() as u64
}

fn last_statuses<'a>(
    facts: &Facts<'a>,
) -> impl Iterator<Item = &'a (u64, usize, dske::protocol::hub::HubStatus)> {
    let seen = facts.seen;
    (0..usize::from(seen.plan.cluster.hubs))
        .filter_map(move |hub| seen.hub_statuses.iter().rev().find(|(_, h, _)| *h == hub))
}

fn timeline(facts: &Facts<'_>, violations: &[RunViolation]) -> Timeline {
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
            Fault::CrashClient { client } => vec![hubs + client],
            fault => fault.hubs(),
        };
        marks.extend(rows.into_iter().map(|node| Mark {
            node,
            at_ms: planned.at_ms,
            until_ms: Some(planned.until_ms),
            kind: MarkKind::Fault,
            label: planned.fault.kind().to_owned(),
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
            (Outcome::Keys(keys), CallKind::Slave) => {
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
        label: violation.invariant.clone(),
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

/// Exchanges by how many hubs were out of reach of one of the clients, and how many lied, at some time while they
/// ran or shortly before. Those during which PSRD was cut off or a client was down are left out: they say nothing
/// about hubs.
fn boundary(facts: &Facts<'_>) -> Vec<BoundaryPoint> {
    let plan = &facts.seen.plan;
    let mut points: BTreeMap<(u8, u8), (u64, u64)> = BTreeMap::new();
    for master in facts.calls(CallKind::Master) {
        let Some(planned) = plan.calls.iter().find(|call| call.id == master.id) else {
            continue;
        };
        // The first slave, who is there in every call.
        let slave = facts
            .calls(CallKind::Slave)
            .find(|slave| slave.id == master.id && slave.client == planned.slave);
        let exchange = Exchange {
            plan,
            clients: [planned.master, planned.slave],
            from_ms: (master.from_us / 1000).saturating_sub(facts.settle_ms()),
            until_ms: slave.unwrap_or(master).until_us / 1000 + 1,
        };
        if exchange.says_nothing_about_hubs() {
            continue;
        }
        let point = points.entry(exchange.conditions()).or_default();
        point.0 += 1;
        point.1 += u64::from(slave.is_some_and(|slave| matches!(slave.outcome, Outcome::Keys(_))));
    }
    let points = points
        .into_iter()
        .map(|((down, lying), (tried, succeeded))| BoundaryPoint {
            hubs: plan.cluster.hubs,
            threshold: plan.cluster.threshold,
            down,
            lying,
            tried,
            succeeded,
        });
    points.collect()
}

/// A key on its way from master to slave.
struct Exchange<'a> {
    plan: &'a Plan,
    clients: [usize; 2],
    from_ms: u64,
    until_ms: u64,
}

impl Exchange<'_> {
    fn faults(&self) -> impl Iterator<Item = &Fault> {
        let during = |planned: &&PlannedFault| {
            planned.at_ms < self.until_ms && self.from_ms < planned.until_ms
        };
        self.plan
            .faults
            .iter()
            .filter(during)
            .map(|planned| &planned.fault)
    }

    fn says_nothing_about_hubs(&self) -> bool {
        self.faults().any(|fault| match fault {
            Fault::CutRefill { .. } => true,
            Fault::CrashClient { client } => self.clients.contains(client),
            _ => false,
        })
    }

    /// How many hubs were out of reach, and how many others lied.
    fn conditions(&self) -> (u8, u8) {
        let (mut down, mut lying) = (0, 0);
        for hub in 0..usize::from(self.plan.cluster.hubs) {
            let severs = |fault: &Fault| {
                let severs = |&client: &usize| fault.severs(client, hub, &self.plan.cluster);
                self.clients.iter().any(severs)
            };
            if self.faults().any(severs) {
                down += 1;
            } else if self.plan.is_lying(hub, self.from_ms, self.until_ms) {
                lying += 1;
            }
        }
        (down, lying)
    }
}

fn digest(facts: &Facts<'_>, outcome: &RunOutcome) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    hash.update(facts.seen.trace.digest());
    hash.update(format!(
        "{:?}{:?}{:?}",
        outcome.reached, outcome.checked, outcome.violations
    ));
    hash.finalize().into()
}
