//! Batches between a client and a hub. Each operation has its own answer. Whatever is cut, too long or not what it claims
//! to be is refused, and nothing is lost.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::mac::{MAC_KEY_BYTES, MacKey};
use dske::crypto::shamir::{ShareIndex, Sharing};
use dske::protocol::batch::{
    Encoding, Operation, Reply, operations_of, read_client, read_operations, replies_of,
    write_operations,
};
use dske::protocol::channel::{
    ClientEnd, Malformed, OpenError, PoolOwner, Sent, batch_cost, seal_batch, sign,
};
use dske::protocol::hub::{Hub, HubConfig, PsrdRequest, RegistrationRequest};
use dske::protocol::limits::{
    BODY_BYTES_MAX, KEY_BYTES_MAX, KEYS_PER_MESSAGE_MAX, NodeLimits, OPERATIONS_PER_BATCH_MAX,
    keys_per_answer,
};
use dske::protocol::message::{
    DepositBody, DepositOutcome, DepositResult, DepositedKey, FetchAnswer, FetchQuery, FetchResult,
    Plain, Withdrawal,
};
use dske::protocol::signature::Signature;
use dske::protocol::store::StoreLimits;
use dske::protocol::wire::KEY_SHARES_PATH;
use dske::protocol::{KeyId, Method, NodeName, Refusal, Request, Response};
use dske::psrd::{BLOCK_BYTES_MAX, Block, SpendingPool};
use proptest::prelude::*;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

const NOW: Duration = Duration::from_secs(1);

/// A hub, and a client `a` that has PSRD and serves the SAEs `a` and `b`.
struct Scene {
    hub: Hub,
    end: ClientEnd,
    rng: ChaCha12Rng,
}

fn client() -> NodeName {
    "a".parse().unwrap()
}

fn scene(block_bytes: usize) -> Scene {
    let mut rng = ChaCha12Rng::seed_from_u64(7);
    let config = HubConfig {
        name: "hub".parse().unwrap(),
        x: ShareIndex::new(1).unwrap(),
        sharing: Sharing::new(2, 3).unwrap(),
        clients: BTreeMap::from([(
            client(),
            BTreeSet::from(["a", "b"].map(|sae| sae.parse().unwrap())),
        )]),
        store: StoreLimits {
            shares_max: 10_000,
            bytes_max: 1 << 30,
            ttl: Duration::from_secs(60),
            linger: Duration::from_secs(5),
            background: Duration::from_secs(20),
        },
        block_bytes,
        limits: NodeLimits::default(),
    };
    let mut hub = Hub::new(config, Box::new(ChaCha12Rng::seed_from_u64(rng.next_u64())));
    let end = hub.enroll(&client()).unwrap();
    Scene { hub, end, rng }
}

impl Scene {
    fn deposit(&mut self, keys: usize, size: usize) -> DepositBody<Plain> {
        let keys = (0..keys).map(|_| {
            let mut share = vec![0; TAG_SECRET_BYTES + size];
            self.rng.fill_bytes(&mut share);
            DepositedKey {
                key_id: KeyId::random(&mut self.rng),
                tag: "00".repeat(16).parse().unwrap(),
                share: Plain(share.into()),
            }
        });
        DepositBody {
            keys: keys.collect(),
            client: client(),
            master_sae: "a".parse().unwrap(),
            slave_saes: vec!["b".parse().unwrap()],
            hubs: 3,
            threshold: 2,
            x: 1,
            size,
        }
    }

    fn seal(&mut self, operations: Vec<Operation<Plain>>) -> (Request, Sent) {
        let spent = self.end.spend(batch_cost(&operations)).unwrap();
        seal_batch(spent, &client(), operations)
    }

    fn ask(&mut self, operations: Vec<Operation<Plain>>) -> Result<Vec<Reply<Plain>>, OpenError> {
        let count = operations.len();
        let (request, sent) = self.seal(operations);
        self.exchange(&request, &sent, count)
    }

