//! What faults did. A fault that touches nothing tests nothing, and nobody would notice. Each message, refill and call that
//! a fault touched is therefore counted, from what was seen outside the nodes.
//!
//! | fault | touches |
//! |---|---|
//! | partitions | messages between the two sides that never arrive, and requests for PSRD that have no answer |
//! | `hold` | messages of the link that arrive only when it is over, or never |
//! | `slow-link` | messages of the link that take as long as it says |
//! | `lossy-link` | messages of the link that had to be sent again |
//! | `swap-answers` | pairs of answers that were swapped, which count as lost |
//! | `slow-hub` | requests that reach the hub |
//! | `crash-hub` | messages to and from the hub that never arrive; links that register anew afterwards |
//! | `crash-client` | messages to and from the client that never arrive; calls to it |
//! | `cut-refill` | refills that the hub leaves unanswered |
//! | `lose-delivery` | blocks that the hub has delivered and that never arrive |
//! | `flood`, `rogue-client` | hostile messages that reach a hub |
//! | `greedy-sae` | calls by the greedy SAE, which count as hostile messages |
//!
//! A loss on a link with two faults counts for both.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::judge::Facts;
use crate::plan::{Fault, PlannedFault};
use crate::world::nemesis::lossy::RETRANSMISSION_MS;
use crate::world::observer::record::{Call, CallKind, OutOfBand, Outcome, Seen};

/// What the faults of one kind did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Faults that were injected.
    pub injected: u64,
    /// Those of them that touched nothing.
    pub in_vain: u64,
    /// Messages that never arrived.
    pub lost: u64,
    /// Messages that arrived, or were looked at, late.
    pub late: u64,
    /// Refills and registrations that were left unanswered.
    pub refused: u64,
    /// Links that had to register anew.
    pub anew: u64,
    /// Hostile messages that reached a hub, or calls by a greedy SAE.
    pub hostile: u64,
    /// Calls of masters and slaves that were under way at the client whose messages or refills were touched.
    pub calls: u64,
    /// Those of them that failed.
    pub failed: u64,
}

impl Effect {
    /// Adds what others of the same kind did.
    pub fn add(&mut self, other: &Self) {
        self.injected += other.injected;
        self.in_vain += other.in_vain;
        self.lost += other.lost;
        self.late += other.late;
        self.refused += other.refused;
        self.anew += other.anew;
        self.hostile += other.hostile;
        self.calls += other.calls;
        self.failed += other.failed;
    }

    /// Whether something was injected, and nothing touched.
    #[must_use]
    pub fn is_inert(&self) -> bool {
        self.injected > 0 && self.in_vain == self.injected
    }
}

/// What the faults of a run did, by kind.
pub(super) fn of(facts: &Facts<'_>) -> BTreeMap<String, Effect> {
    let scene = Scene {
        facts,
        ways: ways(facts),
        hostile: hostile(facts),
    };
    let mut effects: BTreeMap<String, Effect> = BTreeMap::new();
    for planned in &facts.seen.plan.faults {
        let effect = effects.entry(planned.fault.kind().to_string()).or_default();
        effect.add(&scene.touched_by(planned).effect(facts));
    }
    effects
}

/// What a fault may have touched.
struct Scene<'a> {
    facts: &'a Facts<'a>,
    ways: Vec<Way>,
    hostile: Vec<Hostile>,
}

/// One way of a message between an honest client and a hub.
struct Way {
    client: usize,
    hub: usize,
    from_us: u64,
    /// When it arrived, if it did.
    until_us: Option<u64>,
}

/// Every way, there and back. An answer after the client had given up does not count: nobody was there to hear it.
fn ways(facts: &Facts<'_>) -> Vec<Way> {
    let (mut arrived, mut said, mut heard) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for message in &facts.seen.messages {
        let (request, first) = match &message.what {
            Seen::Sent(_) => continue,
            Seen::Arrived(request) => (request, &mut arrived),
            Seen::Said { to, .. } => (to, &mut said),
            Seen::Heard { to, .. } => (to, &mut heard),
        };
        let key = (message.hub, request.signature.as_deref());
        first.entry(key).or_insert(message.at_us);
    }
    let patience_us = facts.seen.plan.cluster.request_timeout_ms * 1000;
    let mut ways = Vec::new();
    for message in &facts.seen.messages {
        let (Seen::Sent(request), Some(client)) = (&message.what, message.client) else {
            continue;
        };
        if !facts.seen.plan.is_honest(client) {
            continue;
        }
        let key = (message.hub, request.signature.as_deref());
        let mut add = |from_us, until_us: Option<&u64>| {
            ways.push(Way {
                client,
                hub: message.hub,
                from_us,
                until_us: until_us.copied(),
            });
        };
        add(message.at_us, arrived.get(&key));
        match said.get(&key) {
            Some(&said_us) if said_us < message.at_us + patience_us => {
                add(said_us, heard.get(&key));
            }
            _ => {}
        }
    }
    ways
}

/// When something was touched, in microseconds, and of which client.
type Points = Vec<(u64, usize)>;

