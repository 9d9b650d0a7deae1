//! Answers made by hand.

use dske::crypto::key_tag::KeyTag;
use dske::crypto::shamir::{Sharing, split};
use dske::protocol::Refusal;
use dske::protocol::batch::{Operation, Reply};
use dske::protocol::message::{
    DepositBody, DepositOutcome, DepositReply, DepositResult, FetchAnswer, FetchQuery, FetchReply,
    FetchResult, FoundShare, Plain,
};

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::link::Heard;
use crate::judge::Facts;
use crate::judge::testing::{MASTER, SLAVE, Scene};
use crate::plan::CLIENT_NAMES;
use crate::world::byzantine::forgers::fit;
use crate::world::observer::record::Key;

/// What a hub says of each key that it is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Says {
    /// Its share, as it was drawn.
    Share,
    /// Another one.
    WrongShare,
    /// Its share with another tag.
    WrongTag,
    /// Its share with another K.
    WrongThreshold,
    NotFound,
    Forbidden,
    /// Its share of another key.
    OtherKeys,
    /// Its share of a key that hubs have made up, whose tag is the same.
    Rival,
    /// The same of one that has a tag of its own.
    RivalWithTag,
    /// A refusal that is final.
    Refusal,
    /// What cannot be read.
    Nonsense,
}

/// Two keys that a master has established, with what the observer knows of them.
pub(super) struct Drawn {
    pub(super) scene: Scene,
    pub(super) keys: Vec<Key>,
}

impl Drawn {
    pub(super) fn new() -> Self {
        Self::in_a_cluster_of(5)
    }

    pub(super) fn in_a_cluster_of(hubs: u8) -> Self {
        let mut scene = Scene::new(|plan| plan.cluster.hubs = hubs);
        let keys = scene.establish(0, 1_000);
        Self { scene, keys }
    }

    pub(super) fn query(&self) -> FetchQuery {
        FetchQuery {
            client: CLIENT_NAMES[SLAVE].parse().unwrap(),
            slave_sae: CLIENT_NAMES[SLAVE].parse().unwrap(),
            master_sae: CLIENT_NAMES[MASTER].parse().unwrap(),
            key_ids: self.keys.iter().map(|key| key.id).collect(),
        }
    }

    /// What the slave's client hears of this hub after so many milliseconds of a call that begins at 0.
    pub(super) fn heard(&self, at_ms: u64, hub: usize, says: Says) -> Heard {
        let seen = self.scene.see();
        let facts = Facts::new(&seen);
        let results = self.keys.iter().map(|key| {
            let x = u8::try_from(hub + 1).unwrap();
            let drawn = facts.shares[&key.id].values();
            let share = drawn.clone().find(|share| share.x.get() == x).unwrap();
            let mut found = FoundShare {
                master_sae: CLIENT_NAMES[MASTER].parse().unwrap(),
                slave_saes: vec![CLIENT_NAMES[SLAVE].parse().unwrap()],
                hubs: seen.plan.cluster.hubs,
                threshold: seen.plan.cluster.threshold,
                x,
                size: 16,
                tag: facts.tags[&key.id],
                share: Plain(share.y.clone()),
            };
            let mut key_id = key.id;
            match says {
                Says::WrongShare => found.share.0[50 + hub] ^= 1,
                Says::WrongTag => found.tag = "00".repeat(16).parse().unwrap(),
                Says::WrongThreshold => found.threshold += 1,
                Says::Rival | Says::RivalWithTag => {
                    let mut secret = vec![7; found.share.0.len()];
                    if matches!(says, Says::Rival) {
                        fit(&mut secret, &found.tag);
                    } else {
                        found.tag = KeyTag::compute(&secret[..48], &secret[48..]);
                    }
                    let sharing = Sharing::new(found.threshold, found.hubs).unwrap();
                    let shares = split(&secret, sharing, &mut ChaCha12Rng::seed_from_u64(1));
                    found.share = Plain(shares[hub].y.clone());
                }
                Says::OtherKeys => {
                    key_id = "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap();
                }
                _ => {}
            }
            let answer = match says {
                Says::NotFound => FetchAnswer::NotFound,
                Says::Forbidden => FetchAnswer::Forbidden,
                _ => FetchAnswer::Found(found),
            };
            FetchResult { key_id, answer }
        });
        let reply = match says {
            Says::Nonsense => None,
            Says::Refusal => Some(Reply::Refused(Refusal::OutOfLimits {
                what: "keys".to_owned(),
                min: 1,
                max: 1,
                got: 2,
            })),
            _ => Some(Reply::Fetch(FetchReply {
                keys: results.collect(),
            })),
        };
        Heard {
            at_us: at_ms * 1_000,
            sent_us: 0,
            client: SLAVE,
            hub,
            is_certain: true,
            operation: Operation::Fetch(self.query()),
            reply,
        }
    }

    /// What the master's client hears of this hub.
    pub(super) fn stored(&self, at_ms: u64, hub: usize, outcomes: [DepositOutcome; 2]) -> Heard {
        let keys = self.keys.iter().zip(outcomes);
        let keys = keys.map(|(key, outcome)| DepositResult {
            key_id: key.id,
            outcome,
        });
        let body: DepositBody<Plain> = self.scene.last_deposit(hub);
        let operation = Operation::Deposit(body).try_map(|Plain(share)| {
            Ok::<_, ()>(dske::protocol::message::Encrypted(share.to_vec()))
        });
        Heard {
            at_us: at_ms * 1_000,
            sent_us: 0,
            client: MASTER,
            hub,
            is_certain: true,
            operation: operation.unwrap(),
            reply: Some(Reply::Deposit(DepositReply {
                keys: keys.collect(),
            })),
        }
    }
}