    fn exchange(
        &mut self,
        request: &Request,
        sent: &Sent,
        operations: usize,
    ) -> Result<Vec<Reply<Plain>>, OpenError> {
        let response = self.hub.handle(NOW, request);
        self.end.open_batch_reply(sent, operations, &response)
    }

    /// Sends a batch with any body, signed, with `pad_bytes` for pads.
    fn say(
        &mut self,
        body: impl Into<Bytes>,
        pad_bytes: usize,
    ) -> Result<Vec<Reply<Plain>>, OpenError> {
        let request = Request {
            method: Method::Post,
            target: KEY_SHARES_PATH.to_owned(),
            signature: None,
            body: body.into(),
        };
        let spent = self.end.spend(MAC_KEY_BYTES + pad_bytes).unwrap();
        let (request, sent) = sign(spent, request);
        self.exchange(&request, &sent, 1)
    }

    /// Checks that the client and the hub still understand each other.
    fn works(&mut self) {
        let deposit = self.deposit(1, 32);
        let query = query_for(&deposit);
        let replies = self.ask(vec![Operation::Deposit(deposit), Operation::Fetch(query)]);
        assert!(matches!(
            replies.unwrap().as_slice(),
            [Reply::Deposit(_), Reply::Fetch(reply)] if reply.is_complete()
        ));
    }
}

fn query_for(deposit: &DepositBody<Plain>) -> FetchQuery {
    FetchQuery {
        client: client(),
        slave_sae: "b".parse().unwrap(),
        master_sae: "a".parse().unwrap(),
        key_ids: deposit.keys.iter().map(|key| key.key_id).collect(),
    }
}

fn refusal(result: Result<Vec<Reply<Plain>>, OpenError>) -> Refusal {
    match result.unwrap_err() {
        OpenError::Refused(refusal) => refusal,
        error => panic!("{error}"),
    }
}

#[test]
fn what_is_withdrawn_is_gone_and_a_foreign_sae_cannot_be_withdrawn_for() {
    let mut scene = scene(65_536);
    let deposit = scene.deposit(2, 32);
    let query = query_for(&deposit);
    let withdrawal = |master: &str| {
        Operation::Withdraw(Withdrawal {
            client: client(),
            master_sae: master.parse().unwrap(),
            key_ids: query_for(&deposit).key_ids,
        })
    };
    let replies = scene.ask(vec![
        Operation::Deposit(deposit.clone()),
        withdrawal("c"),
        withdrawal("a"),
        withdrawal("a"),
        Operation::Fetch(query),
        Operation::Deposit(deposit.clone()),
    ]);
    let replies = replies.unwrap();
    let [
        Reply::Deposit(_),
        Reply::Refused(refused),
        Reply::Withdraw,
        Reply::Withdraw,
        Reply::Fetch(fetched),
        Reply::Deposit(again),
    ] = replies.as_slice()
    else {
        panic!("{replies:?}")
    };
    assert_eq!(refused.kind(), "foreign-sae");
    let is_gone = |key: &FetchResult<_>| matches!(key.answer, FetchAnswer::NotFound);
    assert!(fetched.keys.iter().all(is_gone));
    let is_refused = |key: &DepositResult| key.outcome == DepositOutcome::Conflict;
    assert!(again.keys.iter().all(is_refused));
}

