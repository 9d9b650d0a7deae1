//! Nodes serve what their OpenAPI documents describe: every operation with its examples, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use dske::http::paths;
use dske::protocol::wire::{KEY_SHARE_PATH, KEY_SHARES_PATH};
use dske::topology::Role;
use dske_testbed::files::token;
use dske_testbed::process::ProcessCluster;
use dske_testbed::{Cluster, KeyRequest};
use serde_json::{Value, json};

use crate::common::nodes::{Answer, Caller};
use crate::document::{client_document, hub_document};
use crate::metrics::metrics_say_what_the_status_says;
use crate::{MANUAL, TOPOLOGY, schema};

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];

/// The ID that the examples have in place of one that a node has given out.
const EXAMPLE_ID: &str = "bc490419-7d60-487f-adc1-4ddcc177c139";

pub(crate) struct Nodes {
    pub(crate) cluster: ProcessCluster,
    caller: Caller,
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
        let caller = Caller {
            http: awc::Client::builder().disable_redirects().finish(),
            ..Caller::new(cluster.topology())
        };
        Self { cluster, caller }
    }

    async fn get(&self, node: &str, path: &str) -> Answer {
        let url = self.caller.url(node, path);
        self.caller.send("GET", url, None, Vec::new()).await
    }

    pub(crate) async fn text(&self, node: &str, path: &str) -> String {
        let answer = self.get(node, path).await;
        assert_eq!(answer.status, 200, "{node} {path}");
        answer.text
    }

    async fn post(&self, node: &str, path: &str, caller: Option<&str>, body: Value) -> Answer {
        let (url, body) = (self.caller.url(node, path), body.to_string());
        self.caller.send("POST", url, caller, body.into()).await
    }

    /// Sends what the examples say, with `id` in place of the ID in them, and checks the answer against the document.
    async fn send(&self, node: &str, call: &Call<'_>, caller: &str, id: &str) -> Answer {
        let Call {
            document,
            path,
            method,
            operation,
        } = call;
        let (target, mut headers) = example_of(call, id);
        let needed = operation["security"].as_array().into_iter().flatten();
        for name in needed.flat_map(|needed| needed.as_object().unwrap().keys()) {
            let scheme = &document["components"]["securitySchemes"][name];
            assert_eq!(scheme["in"], "header");
            let value = match name.as_str() {
                "token" => self.token(node),
                _ => caller.to_owned(),
            };
            headers.push((scheme["name"].as_str().unwrap(), value));
        }
        let body = match &operation["requestBody"]["content"]["application/json"]["example"] {
            Value::Null => String::new(),
            body => {
                headers.push(("Content-Type", "application/json".to_owned()));
                body.to_string().replace(EXAMPLE_ID, id)
            }
        };
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let url = self.caller.url(node, &target);
        let answer = self
            .caller
            .send_with(method, url, &headers, body.into())
            .await;
        let what = format!("{method} {target} at {node}: {}", answer.status);
        let described = &operation["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{what} is not described");
        for (header, _) in described["headers"].as_object().into_iter().flatten() {
            assert!(
                answer.header(&header.to_lowercase()).is_some(),
                "{what} {header}"
            );
        }
        let content = described["content"].as_object();
        let Some((kind, content)) = content.and_then(|content| content.iter().next()) else {
            assert!(answer.text.is_empty(), "{what}");
            return answer;
        };
        let sent = answer.header("content-type").unwrap();
        assert!(
            kind == "*/*" || sent.starts_with(kind.as_str()),
            "{what}: {sent}"
        );
        if kind == "application/json" && *path != paths::OPENAPI {
            let fits = schema::fits(document, &content["schema"], &answer.body);
            assert_eq!(fits, Ok(()), "{what}: {}", answer.text);
        }
        answer
    }

    fn token(&self, node: &str) -> String {
        let topology = self.cluster.topology();
        let name = node.parse().unwrap();
        let role = match topology.hubs.iter().any(|hub| hub.name == name) {
            true => Role::Hub,
            false => Role::Client,
        };
        token(topology, role, &name).unwrap()
    }

    /// A key that carol was given and celia was not, yet.
    async fn fresh_key(&self) -> String {
        let (carol, celia) = ("carol".parse().unwrap(), "celia".parse().unwrap());
        let request = KeyRequest::default();
        let given = self.cluster.get_key(&carol, &celia, &request).await;
        given.unwrap().keys[0].key_ID.clone()
    }

    async fn registration(&self) -> String {
        let request = json!({"client": "carol"});
        let answer = self.post("hank", paths::REGISTRATION, None, request).await;
        answer.body["registration"].as_str().unwrap().to_owned()
    }
}

