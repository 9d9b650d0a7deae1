//! Secrecy of the whole protocol, by construction. Take what K − 1 corrupted hubs hold, every byte on the wire, and any
//! other key. The test finds PSRD for the honest hubs under which a re-run of the production code shows the same view,
//! byte for byte, and establishes that other key. This holds for both sources of keys, and where deposits are lost and
//! sent again.
//!
//! In that other world the initiator has drawn another polynomial, and it has to be as likely as the one that was drawn. This
//! no construction shows. So the polynomials of many keys are looked at as well, whether they are uniform together.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use common::{Recorder, Tape, coefficients};
use dske::crypto::gf256::mul;
use dske::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use dske::crypto::mac::MAC_KEY_BYTES;
use dske::crypto::shamir::{Share, ShareIndex, Sharing, recover, split};
use dske::protocol::channel::{ClientEnd, PoolOwner, seal_deposit};
use dske::protocol::hub::{Hub, HubConfig};
use dske::protocol::initiator::{
    Deposits, EstablishRequest, EstablishedKey, Initiator, KeySource, Patience, Progress,
};
use dske::protocol::limits::NodeLimits;
use dske::protocol::message::FetchQuery;
use dske::protocol::responder::Responder;
use dske::protocol::signature::Signature;
use dske::protocol::store::StoreLimits;
use dske::protocol::{KeyId, Method, NodeName, Request, Response, SaeId};
use dske_uniform::{Polynomials, judge};
use proptest::prelude::*;
use rand::rngs::ChaCha20Rng;
use rand::{CryptoRng, Rng, RngExt, SeedableRng};
use sharks::Sharks;

const BLOCK_BYTES: usize = 1024;
const SECOND: Duration = Duration::from_secs(1);

/// The parameters of an exchange.
#[derive(Debug, Clone)]
struct Setting {
    source: KeySource,
    sharing: Sharing,
    size: usize,
    /// Keys in one message.
    number: usize,
    /// Hubs where the first deposit is lost, and sent again with fresh PSRD.
    lossy: Vec<u8>,
}

/// A request to a hub, and the response unless the request was lost.
#[derive(PartialEq)]
struct Exchanged {
    x: u8,
    request: Request,
    response: Option<Response>,
}

/// What is seen of one exchange, and what came of it.
struct Run {
    wire: Vec<Exchanged>,
    /// What the initiator had sent to each hub, before it was encrypted.
    deposits: Deposits,
    delivered: Vec<Vec<u8>>,
    given: Vec<Vec<u8>>,
}

fn name(name: &str) -> NodeName {
    name.parse().unwrap()
}

/// Sends keys from SAE a at client a to SAE b at client b, through all hubs. The generators of the hubs and of the
/// initiator are given, and everything else is determined.
fn exchange(
    setting: &Setting,
    hub_rngs: Vec<Box<dyn CryptoRng>>,
    initiator: &mut dyn CryptoRng,
) -> Run {
    let (sharing, size) = (setting.sharing, setting.size);
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
                bytes_max: 1 << 30,
                ttl: 60 * SECOND,
                linger: SECOND,
                background: SECOND,
            },
            block_bytes: BLOCK_BYTES,
            limits: NodeLimits::default(),
        };
        let mut hub = Hub::new(config, rng);
        for client in ["a", "b"] {
            let end = hub.enroll(&name(client)).unwrap();
            ends.insert((client, x), end);
        }
        hubs.insert(x, hub);
    }
    let request = EstablishRequest {
        client: name("a"),
        master_sae: "a".parse().unwrap(),
        slave_saes: vec!["b".parse().unwrap()],
        size,
        number: setting.number,
    };
    let patience = Patience {
        deadline: SECOND,
        grace: Duration::ZERO,
    };
    let mut reserved = BTreeMap::new();
    for x in sharing.indices() {
        let end = ends.get_mut(&("a", x)).unwrap();
        reserved.insert(x, end.spend(request.deposit_cost()).unwrap());
    }
    let (mut machine, deposits) = match setting.source {
        KeySource::Generator => Initiator::begin(&request, sharing, patience, initiator),
        KeySource::Psrd => {
            let reserved = reserved.iter().map(|(&x, spent)| (x, spent)).collect();
            Initiator::begin_from_psrd(&request, sharing, patience, &reserved, initiator).unwrap()
        }
    };
    for (&x, deposit) in &deposits {
        let end = ends.get_mut(&("a", x)).unwrap();
        let (mut request, mut sent) = seal_deposit(reserved.remove(&x).unwrap(), deposit);
        if setting.lossy.contains(&x.get()) {
            wire.push(Exchanged {
                x: x.get(),
                request,
                response: None,
            });
            (request, sent) = end.seal_deposit(deposit).unwrap();
        }
        let response = hubs.get_mut(&x).unwrap().handle(Duration::ZERO, &request);
        machine.on_reply(
            Duration::ZERO,
            x,
            &end.open_deposit_reply(&sent, &response).unwrap(),
        );
        wire.push(Exchanged {
            x: x.get(),
            request,
            response: Some(response),
        });
    }
    let Progress::Done(keys) = machine.progress(Duration::ZERO) else {
        panic!("not established")
    };
    let query = FetchQuery {
        client: name("b"),
        slave_sae: "b".parse().unwrap(),
        master_sae: "a".parse().unwrap(),
        key_ids: keys.iter().map(|key| key.key_id).collect(),
    };
    let mut responder = Responder::begin(query.clone(), sharing, SECOND);
    for x in sharing.indices() {
        let end = ends.get_mut(&("b", x)).unwrap();
        let (request, sent) = end.seal_fetch(&query).unwrap();
        let response = hubs.get_mut(&x).unwrap().handle(Duration::ZERO, &request);
        let reply = end.open_fetch_reply(&sent, &response).unwrap();
        responder.on_reply(x, reply, &mut ChaCha20Rng::seed_from_u64(0));
        wire.push(Exchanged {
            x: x.get(),
            request,
            response: Some(response),
        });
    }
    let Progress::Done(fetched) = responder.progress(Duration::ZERO) else {
        panic!("not fetched")
    };
    let bytes = |keys: &[EstablishedKey]| keys.iter().map(|key| key.bytes.to_vec()).collect();
    Run {
        wire,
        deposits,
        delivered: bytes(&fetched),
        given: bytes(&keys),
    }
}

