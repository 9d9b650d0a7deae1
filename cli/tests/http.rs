//! What a client or an attacker may send over HTTP, against real processes: every limit is crossed, nothing breaks.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::nodes::{Answer, Caller};
use common::raw::Connection;
use dske::http::paths;
use dske::protocol::limits::BODY_BYTES_MAX;
use dske::protocol::wire::{KEY_SHARE_PATH, SIGNATURE_HEADER};
use dske_testbed::process::ProcessCluster;
use dske_testbed::{Cluster, KeyRequest};
use serde_json::{Value, json};

const TOPOLOGY: &str = include_str!("../../topology.toml");

struct Nodes {
    cluster: ProcessCluster,
    caller: Caller,
}

impl std::ops::Deref for Nodes {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Nodes {
    async fn etsi(&self, method: &str, path: &str, body: &str) -> Answer {
        let url = self.url("carol", &format!("/api/v1/keys/{path}"));
        self.send(method, url, Some("carol"), body.into()).await
    }

    /// The cluster still works, with nothing lost.
    async fn works(&self) {
        let (carol, celia) = ("carol".parse().unwrap(), "celia".parse().unwrap());
        let given = self
            .cluster
            .get_key(&carol, &celia, &KeyRequest::default())
            .await
            .unwrap();
        let id = given.keys[0].key_ID.parse().unwrap();
        let fetched = self
            .cluster
            .get_key_with_ids(&celia, &carol, &[id])
            .await
            .unwrap();
        assert_eq!(given, fetched);
    }
}

async fn nodes() -> Nodes {
    let cluster = ProcessCluster::start(Path::new(env!("CARGO_BIN_EXE_dske")), TOPOLOGY)
        .await
        .unwrap();
    Nodes {
        caller: Caller::new(cluster.topology()),
        cluster,
    }
}

#[test]
fn garbage_at_every_route_is_refused_and_does_no_harm() {
    actix_rt::System::new().block_on(async {
        let nodes = nodes().await;
        an_sae_without_or_with_wrong_credentials_gets_nothing(&nodes).await;
        bad_etsi_requests_are_400_with_a_message(&nodes).await;
        other_methods_and_paths_are_refused(&nodes).await;
        both_prefixes_and_both_methods_work(&nodes).await;
        oversized_bodies_are_refused(&nodes).await;
        errors_are_json(&nodes).await;
        bodies_say_what_they_are(&nodes).await;
        pages_of_others_can_do_nothing(&nodes).await;
        garbage_at_a_hub_consumes_nothing(&nodes).await;
        strangers_cannot_register_or_draw_psrd(&nodes).await;
        nodes.works().await;
    });
}

async fn an_sae_without_or_with_wrong_credentials_gets_nothing(nodes: &Nodes) {
    for caller in [
        None,
        Some(""),
        Some("celia"),
        Some("nobody"),
        Some("a b"),
        Some("Bearer xyz"),
    ] {
        for (method, path, body) in [
            ("GET", "celia/status", ""),
            ("GET", "celia/enc_keys", ""),
            ("POST", "celia/enc_keys", "{}"),
            (
                "GET",
                "celia/dec_keys?key_ID=bc490419-7d60-487f-adc1-4ddcc177c139",
                "",
            ),
        ] {
            let url = nodes.url("carol", &format!("/api/v1/keys/{path}"));
            let answer = nodes.send(method, url, caller, body.into()).await;
            assert_eq!(
                answer.status, 401,
                "{caller:?} {method} {path}: {}",
                answer.text
            );
            assert!(answer.header("www-authenticate").is_some());
            assert!(answer.body.get("keys").is_none());
        }
    }
}

async fn bad_etsi_requests_are_400_with_a_message(nodes: &Nodes) {
    let many: Vec<Value> = (0..20_000)
        .map(|_| json!({"key_ID": "bc490419-7d60-487f-adc1-4ddcc177c139"}))
        .collect();
    let twice = "bc490419-7d60-487f-adc1-4ddcc177c139";
    for (method, path, body) in [
        ("POST", "celia/enc_keys", "".to_owned()),
        ("POST", "celia/enc_keys", "{".to_owned()),
        ("POST", "celia/enc_keys", "[]".to_owned()),
        ("POST", "celia/enc_keys", "[".repeat(100_000)),
        ("POST", "celia/enc_keys", "{\"number\": \"1\"}".to_owned()),
        ("POST", "celia/enc_keys", "{\"number\": 0}".to_owned()),
        ("POST", "celia/enc_keys", "{\"size\": 7}".to_owned()),
        (
            "POST",
            "celia/enc_keys",
            "{\"extension_mandatory\": [{\"x\": 1}]}".to_owned(),
        ),
        (
            "POST",
            "celia/enc_keys",
            "{\"additional_slave_SAE_IDs\": [\"nobody\"]}".to_owned(),
        ),
        ("POST", "celia/enc_keys?number=1", "{}".to_owned()),
        ("GET", "celia/enc_keys?number=129", String::new()),
        ("GET", "celia/enc_keys?number=1&number=1", String::new()),
        ("GET", "celia/enc_keys?size=x", String::new()),
        ("GET", "celia/enc_keys?extension_mandatory=x", String::new()),
        ("GET", "nobody/enc_keys", String::new()),
        ("GET", "nobody/status", String::new()),
        ("GET", "%00%ff/status", String::new()),
        ("GET", "a%2Fb/enc_keys", String::new()),
        ("GET", "celia/dec_keys", String::new()),
        ("GET", "celia/dec_keys?key_ID=", String::new()),
        (
            "GET",
            "celia/dec_keys?key_ID=bc490419-7d60-487f-adc1-4ddcc177c139&x=1",
            String::new(),
        ),
        ("POST", "celia/dec_keys", "{}".to_owned()),
        (
            "POST",
            "celia/dec_keys",
            json!({"key_IDs": many}).to_string(),
        ),
        (
            "POST",
            "celia/dec_keys",
            json!({"key_IDs": [{"key_ID": twice}, {"key_ID": twice}]}).to_string(),
        ),
    ] {
        let answer = nodes.etsi(method, path, &body).await;
        let shown = &body[..body.len().min(60)];
        assert_eq!(
            answer.status, 400,
            "{method} {path} {shown}: {}",
            answer.text
        );
        assert!(
            !answer.message().is_empty(),
            "{method} {path} {shown}: {}",
            answer.text
        );
    }
}

async fn other_methods_and_paths_are_refused(nodes: &Nodes) {
    for (method, path) in [
        ("PUT", "celia/enc_keys"),
        ("DELETE", "celia/dec_keys"),
        ("POST", "celia/status"),
    ] {
        let answer = nodes.etsi(method, path, "{}").await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(answer.header("allow").is_some());
    }
    assert_eq!(nodes.etsi("GET", "celia/keys", "").await.status, 400);
    let long = format!("{}/status", "a".repeat(8 * 1024));
    assert_eq!(nodes.etsi("GET", &long, "").await.status, 400);
}

async fn both_prefixes_and_both_methods_work(nodes: &Nodes) {
    for prefix in paths::ETSI_PREFIXES {
        let url = nodes.url(
            "carol",
            &format!("{prefix}/celia/enc_keys?number=2&size=128"),
        );
        let given = nodes.send("GET", url, Some("carol"), Vec::new()).await;
        assert_eq!(given.status, 200, "{}", given.text);
        let keys = given.body["keys"].as_array().unwrap().clone();
        assert_eq!(keys.len(), 2);
        let id = keys[0]["key_ID"].as_str().unwrap();
        let url = nodes.url("celia", &format!("{prefix}/carol/dec_keys?key_ID={id}"));
        let fetched = nodes.send("GET", url, Some("celia"), Vec::new()).await;
        assert_eq!(fetched.body["keys"], json!([keys[0]]));
    }
}

async fn oversized_bodies_are_refused(nodes: &Nodes) {
    let large = vec![b' '; 10 * 1024 * 1024];
    // The standard for SAEs has no 413.
    for (node, path, status) in [
        ("carol", "/api/v1/keys/celia/enc_keys", 400),
        ("hank", KEY_SHARE_PATH, 413),
        ("hank", paths::REGISTRATION, 413),
        ("hank", paths::PSRD, 413),
    ] {
        let request = nodes
            .http
            .post(nodes.url(node, path))
            .insert_header(("Authorization", "carol"))
            .content_type("application/json");
        // The node may answer, or close the connection while the body is still arriving.
        if let Ok(mut response) = request
            .timeout(Duration::from_secs(10))
            .send_body(large.clone())
            .await
        {
            assert_eq!(response.status().as_u16(), status, "{node} {path}");
            if let Ok(body) = response.body().await {
                let body: Value = serde_json::from_slice(&body).unwrap();
                assert!(body["message"].is_string(), "{node} {path}");
            }
        }
    }
    assert!(large.len() > BODY_BYTES_MAX);
}

async fn errors_are_json(nodes: &Nodes) {
    for (node, method, path, status) in [
        ("hank", "GET", "/", 404),
        ("hank", "GET", "/nothing", 404),
        ("hank", "GET", "/docs/nothing", 404),
        ("hank", "DELETE", KEY_SHARE_PATH, 405),
        ("hank", "GET", paths::REGISTRATION, 405),
        ("hank", "POST", paths::HUB_STATUS, 405),
        ("carol", "GET", "/nothing", 404),
        ("carol", "DELETE", paths::METRICS, 405),
    ] {
        let answer = nodes
            .send(method, nodes.url(node, path), None, Vec::new())
            .await;
        assert_eq!(answer.status, status, "{node} {method} {path}");
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/json"), "{node} {method} {path}");
        assert!(!answer.message().is_empty(), "{node} {method} {path}");
    }
}

async fn bodies_say_what_they_are(nodes: &Nodes) {
    let body = json!({"client": "curtis"}).to_string();
    for path in [KEY_SHARE_PATH, paths::REGISTRATION, paths::PSRD] {
        for kind in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data"),
            Some("application/json-patch+json"),
        ] {
            let headers: Vec<_> = kind
                .map(|kind| ("Content-Type", kind))
                .into_iter()
                .collect();
            let url = nodes.url("hank", path);
            let answer = nodes.send_with("POST", url, &headers, body.clone().into());
            let answer = answer.await;
            assert_eq!(answer.status, 415, "{path} {kind:?}: {}", answer.text);
            assert!(answer.message().contains("application/json"), "{path}");
        }
    }
    let headers = [("Content-Type", "application/json; charset=utf-8")];
    let url = nodes.url("hank", paths::REGISTRATION);
    let answer = nodes.send_with("POST", url, &headers, body.into()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// What a web page of somebody else makes a browser send: to an address with the page's origin, or to a name of the page's
/// own that leads to the node.
async fn pages_of_others_can_do_nothing(nodes: &Nodes) {
    let registration = json!({"client": "carol"}).to_string();
    for (node, method, path, body) in [
        ("hank", "POST", paths::HUB_STOP, ""),
        ("carol", "POST", paths::CLIENT_STOP, ""),
        ("hank", "POST", paths::REGISTRATION, registration.as_str()),
        ("carol", "GET", "/api/v1/keys/celia/enc_keys", ""),
        ("carol", "GET", paths::CLIENT_STATUS, ""),
        ("carol", "GET", paths::METRICS, ""),
        ("carol", "GET", paths::DOCS, ""),
        ("carol", "GET", "/nothing", ""),
    ] {
        let own = format!("http://{}", nodes.address(node));
        let port = own.rsplit_once(':').unwrap().1;
        for (name, value, status) in [
            ("Origin", "http://evil.example".to_owned(), 403),
            ("Origin", "null".to_owned(), 403),
            ("Origin", "http://127.0.0.1:1".to_owned(), 403),
            ("Host", format!("evil.example:{port}"), 421),
            ("Host", format!("127.0.0.1.evil.example:{port}"), 421),
        ] {
            let mut connection = Connection::open(nodes.address(node)).await;
            let host = match name {
                "Host" => String::new(),
                _ => format!("Host: {}\r\n", nodes.address(node)),
            };
            let answer = connection
                .ask(format!(
                    "{method} {path} HTTP/1.1\r\n{host}{name}: {value}\r\nAuthorization: carol\r\nContent-Type: \
                     application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ))
                .await;
            assert_eq!(answer.status, status, "{method} {path} {name}: {value}");
            let refused: Value = serde_json::from_slice(&answer.body).unwrap();
            assert!(refused["message"].is_string());
        }
        if method == "GET" && !path.contains("enc_keys") {
            let url = nodes.url(node, path);
            let headers = [("Origin", own.as_str())];
            let answer = nodes.send_with(method, url, &headers, Vec::new()).await;
            assert!(answer.status < 405, "{path}: {}", answer.status);
        }
    }
}

async fn garbage_at_a_hub_consumes_nothing(nodes: &Nodes) {
    let hank = "hank".parse().unwrap();
    let left = |status: &dske::protocol::hub::HubStatus| {
        status
            .peers
            .iter()
            .map(|peer| (peer.up_bytes_left, peer.down_bytes_left))
            .collect::<Vec<_>>()
    };
    let before = nodes.cluster.hub_status(&hank).await.unwrap();
    let block = "bc490419-7d60-487f-adc1-4ddcc177c139";
    let tag = "0".repeat(32);
    for (signature, body) in [
        (None, "{}".to_owned()),
        (Some("x".to_owned()), "{}".to_owned()),
        (Some(format!("{block}:0:32;{tag}")), "{}".to_owned()),
        (Some(format!("{block}:0:32;{tag}")), "\u{0}".repeat(1000)),
        (Some(format!("{block}:0:32;{tag}")), json!({
            "client": "carol", "master_sae": "carol", "slave_saes": ["celia"], "hubs": 5, "threshold": 3, "x": 1,
            "size": 32, "keys": []
        }).to_string()),
        (Some("é".to_owned()), "{}".to_owned()),
    ] {
        let url = nodes.url("hank", KEY_SHARE_PATH);
        let mut request = nodes.http.post(url).content_type("application/json");
        if let Some(signature) = signature {
            let value = awc::http::header::HeaderValue::from_bytes(signature.as_bytes()).unwrap();
            request = request.insert_header((SIGNATURE_HEADER, value));
        }
        let mut response = request.send_body(body).await.unwrap();
        assert!((400..500).contains(&response.status().as_u16()));
        assert!(response.headers().get(SIGNATURE_HEADER).is_none(), "signing would spend PSRD");
        let refusal: Value = serde_json::from_slice(&response.body().await.unwrap()).unwrap();
        assert!(refusal.get("code").is_some(), "{refusal}");
    }
    let after = nodes.cluster.hub_status(&hank).await.unwrap();
    assert_eq!(left(&before), left(&after));
}

async fn strangers_cannot_register_or_draw_psrd(nodes: &Nodes) {
    let register = |client: &str| {
        let url = nodes.url("hank", paths::REGISTRATION);
        nodes.send(
            "POST",
            url,
            None,
            json!({"client": client}).to_string().into(),
        )
    };
    assert_eq!(register("mallory").await.status, 403);
    assert_eq!(register("").await.status, 400);
    let psrd = |registration: &str, size: u64| {
        let body = json!({"client": "curtis", "registration": registration, "owner": "client", "size": size});
        nodes.send(
            "POST",
            nodes.url("hank", paths::PSRD),
            None,
            body.to_string().into(),
        )
    };
    assert_eq!(
        psrd("bc490419-7d60-487f-adc1-4ddcc177c139", 1024)
            .await
            .status,
        409
    );
    let registered = register("curtis").await;
    let registration = registered.body["registration"].as_str().unwrap().to_owned();
    let size = nodes.cluster.topology().psrd.block_bytes as u64;
    for other in [0, 64, size - 1, 2 * size, 1 << 40] {
        assert_eq!(psrd(&registration, other).await.status, 400);
    }
    // A pool takes a limited number of blocks.
    let mut full = false;
    for _ in 0..100 {
        match psrd(&registration, size).await.status {
            200 => {}
            409 => full = true,
            status => panic!("{status}"),
        }
    }
    assert!(full, "a hub's memory for a client is bounded");
}

#[test]
fn a_node_that_cannot_start_says_why_in_one_line() {
    let folder = std::env::temp_dir().join(format!("dske-http-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let port = dske_testbed::process::free_ports(1).unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good.toml", &TOPOLOGY.replace("8100", &port.to_string()));
    let twice = file("twice.toml", &TOPOLOGY.replace("\"celia\"", "\"carol\""));
    let broken = file("broken.toml", "threshold = [");
    for (arguments, code, message) in [
        (
            vec!["--topology", &good, "hub", "hank"],
            1,
            "cannot listen on 127.0.0.1:",
        ),
        (
            vec!["--topology", &good, "hub", "harry"],
            2,
            "there is no hub harry in the topology; there are hank,",
        ),
        (
            vec!["--topology", &good, "client", "hank"],
            2,
            "there is no client hank in the topology; there are carol,",
        ),
        (
            vec!["--topology", &twice, "hub", "hank"],
            2,
            "the name carol is taken by the node on line",
        ),
        (
            vec!["--topology", &broken, "hub", "hank"],
            2,
            "broken.toml:1:",
        ),
        (
            vec!["--topology", "/nonexistent.toml", "hub", "hank"],
            2,
            "/nonexistent.toml: cannot be read",
        ),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_dske"))
            .args(&arguments)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    drop(taken);
    std::fs::remove_dir_all(&folder).unwrap();
}
