//! A client's link to one hub, against the production hub behind a transport that can lose messages. What is reserved is
//! spent once or never, and the link maintains itself.
#![allow(clippy::unwrap_used)]

#[path = "link/waiting.rs"]
mod waiting;
#[path = "link/wire.rs"]
mod wire;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use dske::crypto::mac::MAC_KEY_BYTES;
use dske::node::link::Exchange;
use dske::protocol::KeyId;
use dske::protocol::batch::{Operation, Reply, operations_of};
use dske::protocol::message::FetchQuery;
use dske::psrd::{Allocation, BlockId};
use futures_util::future::join_all;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use tokio::time::{Instant, sleep};

use wire::*;

#[test]
fn the_first_attempt_spends_what_is_reserved_and_each_further_one_fresh_psrd() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        let reserved = reserve(&link, COST).await.unwrap();
        let allocation = reserved.spent().allocation().clone();
        let pad = wire.bytes(&allocation)[MAC_KEY_BYTES..].to_vec();
        wire.lose.set(2);
        stored(deposit(&link, &pad, Some(reserved)).await);
        let allocations = wire.allocations();
        assert_eq!(allocations.len(), 3);
        assert_eq!(allocations[0], allocation);
        are_disjoint(&allocations);
        assert_eq!(wire.shares(), [&pad[..]; 3], "the share stays the same");
        let first = operations_of(&wire.sent.borrow()[0]).unwrap();
        let [Operation::Deposit(first)] = first.as_slice() else {
            panic!("{first:?}")
        };
        assert_eq!(
            first.keys[0].share.0, [0; SHARE_BYTES],
            "the share is its pad"
        );
        assert_eq!(status(&link).await.retries, 2);
    });
}

#[test]
fn what_is_reserved_under_a_registration_that_was_replaced_is_never_sent() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        let [one, two] = [reserve(&link, COST).await, reserve(&link, COST).await];
        let stale = [&one, &two].map(|r| r.as_ref().unwrap().spent().allocation().clone());
        let pad = wire.bytes(&stale[1])[MAC_KEY_BYTES..].to_vec();
        // The hub restarts. The first deposit finds that out: its reservation is refused.
        wire.start_hub();
        stored(deposit(&link, &[1; SHARE_BYTES], one.ok()).await);
        assert_eq!(wire.registered.get(), 2);
        assert_eq!(wire.allocations()[0], stale[0]);
        // The second one goes out with fresh PSRD at once, and is taken at once.
        let before = status(&link).await;
        wire.sent.borrow_mut().clear();
        stored(deposit(&link, &pad, two.ok()).await);
        let after = status(&link).await;
        assert_eq!(after.retries, before.retries);
        assert_eq!(after.registrations, before.registrations);
        let allocations = wire.allocations();
        assert_eq!(allocations.len(), 1);
        let blocks = |allocation: &Allocation| -> BTreeSet<BlockId> {
            allocation.fragments().iter().map(|f| f.block()).collect()
        };
        assert!(blocks(&allocations[0]).is_disjoint(&blocks(&stale[1])));
        assert_eq!(wire.shares(), [pad]);
    });
}

#[test]
fn a_reservation_of_another_length_than_its_message_is_not_used() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        for bytes in [COST - 1, COST + 1] {
            let reserved = reserve(&link, bytes).await.unwrap();
            let allocation = reserved.spent().allocation().clone();
            stored(deposit(&link, &[bytes as u8; SHARE_BYTES], Some(reserved)).await);
            let mut allocations = wire.allocations();
            allocations.push(allocation);
            are_disjoint(&allocations);
        }
    });
}

