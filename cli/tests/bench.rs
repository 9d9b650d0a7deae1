//! `dske bench` as a person types it: real processes, and KMEs that lie.
#![allow(clippy::unwrap_used)]

mod lab;

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use dske::http::paths;
use dske::topology::Role;
use dske_testbed::load::LoadReport;
use lab::{Lab, TOPOLOGY, patient};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

const QUICK: [&str; 4] = ["--warm-up", "0.1", "--duration", "0.5"];

fn bench<'a>(options: &[&'a str]) -> Vec<&'a str> {
    [&["bench"], options].concat()
}

/// Measures the closed loop for as long as it takes until all nodes but one have worked: that depends on the machine.
fn closed_loop(lab: &Lab) -> (LoadReport, String, f64) {
    for seconds in ["0.5", "2", "8", "32"] {
        let options = ["--warm-up", "0.1", "--duration", seconds];
        let options = [&options[..], &["--concurrency", "4", "--json", "-"]].concat();
        let output = lab.dske(&bench(&options));
        let Ok(report) = serde_json::from_str::<LoadReport>(&output.stdout) else {
            panic!("{}{}", output.stdout, output.stderr)
        };
        let worked = report.nodes.iter().filter(|node| node.cpu_s > Some(0.0));
        if worked.count() == 9 && report.keys > 0 {
            assert_eq!(output.code, Some(0), "{}", output.stderr);
            return (report, output.stderr, seconds.parse().unwrap());
        }
    }
    panic!("the nodes have hardly worked in half a minute");
}

/// Both loops, and what the nodes say of themselves, one of them being away.
#[test]
fn a_running_cluster_is_measured() {
    let lab = Lab::new(&patient());
    lab.ok(&["start"]);
    lab.ok(&["stop", "--hub", "hugo"]);

    let (report, shown, seconds) = closed_loop(&lab);
    assert_eq!(report.keys, report.operations);
    assert!(report.errors.is_empty() && report.mismatches == 0);
    assert!(!report.interrupted && (report.elapsed_s - seconds).abs() < 0.01);
    assert!((report.keys_per_s - report.keys as f64 / report.elapsed_s).abs() < 1e-6);
    for latencies in [&report.get_key, &report.get_key_with_ids, &report.both] {
        assert!(latencies.count > 0 && latencies.p50_us <= latencies.max_us);
        let bars: u64 = latencies.buckets.iter().map(|bar| bar.count).sum();
        assert_eq!(bars, latencies.count);
    }
    assert!(report.both.mean_us > report.get_key.mean_us);
    assert_eq!(report.load.pairs.len(), 5);
    assert_eq!(report.nodes.len(), 10);
    for node in &report.nodes {
        if node.name.as_str() == "hugo" {
            assert_eq!((node.cpu_s, node.rss_bytes), (None, None));
            continue;
        }
        assert!(node.cpu_s.unwrap() > 0.0, "{node:?}");
        assert!(node.profile.is_some());
        assert_eq!(node.psrd_bytes.is_some(), node.role == Role::Client);
        if cfg!(target_os = "linux") {
            assert!(node.rss_bytes.unwrap() > 1_000_000, "{node:?}");
        }
    }
    // Four hubs; for each key and hub a share with its tag's secret and two MAC keys, both as it is deposited and as it
    // is fetched: at least 4 × 2 × (32 + 48 + 2 × 32).
    let psrd: u64 = report.nodes.iter().filter_map(|node| node.psrd_bytes).sum();
    assert!(
        psrd / report.keys >= 4 * 2 * 144 / 2,
        "{}",
        psrd / report.keys
    );
    // What is printed for people says the same.
    for part in ["closed loop, 4 at a time", "p99.99", "hugo", "(generator)"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let warns = shown.contains("warning: built without optimisation");
    assert_eq!(warns, cfg!(debug_assertions), "{shown}");

    std::fs::write(lab.folder().join("report.json"), "x".repeat(100_000)).unwrap();
    let options = [
        &QUICK[..],
        &["--rate", "40", "--number", "3", "--size", "512"],
        &["--pair", "celia:carol", "--json", "report.json"],
    ]
    .concat();
    let shown = lab.ok(&bench(&options));
    assert!(shown.contains("open loop, 40 a second, 3 keys of 512 bits a call, for celia:carol"));
    let written = std::fs::read_to_string(lab.folder().join("report.json")).unwrap();
    let report: LoadReport = serde_json::from_str(&written).unwrap();
    // 0.5 s at 40 a second.
    assert!((19..=20).contains(&report.both.count), "{:?}", report.both);
    assert_eq!(report.keys, 3 * report.operations);
    let mbit = report.keys_per_s * 512.0 / 1e6;
    assert!((report.mbit_per_s - mbit).abs() < 1e-9);

    // More than one operation at a time is needed for that. The first is due when the time begins, and counts whenever it
    // ends.
    let options = ["--warm-up", "0", "--duration", "0.5"];
    let options = [
        &options[..],
        &["--rate", "20000", "--in-flight-max", "1", "--json", "-"],
    ]
    .concat();
    let output = lab.dske(&bench(&options));
    assert_eq!(output.code, Some(1));
    let report: LoadReport = serde_json::from_str(&output.stdout).unwrap();
    let due = report.errors["generator-overloaded"] + report.both.count;
    assert!((9_999..=10_001).contains(&due), "none is left out: {due}");
    let expected = format!(
        "error: {} of {due} operations failed",
        report.errors_total()
    );
    assert!(output.stderr.contains(&expected), "{}", output.stderr);
    lab.ok(&bench(&[&options[..], &["--allow-errors"]].concat()));
}

#[test]
fn where_all_operations_fail_nothing_is_measured() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start"]);
    lab.ok(&["stop", "--hub", "hank", "--hub", "helen", "--hub", "hugo"]);
    // The first begins in time, whenever it fails.
    let options = ["--warm-up", "0", "--duration", "1", "--concurrency", "1"];
    let failed = lab.fails(1, &bench(&options));
    let (_, said) = failed.split_once("nothing was measured: all ").unwrap();
    let (number, said) = said.split_once(' ').unwrap();
    assert!(number.parse::<u64>().unwrap() > 0, "{failed}");
    assert!(said.starts_with("operations failed"), "{failed}");
}

