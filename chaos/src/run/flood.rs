//! The outsider: sends hubs garbage, forgeries, and messages that it has seen before. It holds no PSRD.

use std::rc::Rc;
use std::time::Duration;

use dske::http::transport::HttpTransport;
use dske::node::transport::Transport;
use dske::protocol::wire::KEY_SHARE_PATH;
use dske::protocol::{Method, Request};
use dske::topology::Topology;
use dske_testbed::sim::PORT;
use dske_testbed::sim::net::http_client;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt};

use super::saes::sleep_until_ms;
use crate::observer::Observer;
use crate::observer::record::Seen;
use crate::plan::Fault;
use crate::plan::stream::stream;

/// Bytes of pure garbage at most.
const GARBAGE_BYTES_MAX: usize = 2_000;

/// Adds the outsider's host, if the plan has work for it.
pub(super) fn add(sim: &mut turmoil::Sim<'_>, topology: &Rc<Topology>, observer: &Observer) {
    let plan = Rc::clone(&observer.seen().plan);
    let floods = plan
        .faults
        .iter()
        .filter_map(|planned| match planned.fault {
            Fault::Flood { hub, per_second } => {
                Some((hub, per_second, planned.at_ms, planned.until_ms))
            }
            _ => None,
        });
    let floods: Vec<_> = floods.collect();
    if floods.is_empty() {
        return;
    }
    let (topology, observer) = (Rc::clone(topology), observer.clone());
    sim.client("mallory", async move {
        for (index, (hub, per_second, from_ms, until_ms)) in floods.into_iter().enumerate() {
            let rng = stream(&plan.campaign, plan.seed, &format!("flood {index}"));
            let http = http_client(Duration::from_millis(500));
            let transport =
                HttpTransport::new(http, &format!("{}:{PORT}", topology.hubs[hub].name));
            let flood = flood(
                transport,
                observer.clone(),
                hub,
                per_second,
                (from_ms, until_ms),
                rng,
            );
            tokio::task::spawn_local(flood);
        }
        sleep_until_ms(plan.heal_at_ms).await;
        Ok(())
    });
}

async fn flood(
    transport: HttpTransport,
    observer: Observer,
    hub: usize,
    per_second: u64,
    (from_ms, until_ms): (u64, u64),
    mut rng: ChaCha12Rng,
) {
    sleep_until_ms(from_ms).await;
    let messages = (until_ms - from_ms) * per_second / 1000;
    for _ in 0..messages {
        let request = message(&observer, hub, &mut rng);
        let sent = transport.ask(request);
        // Nobody waits for the answer: it has no say in anything.
        tokio::task::spawn_local(async move { drop(sent.await) });
        tokio::time::sleep(Duration::from_millis(1000 / per_second.max(1))).await;
    }
}

fn message(observer: &Observer, hub: usize, rng: &mut ChaCha12Rng) -> Request {
    let seen = observer.seen();
    let requests: Vec<&Request> = seen
        .messages
        .iter()
        .rev()
        .filter(|message| message.hub == hub && message.client.is_some())
        .filter_map(|message| match &message.what {
            Seen::Sent(request) => Some(request),
            _ => None,
        })
        .take(50)
        .collect();
    let known =
        (!requests.is_empty()).then(|| requests[rng.random_range(0..requests.len())].clone());
    match (rng.random_range(0..3), known) {
        (0, Some(request)) => {
            drop(seen);
            observer.reach("flood:replay");
            request
        }
        (1, Some(mut request)) => {
            drop(seen);
            observer.reach("flood:forgery");
            // The right PSRD, and another message.
            let inside_the_last_share = request.body.len().checked_sub(12);
            match inside_the_last_share.and_then(|at| request.body.get_mut(at)) {
                Some(byte) => *byte = if *byte == b'A' { b'B' } else { b'A' },
                None => request
                    .target
                    .push_str(",bc490419-7d60-487f-adc1-4ddcc177c139"),
            }
            request
        }
        _ => {
            drop(seen);
            observer.reach("flood:garbage");
            garbage(rng)
        }
    }
}

fn garbage(rng: &mut ChaCha12Rng) -> Request {
    let mut body = vec![0; rng.random_range(0..GARBAGE_BYTES_MAX)];
    rng.fill_bytes(&mut body);
    Request {
        method: Method::Post,
        target: KEY_SHARE_PATH.to_owned(),
        signature: rng
            .next_u32()
            .is_multiple_of(2)
            .then(|| "garbage;0".to_owned()),
        body,
    }
}
