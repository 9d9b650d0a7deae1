//! `cargo chaos soak` as a person meets it: what it refuses, what it finds, what an interrupt leaves.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use dske_chaos::campaign;
use dske_chaos::explore::run::run;
use dske_chaos::explore::runner::run_fresh;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Short runs in which something goes wrong now and then.
const SHORT: &str = "\
about = \"short runs\"
seeds = 2
swarm = true
[cluster]
hubs = [3, 5]
threshold = 2
call_deadline_ms = 1000
share_ttl_ms = 2000
[workload]
duration_s = 2
calls_per_second = 4
fetch_after_ms = [0, 500]
[[faults]]
kind = \"partition\"
per_minute = 90
duration_ms = [100, 900]
[[faults]]
kind = \"crash-hub\"
per_minute = 90
duration_ms = [50, 500]
[lies]
liars = \"<K\"
rate_percent = 50
";

fn soak(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command
        .current_dir(dir)
        .arg("soak")
        .args(args)
        .output()
        .unwrap()
}

/// A directory with a campaign of short runs.
fn with_short() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("short.toml"), SHORT).unwrap();
    dir
}

/// One in which K hubs forge, as if nobody knew: everything breaks.
fn with_forgers() -> TempDir {
    let dir = TempDir::new().unwrap();
    let lies = "liars = \"K\"\nkinds = [\"forge-together\"]\nrate_percent = 100";
    let text = SHORT.replace("liars = \"<K\"\nrate_percent = 50", lies);
    fs::write(dir.path().join("forgers.toml"), text).unwrap();
    dir
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn statistics(dir: &Path) -> Value {
    let file = dir.join("reports/soak.json");
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

#[test]
fn bad_use_ends_with_2_and_says_what_to_do() {
    let dir = with_short();
    fs::write(dir.path().join("taken"), "a file").unwrap();
    let unknown = SHORT.to_owned() + "[expect]\nreached = [\"mark:late-sharing\"]\n";
    fs::write(dir.path().join("unknown.toml"), unknown).unwrap();
    for (args, words) in [
        (&["short.toml"][..], "--minutes"),
        (&["--minutes", "0"], "1..=10080"),
        (&["--minutes", "10081"], "1..=10080"),
        (&["--minutes", "soon"], "invalid value 'soon'"),
        (&["--runs", "0"], "'--runs <RUNS>'"),
        (
            &["--runs", "1", "calmm"],
            "calmm: there is no such campaign; there are calm,",
        ),
        (
            &["--runs", "1", "no/such.toml"],
            "no/such.toml: cannot be read",
        ),
        (
            &["--runs", "1", "byzantine-forgery"],
            "byzantine-forgery: is a negative control: it breaks no-false-key on purpose",
        ),
        (
            &["--runs", "1", "unknown.toml"],
            "unknown.toml:25: nothing is ever counted as \"mark:late-sharing\"; there are mark:late-share",
        ),
        (
            &["--runs", "1", "--out", "taken/below", "short.toml"],
            "cannot create the report directory taken/below",
        ),
    ] {
        let output = soak(dir.path(), args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
        assert!(!dir.path().join("reports/soak.json").exists());
    }
}

#[test]
fn the_same_seed_draws_the_same_runs_and_rare_situations_are_left_as_schedules() {
    let dir = with_short();
    let mut all = Vec::new();
    for jobs in ["1", "3"] {
        let args = ["short.toml", "--runs", "48", "--seed", "7", "--jobs", jobs];
        let output = soak(dir.path(), &args);
        let said = text(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{said}{}",
            text(&output.stderr)
        );
        assert!(said.starts_with("soak seed 7: cargo chaos soak short.toml --runs 48 --seed 7\n"));
        for words in [
            "\n48 runs, ",
            "Does a longer run pay?",
            "Does the search pay?",
            "Rarest situations:",
            "Never met: ",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let mut statistics = statistics(dir.path());
        for by_the_clock in ["wall_seconds", "runs_per_second"] {
            assert!(statistics[by_the_clock].as_f64().unwrap() > 0.0);
            statistics[by_the_clock] = Value::Null;
        }
        all.push(statistics);
    }
    assert_eq!(all[0], all[1]);
    let statistics = &all[0];
    assert_eq!(statistics["runs"], 48);
    assert_eq!(statistics["is_interrupted"], false);
    assert_eq!(
        statistics["coverage"].as_array().unwrap().last().unwrap()["runs"],
        48
    );
    let of = |origin: &str| statistics[origin]["runs"].as_u64().unwrap();
    assert!(of("mutated") > 3 && of("fresh") > 3, "{statistics}");
    let rarest = statistics["situations"].as_array().unwrap();
    let files = rarest
        .iter()
        .filter(|situation| !situation["file"].is_null());
    assert!(files.clone().count() >= 3);
    for situation in files {
        let (name, file) = (
            situation["name"].as_str().unwrap(),
            situation["file"].as_str().unwrap(),
        );
        let path = dir.path().join(file);
        let schedule = campaign::load(path.to_str().unwrap()).unwrap();
        assert_eq!(schedule.expect.reached[0].get_ref(), name);
        let outcome = run_fresh(&schedule.plan(0), &run);
        assert!(
            outcome.reached.contains_key(name),
            "{file} does not reach {name}"
        );
    }
}

#[test]
fn what_breaks_is_saved_whole_and_shrunk_and_replays() {
    let dir = with_forgers();
    let args = ["forgers.toml", "--runs", "3", "--seed", "1"];
    let output = soak(dir.path(), &args);
    let said = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{said}{}",
        text(&output.stderr)
    );
    assert!(
        said.contains("BROKEN: agreement in campaign forgers, seed "),
        "{said}"
    );
    let statistics = statistics(dir.path());
    let violations = statistics["violations"].as_array().unwrap();
    let agreement = violations
        .iter()
        .find(|v| v["invariant"] == "agreement")
        .unwrap();
    let small = agreement["shrunk"]["file"].as_str().unwrap();
    assert!(said.contains(&format!("SHRUNK: {small}: ")), "{said}");
    let seed = &agreement["seed"];
    assert_eq!(
        agreement["replay"],
        format!("cargo chaos replay forgers.toml --seed {seed} --trace")
    );
    let whole = format!("reports/failures/forgers-{seed}-whole.toml");
    for file in [small, &whole] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
        let replayed = command
            .current_dir(dir.path())
            .args(["replay", file])
            .output()
            .unwrap();
        assert_eq!(replayed.status.code(), Some(1), "{file}");
        assert!(
            text(&replayed.stdout).contains("BROKEN: agreement "),
            "{file}"
        );
    }
    // The same again from the whole run's schedule, which no seed of any campaign draws.
    let output = soak(
        dir.path(),
        &[&whole, "--runs", "1", "--out", "again", "--seed", "1"],
    );
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let file = "again/failures/forgers-mutated-";
    assert!(said.contains(&format!("SHRUNK: {file}")), "{said}");
    let whole = said
        .lines()
        .find_map(|line| line.strip_prefix("SHRUNK: "))
        .unwrap();
    let whole = fs::read_to_string(dir.path().join(whole.split(": ").next().unwrap())).unwrap();
    assert!(
        whole.contains(&format!("# The whole run: cargo chaos replay {file}")),
        "{whole}"
    );
}

/// A soak of an hour, which is interrupted once it has begun; gives its code and what it said.
fn interrupted(dir: &Path, campaign: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.current_dir(dir).args([
        "soak",
        campaign,
        "--minutes",
        "60",
        "--seed",
        "3",
        "--jobs",
        "2",
    ]);
    let mut child: Child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    out.read_line(&mut said).unwrap();
    assert!(said.starts_with("soak seed 3: "), "{said}");
    thread::sleep(Duration::from_secs(3));
    // On a slow machine it takes longer until something breaks.
    let failures = dir.join("reports/failures");
    for _ in 0..300 {
        if campaign != "forgers.toml" || failures.exists() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    out.read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn an_interrupt_keeps_and_reports_what_was_found() {
    let dir = with_short();
    let (code, said) = interrupted(dir.path(), "short.toml");
    assert_eq!(code, Some(130), "{said}");
    assert!(
        said.contains("interrupted: this is what was found until then"),
        "{said}"
    );
    let statistics = statistics(dir.path());
    assert_eq!(statistics["is_interrupted"], true);
    let runs = statistics["runs"].as_u64().unwrap();
    assert!(
        runs >= 2 && said.contains(&format!("\n{runs} runs, ")),
        "{said}"
    );
    assert!(statistics["wall_seconds"].as_f64().unwrap() < 60.0);
}

#[test]
fn an_interrupt_leaves_whole_what_was_not_shrunk() {
    let dir = with_forgers();
    let (code, said) = interrupted(dir.path(), "forgers.toml");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("BROKEN: agreement") && !said.contains("SHRUNK"),
        "{said}"
    );
    let statistics = statistics(dir.path());
    let violation = &statistics["violations"][0];
    assert!(violation["shrunk"].is_null());
    let whole = format!("reports/failures/forgers-{}-whole.toml", violation["seed"]);
    let plan = campaign::load(dir.path().join(whole).to_str().unwrap())
        .unwrap()
        .plan(0);
    assert!(plan.calls.len() > 5);
}
