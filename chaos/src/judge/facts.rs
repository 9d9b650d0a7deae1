//! What several checks need to know, worked out once from what was seen.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use dske::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use dske::crypto::secret::Secret;
use dske::crypto::shamir::{Share, ShareIndex, interpolate};
use dske::protocol::batch::{Operation, Reply, operations_of, replies_of};
use dske::protocol::message::{DepositBody, DepositOutcome, DepositResult, Plain, Withdrawal};
use dske::protocol::{KeyId, KeyName, Refusal, Request, Response, SaeId};

use crate::world::observer::Observation;
use crate::world::observer::open;
use crate::world::observer::record::{Call, CallKind, Seen};

/// Key and slave → hub → when the hub first handed its share out to the slave, for a fetch of which it had found all keys.
pub type HandedOut = BTreeMap<(KeyId, SaeId), BTreeMap<usize, u64>>;

/// What was seen, with conclusions.
pub struct Facts<'a> {
    /// What was seen.
    pub seen: &'a Observation,
    /// Every deposit where it left its client, decrypted, in order of time.
    pub deposits: Vec<SentDeposit<'a>>,
    /// Every request where it left its client, by hub and signature header.
    pub sent: BTreeMap<(usize, &'a str), Vec<SentRequest<'a>>>,
    /// The shares of every key as their initiators sent them.
    pub shares: BTreeMap<KeyId, BTreeMap<ShareIndex, Share>>,
    /// The SAEs that may fetch each key, as its initiator named them.
    pub slaves: BTreeMap<KeyId, Vec<SaeId>>,
    /// The tag of each key, as its initiator sent it.
    pub tags: BTreeMap<KeyId, KeyTag>,
    /// Key → hub → when the hub first said that it holds a share.
    pub accepted: BTreeMap<KeyId, BTreeMap<usize, u64>>,
    handed_out: OnceCell<HandedOut>,
}

/// A deposit where it left its client.
pub struct SentDeposit<'a> {
    /// When, in microseconds.
    pub at_us: u64,
    /// Index of the client that sent it.
    pub client: usize,
    /// Index of the hub that it went to.
    pub hub: usize,
    /// The request.
    pub request: &'a Request,
    /// What it holds.
    pub body: DepositBody<Plain>,
}

/// A request where it left its client.
#[derive(Clone, Copy)]
pub struct SentRequest<'a> {
    /// Index of the client that sent it.
    pub client: usize,
    /// The request.
    pub request: &'a Request,
}

impl<'a> Facts<'a> {
    /// Works out the facts.
    #[must_use]
    pub fn new(seen: &'a Observation) -> Self {
        let mut facts = Self {
            deposits: deposits(seen),
            sent: sent(seen),
            shares: BTreeMap::new(),
            slaves: BTreeMap::new(),
            tags: BTreeMap::new(),
            accepted: accepted(seen),
            handed_out: OnceCell::new(),
            seen,
        };
        facts.add_drawn();
        facts
    }

    /// What initiators drew, as they sent it. A client that does not run the production code draws nothing: it may
    /// name the keys of others.
    fn add_drawn(&mut self) {
        for SentDeposit { client, body, .. } in &self.deposits {
            let x = ShareIndex::new(body.x).filter(|_| self.seen.plan.is_honest(*client));
            let Some(x) = x else { continue };
            for key in &body.keys {
                let y = key.share.0.clone();
                let shares = self.shares.entry(key.key_id).or_default();
                shares.insert(x, Share { x, y });
                let slaves = self.slaves.entry(key.key_id);
                slaves.or_insert_with(|| body.slave_saes.clone());
                self.tags.entry(key.key_id).or_insert(key.tag);
            }
        }
    }

    /// The secret Y = u ‖ S that was drawn for a key, if K of its shares were sent.
    #[must_use]
    pub fn secret(&self, key_id: KeyId) -> Option<Secret> {
        let threshold = usize::from(self.seen.plan.cluster.threshold);
        let points: Vec<&Share> = self.shares.get(&key_id)?.values().take(threshold).collect();
        if points.len() < threshold {
            return None;
        }
        interpolate(&points, 0).ok()
    }

