//! Who knows what of each key, and since when.
//!
//! The adversary reads the whole wire and has the PSRD of its hubs. So it knows a share that is sent to one of them from
//! the moment it is sent, whether or not it arrives. The rogue client works for the adversary, too: a share that a hub
//! hands to this client is known from the moment the hub says it. What a broken node leaks in other ways, for example by
//! using a pad twice, is not counted here: the invariant `secrecy` judges that.

use std::collections::{BTreeMap, BTreeSet};

use dske::crypto::secret::Secret;
use dske::crypto::shamir::ShareIndex;
use dske::protocol::KeyId;
use dske::protocol::message::FetchAnswer;

use super::schema::{Delivered, KeyStory, Learnt, Stored};
use crate::judge::Facts;
use crate::plan::HUB_NAMES;
use crate::world::observer::open;
use crate::world::observer::record::Seen;

/// The story of each key that a client drew, in order of time.
pub(super) fn keys(facts: &Facts<'_>) -> Vec<KeyStory> {
    let mut stories: BTreeMap<KeyId, KeyStory> = BTreeMap::new();
    for deposit in &facts.deposits {
        if !facts.seen.plan.is_honest(deposit.client) {
            continue;
        }
        let body = &deposit.body;
        for key in &body.keys {
            stories.entry(key.key_id).or_insert_with(|| KeyStory {
                id: key.key_id.to_string(),
                at_us: deposit.at_us,
                master: body.master_sae.to_string(),
                slaves: body.slave_saes.iter().map(ToString::to_string).collect(),
                bits: 8 * body.size,
                stored: stored(facts, key.key_id),
                delivered: Vec::new(),
                adversary: Vec::new(),
            });
        }
    }
    deliver(facts, &mut stories);
    learn(facts, &mut stories);
    let mut stories: Vec<KeyStory> = stories.into_values().collect();
    stories.sort_by_key(|story| story.at_us);
    stories
}

fn stored(facts: &Facts<'_>, key_id: KeyId) -> Vec<Stored> {
    let hubs = facts.accepted.get(&key_id).into_iter().flatten();
    let mut stored: Vec<Stored> = hubs
        .map(|(&hub, &at_us)| Stored {
            at_us,
            hub: HUB_NAMES[hub].to_owned(),
        })
        .collect();
    stored.sort_by_key(|stored| stored.at_us);
    stored
}

fn deliver(facts: &Facts<'_>, stories: &mut BTreeMap<KeyId, KeyStory>) {
    let mut values: BTreeMap<KeyId, Vec<&Secret>> = BTreeMap::new();
    for call in &facts.seen.calls {
        for key in call.outcome.keys().unwrap_or_default() {
            let Some(story) = stories.get_mut(&key.id) else {
                continue;
            };
            let values = values.entry(key.id).or_default();
            let known = values.iter().position(|value| **value == key.bytes);
            let value = known.unwrap_or_else(|| {
                values.push(&key.bytes);
                values.len() - 1
            });
            story.delivered.push(Delivered {
                at_us: call.until_us,
                sae: call.sae.to_string(),
                call: call.id,
                role: call.kind.name(),
                value: value + 1,
                drawn: facts.key(key.id).map(|drawn| drawn == key.bytes),
            });
        }
    }
}

fn learn(facts: &Facts<'_>, stories: &mut BTreeMap<KeyId, KeyStory>) {
    let mut known: BTreeSet<(KeyId, ShareIndex)> = BTreeSet::new();
    for (at_us, key_id, x, how) in leaks(facts) {
        if known.insert((key_id, x))
            && let Some(story) = stories.get_mut(&key_id)
        {
            story.adversary.push(Learnt {
                at_us,
                x: x.get(),
                held: story.adversary.len() + 1,
                how,
            });
        }
    }
}

/// Every share that came to the adversary, in order of time.
fn leaks(facts: &Facts<'_>) -> Vec<(u64, KeyId, ShareIndex, String)> {
    let plan = &facts.seen.plan;
    let adversary = plan.adversary();
    let mut leaks = Vec::new();
    for deposit in &facts.deposits {
        if !adversary.contains(&deposit.hub) || !plan.is_honest(deposit.client) {
            continue;
        }
        let Some(x) = ShareIndex::new(deposit.body.x) else {
            continue;
        };
        let how = format!("sent to {}", HUB_NAMES[deposit.hub]);
        let keys = deposit.body.keys.iter();
        leaks.extend(keys.map(|key| (deposit.at_us, key.key_id, x, how.clone())));
    }
    for message in &facts.seen.messages {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        let Some(rogue) = message.client.filter(|client| !plan.is_honest(*client)) else {
            continue;
        };
        let fetched = open::fetched(&facts.seen.blocks, to, response);
        for result in fetched.flat_map(|(_, reply)| reply.keys) {
            let FetchAnswer::Found(found) = result.answer else {
                continue;
            };
            // Only shares of the key count: a hub may hand out something else.
            let shares = facts.shares.get(&result.key_id).into_iter().flatten();
            let mut shares = shares.filter(|(_, share)| share.y == found.share.0);
            if let Some((&x, _)) = shares.next() {
                let (hub, rogue) = (HUB_NAMES[message.hub], plan.client_name(rogue));
                let how = format!("handed to {rogue} by {hub}");
                leaks.push((message.at_us, result.key_id, x, how));
            }
        }
    }
    leaks.sort_by_key(|(at_us, ..)| *at_us);
    leaks
}
