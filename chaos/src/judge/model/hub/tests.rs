//! The model by itself, on histories made by hand.

use std::collections::BTreeMap;

use dske::crypto::secret::Secret;
use dske::protocol::KeyId;
use dske::protocol::batch::Operation;
use dske::protocol::channel::{ClientEnd, batch_cost, seal_batch, seal_fetch, sign};
use dske::protocol::message::{DepositOutcome, DepositedKey};
use dske::psrd::Block;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::*;

const BLOCK_BYTES: usize = 4_096;
const S: u64 = 1_000_000;

/// The second hub of three, with two shares of room for each of two SAEs, and four more.
fn rules() -> Rules {
    let clients = ["carol", "celia"].map(|name| (node(name), [sae(name)].into()));
    Rules {
        hubs: 3,
        threshold: 2,
        x: 2,
        clients: clients.into(),
        block_bytes: BLOCK_BYTES,
        shares_max: 8,
        share_bytes_max: 8 << 20,
        ttl_us: 60 * S,
        linger_us: 5 * S,
        background_us: 20 * S,
        tolerance: Tolerance {
            mac_failures_max: 1 << 32,
            spans_max: 4_096,
            remembered_max: 1_024,
        },
    }
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn sae(name: &str) -> SaeId {
    name.parse().unwrap()
}

fn id(n: u8) -> KeyId {
    let id = format!("00000000-0000-4000-8000-0000000000{n:02x}");
    id.parse().unwrap()
}

/// A hub as the model has it, and the clients carol and celia with all that they share with it.
struct Scene {
    hub: Hub,
    blocks: BTreeMap<BlockId, Vec<u8>>,
    ends: BTreeMap<&'static str, ClientEnd>,
    rng: ChaCha12Rng,
}

impl Scene {
    fn new() -> Self {
        Self::with(rules())
    }

    fn with(rules: Rules) -> Self {
        let mut scene = Self {
            hub: Hub::new(rules),
            blocks: BTreeMap::new(),
            ends: BTreeMap::new(),
            rng: ChaCha12Rng::seed_from_u64(1),
        };
        for client in ["carol", "celia"] {
            scene.register(client, 1);
            for owner in [PoolOwner::Client, PoolOwner::Hub] {
                scene.deliver(client, 1, owner).unwrap();
            }
        }
        scene
    }

    /// A client registers, in a start with this number, and so is the registration.
    fn register(&mut self, client: &'static str, start: u128) {
        let request = RegistrationRequest {
            client: node(client),
            start: Some(Uuid::from_u128(start)),
        };
        self.hub.register(&request, Uuid::from_u128(start));
        self.ends.insert(client, ClientEnd::default());
    }

    fn deliver(
        &mut self,
        client: &'static str,
        registration: u128,
        owner: PoolOwner,
    ) -> Result<(), &'static str> {
        let size = self.hub.rules.block_bytes;
        let (block, copy) = Block::random_pair(size, &mut self.rng).unwrap();
        let request = PsrdRequest {
            client: node(client),
            registration: Uuid::from_u128(registration),
            owner,
            size,
        };
        self.hub.deliver(&request, block.id())?;
        self.blocks
            .insert(block.id(), block.expose_bytes().to_vec());
        self.ends.get_mut(client).unwrap().add(owner, copy).unwrap();
        Ok(())
    }

    fn sealed(&mut self, client: &'static str, operations: Vec<Operation<Plain>>) -> Request {
        let end = self.ends.get_mut(client).unwrap();
        let spent = end.spend(batch_cost(&operations)).unwrap();
        seal_batch(spent, &node(client), operations).0
    }

    /// What a message has to be answered.
    fn ask(&mut self, now_s: u64, request: &Request) -> Answer {
        self.hub.ask(now_s * S, &self.blocks, request, true).0
    }

    /// What an operation has to be answered.
    fn reply(&mut self, now_s: u64, client: &'static str, operation: Operation<Plain>) -> Reply {
        let request = self.sealed(client, vec![operation]);
        let Answer::Replies(replies) = self.ask(now_s, &request) else {
            panic!("it is authentic")
        };
        let [reply] = <[Reply; 1]>::try_from(replies).unwrap();
        reply
    }

    /// Carol deposits a share that consists of this byte.
    fn deposit(&mut self, now_s: u64, n: u8, byte: u8, slaves: &[&str]) -> DepositOutcome {
        outcome(self.reply(now_s, "carol", deposit("carol", n, byte, slaves)))
    }

    /// Celia fetches a share.
    fn fetch(&mut self, now_s: u64, n: u8) -> Found {
        found(self.reply(now_s, "celia", fetch("celia", "celia", &[n])))
    }
}

