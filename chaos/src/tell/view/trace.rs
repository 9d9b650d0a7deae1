//! Makes a trace of what the observer saw.

use dske::protocol::channel::PoolOwner;

use super::cast::{OUTSIDER, nodes, span};
use super::exchange::{Exchange, Sender, exchanges};
use super::schema::{Call, Event, Fate, KeyStory, Mac, Message, Trace, Violation, What};
use super::{content, fate, knowledge};
use crate::explore::run::run_and_tell;
use crate::explore::runner::run_fresh_and;
use crate::judge::Facts;
use crate::judge::secrecy::quotes_secret;
use crate::outcome::{RunOutcome, RunViolation};
use crate::plan::{Fault, HUB_NAMES, Plan, PlannedFault};
use crate::world::observer::record::{self, LieTold, NoteKind, Outcome};
use crate::world::observer::{Observation, open};

/// The trace of a run: what was seen, and what broke.
#[must_use]
pub fn of(facts: &Facts<'_>, violations: &[RunViolation]) -> Trace {
    Trace {
        keys: knowledge::keys(facts),
        events: events(facts),
        ..unseen(&facts.seen.plan)
    }
    .with(violations)
}

/// Runs a plan in a thread of its own, and tells what happened, also if the run panicked.
#[must_use]
pub fn told(plan: &Plan) -> (RunOutcome, Trace) {
    let (outcome, trace, _) = told_and(plan, |_| ());
    (outcome, trace)
}