/// What one fault touched.
#[derive(Default)]
struct Touched {
    lost: Points,
    late: Points,
    refused: Points,
    anew: Points,
    hostile: u64,
    /// A client that was down for a while.
    down: Option<(usize, u64, u64)>,
}

impl Scene<'_> {
    fn touched_by(&self, planned: &PlannedFault) -> Touched {
        let longest_us = self.longest_us();
        let until_us = planned.until_ms * 1000;
        let mut touched = Touched::default();
        match &planned.fault {
            Fault::Partition { clients, hubs }
            | Fault::PartitionToHubs { clients, hubs }
            | Fault::PartitionToClients { clients, hubs } => {
                // Both ways also where one is cut: to connect takes both.
                touched.lost = self.lost(planned, |way| {
                    clients.contains(&way.client) && hubs.contains(&way.hub)
                });
                // A link that waits for PSRD sends nothing that could be lost, and its calls wait with it.
                for &hub in hubs {
                    let span = planned.at_ms * 1000..until_us;
                    let refused = out_of_band(self.facts, OutOfBand::Unanswered, hub, span);
                    let its = refused
                        .into_iter()
                        .filter(|(_, client)| clients.contains(client));
                    touched.refused.extend(its);
                }
            }
            Fault::Hold { client, hub } => {
                let is_late = |_: &Way, arrived_us| arrived_us >= until_us;
                self.on_link(planned, (*client, *hub), is_late, &mut touched);
            }
            Fault::SlowLink {
                client,
                hub,
                latency_ms,
            } => {
                let slow_us = (latency_ms * 1000).max(longest_us + 1);
                let is_late = |way: &Way, arrived_us| arrived_us >= way.from_us + slow_us;
                self.on_link(planned, (*client, *hub), is_late, &mut touched);
            }
            Fault::LossyLink { client, hub, .. } => {
                // What is lost is so late that nobody waited any more.
                let again_us = RETRANSMISSION_MS * 1000;
                let is_late = |way: &Way, arrived_us| arrived_us >= way.from_us + again_us;
                self.on_link(planned, (*client, *hub), is_late, &mut touched);
            }
            Fault::SlowHub { hub, .. } => touched.late = self.arrived(planned, *hub),
            Fault::CrashHub { hub } => {
                touched.lost = self.lost(planned, |way| way.hub == *hub);
                touched.anew = self.registered_after(planned, *hub);
            }
            Fault::CrashClient { client } => {
                touched.lost = self.lost(planned, |way| way.client == *client);
                touched.down = Some((*client, planned.at_ms * 1000, until_us));
            }
            Fault::CutRefill { hub } => {
                let span = planned.at_ms * 1000..until_us;
                touched.refused = out_of_band(self.facts, OutOfBand::RefillCutOff, *hub, span);
            }
            Fault::SwapAnswers { client, hub } => {
                let span = planned.at_ms * 1000..until_us;
                touched.lost = out_of_band(self.facts, OutOfBand::AnswersSwapped, *hub, span);
                touched.lost.retain(|(_, deceived)| deceived == client);
            }
            Fault::LoseDelivery { hub } => {
                let span = planned.at_ms * 1000..until_us;
                touched.refused = out_of_band(self.facts, OutOfBand::DeliveryLost, *hub, span);
            }
            Fault::Flood { hub, .. } => {
                touched.hostile = self.met(planned, |one| one.hub == *hub && !one.is_rogue);
            }
            Fault::RogueClient { .. } => touched.hostile = self.met(planned, |one| one.is_rogue),
            Fault::GreedySae { client, .. } => {
                let calls = self.facts.calls(CallKind::Greedy);
                let its = calls.filter(|c| c.client == *client && lasts(planned, c.from_us));
                touched.hostile = its.count() as u64;
            }
        }
        touched
    }

    fn longest_us(&self) -> u64 {
        self.facts.seen.plan.cluster.latency_ms.1 * 1000
    }

    /// The ways during a fault, with what was under way when it began.
    fn ways_during(&self, planned: &PlannedFault) -> impl Iterator<Item = &Way> {
        let (planned, longest_us) = (planned.clone(), self.longest_us());
        self.ways.iter().filter(move |way| {
            lasts(&planned, way.from_us) || lasts(&planned, way.from_us + longest_us)
        })
    }

    /// Messages that never arrived.
    fn lost(&self, planned: &PlannedFault, concerns: impl Fn(&Way) -> bool) -> Points {
        let ways = self.ways_during(planned);
        let lost = ways.filter(|way| concerns(way) && way.until_us.is_none());
        lost.map(|way| (way.from_us, way.client)).collect()
    }

    /// Messages of one link that never arrived, or arrived late.
    fn on_link(
        &self,
        planned: &PlannedFault,
        link: (usize, usize),
        is_late: impl Fn(&Way, u64) -> bool,
        touched: &mut Touched,
    ) {
        for way in self.ways_during(planned) {
            if (way.client, way.hub) != link {
                continue;
            }
            let point = (way.from_us, way.client);
            match way.until_us {
                None => touched.lost.push(point),
                Some(arrived_us) if is_late(way, arrived_us) => touched.late.push(point),
                Some(_) => {}
            }
        }
    }

    /// Requests that reached a hub during a fault.
    fn arrived(&self, planned: &PlannedFault, hub: usize) -> Points {
        let messages = self.facts.seen.messages.iter();
        let arrived = messages.filter(|message| {
            matches!(message.what, Seen::Arrived(_))
                && message.hub == hub
                && lasts(planned, message.at_us)
        });
        arrived
            .filter_map(|message| Some((message.at_us, message.client?)))
            .collect()
    }

    /// Links that registered anew at a hub that had crashed, until it crashed again.
    fn registered_after(&self, planned: &PlannedFault, hub: usize) -> Points {
        let faults = self.facts.seen.plan.faults.iter();
        let crashes =
            faults.filter(|other| other.fault == planned.fault && other.at_ms > planned.at_ms);
        let next_ms = crashes.map(|crash| crash.at_ms).min();
        let next_us = next_ms.map_or(u64::MAX, |ms| ms * 1000);
        let span = planned.until_ms * 1000..next_us;
        out_of_band(self.facts, OutOfBand::Registered, hub, span)
    }

    /// Hostile messages that reached a hub during a fault, or were sent before it ended.
    fn met(&self, planned: &PlannedFault, is_its: impl Fn(&Hostile) -> bool) -> u64 {
        let longest_us = self.longest_us();
        let met = self.hostile.iter().filter(|one| {
            let sent_us = one.at_us.saturating_sub(longest_us);
            is_its(one) && (lasts(planned, one.at_us) || lasts(planned, sent_us))
        });
        met.count() as u64
    }
}

