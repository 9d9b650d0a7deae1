//! The outsider: sends hubs garbage, forgeries, and messages that it has seen before. It holds no PSRD, but it reads
//! the wire, and knows which bytes of a pool come next.

use std::rc::Rc;
use std::time::Duration;

use dske::crypto::mac::MAC_KEY_BYTES;
use dske::http::transport::HttpTransport;
use dske::node::transport::Transport;
use dske::protocol::batch::{Encoding, Operation, operations_of, write_operations};
use dske::protocol::channel::Unverified;
use dske::protocol::message::FetchQuery;
use dske::protocol::signature::Signature;
use dske::protocol::wire::{KEY_SHARE_PATH, KEY_SHARES_PATH};
use dske::protocol::{KeyId, Method, Request, SaeId};
use dske::psrd::{Allocation, Fragment};
use dske::topology::Topology;
use dske_testbed::sim::PORT;
use dske_testbed::sim::net::http_client;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt};

use crate::plan::Fault;
use crate::plan::attack::FloodAttack;
use crate::plan::stream::stream;
use crate::world::clock::{now_us, sleep_until_ms};
use crate::world::observer::open;
use crate::world::observer::record::{Attack, Message, Seen, Tried};
use crate::world::observer::{Observation, Observer};

/// Bytes of pure garbage at most.
const GARBAGE_BYTES_MAX: usize = 2_000;

/// Starts every flood of the plan, each as a task of its own.
pub(in crate::world) fn start(topology: &Topology, observer: &Observer) {
    let plan = Rc::clone(&observer.seen().plan);
    let floods = plan
        .faults
        .iter()
        .filter_map(|planned| match planned.fault {
            Fault::Flood { hub, per_second } => {
                Some((hub, per_second, (planned.at_ms, planned.until_ms)))
            }
            _ => None,
        });
    for (index, (hub, per_second, times_ms)) in floods.enumerate() {
        let rng = |part: &str| stream(&plan.campaign, plan.seed, &format!("{part} {index}"));
        let rngs = (rng("flood"), rng("flood ahead"));
        let http = http_client(Duration::from_millis(500));
        let transport = HttpTransport::new(http, &format!("{}:{PORT}", topology.hubs[hub].name));
        let flood = flood(transport, observer.clone(), hub, per_second, times_ms, rngs);
        tokio::task::spawn_local(flood);
    }
}

async fn flood(
    transport: HttpTransport,
    observer: Observer,
    hub: usize,
    per_second: u64,
    (from_ms, until_ms): (u64, u64),
    (mut rng, mut ahead_rng): (ChaCha12Rng, ChaCha12Rng),
) {
    sleep_until_ms(from_ms).await;
    let messages = (until_ms - from_ms) * per_second / 1000;
    for _ in 0..messages {
        let ahead = ahead(&observer, hub, &mut ahead_rng);
        let (attack, request) = ahead.unwrap_or_else(|| message(&observer, hub, &mut rng));
        let what = Tried::Flood(attack);
        observer.reach(what.reached());
        // Exactly what it sends: then the checks need not guess what a hub should have refused.
        observer.attack(Attack {
            at_us: now_us(),
            hub,
            what,
            request: request.clone(),
        });
        let sent = transport.ask(request);
        // Nobody waits for the answer: nothing depends on it.
        tokio::task::spawn_local(async move { drop(sent.await) });
        tokio::time::sleep(Duration::from_millis(1000 / per_second.max(1))).await;
    }
}

/// What it is, and the message.
type Attempt = (FloodAttack, Request);

fn message(observer: &Observer, hub: usize, rng: &mut ChaCha12Rng) -> Attempt {
    let seen = observer.seen();
    let requests: Vec<&Request> = seen
        .messages
        .iter()
        .rev()
        .filter(|message| message.hub == hub && is_honest(&seen, message))
        .filter_map(|message| match &message.what {
            Seen::Sent(request) => Some(request),
            _ => None,
        })
        .take(50)
        .collect();
    let known =
        (!requests.is_empty()).then(|| requests[rng.random_range(0..requests.len())].clone());
    match (rng.random_range(0..3), known) {
        (0, Some(request)) => (FloodAttack::Replay, request),
        (1, Some(mut request)) => {
            // The right PSRD, and another message.
            let mut body = Vec::from(request.body);
            let inside_the_last_share = body.len().checked_sub(12);
            match inside_the_last_share.and_then(|at| body.get_mut(at)) {
                Some(byte) => *byte = if *byte == b'A' { b'B' } else { b'A' },
                None => request
                    .target
                    .push_str(",bc490419-7d60-487f-adc1-4ddcc177c139"),
            }
            request.body = body.into();
            (FloodAttack::Forgery, request)
        }
        _ => (FloodAttack::Garbage, garbage(rng)),
    }
}

