//! Canaries by the command: what is caught, what is not, and what is no canary.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;
use tempfile::TempDir;

fn selftest(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    let command = command.current_dir(dir).arg("selftest").args(args);
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn bugs_are_seen_by_the_invariants_that_they_break_whatever_the_number_of_jobs() {
    let dir = TempDir::new().unwrap();
    let hunt = |jobs: &str| {
        let bugs = ["handed-out-twice", "tag-not-checked", "pad-too-short"];
        let args = [&bugs[..], &["--runs", "30", "--jobs", jobs, "--out", jobs]].concat();
        let output = selftest(dir.path(), &args);
        let shown = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        assert!(shown.contains("\nall 3 canaries were caught; left by shrinking, in the median: "));
        let page = format!("\nreport: {jobs}/selftest.html\n");
        assert!(shown.ends_with(&page), "{shown}");
        let json = std::fs::read(dir.path().join(jobs).join("selftest.json")).unwrap();
        let mut json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        for hunted in json.as_array_mut().unwrap() {
            hunted["wall_seconds"] = 0.into();
            hunted["caught"]["left"]["wall_seconds"] = 0.into();
        }
        json
    };
    let alone = hunt("1");
    assert_eq!(alone[0]["canary"], "handed-out-twice");
    assert_eq!(
        alone[0]["caught"]["invariants"],
        json!(["access", "client-as-specified"])
    );
    let shrunk = &alone[0]["caught"];
    assert_eq!(
        shrunk["left"]["steps"],
        json!({ "faults": 0, "lies": 0, "calls": 1 })
    );
    assert!(shrunk["steps"]["calls"].as_u64().unwrap() > 100);
    assert_eq!(alone, hunt("2"));
}

#[test]
fn what_is_left_of_a_bug_is_saved_and_breaks_the_same_invariant_only_with_the_bug() {
    let dir = TempDir::new().unwrap();
    let output = selftest(dir.path(), &["handed-out-twice", "--save"]);
    assert_eq!(output.status.code(), Some(0));
    let file = "reports/failures/canary-handed-out-twice.toml";
    let page = fs::read_to_string(dir.path().join("reports/selftest.html")).unwrap();
    assert!(page.contains(&format!("<code>cargo chaos replay {file}</code>")));
    let replay = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
        let output = command
            .current_dir(dir.path())
            .args(["replay", file])
            .output();
        let output = output.unwrap();
        (output.status.code(), stdout(&output))
    };
    let (code, shown) = replay();
    assert_eq!(code, Some(1), "{shown}");
    assert!(
        shown.contains("\nplanted: handed-out-twice: a client hands a key"),
        "{shown}"
    );
    assert!(
        shown.contains("BROKEN: access in campaign canary-handed-out-twice"),
        "{shown}"
    );
    let path = dir.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("canary = \"handed-out-twice\"\n", "")).unwrap();
    let (code, shown) = replay();
    assert_eq!(code, Some(0), "without the bug nothing breaks: {shown}");
}

#[test]
fn without_shrinking_nothing_is_left_to_save() {
    let dir = TempDir::new().unwrap();
    let output = selftest(dir.path(), &["handed-out-twice", "--no-shrink"]);
    assert!(stdout(&output).contains("\nall 1 canaries were caught\n"));
    assert!(!dir.path().join("reports/failures").exists());
    let output = selftest(dir.path(), &["handed-out-twice", "--no-shrink", "--save"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_bug_that_nothing_has_seen_is_a_failure() {
    let dir = TempDir::new().unwrap();
    // The first run is of a campaign in which nobody lies.
    let output = selftest(dir.path(), &["blame-neighbour", "--runs", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = stdout(&output);
    assert!(shown.contains("NOT CAUGHT by blame"), "{shown}");
    assert!(
        shown.contains("\nNOT CAUGHT: blame-neighbour: no invariant sees it\n"),
        "{shown}"
    );
    let page = fs::read_to_string(dir.path().join("reports/selftest.html")).unwrap();
    assert!(page.contains("Not seen: 1 of 1 planted bug<"), "{page}");
}

#[test]
fn a_name_that_is_no_canary_is_refused_with_those_there_are() {
    let dir = TempDir::new().unwrap();
    for args in [&["kanari"][..], &["mac-prefix", "kanari"]] {
        let output = selftest(dir.path(), args);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with("error: there is no canary \"kanari\"; there are "),
            "{said}"
        );
        assert!(
            said.contains("mac-prefix") && said.lines().count() == 1,
            "{said}"
        );
        assert!(output.stdout.is_empty());
    }
    for runs in ["0", "x", "1000000"] {
        let output = selftest(dir.path(), &["--runs", runs]);
        assert_eq!(output.status.code(), Some(2), "{runs}");
    }
}
