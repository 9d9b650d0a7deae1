//! The sweep as a person meets it, and loss as a fault.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use dske_chaos::plan::FaultKind;
use serde_json::Value;
use tempfile::TempDir;

fn chaos(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.current_dir(dir).args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Sweeps, and gives what `sweep.json` says.
#[track_caller]
fn sweep(dir: &Path, args: &[&str], out: &str) -> Value {
    let args = [&["sweep"], args, &["--out", out]].concat();
    let output = chaos(dir, &args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json = fs::read(dir.join(out).join("sweep.json")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn csv_head(dir: &Path, file: &str) -> String {
    let text = fs::read_to_string(dir.join("reports/sweep").join(file)).unwrap();
    text.lines().next().unwrap().to_owned()
}

#[test]
fn bad_use_is_refused_before_anything_runs() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("taken"), "a regular file").unwrap();
    for (args, what) in [
        (&["sweep", "--samples", "0"][..], "0 is not in 1..=10000"),
        (&["sweep", "--jobs", "0"], "0 is not in 1..=1024"),
        (&["sweep", "--seed", "9007199254740992"], "'--seed <SEED>'"),
        (
            &["sweep", "mop"],
            "mop: there is no such part of a sweep; there are map, collusion, latency, wan, recovery, psrd, cost",
        ),
        (
            &["sweep", "cost", "--out", "taken"],
            "cannot create the report directory taken",
        ),
    ] {
        let output = chaos(dir.path(), args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains(what), "{said}");
        assert!(!dir.path().join("reports").exists(), "{args:?}");
    }
    let name = &["sweep", "cost", "--out", "below"];
    fs::create_dir(dir.path().join("below")).unwrap();
    fs::write(dir.path().join("below/sweep"), "a regular file").unwrap();
    let said = stderr(&chaos(dir.path(), name));
    assert!(said.contains("directory below/sweep"), "{said}");
}

#[test]
fn the_number_of_jobs_changes_nothing_but_real_time() {
    let dir = TempDir::new().unwrap();
    let cost = |jobs, out| {
        let mut found = sweep(dir.path(), &["cost", "--samples", "2", "--jobs", jobs], out);
        found["wall_seconds"] = 0.into();
        found
    };
    let found = cost("1", "reports");
    assert_eq!(found, cost("3", "again"));
    assert_eq!(found["digest"].as_str().unwrap().len(), 64);
    assert!(found["violations"].as_array().unwrap().is_empty());
    for point in found["cost"].as_array().unwrap() {
        assert_eq!(
            point["messages_per_key"].as_f64(),
            point["messages_in_theory"].as_f64()
        );
    }
    assert_eq!(
        csv_head(dir.path(), "cost.csv"),
        "hubs,threshold,keys,messages_per_key,messages_in_theory,establish_bytes_per_key,fetch_bytes_per_key,bytes_per_key"
    );
}

#[test]
fn an_attack_finds_keys_from_k_hubs_on_and_the_pages_lead_to_each_other() {
    let dir = TempDir::new().unwrap();
    let output = chaos(dir.path(), &["run", "calm", "--seed", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let index = || fs::read_to_string(dir.path().join("reports/index.html")).unwrap();
    assert!(!index().contains("sweep.html"), "there is none yet");
    let found = sweep(dir.path(), &["collusion", "--samples", "2"], "reports");
    let points = found["collusion"].as_array().unwrap();
    assert_eq!(points.len(), 2 * (4 + 6 + 8 + 11));
    for point in points {
        let is_enough = point["colluding"].as_u64() >= point["threshold"].as_u64();
        let expected = if is_enough { 2 } else { 0 };
        assert_eq!(point["succeeded"], expected, "{point}");
        assert_eq!(point["tried"], 2, "{point}");
        assert_eq!(point["mistaken"], 0, "{point}");
    }
    assert!(found["map"].as_array().unwrap().is_empty(), "nobody asked");
    assert!(index().contains(r#"href="sweep.html""#));
    let page = fs::read_to_string(dir.path().join("reports/sweep.html")).unwrap();
    assert!(page.contains(r#"href="index.html""#) && page.contains(r#"id="collusion""#));
    assert!(!page.contains(r#"id="map""#) && !page.contains("http://"));
    let tables = fs::read_dir(dir.path().join("reports/sweep")).unwrap();
    assert_eq!(tables.count(), 1);
    // The other way round: the page of campaigns is written last.
    let output = chaos(dir.path(), &["run", "calm", "--seed", "1"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(index().contains(r#"href="sweep.html""#));
}

#[test]
fn psrd_is_used_as_theory_says_and_failures_waste_some() {
    let dir = TempDir::new().unwrap();
    let found = sweep(dir.path(), &["psrd", "--samples", "4"], "reports");
    let points = found["psrd"].as_array().unwrap();
    assert!(points.len() >= 5);
    for point in points {
        let in_theory = point["bytes_in_theory"].as_f64();
        assert_eq!(point["bytes_per_key"].as_f64(), in_theory, "{point}");
    }
    let waste = |failure: &str| {
        let all = found["waste"].as_array().unwrap();
        let found = all.iter().find(|waste| waste["failure"] == failure);
        found.unwrap_or_else(|| panic!("no {failure}")).clone()
    };
    assert_eq!(waste("none")["wasted_share"], 0.0);
    let down = waste("one hub down");
    assert!(down["vain_bytes_per_key"].as_f64().unwrap() > 0.0, "{down}");
    let restarts = waste("one hub restarts once");
    assert!(restarts["abandoned_bytes_per_key"].as_f64().unwrap() > 0.0);
}

/// A schedule in which one link loses half of its messages until 9 s.
const LOSSY: &str = r#"about = "Loss"
[schedule]
version = "VERSION"
campaign = "loss"
seed = 3
heal_at_ms = 9000
recovery_ms = 3000
end_ms = 26000
calls = [CALLS]
faults = [{ at_ms = 0, until_ms = 9000, kind = "lossy-link", client = 0, hub = 1, loss_percent = PERCENT }]
[schedule.cluster]
hubs = 3
threshold = 2
clients = 2
latency_ms = [1, 8]
tick_ms = 2
psrd_block_bytes = 16384
psrd_low_water_bytes = 4096
request_timeout_ms = 500
call_deadline_ms = 3000
grace_ms = 200
share_ttl_ms = 8000
coalition = 1
key_source = "generator"
"#;

fn lossy(percent: &str) -> String {
    let call = |i: u64| {
        let at_ms = 2_000 + 200 * i;
        format!(
            "{{ id = {i}, at_ms = {at_ms}, master = 0, slave = 1, bits = 128, number = 1, fetch_after_ms = 0 }}"
        )
    };
    let calls: Vec<String> = (0..30).map(call).collect();
    LOSSY
        .replace("VERSION", env!("CARGO_PKG_VERSION"))
        .replace("CALLS", &calls.join(", "))
        .replace("PERCENT", percent)
}

#[test]
fn loss_delays_messages_of_its_link_and_of_no_other() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("lossy.toml"), lossy("50")).unwrap();
    let replay = || {
        let output = chaos(dir.path(), &["replay", "lossy.toml", "--trace", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        output.stdout
    };
    let shown = replay();
    assert_eq!(shown, replay(), "the same seed loses the same messages");
    let trace: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    let events = trace["events"].as_array().unwrap();
    // How late the messages of a link arrived, in milliseconds.
    let ways = |hub: &str| -> Vec<u64> {
        let arrived = events.iter().filter_map(|event| {
            let ends = [event["from"].as_str()?, event["to"].as_str()?];
            let here = ends.contains(&"carol") && ends.contains(&hub);
            let took_us = event["arrived_us"].as_u64()? - event["at_us"].as_u64()?;
            here.then_some(took_us / 1000)
        });
        arrived.collect()
    };
    let (lossy, sound) = (ways("helen"), ways("hank"));
    let again = |ms: u64| {
        lossy
            .iter()
            .filter(|took| (ms..ms + 20).contains(*took))
            .count()
    };
    assert!(again(200) > 10, "{lossy:?}");
    assert!(
        lossy.iter().all(|took| *took < 20 || *took >= 200),
        "{lossy:?}"
    );
    assert!(
        sound.len() > 30 && sound.iter().all(|took| *took < 20),
        "{sound:?}"
    );
    // Two of three hubs suffice: no call fails.
    let mut calls = events.iter().filter(|event| event["type"] == "call");
    assert!(calls.all(|call| call["outcome"] == "keys"));
}

#[test]
fn a_link_that_loses_everything_is_refused() {
    let dir = TempDir::new().unwrap();
    for percent in ["0", "91"] {
        fs::write(dir.path().join("lossy.toml"), lossy(percent)).unwrap();
        let output = chaos(dir.path(), &["replay", "lossy.toml"]);
        assert_eq!(output.status.code(), Some(2));
        let said = stderr(&output);
        assert!(
            said.contains("faults.loss_percent must be 1 to 90"),
            "{said}"
        );
    }
    assert!(FaultKind::named("lossy-link").is_some());
}
