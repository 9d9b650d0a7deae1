//! The `dske` command as a person types it: real processes, real HTTP, what is printed and the exit code.
#![allow(clippy::unwrap_used)]

mod lab;

use std::net::TcpListener;

use lab::{Lab, TOPOLOGY, eventually};
use serde_json::Value;

#[test]
fn a_cluster_is_started_shown_used_and_stopped() {
    let lab = Lab::new(TOPOLOGY);
    let names = [
        "hub hank",
        "hub helen",
        "hub hilary",
        "hub holly",
        "hub hugo",
        "client carol",
        "client celia",
        "client cindy",
        "client connie",
        "client curtis",
    ];
    let lines = |verb: &str| -> Vec<String> {
        let nodes = names.iter().zip(lab.base_port..);
        let line = |(name, port)| format!("{verb} {name} on port {port}");
        nodes.map(line).collect()
    };
    let started = lab.ok(&["start"]);
    let mut expected = lines("Starting");
    expected.push("10 nodes are ready".to_owned());
    assert_eq!(started.lines().collect::<Vec<_>>(), expected);

    let again = lab.ok(&["start"]);
    for (line, expected) in again.lines().zip(lines("Already running:")) {
        assert!(line.starts_with(&format!("{expected} (process ")), "{line}");
    }
    assert_eq!(again.lines().count(), 10);

    let table = lab.ok(&["status"]);
    let head: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head[..3], ["node", "role", "port"]);
    for ((name, port), row) in names.iter().zip(lab.base_port..).zip(table.lines().skip(1)) {
        let row: Vec<&str> = row.split_whitespace().collect();
        let (role, name) = name.split_once(' ').unwrap();
        assert_eq!(row[..3], [name, role, &port.to_string()], "{table}");
        assert!(row.contains(&"5/5"), "{table}");
    }

    let pair = lab.ok(&["etsi-qkd", "carol", "celia", "get-key-pair"]);
    assert!(pair.ends_with("Key values match\n"), "{pair}");
    let row = |table: &str, node: &str| -> Vec<String> {
        let row = table.lines().find(|line| line.starts_with(node)).unwrap();
        row.split_whitespace().map(str::to_owned).collect()
    };
    let table = lab.ok(&["status"]);
    // Up since is two words.
    assert_eq!(
        row(&table, "carol")[5..9],
        ["5/5", "1", "0", "0"],
        "{table}"
    );
    assert_eq!(
        row(&table, "celia")[5..9],
        ["5/5", "0", "1", "0"],
        "{table}"
    );

    let stopped = lab.ok(&["stop"]);
    let mut expected = lines("Stopping");
    expected.reverse();
    assert_eq!(stopped.lines().collect::<Vec<_>>(), expected);
    for port in lab.base_port..lab.base_port + 10 {
        assert!(
            TcpListener::bind(("127.0.0.1", port)).is_ok(),
            "{port} is still in use"
        );
    }
    let stopped = lab.ok(&["stop", "--hub", "hank", "--client", "carol"]);
    let expected = ["Not running: client carol", "Not running: hub hank"];
    assert!(
        stopped
            .lines()
            .zip(expected)
            .all(|(line, start)| line.starts_with(start)),
        "{stopped}"
    );
    let down = lab.fails(1, &["status", "--hub", "hank"]);
    assert!(
        down.contains("not running: hank; start with `dske start`"),
        "{down}"
    );
}

