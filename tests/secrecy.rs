//! Secrecy of the whole protocol, by construction: for what K − 1 corrupted hubs hold plus every byte on the wire, and
//! any other key, PSRD for the honest hubs is exhibited under which a re-run of the production code gives the same
//! view, byte for byte, while that other key is the one that is established.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use common::{Recorder, Tape, coefficients};
use dske::crypto::gf256::{mul, mul_add_slice};
use dske::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use dske::crypto::mac::MAC_KEY_BYTES;
use dske::crypto::shamir::{ShareIndex, Sharing};
use dske::protocol::channel::{ClientEnd, PoolOwner};
use dske::protocol::hub::{Hub, HubConfig, PsrdRequest, RegistrationRequest};
use dske::protocol::initiator::{EstablishRequest, Initiator, Patience, Progress};
use dske::protocol::message::FetchQuery;
use dske::protocol::responder::Responder;
use dske::protocol::signature::Signature;
use dske::protocol::store::StoreLimits;
use dske::protocol::{NodeName, Request, Response, SaeId};
use proptest::prelude::*;
use rand::rngs::ChaCha20Rng;
use rand::{CryptoRng, Rng, RngExt, SeedableRng};

const BLOCK_BYTES: usize = 1024;
const SECOND: Duration = Duration::from_secs(1);

/// What is seen of one exchange, and what came of it.
struct Run {
    wire: Vec<(Request, Response)>,
    delivered: Vec<u8>,
    given: Vec<u8>,
}

fn name(name: &str) -> NodeName {
    name.parse().unwrap()
}

/// One key from SAE a at client a to SAE b at client b, through all hubs. Generators are given for each hub and for
/// the initiator; everything else is determined.
fn exchange(
    sharing: Sharing,
    size: usize,
    hub_rngs: Vec<Box<dyn CryptoRng>>,
    initiator: &mut dyn CryptoRng,
) -> Run {
    let clients: BTreeMap<NodeName, BTreeSet<SaeId>> = ["a", "b"]
        .map(|c| (name(c), BTreeSet::from([c.parse().unwrap()])))
        .into();
    let mut wire = Vec::new();
    let mut hubs = BTreeMap::new();
    let mut ends: BTreeMap<(&str, ShareIndex), ClientEnd> = BTreeMap::new();
    for (x, rng) in sharing.indices().zip(hub_rngs) {
        let config = HubConfig {
            name: name(&format!("hub{x}")),
            x,
            sharing,
            clients: clients.clone(),
            store: StoreLimits {
                shares_max: 10,
                ttl: 60 * SECOND,
                linger: SECOND,
            },
        };
        let mut hub = Hub::new(config, rng);
        for client in ["a", "b"] {
            let registration = hub
                .register(&RegistrationRequest {
                    client: name(client),
                })
                .unwrap()
                .registration;
            let end = ends.entry((client, x)).or_default();
            for owner in [PoolOwner::Client, PoolOwner::Hub] {
                let request = PsrdRequest {
                    client: name(client),
                    registration,
                    owner,
                    size: BLOCK_BYTES,
                };
                end.add(owner, hub.deliver_psrd(&request).unwrap()).unwrap();
            }
        }
        hubs.insert(x, hub);
    }
    let request = EstablishRequest {
        client: name("a"),
        master_sae: "a".parse().unwrap(),
        slave_saes: vec!["b".parse().unwrap()],
        size,
        number: 1,
    };
    let patience = Patience {
        deadline: SECOND,
        grace: Duration::ZERO,
    };
    let (mut machine, deposits) = Initiator::begin(&request, sharing, patience, initiator);
    for (x, deposit) in deposits {
        let end = ends.get_mut(&("a", x)).unwrap();
        let (request, sent) = end.seal_deposit(&deposit).unwrap();
        let response = hubs.get_mut(&x).unwrap().handle(Duration::ZERO, &request);
        machine.on_reply(
            Duration::ZERO,
            x,
            &end.open_deposit_reply(&sent, &response).unwrap(),
        );
        wire.push((request, response));
    }
    let Progress::Done(keys) = machine.progress(Duration::ZERO) else {
        panic!("not established")
    };
    let query = FetchQuery {
        client: name("b"),
        slave_sae: "b".parse().unwrap(),
        master_sae: "a".parse().unwrap(),
        key_ids: vec![keys[0].key_id],
    };
    let mut responder = Responder::begin(query.clone(), sharing, SECOND);
    for x in sharing.indices() {
        let end = ends.get_mut(&("b", x)).unwrap();
        let (request, sent) = end.seal_fetch(&query).unwrap();
        let response = hubs.get_mut(&x).unwrap().handle(Duration::ZERO, &request);
        let reply = end.open_fetch_reply(&sent, &response).unwrap();
        responder.on_reply(x, reply, &mut ChaCha20Rng::seed_from_u64(0));
        wire.push((request, response));
    }
    let Progress::Done(fetched) = responder.progress(Duration::ZERO) else {
        panic!("not fetched")
    };
    Run {
        wire,
        delivered: fetched[0].bytes.to_vec(),
        given: keys[0].bytes.to_vec(),
    }
}

