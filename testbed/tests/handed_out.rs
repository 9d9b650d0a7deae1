//! A key reaches an SAE once: also if it asks late, if hubs missed the first fetch, or if its client has started anew. And it
//! does reach it, however long the answers are.
#![allow(clippy::unwrap_used)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use actix::Addr;
use dske::http::etsi::KeyContainer;
use dske::node::client::{ClientNode, GetKeyWithIds, KmeError};
use dske::node::transport::{Transport, Unreachable};
use dske::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use dske::protocol::initiator::EstablishedKey;
use dske::protocol::limits::BODY_BYTES_MAX;
use dske::protocol::responder::FetchError;
use dske::protocol::{KeyId, NodeName, Request, Response, SaeId};
use dske::psrd::Block;
use dske::topology::Topology;
use dske_testbed::local::LocalCluster;
use dske_testbed::seed::node_rng;
use dske_testbed::sim::WorldOptions;
use dske_testbed::{Cluster, KeyRequest};
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use rand::CryptoRng;
use tokio::time::sleep;

const FOUR_HUBS: &str = "threshold = 2\n\
    hubs = [{ name = \"hank\" }, { name = \"helen\" }, { name = \"hilary\" }, { name = \"holly\" }]\n\
    clients = [{ name = \"carol\" }, { name = \"celia\" }]\n\
    [timing]\nrequest_timeout_ms = 500\ncall_deadline_ms = 1000\nbackground_ms = 1000\nshare_ttl_ms = 20000\n\
    linger_ms = 2000\n";

/// After this time no hub holds a share of a key that was set up before: background, time to live, deadline.
const SHARE_LIFE: Duration = Duration::from_secs(22);

const SECOND: Duration = Duration::from_secs(1);

/// Which hubs celia cannot reach at the moment.
type Cut = Rc<Cell<&'static [&'static str]>>;

/// The way to a hub, which can be cut, and which carries no longer bodies than HTTP does.
struct Way {
    hub: NodeName,
    cut: Cut,
    way: Rc<dyn Transport>,
}

impl Way {
    fn with<T: 'static>(
        &self,
        take: impl FnOnce(&dyn Transport) -> LocalBoxFuture<'static, Result<T, Unreachable>>,
    ) -> LocalBoxFuture<'static, Result<T, Unreachable>> {
        if self.cut.get().contains(&self.hub.as_str()) {
            return ready(Err(Unreachable("it is cut off".to_owned()))).boxed_local();
        }
        take(&*self.way)
    }
}

