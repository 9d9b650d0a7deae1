//! SAEs that keep the rules and take all they can get.

use std::time::Duration;

use actix_rt::time::sleep;
use dske_testbed::{EtsiClient, KeyRequest};
use futures_util::future::join_all;

use crate::hold::{Siege, Target};

/// Asks for keys again and again, with so many calls at the same time, and fetches none.
async fn hoard(target: Target, calls: usize, number: usize, size_bits: usize) {
    let kme = EtsiClient::new(
        awc::Client::default(),
        target.address("mallory"),
        Duration::from_secs(10),
    );
    let (caller, slave) = ("mallory".parse().unwrap(), "bob".parse().unwrap());
    let request = KeyRequest {
        number: Some(number),
        size_bits: Some(size_bits),
        also: Vec::new(),
    };
    let calls = (0..calls).map(async |_| {
        while !target.is_over() {
            if kme.get_key(&caller, &slave, &request).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        }
    });
    join_all(calls).await;
}

const OTHERS: &[(&str, &str)] = &[("bob", "carol"), ("carol", "bob")];

#[test]
fn one_that_never_fetches_leaves_the_others_their_part_of_the_shares() {
    let siege = Siege {
        settings: "shares_per_hub_max = 6_000",
        honest: OTHERS,
        size_bits: 256,
        watched: "h1",
    };
    let held = siege.lay(|target| hoard(target, 4, 128, 256));
    assert!(held.success >= 0.99, "{held:?}");
}

#[test]
fn one_that_asks_for_large_keys_leaves_the_others_their_part_of_the_bytes() {
    let siege = Siege {
        settings: "share_bytes_per_hub_max = 67_108_864\n[keys]\nmax_bits = 1_048_576",
        honest: OTHERS,
        size_bits: 1 << 16,
        watched: "h1",
    };
    let held = siege.lay(|target| hoard(target, 4, 1, 1 << 20));
    assert!(held.success >= 0.99, "{held:?}");
}

#[test]
fn one_that_calls_without_end_leaves_its_own_neighbour_at_the_same_kme_some_calls() {
    let siege = Siege {
        settings: "shares_per_hub_max = 6_000",
        honest: &[("mona", "carol"), ("bob", "mona")],
        size_bits: 256,
        watched: "mallory",
    };
    let held = siege.lay(|target| hoard(target, 300, 1, 256));
    assert!(held.success >= 0.99, "{held:?}");
}