fn body(client: &str, n: u8, byte: u8, slaves: &[&str]) -> DepositBody<Plain> {
    DepositBody {
        client: node(client),
        master_sae: sae(client),
        slave_saes: slaves.iter().map(|name| sae(name)).collect(),
        hubs: 3,
        threshold: 2,
        x: 2,
        size: 16,
        keys: vec![DepositedKey {
            key_id: id(n),
            tag: "00".repeat(16).parse().unwrap(),
            share: Plain(Secret::from(vec![byte; 64])),
        }],
    }
}

fn deposit(client: &str, n: u8, byte: u8, slaves: &[&str]) -> Operation<Plain> {
    Operation::Deposit(body(client, n, byte, slaves))
}

/// Of carol's keys.
fn fetch(client: &str, slave: &str, numbers: &[u8]) -> Operation<Plain> {
    Operation::Fetch(query(client, slave, numbers))
}

fn query(client: &str, slave: &str, numbers: &[u8]) -> FetchQuery {
    FetchQuery {
        client: node(client),
        slave_sae: sae(slave),
        master_sae: sae("carol"),
        key_ids: numbers.iter().map(|n| id(*n)).collect(),
    }
}

fn withdrawal(client: &str, master: &str, numbers: &[u8]) -> Operation<Plain> {
    Operation::Withdraw(Withdrawal {
        client: node(client),
        master_sae: sae(master),
        key_ids: numbers.iter().map(|n| id(*n)).collect(),
    })
}

fn outcome(reply: Reply) -> DepositOutcome {
    match reply {
        Ok(batch::Reply::Deposit(reply)) => reply.keys[0].outcome,
        other => panic!("{other:?}"),
    }
}

/// What there is of the first key: a share of this byte, or not.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Byte(u8),
    Nothing,
    Forbidden,
}

fn found(reply: Reply) -> Found {
    let Ok(batch::Reply::Fetch(reply)) = reply else {
        panic!("{reply:?}")
    };
    match &reply.keys[0].answer {
        FetchAnswer::Found(found) => Found::Byte(found.share[0]),
        FetchAnswer::NotFound => Found::Nothing,
        FetchAnswer::Forbidden => Found::Forbidden,
    }
}

#[test]
fn what_cannot_be_verified_is_refused_unsigned_and_uses_nothing() {
    let mut scene = Scene::new();
    let good = scene.sealed("carol", vec![deposit("carol", 1, 7, &["celia"])]);
    let left = |scene: &Scene| scene.hub.peers().next().map(|(_, up, _)| up);
    let before = left(&scene);
    let mut refused = |change: &dyn Fn(&mut Request), refusal| {
        let mut request = good.clone();
        change(&mut request);
        assert_eq!(scene.ask(0, &request), Answer::Unsigned(refusal));
    };
    refused(&|request| request.signature = None, BAD_SIGNATURE_HEADER);
    refused(&|request| request.body = Vec::new().into(), BAD_ALLOCATION);
    refused(&|request| request.body = vec![255; 500].into(), MALFORMED);
    let renamed = |name: &str| {
        let body = [&[5], name.as_bytes(), &good.body[6..]].concat();
        move |request: &mut Request| request.body = body.clone().into()
    };
    refused(&renamed("mally"), UNREGISTERED);
    refused(&renamed("celia"), UNKNOWN_PSRD);
    refused(&|request| request.target.push('x'), MALFORMED);
    let last = good.body.len() - 1;
    refused(
        &|request| {
            let mut body = request.body.to_vec();
            body[last] ^= 1;
            request.body = body.into();
        },
        BAD_MAC,
    );
    let outside = |request: &mut Request| {
        let (allocation, tag) = good.signature.as_deref().unwrap().split_once(';').unwrap();
        let block = allocation.split(':').next().unwrap();
        request.signature = Some(format!("{block}:{}:32;{tag}", BLOCK_BYTES - 31));
    };
    refused(&outside, BAD_ALLOCATION);
    assert_eq!(left(&scene), before);
    assert!(matches!(scene.ask(0, &good), Answer::Replies(_)));
    assert_eq!(left(&scene), before.map(|left| left - 32 - 64));
    let again = scene.ask(0, &good);
    assert_eq!(again, Answer::Unsigned(BAD_ALLOCATION));
}

