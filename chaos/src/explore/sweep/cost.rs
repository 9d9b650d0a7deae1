//! Bytes and messages of a key, by N and K.

use dske::protocol::wire::SIGNATURE_HEADER;
use dske::protocol::{Request, Response};
use serde::Serialize;

use super::exchange::exchanges;
use super::lab::Lab;
use super::setup::{Setup, ask, close};
use super::theory;
use crate::judge::Facts;
use crate::world::observer::open;
use crate::world::observer::record::Seen;

/// N and K of the clusters: N at a fixed K, and K at a fixed N.
const CLUSTERS: [(u8, u8); 15] = [
    (3, 3),
    (4, 3),
    (5, 3),
    (6, 3),
    (7, 3),
    (8, 3),
    (10, 3),
    (12, 3),
    (16, 3),
    (10, 2),
    (10, 4),
    (10, 5),
    (10, 6),
    (10, 8),
    (10, 10),
];

/// Keys of 256 bits in one cluster.
///
/// Counted are the messages between clients and hubs that carry a signature: of requests the method, the target, the
/// header `DSKE-Signature` and the body, of responses the three digits of the status, that header and the body. Not
/// counted: other headers of HTTP, TCP/IP, registration and the delivery of PSRD.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Hubs (N).
    pub hubs: u8,
    /// Threshold (K).
    pub threshold: u8,
    /// Keys that both sides got.
    pub keys: u64,
    /// Messages for each key.
    pub messages_per_key: f64,
    /// What they should be.
    pub messages_in_theory: u64,
    /// Bytes of deposits and their answers, for each key.
    pub establish_bytes_per_key: f64,
    /// Bytes of fetches and their answers, for each key.
    pub fetch_bytes_per_key: f64,
    /// Both.
    pub bytes_per_key: f64,
}

pub(super) fn measure(lab: &mut Lab<'_>) -> Vec<Point> {
    let mut setup = Setup::new(lab, "size");
    let plans = CLUSTERS.map(|(hubs, threshold)| {
        let mut plan = setup.plan(hubs, threshold);
        ask(&mut plan, lab.samples(), 2_000, 100);
        close(&mut plan);
        plan
    });
    let found = lab.run(&plans, |facts| (keys(facts), Wire::of(facts)));
    let points = CLUSTERS.iter().zip(found);
    points
        .filter_map(|(&(hubs, threshold), found)| {
            let (keys, wire) = found?;
            let per_key = |count: usize| count as f64 / keys.max(1) as f64;
            Some(Point {
                hubs,
                threshold,
                keys,
                messages_per_key: per_key(wire.messages),
                messages_in_theory: theory::messages(hubs),
                establish_bytes_per_key: per_key(wire.establish_bytes),
                fetch_bytes_per_key: per_key(wire.fetch_bytes),
                bytes_per_key: per_key(wire.establish_bytes + wire.fetch_bytes),
            })
        })
        .collect()
}

fn keys(facts: &Facts<'_>) -> u64 {
    let exchanges = exchanges(facts);
    let arrived = exchanges.iter().filter(|key| key.fetch_us.is_some());
    arrived.count() as u64
}

/// What went over the wire.
#[derive(Default)]
struct Wire {
    messages: usize,
    establish_bytes: usize,
    fetch_bytes: usize,
}

impl Wire {
    fn of(facts: &Facts<'_>) -> Self {
        let mut wire = Self::default();
        for message in &facts.seen.messages {
            let (request, bytes) = match &message.what {
                Seen::Sent(request) => (request, request_bytes(request)),
                Seen::Said { to, response } => (to, response_bytes(response)),
                Seen::Arrived(_) | Seen::Heard { .. } => continue,
            };
            wire.messages += 1;
            if open::has_deposit(request) {
                wire.establish_bytes += bytes;
            } else {
                wire.fetch_bytes += bytes;
            }
        }
        wire
    }
}

fn request_bytes(request: &Request) -> usize {
    let method = request.method.to_string();
    method.len() + request.target.len() + header_bytes(&request.signature) + request.body.len()
}

fn response_bytes(response: &Response) -> usize {
    3 + header_bytes(&response.signature) + response.body.len()
}

/// `DSKE-Signature: VALUE` and the end of the line.
fn header_bytes(signature: &Option<String>) -> usize {
    let value = signature.as_ref().map(String::len);
    value.map_or(0, |value| SIGNATURE_HEADER.len() + 4 + value)
}
