//! A client that is asked for more than it can have under way refuses what is too much, at once and before anything is
//! drawn or spent, and serves again as soon as there is room.
#![allow(clippy::unwrap_used)]

use std::rc::Rc;
use std::time::Duration;

use dske::node::client::{ClientNode, GetClientStatus, GetKey, KmeError};
use dske::topology::Topology;
use dske_testbed::local::Switch;
use dske_testbed::sim::WorldOptions;
use futures_util::future::join_all;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

const TOPOLOGY: &str = "threshold = 2\n\
    hubs = [{ name = \"hank\" }, { name = \"helen\" }]\n\
    clients = [{ name = \"carol\" }, { name = \"celia\" }]\n";

/// What a client takes on at the same time, as docs/architecture.md says.
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
        // No hub is there: every call takes until it has tried them often enough.
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
        // All are over: there is room again, for as many.
        assert_eq!(flood(CALLS_MAX, 1, 256).await, 0);
        // Fewer calls, of which each is large: what counts is memory.
        let refused = flood(CALLS_MAX, 60, 8 * 4_096).await;
        assert!((1..CALLS_MAX).contains(&refused), "{refused}");
        let status = client.send(GetClientStatus).await.unwrap();
        assert_eq!(status.counters.keys_established, 0);
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    sim.run().unwrap();
}
