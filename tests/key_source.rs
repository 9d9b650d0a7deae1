//! Keys made of PSRD: the same keys to everybody else, and no generator has a part in them.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::Tape;
use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::mac::MAC_KEY_BYTES;
use dske::crypto::shamir::{Share, ShareIndex, Sharing, SharingError, recover};
use dske::protocol::channel::{ClientEnd, PoolOwner, seal_deposit};
use dske::protocol::initiator::{
    Deposits, EstablishRequest, EstablishedKey, Initiator, Patience, Progress, Reserving,
};
use dske::protocol::message::{DepositBody, DepositOutcome, DepositReply, DepositResult};
use dske::psrd::{Block, Spent};
use proptest::prelude::*;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

const NOW: Duration = Duration::from_secs(1);

/// Small, so that the PSRD of a message is scattered over several blocks.
const BLOCK_BYTES: usize = 200;

fn request(size: usize, number: usize) -> EstablishRequest {
    EstablishRequest {
        client: "a".parse().unwrap(),
        master_sae: "a".parse().unwrap(),
        slave_saes: vec!["b".parse().unwrap()],
        size,
        number,
    }
}

fn patience() -> Patience {
    Patience {
        deadline: 10 * NOW,
        grace: NOW,
    }
}

fn x(x: u8) -> ShareIndex {
    ShareIndex::new(x).unwrap()
}

/// What is reserved at each of these hubs.
fn reserved(
    hubs: &[ShareIndex],
    bytes: usize,
    rng: &mut ChaCha12Rng,
) -> BTreeMap<ShareIndex, Spent> {
    let hubs = hubs.iter().map(|&hub| {
        let mut end = ClientEnd::default();
        // The first bytes were spent before.
        while end.left(PoolOwner::Client) < bytes + 7 {
            let (block, _) = Block::random_pair(BLOCK_BYTES, rng).unwrap();
            end.add(PoolOwner::Client, block).unwrap();
        }
        end.spend(7).unwrap();
        (hub, end.spend(bytes).unwrap())
    });
    hubs.collect()
}

fn begin(
    request: &EstablishRequest,
    sharing: Sharing,
    reserved: &BTreeMap<ShareIndex, Spent>,
    tape: &mut Tape,
) -> Result<(Initiator, Deposits), SharingError> {
    let reserved = reserved.iter().map(|(&x, spent)| (x, spent)).collect();
    Initiator::begin_from_psrd(request, sharing, patience(), &reserved, tape)
}

/// The keys that the master gets once all hubs hold their shares.
fn keys(mut initiator: Initiator, deposits: &Deposits) -> Vec<EstablishedKey> {
    for (&x, deposit) in deposits {
        let stored = deposit.keys.iter().map(|key| DepositResult {
            key_id: key.key_id,
            outcome: DepositOutcome::Stored,
        });
        let reply = DepositReply {
            keys: stored.collect(),
        };
        initiator.on_reply(NOW, x, &reply);
    }
    match initiator.progress(NOW) {
        Progress::Done(keys) => keys,
        other => panic!("{other:?}"),
    }
}

fn shares(deposits: &Deposits, key: usize) -> Vec<Share> {
    let share = |(&x, deposit): (&ShareIndex, &DepositBody<_>)| {
        let y: &dske::protocol::message::Plain = &deposit.keys[key].share;
        Share { x, y: y.0.clone() }
    };
    deposits.iter().map(share).collect()
}

