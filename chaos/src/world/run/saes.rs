//! The SAEs make the planned calls, each exchange as a task of its own, and record the outcomes.

use std::cell::RefCell;
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

use crate::plan::reached::{Group, Reached};
use crate::plan::{PlannedCall, TRY_AGAIN_AFTER_MS};
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
    let kmes = topology.clients.iter().map(|client| {
        let address = format!("{}:{PORT}", client.name);
        EtsiClient::new(http.clone(), &address, timeout)
    });
    let kmes: Vec<EtsiClient> = kmes.collect();
    let list = (0..plan.saes()).map(|sae| {
        let client = plan.client_of(sae);
        Sae {
            client,
            id: plan.sae_name(sae).parse().expect("a valid name"),
            kme: kmes[client].clone(),
        }
    });
    let saes = Rc::new(Saes {
        list: list.collect(),
        kmes,
        observer,
        given: RefCell::default(),
    });
    let calls = plan.calls.iter().map(|call| {
        let (saes, call) = (Rc::clone(&saes), call.clone());
        tokio::task::spawn_local(async move { saes.exchange(call).await })
    });
    for call in join_all(calls).await {
        call?;
    }
    sleep_until_ms(plan.end_ms).await;
    Ok(())
}

pub(super) struct Sae {
    pub(super) client: usize,
    pub(super) id: SaeId,
    pub(super) kme: EtsiClient,
}

/// Keys that a master was given.
pub(super) struct Given {
    pub(super) master: usize,
    pub(super) slaves: Vec<usize>,
    pub(super) key_ids: Vec<KeyId>,
}

/// All SAEs, and what they know together.
pub(super) struct Saes {
    pub(super) list: Vec<Sae>,
    pub(super) kmes: Vec<EtsiClient>,
    pub(super) observer: Observer,
    pub(super) given: RefCell<Vec<Given>>,
}

impl Saes {
    async fn exchange(&self, call: PlannedCall) {
        sleep_until_ms(call.at_ms).await;
        if call.status {
            self.ask_for_status(&call).await;
        }
        if let Some(mistake) = call.mistake.filter(|mistake| !mistake.is_of_slave()) {
            self.ask_wrongly(&call, mistake).await;
        }
        let key_ids = self.get_keys(&call).await;
        if key_ids.is_empty() {
            return;
        }
        self.given.borrow_mut().push(Given {
            master: call.master,
            slaves: call.slaves().collect(),
            key_ids: key_ids.clone(),
        });
        if let Some(mistake) = call.mistake.filter(|mistake| mistake.is_of_slave()) {
            self.fetch_wrongly(&call, mistake, &key_ids).await;
        }
        tokio::time::sleep(Duration::from_millis(call.fetch_after_ms)).await;
        if let Some(intruder) = call.intruder {
            let _ = self
                .fetch(&call, CallKind::Intruder, intruder, &key_ids)
                .await;
        }
        // Each member of a group gets the keys, whoever is first, and however late.
        let fetches = call.slaves().map(|slave| {
            let (call, key_ids) = (&call, &key_ids);
            async move {
                if call.also == Some(slave) {
                    tokio::time::sleep(Duration::from_millis(call.also_after_ms)).await;
                }
                let is_given = self.fetch_until_given(call, slave, key_ids).await;
                if is_given && call.also == Some(slave) {
                    self.observer.reach(Reached::Group(Group::MemberFetched));
                }
                if call.fetch_twice {
                    tokio::time::sleep(Duration::from_millis(call.again_after_ms)).await;
                    let again = self.fetch(call, CallKind::SlaveAgain, slave, key_ids);
                    let _ = again.await;
                }
            }
        });
        join_all(fetches).await;
    }

    /// The master asks what its KME can deliver.
    async fn ask_for_status(&self, call: &PlannedCall) {
        let (master, slave) = (&self.list[call.master], &self.list[call.slave].id);
        let watched = self.watch(call, CallKind::Status, call.master, slave);
        let told = master.kme.status(&master.id, slave).await;
        watched.ended(told.map_or_else(without, |status| Outcome::Status(Box::new(status))));
    }