#[test]
fn the_json_of_status_is_what_the_management_routes_return_and_holds_no_secret() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start"]);
    lab.ok(&["etsi-qkd", "carol", "celia", "get-key-pair"]);
    lab.ok(&["stop", "--hub", "hugo"]);
    let output = lab.dske(&["status", "--json"]);
    assert_eq!(output.code, Some(1), "one hub is down");
    let json: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(json["hubs"].as_object().unwrap().len(), 5);
    assert_eq!(json["clients"].as_object().unwrap().len(), 5);
    assert_eq!(json["hubs"]["hugo"], Value::Null);
    for (role, name) in [("hubs", "hank"), ("clients", "carol")] {
        let mut shown = json[role][name].clone();
        let mut own = lab.management(name);
        assert!(shown["uptime_ms"].is_u64());
        for status in [&mut shown, &mut own] {
            status["uptime_ms"] = 0.into();
        }
        assert_eq!(shown, own);
    }
    // Names, numbers and nested objects only: nowhere a string as long as a key or a share.
    fn strings(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
            Value::Object(values) => values.values().for_each(|value| strings(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    strings(&json, &mut found);
    assert!(found.iter().all(|text| text.len() < 20), "{found:?}");
}

#[test]
fn keys_survive_n_minus_k_stopped_hubs_and_one_more_is_a_clear_error() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start"]);
    let id = |answer: &str| -> String {
        let answer: Value = serde_json::from_str(answer).unwrap();
        answer["keys"][0]["key_ID"].as_str().unwrap().to_owned()
    };
    let get = ["etsi-qkd", "carol", "celia", "get-key"];
    let fetch = |id: &str| lab.dske(&["etsi-qkd", "carol", "celia", "get-key-with-key-ids", id]);
    // Stopped between the two calls.
    let before = lab.ok(&get);
    lab.ok(&["stop", "--hub", "hank", "--hub", "hugo"]);
    let fetched = fetch(&id(&before));
    assert_eq!((fetched.code, fetched.stdout), (Some(0), before));
    // Stopped before both.
    let between = lab.ok(&get);
    let pair = lab.ok(&["etsi-qkd", "carol", "celia", "get-key-pair"]);
    assert!(pair.ends_with("Key values match\n"));
    // One more.
    lab.ok(&["stop", "--hub", "holly"]);
    let failed = lab.fails(1, &get);
    assert!(
        failed.contains("status 503: not enough hubs: 2 of 5 hubs hold a share, 3 are needed"),
        "{failed}"
    );
    assert!(failed.contains("hub 1 (hank): "), "{failed}");
    let failed = fetch(&id(&between));
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.contains("status 503: "), "{}", failed.stderr);
    assert!(
        failed.stderr.contains("cannot be put together"),
        "{}",
        failed.stderr
    );
    // Back again, without anything they held: the share of one of them is enough to make three.
    lab.ok(&["start"]);
    let pair = lab.ok(&["etsi-qkd", "carol", "celia", "get-key-pair"]);
    assert!(pair.ends_with("Key values match\n"));
}

#[test]
fn hubs_that_start_after_their_clients_and_clients_that_restart_are_found() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start", "--client", "carol", "--client", "celia"]);
    let failed = lab.fails(1, &["etsi-qkd", "carol", "celia", "get-key"]);
    assert!(failed.contains("status 503: not enough hubs"), "{failed}");
    lab.ok(&["start"]);
    let pair = lab.ok(&["etsi-qkd", "carol", "celia", "get-key-pair"]);
    assert!(pair.ends_with("Key values match\n"));
    lab.ok(&["stop", "--client", "celia"]);
    lab.ok(&["start", "--client", "celia"]);
    let pair = lab.ok(&[
        "etsi-qkd",
        "celia",
        "carol",
        "get-key-pair",
        "--number",
        "2",
    ]);
    assert!(pair.ends_with("Key values match\n"));
}

#[test]
fn a_port_in_use_stops_nothing_half_way() {
    let lab = Lab::new(TOPOLOGY);
    let port = lab.base_port + 7;
    let foreign = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let failed = lab.fails(1, &["start"]);
    assert!(
        failed.contains(&format!(
            "nothing was started: port {port} of client cindy is used by another program"
        )),
        "{failed}"
    );
    lab.fails(1, &["status", "--hub", "hank"]);
    // A node that is started by hand says it, too.
    let failed = lab.fails(1, &["client", "cindy"]);
    assert!(
        failed.contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{failed}"
    );
    drop(foreign);
    lab.ok(&["start"]);
}