prop_compose! {
    /// Also K = N, several keys in a message, and hubs that have nothing reserved.
    fn calls()(
        k in 1u8..=6,
        spare in 0u8..=3,
    )(
        sharing in Just(Sharing::allowing_single(k, k + spare).unwrap()),
        without in prop::collection::btree_set(1..=k + spare, 0..=usize::from(spare)),
        size in 1usize..=100,
        number in 1usize..=4,
        seed in any::<u64>(),
    ) -> (Sharing, BTreeSet<u8>, usize, usize, u64) {
        (sharing, without, size, number, seed)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_first_k_shares_are_pads_and_any_k_recover_the_key(
        (sharing, without, size, number, seed) in calls()
    ) {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let request = request(size, number);
        let with: Vec<ShareIndex> =
            sharing.indices().filter(|x| !without.contains(&x.get())).collect();
        let bytes = reserved(&with, request.deposit_cost(), &mut ChaCha12Rng::seed_from_u64(seed));
        let reserved = reserved(&with, request.deposit_cost(), &mut rng);
        // Enough for key IDs: the tape panics when anything else is drawn.
        let mut ids = vec![0; 16 * number];
        rng.fill_bytes(&mut ids);
        let mut tape = Tape::new(ids);
        let (initiator, deposits) = begin(&request, sharing, &reserved, &mut tape).unwrap();
        prop_assert!(tape.is_used_up());
        prop_assert_eq!(deposits.len(), usize::from(sharing.shares()));

        let k = usize::from(sharing.threshold());
        let length = TAG_SECRET_BYTES + size;
        for (x, spent) in bytes.into_iter().take(k) {
            let (_, bytes) = spent.into_parts();
            for (j, key) in deposits[&x].keys.iter().enumerate() {
                let pad = &bytes[MAC_KEY_BYTES + j * length..][..length];
                prop_assert_eq!(&key.share.0[..], pad, "hub {}, key {}", x, j);
            }
        }

        let keys = keys(initiator, &deposits);
        prop_assert_eq!(keys.len(), number);
        for (j, key) in keys.iter().enumerate() {
            let mut shares = shares(&deposits, j);
            for _ in 0..5 {
                shares.shuffle(&mut rng);
                let secret = recover(&shares, sharing.threshold()).unwrap();
                prop_assert_eq!(&secret[TAG_SECRET_BYTES..], &key.bytes[..]);
                for deposit in deposits.values() {
                    prop_assert_eq!(deposit.keys[j].key_id, key.key_id);
                    prop_assert!(deposit.keys[j].tag.fits(&secret));
                }
            }
        }

        let zero = |body: &DepositBody| body.keys.iter().all(|key| key.share.0 == vec![0; length]);
        let first: Vec<ShareIndex> = reserved.keys().take(k).copied().collect();
        for (x, spent) in reserved {
            prop_assert_eq!(MAC_KEY_BYTES + deposits[&x].share_bytes(), request.deposit_cost());
            let (sealed, _) = seal_deposit(spent, &deposits[&x]);
            let body: DepositBody = serde_json::from_slice(&sealed.body).unwrap();
            prop_assert_eq!(zero(&body), first.contains(&x), "hub {}", x);
        }
    }
}

#[test]
fn keys_of_one_message_and_of_one_hub_more_or_less_are_different() {
    let sharing = Sharing::new(3, 5).unwrap();
    let request = request(32, 2);
    let all: Vec<ShareIndex> = sharing.indices().collect();
    let made = |with: &[ShareIndex]| {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let mut reserved = reserved(&all, request.deposit_cost(), &mut rng);
        reserved.retain(|x, _| with.contains(x));
        let mut tape = Tape::new((0..32).collect());
        let (initiator, deposits) = begin(&request, sharing, &reserved, &mut tape).unwrap();
        let keys = keys(initiator, &deposits);
        [keys[0].bytes.to_vec(), keys[1].bytes.to_vec()]
    };
    let [one, two] = made(&all);
    assert_ne!(one, two);
    // What the hubs beyond the first K have reserved makes no difference, the others' does.
    assert_eq!(made(&all[..3]), [one.clone(), two.clone()]);
    for without in 0..3 {
        let mut with = all.clone();
        with.remove(without);
        let [other_one, other_two] = made(&with);
        assert!(one != other_one && two != other_two);
    }
}

#[test]
fn too_few_and_too_short_reservations_make_no_key() {
    let sharing = Sharing::new(3, 5).unwrap();
    let request = request(16, 2);
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let cost = request.deposit_cost();
    let two = reserved(&[x(2), x(5)], cost, &mut rng);
    let error = begin(&request, sharing, &two, &mut Tape::new(vec![0; 32])).err();
    let expected = SharingError::TooFewShares { needed: 3, got: 2 };
    assert_eq!(error, Some(expected));
    let mut short = reserved(&[x(1), x(2)], cost, &mut rng);
    short.extend(reserved(&[x(3)], cost - 1, &mut rng));
    let error = begin(&request, sharing, &short, &mut Tape::new(vec![0; 32])).err();
    assert_eq!(error, Some(SharingError::Length(x(3))));
}

#[test]
fn k_reservations_are_enough_and_fewer_end_the_call_with_the_reasons() {
    let sharing = Sharing::new(3, 5).unwrap();
    let mut reserving = Reserving::begin(sharing, 10 * NOW);
    for hub in [4, 2, 5] {
        assert!(matches!(reserving.progress(NOW), Progress::WaitUntil(until) if until == 10 * NOW));
        reserving.on_reserved(NOW, x(hub), hub);
    }
    // The others get a moment.
    let Progress::WaitUntil(until) = reserving.progress(NOW) else {
        panic!("two hubs have not answered")
    };
    assert!(NOW < until && until < NOW + NOW / 10);
    reserving.on_reserved(NOW, x(1), 1);
    match reserving.progress(until) {
        Progress::Done(reserved) => {
            assert_eq!(Vec::from_iter(reserved.into_values()), [1, 2, 4, 5])
        }
        other => panic!("{other:?}"),
    }

    let mut reserving = Reserving::begin(sharing, 10 * NOW);
    reserving.on_reserved(NOW, x(1), 1);
    reserving.on_failure(x(2), "no PSRD left: it has gone".to_owned());
    reserving.on_failure(x(3), "cannot be reached: the cable is cut".to_owned());
    assert!(matches!(reserving.progress(NOW), Progress::WaitUntil(_)));
    // Two more could make it three, but they are silent.
    let Progress::Failed(error) = reserving.progress(10 * NOW) else {
        panic!("the deadline has come")
    };
    assert_eq!(
        error.to_string(),
        "0 of 5 hubs hold a share, 3 are needed; hub 2: no PSRD left: it has gone; \
         hub 3: cannot be reached: the cable is cut; hub 4: no answer in time; hub 5: no answer in time"
    );
    reserving.on_failure(x(4), "too".to_owned());
    assert!(
        matches!(reserving.progress(NOW), Progress::Failed(_)),
        "three of five have nothing: there is nothing to wait for"
    );
}

#[test]
fn hubs_that_kept_calls_waiting_get_no_moment() {
    let sharing = Sharing::new(3, 5).unwrap();
    let mut reserving = Reserving::begin(sharing, 10 * NOW);
    reserving.do_not_wait_for([x(1), x(3)].into());
    for hub in [4, 2] {
        reserving.on_reserved(NOW, x(hub), hub);
        assert!(matches!(reserving.progress(NOW), Progress::WaitUntil(_)));
    }
    reserving.on_reserved(NOW, x(5), 5);
    assert!(matches!(reserving.progress(NOW), Progress::Done(reserved) if reserved.len() == 3));
}
