//! What the rogue client tries.

use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::protocol::channel::{ClientEnd, Sent, seal_fetch};
use dske::protocol::limits::KEYS_PER_MESSAGE_MAX;
use dske::protocol::message::{DepositBody, DepositedKey, FetchQuery, Plain};
use dske::protocol::{KeyId, NodeName, Request, SaeId};
use dske::psrd::Spent;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt};
use zeroize::Zeroizing;

use crate::invariant::facts::stored;
use crate::observer::Observation;
use crate::observer::record::Seen;

/// Keys that it knows of at most: those of the last messages.
const KNOWN_MAX: usize = 30;

/// Bytes of its own keys.
const SIZE: usize = 16;

/// An attack.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attack {
    /// Fetches the keys of others in its own name.
    FetchInOwnName,
    /// Fetches them in the name of a slave that another client serves.
    FetchForForeignSae,
    /// Fetches them in the name of another client, signed with its own PSRD.
    FetchAsAnotherClient,
    /// Deposits garbage under the ID of a key that the hub holds.
    DepositUnderKnownKey,
    /// Deposits garbage for a master that another client serves.
    DepositForForeignSae,
    /// Makes the same deposit twice, each properly signed.
    DepositTwice,
    /// Deposits a share, and fetches it itself.
    DepositAndFetch,
    /// Sends a message twice, the same bytes.
    SendTwice,
    /// Signs two messages with the same bytes of PSRD.
    ReuseBytes,
    /// Asks for more keys than a message may name.
    TooManyKeys,
    /// Claims another N, K or x.
    WrongTopology,
}

/// A key of which a hub has said, for all to read, that it holds a share.
pub(super) struct Known {
    key_id: KeyId,
    master_sae: SaeId,
    slave_sae: SaeId,
    size: usize,
    /// N and K, as every deposit says them.
    sharing: (u8, u8),
}

impl Known {
    /// The keys that a hub has said it holds, newest first. Nothing secret: names, IDs and numbers only.
    ///
    /// Whoever deposits first owns the key ID, so that only what a hub holds already can be attacked without harm.
    pub(super) fn from_wire(seen: &Observation, hub: usize) -> Vec<Self> {
        let mut known = Vec::new();
        for message in seen.messages.iter().rev().filter(|m| m.hub == hub) {
            let Seen::Said { to, response } = &message.what else {
                continue;
            };
            if !message.client.is_some_and(|c| seen.plan.is_honest(c)) {
                continue;
            }
            let stored = stored(to, response);
            let Ok(body) = serde_json::from_slice::<DepositBody>(&to.body) else {
                continue;
            };
            let Some(slave_sae) = body.slave_saes.first() else {
                continue;
            };
            known.extend(stored.into_iter().map(|key_id| Self {
                key_id,
                master_sae: body.master_sae.clone(),
                slave_sae: slave_sae.clone(),
                size: body.size,
                sharing: (body.hubs, body.threshold),
            }));
            if known.len() >= KNOWN_MAX {
                break;
            }
        }
        known
    }
}

impl Attack {
    const ALL: [Self; 11] = [
        Self::FetchInOwnName,
        Self::FetchForForeignSae,
        Self::FetchAsAnotherClient,
        Self::DepositUnderKnownKey,
        Self::DepositForForeignSae,
        Self::DepositTwice,
        Self::DepositAndFetch,
        Self::SendTwice,
        Self::ReuseBytes,
        Self::TooManyKeys,
        Self::WrongTopology,
    ];

    pub(super) fn draw(rng: &mut ChaCha12Rng) -> Self {
        Self::ALL[rng.random_range(0..Self::ALL.len())]
    }