#[test]
fn each_operation_has_its_own_answer() {
    let mut scene = scene(65_536);
    let first = scene.deposit(2, 32);
    let second = scene.deposit(1, 16);
    let shares: Vec<Vec<u8>> = first.keys.iter().map(|key| key.share.0.to_vec()).collect();
    let query = query_for(&first);
    let foreign = FetchQuery {
        slave_sae: "c".parse().unwrap(),
        ..query.clone()
    };
    let mut other = first.clone();
    other.keys.truncate(1);
    other.keys[0].share.0[0] ^= 1;
    let replies = scene.ask(vec![
        Operation::Deposit(first),
        Operation::Fetch(foreign),
        Operation::Deposit(second),
        Operation::Fetch(query),
        Operation::Deposit(other),
    ]);
    let replies = replies.unwrap();
    let [
        Reply::Deposit(first),
        Reply::Refused(refused),
        Reply::Deposit(second),
        Reply::Fetch(fetched),
        Reply::Deposit(conflict),
    ] = replies.as_slice()
    else {
        panic!("{replies:?}")
    };
    let all_stored = |reply: &dske::protocol::message::DepositReply| {
        reply
            .keys
            .iter()
            .all(|key| key.outcome == DepositOutcome::Stored)
    };
    assert!(all_stored(first) && all_stored(second));
    assert_eq!(refused.kind(), "foreign-sae");
    assert_eq!(conflict.keys[0].outcome, DepositOutcome::Conflict);
    for (key, share) in fetched.keys.iter().zip(shares) {
        let FetchAnswer::Found(found) = &key.answer else {
            panic!("{key:?}")
        };
        assert_eq!(found.share.0.to_vec(), share);
    }
}

#[test]
fn what_psrd_does_not_suffice_for_is_put_off_and_the_others_are_answered() {
    // The hub has PSRD for the answers to two fetches of four shares, and no more.
    let mut scene = scene(1_024);
    let deposits: Vec<_> = (0..2).map(|_| scene.deposit(4, 64)).collect();
    let queries: Vec<_> = deposits.iter().map(query_for).collect();
    let stored = scene.ask(vec![Operation::Deposit(deposits[0].clone())]);
    assert_eq!(stored.unwrap().len(), 1);
    let fetched = scene.ask(vec![
        Operation::Fetch(queries[0].clone()),
        Operation::Fetch(queries[0].clone()),
        Operation::Fetch(queries[0].clone()),
        Operation::Fetch(queries[1].clone()),
    ]);
    let fetched = fetched.unwrap();
    let kinds: Vec<&str> = fetched
        .iter()
        .map(|reply| match reply {
            Reply::Fetch(reply) if reply.is_complete() => "complete",
            Reply::Fetch(_) => "incomplete",
            Reply::Refused(refusal) => refusal.kind(),
            Reply::Deposit(_) => "deposit",
            Reply::Withdraw => "withdraw",
        })
        .collect();
    assert_eq!(
        kinds,
        ["complete", "complete", "psrd-exhausted", "incomplete"]
    );
}

#[test]
fn what_cannot_be_answered_at_all_is_not_carried_out() {
    let mut scene = scene(64);
    let first = scene.deposit(1, 32);
    let mut other = first.clone();
    other.keys[0].share.0[0] ^= 1;
    // The hub's 64 bytes are enough for two answers without a share.
    let bring = |scene: &mut Scene| {
        let request = RegistrationRequest {
            client: client(),
            start: None,
        };
        let registration = scene.hub.register(&request).unwrap().registration;
        scene.end = ClientEnd::default();
        let request = |owner| PsrdRequest {
            client: client(),
            registration,
            owner,
            size: 64,
        };
        for owner in [[PoolOwner::Client; 10].as_slice(), &[PoolOwner::Hub]].concat() {
            let block = scene.hub.deliver_psrd(&request(owner)).unwrap();
            scene.end.add(owner, block).unwrap();
        }
    };
    bring(&mut scene);
    let nothing = scene.deposit(1, 1);
    for _ in 0..2 {
        scene
            .ask(vec![Operation::Fetch(query_for(&nothing))])
            .unwrap();
    }
    let error = scene.ask(vec![Operation::Deposit(first)]).unwrap_err();
    assert_eq!(error, OpenError::Hint(Refusal::PsrdExhausted));
    bring(&mut scene);
    let replies = scene.ask(vec![Operation::Deposit(other)]).unwrap();
    let [Reply::Deposit(reply)] = replies.as_slice() else {
        panic!("{replies:?}")
    };
    assert_eq!(reply.keys[0].outcome, DepositOutcome::Stored);
}

