//! The OpenAPI documents, as they are: every route is in them, every link leads somewhere, every schema fits.

use std::collections::BTreeSet;
use std::rc::Rc;

use actix::Actor;
use actix_web::test as web_test;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpRequest};
use dske::http::management::Management;
use dske::http::{client_routes, hub_routes};
use dske::node::client::ClientNode;
use dske::node::hub::{HubHandle, HubNode};
use dske::protocol::Refusal;
use dske::protocol::hub::{Hub, OobError};
use dske::protocol::message::{
    DepositBody, DepositReply, Encrypted, FetchAnswer, FetchReply, FetchResult, FoundShare,
};
use dske::protocol::wire::KEY_SHARE_PATH;
use dske::topology::Topology;
use dske_testbed::local::Switch;
use dske_testbed::seed::node_rng;
use serde_json::{Value, json};

use crate::{TOPOLOGY, schema};

pub(crate) fn hub_document() -> Value {
    serde_json::to_value(hub_routes::document()).unwrap()
}

pub(crate) fn client_document() -> Value {
    serde_json::to_value(client_routes::document()).unwrap()
}

/// The paths of a document. Their parameters lose their names, since routes name them differently.
fn paths(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    paths.keys().map(|path| nameless(path)).collect()
}

fn nameless(path: &str) -> String {
    let mut pieces = path.split('{');
    let start = pieces.next().unwrap().to_owned();
    pieces.fold(start, |path, piece| {
        path + "{}" + piece.split_once('}').unwrap().1
    })
}

/// Every path that an app has routes for, according to the map from which actix-web makes URLs.
fn routes(configure: impl FnOnce(&mut ServiceConfig, &Management)) -> BTreeSet<String> {
    let map = actix_rt::System::new().block_on(async {
        let management = Management::none();
        let show = |http: HttpRequest| async move { format!("{:#?}", http.resource_map()) };
        let app = App::new()
            .configure(|config: &mut ServiceConfig| configure(config, &management))
            .default_service(web::to(show));
        let app = web_test::init_service(app).await;
        let request = web_test::TestRequest::with_uri("/nowhere").to_request();
        let body = web_test::call_and_read_body(&app, request).await;
        String::from_utf8(body.to_vec()).unwrap()
    });
    let mut found = BTreeSet::new();
    // The resources around the current line, each with its indentation and its whole path.
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
    let routes = routes(|config, management| {
        let topology = Topology::parse("topology.toml", TOPOLOGY).unwrap();
        let hank = topology.hub(&"hank".parse().unwrap()).unwrap();
        let hub = HubNode::new(Hub::new(hank, Box::new(node_rng(1, "hank", 0)))).start();
        hub_routes::configure(config, &HubHandle::from(hub), management);
    });
    assert!(routes.contains(KEY_SHARE_PATH), "{routes:?}");
    assert_eq!(routes, paths(&hub_document()));
}

#[test]
fn every_route_of_a_client_is_in_its_document() {
    let routes = routes(|config, management| {
        let topology = Topology::parse("topology.toml", TOPOLOGY).unwrap();
        let carol = topology.client(&"carol".parse().unwrap()).unwrap();
        let rng = Box::new(node_rng(1, "carol", 0));
        let client = ClientNode::start(carol, rng, |_| Rc::new(Switch::default()));
        client_routes::configure(config, &client, management);
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
