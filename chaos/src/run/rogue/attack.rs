//! What the rogue client tries.

use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::mac::MAC_KEY_BYTES;
use dske::crypto::secret::Secret;
use dske::protocol::batch::{Operation, operations_of};
use dske::protocol::channel::{ClientEnd, Sent, batch_cost, seal_batch, seal_fetch, sign};
use dske::protocol::limits::KEYS_PER_MESSAGE_MAX;
use dske::protocol::message::{DepositBody, DepositedKey, FetchQuery, Plain};
use dske::protocol::{KeyId, NodeName, Request, SaeId};
use dske::psrd::Spent;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt};

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
    /// Deposits garbage under the ID of another master's key, which the hub may or may not hold already.
    DepositUnderKnownKey,
    /// Deposits garbage for a master that another client serves.
    DepositForForeignSae,
    /// Makes the same deposit twice, each properly signed.
    DepositTwice,
    /// Deposits a share, and another one of the same key.
    DepositAnother,
    /// Deposits a share, and fetches it itself.
    DepositAndFetch,
    /// Sends a message twice, the same bytes.
    SendTwice,
    /// Signs two messages with the same bytes of PSRD.
    ReuseBytes,
    /// Asks for more keys than a message may name.
    TooManyKeys,
    /// Does several of these in one batch.
    ForeignBatch,
    /// Signs a batch of which the end is missing.
    CutBatch,
    /// Claims another N, K or x.
    WrongTopology,
}

/// A key of which a client has sent shares.
pub(super) struct Known {
    key_id: KeyId,
    master_sae: SaeId,
    slave_sae: SaeId,
    size: usize,
    /// N and K, as every deposit says them.
    sharing: (u8, u8),
}

impl Known {
    /// The keys whose shares are or were on their way to any hub, newest first. Nothing secret: names, IDs and numbers
    /// only.
    pub(super) fn from_wire(seen: &Observation) -> Vec<Self> {
        let mut known: Vec<Self> = Vec::new();
        for message in seen.messages.iter().rev() {
            let Seen::Sent(request) = &message.what else {
                continue;
            };
            if !message.client.is_some_and(|c| seen.plan.is_honest(c)) {
                continue;
            }
            for operation in operations_of(request).unwrap_or_default() {
                let Operation::Deposit(body) = operation else {
                    continue;
                };
                let Some(slave_sae) = body.slave_saes.first() else {
                    continue;
                };
                for key in &body.keys {
                    // The shares of one key go to several hubs.
                    if known.iter().all(|known| known.key_id != key.key_id) {
                        known.push(Self {
                            key_id: key.key_id,
                            master_sae: body.master_sae.clone(),
                            slave_sae: slave_sae.clone(),
                            size: body.size,
                            sharing: (body.hubs, body.threshold),
                        });
                    }
                }
            }
            if known.len() >= KNOWN_MAX {
                break;
            }
        }
        known
    }
}

