//! What the rogue client tries.

use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::mac::MAC_KEY_BYTES;
use dske::crypto::secret::Secret;
use dske::protocol::batch::{Operation, operations_of};
use dske::protocol::channel::{
    ClientEnd, Sent, batch_cost, seal_batch, seal_deposit, seal_fetch, sign,
};
use dske::protocol::limits::KEYS_PER_MESSAGE_MAX;
use dske::protocol::message::{DepositBody, DepositedKey, FetchQuery, Plain};
use dske::protocol::{KeyId, NodeName, Request, SaeId};
use dske::psrd::{Allocation, Fragment, Spent};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt};

use crate::plan::attack::Attack;
use crate::world::observer::Observation;
use crate::world::observer::record::Seen;

/// Most keys that it knows of: those of the last messages.
const KNOWN_MAX: usize = 30;

/// Bytes of its own keys.
const SIZE: usize = 16;

/// A key whose shares a client has sent.
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

/// A message, and what is needed to read its answer.
type Message = (Request, Sent);

/// Draws an attack.
pub(super) fn draw(rng: &mut ChaCha12Rng) -> Attack {
    Attack::ALL[rng.random_range(0..Attack::ALL.len())]
}

/// Who attacks which hub, with which PSRD.
pub(super) struct Forge<'a> {
    pub(super) me: &'a NodeName,
    pub(super) hub: usize,
    pub(super) end: &'a mut ClientEnd,
    pub(super) rng: &'a mut ChaCha12Rng,
}

