//! Accidents of operation: full disks, closed pipes, killed and hung nodes, two clusters in one folder, two commands at once.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod lab;

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use dske::protocol::NodeName;
use dske_testbed::Cluster;
use dske_testbed::process::ProcessCluster;
use lab::{Lab, TOPOLOGY, eventually};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::Signal;

fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A second topology in the folder of a lab, with the same nodes at other ports.
fn second_topology(lab: &Lab) -> u16 {
    let base_port = dske_testbed::process::free_ports(10).unwrap();
    let topology = TOPOLOGY.replace("base_port = 8100", &format!("base_port = {base_port}"));
    std::fs::write(lab.folder().join("second.toml"), topology).unwrap();
    base_port
}

fn post(port: u16, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let host = format!("127.0.0.1:{port}");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n{headers}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_log_that_cannot_be_written_costs_a_node_nothing() {
    let lab = Lab::new(TOPOLOGY);
    // 64 descriptors: connections soon fail, which is logged.
    let dske = env!("CARGO_BIN_EXE_dske");
    let line = format!("ulimit -n 64; exec {dske} hub hank 2>/dev/full");
    let mut node = Command::new("sh")
        .current_dir(lab.folder())
        .args(["-c", &line])
        .spawn()
        .unwrap();
    lab.wait_for("hub", "hank");
    for _ in 0..2 {
        let many: Vec<_> = (0..100)
            .filter_map(|_| TcpStream::connect(("127.0.0.1", lab.base_port)).ok())
            .collect();
        let garbage = many
            .iter()
            .map(|mut stream| stream.write_all(b"\0\r\n\r\n"));
        assert!(garbage.count() > 50);
        std::thread::sleep(Duration::from_millis(300));
        drop(many);
        lab.wait_for("hub", "hank");
    }
    assert!(node.try_wait().unwrap().is_none());
    lab.ok(&["stop", "--hub", "hank"]);
    assert_eq!(node.wait().unwrap().code(), Some(0));
}

#[test]
fn what_strangers_cause_is_not_logged_line_by_line() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start", "--hub", "hank"]);
    for _ in 0..500 {
        let mut stream = TcpStream::connect(("127.0.0.1", lab.base_port)).unwrap();
        let _ = stream.write_all(b"\0\0\0 / HTTP/9.9\r\n\r\n");
        let _ = stream.read(&mut [0; 64]);
    }
    lab.ok(&["stop", "--hub", "hank"]);
    let log = std::fs::read_to_string(lab.folder().join("logs/hub-hank.log")).unwrap();
    assert!(log.contains("hank is listening"), "{log}");
    assert!(log.lines().count() < 100, "{} lines", log.lines().count());
}

#[test]
fn two_clusters_in_one_folder_are_told_apart() {
    let lab = Lab::new(TOPOLOGY);
    second_topology(&lab);
    lab.ok(&["start"]);
    let second = |args: &[&str]| lab.dske(&[&["--topology", "second.toml"], args].concat());
    let started = second(&["start"]);
    assert_eq!(started.code, Some(1), "{}", started.stdout);
    assert!(!started.stdout.contains("Already"), "{}", started.stdout);
    for part in ["nothing was started: hub hank", "topology.toml", "log_dir"] {
        assert!(started.stderr.contains(part), "{part}: {}", started.stderr);
    }
    let shown = second(&["status", "--hub", "hank"]);
    assert_eq!(shown.code, Some(1));
    assert!(
        shown.stdout.contains("its run file is in use: process"),
        "{}",
        shown.stdout
    );
    let stopped = second(&["stop"]);
    assert_eq!(stopped.code, Some(0), "{}", stopped.stderr);
    assert!(!stopped.stdout.contains("Stopping"), "{}", stopped.stdout);
    lab.ok(&["status"]);
    // At the same ports, too, with its files elsewhere.
    let text = std::fs::read_to_string(lab.folder().join("topology.toml")).unwrap();
    let text = format!(
        "log_dir = \"other\"\n{}",
        text.replace("name = \"curtis\"", "name = \"curt\"")
    );
    std::fs::write(lab.folder().join("second.toml"), text).unwrap();
    let shown = second(&["status", "--hub", "hank"]);
    assert!(
        shown
            .stdout
            .contains("a node of another cluster uses its port"),
        "{}",
        shown.stdout
    );
    let started = second(&["start", "--hub", "hank"]);
    assert!(
        started
            .stderr
            .contains("is used by a node of another cluster"),
        "{}",
        started.stderr
    );
    let stopped = second(&["stop", "--hub", "hank"]);
    assert!(
        stopped.stdout.contains("Not running: hub hank"),
        "{}",
        stopped.stdout
    );
    lab.ok(&["status"]);
}

