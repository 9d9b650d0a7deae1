//! As specified: whatever reaches a hub, it answers what the model of a hub says, and holds what the model holds. A lie
//! excuses what it does to the answer that it was told in, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use dske::protocol::hub::{
    Holding, HubStatus, OobError, PeerStatus, PsrdRequest, Registration, RegistrationRequest,
};
use dske::protocol::{NodeName, Request, Response};
use dske::psrd::BlockId;
use uuid::Uuid;

use super::model::hub::lies::Told;
use super::model::hub::psrd::Tolerance;
use super::model::hub::said::{Said, code};
use super::model::hub::{Answer, Hub, Rules};
use super::{Facts, Verdict, Violation};
use crate::plan::{HUB_NAMES, Lie, Plan};
use crate::world::observer::Observation;
use crate::world::observer::record::{Answered, Asked, Deal};

/// A hub that is not asked for shares erases what is over this often.
const ERASED_EVERY_US: u64 = 1_000_000;

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let seen = facts.seen;
    let lies = lies(seen);
    let mut verdict = Verdict::default();
    let mut hubs: BTreeMap<usize, Watched<'_>> = BTreeMap::new();
    for deal in &seen.deals {
        let watched = hubs.entry(deal.hub);
        let watched = watched.or_insert_with(|| Watched::new(seen, &lies, deal.hub));
        watched.see(deal, &mut verdict);
    }
    verdict
}

/// The lie told in each answer, by hub and signature of the request.
type Lies<'a> = BTreeMap<usize, BTreeMap<&'a str, Told>>;

fn lies(seen: &Observation) -> Lies<'_> {
    let mut lies = Lies::new();
    for told in &seen.lies {
        let Some(to) = &told.to else { continue };
        let new = || Told {
            lie: told.lie,
            key_ids: BTreeSet::new(),
        };
        let lies = lies.entry(told.hub).or_default();
        let known = lies.entry(to.as_str()).or_insert_with(new);
        known.key_ids.extend(&told.key_ids);
    }
    lies
}

/// What the plan says of a hub.
fn rules(plan: &Plan, hub: usize) -> Rules {
    let cluster = &plan.cluster;
    let clients = usize::from(cluster.clients) + usize::from(plan.has_rogue());
    let clients = (0..clients).map(|client| {
        let saes = plan.saes_of(client);
        let saes = saes.iter().map(|sae| sae.parse().expect("a valid name"));
        let name = plan.client_name(client).parse().expect("a valid name");
        (name, saes.collect())
    });
    Rules {
        hubs: cluster.hubs,
        threshold: cluster.threshold,
        x: u8::try_from(hub + 1).unwrap_or(u8::MAX),
        clients: clients.collect(),
        block_bytes: usize::try_from(cluster.psrd_block_bytes).unwrap_or(usize::MAX),
        shares_max: cluster.shares_per_hub_max,
        share_bytes_max: cluster.share_bytes_per_hub_max,
        ttl_us: cluster.share_ttl_ms * 1000,
        linger_us: cluster.call_deadline_ms * 1000,
        background_us: 2 * cluster.call_deadline_ms * 1000,
        tolerance: Tolerance {
            mac_failures_max: cluster.limits.mac_failures_max,
            spans_max: cluster.limits.spans_max,
            remembered_max: cluster.limits.remembered_max,
        },
    }
}

/// A hub with the model of it.
struct Watched<'a> {
    seen: &'a Observation,
    lies: &'a Lies<'a>,
    hub: usize,
    model: Hub,
    registrations: BTreeSet<Uuid>,
    /// The first message since the start that should have been answered and was not, with its time.
    unanswered: Option<(u64, String)>,
}

impl<'a> Watched<'a> {
    fn new(seen: &'a Observation, lies: &'a Lies<'a>, hub: usize) -> Self {
        Self {
            seen,
            lies,
            hub,
            model: Hub::new(rules(&seen.plan, hub)),
            registrations: BTreeSet::new(),
            unanswered: None,
        }
    }

