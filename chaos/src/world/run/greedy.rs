//! Greedy SAEs: each asks its client for keys, as many and as often as the plan says, and nobody fetches them. All that
//! they do is within the rules.

use std::rc::Rc;
use std::time::Duration;

use dske::protocol::SaeId;
use dske::topology::Topology;
use dske_testbed::sim::PORT;
use dske_testbed::sim::net::http_client;
use dske_testbed::{EtsiClient, KeyRequest};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use super::saes::{MARGIN_MS, Watch};
use crate::plan::stream::stream;
use crate::plan::{Fault, Plan, greedy_sae};
use crate::world::clock::{now_us, sleep_until_ms};
use crate::world::observer::Observer;
use crate::world::observer::record::CallKind;

/// Between two rounds of calls, which are made at the same moment.
const ROUND_MS: u64 = 1_000;

/// Keys that it asks for in a round: fewer in each call, the more calls there are. Five calls ask for as many keys as one
/// message may name.
const KEYS_PER_ROUND: u64 = 640;

/// Sizes of its keys: many shares, and many bytes.
const BITS: [u32; 2] = [256, 4_096];

/// Starts every greedy SAE of the plan as a task of its own.
pub(super) fn start(topology: &Topology, observer: &Observer) {
    let plan = Rc::clone(&observer.seen().plan);
    let mut first_id = u32::MAX;
    for (index, planned) in plan.faults.iter().enumerate() {
        let Fault::GreedySae { client, per_second } = planned.fault else {
            continue;
        };
        let timeout = Duration::from_millis(plan.cluster.call_deadline_ms + MARGIN_MS);
        let name = &topology.clients[client].name;
        let other = (client + 1) % topology.clients.len();
        let rounds = (planned.at_ms..planned.until_ms).step_by(ROUND_MS as usize);
        let calls = u32::try_from(per_second * rounds.clone().count() as u64).unwrap_or(u32::MAX);
        let greedy = Greedy {
            sae: greedy_sae(name.as_str()).parse().expect("a valid name"),
            slave: SaeId::from(&topology.clients[other].name),
            kme: EtsiClient::new(http_client(timeout), &format!("{name}:{PORT}"), timeout),
            client,
            per_second,
            observer: observer.clone(),
            rng: stream(&plan.campaign, plan.seed, &format!("greedy {index}")),
            next_id: first_id,
        };
        first_id = first_id.saturating_sub(calls);
        let plan = Rc::clone(&plan);
        tokio::task::spawn_local(async move { greedy.run(&plan, rounds).await });
    }
}

struct Greedy {
    sae: SaeId,
    slave: SaeId,
    kme: EtsiClient,
    client: usize,
    per_second: u64,
    observer: Observer,
    rng: ChaCha12Rng,
    next_id: u32,
}

impl Greedy {
    async fn run(mut self, plan: &Plan, rounds: impl Iterator<Item = u64>) {
        for at_ms in rounds {
            sleep_until_ms(at_ms).await;
            let bits = BITS[self.rng.random_range(0..BITS.len())];
            let most = u64::from(plan.cluster.keys_max(bits)).max(1);
            let number = (KEYS_PER_ROUND / self.per_second).clamp(1, most) as u16;
            for _ in 0..self.per_second {
                self.ask(bits, number);
            }
        }
    }

    /// Asks for keys, and does not wait for them.
    fn ask(&mut self, bits: u32, number: u16) {
        let watched = Watch {
            observer: self.observer.clone(),
            id: self.next_id,
            kind: CallKind::Greedy,
            client: self.client,
            sae: self.sae.clone(),
            other: self.slave.clone(),
            number,
            key_ids: Vec::new(),
            from_us: now_us(),
        };
        self.next_id = self.next_id.saturating_sub(1);
        let (kme, sae, slave) = (self.kme.clone(), self.sae.clone(), self.slave.clone());
        tokio::task::spawn_local(async move {
            let request = KeyRequest {
                number: Some(usize::from(number)),
                size_bits: Some(bits as usize),
                also: Vec::new(),
            };
            watched.done(kme.get_key(&sae, &slave, &request).await);
        });
    }
}