fn is_honest(seen: &Observation, message: &Message) -> bool {
    message
        .client
        .is_some_and(|client| seen.plan.is_honest(client))
}

/// Half of the messages: forgeries that need no luck to come before the message that they stand for. They have
/// wrong MACs. What a hub does to the bytes that they name, it does to the honest client's next message.
fn ahead(observer: &Observer, hub: usize, rng: &mut ChaCha12Rng) -> Option<Attempt> {
    if rng.next_u32().is_multiple_of(2) {
        return None;
    }
    let kind = rng.random_range(0..3);
    let client = {
        let seen = observer.seen();
        rng.random_range(0..usize::from(seen.plan.cluster.clients))
    };
    let last = |only_deposits: bool| {
        let seen = observer.seen();
        let mut sent = seen.messages.iter().rev().filter_map(|message| {
            let mine = message.hub == hub && message.client == Some(client);
            match &message.what {
                Seen::Sent(request) if mine => Some(request),
                _ => None,
            }
        });
        let found = sent.find(|request| !only_deposits || open::has_deposit(request));
        found.cloned()
    };
    let newest = last(false)?;
    Some(match kind {
        // The newest message, with one digit of its tag changed: it may overtake the message itself.
        0 => (FloodAttack::ForgedTag, with_another_tag(newest)?),
        1 => {
            let request = fetch_ahead(&newest, rng)?;
            (FloodAttack::ForgeryAhead, request)
        }
        _ => {
            let request = deposit_ahead(&newest, last(true)?, rng)?;
            (FloodAttack::ForgedDeposit, request)
        }
    })
}

fn with_another_tag(mut request: Request) -> Option<Request> {
    let signature = request.signature.as_mut()?;
    let last = signature.pop()?;
    signature.push(if last == '0' { '1' } else { '0' });
    Some(request)
}

/// A fetch that names the bytes after the last that were seen on the wire.
fn fetch_ahead(newest: &Request, rng: &mut ChaCha12Rng) -> Option<Request> {
    let client = Unverified::read(newest).ok()?.client().clone();
    let query = FetchQuery {
        slave_sae: SaeId::from(&client),
        master_sae: SaeId::from(&client),
        client,
        key_ids: vec![KeyId::random(rng)],
    };
    Some(Request {
        method: Method::Get,
        target: query.target(),
        signature: Some(signature_ahead(newest, MAC_KEY_BYTES, rng)?),
        body: Vec::new().into(),
    })
}

/// A deposit like one that was seen, of other keys, that names the bytes after the last that were seen on the wire.
fn deposit_ahead(newest: &Request, like: Request, rng: &mut ChaCha12Rng) -> Option<Request> {
    let mut operations = operations_of(&like)?.into_iter();
    let mut body = operations.find_map(|operation| match operation {
        Operation::Deposit(deposit) => Some(deposit),
        Operation::Fetch(_) | Operation::Withdraw(_) => None,
    })?;
    for key in &mut body.keys {
        key.key_id = KeyId::random(rng);
    }
    let bytes = MAC_KEY_BYTES + body.share_bytes();
    let signature = Some(signature_ahead(newest, bytes, rng)?);
    let (target, body) = match Encoding::of(&like) {
        Encoding::Json => (KEY_SHARE_PATH, serde_json::to_vec(&body).ok()?),
        Encoding::Binary => {
            let client = body.client.clone();
            let body = write_operations(&client, &[Operation::Deposit(body)]);
            (KEY_SHARES_PATH, body)
        }
    };
    Some(Request {
        method: Method::Post,
        target: target.to_owned(),
        signature,
        body: body.into(),
    })
}

/// A header with a random tag. Where the block ends before, the hub will say that there are no such bytes.
fn signature_ahead(newest: &Request, bytes: usize, rng: &mut ChaCha12Rng) -> Option<String> {
    let signature = Signature::from_header(newest.signature.as_deref()).ok()?;
    let last = signature.allocation.fragments().last()?;
    let next = Fragment::new(last.block(), last.end(), u32::try_from(bytes).ok()?).ok()?;
    let tag: u128 = rng.random();
    Some(format!("{};{tag:032x}", Allocation::new(vec![next]).ok()?))
}