#[test]
fn a_killed_node_is_shown_as_crashed_and_starts_again() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start", "--hub", "hank"]);
    lab.signal("hub-hank", rustix::process::Signal::KILL);
    eventually(|| {
        let down = lab.dske(&["status", "--hub", "hank"]);
        let crashed = down.code == Some(1) && down.stdout.contains("crashed; see");
        crashed.then_some(()).ok_or(down.stdout)
    });
    lab.ok(&["start", "--hub", "hank"]);
    lab.ok(&["status", "--hub", "hank"]);
}

#[test]
fn a_node_that_hangs_is_killed() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start", "--hub", "hank"]);
    lab.signal("hub-hank", rustix::process::Signal::STOP);
    let shown = lab.dske(&["status", "--hub", "hank"]);
    assert!(shown.stdout.contains("does not answer"), "{}", shown.stdout);
    let stopped = lab.ok(&["stop", "--hub", "hank"]);
    assert!(stopped.contains("Killed: hub hank on port"), "{stopped}");
    let down = lab.fails(1, &["status", "--hub", "hank"]);
    assert!(down.contains("not running"), "{down}");
}

#[test]
fn a_node_in_the_foreground_ends_in_order_on_a_signal_and_runs_once() {
    let lab = Lab::new(TOPOLOGY);
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let mut node = lab.spawn(&["hub", "hank"]);
        lab.wait_for("hub", "hank");
        let twice = lab.fails(1, &["hub", "hank"]);
        assert!(twice.contains("is already running: process "), "{twice}");
        lab.signal("hub-hank", signal);
        assert!(node.wait().unwrap().success(), "{signal:?}");
        let down = lab.dske(&["status", "--hub", "hank"]);
        assert!(
            down.stdout.contains("hub hank on port") && down.stdout.contains(": not running"),
            "{}",
            down.stdout
        );
    }
}