#[test]
fn psrd_at_hand_is_reserved_without_the_hub_and_none_is_made_up() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND / 2).await;
        let refills = status(&link).await.refills;
        wire.stop_hub();
        let mut allocations = Vec::new();
        let mut reserved = Vec::new();
        for _ in 0..BLOCK_BYTES / COST {
            let before = Instant::now();
            let reservation = reserve(&link, COST).await.unwrap();
            assert_eq!(before.elapsed(), Duration::ZERO);
            allocations.push(reservation.spent().allocation().clone());
            reserved.push(reservation);
        }
        are_disjoint(&allocations);
        let error = reserve(&link, COST).await.unwrap_err();
        assert_eq!(error, down::<()>().unwrap_err().into());
        // The hub is back, and PSRD is delivered first.
        wire.start_hub();
        assert!(reserve(&link, 3 * BLOCK_BYTES).await.is_ok());
        assert!(status(&link).await.refills > refills);
    });
}

/// Each of several exchanges at the same time may spend what was brought for another.
#[test]
fn as_much_psrd_is_brought_as_the_answers_to_several_fetches_take() {
    run(async |wire: Rc<Wire>| {
        wire.start_hub();
        let link = link(&wire);
        // The answer takes more than three blocks, and each of the four takes its own.
        let share = vec![7; 3 * BLOCK_BYTES];
        stored(deposit(&link, &share, None).await);
        let key_id = KeyId::random(&mut ChaCha12Rng::seed_from_u64(7));
        let query = FetchQuery {
            client: "a".parse().unwrap(),
            slave_sae: "b".parse().unwrap(),
            master_sae: "a".parse().unwrap(),
            key_ids: vec![key_id],
        };
        let deadline = Instant::now() + 10 * SECOND;
        let fetches = (0..4).map(|_| {
            link.send(Exchange {
                operation: Operation::Fetch(query.clone()),
                reserved: None,
                deadline,
            })
        });
        for reply in join_all(fetches).await {
            match reply.unwrap().unwrap() {
                Reply::Fetch(reply) => assert!(reply.is_complete()),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_link_registers_and_refills_by_itself() {
    run(|wire| async move {
        let link = link(&wire);
        sleep(5 * SECOND).await;
        assert!(!status(&link).await.registered);
        wire.start_hub();
        sleep(5 * SECOND).await;
        let provisioned = status(&link).await;
        assert!(provisioned.registered && provisioned.retries == 0);
        assert_eq!(provisioned.up_bytes_left, BLOCK_BYTES);
        // A reservation that nobody uses leaves the pool low.
        reserve(&link, BLOCK_BYTES - 1).await.unwrap();
        assert_eq!(status(&link).await.up_bytes_left, 1);
        sleep(2 * SECOND).await;
        assert_eq!(status(&link).await.up_bytes_left, 1 + BLOCK_BYTES);
        assert!(wire.sent.borrow().is_empty(), "nobody asked for anything");
    });
}

#[test]
fn a_link_does_not_bother_a_hub_that_is_away_nor_one_that_it_does_not_need() {
    run(|wire| async move {
        let link = link(&wire);
        sleep(60 * SECOND).await;
        // After 0, 1, 3, 7, 15, 23, 31, 39, 47 and 55 seconds.
        assert_eq!(wire.tried_to_register.get(), 10);
        wire.start_hub();
        sleep(8 * SECOND).await;
        assert_eq!(wire.registered.get(), 1);
        let provisioned = status(&link).await;
        sleep(60 * SECOND).await;
        assert_eq!(status(&link).await, provisioned);
        assert_eq!(wire.tried_to_register.get(), 11);
        // The hub goes away again, and is found again as soon as before.
        reserve(&link, BLOCK_BYTES - 1).await.unwrap();
        wire.stop_hub();
        sleep(2 * SECOND).await;
        wire.start_hub();
        sleep(4 * SECOND).await;
        assert_eq!(wire.registered.get(), 2);
        assert!(status(&link).await.registered);
    });
}

#[test]
fn a_link_that_is_gone_leaves_the_hub_alone() {
    run(|wire| async move {
        drop(link(&wire));
        sleep(60 * SECOND).await;
        assert!(wire.tried_to_register.get() <= 1);
        assert_eq!(Rc::strong_count(&wire), 1, "nothing is left of the link");
    });
}
