//! What waits for a hub leaves together, in the order in which it came, and not for nobody.

use std::collections::VecDeque;
use std::time::Duration;

use actix::Addr;
use dske::crypto::mac::MAC_KEY_BYTES;
use dske::node::link::{Exchange, Link, LinkError};
use dske::protocol::KeyId;
use dske::protocol::batch::{Operation, operations_of};
use dske::protocol::message::{DepositReply, FetchQuery};
use dske::psrd::Allocation;
use futures_util::future::{join, join_all};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::wire::*;

/// Many deposits at once, whose answers come after a while, as over a network.
async fn deposit_at_once(link: &Addr<Link>, number: u8) -> Vec<Result<DepositReply, LinkError>> {
    let shares: Vec<[u8; SHARE_BYTES]> = (1..=number).map(|n| [n; SHARE_BYTES]).collect();
    let deposits = shares.iter().map(|share| deposit(link, share, None));
    join_all(deposits).await
}

fn operations_sent(wire: &Wire) -> Vec<usize> {
    let sent = wire.sent.borrow();
    sent.iter()
        .map(|request| operations_of(request).unwrap().len())
        .collect()
}

#[test]
fn what_waits_for_a_hub_leaves_together_and_what_does_not_leaves_at_once() {
    run(|wire| async move {
        wire.start_hub();
        wire.takes.set(Duration::from_millis(5));
        let link = link(&wire);
        sleep(SECOND).await;
        wire.sent.take();
        let started = Instant::now();
        stored(deposit(&link, &[100; SHARE_BYTES], None).await);
        assert_eq!(
            started.elapsed(),
            Duration::from_millis(5),
            "an idle link adds nothing"
        );
        for reply in deposit_at_once(&link, 9).await {
            stored(reply);
        }
        // The first leaves with whatever was there at the same moment. The others wait while it is in flight.
        let sent = operations_sent(&wire);
        assert_eq!(sent.iter().sum::<usize>(), 10);
        assert!(sent.len() <= 3, "{sent:?}");
        are_disjoint(&wire.allocations());
        // A batch has one MAC key, however many operations are in it.
        let spent: u64 = wire.allocations().iter().map(Allocation::total).sum();
        assert_eq!(
            spent as usize,
            sent.len() * MAC_KEY_BYTES + 10 * SHARE_BYTES
        );
    });
}

/// The keys in what was sent, in this order, by the first bytes of their shares; and when each left.
fn keys_sent(wire: &Wire) -> Vec<(u8, Instant)> {
    let known: Vec<(KeyId, u8)> = (0..=u8::MAX).map(|byte| (key_id(byte), byte)).collect();
    let (sent, sent_at) = (wire.sent.borrow(), wire.sent_at.borrow());
    let operations = sent.iter().zip(sent_at.iter()).flat_map(|(request, at)| {
        let operations = operations_of(request).unwrap();
        operations.into_iter().map(|operation| (operation, *at))
    });
    let keys = operations.map(|(operation, at)| {
        let Operation::Deposit(deposit) = operation else {
            panic!("{operation:?}")
        };
        let key = known.iter().find(|(id, _)| *id == deposit.keys[0].key_id);
        (key.unwrap().1, at)
    });
    keys.collect()
}

/// However slow the hub is, and however many requests a batch has room for.
#[test]
fn what_waits_longest_leaves_first_and_waits_no_longer_than_for_those_before_it() {
    const OVERDUE: Duration = Duration::from_millis(20);
    for takes in [Duration::from_millis(7), SECOND / 2] {
        run(move |wire| async move {
            wire.start_hub();
            let link = link(&wire);
            sleep(SECOND).await;
            wire.takes.set(takes);
            let mut calls = Vec::new();
            let mut came = Vec::new();
            for byte in 1..=30 {
                came.push(Instant::now());
                calls.push(call(&link, "a", vec![byte; SHARE_BYTES]));
                sleep(Duration::from_millis(3)).await;
            }
            sleep(2 * SECOND).await;
            let sent = keys_sent(&wire);
            assert!(sent.iter().map(|(byte, _)| *byte).eq(1..=30), "{sent:?}");
            let requests = wire.sent.borrow().len();
            assert!((5..20).contains(&requests), "{requests} requests");
            for ((byte, left), came) in sent.into_iter().zip(came) {
                // A batch has room for as many as there is PSRD for: then the rest waits for the next one.
                let sent_at = wire.sent_at.borrow();
                let requests = sent_at.iter().filter(|at| came < **at && **at <= left);
                let requests = u32::try_from(requests.count()).unwrap();
                assert!(requests <= 2, "{byte} waited for {requests} requests");
                let most = requests * OVERDUE.min(takes) + Duration::from_millis(2);
                assert!(left - came <= most, "{byte}: {:?}", left - came);
            }
        });
    }
}