#[test]
fn an_interrupt_ends_the_measuring_and_what_was_measured_is_shown() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start"]);
    for (warm_up, code, shown) in [("0", Some(0), "(stopped early)"), ("60", Some(1), "")] {
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_dske"))
            .current_dir(lab.folder())
            .args(["bench", "--duration", "60", "--warm-up", warm_up])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Long enough for it to have begun.
        std::thread::sleep(Duration::from_secs(2));
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), code, "{stdout}{stderr}");
        assert!(stdout.contains(shown), "{stdout}");
        let early = stderr.contains("it was stopped before anything was measured");
        assert_eq!(early, code == Some(1), "{stderr}");
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused_before_anything_is_sent() {
    let lab = Lab::new(TOPOLOGY);
    for (options, says) in [
        (
            &["--rate", "0"][..],
            "the rate per second must be 0.001 to 1000000, not 0",
        ),
        (&["--rate", "-5"], "not -5"),
        (&["--rate", "NaN"], "not NaN"),
        (&["--rate", "inf"], "not inf"),
        (&["--rate", "1e9"], "not 1000000000"),
        (&["--rate", "fast"], "invalid float literal"),
        (
            &["--rate", "5", "--concurrency", "2"],
            "cannot be used with",
        ),
        (
            &["--rate", "5", "--in-flight-max", "0"],
            "the number in flight must be 1 to 4096",
        ),
        (&["--in-flight-max", "5"], "--rate"),
        (
            &["--concurrency", "0"],
            "the concurrency must be 1 to 4096, not 0",
        ),
        (&["--concurrency", "5000"], "not 5000"),
        (&["--concurrency", "-1"], "invalid digit"),
        (
            &["--duration", "0"],
            "the duration in seconds must be 0.001 to 86400, not 0",
        ),
        (&["--duration", "86401"], "not 86401"),
        (&["--duration", "-1"], "negative"),
        (
            &["--duration", "soon"],
            "a number of seconds, such as 10 or 0.5",
        ),
        (
            &["--warm-up", "86401"],
            "the warm-up in seconds must be 0 to 86400",
        ),
        (
            &["--pair", "carol"],
            "a pair is two SAEs, such as carol:celia",
        ),
        (&["--pair", "carol:carol"], "carol is paired with itself"),
        (
            &["--pair", "carol:nobody"],
            "there is no SAE nobody in the topology; there are carol, celia",
        ),
        (&["--hub", "hank"], "unexpected argument '--hub'"),
    ] {
        let failed = lab.fails(2, &bench(options));
        assert!(failed.contains(says), "{options:?}: {failed}");
    }
    let report = lab.folder().join("report.json");
    std::fs::write(&report, "an older one").unwrap();
    lab.fails(1, &bench(&["--json", "report.json"]));
    assert_eq!(std::fs::read_to_string(&report).unwrap(), "an older one");
    let failed = lab.fails(1, &bench(&["--json", "no/such/folder/report.json"]));
    assert!(
        failed.contains("cannot be written; name another file with --json"),
        "{failed}"
    );
    // Nothing runs so far.
    let failed = lab.fails(1, &bench(&[]));
    assert!(
        failed.contains("does not answer") && failed.contains("start the nodes with `dske start`"),
        "{failed}"
    );
    let many = std::process::Command::new("sh")
        .current_dir(lab.folder())
        .args(["-c", "ulimit -n 64; exec \"$0\" bench --concurrency 100"])
        .arg(env!("CARGO_BIN_EXE_dske"))
        .output()
        .unwrap();
    let says = String::from_utf8(many.stderr).unwrap();
    assert_eq!(many.status.code(), Some(2), "{says}");
    assert!(says.contains("raise the limit with `ulimit -n`"), "{says}");

    // What the KME says of itself.
    lab.ok(&["start"]);
    for (options, says) in [
        (
            &["--size", "32"][..],
            "the size of a key in bits must be 64 to 65536, not 32",
        ),
        (&["--size", "65544"], "not 65544"),
        (
            &["--size", "100"],
            "the size of a key in bits must be a multiple of 8, not 100",
        ),
        (
            &["--number", "0"],
            "the number of keys in a call must be 1 to 128, not 0",
        ),
        (&["--number", "129"], "not 129"),
    ] {
        let failed = lab.fails(2, &bench(options));
        assert!(failed.contains(says), "{options:?}: {failed}");
    }
    // A topology that is not the one of the running nodes.
    let ours = std::fs::read_to_string(lab.folder().join("topology.toml")).unwrap();
    for (from, to, says) in [
        (
            "\"carol\"",
            "\"clara\"",
            "is not client clara of this topology: it is client carol",
        ),
        (
            "\"hugo\"",
            "\"hubert\"",
            "its hubs are hank, helen, hilary, holly, hugo, not hank, helen, hilary, holly, hubert",
        ),
        ("    { name = \"hugo\" },\n", "", "of this topology: "),
    ] {
        std::fs::write(lab.folder().join("other.toml"), ours.replace(from, to)).unwrap();
        let failed = lab.fails(1, &bench(&["--topology", "other.toml"]));
        assert!(failed.contains(says), "{from}: {failed}");
        assert!(
            failed.contains("is it the topology that the nodes were started with?"),
            "{failed}"
        );
    }
}