#[test]
fn a_process_that_is_no_node_is_not_killed() {
    let lab = Lab::new(TOPOLOGY);
    std::fs::create_dir(lab.folder().join("logs")).unwrap();
    let path = lab.folder().join("logs/hub-hank.run");
    // This very process: if it were killed, the test would not end.
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    file.lock().unwrap();
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    let pid = std::process::id();
    for text in [
        format!("{pid}"),
        format!("{pid}\n0123456789abcdef-0123456789abcdef\n/elsewhere/topology.toml\n"),
    ] {
        file.set_len(0).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let stopped = lab.ok(&["stop", "--hub", "hank"]);
        assert!(stopped.contains("Not running: hub hank"), "{stopped}");
        let started = lab.fails(1, &["start", "--hub", "hank"]);
        assert!(
            started.contains(&format!("process {pid} holds")),
            "{started}"
        );
        let by_hand = lab.fails(1, &["hub", "hank"]);
        assert!(
            by_hand.contains(&format!("process {pid} holds")),
            "{by_hand}"
        );
    }
}

#[test]
fn two_starts_at_once_and_a_stop_leave_nothing_running() {
    let lab = Lab::new(TOPOLOGY);
    let only = ["--hub", "hank", "--hub", "helen"];
    let start = || {
        lab.command(&[&["start"][..], &only].concat())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both = [start(), start()].map(|start| start.wait_with_output().unwrap());
    let said = both.map(|output| {
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    });
    let together = said.concat();
    assert_eq!(together.matches("Starting hub").count(), 2, "{together}");
    assert_eq!(together.matches("Already running").count(), 2, "{together}");
    lab.ok(&["stop"]);
    std::thread::sleep(Duration::from_millis(1500));
    for port in [lab.base_port, lab.base_port + 1] {
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok(), "{port}");
    }
}

#[test]
fn a_killed_node_starts_again_at_once() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start", "--hub", "hank"]);
    for _ in 0..5 {
        let before = lab.process("hub-hank");
        lab.signal("hub-hank", Signal::KILL);
        let started = lab.ok(&["start", "--hub", "hank"]);
        assert!(started.contains("Starting hub hank"), "{started}");
        assert_ne!(lab.process("hub-hank"), before);
        lab.ok(&["status", "--hub", "hank"]);
    }
}

#[test]
fn a_node_that_hangs_runs_all_the_same() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start", "--hub", "hank"]);
    lab.signal("hub-hank", Signal::STOP);
    let shown = lab.dske(&["status", "--hub", "hank"]);
    assert_eq!(shown.code, Some(1));
    assert!(!shown.stderr.contains("not running"), "{}", shown.stderr);
    assert!(
        shown.stderr.contains("no answer from: hank"),
        "{}",
        shown.stderr
    );
    let started = lab.fails(1, &["start", "--hub", "hank"]);
    assert!(
        started.contains("end it with `dske stop --hub hank`"),
        "{started}"
    );
    lab.signal("hub-hank", Signal::CONT);
    let started = lab.ok(&["start", "--hub", "hank"]);
    assert!(started.contains("Already running: hub hank"), "{started}");
}