    /// The user key S that was drawn.
    #[must_use]
    pub fn key(&self, key_id: KeyId) -> Option<Secret> {
        let secret = self.secret(key_id)?;
        Some(Secret::from(secret.get(TAG_SECRET_BYTES..)?.to_vec()))
    }

    /// The links of the clients that run the production code: client, hub.
    pub fn links(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let cluster = &self.seen.plan.cluster;
        let hubs = usize::from(cluster.hubs);
        let clients = 0..usize::from(cluster.clients);
        clients.flat_map(move |client| (0..hubs).map(move |hub| (client, hub)))
    }

    /// The keys that masters were given, and when.
    pub fn established(&self) -> impl Iterator<Item = (KeyId, u64)> {
        let given = self
            .seen
            .calls
            .iter()
            .filter(|call| call.kind.establishes());
        given.flat_map(|call| {
            let keys = call.outcome.keys().unwrap_or_default();
            keys.iter().map(|key| (key.id, call.until_us))
        })
    }

    /// When a client started, each time.
    pub fn starts(&self, client: usize) -> impl Iterator<Item = u64> {
        let lives = (client, 0)..=(client, u32::MAX);
        self.seen
            .client_starts
            .range(lives)
            .map(|(_, at_us)| *at_us)
    }

    /// Calls of one kind.
    pub fn calls(&self, kind: CallKind) -> impl Iterator<Item = &'a Call> {
        self.seen.calls.iter().filter(move |call| call.kind == kind)
    }

    /// The master's first call that belongs to another.
    #[must_use]
    pub fn master_of(&self, call: &Call) -> Option<&'a Call> {
        self.calls(CallKind::Master)
            .find(|master| master.id == call.id)
    }

    /// When hubs handed shares out. Worked out for the first call that fails and has to be excused: most runs have none.
    #[must_use]
    pub fn handed_out(&self) -> &HandedOut {
        self.handed_out.get_or_init(|| handed_out(self.seen))
    }

    /// Whether the client of a call was down while it ran, or so shortly before that the call may have lost its connection.
    #[must_use]
    pub fn client_was_down(&self, call: &Call) -> bool {
        let from_ms = (call.from_us / 1000).saturating_sub(self.settle_ms());
        let plan = &self.seen.plan;
        plan.is_client_down(call.client, from_ms, call.until_us / 1000 + 1)
    }

    /// How long before a call the network and the nodes have to be undisturbed, in milliseconds: a request that was
    /// lost has to time out first, and the next attempt may meet another one.
    #[must_use]
    pub fn settle_ms(&self) -> u64 {
        2 * self.seen.plan.cluster.request_timeout_ms
    }

    /// The hubs that were honest, up, and undisturbed for a client all the time, with time to settle before.
    #[must_use]
    pub fn good_hubs(&self, client: usize, from_us: u64, until_us: u64) -> Vec<usize> {
        let plan = &self.seen.plan;
        let from_ms = (from_us / 1000).saturating_sub(self.settle_ms());
        let until_ms = until_us / 1000 + 1;
        let good = |hub: &usize| {
            !plan.is_disturbed(client, *hub, from_ms, until_ms)
                && !plan.is_lying(*hub, from_ms, until_ms)
        };
        (0..usize::from(plan.cluster.hubs)).filter(good).collect()
    }
}

fn deposits(seen: &Observation) -> Vec<SentDeposit<'_>> {
    let mut deposits = Vec::new();
    for message in &seen.messages {
        let (Seen::Sent(request), Some(client)) = (&message.what, message.client) else {
            continue;
        };
        let bodies = open::deposits(&seen.blocks, request);
        deposits.extend(bodies.map(|body| SentDeposit {
            at_us: message.at_us,
            client,
            hub: message.hub,
            request,
            body,
        }));
    }
    deposits
}