#[test]
fn a_cut_or_padded_batch_is_refused_and_signed_as_refused() {
    let mut scene = scene(65_536);
    let deposit = scene.deposit(1, 32);
    let query = Operation::Fetch(query_for(&deposit));
    let whole = write_operations(&client(), &vec![query; 3]);
    let name = read_client(&whole).unwrap().1.len();
    let header = whole.len() - name;
    for length in header..whole.len() {
        let refused = refusal(scene.say(whole[..length].to_vec(), 0));
        assert_eq!(refused.kind(), "authentic-malformed", "{length} bytes");
    }
    let mut longer = whole.clone();
    longer.push(0);
    let refused = refusal(scene.say(longer, 0));
    assert!(
        refused.to_string().contains("1 bytes too many"),
        "{refused}"
    );
    // If the client's name is cut, nobody can tell whose PSRD it is, and nothing is used up.
    for length in 0..header {
        let request = Request {
            method: Method::Post,
            target: KEY_SHARES_PATH.to_owned(),
            signature: Some(format!(
                "bc490419-7d60-487f-adc1-4ddcc177c139:0:32;{:032x}",
                0
            )),
            body: whole[..length].to_vec().into(),
        };
        let response = scene.hub.handle(NOW, &request);
        assert_eq!((response.status, response.signature), (400, None));
    }
    scene.works();
}

#[test]
fn a_batch_that_lies_about_its_size_takes_no_memory() {
    let mut scene = scene(65_536);
    let start = write_operations(&client(), &[]);
    let name = &start[..start.len() - 1];
    // The first batch claims 2⁶⁴ − 1 operations and has none. The second has one deposit that claims as many keys.
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let refused = refusal(scene.say([name, &huge].concat(), 0));
    assert_eq!(refused.kind(), "authentic-malformed");
    let deposit = [
        &[1, 0, 1][..],
        b"a",
        &[1],
        b"a",
        &[1, 1],
        b"b",
        &[3, 2, 1, 32],
        &huge,
    ]
    .concat();
    let refused = refusal(scene.say([name, &deposit].concat(), 0));
    assert_eq!(refused.kind(), "authentic-malformed");
    scene.works();
}

#[test]
fn a_batch_outside_the_limits_is_refused() {
    let mut scene = scene(1 << 20);
    let empty = refusal(scene.ask(vec![]).map(|_| vec![]));
    assert_eq!(empty.kind(), "out-of-limits");
    let deposit = scene.deposit(1, 32);
    let query = query_for(&deposit);
    let many = vec![Operation::Fetch(query.clone()); OPERATIONS_PER_BATCH_MAX + 1];
    assert_eq!(refusal(scene.ask(many)).kind(), "out-of-limits");
    let most = vec![Operation::Fetch(query.clone()); OPERATIONS_PER_BATCH_MAX];
    assert_eq!(scene.ask(most).unwrap().len(), OPERATIONS_PER_BATCH_MAX);
    // An operation with too many keys is refused alone.
    let long = FetchQuery {
        key_ids: vec![query.key_ids[0]; KEYS_PER_MESSAGE_MAX + 1],
        ..query.clone()
    };
    let replies = scene.ask(vec![Operation::Fetch(long), Operation::Fetch(query)]);
    let replies = replies.unwrap();
    assert!(matches!(&replies[0], Reply::Refused(r) if r.kind() == "out-of-limits"));
    assert!(matches!(&replies[1], Reply::Fetch(_)));
}

#[test]
fn an_operation_in_the_name_of_another_client_makes_the_whole_batch_void() {
    let mut scene = scene(65_536);
    let deposit = scene.deposit(1, 32);
    let theirs = FetchQuery {
        client: "mallory".parse().unwrap(),
        ..query_for(&deposit)
    };
    let operations = vec![Operation::Deposit(deposit), Operation::Fetch(theirs)];
    let refused = refusal(scene.ask(operations));
    assert!(
        refused.to_string().contains("of another client"),
        "{refused}"
    );
    scene.works();
}

