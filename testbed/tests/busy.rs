//! A client with too many calls in flight refuses further ones at once, before anything is drawn or spent, and serves
//! again as soon as there is room.
#![allow(clippy::unwrap_used)]

use std::rc::Rc;
use std::time::Duration;

use dske::node::client::{ClientNode, GetClientStatus, GetKey, KmeError};
use dske::topology::Topology;
use dske_testbed::local::Switch;
use dske_testbed::sim::WorldOptions;
use futures_util::future::{join, join_all};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

const TOPOLOGY: &str = "threshold = 2\n\
    hubs = [{ name = \"hank\" }, { name = \"helen\" }]\n\
    clients = [{ name = \"carol\" }, { name = \"celia\" }]\n";

/// Calls that a client has in flight at most, as docs/architecture.md says.
const CALLS_MAX: usize = 1_024;

fn call(number: usize, size_bits: usize) -> GetKey {
    GetKey {
        caller: "carol".parse().unwrap(),
        slave_saes: vec!["celia".parse().unwrap()],
        number: Some(number),
        size_bits: Some(size_bits),
    }
}

#[test]
fn calls_beyond_the_limit_are_refused_at_once_and_later_ones_are_not() {
    let mut sim = WorldOptions::with_seed(1).build();
    sim.client("client", async {
        let topology = Topology::parse("x", TOPOLOGY).unwrap();
        let config = topology.client(&"carol".parse().unwrap()).unwrap();
        let rng = Box::new(ChaCha12Rng::seed_from_u64(1));
        // No hub is there: every call lasts until it has tried them often enough.
        let client = ClientNode::start(config, rng, |_| Rc::new(Switch::default()));
        let flood = |calls: usize, number: usize, size_bits: usize| {
            let client = client.clone();
            async move {
                let sent = (0..calls).map(|_| client.send(call(number, size_bits)));
                let answers = join_all(sent).await;
                let busy = |answer: &_| matches!(answer, Ok(Err(KmeError::Busy)));
                answers.iter().filter(|answer| busy(answer)).count()
            }
        };
        assert_eq!(flood(CALLS_MAX + 100, 1, 256).await, 100);
        // All calls are over: there is room again for as many.
        assert_eq!(flood(CALLS_MAX, 1, 256).await, 0);
        // Fewer calls are admitted if each is large: memory is what counts.
        let refused = flood(CALLS_MAX, 60, 8 * 4_096).await;
        assert!((1..CALLS_MAX).contains(&refused), "{refused}");
        let status = client.send(GetClientStatus).await.unwrap();
        assert_eq!(status.counters.keys_established, 0);
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn one_sae_cannot_make_the_others_busy() {
    let mut sim = WorldOptions::with_seed(1).build();
    sim.client("client", async {
        let text = TOPOLOGY.replace("\"carol\" }", "\"carol\", saes = [\"carol\", \"carla\"] }");
        let topology = Topology::parse("x", &text).unwrap();
        let config = topology.client(&"carol".parse().unwrap()).unwrap();
        let rng = Box::new(ChaCha12Rng::seed_from_u64(1));
        let client = ClientNode::start(config, rng, |_| Rc::new(Switch::default()));
        let flood = |caller: &'static str, calls: usize, number: usize, size_bits: usize| {
            let client = client.clone();
            async move {
                let call = || GetKey {
                    caller: caller.parse().unwrap(),
                    ..call(number, size_bits)
                };
                let sent = (0..calls).map(|_| client.send(call()));
                let answers = join_all(sent).await;
                let busy = |answer: &_| matches!(answer, Ok(Err(KmeError::Busy)));
                answers.iter().filter(|answer| busy(answer)).count()
            }
        };
        // A quarter is guaranteed to each of the two, and half is lent.
        for (number, size_bits) in [(1, 256), (60, 8 * 4_096)] {
            let greedy = flood("carol", 2 * CALLS_MAX, number, size_bits);
            let modest = flood("carla", CALLS_MAX / 4, 1, 256);
            let (greedy, modest) = join(greedy, modest).await;
            assert!(greedy >= 2 * CALLS_MAX - CALLS_MAX / 4 * 3, "{greedy}");
            assert_eq!(modest, 0);
        }
        Ok(())
    });
    sim.run().unwrap();
}