/// The path with its query, and the headers, as the examples of the parameters say.
fn example_of<'a>(call: &Call<'a>, id: &str) -> (String, Vec<(&'a str, String)>) {
    let (mut path, mut query, mut headers) = (call.path.to_owned(), Vec::new(), Vec::new());
    let parameters = call.operation["parameters"].as_array();
    for parameter in parameters.into_iter().flatten() {
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
    (path, headers)
}

#[test]
fn every_call_of_the_documents_is_served_and_no_other() {
    actix_rt::System::new().block_on(async {
        let nodes = Nodes::start().await;
        for (node, document) in [("carol", client_document()), ("hank", hub_document())] {
            assert_eq!(nodes.get(node, paths::OPENAPI).await.body, document);
            for (path, item) in document["paths"].as_object().unwrap() {
                assert!(
                    MANUAL.contains(&format!("`{path}`")),
                    "{path} is not in docs/http.md"
                );
                for method in METHODS {
                    let operation = &item[method.to_lowercase()];
                    if operation.is_null() {
                        let url = nodes.caller.url(node, &path.replace(['{', '}'], ""));
                        let answer = nodes.caller.send(method, url, None, Vec::new()).await;
                        let status = answer.status;
                        assert!(matches!(status, 404 | 405), "{method} {path}: {status}");
                    } else if !path.ends_with("/stop") {
                        let document = &document;
                        let call = Call {
                            document,
                            path,
                            method,
                            operation,
                        };
                        a_call_is_served(&nodes, node, &call).await;
                    }
                }
            }
        }
        every_part_of_a_key_request_is_understood(&nodes).await;
        errors_fit_their_schema(&nodes).await;
        the_page_is_whole(&nodes).await;
        metrics_say_what_the_status_says(&nodes).await;
        for (node, path, document) in [
            ("carol", paths::CLIENT_STOP, client_document()),
            ("hank", paths::HUB_STOP, hub_document()),
        ] {
            let (document, method) = (&document, "POST");
            let operation = &document["paths"][path]["post"];
            let call = Call {
                document,
                path,
                method,
                operation,
            };
            assert_eq!(nodes.send(node, &call, "", "").await.status, 200);
        }
    });
}

async fn a_call_is_served(nodes: &Nodes, node: &str, call: &Call<'_>) {
    let (node, id) = match call.path {
        paths::PSRD => (node, nodes.registration().await),
        // The client of the slave fetches keys.
        path if path.ends_with("/dec_keys") => ("celia", nodes.fresh_key().await),
        _ => (node, EXAMPLE_ID.to_owned()),
    };
    let answer = nodes.send(node, call, node, &id).await;
    let wanted = match call.path {
        // Nobody can sign an example.
        KEY_SHARE_PATH => 401,
        // The page has no way to write a binary body.
        KEY_SHARES_PATH => 415,
        paths::DOCS => 302,
        _ => 200,
    };
    let Call { path, method, .. } = call;
    assert_eq!(answer.status, wanted, "{method} {path}: {}", answer.text);
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
    let path = "/api/v1/keys/celia/enc_keys";
    for (name, value) in parts {
        let answer = nodes
            .post("carol", path, Some("carol"), json!({ name: value }))
            .await;
        assert_eq!(answer.status, 200, "{name}");
    }
    let answer = nodes
        .post("carol", path, Some("carol"), json!({"another": 1}))
        .await;
    assert_eq!(answer.status, 400);
}

async fn errors_fit_their_schema(nodes: &Nodes) {
    let document = client_document();
    let schema = &document["components"]["schemas"]["Error"];
    for (caller, status) in [("celia", 400), ("nobody", 401)] {
        let path = format!("/api/v1/keys/carol/dec_keys?key_ID={EXAMPLE_ID}");
        let url = nodes.caller.url("celia", &path);
        let answer = nodes
            .caller
            .send("GET", url, Some(caller), Vec::new())
            .await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(
            schema::fits(&document, schema, &answer.body),
            Ok(()),
            "{}",
            answer.text
        );
    }
}

async fn the_page_is_whole(nodes: &Nodes) {
    // Relative, so that a proxy may put a prefix before all paths.
    for (path, location) in [("/docs", "docs/index.html"), ("/docs/", "index.html")] {
        let answer = nodes.get("hank", path).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some(location)),
            "{path}"
        );
    }
    for (file, kind) in [
        ("index.html", "text/html"),
        ("index.css", "text/css"),
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui-standalone-preset.js", "text/javascript"),
        ("swagger-initializer.js", "text/javascript"),
    ] {
        let answer = nodes.get("hank", &format!("/docs/{file}")).await;
        assert_eq!(
            (answer.status, answer.text.is_empty()),
            (200, false),
            "{file}"
        );
        assert_eq!(answer.header("content-type"), Some(kind), "{file}");
        // The browser refuses whatever is not the node's own.
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self';"));
    }
    let settings = nodes.text("hank", "/docs/swagger-initializer.js").await;
    assert!(settings.contains("\"../openapi.json\""), "{settings}");
    assert!(
        settings.contains("\"validatorUrl\": \"none\""),
        "{settings}"
    );
    for path in [
        "/docs/nothing",
        "/docs//",
        "/docs/a/b",
        "/docs/..%2fCargo.toml",
        "/docs/%2e%2e",
    ] {
        assert_eq!(nodes.get("hank", path).await.status, 404, "{path}");
    }
}
