//! The SAEs make the planned calls, each as a task of its own, and record the outcomes.

use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dske::crypto::secret::Secret;
use dske::http::etsi::KeyContainer;
use dske::protocol::{KeyId, SaeId};
use dske::topology::Topology;
use dske_testbed::sim::PORT;
use dske_testbed::sim::net::http_client;
use dske_testbed::{CallError, EtsiClient, KeyRequest};
use futures_util::future::join_all;

use crate::plan::PlannedCall;
use crate::plan::reached::{Group, Reached};
use crate::world::clock::{now_us, sleep_until_ms};
use crate::world::observer::Observer;
use crate::world::observer::record::{Call, CallKind, Key, Outcome};

/// How long an SAE waits for its KME, beyond the KME's own deadline.
pub(super) const MARGIN_MS: u64 = 500;

/// Makes all calls of the plan, and is over at the plan's end.
pub(super) async fn run(topology: Rc<Topology>, observer: Observer) -> turmoil::Result {
    let plan = Rc::clone(&observer.seen().plan);
    let timeout = Duration::from_millis(plan.cluster.call_deadline_ms + MARGIN_MS);
    let http = http_client(timeout);
    let clients = topology.clients.iter().map(|client| Sae {
        id: SaeId::from(&client.name),
        kme: EtsiClient::new(http.clone(), &format!("{}:{PORT}", client.name), timeout),
    });
    let saes = Rc::new(clients.collect::<Vec<_>>());
    let calls = plan.calls.iter().map(|call| {
        let exchange = exchange(Rc::clone(&saes), call.clone(), observer.clone());
        tokio::task::spawn_local(exchange)
    });
    for call in join_all(calls).await {
        call?;
    }
    sleep_until_ms(plan.end_ms).await;
    Ok(())
}

struct Sae {
    id: SaeId,
    kme: EtsiClient,
}

async fn exchange(saes: Rc<Vec<Sae>>, call: PlannedCall, observer: Observer) {
    sleep_until_ms(call.at_ms).await;
    let (master, slave) = (&saes[call.master], &saes[call.slave]);
    let request = KeyRequest {
        number: (call.number != 1).then_some(usize::from(call.number)),
        size_bits: Some(call.bits as usize),
        also: call
            .also
            .map(|also| saes[also].id.clone())
            .into_iter()
            .collect(),
    };
    if call.also.is_some() {
        observer.reach(Reached::Group(Group::AskedFor));
    }
    let watch = |kind, client, number| Watch {
        observer: observer.clone(),
        id: call.id,
        kind,
        client,
        number,
        from_us: now_us(),
    };
    let mut ids = Vec::new();
    for _ in 0..call.together {
        let watched = watch(CallKind::Master, call.master, call.number);
        let given = watched.done(master.kme.get_key(&master.id, &slave.id, &request).await);
        ids.extend(given.unwrap_or_default());
    }
    if ids.is_empty() {
        return;
    }
    let watch = |kind, client| watch(kind, client, u16::try_from(ids.len()).unwrap_or(u16::MAX));
    tokio::time::sleep(Duration::from_millis(call.fetch_after_ms)).await;
    if let Some(intruder) = call.intruder {
        let sae = &saes[intruder];
        let watched = watch(CallKind::Intruder, intruder);
        watched.done(sae.kme.get_key_with_ids(&sae.id, &master.id, &ids).await);
    }
    // The members of a group fetch at the same moment: each gets the keys, whoever is first.
    let fetches = call.slaves().map(|client| {
        let (slave, ids, watch, call, observer) = (&saes[client], &ids, &watch, &call, &observer);
        async move {
            let fetch = || slave.kme.get_key_with_ids(&slave.id, &master.id, ids);
            let got = watch(CallKind::Slave, client).done(fetch().await);
            if got.is_some() && call.also == Some(client) {
                observer.reach(Reached::Group(Group::MemberFetched));
            }
            if call.fetch_twice {
                tokio::time::sleep(Duration::from_millis(call.again_after_ms)).await;
                watch(CallKind::SlaveAgain, client).done(fetch().await);
            }
        }
    });
    join_all(fetches).await;
}

/// A call that is under way.
pub(super) struct Watch {
    pub(super) observer: Observer,
    pub(super) id: u32,
    pub(super) kind: CallKind,
    pub(super) client: usize,
    pub(super) number: u16,
    pub(super) from_us: u64,
}

impl Watch {
    /// Records what came of the call; gives the key IDs, if there are any.
    pub(super) fn done(self, result: Result<KeyContainer, CallError>) -> Option<Vec<KeyId>> {
        let outcome = match result.map(keys) {
            Ok(Some(keys)) => Outcome::Keys(keys),
            Ok(None) => Outcome::Unknown("the answer holds no keys".to_owned()),
            Err(CallError::Refused { status, message }) => Outcome::Refused(status, message),
            Err(CallError::Unknown(why)) => Outcome::Unknown(why),
        };
        let ids = outcome
            .keys()
            .map(|keys| keys.iter().map(|key| key.id).collect());
        self.observer.call(Call {
            id: self.id,
            kind: self.kind,
            client: self.client,
            number: self.number,
            from_us: self.from_us,
            until_us: now_us(),
            outcome,
        });
        ids
    }
}

fn keys(container: KeyContainer) -> Option<Vec<Key>> {
    let keys = container.keys.iter().map(|key| {
        Some(Key {
            id: key.key_ID.parse().ok()?,
            bytes: Secret::from(STANDARD.decode(key.key.as_bytes()).ok()?),
        })
    });
    keys.collect()
}