#[test]
fn a_silent_hub_is_asked_first_for_what_waits_longest() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        wire.is_mute.set(true);
        let began = Instant::now();
        // After a second the hub counts as silent, and after a pause it is asked again.
        let mut calls = vec![call(&link, "a", vec![1; SHARE_BYTES])];
        sleep(SECOND * 11 / 10).await;
        for byte in 2..=4 {
            calls.push(call(&link, "a", vec![byte; SHARE_BYTES]));
            sleep(SECOND / 100).await;
        }
        // Four times a second one leaves, until the second request to the silent hub has failed.
        sleep(SECOND * 8 / 10).await;
        assert!(began.elapsed() < 2 * SECOND);
        let sent: Vec<u8> = keys_sent(&wire).iter().map(|(byte, _)| *byte).collect();
        assert_eq!(sent, [1, 1, 2, 3, 4]);
    });
}

#[test]
fn a_request_that_is_lost_does_not_hold_the_next_one_up() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        // Its answer comes after nobody waits for it any more.
        wire.takes.set(60 * SECOND);
        let hanging = {
            let link = link.clone();
            tokio::task::spawn_local(async move { deposit(&link, &[100; SHARE_BYTES], None).await })
        };
        sleep(Duration::from_millis(1)).await;
        wire.takes.set(Duration::from_millis(5));
        let started = Instant::now();
        stored(deposit(&link, &[101; SHARE_BYTES], None).await);
        assert!(
            started.elapsed() < Duration::from_millis(50),
            "{:?}",
            started.elapsed()
        );
        stored(hanging.await.unwrap());
        assert!(status(&link).await.retries > 0);
    });
}

#[test]
fn one_operation_that_is_refused_takes_no_other_with_it() {
    run(|wire| async move {
        wire.start_hub();
        wire.takes.set(Duration::from_millis(5));
        let link = link(&wire);
        sleep(SECOND).await;
        // The hub knows no SAE c.
        let foreign = Exchange {
            operation: Operation::Fetch(FetchQuery {
                client: "a".parse().unwrap(),
                slave_sae: "c".parse().unwrap(),
                master_sae: "a".parse().unwrap(),
                key_ids: vec![KeyId::random(&mut ChaCha12Rng::seed_from_u64(1))],
            }),
            reserved: None,
            deadline: Instant::now() + SECOND,
        };
        let foreign = link.send(foreign);
        let (good, foreign) = join(deposit_at_once(&link, 5), foreign).await;
        good.into_iter().for_each(stored);
        let refused = foreign.unwrap().unwrap_err().to_string();
        assert!(refused.contains("does not serve SAE c"), "{refused}");
        assert!(
            operations_sent(&wire)
                .iter()
                .any(|operations| *operations > 1)
        );
        assert_eq!(status(&link).await.retries, 0);
    });
}

/// A caller that goes away when this is dropped.
struct Caller(AbortHandle);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Deposits in a task of its own, for the SAE `master`.
fn call(link: &Addr<Link>, master: &'static str, share: Vec<u8>) -> Caller {
    let link = link.clone();
    let task = async move { deposit_for(master, &link, &share, None).await };
    Caller(tokio::task::spawn_local(task).abort_handle())
}

/// Two hundred calls in ten seconds, of which each waits for two.
async fn calls_to_a_silent_hub(link: &Addr<Link>) {
    let mut callers = VecDeque::new();
    for _ in 0..200 {
        callers.push_back(call(link, "a", vec![1; SHARE_BYTES]));
        if callers.len() > 40 {
            callers.pop_front();
        }
        sleep(SECOND / 20).await;
    }
}