impl Transport for Way {
    fn ask(&self, request: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>> {
        let answered = self.with(|way| way.ask(request));
        async move {
            let response = answered.await?;
            if response.body.len() > BODY_BYTES_MAX {
                return Err(Unreachable("its answer is too long".to_owned()));
            }
            Ok(response)
        }
        .boxed_local()
    }

    fn register(
        &self,
        request: RegistrationRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Registration, OobError>, Unreachable>> {
        self.with(|way| way.register(request))
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        self.with(|way| way.deliver_psrd(request))
    }
}

/// A cluster, and the ways that celia takes.
struct Scene {
    cluster: LocalCluster,
    cut: Cut,
    ways: Rc<RefCell<BTreeMap<NodeName, Rc<Way>>>>,
}

impl Scene {
    fn start(topology: &str) -> Self {
        let topology = Topology::parse("topology", topology).unwrap();
        let cut = Cut::default();
        let ways = Rc::new(RefCell::new(BTreeMap::new()));
        let rng = |node: &NodeName, life| -> Box<dyn CryptoRng> {
            Box::new(node_rng(1, node.as_str(), life))
        };
        let cluster = LocalCluster::start_tapped(topology, rng, |client, hub, way| {
            if client.as_str() != "celia" {
                return way;
            }
            let way = Rc::new(Way {
                hub: hub.clone(),
                cut: Rc::clone(&cut),
                way,
            });
            ways.borrow_mut().insert(hub.clone(), Rc::clone(&way));
            way
        });
        Self { cluster, cut, ways }
    }

    /// Celia's KME, as if it had crashed and started again.
    fn start_celia_again(&self) -> Addr<ClientNode> {
        let config = self.cluster.topology().client(&"celia".parse().unwrap());
        let rng = Box::new(node_rng(1, "celia", 1));
        ClientNode::start(config.unwrap(), rng, |hub| {
            self.ways.borrow()[&hub.name].clone()
        })
    }

    async fn establish(&self, number: usize, size_bits: usize) -> Vec<KeyId> {
        let request = KeyRequest {
            number: Some(number),
            size_bits: Some(size_bits),
            ..KeyRequest::default()
        };
        let given = self
            .cluster
            .get_key(&sae("carol"), &sae("celia"), &request)
            .await;
        ids(&given.unwrap())
    }

    async fn fetch(&self, key_ids: &[KeyId]) -> Result<KeyContainer, String> {
        let (celia, carol) = (sae("celia"), sae("carol"));
        let fetched = self.cluster.get_key_with_ids(&celia, &carol, key_ids);
        fetched.await.map_err(|error| error.to_string())
    }
}

fn sae(name: &str) -> SaeId {
    name.parse().unwrap()
}

fn ids(container: &KeyContainer) -> Vec<KeyId> {
    let keys = container.keys.iter();
    keys.map(|key| key.key_ID.parse().unwrap()).collect()
}

/// Runs a scenario in simulated time.
fn run<F: Future<Output = ()> + 'static>(
    topology: &'static str,
    scenario: impl FnOnce(Scene) -> F + 'static,
) {
    let mut sim = WorldOptions::with_seed(1).build();
    sim.client("all", async move {
        let scene = Scene::start(topology);
        // Until all clients have registered.
        sleep(SECOND).await;
        scenario(scene).await;
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_late_repeat_gets_nothing_although_hubs_that_missed_the_fetch_hold_their_shares() {
    run(FOUR_HUBS, |scene| async move {
        sleep(SHARE_LIFE).await;
        let key_ids = scene.establish(1, 256).await;
        scene.cut.set(&["hilary", "holly"]);
        assert_eq!(ids(&scene.fetch(&key_ids).await.unwrap()), key_ids);
        // The other two are asked until the deadline.
        sleep(2 * SECOND).await;
        scene.cut.set(&[]);
        let mut waited = 0;
        for pause in [0, 1, 3, 6, 9] {
            sleep(pause * SECOND).await;
            waited += pause;
            let again = scene.fetch(&key_ids).await.unwrap_err();
            assert!(
                again.contains("has been handed out"),
                "after {waited} s: {again}"
            );
        }
        sleep(10 * SECOND).await;
        let again = scene.fetch(&key_ids).await.unwrap_err();
        assert!(
            again.contains("is not found"),
            "no hub holds a share: {again}"
        );
    });
}

#[test]
fn a_claim_is_kept_for_the_linger_time_only_if_all_hubs_have_handed_out_their_shares() {
    run(FOUR_HUBS, |scene| async move {
        sleep(SHARE_LIFE).await;
        let key_ids = scene.establish(3, 256).await;
        scene.fetch(&key_ids).await.unwrap();
        let claims = async || {
            // Claims are swept when others are made.
            let _ = scene.fetch(&scene.establish(1, 256).await).await;
            let celia = "celia".parse().unwrap();
            scene.cluster.client_status(&celia).await.unwrap().claims
        };
        assert_eq!(claims().await, 3 + 1);
        sleep(9 * SECOND).await;
        assert_eq!(claims().await, 1);
        let again = scene.fetch(&key_ids).await.unwrap_err();
        assert!(again.contains("is not found"), "{again}");
    });
}

#[test]
fn a_client_that_has_just_started_hands_out_only_what_no_earlier_life_can_have_handed_out() {
    run(FOUR_HUBS, |scene| async move {
        let fetch = async |celia: &Addr<ClientNode>,
                           key_ids: &[KeyId]|
               -> Result<Vec<EstablishedKey>, KmeError> {
            let (caller, master_sae, key_ids) = (sae("celia"), sae("carol"), key_ids.to_vec());
            let call = GetKeyWithIds {
                caller,
                master_sae,
                key_ids,
            };
            celia.send(call).await.unwrap()
        };
        let is_unavailable = |error: &KmeError| {
            matches!(
                error,
                KmeError::Fetch(FetchError::Unavailable { needed: 3, .. })
            )
        };
        sleep(SHARE_LIFE).await;
        let key_ids = scene.establish(1, 256).await;
        scene.cut.set(&["hilary", "holly"]);
        scene.fetch(&key_ids).await.unwrap();
        sleep(2 * SECOND).await;
        scene.cut.set(&[]);
        let celia = scene.start_celia_again();
        // Until the linger time is over, in which a hub may hand out again.
        sleep(3 * SECOND).await;
        let again = fetch(&celia, &key_ids).await.unwrap_err();
        assert!(is_unavailable(&again), "{again}");
        // Other keys can be had, from more than K hubs, and nothing is used up where there are fewer.
        let key_ids = scene.establish(1, 256).await;
        scene.cut.set(&["hilary", "holly"]);
        let too_few = fetch(&celia, &key_ids).await.unwrap_err();
        assert!(is_unavailable(&too_few), "{too_few}");
        scene.cut.set(&["holly"]);
        assert_eq!(fetch(&celia, &key_ids).await.unwrap().len(), 1);
        // Once all that it may have handed out before has expired, K hubs suffice again.
        sleep(SHARE_LIFE).await;
        let key_ids = scene.establish(1, 256).await;
        scene.cut.set(&["hilary", "holly"]);
        assert_eq!(fetch(&celia, &key_ids).await.unwrap().len(), 1);
    });
}

const LARGE_KEYS: &str = "threshold = 2\n\
    hubs = [{ name = \"hank\" }, { name = \"helen\" }, { name = \"hilary\" }]\n\
    clients = [{ name = \"carol\" }, { name = \"celia\" }]\n\
    [keys]\nmax_bits = 1048576\n\
    [psrd]\nblock_bytes = 1048576\n";

#[test]
fn keys_that_are_too_long_for_one_answer_all_arrive() {
    run(LARGE_KEYS, |scene| async move {
        let mut key_ids = scene.establish(20, 1_048_576).await;
        key_ids.extend(scene.establish(20, 1_048_576).await);
        let fetched = scene.fetch(&key_ids).await.unwrap();
        assert_eq!(ids(&fetched), key_ids);
        assert!(fetched.keys.iter().all(|key| key.key.len() == 174_764));
        let again = scene.fetch(&key_ids[30..]).await.unwrap_err();
        assert!(again.contains("has been handed out"), "{again}");
    });
}

#[test]
fn a_part_that_is_not_there_fails_the_call_and_the_others_can_be_had_at_once() {
    run(LARGE_KEYS, |scene| async move {
        let mut key_ids = scene.establish(20, 1_048_576).await;
        key_ids.extend(scene.establish(20, 1_048_576).await);
        let unknown = "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap();
        let with_unknown = [&key_ids[..], &[unknown]].concat();
        let failed = scene.fetch(&with_unknown).await.unwrap_err();
        assert!(failed.contains("is not found"), "{failed}");
        assert_eq!(ids(&scene.fetch(&key_ids).await.unwrap()), key_ids);
    });
}