    fn see(&mut self, deal: &Deal, verdict: &mut Verdict) {
        let at_us = deal.at_us;
        match (&deal.asked, &deal.answer) {
            (Asked::Start, _) => *self = Self::new(self.seen, self.lies, self.hub),
            (Asked::Message(request), None) => self.unanswered(at_us, request),
            (Asked::Message(request), Some(Answered::Message(response))) => {
                self.message(at_us, request, response, verdict);
            }
            (Asked::Registration(request), Some(Answered::Registration(answer))) => {
                let (expected, said) = self.register(request, answer);
                self.out_of_band(at_us, &request.client, (expected, said), verdict);
            }
            (Asked::Delivery(request), Some(Answered::Delivery(answer))) => {
                let (expected, said) = self.deliver(request, answer);
                self.out_of_band(at_us, &request.client, (expected, said), verdict);
            }
            (Asked::Status, Some(Answered::Status(status))) => self.status(at_us, status, verdict),
            // It crashed before it could answer.
            _ => {}
        }
        // It did not crash.
        if deal.answer.is_some()
            && let Some((at_us, to)) = self.unanswered.take_if(|(since, _)| *since < at_us)
        {
            let (expected, said) = ("an answer".to_owned(), "nothing".to_owned());
            verdict.expect(false, at_us, || self.otherwise(to, expected, said));
        }
    }

    fn otherwise(&self, to: String, expected: String, said: String) -> Violation {
        Violation::AnsweredOtherwise {
            hub: self.hub,
            to,
            expected,
            said,
        }
    }

