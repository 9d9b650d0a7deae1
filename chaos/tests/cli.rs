//! The command as a person meets it: exit codes, messages, the files it leaves behind.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A campaign of two seconds.
const SMALL: &str = "\
about = \"Small\"
seeds = 1
[cluster]
hubs = 3
threshold = 2
[workload]
duration_s = 2
calls_per_second = 5
";

/// What K hubs do that know every key: it has to break something.
const FORGERS: &str = "\
[lies]
liars = \"K\"
kinds = [\"forge-together\"]
rate_percent = 100
";

fn chaos(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.current_dir(dir).args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn file(dir: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Bad use: exit code 2, a message, and nothing has run.
#[track_caller]
fn refused(dir: &Path, args: &[&str]) -> String {
    let output = chaos(dir, args);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert_eq!(stdout(&output), "", "{args:?}");
    assert!(said.starts_with("error: "), "{args:?}: {said}");
    assert!(!dir.join("reports").exists(), "{args:?}");
    said
}

#[test]
fn a_weak_campaign_holds_but_for_the_strict() {
    let dir = TempDir::new().unwrap();
    let weak = format!("{SMALL}[expect]\nreached = [\"fault:hold\"]\n");
    file(&dir, "weak.toml", &weak);
    let output = chaos(dir.path(), &["run", "weak.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = chaos(dir.path(), &["run", "weak.toml", "--strict"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = stdout(&output);
    assert!(
        shown.contains("--strict: weak is weak: never reached: fault:hold"),
        "{shown}"
    );
}

#[test]
fn an_unknown_campaign_is_refused_with_the_names_there_are() {
    let dir = TempDir::new().unwrap();
    for args in [
        &["run", "clam"][..],
        &["run", "calm", "clam"],
        &["replay", "clam", "--seed", "1"],
    ] {
        let said = refused(dir.path(), args);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.starts_with("error: clam: there is no such campaign"),
            "{said}"
        );
        for name in dske_chaos::campaign::names() {
            assert!(said.contains(name), "{name} is missing: {said}");
        }
    }
}

#[test]
fn a_bad_campaign_file_is_refused_with_its_line() {
    let dir = TempDir::new().unwrap();
    let fault = "[[faults]]\nkind = \"quake\"\nper_minute = 1\nduration_ms = 5\n";
    for (text, line, why) in [
        (SMALL.replace("hubs = 3", "hubs = = 3"), 4, ""),
        (
            SMALL.replace("threshold = 2", "threshold = 5"),
            3,
            "cannot be larger",
        ),
        (format!("{SMALL}{fault}"), 10, "there is no fault \"quake\""),
    ] {
        file(&dir, "own.toml", &text);
        for args in [
            &["run", "own.toml"][..],
            &["replay", "own.toml", "--seed", "1"],
        ] {
            let said = refused(dir.path(), args);
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(
                said.starts_with(&format!("error: own.toml:{line}: ")),
                "{said}"
            );
            assert!(said.contains(why), "{said}");
        }
    }
    let said = refused(dir.path(), &["run", "none.toml"]);
    assert!(
        said.starts_with("error: none.toml: cannot be read: "),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn numbers_outside_their_limits_and_unknown_options_are_refused() {
    let dir = TempDir::new().unwrap();
    for (args, what) in [
        (&["run", "calm", "--seeds", "0"][..], "'--seeds <SEEDS>'"),
        (&["run", "calm", "--jobs", "0"], "'--jobs <JOBS>'"),
        // 2^53: a browser could not say which seed it was.
        (
            &["run", "calm", "--seed", "9007199254740992"],
            "'--seed <SEED>'",
        ),
        (
            &["replay", "calm", "--seed", "9007199254740992"],
            "'--seed <SEED>'",
        ),
        (&["replay", "calm"], "--seed <SEED>"),
        (&["shrink", "calm"], "--seed <SEED>"),
        (
            &["shrink", "calm", "--seed", "1", "--jobs", "0"],
            "'--jobs <JOBS>'",
        ),
        (&["run"], "<NAME>"),
        (&["run", "calm", "--sedes", "3"], "'--sedes'"),
        (&["rnu"], "'rnu'"),
    ] {
        let said = refused(dir.path(), args);
        assert!(said.contains(what), "{args:?}: {said}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_runs() {
    let dir = TempDir::new().unwrap();
    file(&dir, "taken", "a regular file");
    for out in ["taken", "taken/below"] {
        let said = refused(dir.path(), &["run", "calm", "--seed", "1", "--out", out]);
        assert!(
            said.starts_with(&format!("error: cannot create the report directory {out}")),
            "{said}"
        );
        // What ran would have said so, in a line with the number of its seeds.
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    file(&dir, "failures", "a regular file");
    for args in [
        &["run", "calm", "--seed", "1", "--out", "."][..],
        &["shrink", "calm", "--seed", "1", "--out", "."],
    ] {
        let said = refused(dir.path(), args);
        assert!(said.contains("directory ./failures"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn list_names_every_campaign_and_what_it_does() {
    let dir = TempDir::new().unwrap();
    let output = chaos(dir.path(), &["list"]);
    assert_eq!(output.status.code(), Some(0));
    let listed = stdout(&output);
    for name in dske_chaos::campaign::names() {
        let about = dske_chaos::campaign::load(name).unwrap().about;
        assert!(
            listed
                .lines()
                .any(|line| line.starts_with(&format!("{name} ("))),
            "{listed}"
        );
        assert!(listed.contains(&about), "{listed}");
    }
}

#[test]
fn a_run_leaves_a_page_and_the_numbers() {
    let dir = TempDir::new().unwrap();
    let output = chaos(dir.path(), &["run", "calm", "--seed", "1", "--out", "a/b"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("report: a/b/index.html"));
    let page = fs::read_to_string(dir.path().join("a/b/index.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    let report = numbers(&dir.path().join("a/b"));
    let [calm] = report["campaigns"].as_array().unwrap().as_slice() else {
        panic!("one campaign ran")
    };
    assert_eq!(calm["name"], "calm");
    assert_eq!(calm["seeds"], 1);
    let count = |field: &str| {
        calm[field]
            .as_u64()
            .unwrap_or_else(|| panic!("{field} is no number"))
    };
    assert!(count("keys_requested") > 100);
    assert_eq!(count("keys_established"), count("keys_requested"));
    assert_eq!(count("keys_failed"), 0);
    assert!(calm["violations"].as_array().unwrap().is_empty());
    assert!(calm["reached"]["branch:refill"].as_u64().unwrap() > 0);
    assert!(calm["simulated_seconds"].as_f64().unwrap() > 20.0);
    assert!(calm["wall_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(calm["digest"].as_str().unwrap().len(), 64);
}

#[test]
fn a_campaign_of_ones_own_runs_by_its_path() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "own.toml", SMALL);
    for name in ["own.toml", "./own.toml", path.to_str().unwrap()] {
        let output = chaos(dir.path(), &["run", name]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let report = numbers(&dir.path().join("reports"));
        assert_eq!(report["campaigns"][0]["name"], "own");
        assert!(report["campaigns"][0]["keys_established"].as_u64().unwrap() > 0);
    }
}

#[test]
fn what_breaks_is_told_with_a_command_that_replays_it() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "own.toml", &format!("{SMALL}{FORGERS}"));
    for name in ["own.toml", path.to_str().unwrap()] {
        let output = chaos(dir.path(), &["run", name, "--seed", "7", "--no-shrink"]);
        let said = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(!said.contains("SHRUNK"), "{said}");
        assert!(!dir.path().join("reports/failures").exists());
        let broken = said.lines().find(|line| line.starts_with("BROKEN: "));
        let broken = broken.unwrap_or_else(|| panic!("{said}"));
        assert!(
            broken.starts_with("BROKEN: agreement in campaign own, seed 7, at ")
                && broken.contains(" s: key "),
            "{broken}"
        );
        assert!(
            said.contains("  BROKEN: "),
            "the table has a verdict: {said}"
        );

        let replay = said.lines().find_map(|line| line.strip_prefix("REPLAY: "));
        let replay = replay.unwrap_or_else(|| panic!("{said}"));
        let args: Vec<&str> = replay.split_whitespace().collect();
        let ["cargo", "chaos", args @ ..] = args.as_slice() else {
            panic!("{replay}")
        };
        let again = chaos(dir.path(), args);
        assert_eq!(again.status.code(), Some(1), "{replay}: {}", stderr(&again));
        assert!(stdout(&again).contains(broken), "{replay}");
    }
}

#[test]
fn a_replay_shows_the_timeline_and_with_trace_every_message() {
    let dir = TempDir::new().unwrap();
    let lines = |trace: &[&str]| {
        let args = [&["replay", "storm", "--seed", "3"], trace].concat();
        let output = chaos(dir.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let (brief, full) = (lines(&[]), lines(&["--trace"]));
    for shown in [&brief, &full] {
        assert!(shown.starts_with("campaign storm, seed 3: "), "{shown}");
        for kind in [" call ", " fault ", " lie ", " start "] {
            assert!(shown.contains(kind), "no{kind}in it");
        }
        assert!(shown.lines().any(|line| line.starts_with("held")));
        assert!(
            shown
                .lines()
                .last()
                .is_some_and(|line| line.starts_with("digest "))
        );
    }
    assert!(full.contains(" deposit ") && full.contains(" shares "));
    assert!(!brief.contains(" deposit ") && !brief.contains(" shares "));
    assert!(!dir.path().join("reports").exists());
}

#[test]
fn a_control_whose_break_is_not_seen_fails() {
    let dir = TempDir::new().unwrap();
    file(
        &dir,
        "blind.toml",
        &format!("{SMALL}[expect]\nbreaks = \"one-time\"\n"),
    );
    let output = chaos(dir.path(), &["run", "blind.toml"]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("NOT CAUGHT: one-time was seen to break in 0 of 1 seeds only"),
        "{said}"
    );
    file(
        &dir,
        "seen.toml",
        &format!("{SMALL}{FORGERS}[expect]\nbreaks = \"no-false-key\"\n"),
    );
    let output = chaos(dir.path(), &["run", "seen.toml"]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    // What breaks on purpose is not shrunk.
    assert!(!dir.path().join("reports/failures").exists());
    assert!(
        said.contains("control: no-false-key was seen to break, as it must"),
        "{said}"
    );
}

/// Runs the command with this standard output.
fn chaos_into(stdout: Stdio, dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.current_dir(dir).args(args).stdout(stdout);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    child.wait_with_output().unwrap()
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn an_output_that_nobody_reads_costs_neither_report_nor_verdict() {
    let dir = TempDir::new().unwrap();
    file(&dir, "own.toml", SMALL);
    file(&dir, "forgers.toml", &format!("{SMALL}{FORGERS}"));
    for (args, code) in [
        (&["list"][..], 0),
        (&["run", "own.toml"], 0),
        (&["run", "forgers.toml", "--no-shrink"], 1),
        (&["replay", "own.toml", "--seed", "1", "--trace"], 0),
        (&["soak", "own.toml", "--runs", "2"], 0),
        (&["--help"], 0),
    ] {
        let _ = fs::remove_dir_all(dir.path().join("reports"));
        let output = chaos_into(closed(), dir.path(), args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(
            !said.contains("error") && !said.contains("panicked"),
            "{args:?}: {said}"
        );
        if args[0] == "run" {
            assert_eq!(
                numbers(&dir.path().join("reports"))["is_interrupted"],
                false
            );
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_output_is_one_line_and_the_report_is_there() {
    let dir = TempDir::new().unwrap();
    file(&dir, "own.toml", SMALL);
    for args in [
        &["list"][..],
        &["run", "own.toml"],
        &["replay", "own.toml", "--seed", "1"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = chaos_into(full.into(), dir.path(), args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        let errors = said.lines().filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{args:?}: {said}");
        assert!(said.contains("standard output cannot be written"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    assert!(dir.path().join("reports/index.html").exists());
}

/// A command that takes long, which is asked to end once it has begun.
fn interrupted(dir: &Path, args: &[&str], with: Signal) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.current_dir(dir).args(args);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = Pid::from_child(&child);
    thread::sleep(Duration::from_secs(3));
    kill_process(pid, with).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_interrupted_run_reports_what_it_found() {
    let dir = TempDir::new().unwrap();
    let endless = |more: &str| format!("{SMALL}{more}").replace("seeds = 1", "seeds = 1000000");
    file(&dir, "own.toml", &endless(""));
    file(&dir, "forgers.toml", &endless(FORGERS));
    for (args, with, code) in [
        (
            &["run", "own.toml", "calm", "--strict"][..],
            Signal::INT,
            130,
        ),
        (&["run", "own.toml"], Signal::TERM, 130),
        (&["run", "forgers.toml", "--no-shrink"], Signal::TERM, 1),
    ] {
        let _ = fs::remove_dir_all(dir.path().join("reports"));
        let output = interrupted(dir.path(), args, with);
        let said = stdout(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(
            said.contains("INTERRUPTED: this is what was found until then"),
            "{said}"
        );
        let report = numbers(&dir.path().join("reports"));
        assert_eq!(report["is_interrupted"], true);
        let [campaign] = report["campaigns"].as_array().unwrap().as_slice() else {
            panic!("the second had not begun: {said}")
        };
        let seeds = campaign["seeds"].as_u64().unwrap();
        assert!((1..1_000_000).contains(&seeds), "{seeds}");
        let page = fs::read_to_string(dir.path().join("reports/index.html")).unwrap();
        assert!(page.contains("<b>Interrupted</b>"));
    }
}

#[test]
fn an_interrupted_sweep_reports_what_it_measured() {
    let dir = TempDir::new().unwrap();
    let args = ["sweep", "--samples", "500"];
    let output = interrupted(dir.path(), &args, Signal::TERM);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(130), "{said}{}", stderr(&output));
    assert!(said.contains("INTERRUPTED: in part map."), "{said}");
    let text = fs::read(dir.path().join("reports/sweep.json")).unwrap();
    let sweep: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(sweep["interrupted_in"], "map");
    assert!(sweep["runs"].as_u64().unwrap() > 0);
    assert!(dir.path().join("reports/sweep.html").exists());
}

#[test]
fn a_soak_without_a_length_names_both_options() {
    let dir = TempDir::new().unwrap();
    let said = refused(dir.path(), &["soak"]);
    assert!(
        said.contains("--minutes") && said.contains("--runs"),
        "{said}"
    );
}

#[test]
fn one_of_a_thing_is_not_many() {
    let dir = TempDir::new().unwrap();
    file(&dir, "own.toml", SMALL);
    let output = chaos(dir.path(), &["run", "own.toml"]);
    let said = stderr(&output);
    assert!(said.contains("own: 1 seed, "), "{said}");
}

fn numbers(dir: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(dir.join("resilience.json")).unwrap()).unwrap()
}