#[test]
fn a_hub_that_does_not_answer_gets_few_requests() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        wire.is_mute.set(true);
        calls_to_a_silent_hub(&link).await;
        // One for each call of the first second, until the first of them is overdue. Then four each second.
        let sent = operations_sent(&wire);
        assert!(sent.len() <= 20 + 4 * 10 + 2, "{sent:?}");
        let probes = &sent[sent.len() - 32..];
        assert!(probes.iter().all(|operations| *operations == 1), "{sent:?}");
        // The hub answers again, and is asked as before.
        wire.is_mute.set(false);
        sleep(2 * SECOND).await;
        wire.takes.set(Duration::from_millis(5));
        wire.sent.take();
        for reply in deposit_at_once(&link, 9).await {
            stored(reply);
        }
        let sent = operations_sent(&wire);
        assert!(sent.len() <= 3, "{sent:?}");
    });
}

#[test]
fn what_comes_while_a_silent_hub_is_asked_waits_for_an_attempt_of_its_own() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        wire.is_mute.set(true);
        let first = deposit(&link, &[1; SHARE_BYTES], None);
        let second = async {
            // The first attempt has failed after a second, and the next one will, since it left when the hub was mute.
            sleep(SECOND * 19 / 10).await;
            wire.is_mute.set(false);
            deposit(&link, &[2; SHARE_BYTES], None).await
        };
        let (first, second) = join(first, second).await;
        stored(first);
        stored(second);
        assert_eq!(status(&link).await.retries, 2, "both of the first one");
    });
}

#[test]
fn what_nobody_waits_for_any_more_never_leaves() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        // There is no PSRD, and no more can be had: everything waits.
        wire.freeze_hub(true);
        let up_left = status(&link).await.up_bytes_left;
        drop(reserve(&link, up_left).await.unwrap());
        let delivered = wire.tried_to_deliver.get();
        calls_to_a_silent_hub(&link).await;
        let tried = wire.tried_to_deliver.get() + wire.tried_to_register.get() - delivered;
        assert!(tried <= 12, "{tried} attempts to get PSRD in ten seconds");
        wire.freeze_hub(false);
        sleep(60 * SECOND).await;
        let sent = operations_sent(&wire);
        assert_eq!(sent.len(), 0, "{sent:?} for nobody");
        assert!(status(&link).await.registered);
    });
}

#[test]
fn what_waits_for_psrd_holds_up_nothing_for_which_there_is_some() {
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        wire.delivers_nothing.set(true);
        let _large = call(&link, "a", vec![1; 3 * BLOCK_BYTES]);
        sleep(SECOND / 100).await;
        let small = deposit(&link, &[2; SHARE_BYTES], None);
        stored(timeout(SECOND / 100, small).await.unwrap());
        // The large one has its turn as soon as there is enough.
        wire.delivers_nothing.set(false);
        sleep(2 * SECOND).await;
        assert_eq!(operations_sent(&wire), [1, 1]);
    });
}

#[test]
fn what_is_in_flight_has_a_bound_for_each_sae_until_its_callers_have_gone() {
    const LARGE: usize = 1 << 20;
    run(|wire| async move {
        wire.start_hub();
        let link = link(&wire);
        sleep(SECOND).await;
        wire.freeze_hub(true);
        let is_busy = async |master: &'static str| {
            let asked = deposit_for(master, &link, &[1; LARGE], None);
            let answer = timeout(SECOND / 100, asked).await;
            matches!(answer, Ok(Err(LinkError::Busy)))
        };
        let mut callers = Vec::new();
        for _ in 0..64 {
            callers.push(call(&link, "a", vec![1; LARGE]));
        }
        sleep(SECOND / 100).await;
        assert!(is_busy("a").await);
        assert!(!is_busy("b").await, "it has a part of its own");
        drop(callers);
        // What has left counts until nothing is heard of it.
        sleep(2 * SECOND).await;
        assert!(!is_busy("a").await);
    });
}
