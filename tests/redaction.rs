//! No type that holds a secret shows it when it is printed for debugging.
#![allow(clippy::unwrap_used)]

use dske::crypto::mac::MacKey;
use dske::crypto::secret::Secret;
use dske::crypto::shamir::{Sharing, split};
use dske::http::etsi::KeyContainer;
use dske::protocol::batch::{Encoding, Operation, Reply};
use dske::protocol::channel::{Bound, Opened};
use dske::protocol::initiator::{EstablishRequest, Initiator, Patience};
use dske::protocol::message::{FetchAnswer, FetchReply, FetchResult, FoundShare, Plain};
use dske::psrd::{Block, SpendingPool};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use std::time::Duration;

/// A byte that stands out, however it is printed.
const SECRET: u8 = 0xA7;

fn shows_nothing(shown: String) {
    for form in ["167", "a7", "A7", "p6en"] {
        assert!(!shown.contains(form), "{form} in {shown}");
    }
    assert!(!shown.is_empty());
}

fn without_hexadecimal(shown: String) -> String {
    // IDs and tags are public, random, and may hold any digits.
    let public = |word: &&str| {
        !(word.len() >= 32 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-'))
    };
    let words: Vec<&str> = shown
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .collect();
    words
        .into_iter()
        .filter(public)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn secrets_are_redacted() {
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let bytes = vec![SECRET; 64];
    let plain = Plain(Secret::from(bytes.clone()));
    shows_nothing(format!("{plain:?}"));
    shows_nothing(format!("{:?}", MacKey::try_from(&bytes[..32]).unwrap()));
    shows_nothing(format!(
        "{:?}",
        split(&bytes, Sharing::allowing_single(1, 2).unwrap(), &mut rng)
    ));
    let block = Block::from_parts(
        dske::psrd::BlockId::random(&mut rng),
        Secret::from(bytes.clone()),
    )
    .unwrap();
    shows_nothing(without_hexadecimal(format!("{block:?}")));
    let mut pool = SpendingPool::new(2);
    pool.add(block).unwrap();
    shows_nothing(without_hexadecimal(format!("{pool:?}")));
    shows_nothing(without_hexadecimal(format!(
        "{:?}",
        pool.allocate(40).unwrap()
    )));
    let found = FoundShare {
        master_sae: "a".parse().unwrap(),
        slave_saes: vec!["b".parse().unwrap()],
        hubs: 5,
        threshold: 3,
        x: 1,
        size: 16,
        tag: "00".repeat(16).parse().unwrap(),
        share: plain,
    };
    let key_id = "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap();
    let answer = FetchAnswer::Found(found);
    let reply = Reply::Fetch(FetchReply {
        keys: vec![FetchResult { key_id, answer }],
    });
    shows_nothing(without_hexadecimal(format!("{reply:?}")));
}

#[test]
fn keys_on_their_way_are_redacted() {
    let mut rng = ChaCha12Rng::seed_from_u64(2);
    let request = EstablishRequest {
        client: "a".parse().unwrap(),
        master_sae: "a".parse().unwrap(),
        slave_saes: vec!["b".parse().unwrap()],
        size: 32,
        number: 1,
    };
    let patience = Patience {
        deadline: Duration::from_secs(1),
        grace: Duration::ZERO,
    };
    let sharing = Sharing::new(2, 3).unwrap();
    let (_, deposits) = Initiator::begin(&request, sharing, patience, &mut rng);
    for deposit in deposits.into_values() {
        let share = deposit.keys[0].share.0.to_vec();
        let signature =
            "bc490419-7d60-487f-adc1-4ddcc177c139:0:32;00000000000000000000000000000000";
        let opened = Opened {
            client: "a".parse().unwrap(),
            bound: Bound {
                signature: signature.parse().unwrap(),
                encoding: Encoding::Binary,
            },
            operations: Ok(vec![Operation::Deposit(deposit)]),
        };
        let shown = format!("{opened:?}");
        assert!(shown.contains("<redacted>"));
        assert!(!shown.contains(&format!("{}, {}, {}", share[0], share[1], share[2])));
    }
    let container = KeyContainer::from(vec![dske::protocol::initiator::EstablishedKey {
        key_id: "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap(),
        bytes: Secret::from(vec![SECRET; 32]),
    }]);
    shows_nothing(without_hexadecimal(format!("{container:?}")));
}