/// A run with fresh generators, and the tapes of what they yielded: hubs first, the initiator last.
fn recorded(sharing: Sharing, size: usize, seed: u64) -> (Run, Vec<Vec<u8>>) {
    let mut tapes: Vec<Rc<RefCell<Vec<u8>>>> = Vec::new();
    let mut rng = |index: u64| {
        let inner = ChaCha20Rng::seed_from_u64(seed ^ (index << 32));
        let (recorder, tape) = Recorder::new(inner);
        tapes.push(tape);
        recorder
    };
    let hubs = sharing
        .indices()
        .map(|x| -> Box<dyn CryptoRng> { Box::new(rng(x.get().into())) });
    let hubs = hubs.collect();
    let mut initiator = rng(1000);
    let run = exchange(sharing, size, hubs, &mut initiator);
    (
        run,
        tapes.iter().map(|tape| tape.borrow().clone()).collect(),
    )
}

fn replayed(sharing: Sharing, size: usize, tapes: &[Vec<u8>]) -> Run {
    let (initiator, hubs) = tapes.split_last().unwrap();
    let hubs = hubs
        .iter()
        .map(|tape| -> Box<dyn CryptoRng> { Box::new(Tape::new(tape.clone())) });
    let mut initiator = Tape::new(initiator.clone());
    let run = exchange(sharing, size, hubs.collect(), &mut initiator);
    assert!(initiator.is_used_up());
    run
}

/// Where a block's bytes are on its hub's tape. For each client the hub draws the registration, then for each pool the
/// block's ID and bytes.
fn block_on_tape(client: usize, owner: PoolOwner) -> usize {
    let block = 16 + BLOCK_BYTES;
    let before = client * (16 + 2 * block) + 16;
    before + if owner == PoolOwner::Client { 0 } else { block } + 16
}

/// The initiator's tape: key ID, Y = u ‖ S, coefficients.
fn split_initiator(tape: &[u8], size: usize) -> (&[u8], &[u8], &[u8]) {
    let (id, rest) = tape.split_at(16);
    let (secret, coefficients) = rest.split_at(TAG_SECRET_BYTES + size);
    (id, secret, coefficients)
}

fn share_at(secret: &[u8], coefficients: &[u8], x: u8) -> Vec<u8> {
    let mut y = secret.to_vec();
    let mut power = 1;
    for row in coefficients.chunks_exact(secret.len()) {
        power = mul(power, x);
        mul_add_slice(&mut y, row, power);
    }
    y
}

/// Chooses d of Y = c ‖ d ‖ e ‖ S so that the tag stays the same.
fn keep_tag(secret: &mut [u8], original: &[u8]) {
    let tag =
        |y: &[u8]| KeyTag::compute(&y[..TAG_SECRET_BYTES], &y[TAG_SECRET_BYTES..]).to_string();
    let bytes = |digits: String| -> Vec<u8> {
        (0..16)
            .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    };
    secret[16..32].fill(0);
    let (without_d, wanted) = (bytes(tag(secret)), bytes(tag(original)));
    for i in 0..16 {
        secret[16 + i] = without_d[i] ^ wanted[i];
    }
}

