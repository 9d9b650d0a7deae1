//! Strangers who speak HTTP, or nearly so, and waste what a node has.

use std::time::Duration;

use actix_rt::net::TcpStream;
use actix_rt::time::{sleep, timeout};
use dske::http::paths;
use dske::protocol::batch::Encoding;
use dske::protocol::wire::KEY_SHARES_PATH;
use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::hold::{Siege, Target};

const SIEGE: Siege = Siege {
    settings: "",
    honest: &[("bob", "carol"), ("carol", "bob")],
    size_bits: 256,
    watched: "h1",
};

/// Opens a connection, sends something, and keeps the connection open without reading. Begins anew when the node has
/// closed it.
async fn send_and_wait(target: &Target, node: &str, bytes: &[u8]) {
    while !target.is_over() {
        let connected = timeout(
            Duration::from_secs(1),
            TcpStream::connect(target.address(node)),
        );
        if let Ok(Ok(mut stream)) = connected.await {
            let sent = timeout(Duration::from_secs(2), stream.write_all(bytes));
            if matches!(sent.await, Ok(Ok(()))) {
                while !target.is_over() && is_open(&stream) {
                    sleep(Duration::from_millis(200)).await;
                }
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Whether the node still holds the connection. Nothing that it sends is taken.
fn is_open(stream: &TcpStream) -> bool {
    match stream.peek(&mut [0]).now_or_never() {
        None => true,
        Some(Ok(read)) => read > 0,
        Some(Err(_)) => false,
    }
}

fn head(path: &str, content_type: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// A node holds 128 MiB of them, in buffers that may be twice as long, and gives the memory back a little later.
#[test]
fn bodies_that_never_end() {
    let held = SIEGE.lay(async |target: Target| {
        let mut request =
            head(KEY_SHARES_PATH, Encoding::Binary.content_type(), 4 << 20).into_bytes();
        request.resize(request.len() + (4 << 20) - 1, b'x');
        join_all((0..200).map(|_| send_and_wait(&target, "h1", &request))).await;
    });
    assert!(held.success >= 0.99, "{held:?}");
    assert!(held.grew_by_mib < 600.0, "{held:?}");
}

/// Each asks for something, and begins to ask for more.
#[test]
fn more_connections_than_a_node_has_descriptors() {
    for node in ["h1", "bob"] {
        let held = SIEGE.lay(async move |target: Target| {
            let begun = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nG";
            let floods = (0..600).map(|_| send_and_wait(&target, node, begun));
            join_all(floods).await;
        });
        assert!(held.success >= 0.99, "{node}: {held:?}");
    }
}

/// Registers as a client at the first hub.
async fn register(target: &Target) -> String {
    let url = format!("http://{}{}", target.address("h1"), paths::REGISTRATION);
    let asked = awc::Client::default().post(url);
    let registered = asked.send_json(&json!({ "client": "mallory" })).await;
    let registered: Value = registered.unwrap().json().await.unwrap();
    registered["registration"].as_str().unwrap().to_owned()
}

fn psrd_request(registration: &str, size: usize) -> Value {
    json!({ "client": "mallory", "registration": registration, "owner": "client", "size": size })
}

/// Registers as a client, and asks for blocks of PSRD that it never reads: large ones, and those of the topology.
#[test]
fn random_data_for_readers_who_never_read() {
    let held = SIEGE.lay(async |target: Target| {
        let registration = register(&target).await;
        let request = |size| {
            let body = psrd_request(&registration, size).to_string();
            head(paths::PSRD, "application/json", body.len()) + &body
        };
        let sizes = [64 << 20, target.topology.psrd.block_bytes];
        let requests: Vec<String> = sizes.into_iter().cycle().take(32).map(request).collect();
        let floods = requests.iter();
        join_all(floods.map(|request| send_and_wait(&target, "h1", request.as_bytes()))).await;
    });
    assert!(held.success >= 0.99, "{held:?}");
    assert!(held.grew_by_mib < 200.0, "{held:?}");
}

/// Requests of a few bytes, whose head names all PSRD that there is.
#[test]
fn messages_that_name_much_and_carry_nothing() {
    let held = SIEGE.lay(async |target: Target| {
        let registration = register(&target).await;
        let url = format!("http://{}{}", target.address("h1"), paths::PSRD);
        let http = awc::Client::default();
        let mut fragments = Vec::new();
        for size in [64 << 20, 64 << 20, 64 << 20, 64 << 10, 64 << 10] {
            let deliver = http
                .post(&url)
                .send_json(&psrd_request(&registration, size));
            let mut delivered = deliver.await.unwrap();
            let block = delivered.json::<Value>().limit(1 << 30).await;
            if let Some(id) = block
                .ok()
                .and_then(|block| Some(block.get("block_id")?.as_str()?.to_owned()))
            {
                fragments.push(format!("{id}:0:{size}"));
            }
        }
        let signature = format!("{};{}", fragments.join(","), "0".repeat(32));
        let body = b"\x07mallory";
        let request = head(KEY_SHARES_PATH, Encoding::Binary.content_type(), body.len());
        let signed = format!("\r\nDSKE-Signature: {signature}\r\n\r\n");
        let mut request = request.replace("\r\n\r\n", &signed).into_bytes();
        request.extend_from_slice(body);
        let attackers = (0..4).map(async |_| {
            while !target.is_over() {
                let Ok(mut stream) = TcpStream::connect(target.address("h1")).await else {
                    continue;
                };
                let mut answer = [0; 1024];
                let _ = stream.write_all(&request).await;
                let _ = timeout(Duration::from_secs(5), stream.read(&mut answer)).await;
            }
        });
        join_all(attackers).await;
    });
    assert!(held.success >= 0.99, "{held:?}");
    assert!(held.grew_by_mib < 200.0, "{held:?}");
}