fn sent(seen: &Observation) -> BTreeMap<(usize, &str), Vec<SentRequest<'_>>> {
    let mut sent: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for message in &seen.messages {
        let (Seen::Sent(request), Some(client)) = (&message.what, message.client) else {
            continue;
        };
        if let Some(signature) = &request.signature {
            let requests = sent.entry((message.hub, signature.as_str())).or_default();
            requests.push(SentRequest { client, request });
        }
    }
    sent
}

fn accepted(seen: &Observation) -> BTreeMap<KeyId, BTreeMap<usize, u64>> {
    let mut accepted: BTreeMap<KeyId, BTreeMap<usize, u64>> = BTreeMap::new();
    for message in &seen.messages {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        if !message.client.is_some_and(|c| seen.plan.is_honest(c)) {
            continue;
        }
        for key_id in stored(to, response) {
            let hubs = accepted.entry(key_id).or_default();
            hubs.entry(message.hub).or_insert(message.at_us);
        }
    }
    accepted
}

fn handed_out(seen: &Observation) -> HandedOut {
    let mut handed_out = HandedOut::new();
    for message in &seen.messages {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        let operations = operations_of(to).unwrap_or_default().into_iter();
        for pair in operations.zip(replies_of(to, response).into_iter().flatten()) {
            let (Operation::Fetch(query), Reply::Fetch(reply)) = pair else {
                continue;
            };
            if reply.is_complete() {
                for key_id in query.key_ids {
                    let hubs = handed_out.entry((key_id, query.slave_sae.clone()));
                    let hubs = hubs.or_default();
                    hubs.entry(message.hub).or_insert(message.at_us);
                }
            }
        }
    }
    handed_out
}

/// The keys whose shares are stored, according to an answer to a deposit.
pub(crate) fn stored(to: &Request, response: &Response) -> Vec<KeyId> {
    let mut results = deposit_results(to, response);
    results.retain(|result| result.outcome == DepositOutcome::Stored);
    results.into_iter().map(|result| result.key_id).collect()
}

/// The keys that are withdrawn, according to an answer.
pub(crate) fn withdrawn(to: &Request, response: &Response) -> Vec<KeyName> {
    let replies = replies_of(to, response).into_iter().flatten();
    let operations = operations_of(to).unwrap_or_default().into_iter();
    let withdrawals = operations.zip(replies).filter_map(|pair| match pair {
        (Operation::Withdraw(withdrawal), Reply::Withdraw) => Some(withdrawal),
        _ => None,
    });
    let keys = withdrawals.flat_map(|withdrawal| {
        let Withdrawal {
            master_sae,
            key_ids,
            ..
        } = withdrawal;
        key_ids.into_iter().map(move |key_id| KeyName {
            master_sae: master_sae.clone(),
            key_id,
        })
    });
    keys.collect()
}

/// What an answer refuses: the whole request, or operations of it.
pub(crate) fn refusals(to: &Request, response: &Response) -> Vec<Refusal> {
    if response.status != 200 {
        return serde_json::from_slice(&response.body).into_iter().collect();
    }
    let replies = replies_of(to, response).into_iter().flatten();
    let refusals = replies.filter_map(|reply| match reply {
        Reply::Refused(refusal) => Some(refusal),
        Reply::Deposit(_) | Reply::Fetch(_) | Reply::Withdraw => None,
    });
    refusals.collect()
}

/// What an answer says of each key that was deposited.
pub(crate) fn deposit_results(to: &Request, response: &Response) -> Vec<DepositResult> {
    let replies = replies_of(to, response).into_iter().flatten();
    let results = replies.filter_map(|reply| match reply {
        Reply::Deposit(reply) => Some(reply.keys),
        Reply::Fetch(_) | Reply::Refused(_) | Reply::Withdraw => None,
    });
    results.flatten().collect()
}