#[test]
fn a_node_that_does_not_become_ready_is_named_with_the_end_of_its_log() {
    let lab = Lab::new(TOPOLOGY);
    let logs = lab.folder().join("logs");
    std::fs::create_dir(&logs).unwrap();
    // Its run state cannot be written, so that it ends at once.
    std::fs::create_dir(logs.join("hub-helen.run")).unwrap();
    let failed = lab.dske(&["start", "--hub", "hank", "--hub", "helen"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(failed.stderr.contains("hub-helen.run"), "{}", failed.stderr);
}

#[test]
fn psrd_is_spent_as_documented_and_counted_alike_on_both_sides() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start"]);
    let mut spent = [[0_i64; 2]; 2];
    for (bits, number) in [(64_i64, 1_i64), (256, 1), (256, 3), (65_536, 1)] {
        let (bits_text, number_text) = (bits.to_string(), number.to_string());
        lab.ok(&[
            "etsi-qkd",
            "carol",
            "celia",
            "get-key-pair",
            "--size",
            &bits_text,
            "--number",
            &number_text,
        ]);
        // docs/topology.md: 32 bytes for each message, and 48 + L for each key in the one that carries its share.
        let with_shares = 32 + number * (48 + bits / 8);
        spent[0][0] += with_shares;
        spent[0][1] += 32;
        spent[1][0] += 32;
        spent[1][1] += with_shares;
        for (client, spent) in ["carol", "celia"].iter().zip(spent) {
            for hub in lab.management(client)["hubs"].as_array().unwrap() {
                let hub_name = hub["name"].as_str().unwrap();
                let status = lab.management(hub_name);
                let peers = status["peers"].as_array().unwrap();
                let peer = peers
                    .iter()
                    .find(|peer| peer["client"] == **client)
                    .unwrap();
                for (pool, spent) in ["up_bytes_left", "down_bytes_left"].iter().zip(spent) {
                    assert_eq!(hub[*pool], peer[*pool], "{client} and {hub_name}: {pool}");
                    assert_eq!(
                        hub[*pool].as_i64(),
                        Some(65_536 - spent),
                        "{client} and {hub_name}: {pool}"
                    );
                }
            }
        }
    }
}

#[test]
fn pools_are_refilled_at_the_water_mark() {
    let lab = Lab::new(&format!(
        "{TOPOLOGY}\n[psrd]\nblock_bytes = 1000\nlow_water_bytes = 500\n"
    ));
    lab.ok(&["start"]);
    for _ in 0..5 {
        lab.ok(&["etsi-qkd", "carol", "celia", "get-key-pair"]);
    }
    // 112 bytes a key: after five the pool is below its mark, and gets another block in the background.
    eventually(|| {
        let status = lab.management("carol");
        let refilled = |hub: &Value| hub["up_bytes_left"] == 1000 - 5 * 112 + 1000;
        let all = status["hubs"].as_array().unwrap().iter().all(refilled);
        all.then_some(()).ok_or(status.to_string())
    });
    // Ten more: more than any pool has held at any time.
    for _ in 0..10 {
        lab.ok(&["etsi-qkd", "carol", "celia", "get-key-pair"]);
    }
}

#[test]
fn etsi_calls_print_json_alone_on_standard_output_and_refusals_on_standard_error() {
    let lab = Lab::new(TOPOLOGY);
    lab.ok(&["start"]);
    let status: Value =
        serde_json::from_str(&lab.ok(&["etsi-qkd", "carol", "celia", "status"])).unwrap();
    assert_eq!(status["master_SAE_ID"], "carol");
    let given = lab.ok(&[
        "etsi-qkd", "carol", "celia", "--size", "128", "get-key", "--number", "2",
    ]);
    let given_json: Value = serde_json::from_str(&given).unwrap();
    let ids: Vec<&str> = given_json["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["key_ID"].as_str().unwrap())
        .collect();
    let fetch = |slave: &str, ids: &[&str]| {
        let call = ["etsi-qkd", "carol", slave, "get-key-with-key-ids"];
        lab.dske(&[&call, ids].concat())
    };
    let foreign = fetch("cindy", &ids);
    assert!(foreign.stderr.contains("status 401"), "{}", foreign.stderr);
    let fetched = fetch("celia", &ids);
    assert_eq!(
        (fetched.code, fetched.stdout.as_str()),
        (Some(0), given.as_str())
    );
    let unknown = "bc490419-7d60-487f-adc1-4ddcc177c139";
    for ids in [&ids[..1], &[unknown]] {
        let refused = fetch("celia", ids);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
        assert!(
            refused
                .stderr
                .contains("status 400: one or more keys specified are not found on KME"),
            "{}",
            refused.stderr
        );
    }
    let malformed = fetch("celia", &["bc490419"]);
    assert_eq!(malformed.code, Some(2));
    assert!(
        malformed.stderr.contains("a key ID is a UUID such as"),
        "{}",
        malformed.stderr
    );
    for (size, why) in [
        ("257", "size shall be a multiple of 8"),
        ("56", "size must be 64 to"),
        ("1000000", "size must be 64 to"),
    ] {
        let refused = lab.fails(
            1,
            &["etsi-qkd", "carol", "celia", "get-key", "--size", size],
        );
        assert!(
            refused.contains("status 400: ") && refused.contains(why),
            "{refused}"
        );
    }
    let group = lab.ok(&[
        "etsi-qkd",
        "carol",
        "celia",
        "get-key-pair",
        "--also",
        "cindy",
        "--also",
        "connie",
    ]);
    assert_eq!(group.matches("\"key_ID\"").count(), 4, "{group}");
    assert!(group.ends_with("Key values match\n"));
}

#[test]
fn bad_use_is_exit_code_2_with_one_line_that_says_what_to_do() {
    let lab = Lab::new(TOPOLOGY);
    for (args, why) in [
        (
            &["start", "--hub", "nobody"][..],
            "there is no hub nobody in the topology; there are hank,",
        ),
        (
            &["stop", "--client", "hank"],
            "there is no client hank in the topology; there are carol,",
        ),
        (
            &["--hub", "hank", "etsi-qkd", "carol", "celia", "status"],
            "--hub and --client go with start, stop and status only",
        ),
        (
            &["etsi-qkd", "nobody", "celia", "status"],
            "there is no SAE nobody in the topology; there are carol,",
        ),
        (
            &["etsi-qkd", "carol", "celia", "--size", "8", "status"],
            "--size does not go with status",
        ),
        (
            &["topology", "convert", "none.yaml"],
            "none.yaml: cannot be read: ",
        ),
        (
            &["--topology", "none.toml", "start"],
            "none.toml: cannot be read: ",
        ),
    ] {
        let refused = lab.fails(2, args);
        assert_eq!(refused.lines().count(), 1, "{refused}");
        assert!(
            refused.starts_with("error: ") && refused.contains(why),
            "{args:?}: {refused}"
        );
    }
    for args in [
        &["strat"][..],
        &["completions", "cmd"],
        &["etsi-qkd", "carol"],
        &["etsi-qkd", "carol", "c d", "status"],
        &["etsi-qkd", "carol", "celia", "status", "--size", "8"],
        &["bench", "--hub", "hank"],
        &[],
    ] {
        assert_eq!(lab.dske(args).code, Some(2), "{args:?}");
    }
    let failed = lab.fails(1, &["etsi-qkd", "carol", "celia", "get-key"]);
    assert!(
        failed.contains("no answer") && failed.contains("`dske status` tells"),
        "{failed}"
    );
}

#[test]
fn logs_and_run_state_go_where_the_topology_says_and_are_found_from_anywhere() {
    let lab = Lab::new(&format!("log_dir = \"var/dske\"\n{TOPOLOGY}"));
    lab.ok(&["start", "--hub", "hank"]);
    assert!(lab.folder().join("var/dske/hub-hank.log").exists());
    assert!(!lab.folder().join("logs").exists());
    let file = lab.folder().join("topology.toml");
    let file = file.to_str().unwrap();
    let elsewhere = std::process::Command::new(env!("CARGO_BIN_EXE_dske"))
        .current_dir("/")
        .args(["--topology", file, "stop"])
        .output()
        .unwrap();
    let stopped = String::from_utf8(elsewhere.stdout).unwrap();
    assert!(stopped.contains("Stopping hub hank on port"), "{stopped}");
}

#[test]
fn a_topology_is_checked_and_one_of_dske_python_is_converted() {
    let lab = Lab::new(TOPOLOGY);
    let checked = lab.ok(&["topology", "check"]);
    assert!(
        checked.starts_with("topology.toml: ok: 5 hubs, of which any 3 are enough for a key"),
        "{checked}"
    );
    let yaml = "hubs:\n  - name: hank\n  - name: helen\nmin_nr_shares: 2\nclients:\n  - name: carol\n    encryptors:\n      - name: sam\n";
    std::fs::write(lab.folder().join("topology.yaml"), yaml).unwrap();
    let printed = lab.ok(&["topology", "convert", "topology.yaml"]);
    lab.ok(&[
        "topology",
        "convert",
        "topology.yaml",
        "--out",
        "converted.toml",
    ]);
    let written = std::fs::read_to_string(lab.folder().join("converted.toml")).unwrap();
    assert_eq!(printed, written);
    let checked = lab.ok(&["--topology", "converted.toml", "topology", "check"]);
    assert!(checked.contains("for SAE sam"), "{checked}");
    let failed = lab.fails(
        1,
        &[
            "topology",
            "convert",
            "topology.yaml",
            "--out",
            "converted.toml",
        ],
    );
    assert!(
        failed.contains("name a file that does not exist"),
        "{failed}"
    );
    std::fs::write(lab.folder().join("large.yaml"), vec![b' '; 2 << 20]).unwrap();
    let failed = lab.fails(2, &["topology", "convert", "large.yaml"]);
    assert!(failed.contains("at most 1048576 bytes"), "{failed}");
}

#[test]
fn the_demonstration_and_completions_need_no_topology() {
    let lab = Lab::new(TOPOLOGY);
    std::fs::remove_file(lab.folder().join("topology.toml")).unwrap();
    let shown = lab.ok(&["demo"]);
    for part in [
        "carol ──▶ hank    share 1",
        "celia ◀── hilary",
        "the hub is stopped",
        "2 of 5 hubs hold a share, 3 are needed",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        !shown.contains('\u{1b}'),
        "no colours where there is no terminal"
    );
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            lab.ok(&["completions", shell]).contains("etsi-qkd"),
            "{shell}"
        );
    }
}