#[test]
fn pads_that_do_not_go_with_the_shares_are_refused() {
    let mut scene = scene(65_536);
    let deposit = scene.deposit(1, 32);
    let (request, _) = scene.seal(vec![Operation::Deposit(deposit)]);
    for pad_bytes in [0, 79, 81] {
        let refused = refusal(scene.say(request.body.clone(), pad_bytes));
        assert_eq!(refused.kind(), "authentic-malformed", "{pad_bytes} bytes");
    }
    scene.works();
}

#[test]
fn a_message_that_is_refused_counts_once_as_what_its_sender_is_told() {
    let mut scene = scene(4_096);
    let mut told = BTreeMap::new();
    // Answers take most of the hub's PSRD, so that there is not enough to sign all refusals.
    let deposit = scene.deposit(1, 32);
    let query = query_for(&deposit);
    scene.ask(vec![Operation::Deposit(deposit)]).unwrap();
    for _ in 0..30 {
        scene.ask(vec![Operation::Fetch(query.clone())]).unwrap();
    }
    for _ in 0..60 {
        let error = scene.say(write_operations(&client(), &[]), 0).unwrap_err();
        let (OpenError::Hint(refusal) | OpenError::Refused(refusal)) = error else {
            panic!("{error}");
        };
        *told.entry(refusal.kind().to_owned()).or_default() += 1;
    }
    assert!(
        told.len() == 2 && told.contains_key("psrd-exhausted"),
        "{told:?}"
    );
    assert_eq!(scene.hub.status(NOW).refused, told);
}

#[test]
fn psrd_that_a_body_cannot_need_is_not_looked_at() {
    let mut scene = scene(65_536);
    let allocation = scene.end.spend(60_000).unwrap().into_parts().0;
    let short = Request {
        method: Method::Post,
        target: KEY_SHARES_PATH.to_owned(),
        signature: Some(format!("{allocation};{:032x}", 0)),
        body: write_operations(&client(), &[]).into(),
    };
    let response = scene.hub.handle(NOW, &short);
    assert_eq!(response.signature, None);
    let refusal: Refusal = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(refusal.kind(), "bad-allocation", "{refusal}");
    let long = Request {
        body: [&short.body[..], &[0; 60_000]].concat().into(),
        ..short
    };
    let response = scene.hub.handle(NOW, &long);
    let refusal: Refusal = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(refusal, Refusal::BadMac);
    scene.works();
}

#[test]
fn answers_that_would_be_too_long_are_put_off() {
    let mut scene = scene(BLOCK_BYTES_MAX);
    let deposits: Vec<_> = (0..40).map(|_| scene.deposit(1, KEY_BYTES_MAX)).collect();
    let queries: Vec<_> = deposits
        .iter()
        .map(query_for)
        .map(Operation::Fetch)
        .collect();
    for deposit in deposits {
        scene.ask(vec![Operation::Deposit(deposit)]).unwrap();
    }
    let replies = scene.ask(queries).unwrap();
    let put_off = replies.iter().filter(
        |reply| matches!(reply, Reply::Refused(refusal) if *refusal == Refusal::TooMuchAtOnce),
    );
    let put_off = put_off.count();
    assert!((1..40).contains(&put_off), "{put_off}");
    let status = scene.hub.status(NOW);
    assert_eq!(status.refused["too-much-at-once"], put_off as u64);
    assert_eq!(status.served["fetch"], 40 - put_off as u64);
    assert!(
        replies[..40 - put_off]
            .iter()
            .all(|r| matches!(r, Reply::Fetch(_)))
    );
}