/// The tapes of the world in which `other` is the key, as seen by the corrupted hubs: theirs are unchanged.
fn other_world(
    sharing: Sharing,
    size: usize,
    run: &Run,
    tapes: &[Vec<u8>],
    corrupted: &[u8],
    other: &[u8],
) -> Option<Vec<Vec<u8>>> {
    let (initiator, hubs) = tapes.split_last().unwrap();
    let (id, secret, drawn) = split_initiator(initiator, size);
    let mut other_secret = secret.to_vec();
    other_secret[TAG_SECRET_BYTES..].copy_from_slice(other);
    keep_tag(&mut other_secret, secret);
    let known: Vec<(u8, Vec<u8>)> = corrupted
        .iter()
        .map(|&x| (x, share_at(secret, drawn, x)))
        .collect();
    let degrees = usize::from(sharing.threshold()) - 1;
    let chosen = coefficients(&other_secret, &known, degrees);
    // With K shares known there is no polynomial of this degree through all of them and another key.
    if known
        .iter()
        .any(|(x, y)| share_at(&other_secret, &chosen, *x) != *y)
    {
        return None;
    }
    let mut world = hubs.to_vec();
    for x in sharing
        .indices()
        .map(ShareIndex::get)
        .filter(|x| !corrupted.contains(x))
    {
        let (old, new) = (
            share_at(secret, drawn, x),
            share_at(&other_secret, &chosen, x),
        );
        let index = usize::from(x) - 1;
        let (deposit, fetch) = (
            &run.wire[index].0,
            &run.wire[usize::from(sharing.shares()) + index].1,
        );
        for (signature, client, owner) in [
            (&deposit.signature, 0, PoolOwner::Client),
            (&fetch.signature, 1, PoolOwner::Hub),
        ] {
            let signature = Signature::from_header(signature.as_deref()).unwrap();
            let [fragment] = signature.allocation.fragments() else {
                panic!("one block is enough")
            };
            let pads = block_on_tape(client, owner) + fragment.start() as usize + MAC_KEY_BYTES;
            for i in 0..old.len() {
                world[index][pads + i] ^= old[i] ^ new[i];
            }
        }
    }
    world.push([id, &other_secret, &chosen].concat());
    Some(world)
}

fn parameters() -> impl Strategy<Value = (Sharing, usize, u64)> {
    (2u8..=6, 0u8..=3, 1usize..=64, any::<u64>())
        .prop_map(|(k, spare, size, seed)| (Sharing::new(k, k + spare).unwrap(), size, seed))
}

fn some_hubs(count: usize, sharing: Sharing, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut all: Vec<u8> = (1..=sharing.shares()).collect();
    (0..count)
        .map(|_| all.swap_remove(rng.random_range(0..all.len())))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_k_minus_1_hubs_and_the_wire_show_fits_every_key((sharing, size, seed) in parameters()) {
        let (run, tapes) = recorded(sharing, size, seed);
        prop_assert_eq!(&run.delivered, &run.given);
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let corrupted = some_hubs(usize::from(sharing.threshold()) - 1, sharing, &mut rng);
        let mut other = vec![0; size];
        rng.fill_bytes(&mut other);
        let world = other_world(sharing, size, &run, &tapes, &corrupted, &other).unwrap();
        for x in &corrupted {
            let index = usize::from(*x) - 1;
            prop_assert_eq!(&world[index], &tapes[index], "what a corrupted hub holds is the same");
        }
        let again = replayed(sharing, size, &world);
        prop_assert!(again.wire == run.wire, "every byte on the wire is the same");
        prop_assert_eq!(&again.given, &other);
        prop_assert_eq!(&again.delivered, &other);
    }

    #[test]
    fn k_hubs_know_the_key((sharing, size, seed) in parameters()) {
        let (run, tapes) = recorded(sharing, size, seed);
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let corrupted = some_hubs(sharing.threshold().into(), sharing, &mut rng);
        let mut other = run.given.clone();
        other[0] ^= rng.random_range(1..=255u8);
        prop_assert!(other_world(sharing, size, &run, &tapes, &corrupted, &other).is_none());
    }
}

#[test]
fn the_construction_notices_what_is_not_secret() {
    let sharing = Sharing::new(3, 4).unwrap();
    let (run, tapes) = recorded(sharing, 32, 7);
    let other = [9; 32];
    let world = other_world(sharing, 32, &run, &tapes, &[1, 2], &other).unwrap();
    // With PSRD left as it was, the other key gives other bytes: the comparison can fail.
    let mut unchanged = tapes.clone();
    *unchanged.last_mut().unwrap() = world.last().unwrap().clone();
    assert!(replayed(sharing, 32, &unchanged).wire != run.wire);
}