    /// The lie that was told to whoever sent this message.
    fn told(&self, request: &Request) -> Option<&'a Told> {
        let header = request.signature.as_deref()?;
        self.lies.get(&self.hub)?.get(header)
    }

    /// Lets the model deal with a message. Gives the client whose MAC it carries, and the lie that was told to it: not
    /// to others who send the same.
    fn ask(
        &mut self,
        at_us: u64,
        request: &Request,
    ) -> (Answer, Option<(NodeName, Option<&'a Told>)>) {
        let told = self.told(request);
        let takes_shares = told.is_none_or(|told| told.lie != Lie::RefuseStore);
        let blocks = &self.seen.blocks;
        let (answer, client) = self.model.ask(at_us, blocks, request, takes_shares);
        (answer, client.map(|client| (client, told)))
    }

    fn unanswered(&mut self, at_us: u64, request: &Request) {
        let (answer, authentic) = self.ask(at_us, request);
        let lie = authentic.as_ref().and_then(|(_, told)| Some((*told)?.lie));
        match (lie, authentic) {
            (Some(Lie::Silent), _) => {}
            // It crashed before the time for the answer came, which it had signed.
            (Some(Lie::Delay), Some((client, _))) if answer.is_signed() => {
                self.model.sign(&client, answer.share_bytes());
            }
            _ => {
                let to = request.signature.clone().unwrap_or_default();
                self.unanswered.get_or_insert((at_us, to));
            }
        }
    }

    fn message(
        &mut self,
        at_us: u64,
        request: &Request,
        response: &Response,
        verdict: &mut Verdict,
    ) {
        let (answer, authentic) = self.ask(at_us, request);
        let said = Said::read(&self.seen.blocks, request, response);
        let told = authentic.as_ref().and_then(|(_, told)| *told);
        let lie = told.map(|told| told.lie);
        // What is altered may be longer or shorter.
        let share_bytes = match lie {
            None | Some(Lie::ReplayAnswer) => answer.share_bytes(),
            Some(_) => said.share_bytes(),
        };
        let is_signed = answer.is_signed();
        let client = authentic.filter(|_| is_signed).map(|(client, _)| client);
        let allocation = client.and_then(|client| self.model.sign(&client, share_bytes));
        let fits = match lie {
            Some(Lie::Silent) => false,
            Some(Lie::ReplayAnswer) => !said.is_authentic,
            _ => {
                let is_authentic = is_signed && lie != Some(Lie::ForgeMac);
                said.is_authentic == is_authentic
                    && said.allocation == allocation
                    && said.is(&answer, told)
            }
        };
        verdict.expect(fits, at_us, || {
            let to = request.signature.clone().unwrap_or_default();
            let with = |allocation: &Option<_>| format!("{allocation:?}");
            let (expected, said) = match said.allocation == allocation {
                true => (answer.to_string(), said.to_string()),
                false => (
                    format!("{answer}, with {}", with(&allocation)),
                    format!("{said}, with {}", with(&said.allocation)),
                ),
            };
            self.otherwise(to, expected, said)
        });
    }

    /// Gives what the hub has to say and what it says.
    fn register(
        &mut self,
        request: &RegistrationRequest,
        answer: &Result<Registration, OobError>,
    ) -> (Result<(), &'static str>, Result<(), String>) {
        let expected = match self.model.knows(&request.client) {
            true => Ok(()),
            false => Err("unknown-client"),
        };
        let said = match answer {
            Ok(Registration {
                hub,
                x,
                registration,
            }) => {
                self.model.register(request, *registration);
                let is_new = self.registrations.insert(*registration);
                let is_me = Some(hub.as_str()) == HUB_NAMES.get(self.hub).copied()
                    && usize::from(x.get()) == self.hub + 1;
                match is_new && is_me {
                    true => Ok(()),
                    false => Err(format!("registration {registration} at {hub} with x = {x}")),
                }
            }
            Err(error) => Err(code(error)),
        };
        (expected, said)
    }

    fn deliver(
        &mut self,
        request: &PsrdRequest,
        answer: &Result<BlockId, OobError>,
    ) -> (Result<(), &'static str>, Result<(), String>) {
        let drawn = answer.as_ref().ok().copied();
        let drawn = drawn.unwrap_or(BlockId::from(Uuid::nil()));
        let expected = self.model.deliver(request, drawn);
        (expected, answer.as_ref().map(|_| ()).map_err(code))
    }

    fn out_of_band(
        &self,
        at_us: u64,
        client: &NodeName,
        (expected, said): (Result<(), &'static str>, Result<(), String>),
        verdict: &mut Verdict,
    ) {
        let fits = expected.map_err(str::to_owned) == said;
        verdict.expect(fits, at_us, || {
            let (expected, said) = (format!("{expected:?}"), format!("{said:?}"));
            self.otherwise(format!("{client}, out of band"), expected, said)
        });
    }

    fn status(&self, at_us: u64, status: &HubStatus, verdict: &mut Verdict) {
        let mut counted = |what: String, said: usize, least: u64, most: u64| {
            let fits = (least..=most).contains(&(said as u64));
            verdict.expect(fits, at_us, || Violation::CountsOtherwise {
                hub: self.hub,
                what: what.clone(),
                said,
                least,
                most,
            });
        };
        // A liar breaks off between the steps in which an honest hub counts.
        if !self.seen.plan.lying_hubs().contains(&self.hub) {
            let (served, refused) = self.model.counts();
            for (did, said, counts) in [
                ("served", &status.served, served),
                ("refused", &status.refused, refused),
            ] {
                let kinds = said.keys().map(String::as_str);
                let kinds: BTreeSet<&str> = kinds.chain(counts.keys().copied()).collect();
                for kind in kinds {
                    let said = said.get(kind).copied().unwrap_or(0);
                    let said = usize::try_from(said).unwrap_or(usize::MAX);
                    let number = counts.get(kind).copied().unwrap_or(0);
                    counted(format!("{kind}, {did}"), said, number, number);
                }
            }
        }
        let store = self.model.store();
        let mut held = (0, 0);
        for (client, saes) in self.model.clients() {
            let least = store.used(saes, at_us);
            // What has been over for no longer than that may still be there.
            let most = store.used(saes, at_us.saturating_sub(ERASED_EVERY_US));
            let mine = |holding: &&Holding| holding.client == *client;
            let holding = status.holdings.iter().find(mine);
            let (shares, bytes) = holding.map_or((0, 0), |holding| {
                (holding.shares_held, holding.share_bytes_held)
            });
            let what = format!("shares of {client}");
            counted(what, shares, least.shares, most.shares);
            let what = format!("bytes of shares of {client}");
            counted(what, bytes, least.bytes, most.bytes);
            held = (held.0 + shares as u64, held.1 + bytes as u64);
        }
        counted("shares".to_owned(), status.shares_held, held.0, held.0);
        let bytes = "bytes of shares".to_owned();
        counted(bytes, status.share_bytes_held, held.1, held.1);
        let clients = self.model.peers().count() as u64;
        let registered = "registered clients".to_owned();
        counted(registered, status.peers.len(), clients, clients);
        for (client, up, down) in self.model.peers() {
            let mine = |peer: &&PeerStatus| peer.client == *client;
            let peer = status.peers.iter().find(mine);
            let (up_said, down_said) =
                peer.map_or((0, 0), |peer| (peer.up_bytes_left, peer.down_bytes_left));
            counted(format!("bytes left of {client}, up"), up_said, up, up);
            counted(
                format!("bytes left of {client}, down"),
                down_said,
                down,
                down,
            );
        }
    }
}

#[cfg(test)]
mod tests;