fn lasts(planned: &PlannedFault, us: u64) -> bool {
    (planned.at_ms * 1000..planned.until_ms * 1000).contains(&us)
}

impl Touched {
    fn effect(&self, facts: &Facts<'_>) -> Effect {
        let honest = |kind: CallKind| matches!(kind, CallKind::Master | CallKind::Slave);
        let affected = facts.seen.calls.iter();
        let affected = affected.filter(|call| honest(call.kind) && self.affects(call));
        let (mut calls, mut failed) = (0, 0);
        for call in affected {
            calls += 1;
            failed += u64::from(!matches!(call.outcome, Outcome::Keys(_)));
        }
        let number = |touched: &[(u64, usize)]| touched.len() as u64;
        let mut effect = Effect {
            injected: 1,
            in_vain: 0,
            lost: number(&self.lost),
            late: number(&self.late),
            refused: number(&self.refused),
            anew: number(&self.anew),
            hostile: self.hostile,
            calls,
            failed,
        };
        let touched = [effect.lost, effect.late, effect.refused, effect.anew];
        let nothing = touched.iter().all(|n| *n == 0) && effect.hostile == 0 && calls == 0;
        effect.in_vain = nothing.into();
        effect
    }

    /// Whether something of the call's client was touched while the call was under way.
    fn affects(&self, call: &Call) -> bool {
        let mut points = [&self.lost, &self.late, &self.refused, &self.anew]
            .into_iter()
            .flatten();
        let during = |us: u64| (call.from_us..=call.until_us).contains(&us);
        let down = self.down.is_some_and(|(client, at_us, until_us)| {
            client == call.client && at_us <= call.until_us && call.from_us < until_us
        });
        down || points.any(|(us, client)| *client == call.client && during(*us))
    }
}

fn out_of_band(
    facts: &Facts<'_>,
    what: OutOfBand,
    hub: usize,
    span: std::ops::Range<u64>,
) -> Points {
    let seen = facts.seen.out_of_band.iter();
    let wanted = seen.filter(|(us, at, client, kind)| {
        *kind == what && *at == hub && span.contains(us) && facts.seen.plan.is_honest(*client)
    });
    wanted.map(|(us, _, client, _)| (*us, *client)).collect()
}

/// A message that reached a hub and is of no honest client.
struct Hostile {
    at_us: u64,
    hub: usize,
    /// Whether the rogue client sent it, and not the outsider.
    is_rogue: bool,
}

fn hostile(facts: &Facts<'_>) -> Vec<Hostile> {
    let mut met: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let hostile = facts.seen.messages.iter().filter_map(|message| {
        let Seen::Arrived(request) = &message.what else {
            return None;
        };
        let hostile = |is_rogue| {
            Some(Hostile {
                at_us: message.at_us,
                hub: message.hub,
                is_rogue,
            })
        };
        let Some(signature) = request.signature.as_deref() else {
            return hostile(false);
        };
        let key = (message.hub, signature);
        let sent = facts.sent.get(&key).map_or(&[][..], Vec::as_slice);
        if sent
            .iter()
            .any(|sent| !facts.seen.plan.is_honest(sent.client))
        {
            return hostile(true);
        }
        let same = sent.iter().filter(|sent| sent.request == request).count();
        let times = met.entry(key).or_default();
        // What was sent once arrives once; whatever comes again is a replay.
        if *times < same {
            *times += 1;
            return None;
        }
        hostile(false)
    });
    hostile.collect()
}