impl Attack {
    pub(super) const ALL: [Self; 14] = [
        Self::FetchInOwnName,
        Self::FetchForForeignSae,
        Self::FetchAsAnotherClient,
        Self::DepositUnderKnownKey,
        Self::DepositForForeignSae,
        Self::DepositTwice,
        Self::DepositAnother,
        Self::DepositAndFetch,
        Self::SendTwice,
        Self::ReuseBytes,
        Self::TooManyKeys,
        Self::ForeignBatch,
        Self::CutBatch,
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
            Self::DepositAnother => "deposit-another",
            Self::DepositAndFetch => "deposit-and-fetch",
            Self::SendTwice => "send-twice",
            Self::ReuseBytes => "reuse-bytes",
            Self::TooManyKeys => "too-many-keys",
            Self::ForeignBatch => "foreign-batch",
            Self::CutBatch => "cut-batch",
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
        let seal_batch = |end: &mut ClientEnd, operations: Vec<Operation<Plain>>| {
            let spent = end.spend(batch_cost(&operations)).ok()?;
            Some(seal_batch(spent, me, operations))
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
            Self::DepositAnother => {
                let mut body = garbage(me, hub, victim, None, rng);
                let first = end.seal_deposit(&body).ok()?;
                for key in &mut body.keys {
                    rng.fill_bytes(&mut key.share.0);
                }
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
                let spent = end.spend(MAC_KEY_BYTES).ok()?;
                let (allocation, bytes) = spent.into_parts();
                let again = Spent::forge(allocation.clone(), bytes.clone());
                let first = seal_fetch(Spent::forge(allocation, bytes), &fetch(&own));
                Some(vec![first, seal_fetch(again, &fetch(&victim.slave_sae))])
            }
            Self::TooManyKeys => {
                let query = FetchQuery {
                    key_ids: vec![victim.key_id; KEYS_PER_MESSAGE_MAX + 1],
                    ..fetch(&own)
                };
                Some(vec![end.seal_fetch(&query).ok()?])
            }
            Self::ForeignBatch => {
                let deposit = garbage(me, hub, victim, Some(victim.key_id), rng);
                let operations = vec![
                    Operation::Fetch(fetch(&own)),
                    Operation::Deposit(deposit),
                    Operation::Fetch(fetch(&victim.slave_sae)),
                ];
                Some(vec![seal_batch(end, operations)?])
            }
            Self::CutBatch => {
                let (mut request, _) = seal_batch(end, vec![Operation::Fetch(fetch(&own)); 3])?;
                request.body.truncate(request.body.len() - 1);
                let again = end.spend(MAC_KEY_BYTES).ok()?;
                Some(vec![sign(again, request)])
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
    let mut share = Secret::zeros(TAG_SECRET_BYTES + size);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dske::protocol::Refusal;
    use dske::protocol::batch::{Encoding, Reply};
    use dske::protocol::channel::{OpenError, PoolOwner};
    use dske::protocol::hub::{Hub, PsrdRequest, RegistrationRequest};
    use dske::protocol::message::{DepositOutcome, FetchAnswer};
    use dske::topology::Topology;
    use rand::SeedableRng;

    use super::*;

    const TOPOLOGY: &str = "threshold = 3\n\
        hubs = [{ name = \"hank\" }, { name = \"helen\" }, { name = \"hilary\" }]\n\
        clients = [{ name = \"carol\" }, { name = \"celia\" }, { name = \"mallory\" }]\n";

    /// A hub that holds a share of carol's for celia, and the rogue with PSRD of its own.
    struct Scene {
        hub: Hub,
        end: ClientEnd,
        known: Vec<Known>,
        rng: ChaCha12Rng,
    }

    fn meet(hub: &mut Hub, client: &str) -> ClientEnd {
        let client: NodeName = client.parse().unwrap();
        let request = RegistrationRequest {
            client: client.clone(),
        };
        let registration = hub.register(&request).unwrap().registration;
        let mut end = ClientEnd::default();
        for owner in [PoolOwner::Client, PoolOwner::Hub] {
            let request = PsrdRequest {
                client: client.clone(),
                registration,
                owner,
                size: 8_192,
            };
            end.add(owner, hub.deliver_psrd(&request).unwrap()).unwrap();
        }
        end
    }

    fn scene() -> Scene {
        let topology = Topology::parse("x", TOPOLOGY).unwrap();
        let config = topology.hub(&topology.hubs[1].name).unwrap();
        let mut hub = Hub::new(config, Box::new(ChaCha12Rng::seed_from_u64(1)));
        let mut rng = ChaCha12Rng::seed_from_u64(2);
        let mut honest = meet(&mut hub, "carol");
        meet(&mut hub, "celia");
        let known = Known {
            key_id: KeyId::random(&mut rng),
            master_sae: "carol".parse().unwrap(),
            slave_sae: "celia".parse().unwrap(),
            size: 32,
            sharing: (3, 3),
        };
        let carol: NodeName = "carol".parse().unwrap();
        let body = garbage(&carol, 1, &known, Some(known.key_id), &mut rng);
        let (request, sent) = honest.seal_deposit(&body).unwrap();
        let response = hub.handle(Duration::ZERO, &request);
        let reply = honest.open_deposit_reply(&sent, &response).unwrap();
        assert_eq!(reply.keys[0].outcome, DepositOutcome::Stored);
        let end = meet(&mut hub, "mallory");
        Scene {
            hub,
            end,
            known: vec![known],
            rng,
        }
    }

    /// To each operation its own answer.
    const FOREIGN_BATCH: &str = "Forbidden, Stored, signed foreign-sae";

    /// What a hub answers to an operation, in a word.
    fn word(reply: Reply<Plain>) -> String {
        match reply {
            Reply::Deposit(reply) => format!("{:?}", reply.keys[0].outcome),
            Reply::Fetch(reply) => match &reply.keys[0].answer {
                FetchAnswer::Found(_) => "Found".to_owned(),
                answer => format!("{answer:?}"),
            },
            Reply::Refused(refusal) => format!("signed {}", refusal.kind()),
        }
    }

    /// What the hub says to each message of an attack, in a word.
    fn answers(attack: Attack) -> Vec<String> {
        let mut scene = scene();
        let me: NodeName = "mallory".parse().unwrap();
        let (end, rng) = (&mut scene.end, &mut scene.rng);
        let messages = attack.messages(&me, 1, &scene.known, end, rng).unwrap();
        let answers = messages.into_iter().map(|(request, sent)| {
            let response = scene.hub.handle(Duration::from_millis(1), &request);
            let operations = operations_of(&request).unwrap_or_default().len();
            let end = &mut scene.end;
            let opened = if Encoding::of(&request) == Encoding::Binary {
                end.open_batch_reply(&sent, operations, &response)
            } else if request.method == dske::protocol::Method::Post {
                let reply = end.open_deposit_reply(&sent, &response);
                reply.map(|reply| vec![Reply::Deposit(reply)])
            } else {
                let reply = end.open_fetch_reply(&sent, &response);
                reply.map(|reply| vec![Reply::Fetch(reply)])
            };
            let error = match opened {
                Ok(replies) => {
                    let words: Vec<String> = replies.into_iter().map(word).collect();
                    return words.join(", ");
                }
                Err(error) => error,
            };
            match error {
                OpenError::Refused(refusal) => format!("signed {}", refusal.kind()),
                OpenError::Hint(refusal) => format!("unsigned {}", Refusal::kind(&refusal)),
                error => format!("{error:?}"),
            }
        });
        answers.collect()
    }

    #[test]
    fn every_attack_meets_the_answer_that_the_protocol_has_for_it() {
        for attack in Attack::ALL {
            let expected: &[&str] = match attack {
                Attack::FetchInOwnName => &["Forbidden"],
                Attack::FetchForForeignSae | Attack::DepositForForeignSae => {
                    &["signed foreign-sae"]
                }
                Attack::FetchAsAnotherClient => &["unsigned unknown-psrd"],
                Attack::DepositUnderKnownKey => &["Stored"],
                Attack::DepositAnother => &["Stored", "Conflict"],
                Attack::DepositTwice => &["Stored", "Stored"],
                Attack::DepositAndFetch => &["Stored", "Found"],
                // The answer to the first is opened, so that the copy meets nothing but a refusal.
                Attack::SendTwice | Attack::ReuseBytes => &["Forbidden", "unsigned bad-allocation"],
                Attack::TooManyKeys => &["signed out-of-limits"],
                Attack::ForeignBatch => &[FOREIGN_BATCH],
                Attack::CutBatch => &["signed authentic-malformed"],
                Attack::WrongTopology => &["signed topology-mismatch"],
            };
            assert_eq!(answers(attack), expected, "{attack:?}");
        }
    }

    #[test]
    fn without_a_victim_there_is_no_attack() {
        let mut scene = scene();
        let me: NodeName = "mallory".parse().unwrap();
        for attack in Attack::ALL {
            let (end, rng) = (&mut scene.end, &mut scene.rng);
            assert!(attack.messages(&me, 1, &[], end, rng).is_none());
        }
    }
}