/// The same, with something else that is read off the run. There is none of it where the harness itself panicked.
pub fn told_and<T: Send>(
    plan: &Plan,
    look: impl Fn(&Facts<'_>) -> T + Sync,
) -> (RunOutcome, Trace, Option<T>) {
    let tell = |facts: &Facts<'_>, broken: &[RunViolation]| (of(facts, broken), look(facts));
    let (outcome, told) = run_fresh_and(plan, |plan| run_and_tell(plan, tell));
    let (trace, read) = told.unzip();
    // None where the harness itself panicked while it told what was seen.
    let trace = trace.unwrap_or_else(|| of_plan(plan, &outcome.violations));
    (outcome, trace, read)
}

/// Tells what was planned, of a run of which nothing was seen.
#[must_use]
pub fn of_plan(plan: &Plan, violations: &[RunViolation]) -> Trace {
    unseen(plan).with(violations)
}

fn unseen(plan: &Plan) -> Trace {
    let faults = plan.faults.iter().map(|planned| span(plan, planned));
    Trace {
        plan: plan.clone(),
        nodes: nodes(plan),
        faults: faults.collect(),
        violations: Vec::new(),
        keys: Vec::new(),
        events: Vec::new(),
    }
}

impl Trace {
    fn with(mut self, violations: &[RunViolation]) -> Self {
        let last_us = self.events.last().map_or(0, |event| event.at_us);
        let told = violations.iter().map(|violation| {
            let detail = violation.detail();
            let named = |key: &&KeyStory| detail.contains(&key.id);
            let keys = self.keys.iter().filter(named);
            Violation {
                at_us: match violation.violation {
                    // It does not know its time, but nothing comes after it.
                    crate::judge::Violation::Panic(_) => last_us,
                    _ => violation.at_ms * 1000,
                },
                invariant: violation.invariant().to_owned(),
                keys: keys.map(|key| key.id.clone()).collect(),
                detail,
            }
        });
        self.violations = told.collect();
        self.violations.sort_by_key(|violation| violation.at_us);
        self
    }
}

/// Everything that happened, in order of time. At the same moment: what happens to nodes, then what hubs decide, then
/// messages, then what SAEs are told.
fn events(facts: &Facts<'_>) -> Vec<Event> {
    let seen = facts.seen;
    let mut events = notes(seen);
    let marks = seen.marks.iter().map(|&(at_us, mark)| Event {
        at_us,
        what: What::Mark {
            mark: mark.name(),
            about: mark.about(),
        },
    });
    events.extend(marks);
    events.extend(seen.lies.iter().map(|told| lie(&seen.plan, told)));
    for (number, exchange) in exchanges(seen).iter().enumerate() {
        events.push(request(seen, number, exchange));
        events.extend(answer(seen, number, exchange));
    }
    events.extend(calls(facts));
    events.sort_by_key(|event| event.at_us);
    events
}

fn notes(seen: &Observation) -> Vec<Event> {
    let plan = &seen.plan;
    let fault = |wanted: &Fault, at_us: u64, is_begin: bool| {
        let at_ms = |planned: &PlannedFault| match is_begin {
            true => planned.at_ms,
            false => planned.until_ms,
        };
        // The same fault may be planned twice: the one that is nearest in time is meant.
        let same = plan.faults.iter().enumerate();
        let same = same.filter(|(_, planned)| planned.fault == *wanted);
        let nearest = same.min_by_key(|(_, planned)| at_us.abs_diff(at_ms(planned) * 1000));
        nearest.map_or(0, |(index, _)| index)
    };
    let event = |note: &record::Note| {
        let what = match &note.what {
            NoteKind::Start { node, life } => What::Start {
                node: match *node {
                    record::Node::Client(client) => plan.client_name(client).to_owned(),
                    record::Node::Hub(hub) => HUB_NAMES[hub].to_owned(),
                },
                life: *life,
            },
            NoteKind::Register { hub, client } => What::Register {
                client: client.to_string(),
                hub: HUB_NAMES[*hub].to_owned(),
            },
            NoteKind::Psrd {
                hub,
                client,
                owner,
                block,
                ..
            } => What::Psrd {
                client: plan.client_name(*client).to_owned(),
                hub: HUB_NAMES[*hub].to_owned(),
                owner: match owner {
                    PoolOwner::Client => "client",
                    PoolOwner::Hub => "hub",
                },
                block: block.to_string(),
            },
            NoteKind::FaultBegins(begun) => What::FaultBegins {
                fault: fault(begun, note.at_us, true),
            },
            NoteKind::FaultEnds(ended) => What::FaultEnds {
                fault: fault(ended, note.at_us, false),
            },
            // Polls of the harness are not part of the protocol. How late a message was, the message itself says.
            NoteKind::Retransmission { .. }
            | NoteKind::HubStatus { .. }
            | NoteKind::ClientStatus { .. } => return None,
        };
        Some(Event {
            at_us: note.at_us,
            what,
        })
    };
    seen.notes.iter().filter_map(event).collect()
}

fn lie(plan: &Plan, told: &LieTold) -> Event {
    Event {
        at_us: told.at_us,
        what: What::Lie {
            hub: HUB_NAMES[told.hub].to_owned(),
            to: plan.client_name(told.client).to_owned(),
            lie: told.lie.name(),
            keys: told.key_ids.iter().map(ToString::to_string).collect(),
        },
    }
}

/// The lie that answers a request, if a lie does.
fn lie_to<'a>(seen: &'a Observation, exchange: &Exchange<'_>) -> Option<&'a LieTold> {
    let to = exchange.request.signature.as_ref()?;
    let mut lies = seen.lies.iter();
    lies.find(|told| told.hub == exchange.hub && told.to.as_ref() == Some(to))
}

fn sender(plan: &Plan, by: Sender) -> String {
    let name = match by {
        Sender::Client(client) => plan.client_name(client),
        Sender::Outsider => OUTSIDER,
        Sender::Nobody => "nobody",
    };
    name.to_owned()
}

fn request(seen: &Observation, number: usize, exchange: &Exchange<'_>) -> Event {
    let plan = &seen.plan;
    let request = exchange.request;
    let content = content::of_request(request);
    let (fate, why) = fate::of_request(plan, exchange);
    let unanswered = exchange.arrived_us.filter(|_| exchange.said.is_none());
    let unanswered = unanswered.map(|arrived_us| match lie_to(seen, exchange) {
        Some(told) => format!("{} lies: {}", HUB_NAMES[told.hub], told.lie.name()),
        None => fate::unanswered(plan, exchange, arrived_us).unwrap_or_default(),
    });
    let mac = match &request.signature {
        None => Mac::None,
        Some(_) if open::is_signed(&seen.blocks, request) => Mac::Fits,
        Some(_) => Mac::Wrong,
    };
    let message = Message {
        exchange: number,
        from: sender(plan, exchange.by),
        to: HUB_NAMES[exchange.hub].to_owned(),
        kind: content.kind,
        says: content.says,
        keys: content.keys,
        bytes: request.body.len(),
        signature: request.signature.clone(),
        mac,
        fate,
        arrived_us: exchange.arrived_us,
        why,
        unanswered,
        forged: match exchange.by {
            Sender::Nobody => Some("nobody is known to have sent it".to_owned()),
            _ => exchange.attack.map(|tried| tried.reached().to_string()),
        },
        lie: None,
    };
    Event {
        at_us: exchange.sent_us,
        what: What::Message(Box::new(message)),
    }
}

fn answer(seen: &Observation, number: usize, exchange: &Exchange<'_>) -> Option<Event> {
    let plan = &seen.plan;
    let (said_us, response) = exchange.said?;
    let content = content::of_answer(exchange.request, response);
    let (fate, why) = fate::of_answer(plan, exchange, said_us);
    let mac = match &response.signature {
        None => Mac::None,
        Some(_) if open::is_authentic(&seen.blocks, exchange.request, response) => Mac::Fits,
        Some(_) => Mac::Wrong,
    };
    let message = Message {
        exchange: number,
        from: HUB_NAMES[exchange.hub].to_owned(),
        to: sender(plan, exchange.by),
        kind: content.kind,
        says: content.says,
        keys: content.keys,
        bytes: response.body.len(),
        signature: response.signature.clone(),
        mac,
        fate,
        arrived_us: exchange
            .heard
            .filter(|_| fate == Fate::Delivered)
            .map(|(at_us, _)| at_us),
        why,
        unanswered: None,
        forged: None,
        lie: lie_to(seen, exchange).map(|told| told.lie.name()),
    };
    Some(Event {
        at_us: said_us,
        what: What::Message(Box::new(message)),
    })
}

fn calls(facts: &Facts<'_>) -> Vec<Event> {
    let plan = &facts.seen.plan;
    let calls = facts.seen.calls.iter().map(|call| {
        let keys = call.outcome.keys().unwrap_or_default();
        let outcome = match &call.outcome {
            Outcome::Keys(_) => "keys",
            Outcome::Status(_) => "status",
            Outcome::Refused(..) => "refused",
            Outcome::Unknown(_) => "unknown",
        };
        let mut text = call.outcome.line();
        if call.outcome.keys().is_none() && quotes_secret(facts, &text) {
            text = "not shown: the words hold a secret".to_owned();
        }
        Event {
            at_us: call.from_us,
            what: What::Call(Call {
                id: call.id,
                client: plan.client_name(call.client).to_owned(),
                sae: call.sae.to_string(),
                role: call.kind.name(),
                number: call.number,
                until_us: call.until_us,
                outcome,
                text,
                keys: keys.iter().map(|key| key.id.to_string()).collect(),
            }),
        }
    });
    calls.collect()
}