#[test]
fn a_fetch_whose_answer_nobody_would_read_is_refused_and_not_counted() {
    for json in [false, true] {
        let mut scene = scene(BLOCK_BYTES_MAX);
        let most = keys_per_answer(KEY_BYTES_MAX);
        let deposits = [
            scene.deposit(most, KEY_BYTES_MAX),
            scene.deposit(1, KEY_BYTES_MAX),
        ];
        let queries = deposits.each_ref().map(query_for);
        for deposit in deposits {
            scene.ask(vec![Operation::Deposit(deposit)]).unwrap();
        }
        let mut too_many = queries[0].clone();
        too_many.key_ids.extend(&queries[1].key_ids);
        let fetch = |scene: &mut Scene, query: &FetchQuery| {
            if json {
                let (request, sent) = scene.end.seal_fetch(query).unwrap();
                let response = scene.hub.handle(NOW, &request);
                assert!(response.body.len() <= BODY_BYTES_MAX);
                return scene.end.open_fetch_reply(&sent, &response);
            }
            match scene.ask(vec![Operation::Fetch(query.clone())])?.remove(0) {
                Reply::Fetch(reply) => Ok(reply),
                Reply::Refused(refusal) => Err(OpenError::Refused(refusal)),
                other => panic!("{other:?}"),
            }
        };
        match fetch(&mut scene, &too_many).unwrap_err() {
            OpenError::Refused(refusal) => assert_eq!(refusal.kind(), "out-of-limits"),
            error => panic!("{error}"),
        }
        // All that had counted would be gone after the linger time.
        scene.hub.expire(NOW + Duration::from_secs(6));
        assert_eq!(scene.hub.status(NOW).shares_held, most + 1);
        for query in &queries {
            assert!(fetch(&mut scene, query).unwrap().is_complete());
        }
    }
}

#[test]
fn an_answer_that_is_cut_or_has_too_few_entries_is_not_taken() {
    let mut scene = scene(65_536);
    let deposit = scene.deposit(1, 32);
    let query = query_for(&deposit);
    scene.ask(vec![Operation::Deposit(deposit)]).unwrap();
    let (request, sent) = scene.seal(vec![
        Operation::Fetch(query.clone()),
        Operation::Fetch(query),
    ]);
    let response = scene.hub.handle(NOW, &request);
    let mut cut = response.clone();
    cut.body.truncate(cut.body.len() - 1);
    let error = scene.end.open_batch_reply(&sent, 2, &cut).unwrap_err();
    assert_eq!(error, OpenError::BadMac);
    // The hub has signed it, but it answers another batch.
    let error = scene.end.open_batch_reply(&sent, 3, &response).unwrap_err();
    let malformed = Malformed::AnswerCount {
        answers: 2,
        operations: 3,
    };
    assert_eq!(error, OpenError::AuthenticMalformed(malformed));
}

#[test]
fn an_answer_whose_pads_do_not_go_with_its_shares_is_not_taken() {
    let mut scene = scene(65_536);
    let deposit = scene.deposit(1, 32);
    let query = query_for(&deposit);
    let stored = scene.ask(vec![Operation::Deposit(deposit.clone())]);
    let Reply::Deposit(stored) = stored.unwrap().remove(0) else {
        panic!("no answer to a deposit")
    };
    let (fetch, sent) = scene.end.seal_fetch(&query).unwrap();
    let fetched = scene.hub.handle(NOW, &fetch).body;
    // A hub that signs whatever it likes.
    let (ours, clients) = Block::random_pair(65_536, &mut scene.rng).unwrap();
    let mut pool = SpendingPool::new(1);
    pool.add(ours).unwrap();
    scene.end.add(PoolOwner::Hub, clients).unwrap();
    let mut signed = |pad_bytes: usize, to: &Request, body: Bytes| {
        let spent = pool.allocate(MAC_KEY_BYTES + pad_bytes).unwrap();
        let (allocation, bytes) = spent.into_parts();
        let key = MacKey::try_from(&bytes[..MAC_KEY_BYTES]).unwrap();
        let mut response = Response {
            status: 200,
            signature: None,
            body,
        };
        let to = Signature::from_header(to.signature.as_deref()).unwrap();
        let signature = Signature::of_response(key, allocation, &to, &response);
        response.signature = Some(signature.to_string());
        response
    };
    let share_bytes = 32 + TAG_SECRET_BYTES;
    for (pad_bytes, is_taken) in [(0, false), (79, false), (share_bytes, true), (81, false)] {
        let response = signed(pad_bytes, &fetch, fetched.clone());
        let opened = scene.end.open_fetch_reply(&sent, &response);
        match opened {
            Ok(reply) => assert!(is_taken && reply.is_complete(), "{pad_bytes} bytes"),
            Err(error) => {
                assert!(!is_taken, "{pad_bytes} bytes: {error}");
                assert_eq!(error, OpenError::AuthenticMalformed(Malformed::Pads));
            }
        }
    }
    let stored = Bytes::from(serde_json::to_vec(&stored).unwrap());
    let (again, sent) = scene.end.seal_deposit(&deposit).unwrap();
    let response = signed(1, &again, stored.clone());
    let error = scene.end.open_deposit_reply(&sent, &response).unwrap_err();
    assert_eq!(error, OpenError::AuthenticMalformed(Malformed::Pads));
    let response = signed(0, &again, stored);
    scene.end.open_deposit_reply(&sent, &response).unwrap();
}