/// A run with fresh generators, and the tapes of what they yielded: hubs first, the initiator last.
fn recorded(setting: &Setting, seed: u64) -> (Run, Vec<Vec<u8>>) {
    let mut tapes: Vec<Rc<RefCell<Vec<u8>>>> = Vec::new();
    let mut rng = |index: u64| {
        let inner = ChaCha20Rng::seed_from_u64(seed ^ (index << 32));
        let (recorder, tape) = Recorder::new(inner);
        tapes.push(tape);
        recorder
    };
    let hubs = setting
        .sharing
        .indices()
        .map(|x| -> Box<dyn CryptoRng> { Box::new(rng(x.get().into())) });
    let hubs = hubs.collect();
    let mut initiator = rng(1000);
    let run = exchange(setting, hubs, &mut initiator);
    (
        run,
        tapes.iter().map(|tape| tape.borrow().clone()).collect(),
    )
}

fn replayed(setting: &Setting, tapes: &[Vec<u8>]) -> Run {
    let (initiator, hubs) = tapes.split_last().unwrap();
    let hubs = hubs
        .iter()
        .map(|tape| -> Box<dyn CryptoRng> { Box::new(Tape::new(tape.clone())) });
    let mut initiator = Tape::new(initiator.clone());
    let run = exchange(setting, hubs.collect(), &mut initiator);
    assert!(initiator.is_used_up());
    run
}

/// Where the bytes of a block are on its hub's tape. For each client the hub draws the registration, then the ID and the
/// bytes of a block for each pool.
fn block_on_tape(client: usize, owner: PoolOwner) -> usize {
    let block = 16 + BLOCK_BYTES;
    let before = client * (16 + 2 * block) + 16;
    before + if owner == PoolOwner::Client { 0 } else { block } + 16
}

/// What a key is made of.
struct Polynomial {
    /// Y = u ‖ S.
    secret: Vec<u8>,
    /// Laid out as `split` draws them.
    coefficients: Vec<u8>,
}