#[test]
fn nodes_that_were_removed_from_the_topology_are_named_and_stopped() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start"]);
    let path = lab.folder().join("topology.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    // The last client: all other ports stay.
    let kept = text.replace("    { name = \"curtis\" },\n", "");
    assert_ne!(kept, text);
    std::fs::write(&path, kept).unwrap();
    let shown = lab.dske(&["status"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(
        shown
            .stderr
            .contains("client curtis, which is not in the topology"),
        "{}",
        shown.stderr
    );
    let stopped = lab.ok(&["stop"]);
    assert!(stopped.starts_with("Stopping client curtis"), "{stopped}");
    let port = lab.base_port + 9;
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok(), "{stopped}");
}

#[test]
fn only_who_can_read_its_token_stops_a_node() {
    let lab = Lab::new(TOPOLOGY);
    let mut node = lab.spawn(&["hub", "hank"]);
    lab.wait_for("hub", "hank");
    let logs = lab.folder().join("logs");
    for file in ["hub-hank.run", "hub-hank.token"] {
        let mode = logs.join(file).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let token = std::fs::read_to_string(logs.join("hub-hank.token")).unwrap();
    let path = dske::http::paths::HUB_STOP;
    for headers in [
        String::new(),
        "DSKE-Token: \r\n".to_owned(),
        format!("DSKE-Token: {}0\r\n", &token[1..]),
        format!("Authorization: {token}\r\n"),
    ] {
        let answer = post(lab.base_port, path, &headers);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{headers}: {answer}");
        assert!(answer.contains("`dske stop`"), "{answer}");
    }
    lab.ok(&["status", "--hub", "hank"]);
    let answer = post(lab.base_port, path, &format!("DSKE-Token: {token}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(node.wait().unwrap().success());
    assert!(!logs.join("hub-hank.token").exists());
    // Each run has its own.
    lab.ok(&["start", "--hub", "hank"]);
    let new = std::fs::read_to_string(logs.join("hub-hank.token")).unwrap();
    assert_ne!(new, token);
}

#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_with_one_line() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start"]);
    std::fs::write(
        lab.folder().join("t.yaml"),
        "hubs:\n  - name: hank\n  - name: helen\nmin_nr_shares: 2\nclients:\n  - name: carol\n",
    )
    .unwrap();
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["topology", "check"],
        &["topology", "convert", "t.yaml"],
        &["completions", "bash"],
        &["etsi-qkd", "carol", "celia", "status"],
        &["demo"],
        &["bench", "--duration", "0.2", "--warm-up", "0"],
        &[
            "bench",
            "--duration",
            "0.2",
            "--warm-up",
            "0",
            "--json",
            "-",
        ],
        &["start"],
    ] {
        let into_closed = lab.run_into(closed(), args);
        assert_eq!(
            into_closed.code,
            Some(0),
            "{args:?}: {}",
            into_closed.stderr
        );
        let is_error = |line: &&str| line.starts_with("error") || line.contains("panicked");
        let errors = into_closed.stderr.lines().filter(is_error);
        assert_eq!(errors.count(), 0, "{args:?}: {}", into_closed.stderr);
        let into_full = lab.run_into(full(), args);
        assert_eq!(into_full.code, Some(1), "{args:?}: {}", into_full.stderr);
        let errors = into_full
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "));
        let errors: Vec<_> = errors.collect();
        assert_eq!(errors.len(), 1, "{args:?}: {}", into_full.stderr);
        assert!(
            errors[0].contains("standard output cannot be written: No space left"),
            "{errors:?}"
        );
        assert!(
            !into_full.stderr.contains("panicked"),
            "{}",
            into_full.stderr
        );
    }
    // The key is given out once. What is left is its ID, under which the slave can still get it.
    let get = ["etsi-qkd", "carol", "celia", "get-key"];
    let lost = lab.run_into(full(), &get);
    assert_eq!(lost.code, Some(1));
    let id = lost.stderr.trim_end().rsplit(' ').next().unwrap();
    lab.ok(&["etsi-qkd", "carol", "celia", "get-key-with-key-ids", id]);
    // Errors that nobody can read.
    let mut command = lab.command(&["start", "--hub", "nobody"]);
    assert_eq!(command.stderr(full()).status().unwrap().code(), Some(2));
}

#[test]
fn a_port_of_another_program_is_no_silent_node() {
    let lab = Lab::new(TOPOLOGY);
    let _foreign = TcpListener::bind(("127.0.0.1", lab.base_port)).unwrap();
    let shown = lab.dske(&["status", "--hub", "hank"]);
    assert!(
        shown.stdout.contains("another program uses its port"),
        "{}",
        shown.stdout
    );
    assert!(
        shown.stderr.contains("not running: hank"),
        "{}",
        shown.stderr
    );
}

#[test]
fn tables_have_no_empty_parts_and_no_spaces_at_the_end() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start", "--client", "carol"]);
    let shown = lab.ok(&["status", "--client", "carol"]);
    assert!(!shown.contains("PSRD"), "{shown}");
    lab.ok(&["start"]);
    let shown = lab.ok(&["status"]);
    assert!(shown.contains("PSRD bytes left at hubs"), "{shown}");
    let measured = lab.ok(&["bench", "--duration", "0.2", "--warm-up", "0"]);
    for line in shown.lines().chain(measured.lines()) {
        assert_eq!(line, line.trim_end(), "{line:?}");
    }
}

#[test]
fn options_stand_only_in_the_help_of_commands_that_take_them() {
    let lab = Lab::new(TOPOLOGY);
    for (args, option, is_there) in [
        (&["start", "--help"][..], "--hub", true),
        (&["status", "--help"], "--client", true),
        (&["bench", "--help"], "--hub", false),
        (&["topology", "check", "--help"], "--client", false),
        (&["etsi-qkd", "a", "b", "get-key", "--help"], "--size", true),
        (&["etsi-qkd", "a", "b", "status", "--help"], "--size", false),
        (
            &["etsi-qkd", "a", "b", "get-key-with-key-ids", "--help"],
            "--also",
            false,
        ),
    ] {
        assert_eq!(lab.ok(args).contains(option), is_there, "{args:?} {option}");
    }
}

#[test]
fn a_topology_that_cannot_run_is_refused_when_it_is_checked() {
    let hubs = |first: &str, second: &str| {
        format!(
            "threshold = 2\nhubs = [{{ {first} }}, {{ {second} }}]\nclients = [{{ name = \"carol\" }}]\n"
        )
    };
    let lab = Lab::new(TOPOLOGY);
    for (text, why) in [
        (
            hubs("name = \"a\", address = \"127.0.0.1:0\"", "name = \"b\""),
            "is not an address",
        ),
        (
            hubs(
                "name = \"a\", address = \"127.0.0.1:9000\"",
                "name = \"b\", address = \"localhost:9000\"",
            ),
            "is taken by",
        ),
        (
            hubs("name = \"-a\"", "name = \"b\""),
            "does not begin with '-'",
        ),
        (
            "threshold = 2\nhubs = []\nclients = []\n".to_owned(),
            "there are no hubs",
        ),
    ] {
        std::fs::write(lab.folder().join("bad.toml"), text).unwrap();
        let refused = lab.fails(2, &["--topology", "bad.toml", "topology", "check"]);
        assert!(refused.contains(why), "{why}: {refused}");
    }
}

#[test]
fn a_cluster_is_not_ready_before_its_slowest_hub() {
    let folder = tempfile::tempdir().unwrap();
    // Keeps the process ID, as a node under a tool would.
    let program = folder.path().join("slow");
    let dske = env!("CARGO_BIN_EXE_dske");
    let script =
        format!("#!/bin/sh\ncase \"$*\" in *'hub hank'*) sleep 2;; esac\nexec {dske} \"$@\"\n");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let hank: NodeName = "hank".parse().unwrap();
    actix_rt::System::new().block_on(async {
        let cluster = ProcessCluster::start(Path::new(&program), TOPOLOGY)
            .await
            .unwrap();
        for client in &cluster.topology().clients {
            let status = cluster.client_status(&client.name).await.unwrap();
            let link = &status
                .hubs
                .iter()
                .find(|hub| hub.name == hank)
                .unwrap()
                .link;
            assert!(link.registered && link.up_bytes_left > 0, "{}", client.name);
        }
    });
}

#[test]
fn a_signal_reaches_a_node_in_the_background_alone() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start", "--hub", "hank", "--hub", "helen"]);
    lab.signal("hub-hank", Signal::TERM);
    eventually(|| {
        let shown = lab.dske(&["status", "--hub", "hank"]);
        let ended = shown.stderr.contains("not running: hank");
        ended.then_some(()).ok_or(shown.stdout)
    });
    lab.ok(&["status", "--hub", "helen"]);
}