#[test]
fn what_makes_no_sense_is_refused_signed() {
    let mut scene = Scene::new();
    let too_many = vec![fetch("carol", "carol", &[1]); OPERATIONS_MAX + 1];
    let request = scene.sealed("carol", too_many);
    assert_eq!(scene.ask(0, &request), Answer::Refused(OUT_OF_LIMITS));
    let foreign = vec![fetch("celia", "celia", &[1])];
    let request = scene.sealed("carol", foreign);
    assert_eq!(scene.ask(0, &request), Answer::Refused(AUTHENTIC_MALFORMED));
    let mut request = scene.sealed("carol", vec![fetch("carol", "carol", &[1])]);
    request.body.truncate(request.body.len() - 1);
    let spent = scene.ends.get_mut("carol").unwrap().spend(32).unwrap();
    let (request, _) = sign(spent, request);
    assert_eq!(scene.ask(0, &request), Answer::Refused(AUTHENTIC_MALFORMED));
    // In JSON a refused operation is a refused message.
    let spent = scene.ends.get_mut("carol").unwrap().spend(32).unwrap();
    let (request, _) = seal_fetch(spent, &query("carol", "celia", &[1]));
    assert_eq!(scene.ask(0, &request), Answer::Refused(FOREIGN_SAE));
}

#[test]
fn a_deposit_is_checked_in_the_order_of_the_specification() {
    let mut scene = Scene::new();
    let mut body = body("carol", 1, 7, &["celia", "celia"]);
    // From the last to the first check: each hides those before.
    type Change = fn(&mut DepositBody<Plain>);
    let steps: [(Change, Refusal); 6] = [
        (|body| body.size = 17, AUTHENTIC_MALFORMED),
        (|body| body.size = KEY_BYTES_MAX + 1, OUT_OF_LIMITS),
        (|body| body.slave_saes.clear(), OUT_OF_LIMITS),
        (|body| body.keys.clear(), OUT_OF_LIMITS),
        (|body| body.master_sae = sae("celia"), FOREIGN_SAE),
        (|body| body.x = 3, TOPOLOGY_MISMATCH),
    ];
    for (change, refusal) in steps {
        change(&mut body);
        let reply = scene.reply(0, "carol", Operation::Deposit(body.clone()));
        assert_eq!(reply, Err(refusal));
    }
}

#[test]
fn a_deposit_made_again_is_stored_and_another_is_a_conflict_until_the_first_expires() {
    let mut scene = Scene::new();
    for (at_s, byte, slaves, outcome) in [
        (0, 7, vec!["celia"], DepositOutcome::Stored),
        (59, 7, vec!["celia"], DepositOutcome::Stored),
        (59, 8, vec!["celia"], DepositOutcome::Conflict),
        (59, 7, vec!["carol", "celia"], DepositOutcome::Conflict),
        (60, 8, vec!["celia"], DepositOutcome::Stored),
    ] {
        assert_eq!(scene.deposit(at_s, 1, byte, &slaves), outcome, "{at_s}");
    }
}

