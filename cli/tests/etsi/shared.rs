//! The cluster that the tests share, and how they call it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread::JoinHandle;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dske::topology::Topology;
use dske_testbed::Cluster;
use dske_testbed::process::ProcessCluster;
use serde_json::{Value, json};

use crate::common::nodes::{Answer, Caller};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_dske");

/// A key ID that no client can have drawn: its version is not that of a random UUID.
pub(crate) const UNKNOWN_ID: &str = "bc490419-7d60-187f-adc1-4ddcc177c139";

/// The example topology with one more KME, which serves two SAEs.
fn topology() -> String {
    let example = include_str!("../../../topology.toml");
    let last = "{ name = \"curtis\" },";
    assert!(example.contains(last));
    let twin = "{ name = \"twin\", saes = [\"east\", \"west\"] },";
    example.replace(last, &format!("{last}\n{twin}"))
}

/// A cluster in a thread of its own. It ends with its last user.
struct Shared {
    topology: Topology,
    /// Dropped before the thread is joined.
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

impl Shared {
    fn get() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Self::start());
            *shared = Arc::downgrade(&new);
            new
        })
    }

    fn start() -> Self {
        let (ready, topology_of) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let cluster = ProcessCluster::start(Path::new(BINARY), &topology()).await;
                let cluster = cluster.unwrap();
                ready.send(cluster.topology().clone()).unwrap();
                // The sender is never used, only dropped.
                let _ = stopped.await;
            });
        });
        Self {
            topology: topology_of.recv().expect("the cluster starts"),
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Runs a test with the shared cluster.
pub(crate) fn with_kmes(test: impl AsyncFnOnce(&Kmes)) {
    let shared = Shared::get();
    actix_rt::System::new().block_on(test(&Kmes(Caller::new(&shared.topology))));
}

/// The KMEs of a cluster, as SAEs see them.
pub(crate) struct Kmes(pub(crate) Caller);

/// A key as an SAE got it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) bytes: Vec<u8>,
}

impl Kmes {
    /// The node that serves an SAE.
    pub(crate) fn home(&self, sae: &str) -> String {
        self.0.topology.saes[&sae.parse().unwrap()].to_string()
    }

    pub(crate) fn url(&self, sae: &str, path: &str) -> String {
        self.0.url(&self.home(sae), &format!("/api/v1/keys/{path}"))
    }

    pub(crate) fn address(&self, sae: &str) -> String {
        self.0.address(&self.home(sae)).to_owned()
    }

    /// An SAE calls its own KME.
    pub(crate) async fn call(&self, method: &str, sae: &str, path: &str, body: &str) -> Answer {
        let url = self.url(sae, path);
        self.0.send(method, url, Some(sae), body.into()).await
    }

    pub(crate) async fn status(&self, master: &str, slave: &str) -> Value {
        let answer = self
            .call("GET", master, &format!("{slave}/status"), "")
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    }

    /// Get key by POST. It has to succeed.
    pub(crate) async fn get_keys(&self, master: &str, slave: &str, request: Value) -> Vec<Key> {
        let path = format!("{slave}/enc_keys");
        let answer = self.call("POST", master, &path, &request.to_string()).await;
        keys(&answer)
    }

    pub(crate) async fn get_key(&self, master: &str, slave: &str) -> Key {
        self.get_keys(master, slave, json!({})).await.remove(0)
    }

    /// Get key with key IDs by POST.
    pub(crate) async fn fetch(&self, slave: &str, master: &str, ids: &[&str]) -> Answer {
        let ids: Vec<Value> = ids.iter().map(|id| json!({"key_ID": id})).collect();
        let body = json!({ "key_IDs": ids }).to_string();
        self.call("POST", slave, &format!("{master}/dec_keys"), &body)
            .await
    }

    /// Checks that the slave gets exactly these keys.
    pub(crate) async fn fetch_all(&self, slave: &str, master: &str, wanted: &[Key]) {
        let ids: Vec<&str> = wanted.iter().map(|key| key.id.as_str()).collect();
        let mut got = keys(&self.fetch(slave, master, &ids).await);
        let mut wanted = wanted.to_vec();
        got.sort();
        wanted.sort();
        assert_eq!(got, wanted);
    }

    /// Checks that keys can still be established and fetched.
    pub(crate) async fn work(&self) {
        let key = self.get_key("carol", "celia").await;
        self.fetch_all("celia", "carol", &[key]).await;
    }
}

/// The keys of a Key container.
pub(crate) fn keys(answer: &Answer) -> Vec<Key> {
    assert_eq!(answer.status, 200, "{}", answer.shown());
    let keys = answer.body["keys"].as_array().expect("keys is an array");
    keys.iter()
        .map(|key| Key {
            id: key["key_ID"].as_str().unwrap().to_owned(),
            bytes: STANDARD.decode(key["key"].as_str().unwrap()).unwrap(),
        })
        .collect()
}

/// Checks that an answer is an error as clause 6.5 wants it, with this status, and without keys.
pub(crate) fn refused(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.shown());
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{what}"
    );
    assert!(!answer.message().is_empty(), "{what}: {}", answer.text);
    assert!(answer.body.get("keys").is_none(), "{what}");
    if let Some(details) = answer.body.get("details") {
        let details = details.as_array().unwrap();
        assert!(!details.is_empty() && details.iter().all(Value::is_object));
    }
}