impl Polynomial {
    /// The polynomial that was shared for key number `key`.
    ///
    /// For each key the initiator's tape holds the ID and whatever else was drawn: Y and the coefficients, or nothing
    /// where the first K shares are pads, which are at the beginning of the hubs' blocks.
    fn of(setting: &Setting, tapes: &[Vec<u8>], key: usize) -> Self {
        let (initiator, hubs) = tapes.split_last().unwrap();
        let length = TAG_SECRET_BYTES + setting.size;
        let drawn = &initiator[initiator_tape(setting, key)][16..];
        if setting.source == KeySource::Generator {
            return Self {
                secret: drawn[..length].to_vec(),
                coefficients: drawn[length..].to_vec(),
            };
        }
        assert!(drawn.is_empty(), "the key ID is all that is drawn");
        let pad = block_on_tape(0, PoolOwner::Client) + MAC_KEY_BYTES + key * length;
        let k = setting.sharing.threshold();
        let pads: Vec<(u8, Vec<u8>)> = (1..=k)
            .zip(hubs)
            .map(|(x, tape)| (x, tape[pad..pad + length].to_vec()))
            .collect();
        let shares: Vec<Share> = pads
            .iter()
            .map(|(x, y)| Share {
                x: ShareIndex::new(*x).unwrap(),
                y: y.clone().into(),
            })
            .collect();
        let secret = recover(&shares, k).unwrap().to_vec();
        let coefficients = coefficients(&secret, &pads, usize::from(k) - 1);
        Self {
            secret,
            coefficients,
        }
    }

    fn at(&self, x: u8) -> Vec<u8> {
        share_at(&self.secret, &self.coefficients, x)
    }
}

/// Where the initiator's tape holds what was drawn for a key.
fn initiator_tape(setting: &Setting, key: usize) -> std::ops::Range<usize> {
    let length = match setting.source {
        KeySource::Generator => {
            16 + usize::from(setting.sharing.threshold()) * (TAG_SECRET_BYTES + setting.size)
        }
        KeySource::Psrd => 16,
    };
    key * length..(key + 1) * length
}