#[test]
fn an_observer_reads_what_was_answered_unless_it_was_refused() {
    let mut scene = scene(BLOCK_BYTES_MAX);
    let deposit = scene.deposit(1, 32);
    let (request, _) = scene.end.seal_deposit(&deposit).unwrap();
    assert_eq!(Encoding::of(&request).content_type(), "application/json");
    let response = scene.hub.handle(NOW, &request);
    let replies = replies_of(&request, &response).unwrap();
    assert!(
        matches!(&replies[..], [Reply::Deposit(reply)] if reply.keys[0].outcome == DepositOutcome::Stored)
    );
    let refused = scene.hub.handle(NOW, &request);
    assert!(replies_of(&request, &refused).is_none());
    let withdrawal = Withdrawal {
        client: client(),
        master_sae: deposit.master_sae.clone(),
        key_ids: vec![deposit.keys[0].key_id],
    };
    let (request, _) = scene.seal(vec![Operation::Withdraw(withdrawal)]);
    let content_type = Encoding::of(&request).content_type();
    assert_eq!(content_type, "application/vnd.dske.key-shares");
    let response = scene.hub.handle(NOW, &request);
    let replies = replies_of(&request, &response).unwrap();
    assert!(matches!(replies[..], [Reply::Withdraw]));
    assert_eq!(scene.hub.status(NOW).served["withdraw"], 1);
}

proptest! {
    /// Reading never panics, whatever the bytes are.
    #[test]
    fn any_bytes_can_be_read(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok((_, rest)) = read_client(&body) {
            let _ = read_operations(rest);
        }
    }

    /// One changed byte anywhere in a batch is noticed, and nothing is used up.
    #[test]
    fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), by in 1..=255u8) {
        let mut scene = scene(4_096);
        let deposit = scene.deposit(2, 16);
        let query = query_for(&deposit);
        let (request, sent) = scene.seal(vec![Operation::Deposit(deposit), Operation::Fetch(query)]);
        let mut body = request.body.to_vec();
        let at = at.index(body.len());
        body[at] ^= by;
        let changed = Request {
            body: body.into(),
            ..request.clone()
        };
        let response = scene.hub.handle(NOW, &changed);
        prop_assert_eq!(response.signature.as_ref(), None);
        let replies = scene.exchange(&request, &sent, 2).unwrap();
        prop_assert_eq!(replies.len(), 2);
    }

    /// What is written is what is read, and the signature fits no other key.
    #[test]
    fn a_batch_reads_as_it_was_written(deposits in 1..4_usize, keys in 1..5_usize, size in 1..70_usize) {
        let mut scene = scene(65_536);
        let operations: Vec<Operation<Plain>> =
            (0..deposits).map(|_| Operation::Deposit(scene.deposit(keys, size))).collect();
        let (request, _) = scene.seal(operations.clone());
        let read = operations_of(&request).unwrap();
        prop_assert_eq!(read.len(), operations.len());
        let again = write_operations(&client(), &read);
        prop_assert_eq!(&again, &request.body);
        let signature = Signature::from_header(request.signature.as_deref()).unwrap();
        let wrong = MacKey::try_from([0; 32].as_slice()).unwrap();
        prop_assert!(signature.verify_request(&wrong, &request).is_err());
    }
}