    /// A slave asks for its keys until it is given them, or told that it cannot have them, or loses patience.
    async fn fetch_until_given(&self, call: &PlannedCall, slave: usize, keys: &[KeyId]) -> bool {
        let mut kind = CallKind::Slave;
        for _ in 0..call.tries {
            match self.fetch(call, kind, slave, keys).await {
                Ok(()) => return true,
                // It was told that it may try again, or nothing.
                Err(Some(503) | None) => {}
                Err(Some(_)) => return false,
            }
            tokio::time::sleep(Duration::from_millis(TRY_AGAIN_AFTER_MS)).await;
            kind = CallKind::SlaveRetry;
        }
        false
    }

    /// The master asks for keys, as often as it is planned.
    async fn get_keys(&self, call: &PlannedCall) -> Vec<KeyId> {
        let (master, slave) = (&self.list[call.master], &self.list[call.slave]);
        let also = call.also.map(|also| self.list[also].id.clone());
        let request = KeyRequest {
            number: (call.number != 1).then_some(usize::from(call.number)),
            size_bits: Some(call.bits as usize),
            also: also.into_iter().collect(),
        };
        if call.also.is_some() {
            self.observer.reach(Reached::Group(Group::AskedFor));
        }
        let mut key_ids = Vec::new();
        for _ in 0..call.together {
            let watched = Watch {
                number: call.number,
                ..self.watch(call, CallKind::Master, call.master, &slave.id)
            };
            let given = master.kme.get_key(&master.id, &slave.id, &request).await;
            key_ids.extend(watched.done(given).unwrap_or_default());
        }
        key_ids
    }

    /// An SAE asks for keys by their IDs.
    ///
    /// # Errors
    /// If it is not given them; with the status, if there was an answer.
    async fn fetch(
        &self,
        call: &PlannedCall,
        kind: CallKind,
        sae: usize,
        key_ids: &[KeyId],
    ) -> Result<(), Option<u16>> {
        let (master, sae_index) = (&self.list[call.master].id, sae);
        let sae = &self.list[sae];
        let watched = Watch {
            number: u16::try_from(key_ids.len()).unwrap_or(u16::MAX),
            key_ids: key_ids.to_vec(),
            ..self.watch(call, kind, sae_index, master)
        };
        let got = sae.kme.get_key_with_ids(&sae.id, master, key_ids).await;
        let status = match &got {
            Err(CallError::Refused { status, .. }) => Some(*status),
            Ok(_) | Err(CallError::NotMade(_) | CallError::Unknown(_)) => None,
        };
        watched.done(got).map(|_| ()).ok_or(status)
    }

    /// A call by an SAE begins.
    pub(super) fn watch(
        &self,
        call: &PlannedCall,
        kind: CallKind,
        sae: usize,
        other: &SaeId,
    ) -> Watch {
        let sae = &self.list[sae];
        Watch {
            observer: self.observer.clone(),
            id: call.id,
            kind,
            client: sae.client,
            sae: sae.id.clone(),
            other: other.clone(),
            number: 0,
            key_ids: Vec::new(),
            from_us: now_us(),
        }
    }
}

/// A call that is under way.
pub(super) struct Watch {
    pub(super) observer: Observer,
    pub(super) id: u32,
    pub(super) kind: CallKind,
    pub(super) client: usize,
    pub(super) sae: SaeId,
    pub(super) other: SaeId,
    pub(super) number: u16,
    pub(super) key_ids: Vec<KeyId>,
    pub(super) from_us: u64,
}

impl Watch {
    /// Records what came of the call; gives the key IDs, if there are any.
    pub(super) fn done(self, result: Result<KeyContainer, CallError>) -> Option<Vec<KeyId>> {
        let outcome = match result.map(keys) {
            Ok(Some(keys)) => Outcome::Keys(keys),
            Ok(None) => Outcome::Unknown("the answer holds no keys".to_owned()),
            Err(error) => without(error),
        };
        let ids = outcome
            .keys()
            .map(|keys| keys.iter().map(|key| key.id).collect());
        self.ended(outcome);
        ids
    }

    fn ended(self, outcome: Outcome) {
        self.observer.call(Call {
            id: self.id,
            kind: self.kind,
            client: self.client,
            sae: self.sae,
            other: self.other,
            number: self.number,
            key_ids: self.key_ids,
            from_us: self.from_us,
            until_us: now_us(),
            outcome,
        });
    }
}

/// What came of a call that did not deliver.
fn without(error: CallError) -> Outcome {
    match error {
        CallError::Refused { status, message } => Outcome::Refused(status, message),
        CallError::NotMade(why) | CallError::Unknown(why) => Outcome::Unknown(why),
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