fn share_at(secret: &[u8], coefficients: &[u8], x: u8) -> Vec<u8> {
    let mut y = secret.to_vec();
    let mut power = 1;
    for row in coefficients.chunks_exact(secret.len()) {
        power = mul(power, x);
        for (y, coefficient) in y.iter_mut().zip(row) {
            *y ^= mul(*coefficient, power);
        }
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

/// The tapes of the world in which `other` is key number `key` and all other keys stay the same. The tapes of the
/// corrupted hubs are unchanged. `None` if there is no such world.
fn other_world(
    setting: &Setting,
    run: &Run,
    tapes: &[Vec<u8>],
    corrupted: &[u8],
    key: usize,
    other: &[u8],
) -> Option<Vec<Vec<u8>>> {
    let shared = Polynomial::of(setting, tapes, key);
    let mut secret = shared.secret.clone();
    secret[TAG_SECRET_BYTES..].copy_from_slice(other);
    keep_tag(&mut secret, &shared.secret);
    let known: Vec<(u8, Vec<u8>)> = corrupted.iter().map(|&x| (x, shared.at(x))).collect();
    let degrees = usize::from(setting.sharing.threshold()) - 1;
    let chosen = Polynomial {
        coefficients: coefficients(&secret, &known, degrees),
        secret,
    };
    // With K shares known there is no polynomial of this degree through all of them and another key.
    if known.iter().any(|(x, y)| chosen.at(*x) != *y) {
        return None;
    }
    let mut world = tapes.to_vec();
    // Every message that carries a share of an honest hub gets pads under which it carries the other share. Where a
    // share is its pad, this makes the pad the other share.
    for Exchanged {
        x,
        request,
        response,
    } in run.wire.iter().filter(|e| !corrupted.contains(&e.x))
    {
        let (signature, client, owner) = match request.method {
            Method::Post => (&request.signature, 0, PoolOwner::Client),
            Method::Get => (&response.as_ref()?.signature, 1, PoolOwner::Hub),
        };
        let signature = Signature::from_header(signature.as_deref()).unwrap();
        let [fragment] = signature.allocation.fragments() else {
            panic!("one block is enough")
        };
        let allocated = block_on_tape(client, owner) + fragment.start() as usize;
        let pads = allocated + MAC_KEY_BYTES + key * shared.secret.len();
        let tape = &mut world[usize::from(*x) - 1][pads..];
        for (pad, (old, new)) in tape
            .iter_mut()
            .zip(shared.at(*x).into_iter().zip(chosen.at(*x)))
        {
            *pad ^= old ^ new;
        }
    }
    if setting.source == KeySource::Generator {
        let drawn = &mut world.last_mut()?[initiator_tape(setting, key)][16..];
        drawn.copy_from_slice(&[chosen.secret, chosen.coefficients].concat());
    }
    Some(world)
}

prop_compose! {
    fn settings()(
        psrd in any::<bool>(),
        k in 2u8..=6,
        spare in 0u8..=3,
        size in 1usize..=64,
        number in 1usize..=3,
        lossy in prop::collection::vec(1u8..=9, 0..3),
        seed in any::<u64>(),
    ) -> (Setting, u64) {
        let source = if psrd { KeySource::Psrd } else { KeySource::Generator };
        let sharing = Sharing::new(k, k + spare).unwrap();
        (Setting { source, sharing, size, number, lossy }, seed)
    }
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
    fn what_k_minus_1_hubs_and_the_wire_show_fits_every_key((setting, seed) in settings()) {
        let (run, tapes) = recorded(&setting, seed);
        prop_assert_eq!(&run.delivered, &run.given);
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let sharing = setting.sharing;
        let corrupted = some_hubs(usize::from(sharing.threshold()) - 1, sharing, &mut rng);
        let mut other = vec![0; setting.size];
        rng.fill_bytes(&mut other);
        let key = rng.random_range(0..setting.number);
        let world = other_world(&setting, &run, &tapes, &corrupted, key, &other).unwrap();
        for x in &corrupted {
            let index = usize::from(*x) - 1;
            prop_assert_eq!(&world[index], &tapes[index], "what a corrupted hub holds is the same");
        }
        let again = replayed(&setting, &world);
        prop_assert!(again.wire == run.wire, "every byte on the wire is the same");
        let mut keys = run.given.clone();
        keys[key] = other;
        prop_assert_eq!(&again.given, &keys, "one key is another, and the others are the same");
        prop_assert_eq!(&again.delivered, &keys);
    }

    #[test]
    fn k_hubs_know_the_key((setting, seed) in settings()) {
        let (run, tapes) = recorded(&setting, seed);
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let sharing = setting.sharing;
        let corrupted = some_hubs(sharing.threshold().into(), sharing, &mut rng);
        let mut other = run.given[0].clone();
        other[0] ^= rng.random_range(1..=255u8);
        prop_assert!(other_world(&setting, &run, &tapes, &corrupted, 0, &other).is_none());
    }
}

#[test]
fn the_construction_notices_what_is_not_secret() {
    let sharing = Sharing::new(3, 4).unwrap();
    for source in [KeySource::Generator, KeySource::Psrd] {
        let setting = Setting {
            source,
            sharing,
            size: 32,
            number: 1,
            lossy: vec![3],
        };
        let (run, tapes) = recorded(&setting, 7);
        let other = [9; 32];
        let world = other_world(&setting, &run, &tapes, &[1, 2], 0, &other).unwrap();
        assert!(replayed(&setting, &world).wire == run.wire);
        // With one byte of an honest hub's PSRD left as it was, the other key gives other bytes: the comparison can
        // fail. Hub 3's pad of the lost deposit, then of the one that arrived.
        let length = TAG_SECRET_BYTES + 32;
        for deposit in 0..2 {
            let at = block_on_tape(0, PoolOwner::Client)
                + deposit * (MAC_KEY_BYTES + length)
                + MAC_KEY_BYTES
                + TAG_SECRET_BYTES;
            let mut unchanged = world.clone();
            assert_ne!(unchanged[2][at], tapes[2][at]);
            unchanged[2][at] = tapes[2][at];
            assert!(replayed(&setting, &unchanged).wire != run.wire);
        }
    }
}

/// Calls whose polynomials are looked at: enough for every eye of `dske_uniform`.
const CALLS: u64 = 90;

/// Keys of each of them.
const KEYS: usize = 3;

/// Bytes of each secret: u and 16 bytes of key.
const SECRET_BYTES: usize = TAG_SECRET_BYTES + 16;

/// The polynomial that K shares determine, on which all others have to be.
fn polynomials(key: String, call: u64, threshold: u8, shares: &[Share]) -> Polynomials {
    let secret = recover(shares, threshold).unwrap().to_vec();
    let points: Vec<(u8, Vec<u8>)> = shares
        .iter()
        .map(|share| (share.x.get(), share.y.to_vec()))
        .collect();
    let degree = usize::from(threshold) - 1;
    let drawn = coefficients(&secret, &points[..degree], degree);
    for (x, y) in &points {
        assert_eq!(share_at(&secret, &drawn, *x), *y, "{key}, x = {x}");
    }
    let rows = drawn.chunks_exact(secret.len()).map(<[u8]>::to_vec);
    Polynomials {
        key,
        call,
        degrees: std::iter::once(secret.clone()).chain(rows).collect(),
    }
}

/// The shares of each key that hubs were sent.
fn shares_of(deposits: &Deposits) -> BTreeMap<KeyId, Vec<Share>> {
    let mut shares: BTreeMap<KeyId, Vec<Share>> = BTreeMap::new();
    for (&x, deposit) in deposits {
        for key in &deposit.keys {
            let y = key.share.0.clone();
            shares.entry(key.key_id).or_default().push(Share { x, y });
        }
    }
    shares
}

#[test]
fn what_the_whole_protocol_shares_is_uniform_together() {
    let sharing = Sharing::new(3, 4).unwrap();
    for source in [KeySource::Generator, KeySource::Psrd] {
        let setting = Setting {
            source,
            sharing,
            size: SECRET_BYTES - TAG_SECRET_BYTES,
            number: KEYS,
            lossy: vec![2],
        };
        let mut keys = Vec::new();
        for call in 0..CALLS {
            let (run, _) = recorded(&setting, call);
            let shares = shares_of(&run.deposits).into_iter();
            keys.extend(shares.map(|(id, shares)| polynomials(id.to_string(), call, 3, &shares)));
        }
        let judged = judge(&keys);
        assert_eq!(judged.found, [], "{source:?}");
        assert!(judged.evaluated > 500, "{}", judged.evaluated);
    }
}

/// What is found when a dealer shares the keys of many calls, with K = 3. It is told the number of the key within its call,
/// and given the secret.
fn found_of(dealer: &mut impl FnMut(usize, &[u8], &mut ChaCha20Rng) -> Vec<Share>) -> Vec<String> {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let mut keys = Vec::new();
    for call in 0..CALLS {
        for number in 0..KEYS {
            let mut secret = vec![0; SECRET_BYTES];
            rng.fill_bytes(&mut secret);
            let shares = dealer(number, &secret, &mut rng);
            keys.push(polynomials(format!("{call}.{number}"), call, 3, &shares));
        }
    }
    let found = judge(&keys).found;
    found.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn each_has(found: &[String], whys: &[&str]) {
    let all = found
        .iter()
        .zip(whys)
        .all(|(found, why)| found.contains(why));
    assert!(all && found.len() == whys.len(), "{found:#?}");
}

#[test]
fn the_same_eyes_see_sharks() {
    let found = found_of(&mut |_, secret, _| {
        let shares = Sharks(3).dealer(secret).take(4);
        let shares = shares.map(|share| {
            let bytes = Vec::from(&share);
            Share {
                x: ShareIndex::new(bytes[0]).unwrap(),
                y: bytes[1..].into(),
            }
        });
        shares.collect()
    });
    let zero = |degree| format!("degree {degree} are not uniform: the value 0 never occurs");
    each_has(&found, &[&zero(1), &zero(2)]);
}

#[test]
fn the_same_eyes_see_coefficients_that_depend_on_each_other_or_on_the_secret_or_on_another_key() {
    // The production code shares with coefficients that are given.
    let sharing = Sharing::new(3, 4).unwrap();
    let share = |secret: &[u8], first: Vec<u8>, second: Vec<u8>| {
        let mut tape = Tape::new([first, second].concat());
        split(secret, sharing, &mut tape)
    };
    let fresh = |rng: &mut ChaCha20Rng| {
        let mut bytes = vec![0; SECRET_BYTES];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    let mut good =
        |_: usize, secret: &[u8], rng: &mut ChaCha20Rng| share(secret, fresh(rng), fresh(rng));
    each_has(&found_of(&mut good), &[]);

    let (pair, rank, twice) = (
        "depend on each other: bits",
        "polynomial of a byte",
        "twice",
    );
    let mut equal = |_: usize, secret: &[u8], rng: &mut ChaCha20Rng| {
        let first = fresh(rng);
        share(secret, first.clone(), first)
    };
    each_has(&found_of(&mut equal), &[pair, rank, twice]);

    let mut of_the_secret = |_: usize, secret: &[u8], rng: &mut ChaCha20Rng| {
        let last = secret.iter().map(|byte| mul(*byte, 29) ^ 1).collect();
        share(secret, fresh(rng), last)
    };
    each_has(&found_of(&mut of_the_secret), &[pair, rank]);

    let mut add_up = |_: usize, secret: &[u8], rng: &mut ChaCha20Rng| {
        let first = fresh(rng);
        let last = secret.iter().zip(&first).map(|(s, c)| s ^ c).collect();
        share(secret, first, last)
    };
    each_has(&found_of(&mut add_up), &[rank]);

    let mut kept = (vec![], vec![]);
    let mut for_all = |number: usize, secret: &[u8], rng: &mut ChaCha20Rng| {
        if number == 0 {
            kept = (fresh(rng), fresh(rng));
        }
        share(secret, kept.0.clone(), kept.1.clone())
    };
    each_has(&found_of(&mut for_all), &["two keys of a call", twice]);
}
