//! Requests that never end, answers that nobody reads, and more connections than there are descriptors, against real
//! processes: who sends its requests without delay does not notice.
#![allow(clippy::unwrap_used)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use common::nodes::Caller;
use common::raw::Connection;
use dske::http::connections::{BYTES_MAX, REQUEST_WITHIN};
use dske::http::paths;
use dske::protocol::limits::BODY_BYTES_MAX;
use dske::protocol::wire::KEY_SHARE_PATH;
use dske_testbed::process::ProcessCluster;
use dske_testbed::{Cluster, KeyRequest};
use futures_util::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::sleep;

const TOPOLOGY: &str = include_str!("../../topology.toml");

const BINARY: &str = env!("CARGO_BIN_EXE_dske");

/// What a node grants a request, and some time for a machine that is busy.
const OVER: Duration = Duration::from_secs(REQUEST_WITHIN.as_secs() + 5);

struct Nodes {
    cluster: ProcessCluster,
    caller: Caller,
}

impl Nodes {
    async fn start(binary: &Path) -> Self {
        let cluster = ProcessCluster::start(binary, TOPOLOGY).await.unwrap();
        Self {
            caller: Caller::new(cluster.topology()),
            cluster,
        }
    }

    async fn connect(&self, node: &str) -> Connection {
        Connection::open(self.caller.address(node)).await
    }

    /// Calls succeed, one after the other.
    async fn work(&self, calls: usize) {
        let (carol, celia) = ("carol".parse().unwrap(), "celia".parse().unwrap());
        for _ in 0..calls {
            let given = self
                .cluster
                .get_key(&carol, &celia, &KeyRequest::default())
                .await
                .unwrap();
            let id = given.keys[0].key_ID.parse().unwrap();
            let fetched = self.cluster.get_key_with_ids(&celia, &carol, &[id]).await;
            assert_eq!(given, fetched.unwrap());
        }
    }

    /// Resident memory of a node, in bytes.
    async fn memory(&self, node: &str) -> usize {
        let url = self.caller.url(node, paths::METRICS);
        let answer = self.caller.send("GET", url, None, Vec::new()).await;
        let mut lines = answer.text.lines();
        lines
            .find_map(|line| line.strip_prefix("process_resident_memory_bytes "))
            .map_or(0, |bytes| bytes.parse::<f64>().unwrap() as usize)
    }
}

fn post(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

const STATUS: &str = "GET /dske/hub/mgmt/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn what_never_ends_is_ended_and_harms_nobody() {
    actix_rt::System::new().block_on(async {
        let nodes = Nodes::start(Path::new(BINARY)).await;
        tokio::join!(
            bodies_that_never_end(&nodes),
            a_body_that_stops(&nodes),
            a_first_head_that_stops(&nodes),
            a_second_head_that_stops(&nodes),
            a_body_that_nobody_reads(&nodes),
            an_answer_that_nobody_reads(&nodes),
        );
        nodes.work(3).await;
    });
}

/// More bytes than a node has for them: those go that have been arriving longest.
async fn bodies_that_never_end(nodes: &Nodes) {
    let before = nodes.memory("helen").await;
    let body = vec![b' '; 2 << 20];
    let mut connections = Vec::new();
    for _ in 0..150 {
        let mut connection = nodes.connect("helen").await;
        connection.write(post(KEY_SHARE_PATH, BODY_BYTES_MAX)).await;
        connection.push(&body).await;
        connections.push(connection);
    }
    assert!(150 * body.len() > 2 * BYTES_MAX);
    let grown = nodes.memory("helen").await.saturating_sub(before);
    // Buffers that grow by doubling may hold twice what is in them.
    assert!(grown < 2 * BYTES_MAX + (64 << 20), "{grown}");
    nodes.work(3).await;
    let (mut shed, mut late) = (0, 0);
    for answer in join_all(connections.iter_mut().map(|c| c.response(false))).await {
        // Who was still sending may not see the answer.
        let Some(answer) = answer else {
            shed += 1;
            continue;
        };
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(body["message"].is_string() && answer.closes());
        match answer.status {
            503 => {
                assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
                shed += 1;
            }
            408 => late += 1,
            status => panic!("{status}"),
        }
    }
    assert!(shed > 0 && late > 0, "{shed} shed, {late} late");
}

