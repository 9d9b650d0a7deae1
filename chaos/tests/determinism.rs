//! A seed decides all: the same seed gives the same run, in any process, alone and among others.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use dske_chaos::explore::run::run;
use dske_chaos::explore::runner::run_seeds;
use dske_chaos::outcome::RunOutcome;
use dske_chaos::summarize::summarize;
use dske_chaos::tell::view::json::json;
use dske_chaos::tell::view::told;
use tempfile::TempDir;

/// Output of the command in a process of its own.
fn chaos(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    let output = command.current_dir(dir).args(args).output().unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Fails with the first line that differs, and its neighbours.
#[track_caller]
fn same(first: &str, second: &str) {
    let (a, b): (Vec<&str>, Vec<&str>) = (first.lines().collect(), second.lines().collect());
    let longest = a.len().max(b.len());
    let Some(at) = (0..longest).find(|&i| a.get(i) != b.get(i)) else {
        return;
    };
    let around = |lines: &[&str]| {
        let from = at.saturating_sub(3).min(lines.len());
        lines[from..(at + 4).min(lines.len())].join("\n")
    };
    panic!(
        "line {} of {longest} differs. First:\n{}\nSecond:\n{}",
        at + 1,
        around(&a),
        around(&b)
    );
}

#[test]
fn the_same_seed_gives_the_same_trace_in_another_process() {
    let dir = TempDir::new().unwrap();
    for (campaign, seed) in [
        ("storm", "2"),
        ("storm", "3"),
        ("byzantine-minority", "1"),
        // Clients forget what they handed out meanwhile.
        ("repeats", "1"),
        ("callers", "1"),
    ] {
        let replay = || chaos(dir.path(), &["replay", campaign, "--seed", seed, "--trace"]);
        let first = replay();
        assert!(first.lines().count() > 1_000, "{campaign} {seed} is empty");
        same(&first, &replay());
    }
}

#[test]
fn the_number_of_jobs_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let sweep = |jobs| {
        let args = [
            "run", "storm", "--seed", "1", "--seeds", "3", "--jobs", jobs, "--out", jobs,
        ];
        chaos(dir.path(), &args);
        let json = fs::read(dir.path().join(jobs).join("resilience.json")).unwrap();
        let mut report: serde_json::Value = serde_json::from_slice(&json).unwrap();
        // Real time is all that may differ.
        for part in ["/wall_seconds", "/campaigns/0/wall_seconds"] {
            *report.pointer_mut(part).unwrap() = 0.into();
        }
        let digest = report["campaigns"][0]["digest"].as_str().unwrap();
        assert_eq!(digest.len(), 64);
        serde_json::to_string_pretty(&report).unwrap()
    };
    let alone = sweep("1");
    same(&alone, &sweep("2"));
    same(&alone, &sweep("3"));
}

#[test]
fn a_seed_alone_gives_what_it_gives_after_others() {
    let campaign = dske_chaos::campaign::load("storm").unwrap();
    let sweep =
        |seeds: &[u64], jobs| -> Vec<RunOutcome> { run_seeds(&campaign, seeds, jobs, run, |_| {}) };
    let digest =
        |outcome: &RunOutcome| summarize(&campaign, std::slice::from_ref(outcome), 0.0).digest;
    // The process has run others before, and two run at the same time.
    let outcomes = sweep(&[1, 2, 3], 2);
    let again = sweep(&[2], 1);
    assert_eq!(digest(&outcomes[1]), digest(&again[0]));
    assert_eq!(outcomes[1].reached, again[0].reached);
    assert_eq!(outcomes[1].checked, again[0].checked);
    let dir = TempDir::new().unwrap();
    let replayed = chaos(dir.path(), &["replay", "storm", "--seed", "2", "--trace"]);
    assert_eq!(
        replayed.lines().last().unwrap(),
        format!("digest {}", digest(&outcomes[1]))
    );
}

/// Connections of a client that crashes are closed at once, in an order that must not come from a `HashMap`: with links
/// that are cut it decides who draws which latency.
#[test]
fn crashes_of_clients_give_the_same_run_every_time() {
    let text = "about = \"x\"\nseeds = 1\n\
        [cluster]\nhubs = 6\nthreshold = 3\n\
        [workload]\nduration_s = 6\ncalls_per_second = 10\n\
        [[faults]]\nkind = \"crash-client\"\nper_minute = 100\nduration_ms = [50, 500]\n\
        [[faults]]\nkind = \"partition-to-hubs\"\nper_minute = 100\nduration_ms = [500, 3000]\n";
    let campaign = dske_chaos::campaign::check::parse("x", "x.toml", text).unwrap();
    let trace = |seed| {
        let (_, trace) = told(&campaign.plan(seed));
        json(&trace)
    };
    for seed in [2, 3, 5] {
        let first = trace(seed);
        assert!(first.contains(r#""type":"fault-begins""#));
        for _ in 0..3 {
            same(&first, &trace(seed));
        }
    }
}

#[test]
fn another_seed_and_another_campaign_give_another_run() {
    let digest = |name: &str, seed| {
        let campaign = dske_chaos::campaign::load(name).unwrap();
        run_seeds(&campaign, &[seed], 1, run, |_| {})[0].digest
    };
    let (one, two, other) = (digest("calm", 1), digest("calm", 2), digest("collusion", 1));
    assert_ne!(one, two);
    assert_ne!(one, other);
}