#[test]
fn an_sae_fetches_again_in_the_linger_time_and_the_same_start_only() {
    let mut scene = Scene::new();
    scene.deposit(0, 1, 7, &["celia", "carol"]);
    assert_eq!(scene.fetch(1, 1), Found::Byte(7));
    assert_eq!(scene.fetch(6, 1), Found::Byte(7));
    assert_eq!(scene.fetch(7, 1), Found::Nothing);
    scene.deposit(10, 2, 8, &["celia", "carol"]);
    assert_eq!(scene.fetch(11, 2), Found::Byte(8));
    scene.register("celia", 2);
    for owner in [PoolOwner::Client, PoolOwner::Hub] {
        scene.deliver("celia", 2, owner).unwrap();
    }
    assert_eq!(scene.fetch(12, 2), Found::Nothing);
    // The other SAE is handed its share, and the last linger time ends the life of the share.
    let carols = fetch("carol", "carol", &[2]);
    assert_eq!(found(scene.reply(20, "carol", carols)), Found::Byte(8));
    assert_eq!(
        scene.deposit(24, 2, 9, &["celia"]),
        DepositOutcome::Conflict
    );
    assert_eq!(scene.deposit(25, 2, 9, &["celia"]), DepositOutcome::Stored);
}

#[test]
fn a_fetch_counts_only_if_every_key_is_found() {
    let mut scene = Scene::new();
    scene.deposit(0, 1, 7, &["celia"]);
    scene.deposit(0, 2, 7, &["carol"]);
    for other in [2, 3] {
        let reply = scene.reply(1, "celia", fetch("celia", "celia", &[1, other]));
        assert_eq!(found(reply), Found::Byte(7));
    }
    assert_eq!(scene.fetch(1, 2), Found::Forbidden);
    assert_eq!(scene.fetch(59, 1), Found::Byte(7));
    assert_eq!(scene.fetch(60, 1), Found::Nothing);
}

#[test]
fn a_withdrawn_key_is_erased_and_refused_for_the_background_time() {
    let mut scene = Scene::new();
    scene.deposit(0, 1, 7, &["celia"]);
    let stranger = scene.reply(1, "celia", withdrawal("celia", "carol", &[1]));
    assert_eq!(stranger, Err(FOREIGN_SAE));
    let reply = scene.reply(2, "carol", withdrawal("carol", "carol", &[1, 2]));
    assert_eq!(reply, Ok(batch::Reply::Withdraw));
    assert_eq!(scene.fetch(2, 1), Found::Nothing);
    for (at_s, outcome) in [(21, DepositOutcome::Conflict), (22, DepositOutcome::Stored)] {
        for n in [1, 2] {
            assert_eq!(scene.deposit(at_s, n, 7, &["celia"]), outcome);
        }
    }
}

#[test]
fn an_sae_has_its_part_and_what_is_common() {
    let mut scene = Scene::new();
    let mut outcomes = Vec::new();
    for n in 1..=7 {
        outcomes.push(scene.deposit(0, n, 7, &["celia"]));
    }
    assert_eq!(outcomes.pop(), Some(DepositOutcome::Full));
    assert!(
        outcomes
            .iter()
            .all(|outcome| *outcome == DepositOutcome::Stored)
    );
    for (n, expected) in [
        (1, DepositOutcome::Stored),
        (2, DepositOutcome::Stored),
        (3, DepositOutcome::Full),
    ] {
        let reply = scene.reply(0, "celia", deposit("celia", n, 7, &["carol"]));
        assert_eq!(outcome(reply), expected, "{n}");
    }
    let all = BTreeSet::from([sae("carol"), sae("celia")]);
    let used = |scene: &Scene, after_us| scene.hub.store().used(&all, after_us);
    let (shares, bytes) = (8, 8 * 64);
    assert_eq!(used(&scene, 0), store::Room { shares, bytes });
    assert_eq!(used(&scene, 60 * S), store::Room::default());
}

#[test]
fn a_hub_that_cannot_sign_does_nothing() {
    let mut scene = Scene::new();
    let before = scene.sealed("carol", vec![deposit("carol", 1, 7, &["celia"])]);
    let all_but = BLOCK_BYTES as u64 - 31 - 32;
    assert!(scene.hub.sign(&node("carol"), all_but).is_some());
    assert_eq!(scene.ask(0, &before), Answer::Unsigned(PSRD_EXHAUSTED));
    assert_eq!(scene.fetch(0, 1), Found::Nothing);
}