async fn a_body_that_stops(nodes: &Nodes) {
    for path in [KEY_SHARE_PATH, paths::REGISTRATION] {
        let mut connection = nodes.connect("hank").await;
        let answer = connection.ask(post(path, 100) + "{").await;
        assert_eq!(answer.status, 408, "{path}");
        assert!(answer.closes());
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["message"], "the request did not arrive within 10s");
    }
}

async fn a_first_head_that_stops(nodes: &Nodes) {
    for begun in ["", "G", "GET / HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut connection = nodes.connect("hank").await;
        connection.write(begun).await;
        let answer = connection.response(false).await;
        assert_eq!(answer.expect("it says why").status, 408, "{begun:?}");
        connection.end(OVER).await;
    }
}

async fn a_second_head_that_stops(nodes: &Nodes) {
    for begun in ["G", "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-"] {
        let mut connection = nodes.connect("hank").await;
        for _ in 0..2 {
            assert_eq!(connection.ask(STATUS).await.status, 200);
        }
        connection.write(begun).await;
        connection.end(OVER).await;
    }
}

/// The node answers at once, and reads on to keep the connection.
async fn a_body_that_nobody_reads(nodes: &Nodes) {
    let mut connection = nodes.connect("hank").await;
    let chunked = STATUS.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.ask(chunked + "1\r\n").await;
    connection.end(OVER).await;
}

async fn an_answer_that_nobody_reads(nodes: &Nodes) {
    let file = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut connection = nodes.connect("hank").await;
    let one = connection.ask(file).await;
    assert_eq!(one.status, 200);
    // More than the buffers of the system take.
    let number = (32 << 20) / one.body.len();
    connection.push(file.repeat(number).as_bytes()).await;
    sleep(OVER).await;
    let read = connection.end(OVER).await;
    assert!(read < number * one.body.len(), "the rest is not written");
}

/// Runs the command with few descriptors.
fn with_few_descriptors(folder: &Path, number: usize) -> std::path::PathBuf {
    let script = folder.join("dske");
    let text = format!("#!/bin/sh\nulimit -n {number}\nexec '{BINARY}' \"$@\"\n");
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}

#[test]
fn more_connections_than_descriptors_silence_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let few = with_few_descriptors(folder.path(), 120);
    actix_rt::System::new().block_on(async {
        let nodes = Nodes::start(&few).await;
        let mut connections = Vec::new();
        for round in 0..3 {
            for node in ["hank", "carol"] {
                for _ in 0..100 {
                    let mut connection = nodes.connect(node).await;
                    connection.push(b"G").await;
                    connections.push(connection);
                }
            }
            nodes.work(3).await;
            assert_eq!(connections.len(), 200 * (round + 1));
        }
        join_all(connections.iter_mut().map(|c| c.end(OVER))).await;
        nodes.work(1).await;
    });
}

/// Connections that wait until the node looks at them: it does not right now.
#[test]
fn a_burst_of_connections_is_not_turned_away() {
    actix_rt::System::new().block_on(async {
        let nodes = Nodes::start(Path::new(BINARY)).await;
        let hank = nodes.cluster.process_id(&"hank".parse().unwrap()).unwrap();
        let hank = Pid::from_raw(i32::try_from(hank).unwrap()).unwrap();
        kill_process(hank, Signal::STOP).unwrap();
        let connections = join_all((0..300).map(|_| nodes.connect("hank"))).await;
        kill_process(hank, Signal::CONT).unwrap();
        for mut connection in connections {
            assert_eq!(connection.ask(STATUS).await.status, 200);
        }
    });
}