impl Forge<'_> {
    /// The messages of an attack, if there is anything to attack and PSRD to do it with.
    pub(super) fn messages(mut self, attack: Attack, known: &[Known]) -> Option<Vec<Message>> {
        let victim = known.get(self.rng.random_range(0..known.len().max(1)))?;
        let (own, foreign) = (&SaeId::from(self.me), &victim.slave_sae);
        Some(match attack {
            Attack::FetchInOwnName => {
                let query = self.query(victim, own);
                vec![self.fetch(&query)?]
            }
            Attack::FetchForForeignSae => {
                let query = self.query(victim, foreign);
                vec![self.fetch(&query)?]
            }
            Attack::FetchAsAnotherClient => {
                let mut query = self.query(victim, foreign);
                query.client = foreign.as_str().parse().ok()?;
                vec![self.fetch(&query)?]
            }
            Attack::DepositUnderKnownKey => {
                let body = self.garbage(victim, Some(victim.key_id));
                vec![self.deposit(&body)?]
            }
            Attack::DepositForForeignSae => {
                let mut body = self.garbage(victim, None);
                body.master_sae = victim.master_sae.clone();
                vec![self.deposit(&body)?]
            }
            Attack::DepositTwice => {
                let body = self.garbage(victim, None);
                vec![self.deposit(&body)?, self.deposit(&body)?]
            }
            Attack::DepositAnother => self.deposit_another(victim)?,
            Attack::DepositAndFetch => self.deposit_and_fetch(victim, own)?,
            Attack::SendTwice => {
                let query = self.query(victim, own);
                vec![self.fetch(&query)?; 2]
            }
            Attack::ReuseBytes => self.reuse_bytes(victim, own)?,
            Attack::TooManyKeys => {
                let mut query = self.query(victim, own);
                query.key_ids = vec![victim.key_id; KEYS_PER_MESSAGE_MAX + 1];
                vec![self.fetch(&query)?]
            }
            Attack::ForeignBatch => {
                let deposit = self.garbage(victim, Some(victim.key_id));
                let operations = vec![
                    Operation::Fetch(self.query(victim, own)),
                    Operation::Deposit(deposit),
                    Operation::Fetch(self.query(victim, foreign)),
                ];
                vec![self.batch(operations)?]
            }
            Attack::CutBatch => vec![self.cut_batch(victim, own)?],
            Attack::WrongTopology => vec![self.claim_another_topology(victim)?],
            Attack::ChangedQuery => {
                let (mut request, sent) = self.fetch(&self.query(victim, own))?;
                // Another key of its own choice: everything but the query is as it was signed.
                let mut query = self.query(victim, own);
                query.key_ids = vec![KeyId::random(self.rng)];
                request.target = query.target();
                vec![(request, sent)]
            }
            Attack::GapIntoUsed => self.gap_into_used(victim)?,
        })
    }

    fn deposit_another(&mut self, victim: &Known) -> Option<Vec<Message>> {
        let mut body = self.garbage(victim, None);
        let first = self.deposit(&body)?;
        for key in &mut body.keys {
            self.rng.fill_bytes(&mut key.share.0);
        }
        Some(vec![first, self.deposit(&body)?])
    }

    fn deposit_and_fetch(&mut self, victim: &Known, own: &SaeId) -> Option<Vec<Message>> {
        let mut body = self.garbage(victim, None);
        body.slave_saes = vec![own.clone()];
        let query = FetchQuery {
            master_sae: own.clone(),
            key_ids: body.keys.iter().map(|key| key.key_id).collect(),
            ..self.query(victim, own)
        };
        Some(vec![self.deposit(&body)?, self.fetch(&query)?])
    }

    fn reuse_bytes(&mut self, victim: &Known, own: &SaeId) -> Option<Vec<Message>> {
        let spent = self.end.spend(MAC_KEY_BYTES).ok()?;
        let (allocation, bytes) = spent.into_parts();
        let again = Spent::forge(allocation.clone(), bytes.clone());
        let spent = Spent::forge(allocation, bytes);
        let first = seal_fetch(spent, &self.query(victim, own));
        let second = seal_fetch(again, &self.query(victim, &victim.slave_sae));
        Some(vec![first, second])
    }

    /// A deposit, and one more whose MAC key lies in the gap before it, and whose pad is that of the first.
    fn gap_into_used(&mut self, victim: &Known) -> Option<Vec<Message>> {
        let gap = self.end.spend(MAC_KEY_BYTES).ok()?;
        let (body, again) = (self.garbage(victim, None), self.garbage(victim, None));
        let (used, bytes) = self
            .end
            .spend(MAC_KEY_BYTES + body.share_bytes())
            .ok()?
            .into_parts();
        let (gap, key) = gap.into_parts();
        let ([first], [rest]) = (gap.fragments(), used.fragments()) else {
            return None;
        };
        if first.block() != rest.block() || first.end() != rest.start() {
            return None;
        }
        let both = Fragment::new(first.block(), first.start(), rest.size()).ok()?;
        let overlapping = [&key[..], &bytes[..bytes.len() - key.len()]].concat();
        let overlapping =
            Spent::forge(Allocation::new(vec![both]).ok()?, Secret::from(overlapping));
        Some(vec![
            seal_deposit(Spent::forge(used, bytes), &body),
            seal_deposit(overlapping, &again),
        ])
    }

    fn cut_batch(&mut self, victim: &Known, own: &SaeId) -> Option<Message> {
        let operations = vec![Operation::Fetch(self.query(victim, own)); 3];
        let (mut request, _) = self.batch(operations)?;
        request.body.truncate(request.body.len() - 1);
        Some(sign(self.end.spend(MAC_KEY_BYTES).ok()?, request))
    }

    fn claim_another_topology(&mut self, victim: &Known) -> Option<Message> {
        let mut body = self.garbage(victim, None);
        match self.rng.random_range(0..3) {
            0 => body.hubs = body.hubs.wrapping_add(1),
            1 => body.threshold = body.threshold.wrapping_sub(1),
            _ => body.x = body.x.wrapping_add(1),
        }
        self.deposit(&body)
    }

    fn query(&self, victim: &Known, slave_sae: &SaeId) -> FetchQuery {
        FetchQuery {
            client: self.me.clone(),
            slave_sae: slave_sae.clone(),
            master_sae: victim.master_sae.clone(),
            key_ids: vec![victim.key_id],
        }
    }

    fn garbage(&mut self, victim: &Known, key_id: Option<KeyId>) -> DepositBody<Plain> {
        garbage(self.me, self.hub, victim, key_id, self.rng)
    }

    fn fetch(&mut self, query: &FetchQuery) -> Option<Message> {
        self.end.seal_fetch(query).ok()
    }

    fn deposit(&mut self, body: &DepositBody<Plain>) -> Option<Message> {
        self.end.seal_deposit(body).ok()
    }

    fn batch(&mut self, operations: Vec<Operation<Plain>>) -> Option<Message> {
        let spent = self.end.spend(batch_cost(&operations)).ok()?;
        Some(seal_batch(spent, self.me, operations))
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
    use dske::protocol::channel::OpenError;
    use dske::protocol::hub::Hub;
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

    fn forge<'a>(end: &'a mut ClientEnd, rng: &'a mut ChaCha12Rng, me: &'a NodeName) -> Forge<'a> {
        let hub = 1;
        Forge { me, hub, end, rng }
    }

    fn scene() -> Scene {
        let topology = Topology::parse("x", TOPOLOGY).unwrap();
        let config = topology.hub(&topology.hubs[1].name).unwrap();
        let mut hub = Hub::new(config, Box::new(ChaCha12Rng::seed_from_u64(1)));
        let mut rng = ChaCha12Rng::seed_from_u64(2);
        let mut honest = hub.enroll(&"carol".parse().unwrap()).unwrap();
        hub.enroll(&"celia".parse().unwrap()).unwrap();
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
        let end = hub.enroll(&"mallory".parse().unwrap()).unwrap();
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
            Reply::Withdraw => "Withdraw".to_owned(),
        }
    }

    /// What the hub says to each message of an attack, in a word.
    fn answers(attack: Attack) -> Vec<String> {
        let mut scene = scene();
        let me: NodeName = "mallory".parse().unwrap();
        let messages = forge(&mut scene.end, &mut scene.rng, &me).messages(attack, &scene.known);
        let messages = messages.unwrap();
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
        for &attack in Attack::ALL {
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
                Attack::ChangedQuery => &["unsigned bad-mac"],
                Attack::GapIntoUsed => &["Stored", "unsigned bad-allocation"],
            };
            assert_eq!(answers(attack), expected, "{attack:?}");
        }
    }

    #[test]
    fn without_a_victim_there_is_no_attack() {
        let mut scene = scene();
        let me: NodeName = "mallory".parse().unwrap();
        for &attack in Attack::ALL {
            let forge = forge(&mut scene.end, &mut scene.rng, &me);
            assert!(forge.messages(attack, &[]).is_none());
        }
    }
}
