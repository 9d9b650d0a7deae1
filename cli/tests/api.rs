//! What a node says of its interfaces is true: the OpenAPI document, the page that shows it, and the metrics.
#![allow(clippy::unwrap_used)]

mod schema;

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use actix_web::test as web_test;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpRequest};
use dske::http::{OnStop, client_routes, hub_routes, metrics, openapi};
use dske::node::client::ClientNode;
use dske::node::hub::{HubHandle, HubNode};
use dske::protocol::Refusal;
use dske::protocol::hub::{Hub, OobError};
use dske::protocol::message::{
    DepositBody, DepositReply, Encrypted, FetchAnswer, FetchReply, FetchResult, FoundShare,
};
use dske::protocol::wire::{KEY_SHARE_PATH, KEY_SHARES_PATH};
use dske::topology::Topology;
use dske_testbed::local::Switch;
use dske_testbed::process::ProcessCluster;
use dske_testbed::seed::node_rng;
use dske_testbed::{Cluster, KeyRequest};
use serde_json::{Value, json};

const TOPOLOGY: &str = include_str!("../../topology.toml");
const MANUAL: &str = include_str!("../../docs/http.md");
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];

fn hub_document() -> Value {
    serde_json::to_value(openapi::hub()).unwrap()
}

fn client_document() -> Value {
    serde_json::to_value(openapi::client()).unwrap()
}

/// Paths with the names of their parameters left out, which are different here and there.
fn paths(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    paths.keys().map(|path| nameless(path)).collect()
}

fn nameless(path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment {
        parameter if parameter.starts_with('{') => "{}",
        literal => literal,
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Every path that an app has routes for, out of what actix-web keeps to make URLs from.
fn routes(configure: impl FnOnce(&mut ServiceConfig, &OnStop)) -> BTreeSet<String> {
    let map = actix_rt::System::new().block_on(async {
        let on_stop: OnStop = Arc::new(|| {});
        let show = |http: HttpRequest| async move { format!("{:#?}", http.resource_map()) };
        let app = App::new()
            .configure(|config: &mut ServiceConfig| configure(config, &on_stop))
            .default_service(web::to(show));
        let app = web_test::init_service(app).await;
        let request = web_test::TestRequest::with_uri("/nowhere").to_request();
        let body = web_test::call_and_read_body(&app, request).await;
        String::from_utf8(body.to_vec()).unwrap()
    });
    let mut found = BTreeSet::new();
    // Of each resource around the present line: how deep it stands, and its whole path.
    let mut around: Vec<(usize, String)> = Vec::new();
    let mut lines = map.lines();
    while let Some(line) = lines.next() {
        let depth = line.len() - line.trim_start().len();
        match line.trim() {
            "ResourceMap {" => {
                around.retain(|(outer, _)| *outer < depth);
                let parent = around.last().map(|(_, path)| path.clone());
                around.push((depth, parent.unwrap_or_default()));
            }
            "patterns: Single(" => {
                let pattern = lines.next().unwrap().trim().trim_matches(['"', ',']);
                around.last_mut().unwrap().1.push_str(pattern);
            }
            "nodes: None," => {
                found.insert(nameless(&around.last().unwrap().1));
            }
            other => assert!(!other.starts_with("patterns: List"), "{other}"),
        }
    }
    found
}

#[test]
fn every_route_of_a_hub_is_in_its_document() {
    let routes = routes(|config, on_stop| {
        let topology = Topology::parse("topology.toml", TOPOLOGY).unwrap();
        let hank = topology.hub(&"hank".parse().unwrap()).unwrap();
        let hub = HubNode::new(Hub::new(hank, Box::new(node_rng(1, "hank", 0)))).start();
        hub_routes::configure(config, &HubHandle::from(hub), on_stop);
    });
    assert!(routes.contains(KEY_SHARE_PATH), "{routes:?}");
    assert_eq!(routes, paths(&hub_document()));
}

#[test]
fn every_route_of_a_client_is_in_its_document() {
    let routes = routes(|config, on_stop| {
        let topology = Topology::parse("topology.toml", TOPOLOGY).unwrap();
        let carol = topology.client(&"carol".parse().unwrap()).unwrap();
        let rng = Box::new(node_rng(1, "carol", 0));
        let client = ClientNode::start(carol, rng, |_| Rc::new(Switch::default()));
        client_routes::configure(config, &client, on_stop);
    });
    assert!(routes.contains("/api/v1/keys/{}/enc_keys"), "{routes:?}");
    assert_eq!(routes, paths(&client_document()));
}

#[test]
fn operations_have_names_of_their_own_and_no_link_leads_nowhere() {
    for document in [hub_document(), client_document()] {
        let mut ids = BTreeSet::new();
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id), "{id} is there twice");
            }
        }
        links(&document, &mut |target| {
            let found = document.pointer(target.trim_start_matches('#'));
            assert!(found.is_some(), "{target}");
        });
    }
}