#[test]
fn a_share_for_which_there_is_no_pad_is_not_handed_out() {
    let mut scene = Scene::new();
    scene.deposit(0, 1, 7, &["celia"]);
    let all_but = BLOCK_BYTES as u64 - 32 - (32 + 63);
    scene.hub.sign(&node("celia"), all_but).unwrap();
    let reply = scene.reply(1, "celia", fetch("celia", "celia", &[1]));
    assert_eq!(reply, Err(PSRD_EXHAUSTED));
    // Nothing was used up.
    scene.deliver("celia", 1, PoolOwner::Hub).unwrap();
    assert_eq!(scene.fetch(50, 1), Found::Byte(7));
}

#[test]
fn a_hub_signs_with_the_next_bytes() {
    let mut scene = Scene::new();
    scene.deliver("carol", 1, PoolOwner::Hub).unwrap();
    let sign = |scene: &mut Scene, bytes| {
        let allocation = scene.hub.sign(&node("carol"), bytes)?;
        let fragments = allocation.fragments().iter();
        let spans = fragments.map(|fragment| (fragment.start(), fragment.end()));
        Some(spans.collect::<Vec<_>>())
    };
    let bytes = BLOCK_BYTES as u32;
    assert_eq!(sign(&mut scene, 0), Some(vec![(0, 32)]));
    assert_eq!(sign(&mut scene, 4_000), Some(vec![(32, 4_064)]));
    assert_eq!(sign(&mut scene, 8), Some(vec![(4_064, bytes), (0, 8)]));
    assert_eq!(sign(&mut scene, 4_096), None);
    assert_eq!(sign(&mut scene, 4_056), Some(vec![(8, bytes)]));
}

#[test]
fn pools_take_so_many_blocks_and_a_block_that_the_client_has_passed_makes_room() {
    let mut scene = Scene::new();
    for owner in [PoolOwner::Client, PoolOwner::Hub] {
        for _ in 1..64 {
            scene.deliver("carol", 1, owner).unwrap();
        }
        assert_eq!(scene.deliver("carol", 1, owner), Err("pool-full"));
    }
    let first = scene.sealed("carol", vec![fetch("carol", "carol", &[1])]);
    let end = scene.ends.get_mut("carol").unwrap();
    end.spend(BLOCK_BYTES - 32).unwrap();
    let second = scene.sealed("carol", vec![fetch("carol", "carol", &[1])]);
    scene.ask(0, &second);
    let left = scene.hub.peers().next().map(|(_, up, _)| up);
    assert_eq!(left, Some(63 * BLOCK_BYTES as u64 - 32));
    scene.deliver("carol", 1, PoolOwner::Client).unwrap();
    assert_eq!(scene.ask(0, &first), Answer::Unsigned(UNKNOWN_PSRD));
    assert_eq!(
        scene.deliver("carol", 1, PoolOwner::Client),
        Err("pool-full")
    );
}

#[test]
fn a_registration_makes_the_one_before_void() {
    let mut scene = Scene::new();
    let sealed = scene.sealed("carol", vec![fetch("carol", "carol", &[1])]);
    scene.register("carol", 2);
    assert_eq!(scene.ask(0, &sealed), Answer::Unsigned(UNKNOWN_PSRD));
    let stale = scene.deliver("carol", 1, PoolOwner::Hub);
    assert_eq!(stale, Err("stale-registration"));
    let request = PsrdRequest {
        client: node("carol"),
        registration: Uuid::from_u128(2),
        owner: PoolOwner::Hub,
        size: BLOCK_BYTES + 1,
    };
    let drawn = BlockId::from(Uuid::nil());
    assert_eq!(scene.hub.deliver(&request, drawn), Err("block-size"));
    assert!(scene.hub.knows(&node("carol")) && !scene.hub.knows(&node("mallory")));
}

