//! What a lie does to an answer, and to nothing else. All that a liar says beside it is judged as anybody's.

use std::collections::BTreeSet;

use dske::protocol::KeyId;
use dske::protocol::batch;
use dske::protocol::message::{DepositOutcome, FetchAnswer, FetchResult};

use super::{Reply, Share};
use crate::plan::Lie;

/// A lie that a hub told in an answer.
pub struct Told {
    /// The lie.
    pub lie: Lie,
    /// The keys that it was about.
    pub key_ids: BTreeSet<KeyId>,
}

impl Told {
    /// Whether a hub says this because of the lie, where an honest one has to answer `honest`.
    #[must_use]
    pub fn explains(&self, honest: &Reply, said: &batch::Reply<Share>) -> bool {
        match (honest, said) {
            (Ok(batch::Reply::Fetch(honest)), batch::Reply::Fetch(said)) => {
                let mut pairs = honest.keys.iter().zip(&said.keys);
                honest.keys.len() == said.keys.len()
                    && pairs.all(|(honest, said)| honest == said || self.alters(honest, said))
            }
            (Ok(batch::Reply::Deposit(honest)), batch::Reply::Deposit(said)) => {
                let key_ids = said.keys.iter().map(|key| key.key_id);
                self.lie == Lie::RefuseStore
                    && key_ids.eq(honest.keys.iter().map(|key| key.key_id))
                    && said
                        .keys
                        .iter()
                        .all(|key| key.outcome != DepositOutcome::Stored)
            }
            _ => false,
        }
    }

    /// Whether one result differs as the lie has it, and in nothing else.
    fn alters(&self, honest: &FetchResult<Share>, said: &FetchResult<Share>) -> bool {
        let FetchAnswer::Found(right) = &honest.answer else {
            return false;
        };
        if !self.key_ids.contains(&honest.key_id) {
            return false;
        }
        let mut mended = said.clone();
        let FetchAnswer::Found(found) = &mut mended.answer else {
            return self.lie == Lie::Withhold
                && said.answer == FetchAnswer::NotFound
                && said.key_id == honest.key_id;
        };
        match self.lie {
            Lie::CorruptShare
            | Lie::Equivocate
            | Lie::SwapShares
            | Lie::ForgeTogether
            | Lie::FrameTogether => {
                if found.share.len() == right.share.len() {
                    found.share.clone_from(&right.share);
                }
            }
            Lie::RivalKey => {
                found.tag = right.tag;
                if found.share.len() == right.share.len() {
                    found.share.clone_from(&right.share);
                }
            }
            Lie::WrongKey => mended.key_id = honest.key_id,
            Lie::WrongX => found.x = right.x,
            Lie::WrongTag => found.tag = right.tag,
            Lie::WrongHubs => found.hubs = right.hubs,
            Lie::WrongThreshold => found.threshold = right.threshold,
            Lie::WrongIds => {
                found.master_sae.clone_from(&right.master_sae);
                found.slave_saes.clone_from(&right.slave_saes);
            }
            // With a byte more, or with the share as it was.
            Lie::WrongSize => {
                found.size = found.size.wrapping_sub(1);
                if found.share.len() == right.share.len() + 1 {
                    found.share.pop();
                }
            }
            // They change no result of a fetch.
            Lie::Withhold
            | Lie::ReplayAnswer
            | Lie::ForgeMac
            | Lie::Silent
            | Lie::Delay
            | Lie::RefuseStore => {}
        }
        mended == *honest
    }
}

#[cfg(test)]
mod tests {
    use dske::crypto::secret::Secret;
    use dske::crypto::shamir::Sharing;
    use dske::protocol::message::{DepositReply, DepositResult, FetchReply, FoundShare, Plain};
    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    use super::*;
    use crate::world::byzantine::alter::{Held, alter};
    use crate::world::byzantine::forgers::Forgers;

    fn key_ids() -> [KeyId; 2] {
        let mut rng = ChaCha12Rng::seed_from_u64(5);
        [KeyId::random(&mut rng), KeyId::random(&mut rng)]
    }

    fn honest<S>(share: impl Fn(Vec<u8>) -> S) -> FetchReply<S> {
        let keys = key_ids().map(|key_id| FetchResult {
            key_id,
            answer: FetchAnswer::Found(FoundShare {
                master_sae: "carol".parse().unwrap(),
                slave_saes: vec!["celia".parse().unwrap()],
                hubs: 5,
                threshold: 3,
                x: 2,
                size: 16,
                tag: "00".repeat(16).parse().unwrap(),
                share: share(vec![7; 64]),
            }),
        });
        FetchReply { keys: keys.into() }
    }

    /// What a hub says that tells this lie.
    fn told(lie: Lie, seed: u64) -> batch::Reply<Share> {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut reply = honest(|share| Plain(Secret::from(share)));
        let other = Held {
            key_id: KeyId::random(&mut rng),
            share: Plain(Secret::from(vec![8; 64])),
        };
        let sharing = Sharing::new(3, 5).unwrap();
        let forgers = Forgers::new(vec![1], sharing, ChaCha12Rng::seed_from_u64(1));
        alter(lie, &mut reply, &[other], &forgers, &mut rng);
        let plain = |Plain(share): Plain| Ok::<_, ()>(share.to_vec());
        batch::Reply::Fetch(reply.try_map(plain).unwrap())
    }

    #[test]
    fn a_lie_explains_what_it_alters_and_nothing_else() {
        let right = Ok(batch::Reply::Fetch(honest(|share| share)));
        let altering = [
            [Lie::CorruptShare, Lie::SwapShares].as_slice(),
            &[Lie::WrongKey],
            &[Lie::WrongX],
            &[Lie::WrongTag],
            &[Lie::WrongSize],
            &[Lie::WrongHubs],
            &[Lie::WrongThreshold],
            &[Lie::WrongIds],
            &[Lie::Withhold],
        ];
        for (at, lies) in altering.iter().enumerate() {
            for (other, others) in altering.iter().enumerate() {
                let pairs = lies
                    .iter()
                    .flat_map(|said| others.iter().map(move |by| (said, by)));
                for (said, by) in pairs {
                    for seed in 0..9 {
                        let reply = told(*said, seed);
                        let explains = |keys: usize| {
                            let key_ids = key_ids().into_iter().take(keys).collect();
                            Told { lie: *by, key_ids }.explains(&right, &reply)
                        };
                        assert_eq!(explains(2), at == other, "{said:?} by {by:?}");
                        assert!(!explains(1), "the other key was altered, too");
                    }
                }
            }
        }
    }

    #[test]
    fn a_hub_that_takes_no_share_says_so_of_all() {
        let reply = |outcome| {
            let keys = key_ids().map(|key_id| DepositResult { key_id, outcome });
            batch::Reply::Deposit(DepositReply { keys: keys.into() })
        };
        let right = Ok(reply(DepositOutcome::Full));
        for (lie, said, explains) in [
            (Lie::RefuseStore, DepositOutcome::Conflict, true),
            (Lie::RefuseStore, DepositOutcome::Stored, false),
            (Lie::Withhold, DepositOutcome::Conflict, false),
        ] {
            let told = Told {
                lie,
                key_ids: key_ids().into(),
            };
            assert_eq!(told.explains(&right, &reply(said)), explains, "{lie:?}");
        }
    }
}