fn links(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Object(object) => {
            if let Some(target) = object.get("$ref").and_then(Value::as_str) {
                visit(target);
            }
            object.values().for_each(|value| links(value, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| links(item, visit)),
        _ => {}
    }
}

#[test]
fn messages_between_nodes_fit_their_schemas() {
    let document = hub_document();
    let check = |name: &str, value: Value| {
        let schema = &document["components"]["schemas"][name];
        let fits = schema::fits(&document, schema, &value);
        assert_eq!(fits, Ok(()), "{name}: {value}");
    };
    let example = document["paths"][KEY_SHARE_PATH]["post"]["requestBody"]["content"]["application/json"]["example"].clone();
    let deposit: DepositBody = serde_json::from_value(example).unwrap();
    let key = &deposit.keys[0];
    assert_eq!(key.share.0.len(), deposit.size + 48);
    check("DepositBody", json!(deposit));
    let reply = json!({"keys": [{"key_id": key.key_id, "outcome": "conflict"}]});
    let reply: DepositReply = serde_json::from_value(reply).unwrap();
    check("DepositReply", json!(reply));
    let answers = [
        FetchAnswer::NotFound,
        FetchAnswer::Forbidden,
        FetchAnswer::Found(FoundShare {
            master_sae: deposit.master_sae.clone(),
            slave_saes: deposit.slave_saes.clone(),
            hubs: deposit.hubs,
            threshold: deposit.threshold,
            x: deposit.x,
            size: deposit.size,
            tag: key.tag,
            share: Encrypted(vec![7; 80]),
        }),
    ];
    let keys = answers.map(|answer| FetchResult {
        key_id: key.key_id,
        answer,
    });
    check(
        "FetchReply",
        json!(FetchReply {
            keys: keys.to_vec()
        }),
    );
    let (what, reason) = ("x".to_owned(), "why".to_owned());
    check("Refusal", json!(Refusal::BadMac));
    check(
        "Refusal",
        json!(Refusal::TopologyMismatch {
            what,
            theirs: 1,
            ours: 2
        }),
    );
    check("OobError", json!(OobError::PoolFull { reason }));
}

#[test]
fn the_check_of_schemas_sees_what_does_not_fit() {
    let document = hub_document();
    for (name, value) in [
        ("Registration", json!({"hub": "hank", "x": 1})),
        (
            "Registration",
            json!({"hub": "hank", "x": 1, "registration": "1"}),
        ),
        (
            "Registration",
            json!({"hub": "hank", "x": 0, "registration": uuid::Uuid::nil()}),
        ),
        ("RegistrationRequest", json!({"client": "carol", "more": 1})),
        ("RegistrationRequest", json!({"client": 1})),
        ("PoolOwner", json!("both")),
        ("Refusal", json!({"code": "no-such-code"})),
    ] {
        let schema = &document["components"]["schemas"][name];
        assert!(schema::fits(&document, schema, &value).is_err(), "{value}");
    }
}

struct Nodes {
    cluster: ProcessCluster,
    http: awc::Client,
}

/// A call as the document describes it.
struct Call<'a> {
    document: &'a Value,
    path: &'a str,
    method: &'a str,
    operation: &'a Value,
}

impl Nodes {
    async fn start() -> Self {
        let binary = Path::new(env!("CARGO_BIN_EXE_dske"));
        let cluster = ProcessCluster::start(binary, TOPOLOGY).await.unwrap();
        Self {
            cluster,
            http: awc::Client::builder().disable_redirects().finish(),
        }
    }