#[test]
fn an_answer_that_would_be_too_long_is_refused() {
    const MB: usize = 1 << 20;
    let mut scene = Scene::with(Rules {
        block_bytes: 8 * MB,
        shares_max: 1_000,
        share_bytes_max: 1 << 30,
        ..rules()
    });
    let long = |n: u8| {
        let mut body = body("carol", n, 7, &["celia"]);
        body.size = KEY_BYTES_MAX;
        body.keys[0].share = Plain(Secret::from(vec![n; KEY_BYTES_MAX + 48]));
        Operation::Deposit(body)
    };
    for n in 1..=32 {
        let stored = outcome(scene.reply(0, "carol", long(n)));
        assert_eq!(stored, DepositOutcome::Stored);
    }
    let first = |numbers| fetch("celia", "celia", numbers);
    let numbers: Vec<u8> = (1..=32).collect();
    let (fits, rest) = numbers.split_at(23);
    let too_long = scene.reply(1, "celia", first(&numbers[..24]));
    assert_eq!(too_long, Err(OUT_OF_LIMITS));
    let both = vec![first(fits), first(rest)];
    let request = scene.sealed("celia", both);
    let Answer::Replies(replies) = scene.ask(2, &request) else {
        panic!()
    };
    assert!(replies[0].is_ok());
    assert_eq!(replies[1], Err(TOO_MUCH_AT_ONCE));
    assert_eq!(scene.fetch(59, 24), Found::Byte(24), "nothing was used up");
}

/// Few wrong MACs, gaps and blocks.
fn impatient(tolerance: Tolerance) -> Scene {
    Scene::with(Rules {
        block_bytes: 256,
        tolerance,
        ..rules()
    })
}

const PATIENT: Tolerance = Tolerance {
    mac_failures_max: 1 << 32,
    spans_max: 4_096,
    remembered_max: 1_024,
};

#[test]
fn a_block_is_given_up_after_too_many_wrong_macs() {
    let mut scene = impatient(Tolerance {
        mac_failures_max: 2,
        ..PATIENT
    });
    let next = scene.sealed("carol", vec![fetch("carol", "carol", &[1])]);
    let mut forged = next.clone();
    let tag = forged.signature.as_mut().unwrap();
    tag.replace_range(tag.len() - 32.., &"0".repeat(32));
    for _ in 0..3 {
        assert_eq!(scene.ask(0, &forged), Answer::Unsigned(BAD_MAC));
    }
    assert_eq!(scene.ask(0, &next), Answer::Unsigned(UNKNOWN_PSRD));
    // That of another client is as it was.
    assert!(
        scene
            .reply(0, "celia", fetch("celia", "celia", &[1]))
            .is_ok()
    );
}

#[test]
fn with_too_many_gaps_what_was_skipped_counts_as_used() {
    let mut scene = impatient(Tolerance {
        spans_max: 2,
        ..PATIENT
    });
    let mut sealed: Vec<Request> = (0..6)
        .map(|_| scene.sealed("carol", vec![fetch("carol", "carol", &[1])]))
        .collect();
    let late: Vec<Request> = [4, 2, 0].map(|place| sealed.remove(place)).into();
    for request in &sealed[..2] {
        assert!(matches!(scene.ask(0, request), Answer::Replies(_)));
    }
    // The third span: what lies below the second one is given up, and the gap behind it is not.
    assert!(matches!(scene.ask(0, &sealed[2]), Answer::Replies(_)));
    assert_eq!(scene.ask(0, &late[2]), Answer::Unsigned(BAD_ALLOCATION));
    assert_eq!(scene.ask(0, &late[1]), Answer::Unsigned(BAD_ALLOCATION));
    assert!(matches!(scene.ask(0, &late[0]), Answer::Replies(_)));
}

#[test]
fn a_block_that_was_used_up_long_ago_is_unknown() {
    let mut scene = impatient(Tolerance {
        remembered_max: 1,
        ..PATIENT
    });
    scene.deliver("carol", 1, PoolOwner::Client).unwrap();
    scene.deliver("carol", 1, PoolOwner::Hub).unwrap();
    scene.deliver("carol", 1, PoolOwner::Hub).unwrap();
    let mut requests = Vec::new();
    for used_up in 0..2 {
        for _ in 0..8 {
            let request = scene.sealed("carol", vec![fetch("carol", "carol", &[1])]);
            assert!(matches!(scene.ask(0, &request), Answer::Replies(_)));
            requests.push(request);
        }
        let first = scene.ask(0, &requests[0]);
        let refusal = [BAD_ALLOCATION, UNKNOWN_PSRD][used_up];
        assert_eq!(first, Answer::Unsigned(refusal));
    }
}
