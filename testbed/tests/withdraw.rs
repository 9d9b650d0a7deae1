//! A call that fails, or whose caller goes away, leaves no shares at the hubs that it reached.
#![allow(clippy::unwrap_used)]

use std::rc::Rc;
use std::time::Duration;

use dske::node::transport::{Transport, Unreachable};
use dske::protocol::hub::{OobError, PsrdRequest, Registration, RegistrationRequest};
use dske::protocol::{NodeName, Request, Response, SaeId};
use dske::psrd::Block;
use dske::topology::Topology;
use dske_testbed::local::LocalCluster;
use dske_testbed::seed::node_rng;
use dske_testbed::sim::WorldOptions;
use dske_testbed::{Cluster, KeyRequest};
use futures_util::future::{FutureExt, LocalBoxFuture, pending};
use tokio::time::{sleep, timeout};

const TOPOLOGY: &str = "threshold = 2\n\
    hubs = [{ name = \"hank\" }, { name = \"helen\" }, { name = \"hilary\" }]\n\
    clients = [{ name = \"carol\" }, { name = \"celia\" }]\n";

fn topology() -> Topology {
    Topology::parse("x", TOPOLOGY).unwrap()
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn sae(name: &str) -> SaeId {
    name.parse().unwrap()
}

fn run(scenario: impl Future<Output = ()> + 'static) {
    let mut sim = WorldOptions::with_seed(1).build();
    sim.client("client", async {
        scenario.await;
        Ok(())
    });
    sim.run().unwrap();
}

/// Bytes of the shares that a hub holds. (It remembers for a while which keys were withdrawn.)
async fn bytes_held(cluster: &LocalCluster, hub: &str) -> usize {
    let status = cluster.hub_status(&node(hub)).await;
    status.unwrap().share_bytes_held
}

/// A way to a hub that delivers PSRD and never answers anything else.
struct Mute(Rc<dyn Transport>);

impl Transport for Mute {
    fn ask(&self, _: Request) -> LocalBoxFuture<'static, Result<Response, Unreachable>> {
        pending().boxed_local()
    }

    fn register(
        &self,
        request: RegistrationRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Registration, OobError>, Unreachable>> {
        self.0.register(request)
    }

    fn deliver_psrd(
        &self,
        request: PsrdRequest,
    ) -> LocalBoxFuture<'static, Result<Result<Block, OobError>, Unreachable>> {
        self.0.deliver_psrd(request)
    }
}

#[test]
fn a_call_that_fails_takes_its_shares_back() {
    run(async {
        let cluster = LocalCluster::start(topology(), 1);
        sleep(Duration::from_secs(1)).await;
        let call = || async {
            let request = KeyRequest::default();
            cluster
                .get_key(&sae("carol"), &sae("celia"), &request)
                .await
        };
        assert!(call().await.is_ok());
        let kept = bytes_held(&cluster, "hank").await;
        assert!(kept > 0);
        cluster.stop_hub(&node("helen")).await;
        cluster.stop_hub(&node("hilary")).await;
        assert!(call().await.is_err());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(
            bytes_held(&cluster, "hank").await,
            kept,
            "those of the call that failed are gone, and no others"
        );
    });
}

#[test]
fn a_call_whose_caller_goes_away_takes_its_shares_back() {
    run(async {
        let generators = |node: &NodeName, life| -> Box<dyn rand::CryptoRng> {
            Box::new(node_rng(1, node.as_str(), life))
        };
        let cluster = LocalCluster::start_tapped(topology(), generators, |_, hub, way| {
            if hub.as_str() == "hank" {
                way
            } else {
                Rc::new(Mute(way))
            }
        });
        sleep(Duration::from_secs(1)).await;
        let (carol, celia, request) = (sae("carol"), sae("celia"), KeyRequest::default());
        let call = cluster.get_key(&carol, &celia, &request);
        assert!(timeout(Duration::from_millis(100), call).await.is_err());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(bytes_held(&cluster, "hank").await, 0);
        let served = cluster.hub_status(&node("hank")).await.unwrap().served;
        assert!(!served.is_empty(), "it had a share before");
    });
}
