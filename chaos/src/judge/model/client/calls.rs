//! Which messages belong to which call.

use std::collections::BTreeMap;

use dske::protocol::batch::Operation;
use dske::protocol::message::{DepositBody, Encrypted, FetchQuery};
use dske::protocol::{KeyId, SaeId};

use super::end::End;
use super::link::{Heard, Links};
use crate::judge::Facts;

/// Hub → how many requests left for it, and when the last one did.
pub type Attempts = BTreeMap<usize, (u32, u64)>;

/// What a client asks all hubs, and what they say: one exchange with each.
pub struct Asked<'a, T> {
    /// What is asked.
    pub what: T,
    /// When the first request left.
    pub first_us: u64,
    /// The requests that left.
    pub attempts: Attempts,
    /// The last words of hubs, in order of time.
    pub heard: Vec<&'a Heard>,
}

impl<T> Asked<'_, T> {
    fn new(what: T, first_us: u64) -> Self {
        Self {
            what,
            first_us,
            attempts: Attempts::new(),
            heard: Vec::new(),
        }
    }
}

/// All that clients asked for their SAEs.
#[derive(Default)]
pub struct Calls<'a> {
    /// Client and first key ID → what was deposited. IDs of keys that no master was given are told to no SAE.
    pub deposits: BTreeMap<(usize, KeyId), Asked<'a, &'a DepositBody<Encrypted>>>,
    /// Call → what was fetched, in the order of time. All keys at once, or then in parts.
    pub fetches: BTreeMap<usize, Vec<Asked<'a, &'a FetchQuery>>>,
    /// Client and first key ID → the requests for a withdrawal that left.
    pub withdrawals: BTreeMap<(usize, KeyId), Attempts>,
}

impl<'a> Calls<'a> {
    /// Puts each message down to the call that it was sent for.
    #[must_use]
    pub fn of(facts: &Facts<'_>, links: &'a Links) -> Self {
        let mut calls = Self::default();
        let fetching = fetching(facts);
        let call_of = |client: usize, at_us: u64, query: &FetchQuery| {
            let first = *query.key_ids.first()?;
            let of_key = fetching.get(&(&query.slave_sae, first))?;
            let mut begun = of_key.iter().rev().copied().filter(|&call| {
                let call = &facts.seen.calls[call];
                call.client == client
                    && call.from_us <= at_us
                    && call.other == query.master_sae
                    && query.key_ids.iter().all(|key| call.key_ids.contains(key))
            });
            begun.next()
        };
        for sent in &links.sent {
            let attempts = match &sent.operation {
                Operation::Deposit(body) => body.keys.first().map(|key| {
                    let place = calls.deposits.entry((sent.client, key.key_id));
                    let asked = place.or_insert_with(|| Asked::new(body, sent.at_us));
                    &mut asked.attempts
                }),
                Operation::Withdraw(withdrawal) => withdrawal.key_ids.first().map(|&key_id| {
                    let place = calls.withdrawals.entry((sent.client, key_id));
                    place.or_default()
                }),
                Operation::Fetch(query) => call_of(sent.client, sent.at_us, query).map(|call| {
                    let parts = calls.fetches.entry(call).or_default();
                    let place = parts.iter().position(|asked| asked.what == query);
                    let place = place.unwrap_or_else(|| {
                        parts.push(Asked::new(query, sent.at_us));
                        parts.len() - 1
                    });
                    &mut parts[place].attempts
                }),
            };
            if let Some(attempts) = attempts {
                let (number, at_us) = attempts.entry(sent.hub).or_default();
                (*number, *at_us) = (*number + 1, sent.at_us);
            }
        }
        for heard in &links.heard {
            let place = match &heard.operation {
                Operation::Deposit(body) => body.keys.first().and_then(|key| {
                    let asked = calls.deposits.get_mut(&(heard.client, key.key_id));
                    asked.map(|asked| &mut asked.heard)
                }),
                Operation::Withdraw(_) => None,
                Operation::Fetch(query) => {
                    call_of(heard.client, heard.sent_us, query).and_then(|call| {
                        let parts = calls.fetches.get_mut(&call)?.iter_mut();
                        let asked = parts.into_iter().find(|asked| asked.what == query)?;
                        Some(&mut asked.heard)
                    })
                }
            };
            if let Some(place) = place {
                place.push(heard);
            }
        }
        calls
    }
}

/// SAE and key → the calls that may fetch it, in order of time. One that is told that the key was handed out before asks no
/// hub.
fn fetching<'a>(facts: &Facts<'a>) -> BTreeMap<(&'a SaeId, KeyId), Vec<usize>> {
    let mut fetching: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (number, call) in facts.seen.calls.iter().enumerate() {
        if !call.kind.fetches() || End::of(&call.outcome) == Some(End::HandedOut) {
            continue;
        }
        for &key in &call.key_ids {
            fetching.entry((&call.sae, key)).or_default().push(number);
        }
    }
    for calls in fetching.values_mut() {
        calls.sort_by_key(|&call| facts.seen.calls[call].from_us);
    }
    fetching
}
