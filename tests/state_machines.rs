//! The state machines, when messages are changed, replayed, mixed up or made up.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use dske::crypto::robust::Work;
use dske::crypto::secret::Secret;
use dske::crypto::shamir::{ShareIndex, Sharing};
use dske::protocol::channel::{ClientEnd, OpenError, PoolOwner};
use dske::protocol::hub::{Hub, HubConfig, OobError, PsrdRequest, RegistrationRequest};
use dske::protocol::initiator::{
    Deposits, EstablishRequest, EstablishedKey, Initiator, KeySource, Patience, Progress,
};
use dske::protocol::limits::{BLOCKS_MAX, NodeLimits, SUBSETS_MAX};
use dske::protocol::message::{
    DepositBody, DepositOutcome, DepositReply, DepositResult, FetchAnswer, FetchQuery, FetchReply,
    FetchResult, FoundShare, Plain,
};
use dske::protocol::responder::{Blame, Event, FetchError, Misbehaviour, Responder};
use dske::protocol::store::StoreLimits;
use dske::protocol::{KeyId, Method, NodeName, Refusal, Request, Response, SaeId};
use dske::psrd::BLOCK_BYTES_MAX;
use proptest::prelude::*;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

const NOW: Duration = Duration::from_secs(1);
const BLOCK_BYTES: usize = 16 * 1024;

fn sharing() -> Sharing {
    Sharing::new(3, 5).unwrap()
}