fn garbage(rng: &mut ChaCha12Rng) -> Request {
    let mut body = vec![0; rng.random_range(0..GARBAGE_BYTES_MAX)];
    rng.fill_bytes(&mut body);
    Request {
        method: Method::Post,
        target: [KEY_SHARE_PATH, KEY_SHARES_PATH][rng.random_range(0..2)].to_owned(),
        signature: rng
            .next_u32()
            .is_multiple_of(2)
            .then(|| "garbage;0".to_owned()),
        body: body.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dske::protocol::Refusal;
    use dske::protocol::hub::Hub;
    use dske::topology::Topology;
    use rand::SeedableRng;

    use super::*;

    const TOPOLOGY: &str = "threshold = 2\n\
        hubs = [{ name = \"hank\" }, { name = \"helen\" }]\n\
        clients = [{ name = \"carol\" }, { name = \"celia\" }]\n";

    /// A hub with a client that has sent it one fetch, and the next one.
    fn scene() -> (Hub, Request, Request) {
        let topology = Topology::parse("x", TOPOLOGY).unwrap();
        let config = topology.hub(&topology.hubs[0].name).unwrap();
        let mut hub = Hub::new(config, Box::new(ChaCha12Rng::seed_from_u64(1)));
        let client: dske::protocol::NodeName = "carol".parse().unwrap();
        let mut end = hub.enroll(&client).unwrap();
        let query = FetchQuery {
            slave_sae: SaeId::from(&client),
            master_sae: "celia".parse().unwrap(),
            client,
            key_ids: vec![KeyId::random(&mut ChaCha12Rng::seed_from_u64(2))],
        };
        let (first, _) = end.seal_fetch(&query).unwrap();
        let (next, _) = end.seal_fetch(&query).unwrap();
        assert_eq!(hub.handle(Duration::ZERO, &first).status, 200);
        (hub, first, next)
    }

    fn is_bad_mac(hub: &mut Hub, forged: &Request) -> bool {
        let response = hub.handle(Duration::ZERO, forged);
        let refusal = serde_json::from_slice(&response.body);
        matches!(refusal, Ok(Refusal::BadMac)) && response.signature.is_none()
    }

    #[test]
    fn a_forgery_ahead_gets_as_far_as_the_mac_and_names_the_bytes_of_the_next_message() {
        let (mut hub, first, next) = scene();
        let mut rng = ChaCha12Rng::seed_from_u64(3);
        let forged = fetch_ahead(&first, &mut rng).unwrap();
        let allocation = |request: &Request| {
            let header = request.signature.as_deref();
            Signature::from_header(header).unwrap().allocation
        };
        assert_eq!(allocation(&forged), allocation(&next));
        assert!(is_bad_mac(&mut hub, &forged));
        // The honest client does not notice.
        assert_eq!(hub.handle(Duration::ZERO, &next).status, 200);
    }

    #[test]
    fn a_forged_deposit_gets_as_far_as_the_mac() {
        let (mut hub, first, _) = scene();
        let share = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7; 64]);
        let body = format!(
            r#"{{"client":"carol","master_sae":"carol","slave_saes":["celia"],"hubs":2,"threshold":2,"x":1,"size":16,
            "keys":[{{"key_id":"bc490419-7d60-487f-adc1-4ddcc177c139","tag":"000102030405060708090a0b0c0d0e0f","share":"{share}"}}]}}"#
        );
        let like = Request {
            method: Method::Post,
            target: KEY_SHARE_PATH.to_owned(),
            signature: None,
            body: body.into(),
        };
        let mut rng = ChaCha12Rng::seed_from_u64(3);
        let forged = deposit_ahead(&first, like, &mut rng).unwrap();
        assert!(!String::from_utf8_lossy(&forged.body).contains("bc490419"));
        assert!(is_bad_mac(&mut hub, &forged));
    }

    #[test]
    fn one_digit_of_the_tag_is_changed_and_nothing_else() {
        let (mut hub, _, next) = scene();
        let forged = with_another_tag(next.clone()).unwrap();
        let digits = |request: &Request| request.signature.clone().unwrap().into_bytes();
        let pairs = digits(&next).into_iter().zip(digits(&forged));
        assert_eq!(pairs.filter(|(a, b)| a != b).count(), 1);
        assert!(is_bad_mac(&mut hub, &forged));
    }
}