/// Two KMEs that give `master` to masters and `slave` to slaves.
fn lying_kmes(master: &'static str, slave: &'static str) -> Lab {
    let lab = Lab::new(TOPOLOGY);
    let hubs = ["hank", "helen", "hilary", "holly", "hugo"].map(|name| {
        json!({"name": name, "x": 1, "blame": {}, "registered": true, "up_bytes_left": 0, "down_bytes_left": 0,
            "in_flight": 0, "registrations": 0, "refills": 0, "retries": 0, "unverified": 0, "psrd_exhausted": 0})
    });
    for (name, port) in ["carol", "celia"].into_iter().zip(lab.base_port + 5..) {
        let status = json!({"name": name, "uptime_ms": 1, "saes": [name], "claims": 0, "calls_in_flight": 0, "hubs": hubs, "keys_requested": 0,
            "keys_established": 0, "keys_fetched": 0, "establish_failures": 0, "fetch_failures": 0, "late_shares": 0,
            "error_corrections": 0, "subset_searches": 0, "subsets_tried": 0,
            "search_bytes": 0, "alarms": 0});
        let etsi = json!({"source_KME_ID": "carol", "target_KME_ID": "celia", "master_SAE_ID": "carol",
            "slave_SAE_ID": "celia", "key_size": 256, "stored_key_count": 1, "max_key_count": 1,
            "max_key_per_request": 128, "max_key_size": 1024, "min_key_size": 8, "max_SAE_ID_count": 0});
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        std::thread::spawn(move || {
            let container = |key: &str| {
                let id = "bc490419-7d60-487f-adc1-4ddcc177c139";
                json!({"keys": [{"key_ID": id, "key": key}]})
            };
            let answers = [
                (paths::CLIENT_STATUS, status),
                ("/api/v1/keys/{sae}/status", etsi),
                ("/api/v1/keys/{sae}/enc_keys", container(master)),
                ("/api/v1/keys/{sae}/dec_keys", container(slave)),
            ];
            let app = move || {
                let app = App::new();
                answers.clone().into_iter().fold(app, |app, (path, body)| {
                    app.route(
                        path,
                        web::to(move || std::future::ready(HttpResponse::Ok().json(&body))),
                    )
                })
            };
            let server = HttpServer::new(app).workers(1).disable_signals();
            actix_rt::System::new().block_on(server.listen(listener).unwrap().run())
        });
    }
    lab
}

#[test]
fn wrong_keys_fail_the_command_whatever_else_is_allowed() {
    for (master, slave, kind) in [
        ("AAAAAA==", "AAAAAA==", None),
        ("AAAAAA==", "AAAAAQ==", Some("keys-differ")),
        ("AAAAAAA=", "AAAAAAA=", Some("wrong-size-of-a-key")),
    ] {
        let lab = lying_kmes(master, slave);
        let options = [
            &QUICK[..],
            &[
                "--concurrency",
                "1",
                "--pair",
                "carol:celia",
                "--size",
                "32",
            ],
            &["--allow-errors", "--json", "-"],
        ]
        .concat();
        let output = lab.dske(&bench(&options));
        let report: LoadReport = serde_json::from_str(&output.stdout).unwrap();
        let kinds: Vec<&str> = report.errors.keys().map(String::as_str).collect();
        assert_eq!(kinds, Vec::from_iter(kind));
        assert_eq!(report.mismatches > 0, kind.is_some());
        assert_eq!(report.keys > 0, kind.is_none());
        let code = if kind.is_some() { 1 } else { 0 };
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        let said = output
            .stderr
            .contains("the keys differed between the two sides");
        assert_eq!(said, kind.is_some(), "{}", output.stderr);
        // KMEs that are not ours have no metrics.
        assert!(report.nodes.iter().all(|node| node.cpu_s.is_none()));
    }
}