fn name(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn sae(name: &str) -> SaeId {
    name.parse().unwrap()
}

fn rng(seed: u64) -> ChaCha12Rng {
    ChaCha12Rng::seed_from_u64(seed)
}

/// Five hubs. The clients a (master), b (slave) and c (a stranger) have a channel to each.
struct Cluster {
    hubs: BTreeMap<ShareIndex, Hub>,
    ends: BTreeMap<(&'static str, ShareIndex), ClientEnd>,
}

fn cluster() -> Cluster {
    let clients: BTreeMap<NodeName, BTreeSet<SaeId>> = ["a", "b", "c"]
        .map(|c| (name(c), BTreeSet::from([sae(c)])))
        .into();
    let (mut hubs, mut ends) = (BTreeMap::new(), BTreeMap::new());
    for x in sharing().indices() {
        let config = HubConfig {
            name: name(&format!("hub{x}")),
            x,
            sharing: sharing(),
            clients: clients.clone(),
            store: StoreLimits {
                shares_max: 100,
                bytes_max: 1 << 30,
                ttl: Duration::from_secs(60),
                linger: NOW,
                background: NOW,
            },
            block_bytes: BLOCK_BYTES,
            limits: NodeLimits::default(),
        };
        let mut hub = Hub::new(config, Box::new(rng(x.get().into())));
        for client in ["a", "b", "c"] {
            let end = hub.enroll(&name(client)).unwrap();
            ends.insert((client, x), end);
        }
        hubs.insert(x, hub);
    }
    Cluster { hubs, ends }
}

fn first() -> ShareIndex {
    ShareIndex::new(1).unwrap()
}

fn begin(number: usize) -> (Initiator, Deposits) {
    begin_with(number, sharing(), 9)
}

fn begin_with(number: usize, sharing: Sharing, seed: u64) -> (Initiator, Deposits) {
    let request = EstablishRequest {
        client: name("a"),
        master_sae: sae("a"),
        slave_saes: vec![sae("b")],
        size: 32,
        number,
    };
    let patience = Patience {
        deadline: 10 * NOW,
        grace: NOW,
    };
    Initiator::begin(&request, sharing, patience, &mut rng(seed))
}

impl Cluster {
    fn end(&mut self, client: &'static str, x: ShareIndex) -> &mut ClientEnd {
        self.ends.get_mut(&(client, x)).unwrap()
    }

    fn handle(&mut self, x: ShareIndex, request: &Request) -> Response {
        self.hubs.get_mut(&x).unwrap().handle(NOW, request)
    }

    fn left(&self, x: ShareIndex, client: &str) -> (usize, usize) {
        let status = self.hubs[&x].status(NOW);
        let peer = status
            .peers
            .iter()
            .find(|peer| peer.client == name(client))
            .unwrap();
        (peer.up_bytes_left, peer.down_bytes_left)
    }

    fn deposit(
        &mut self,
        x: ShareIndex,
        deposit: &DepositBody<Plain>,
    ) -> Result<DepositReply, OpenError> {
        let (request, sent) = self.end("a", x).seal_deposit(deposit).unwrap();
        let response = self.handle(x, &request);
        self.end("a", x).open_deposit_reply(&sent, &response)
    }

    /// Deposits keys at all hubs.
    fn establish(&mut self, number: usize) -> Vec<EstablishedKey> {
        let (mut machine, deposits) = begin(number);
        for (x, deposit) in deposits {
            let reply = self.deposit(x, &deposit).unwrap();
            machine.on_reply(NOW, x, &reply);
        }
        match machine.progress(NOW) {
            Progress::Done(keys) => keys,
            other => panic!("{other:?}"),
        }
    }

    fn fetch(
        &mut self,
        client: &'static str,
        x: ShareIndex,
        ids: &[KeyId],
    ) -> Result<FetchReply<Plain>, OpenError> {
        let query = query(client, ids);
        let (request, sent) = self.end(client, x).seal_fetch(&query).unwrap();
        let response = self.handle(x, &request);
        self.end(client, x).open_fetch_reply(&sent, &response)
    }
}

fn query(client: &str, ids: &[KeyId]) -> FetchQuery {
    FetchQuery {
        client: name(client),
        slave_sae: sae(client),
        master_sae: sae("a"),
        key_ids: ids.to_vec(),
    }
}

fn ids(keys: &[EstablishedKey]) -> Vec<KeyId> {
    keys.iter().map(|key| key.key_id).collect()
}

/// The code of an unsigned refusal.
fn code(response: &Response) -> String {
    assert!(response.signature.is_none(), "signing would spend PSRD");
    let refusal: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    refusal["code"].as_str().unwrap().to_owned()
}

fn with_flipped(body: &[u8], bit: usize) -> Bytes {
    let mut body = body.to_vec();
    body[bit / 8] ^= 1 << (bit % 8);
    body.into()
}

#[test]
fn every_changed_bit_of_a_request_is_refused_and_consumes_nothing() {
    let mut cluster = cluster();
    let (_, deposits) = begin(1);
    let (request, sent) = cluster
        .end("a", first())
        .seal_deposit(&deposits[&first()])
        .unwrap();
    let before = cluster.left(first(), "a");
    for bit in 0..request.body.len() * 8 {
        let changed = Request {
            body: with_flipped(&request.body, bit),
            ..request.clone()
        };
        let refused = code(&cluster.handle(first(), &changed));
        let expected = [
            "bad-mac",
            "malformed",
            "unregistered",
            "bad-allocation",
            "unknown-psrd",
        ];
        assert!(expected.contains(&refused.as_str()), "bit {bit}: {refused}");
    }
    let signature = request.signature.clone().unwrap();
    for at in 0..signature.len() {
        let mut bytes = signature.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let changed = Request {
            signature: String::from_utf8(bytes).ok(),
            ..request.clone()
        };
        code(&cluster.handle(first(), &changed));
    }
    for changed in [
        Request {
            target: format!("{}?", request.target),
            ..request.clone()
        },
        Request {
            signature: None,
            ..request.clone()
        },
    ] {
        code(&cluster.handle(first(), &changed));
    }
    assert_eq!(cluster.left(first(), "a"), before);
    // The original still works.
    let response = cluster.handle(first(), &request);
    let reply = cluster
        .end("a", first())
        .open_deposit_reply(&sent, &response)
        .unwrap();
    assert_eq!(reply.keys[0].outcome, DepositOutcome::Stored);
}

#[test]
fn every_changed_bit_of_a_response_is_refused_and_consumes_nothing() {
    let mut cluster = cluster();
    let keys = cluster.establish(1);
    let (request, sent) = cluster
        .end("b", first())
        .seal_fetch(&query("b", &ids(&keys)))
        .unwrap();
    let response = cluster.handle(first(), &request);
    let before = cluster.end("b", first()).left(PoolOwner::Hub);
    for bit in 0..response.body.len() * 8 {
        let changed = Response {
            body: with_flipped(&response.body, bit),
            ..response.clone()
        };
        let opened = cluster.end("b", first()).open_fetch_reply(&sent, &changed);
        assert_eq!(opened.unwrap_err(), OpenError::BadMac, "bit {bit}");
    }
    for status in [201, 400, 503] {
        let changed = Response {
            status,
            ..response.clone()
        };
        assert_eq!(
            cluster
                .end("b", first())
                .open_fetch_reply(&sent, &changed)
                .unwrap_err(),
            OpenError::BadMac
        );
    }
    assert_eq!(cluster.end("b", first()).left(PoolOwner::Hub), before);
    assert!(
        cluster
            .end("b", first())
            .open_fetch_reply(&sent, &response)
            .is_ok()
    );
    // A response is accepted only once.
    let again = cluster.end("b", first()).open_fetch_reply(&sent, &response);
    assert!(matches!(again, Err(OpenError::Allocation(_))), "{again:?}");
}

#[test]
fn a_replayed_request_and_the_answer_to_another_are_refused() {
    let mut cluster = cluster();
    let keys = cluster.establish(2);
    let (one, sent_one) = cluster
        .end("b", first())
        .seal_fetch(&query("b", &ids(&keys[..1])))
        .unwrap();
    let (two, _) = cluster
        .end("b", first())
        .seal_fetch(&query("b", &ids(&keys[1..])))
        .unwrap();
    let answer_one = cluster.handle(first(), &one);
    let answer_two = cluster.handle(first(), &two);
    assert_eq!(code(&cluster.handle(first(), &one)), "bad-allocation");
    let mixed_up = cluster
        .end("b", first())
        .open_fetch_reply(&sent_one, &answer_two);
    assert_eq!(mixed_up.unwrap_err(), OpenError::BadMac);
    assert!(
        cluster
            .end("b", first())
            .open_fetch_reply(&sent_one, &answer_one)
            .is_ok()
    );
    // Another hub does not take it either.
    let second = ShareIndex::new(2).unwrap();
    assert_eq!(code(&cluster.handle(second, &one)), "unknown-psrd");
}

#[test]
fn the_same_deposit_with_fresh_psrd_is_stored_and_another_conflicts() {
    let mut cluster = cluster();
    let (_, deposits) = begin(1);
    let mut deposit = deposits[&first()].clone();
    for _ in 0..2 {
        assert_eq!(
            cluster.deposit(first(), &deposit).unwrap().keys[0].outcome,
            DepositOutcome::Stored
        );
    }
    deposit.keys[0].share.0[0] ^= 1;
    assert_eq!(
        cluster.deposit(first(), &deposit).unwrap().keys[0].outcome,
        DepositOutcome::Conflict
    );
}

#[test]
fn only_who_serves_a_named_sae_gets_a_share() {
    let mut cluster = cluster();
    let keys = cluster.establish(1);
    let ids = ids(&keys);
    for stranger in ["a", "c"] {
        let reply = cluster.fetch(stranger, first(), &ids).unwrap();
        assert!(
            matches!(reply.keys[0].answer, FetchAnswer::Forbidden),
            "{stranger}"
        );
    }
    // A stranger does not get it by claiming to be another client's SAE either.
    let claim = FetchQuery {
        client: name("c"),
        ..query("b", &ids)
    };
    let (request, sent) = cluster.end("c", first()).seal_fetch(&claim).unwrap();
    let response = cluster.handle(first(), &request);
    let refused = cluster
        .end("c", first())
        .open_fetch_reply(&sent, &response)
        .unwrap_err();
    assert!(
        matches!(refused, OpenError::Refused(Refusal::ForeignSae { .. })),
        "{refused}"
    );
    let reply = cluster.fetch("b", first(), &ids).unwrap();
    assert!(matches!(reply.keys[0].answer, FetchAnswer::Found(_)));
}

#[test]
fn what_does_not_go_with_the_hubs_topology_or_limits_is_refused_by_name() {
    let mut cluster = cluster();
    let (_, deposits) = begin(1);
    let deposit = &deposits[&first()];
    type Change = fn(&mut DepositBody<Plain>);
    let cases: [(&str, Change); 7] = [
        ("hubs is 6", |d| d.hubs = 6),
        ("threshold is 2", |d| d.threshold = 2),
        ("x is 2", |d| d.x = 2),
        ("does not serve SAE b", |d| d.master_sae = sae("b")),
        ("slave SAEs must be 1 to", |d| d.slave_saes.clear()),
        ("named twice", |d| d.slave_saes.push(sae("b"))),
        ("bytes of a share must be", |d| d.size = 31),
    ];
    for (message, change) in cases {
        let mut changed = deposit.clone();
        change(&mut changed);
        let refused = cluster.deposit(first(), &changed).unwrap_err();
        assert!(matches!(refused, OpenError::Refused(_)), "{refused}");
        assert!(refused.to_string().contains(message), "{refused}");
    }
}

#[test]
fn a_stale_registration_gets_no_psrd() {
    let mut cluster = cluster();
    let hub = cluster.hubs.get_mut(&first()).unwrap();
    let old = hub
        .register(&RegistrationRequest {
            client: name("a"),
            start: None,
        })
        .unwrap()
        .registration;
    hub.register(&RegistrationRequest {
        client: name("a"),
        start: None,
    })
    .unwrap();
    let request = PsrdRequest {
        client: name("a"),
        registration: old,
        owner: PoolOwner::Hub,
        size: BLOCK_BYTES,
    };
    assert_eq!(
        hub.deliver_psrd(&request).unwrap_err(),
        OobError::StaleRegistration
    );
    let stranger = hub.register(&RegistrationRequest {
        client: name("mallory"),
        start: None,
    });
    assert!(matches!(stranger, Err(OobError::UnknownClient { .. })));
}

#[test]
fn a_hub_draws_blocks_of_its_topologys_size_only_and_only_where_there_is_room() {
    let mut cluster = cluster();
    let hub = cluster.hubs.get_mut(&first()).unwrap();
    let client = name("a");
    let registered = hub.register(&RegistrationRequest {
        client: client.clone(),
        start: None,
    });
    let request = PsrdRequest {
        client,
        registration: registered.unwrap().registration,
        owner: PoolOwner::Hub,
        size: BLOCK_BYTES,
    };
    for size in [0, BLOCK_BYTES - 1, BLOCK_BYTES_MAX, usize::MAX] {
        let request = PsrdRequest {
            size,
            ..request.clone()
        };
        let refused = OobError::BlockSize {
            size,
            block_bytes: BLOCK_BYTES,
        };
        assert_eq!(hub.deliver_psrd(&request).unwrap_err(), refused);
    }
    for _ in 0..BLOCKS_MAX {
        hub.deliver_psrd(&request).unwrap();
    }
    let refused = hub.deliver_psrd(&request).unwrap_err();
    assert!(matches!(refused, OobError::PoolFull { .. }), "{refused}");
}

#[test]
fn an_initiator_is_done_with_k_after_grace_and_fails_when_k_cannot_be_reached() {
    let stored = |keys: &[KeyId]| DepositReply {
        keys: keys
            .iter()
            .map(|&key_id| DepositResult {
                key_id,
                outcome: DepositOutcome::Stored,
            })
            .collect(),
    };
    let (mut machine, deposits) = begin(2);
    let keys: Vec<KeyId> = deposits[&first()]
        .keys
        .iter()
        .map(|key| key.key_id)
        .collect();
    let hubs: Vec<ShareIndex> = sharing().indices().collect();
    machine.on_reply(NOW, hubs[0], &stored(&keys));
    machine.on_reply(NOW, hubs[1], &stored(&keys));
    assert!(matches!(machine.progress(9 * NOW), Progress::WaitUntil(until) if until == 10 * NOW));
    machine.on_reply(2 * NOW, hubs[2], &stored(&keys));
    assert!(matches!(machine.progress(2 * NOW), Progress::WaitUntil(until) if until == 3 * NOW));
    assert!(matches!(machine.progress(3 * NOW), Progress::Done(keys) if keys.len() == 2));

    let (mut machine, _) = begin(2);
    machine.on_reply(NOW, hubs[0], &stored(&keys[..1]));
    machine.on_failure(hubs[1], "is on fire".to_owned());
    assert!(matches!(machine.progress(NOW), Progress::WaitUntil(_)));
    machine.on_failure(hubs[2], "too".to_owned());
    let Progress::Failed(error) = machine.progress(NOW) else {
        panic!("three of five cannot store")
    };
    let said = error.to_string();
    assert!(
        said.starts_with("0 of 5 hubs hold a share, 3 are needed"),
        "{said}"
    );
    assert!(
        said.contains("hub 2: is on fire") && said.contains("hub 4: no answer in time"),
        "{said}"
    );
}

#[test]
fn a_hub_counts_what_it_serves_and_erases_what_is_over() {
    let mut cluster = cluster();
    let key_ids = ids(&cluster.establish(1));
    let second = ShareIndex::new(2).unwrap();
    let reply = cluster.fetch("b", first(), &key_ids).unwrap();
    assert!(matches!(reply.keys[0].answer, FetchAnswer::Found(_)));
    let held = |cluster: &Cluster, x| cluster.hubs[&x].status(NOW).shares_held;
    let served = cluster.hubs[&first()].status(NOW).served;
    let once = |what: &str| (what.to_owned(), 1);
    assert_eq!(served, BTreeMap::from([once("deposit"), once("fetch")]));
    assert_eq!((held(&cluster, first()), held(&cluster, second)), (1, 1));
    // It was handed out at one hub only: there the linger time counts, at the other the time to live.
    for (at, left) in [(5 * NOW, (0, 1)), (62 * NOW, (0, 0))] {
        cluster.hubs.values_mut().for_each(|hub| hub.expire(at));
        assert_eq!((held(&cluster, first()), held(&cluster, second)), left);
    }
}

#[test]
fn an_initiator_does_not_wait_for_late_hubs_and_takes_back_what_hubs_may_hold() {
    let (mut machine, deposits) = begin(1);
    let key_ids = key_ids(&deposits);
    let reply = |outcome| DepositReply {
        keys: vec![DepositResult {
            key_id: key_ids[0],
            outcome,
        }],
    };
    let hubs: Vec<ShareIndex> = sharing().indices().collect();
    machine.do_not_wait_for(BTreeSet::from([hubs[4]]));
    for x in &hubs[..3] {
        machine.on_reply(NOW, *x, &reply(DepositOutcome::Stored));
    }
    assert!(matches!(machine.progress(NOW), Progress::WaitUntil(_)));
    assert_eq!(machine.waited_in_vain(), [hubs[3]]);
    machine.on_reply(NOW, hubs[3], &reply(DepositOutcome::Full));
    assert!(machine.waited_in_vain().is_empty());
    let Progress::Done(keys) = machine.progress(NOW) else {
        panic!("only a late hub is missing")
    };
    let shown = format!("{:?}", keys[0]);
    assert_eq!(shown, format!("EstablishedKey({}, <redacted>)", key_ids[0]));
    let (withdrawn, may_hold) = machine.to_withdraw();
    assert_eq!(withdrawn, key_ids);
    assert_eq!(may_hold, [hubs[0], hubs[1], hubs[2], hubs[4]]);
}

#[test]
fn a_hub_that_does_not_take_every_share_holds_none_for_the_initiator_and_says_why() {
    let (mut machine, deposits) = begin(2);
    let key_ids = key_ids(&deposits);
    let reply = |results: [(KeyId, DepositOutcome); 2]| DepositReply {
        keys: results
            .map(|(key_id, outcome)| DepositResult { key_id, outcome })
            .into(),
    };
    let hubs: Vec<ShareIndex> = sharing().indices().collect();
    let [one, other] = [key_ids[0], key_ids[1]];
    let (stored, full, conflict) = (
        DepositOutcome::Stored,
        DepositOutcome::Full,
        DepositOutcome::Conflict,
    );
    machine.on_reply(NOW, hubs[0], &reply([(one, stored), (other, full)]));
    machine.on_reply(NOW, hubs[1], &reply([(one, conflict), (other, stored)]));
    assert!(matches!(machine.progress(NOW), Progress::WaitUntil(_)));
    machine.on_reply(NOW, hubs[2], &reply([(other, stored), (one, stored)]));
    let Progress::Failed(error) = machine.progress(NOW) else {
        panic!("three of five hold no share")
    };
    let said = error.to_string();
    for reason in [
        "hub 1: its store is full".to_owned(),
        format!("hub 2: it holds another share of key {one}"),
        "hub 3: it answered for other keys".to_owned(),
    ] {
        assert!(said.contains(&reason), "{said}");
    }
    let may_hold = machine.to_withdraw().1;
    assert_eq!(may_hold, hubs, "each may hold a share of some key");
}

#[test]
fn a_source_of_keys_has_one_name() {
    for (source, name) in [
        (KeySource::Generator, "generator"),
        (KeySource::Psrd, "psrd"),
    ] {
        assert_eq!(source.as_str(), name);
        assert_eq!(serde_json::to_value(source).unwrap(), name);
    }
}

/// What a hub has to be blamed for, and a change of an authentic answer that deserves it.
type Lie = (Misbehaviour, fn(&mut FetchReply<Plain>));

const LIES: [Lie; 9] = [
    (Misbehaviour::WrongShare, |reply| {
        found(reply).share.0[50] ^= 1
    }),
    (Misbehaviour::WrongIndex, |reply| found(reply).x = 6),
    (Misbehaviour::WrongHubs, |reply| found(reply).hubs = 4),
    (Misbehaviour::WrongThreshold, |reply| {
        found(reply).threshold = 2
    }),
    (Misbehaviour::WrongSaes, |reply| {
        found(reply).master_sae = sae("c")
    }),
    (Misbehaviour::WrongSaes, |reply| {
        found(reply).slave_saes = vec![sae("c")]
    }),
    (Misbehaviour::WrongPublicParts, |reply| {
        found(reply).slave_saes.push(sae("c"))
    }),
    (Misbehaviour::WrongPublicParts, |reply| {
        found(reply).tag = "00".repeat(16).parse().unwrap()
    }),
    (Misbehaviour::WrongSize, |reply| found(reply).size = 16),
];

fn resize(secret: &mut Secret, length: usize, fill: u8) {
    let mut bytes = secret.to_vec();
    bytes.resize(length, fill);
    *secret = bytes.into();
}

fn found(reply: &mut FetchReply<Plain>) -> &mut FoundShare<Plain> {
    match &mut reply.keys[0].answer {
        FetchAnswer::Found(found) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_lie_is_blamed_on_its_hub_and_the_right_key_comes_out_in_any_order() {
    for (what, lie) in LIES {
        for liar in sharing().indices() {
            for first_asked in 0..5 {
                let mut cluster = cluster();
                let keys = cluster.establish(1);
                let query = query("b", &ids(&keys));
                let mut responder = Responder::begin(query, sharing(), 10 * NOW);
                let mut order: Vec<ShareIndex> = sharing().indices().collect();
                order.rotate_left(first_asked);
                let mut blamed = Vec::new();
                for x in order {
                    let mut reply = cluster.fetch("b", x, &ids(&keys)).unwrap();
                    if x == liar {
                        lie(&mut reply);
                    }
                    responder.on_reply(x, reply, &mut rng(3));
                    blamed.extend(responder.take_events().into_iter().filter_map(
                        |event| match event {
                            Event::Blamed(blame) => Some((blame.x, blame.what)),
                            _ => None,
                        },
                    ));
                }
                let Progress::Done(delivered) = responder.progress(NOW) else {
                    panic!("{what}")
                };
                assert_eq!(delivered[0].bytes, keys[0].bytes);
                assert_eq!(blamed, [(liar, what)]);
                assert!(responder.is_settled());
            }
        }
    }
}

#[test]
fn too_few_right_shares_are_never_a_key() {
    let mut cluster = cluster();
    let keys = cluster.establish(1);
    let mut responder = Responder::begin(query("b", &ids(&keys)), sharing(), 10 * NOW);
    for x in sharing().indices() {
        let mut reply = cluster.fetch("b", x, &ids(&keys)).unwrap();
        if x.get() > 2 {
            found(&mut reply).share.0[0] ^= 1 << x.get();
        }
        responder.on_reply(x, reply, &mut rng(3));
    }
    match responder.progress(NOW) {
        Progress::Failed(FetchError::Unavailable {
            usable: 5,
            needed: 3,
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
    assert!(
        responder.take_events().is_empty(),
        "without the polynomial nobody can be blamed"
    );
}

/// What a hub answers that holds the only share of this deposit, under any key ID.
fn answer_from(deposit: &DepositBody<Plain>, key_id: KeyId) -> FetchReply<Plain> {
    let key = &deposit.keys[0];
    let found = FoundShare {
        master_sae: deposit.master_sae.clone(),
        slave_saes: deposit.slave_saes.clone(),
        hubs: deposit.hubs,
        threshold: deposit.threshold,
        x: deposit.x,
        size: deposit.size,
        tag: key.tag,
        share: key.share.clone(),
    };
    let answer = FetchAnswer::Found(found);
    FetchReply {
        keys: vec![FetchResult { key_id, answer }],
    }
}

/// What a responder makes of answers from hubs 1, 2, …, of which some hold a key (`true`) and others have made up one with
/// a tag of its own: what it says after each, and all it noticed.
fn rivals(
    sharing: Sharing,
    needed: u8,
    holds_ours: &[bool],
) -> (Vec<&'static str>, Vec<(usize, Event)>, KeyId) {
    let (_, ours) = begin_with(1, sharing, 1);
    let (_, theirs) = begin_with(1, sharing, 2);
    let key_id = ours[&first()].keys[0].key_id;
    let responder = Responder::begin(query("b", &[key_id]), sharing, 10 * NOW);
    let mut responder = responder.need(needed);
    let (mut told, mut noticed) = (Vec::new(), Vec::new());
    for (hub, holds_ours) in (1..).zip(holds_ours) {
        let x = ShareIndex::new(hub).unwrap();
        let from = if *holds_ours { &ours } else { &theirs };
        responder.on_reply(x, answer_from(&from[&x], key_id), &mut rng(3));
        told.push(match responder.progress(NOW) {
            Progress::WaitUntil(_) => "wait",
            Progress::Done(_) => "keys",
            Progress::Failed(FetchError::Ambiguous { .. }) => "ambiguous",
            Progress::Failed(error) => panic!("{error}"),
        });
        let events = responder.take_events().into_iter();
        noticed.extend(events.map(|event| (usize::from(hub), event)));
    }
    (told, noticed, key_id)
}

#[test]
fn a_second_key_that_fits_takes_the_first_one_back_and_raises_one_alarm() {
    let sharing = Sharing::new(2, 6).unwrap();
    for ours_first in [true, false] {
        // Two hubs hold one key, and four the other.
        let from = [true, true, false, false, false, false].map(|first| first == ours_first);
        let (told, noticed, key_id) = rivals(sharing, 2, &from);
        let ambiguous = "ambiguous";
        assert_eq!(
            told,
            ["wait", "keys", "keys", ambiguous, ambiguous, ambiguous]
        );
        // Whoever came second is blamed until its key is complete, and nobody afterwards.
        let blamed = |hub| {
            let x = ShareIndex::new(hub).unwrap();
            let what = Misbehaviour::WrongPublicParts;
            (usize::from(hub), Event::Blamed(Blame { x, what }))
        };
        let alarm = (4, Event::TwoKeysFit(key_id));
        assert_eq!(noticed, [blamed(3), blamed(4), alarm]);
    }
}

#[test]
fn a_client_that_needs_more_hubs_than_lie_delivers_neither_of_two_keys() {
    let sharing = Sharing::new(2, 5).unwrap();
    // Two lie, and N − K + 1 have to agree. Every order of their answers.
    for liars in (0..1_u8 << 5).filter(|liars| liars.count_ones() == 2) {
        let from: Vec<bool> = (0..5).map(|hub| liars >> hub & 1 == 0).collect();
        let (told, noticed, key_id) = rivals(sharing, 4, &from);
        assert!(!told.contains(&"keys"), "{from:?}: {told:?}");
        assert_eq!(told.last(), Some(&"ambiguous"), "{from:?}");
        let alarms = noticed
            .iter()
            .filter(|(_, event)| matches!(event, Event::TwoKeysFit(_)));
        let alarms: Vec<_> = alarms.map(|(_, event)| *event).collect();
        assert_eq!(alarms, [Event::TwoKeysFit(key_id)]);
    }
}

/// What a hub answers that holds these keys.
fn answer_all(deposit: &DepositBody<Plain>) -> FetchReply<Plain> {
    let keys = deposit.keys.iter().map(|key| {
        let one = DepositBody {
            keys: vec![key.clone()],
            ..deposit.clone()
        };
        answer_from(&one, key.key_id).keys.remove(0)
    });
    FetchReply {
        keys: keys.collect(),
    }
}

/// Changes a share of every key.
fn lie_about_all(reply: &mut FetchReply<Plain>) {
    for result in &mut reply.keys {
        let FetchAnswer::Found(found) = &mut result.answer else {
            panic!("not found")
        };
        found.share.0[50] ^= 1;
    }
}

/// Makes a share of every key up. If only one byte were wrong, it would cancel in one subset of 256.
fn make_up_all(x: ShareIndex, reply: &mut FetchReply<Plain>) {
    for result in &mut reply.keys {
        let FetchAnswer::Found(found) = &mut result.answer else {
            panic!("not found")
        };
        rng(x.get().into()).fill_bytes(&mut found.share.0);
    }
}

#[test]
fn a_lying_hub_is_searched_for_once_in_a_call_and_never_once_its_keys_are_known() {
    let sharing = Sharing::new(8, 16).unwrap();
    let (_, deposits) = begin_with(128, sharing, 1);
    let query = query("b", &key_ids(&deposits));
    for liar in [1, 8, 9, 16] {
        let mut responder = Responder::begin(query.clone(), sharing, 10 * NOW);
        let mut blamed = 0;
        for (x, deposit) in &deposits {
            let mut reply = answer_all(deposit);
            if x.get() == liar {
                lie_about_all(&mut reply);
            }
            responder.on_reply(*x, reply, &mut rng(3));
            while responder.work(&mut rng(3)) {}
            let events = responder.take_events().into_iter();
            blamed += events
                .filter(|event| matches!(event, Event::Blamed(_)))
                .count();
        }
        assert!(matches!(responder.progress(NOW), Progress::Done(keys) if keys.len() == 128));
        assert_eq!(blamed, 128, "once for each key");
        // Nine shares, of which one is wrong, come before error correction has its turn.
        let subsets = responder.take_worked().subsets;
        assert!(
            subsets <= if liar <= 8 { 8 } else { 0 },
            "{subsets} with liar {liar}"
        );
    }
}

/// Error correction locates at most four of them. Wherever they come, they are searched for in the shares of one key.
#[test]
fn as_many_liars_as_there_may_be_cost_one_search_in_a_call() {
    let sharing = Sharing::new(8, 16).unwrap();
    let (_, deposits) = begin_with(128, sharing, 1);
    for liars in [1..=7, 5..=11, 10..=16] {
        let mut responder = Responder::begin(query("b", &key_ids(&deposits)), sharing, 10 * NOW);
        for (x, deposit) in &deposits {
            let mut reply = answer_all(deposit);
            if liars.contains(&x.get()) {
                make_up_all(*x, &mut reply);
            }
            responder.on_reply(*x, reply, &mut rng(3));
            while responder.work(&mut rng(3)) {}
        }
        let progress = responder.progress(NOW);
        assert!(
            matches!(&progress, Progress::Done(keys) if keys.len() == 128),
            "{progress:?} with liars {liars:?}"
        );
        // All subsets of eight of sixteen hubs.
        assert!(responder.take_worked().subsets <= 12_870);
    }
}

#[test]
fn a_key_is_unknown_or_forbidden_only_if_so_many_hubs_say_so_that_no_k_others_are_left() {
    let (_, deposits) = begin(1);
    // What the five hubs say: the share, that there is none, that it is not for this SAE, or nothing (of which three are needed).
    for (says, kind) in [
        ("nnnff", "not found"),
        ("nnfff", "unavailable"),
        ("bbbff", "forbidden"),
        ("bbnff", "not found"),
        ("bnnff", "not found"),
        ("bbfff", "unavailable"),
        ("bnfff", "unavailable"),
        ("sbnff", "unavailable"),
        ("snnb_", "not found"),
        ("ss___", "unavailable"),
        ("nn___", "unavailable"),
    ] {
        let query = query("b", &key_ids(&deposits));
        let mut responder = Responder::begin(query, sharing(), 10 * NOW);
        for (says, (x, deposit)) in says.chars().zip(&deposits) {
            let mut reply = answer_all(deposit);
            match says {
                'n' => reply.keys[0].answer = FetchAnswer::NotFound,
                'b' => reply.keys[0].answer = FetchAnswer::Forbidden,
                'f' => responder.on_failure(*x, "is on fire".to_owned()),
                _ => {}
            }
            if !['f', '_'].contains(&says) {
                responder.on_reply(*x, reply, &mut rng(3));
            }
        }
        let is_open = says.contains('_');
        let waits = matches!(responder.progress(NOW), Progress::WaitUntil(_));
        assert_eq!(waits, is_open && kind == "unavailable", "{says}");
        let Progress::Failed(error) = responder.progress(10 * NOW) else {
            panic!("{says}: no key can be put together")
        };
        let failed = match error {
            FetchError::NotFound { .. } => "not found",
            FetchError::Forbidden { .. } => "forbidden",
            FetchError::Unavailable { .. } => "unavailable",
            error => panic!("{error}"),
        };
        assert_eq!(failed, kind, "{says}");
    }
}

#[test]
fn who_cannot_be_read_is_blamed_and_who_fails_is_not_and_neither_is_waited_for() {
    let (_, deposits) = begin(1);
    let query = query("b", &key_ids(&deposits));
    let mut responder = Responder::begin(query, sharing(), 10 * NOW);
    let hubs: Vec<ShareIndex> = sharing().indices().collect();
    responder.on_malformed(hubs[0], "it is no JSON".to_owned());
    let malformed = Blame {
        x: hubs[0],
        what: Misbehaviour::Malformed,
    };
    assert_eq!(responder.take_events(), [Event::Blamed(malformed)]);
    responder.on_failure(hubs[1], "is on fire".to_owned());
    assert!(!responder.is_settled());
    // What is known of a hub stays.
    for x in &hubs {
        responder.on_failure(*x, "too".to_owned());
    }
    assert!(responder.is_settled() && responder.take_events().is_empty());
    let Progress::Failed(error) = responder.progress(NOW) else {
        panic!("nobody has a share")
    };
    let said = error.to_string();
    for reason in ["hub 1: it is no JSON", "hub 2: is on fire", "hub 3: too"] {
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn a_hopeless_search_is_bounded_done_in_slices_and_ends_the_call() {
    let sharing = Sharing::new(10, 20).unwrap();
    let (_, deposits) = begin_with(2, sharing, 1);
    let mut responder = Responder::begin(query("b", &key_ids(&deposits)), sharing, 10 * NOW);
    let mut work = Work::default();
    let mut largest = 0;
    for (x, deposit) in &deposits {
        let mut reply = answer_all(deposit);
        if x.get() % 2 == 0 {
            make_up_all(*x, &mut reply);
        }
        responder.on_reply(*x, reply, &mut rng(3));
        let mut has_more = true;
        while has_more {
            let slices = [responder.take_worked(), {
                has_more = responder.work(&mut rng(3));
                responder.take_worked()
            }];
            for slice in slices {
                largest = largest.max(slice.subsets);
                work.subsets += slice.subsets;
                work.bytes += slice.bytes;
            }
            let is_waiting = matches!(responder.progress(NOW), Progress::WaitUntil(_));
            assert!(!has_more || is_waiting);
        }
    }
    assert_eq!((largest, work.subsets), (128, SUBSETS_MAX));
    assert_eq!(work.bytes, SUBSETS_MAX * 10 * 80);
    let failed = responder.progress(NOW);
    assert!(matches!(
        failed,
        Progress::Failed(FetchError::Unavailable { usable: 20, .. })
    ));
}

/// While one key is searched for among liars, two more come in: one that fits, and one that is made up.
#[test]
fn a_second_key_is_found_behind_a_made_up_one_however_long_the_first_has_taken() {
    let sharing = Sharing::new(8, 32).unwrap();
    let [ours, theirs, made_up] = [1, 2, 4].map(|seed| begin_with(1, sharing, seed).1);
    let key_id = ours[&first()].keys[0].key_id;
    for second in [&theirs, &made_up] {
        let mut responder = Responder::begin(query("b", &[key_id]), sharing, 10 * NOW);
        for x in sharing.indices() {
            let from = match x.get() {
                ..=16 => &ours,
                17..=24 => second,
                _ if std::ptr::eq(second, &raw const theirs) => &made_up,
                _ => &theirs,
            };
            let mut reply = answer_from(&from[&x], key_id);
            if x.get() <= 8 || std::ptr::eq(from, &raw const made_up) {
                make_up_all(x, &mut reply);
            }
            responder.on_reply(x, reply, &mut rng(3));
            let progress = responder.progress(NOW);
            assert!(matches!(progress, Progress::WaitUntil(_)), "{progress:?}");
        }
        while responder.work(&mut rng(3)) {}
        let failed = responder.progress(NOW);
        assert!(
            matches!(failed, Progress::Failed(FetchError::Ambiguous { .. })),
            "{failed:?}"
        );
    }
}

/// A slice can end with the key. Another key may fit then, too.
#[test]
fn no_key_is_given_before_a_second_one_has_been_looked_for() {
    let sharing = Sharing::new(6, 12).unwrap();
    let (_, deposits) = begin_with(1, sharing, 1);
    let query = query("b", &key_ids(&deposits));
    // Whether the key is waited for although it has been found.
    let is_held_back = |liars: u16| {
        let mut responder = Responder::begin(query.clone(), sharing, 10 * NOW);
        for (x, deposit) in &deposits {
            let mut reply = answer_all(deposit);
            if liars >> (x.get() - 1) & 1 == 1 {
                make_up_all(*x, &mut reply);
            }
            responder.on_reply(*x, reply, &mut rng(3));
        }
        let (mut is_found, mut is_held_back) = (false, false);
        loop {
            let mut events = responder.take_events().into_iter();
            is_found |= events.any(|event| matches!(event, Event::Corrected(_)));
            let progress = responder.progress(NOW);
            if is_found && matches!(progress, Progress::WaitUntil(_)) {
                is_held_back = true;
                let in_the_end = responder.progress(10 * NOW);
                assert!(matches!(in_the_end, Progress::Done(_)), "{in_the_end:?}");
            }
            if !responder.work(&mut rng(3)) {
                break;
            }
        }
        assert!(matches!(responder.progress(NOW), Progress::Done(_)));
        is_held_back
    };
    // Six of twelve lie, and the right six are the last that a slice tries.
    let mut patterns = (0..1 << 11).filter(|liars: &u16| liars.count_ones() == 6);
    assert!(patterns.any(is_held_back));
}

#[test]
fn a_call_that_needs_more_hubs_waits_for_them_and_does_not_call_the_key_unknown() {
    let sharing = Sharing::new(2, 5).unwrap();
    let (_, deposits) = begin_with(1, sharing, 1);
    let query = query("b", &key_ids(&deposits));
    // Which hubs have a share, in order; and what becomes of the call after each answer.
    for (holds, states) in [
        ([true, true, true, true, true], "wwwdd"),
        ([false, true, true, true, true], "wwwwd"),
        ([true, false, true, false, true], "wwwff"),
    ] {
        let mut responder = Responder::begin(query.clone(), sharing, 10 * NOW).need(4);
        let told: String = deposits
            .iter()
            .zip(holds)
            .map(|((x, deposit), holds)| {
                let mut reply = answer_all(deposit);
                if !holds {
                    reply.keys[0].answer = FetchAnswer::NotFound;
                }
                responder.on_reply(*x, reply, &mut rng(3));
                match responder.progress(NOW) {
                    Progress::WaitUntil(_) => 'w',
                    Progress::Done(_) => 'd',
                    Progress::Failed(FetchError::Unavailable { needed: 4, .. }) => 'f',
                    Progress::Failed(error) => panic!("{error}"),
                }
            })
            .collect();
        assert_eq!(told, states);
        assert_eq!(responder.has_all_shares(), !holds.contains(&false));
    }
}

fn key_ids(deposits: &Deposits) -> Vec<KeyId> {
    let keys = &deposits[&first()].keys;
    keys.iter().map(|key| key.key_id).collect()
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![Just(Method::Get), Just(Method::Post)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_hub_never_panics(
        method in method(),
        target in ".{0,80}",
        signature in prop::option::of(".{0,80}|bc490419-7d60-487f-adc1-4ddcc177c139:[0-9]{1,9}:[0-9]{1,9};[0-9a-f]{32}"),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut cluster = cluster();
        let response = cluster.handle(first(), &Request { method, target, signature, body: body.into() });
        prop_assert!((400..=503).contains(&response.status));
        prop_assert!(response.signature.is_none());
    }

    #[test]
    fn a_hub_never_panics_on_authentic_nonsense(cut in 0usize..200, insert in any::<u8>(), fill in any::<u8>()) {
        let mut cluster = cluster();
        let (_, deposits) = begin(1);
        let mut deposit = deposits[&first()].clone();
        deposit.hubs = fill;
        deposit.size = usize::from(insert) << 32;
        resize(&mut deposit.keys[0].share.0, cut, fill);
        prop_assert!(cluster.deposit(first(), &deposit).is_err());
    }

    #[test]
    fn a_client_never_panics(
        status in any::<u16>(),
        signature in prop::option::of(".{0,80}"),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut cluster = cluster();
        let (_, sent) = cluster.end("a", first()).seal_fetch(&query("a", &[])).unwrap();
        let response = Response { status, signature, body: body.into() };
        prop_assert!(cluster.end("a", first()).open_fetch_reply(&sent, &response).is_err());
        prop_assert!(cluster.end("a", first()).open_deposit_reply(&sent, &response).is_err());
    }

    #[test]
    fn a_responder_never_panics_and_never_delivers_a_wrong_key(
        answers in prop::collection::vec((1u8..=5, 0usize..10, any::<u8>(), 0usize..100), 0..12),
    ) {
        let mut cluster = cluster();
        let keys = cluster.establish(1);
        let mut responder = Responder::begin(query("b", &ids(&keys)), sharing(), 10 * NOW);
        for (x, kind, byte, at) in answers {
            let x = ShareIndex::new(x).unwrap();
            let mut reply = cluster.fetch("b", x, &ids(&keys)).unwrap();
            match kind {
                0 => reply.keys.clear(),
                1 => responder.on_failure(x, "down".to_owned()),
                2 => responder.on_malformed(x, "garbage".to_owned()),
                3 => { let twice = reply.keys[0].clone(); reply.keys.push(twice); }
                4 => reply.keys[0].answer = FetchAnswer::NotFound,
                5 => { let share = &mut found(&mut reply).share.0; let at = at % share.len(); share[at] ^= byte; }
                6 => { let share = &mut found(&mut reply).share.0; let at = at.min(share.len()); resize(share, at, 0); }
                7 => { found(&mut reply).size = at; resize(&mut found(&mut reply).share.0, at + 48, byte); }
                _ => {}
            }
            responder.on_reply(x, reply, &mut rng(3));
            if let Progress::Done(delivered) = responder.progress(NOW) {
                prop_assert_eq!(&delivered[0].bytes, &keys[0].bytes);
            }
        }
        let _ = responder.progress(20 * NOW);
    }
}

#[test]
fn the_bytes_on_the_wire_are_pinned() {
    let deposit = r#"{"client":"carol","master_sae":"carol","slave_saes":["celia"],"hubs":5,"threshold":3,"x":2,"size":1,"keys":[{"key_id":"bc490419-7d60-487f-adc1-4ddcc177c139","tag":"000102030405060708090a0b0c0d0e0f","share":"AAEC"}]}"#;
    let body: DepositBody = serde_json::from_str(deposit).unwrap();
    assert_eq!(body.keys[0].share.0, [0, 1, 2]);
    assert_eq!(serde_json::to_string(&body).unwrap(), deposit);
    let reply =
        r#"{"keys":[{"key_id":"bc490419-7d60-487f-adc1-4ddcc177c139","outcome":"stored"}]}"#;
    let body: DepositReply = serde_json::from_str(reply).unwrap();
    assert_eq!(serde_json::to_string(&body).unwrap(), reply);
    let fetched = r#"{"keys":[{"key_id":"bc490419-7d60-487f-adc1-4ddcc177c139","answer":{"found":{"master_sae":"carol","slave_saes":["celia"],"hubs":5,"threshold":3,"x":2,"size":1,"tag":"000102030405060708090a0b0c0d0e0f","share":"AAEC"}}},{"key_id":"0a782fb5-3434-48fe-aa4d-14f41d46cf92","answer":"not-found"},{"key_id":"0a782fb5-3434-48fe-aa4d-14f41d46cf93","answer":"forbidden"}]}"#;
    let body: FetchReply = serde_json::from_str(fetched).unwrap();
    assert_eq!(serde_json::to_string(&body).unwrap(), fetched);
    let refusal = r#"{"code":"topology-mismatch","what":"x","theirs":1,"ours":2}"#;
    let body: Refusal = serde_json::from_str(refusal).unwrap();
    assert_eq!(serde_json::to_string(&body).unwrap(), refusal);
    // The MAC of a fixed message under a fixed key, against which a second implementation can check itself.
    let key: Vec<u8> = (0..32).collect();
    let key = dske::crypto::mac::MacKey::try_from(key.as_slice()).unwrap();
    assert_eq!(
        key.tag(&[b"dske", b"", b"0123456789abcdef0"]).to_string(),
        MAC_VECTOR
    );
    let u: Vec<u8> = (0..48).collect();
    assert_eq!(
        dske::crypto::key_tag::KeyTag::compute(&u, b"0123456789abcdef0").to_string(),
        KEY_TAG_VECTOR
    );
}

const MAC_VECTOR: &str = "8cd0af7e917f3efb58462f650efbe1a0";
const KEY_TAG_VECTOR: &str = "82066d027300a13e6c411b9388d686a3";