    fn request(&self, node: &str, method: &str, path: &str) -> awc::ClientRequest {
        let address = self.cluster.topology().address(&node.parse().unwrap());
        let url = format!("http://{}{path}", address.unwrap());
        self.http
            .request(method.parse().unwrap(), url)
            .timeout(Duration::from_secs(10))
    }

    async fn get(&self, node: &str, path: &str) -> (u16, awc::http::header::HeaderMap, Vec<u8>) {
        let sent = self.request(node, "GET", path).send().await;
        let mut response = sent.unwrap();
        let body = response.body().limit(4 << 20).await.unwrap();
        (
            response.status().as_u16(),
            response.headers().clone(),
            body.to_vec(),
        )
    }

    async fn text(&self, node: &str, path: &str) -> String {
        let (status, _, body) = self.get(node, path).await;
        assert_eq!(status, 200, "{node} {path}");
        String::from_utf8(body).unwrap()
    }

    /// Sends what the examples say, with `id` in place of the ID in them, and checks the answer against the document.
    async fn send(&self, node: &str, call: &Call<'_>, caller: &str, id: &str) -> (u16, Value) {
        let mut path = call.path.to_owned();
        let mut query = Vec::new();
        let mut headers = Vec::new();
        for parameter in call.operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let name = parameter["name"].as_str().unwrap();
            let value = match &parameter["example"] {
                Value::String(text) => text.clone(),
                Value::Array(items) => items[0].as_str().unwrap().to_owned(),
                number => number.to_string(),
            };
            match parameter["in"].as_str() {
                Some("path") => path = path.replace(&format!("{{{name}}}"), &value),
                Some("query") => query.push(format!("{name}={}", value.replace(EXAMPLE_ID, id))),
                Some("header") => headers.push((name, value)),
                place => panic!("{place:?}"),
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let mut request = self.request(node, call.method, &path);
        for (name, value) in headers {
            request = request.insert_header((name, value));
        }
        if call.operation.get("security").is_some() {
            let scheme = &call.document["components"]["securitySchemes"]["SAE_ID"];
            assert_eq!(scheme["in"], "header");
            request = request.insert_header((scheme["name"].as_str().unwrap(), caller));
        }
        let body = &call.operation["requestBody"]["content"]["application/json"]["example"];
        let sent = match body {
            Value::Null => request.send(),
            body => request
                .content_type("application/json")
                .send_body(body.to_string().replace(EXAMPLE_ID, id)),
        };
        let mut response = sent.await.unwrap();
        let body = response.body().limit(4 << 20).await.unwrap();
        let what = format!("{} {path} at {node}: {}", call.method, response.status());
        let status = response.status().as_u16();
        let described = &call.operation["responses"][status.to_string()];
        assert!(described.is_object(), "{what} is not described");
        for header in described["headers"].as_object().into_iter().flatten() {
            assert!(
                response.headers().contains_key(header.0.as_str()),
                "{what} {}",
                header.0
            );
        }
        let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let content = described["content"].as_object();
        let Some((kind, content)) = content.and_then(|content| content.iter().next()) else {
            assert!(body.is_empty(), "{what}");
            return (status, value);
        };
        let sent = response.headers().get("content-type").unwrap();
        let sent = sent.to_str().unwrap();
        assert!(
            kind == "*/*" || sent.starts_with(kind.as_str()),
            "{what}: {sent}"
        );
        if kind == "application/json" && call.path != openapi::DOCUMENT_PATH {
            let fits = schema::fits(call.document, &content["schema"], &value);
            assert_eq!(fits, Ok(()), "{what}: {value}");
        }
        (status, value)
    }

    /// A key that carol was given and celia was not, yet.
    async fn fresh_key(&self) -> String {
        let (carol, celia) = ("carol".parse().unwrap(), "celia".parse().unwrap());
        let request = KeyRequest::default();
        let given = self
            .cluster
            .get_key(&carol, &celia, &request)
            .await
            .unwrap();
        given.keys[0].key_ID.clone()
    }

    async fn registration(&self) -> String {
        let request = self.request("hank", "POST", hub_routes::REGISTRATION_PATH);
        let sent = request.send_json(&json!({"client": "carol"})).await;
        let body = sent.unwrap().body().await.unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        answer["registration"].as_str().unwrap().to_owned()
    }
}

/// The ID that stands in the examples for one that a node has given out.
const EXAMPLE_ID: &str = "bc490419-7d60-487f-adc1-4ddcc177c139";

#[test]
fn every_call_of_the_documents_is_served_and_no_other() {
    actix_rt::System::new().block_on(async {
        let nodes = Nodes::start().await;
        for node in ["carol", "hank"] {
            let document: Value =
                serde_json::from_str(&nodes.text(node, openapi::DOCUMENT_PATH).await).unwrap();
            for (path, item) in document["paths"].as_object().unwrap() {
                assert!(
                    MANUAL.contains(&format!("`{path}`")),
                    "{path} is not in docs/http.md"
                );
                for method in METHODS {
                    let operation = &item[method.to_lowercase()];
                    if operation.is_null() {
                        let path = path.replace(['{', '}'], "");
                        let answer = nodes.request(node, method, &path).send().await.unwrap();
                        let status = answer.status().as_u16();
                        assert!(matches!(status, 404 | 405), "{method} {path}: {status}");
                        continue;
                    }
                    if path.ends_with("/stop") {
                        continue;
                    }
                    let call = Call {
                        document: &document,
                        path,
                        method,
                        operation,
                    };
                    // Keys are fetched where the slave is at home.
                    let (node, id) = match path.as_str() {
                        hub_routes::PSRD_PATH => (node, nodes.registration().await),
                        path if path.ends_with("/dec_keys") => ("celia", nodes.fresh_key().await),
                        _ => (node, EXAMPLE_ID.to_owned()),
                    };
                    let (status, answer) = nodes.send(node, &call, node, &id).await;
                    let wanted = match path.as_str() {
                        // Nobody can sign an example.
                        KEY_SHARE_PATH => 401,
                        // The page has no way to write a binary body.
                        KEY_SHARES_PATH => 415,
                        openapi::DOCS_PATH => 302,
                        _ => 200,
                    };
                    assert_eq!(status, wanted, "{method} {path}: {answer}");
                }
            }
        }
        every_part_of_a_key_request_is_understood(&nodes).await;
        errors_fit_their_schema(&nodes).await;
        the_page_is_whole(&nodes).await;
        metrics_say_what_the_status_says(&nodes).await;
        for (node, document) in [("carol", client_document()), ("hank", hub_document())] {
            let mut paths = document["paths"].as_object().unwrap().iter();
            let (path, item) = paths.find(|(path, _)| path.ends_with("/stop")).unwrap();
            let operation = &item["post"];
            let call = Call {
                document: &document,
                path,
                method: "POST",
                operation,
            };
            assert_eq!(nodes.send(node, &call, "", "").await.0, 200);
        }
    });
}

async fn every_part_of_a_key_request_is_understood(nodes: &Nodes) {
    let document = client_document();
    let parts = json!({
        "number": 1, "size": 128, "additional_slave_SAE_IDs": ["cindy"], "extension_mandatory": [],
        "extension_optional": [{"color": "blue"}]
    });
    let parts = parts.as_object().unwrap();
    let described = &document["components"]["schemas"]["KeyRequest"]["properties"];
    let described: BTreeSet<_> = described.as_object().unwrap().keys().collect();
    assert_eq!(described, parts.keys().collect());
    let ask = async |body: Value| {
        let request = nodes.request("carol", "POST", "/api/v1/keys/celia/enc_keys");
        let request = request.insert_header(("Authorization", "carol"));
        request.send_json(&body).await.unwrap().status().as_u16()
    };
    for (name, value) in parts {
        assert_eq!(ask(json!({ name: value })).await, 200, "{name}");
    }
    assert_eq!(ask(json!({"another": 1})).await, 400);
}

async fn errors_fit_their_schema(nodes: &Nodes) {
    let document = client_document();
    let schema = &document["components"]["schemas"]["Error"];
    for (path, caller, status) in [
        (format!("carol/dec_keys?key_ID={EXAMPLE_ID}"), "celia", 400),
        (format!("carol/dec_keys?key_ID={EXAMPLE_ID}"), "nobody", 401),
    ] {
        let request = nodes.request("celia", "GET", &format!("/api/v1/keys/{path}"));
        let request = request.insert_header(("Authorization", caller));
        let mut response = request.send().await.unwrap();
        let body: Value = serde_json::from_slice(&response.body().await.unwrap()).unwrap();
        assert_eq!(response.status().as_u16(), status, "{body}");
        assert_eq!(schema::fits(&document, schema, &body), Ok(()), "{body}");
    }
}

async fn the_page_is_whole(nodes: &Nodes) {
    let (_, headers, _) = nodes.get("hank", openapi::DOCS_PATH).await;
    assert_eq!(headers.get("location").unwrap(), "docs/index.html");
    for (file, kind) in [
        ("index.html", "text/html"),
        ("index.css", "text/css"),
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui-standalone-preset.js", "text/javascript"),
        ("swagger-initializer.js", "text/javascript"),
    ] {
        let (status, headers, body) = nodes.get("hank", &format!("/docs/{file}")).await;
        assert_eq!((status, body.is_empty()), (200, false), "{file}");
        assert_eq!(headers.get("content-type").unwrap(), kind, "{file}");
        // The browser would refuse whatever is not the node's own.
        let policy = headers.get("content-security-policy").unwrap();
        assert!(policy.to_str().unwrap().starts_with("default-src 'self';"));
    }
    let settings = nodes.text("hank", "/docs/swagger-initializer.js").await;
    assert!(settings.contains("\"../openapi.json\""), "{settings}");
    assert!(
        settings.contains("\"validatorUrl\": \"none\""),
        "{settings}"
    );
    for path in [
        "/docs/",
        "/docs/nothing",
        "/docs/..%2fCargo.toml",
        "/docs/%2e%2e",
    ] {
        assert_eq!(nodes.get("hank", path).await.0, 404, "{path}");
    }
}

async fn metrics_say_what_the_status_says(nodes: &Nodes) {
    let carol = nodes.text("carol", metrics::PATH).await;
    let hank = nodes.text("hank", metrics::PATH).await;
    let status = nodes
        .cluster
        .client_status(&"carol".parse().unwrap())
        .await
        .unwrap();
    assert!(status.counters.keys_established > 0);
    let established = status.counters.keys_established;
    let line = format!("dske_client_keys_established_total {established}");
    assert!(carol.lines().any(|l| l == line), "{line} is not in {carol}");
    let status = nodes
        .cluster
        .hub_status(&"hank".parse().unwrap())
        .await
        .unwrap();
    assert!(status.shares_held > 0 && status.refused["unknown-psrd"] > 0);
    for line in [
        format!("dske_hub_shares {}", status.shares_held),
        format!(
            "dske_hub_messages_served_total{{kind=\"deposit\"}} {}",
            status.served["deposit"]
        ),
        format!("dske_hub_registered_clients {}", status.peers.len()),
    ] {
        assert!(hank.lines().any(|l| l == line), "{line} is not in {hank}");
    }
    for (text, prefix) in [(&carol, "dske_client_"), (&hank, "dske_hub_")] {
        let mut family = String::new();
        for line in text.lines() {
            let mut words = line.split([' ', '{']);
            match (words.next(), words.next()) {
                (Some("#"), Some("HELP")) => family = words.next().unwrap().to_owned(),
                (Some("#"), Some("TYPE")) => {
                    assert_eq!(
                        words.next(),
                        Some(family.as_str()),
                        "HELP comes before TYPE"
                    );
                    let total = family.ends_with("_total");
                    assert_eq!(words.next() == Some("counter"), total, "{family}");
                    assert!(
                        MANUAL.contains(&format!("`{family}`")),
                        "{family} is not in docs/http.md"
                    );
                }
                (Some(name), Some(_)) => assert_eq!(name, family),
                _ => panic!("{line}"),
            }
        }
        assert!(family.starts_with(prefix), "{family}");
    }
}