    /// Its name, as it is counted.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FetchInOwnName => "fetch-in-own-name",
            Self::FetchForForeignSae => "fetch-for-foreign-sae",
            Self::FetchAsAnotherClient => "fetch-as-another-client",
            Self::DepositUnderKnownKey => "deposit-under-known-key",
            Self::DepositForForeignSae => "deposit-for-foreign-sae",
            Self::DepositTwice => "deposit-twice",
            Self::DepositAndFetch => "deposit-and-fetch",
            Self::SendTwice => "send-twice",
            Self::ReuseBytes => "reuse-bytes",
            Self::TooManyKeys => "too-many-keys",
            Self::WrongTopology => "wrong-topology",
        }
    }

    /// The messages of the attack, if there is anything to attack and PSRD to do it with.
    pub(super) fn messages(
        self,
        me: &NodeName,
        hub: usize,
        known: &[Known],
        end: &mut ClientEnd,
        rng: &mut ChaCha12Rng,
    ) -> Option<Vec<(Request, Sent)>> {
        let victim = known.get(rng.random_range(0..known.len().max(1)))?;
        let own = SaeId::from(me);
        let fetch = |slave_sae: &SaeId| FetchQuery {
            client: me.clone(),
            slave_sae: slave_sae.clone(),
            master_sae: victim.master_sae.clone(),
            key_ids: vec![victim.key_id],
        };
        match self {
            Self::FetchInOwnName => Some(vec![end.seal_fetch(&fetch(&own)).ok()?]),
            Self::FetchForForeignSae => Some(vec![end.seal_fetch(&fetch(&victim.slave_sae)).ok()?]),
            Self::FetchAsAnotherClient => {
                let query = FetchQuery {
                    client: victim.slave_sae.as_str().parse().ok()?,
                    ..fetch(&victim.slave_sae)
                };
                Some(vec![end.seal_fetch(&query).ok()?])
            }
            Self::DepositUnderKnownKey => {
                let body = garbage(me, hub, victim, Some(victim.key_id), rng);
                Some(vec![end.seal_deposit(&body).ok()?])
            }
            Self::DepositForForeignSae => {
                let body = DepositBody {
                    master_sae: victim.master_sae.clone(),
                    ..garbage(me, hub, victim, None, rng)
                };
                Some(vec![end.seal_deposit(&body).ok()?])
            }
            Self::DepositTwice => {
                let body = garbage(me, hub, victim, None, rng);
                let first = end.seal_deposit(&body).ok()?;
                Some(vec![first, end.seal_deposit(&body).ok()?])
            }
            Self::DepositAndFetch => {
                let mut body = garbage(me, hub, victim, None, rng);
                body.slave_saes = vec![own.clone()];
                let query = FetchQuery {
                    master_sae: own.clone(),
                    key_ids: body.keys.iter().map(|key| key.key_id).collect(),
                    ..fetch(&own)
                };
                let first = end.seal_deposit(&body).ok()?;
                Some(vec![first, end.seal_fetch(&query).ok()?])
            }
            Self::SendTwice => {
                let message = end.seal_fetch(&fetch(&own)).ok()?;
                Some(vec![message.clone(), message])
            }
            Self::ReuseBytes => {
                let spent = end.spend(ClientEnd::FETCH_COST).ok()?;
                let again = Spent {
                    allocation: spent.allocation.clone(),
                    bytes: spent.bytes.clone(),
                };
                let first = seal_fetch(spent, &fetch(&own));
                Some(vec![first, seal_fetch(again, &fetch(&victim.slave_sae))])
            }
            Self::TooManyKeys => {
                let query = FetchQuery {
                    key_ids: vec![victim.key_id; KEYS_PER_MESSAGE_MAX + 1],
                    ..fetch(&own)
                };
                Some(vec![end.seal_fetch(&query).ok()?])
            }
            Self::WrongTopology => {
                let mut body = garbage(me, hub, victim, None, rng);
                match rng.random_range(0..3) {
                    0 => body.hubs = body.hubs.wrapping_add(1),
                    1 => body.threshold = body.threshold.wrapping_sub(1),
                    _ => body.x = body.x.wrapping_add(1),
                }
                Some(vec![end.seal_deposit(&body).ok()?])
            }
        }
    }
}

/// A deposit of its own with a random share, under a new key ID or one of another's.
fn garbage(
    me: &NodeName,
    hub: usize,
    victim: &Known,
    key_id: Option<KeyId>,
    rng: &mut ChaCha12Rng,
) -> DepositBody<Plain> {
    // As long as the share that it would take the place of.
    let size = key_id.map_or(SIZE, |_| victim.size);
    let mut share = Zeroizing::new(vec![0; TAG_SECRET_BYTES + size]);
    rng.fill_bytes(&mut share);
    let tag: u128 = rng.random();
    DepositBody {
        client: me.clone(),
        master_sae: SaeId::from(me),
        slave_saes: vec![victim.slave_sae.clone()],
        hubs: victim.sharing.0,
        threshold: victim.sharing.1,
        x: u8::try_from(hub + 1).unwrap_or(u8::MAX),
        size,
        keys: vec![DepositedKey {
            key_id: key_id.unwrap_or_else(|| KeyId::random(rng)),
            tag: format!("{tag:032x}")
                .parse()
                .expect("32 hexadecimal digits"),
            share: Plain(share),
        }],
    }
}
