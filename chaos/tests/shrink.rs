//! What breaks, and what is left of it, as a person meets them at the command line.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use dske_chaos::campaign;
use dske_chaos::plan::Plan;
use tempfile::TempDir;

/// K of 3 hubs forge keys while links break, and often answer first. It breaks agreement, and that there is no false key. Shares live short, so
/// that runs are short.
const FORGERS: &str = "\
about = \"K forge\"
seeds = 2
[cluster]
hubs = 3
threshold = 2
call_deadline_ms = 1000
share_ttl_ms = 2000
[workload]
duration_s = 2
calls_per_second = 5
fetch_after_ms = [0, 500]
intruder_percent = 20
fetch_twice_percent = 20
[[faults]]
kind = \"partition\"
per_minute = 120
duration_ms = [100, 500]
[[faults]]
kind = \"slow-link\"
per_minute = 60
duration_ms = [100, 500]
strength = [10, 50]
[lies]
liars = \"K\"
kinds = [\"forge-together\"]
rate_percent = 90
";

fn chaos(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.current_dir(dir).args(args).output().unwrap()
}

#[track_caller]
fn run(dir: &Path, code: i32, args: &[&str]) -> String {
    let output = chaos(dir, args);
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}{errors}");
    said
}

fn forgers() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("own.toml"), FORGERS).unwrap();
    dir
}

fn schedule(dir: &Path, file: &str) -> Plan {
    let path = dir.join(file);
    campaign::load(path.to_str().unwrap()).unwrap().plan(0)
}

#[test]
fn what_breaks_is_shrunk_saved_and_replays_with_one_command() {
    let dir = forgers();
    let said = run(dir.path(), 1, &["run", "own.toml"]);
    let mut lines = said.lines();
    let broken = lines.next().unwrap();
    assert!(
        broken.starts_with("BROKEN: agreement in campaign own, seed 1, at "),
        "{said}"
    );
    let shrunk = lines.next().unwrap();
    assert!(
        shrunk.starts_with("SHRUNK: reports/failures/own-1.toml: 0 of "),
        "{said}"
    );
    let replay = lines.next().unwrap();
    assert_eq!(
        replay,
        "REPLAY: cargo chaos replay reports/failures/own-1.toml --trace"
    );
    assert_eq!(lines.next().unwrap(), "LOOK:   reports/failures/own-1.html");
    assert!(
        said.contains("SHRUNK: reports/failures/own-1-no-false-key.toml: "),
        "the first of each invariant: {said}"
    );
    assert_eq!(said.matches("SHRUNK").count(), 2, "{said}");

    for (file, invariant) in [
        ("reports/failures/own-1.toml", "agreement"),
        ("reports/failures/own-1-no-false-key.toml", "no-false-key"),
    ] {
        let plan = schedule(dir.path(), file);
        assert!(plan.faults.is_empty(), "{plan:?}");
        // Fewer than two cannot forge.
        assert_eq!(plan.liars.len(), 2, "{plan:?}");
        assert_eq!(plan.calls.len(), 1, "{plan:?}");
        assert_eq!(plan.calls[0].number, 1, "{plan:?}");
        assert!(plan.end_ms < 10_000, "{plan:?}");
        assert_eq!((plan.campaign.as_str(), plan.seed), ("own", 1));
        let replayed = run(dir.path(), 1, &["replay", file, "--trace"]);
        let name = Path::new(file).file_stem().unwrap().to_str().unwrap();
        assert!(
            replayed.contains(&format!(
                "BROKEN: {invariant} in campaign {name}, seed 1, at "
            )),
            "{replayed}"
        );
        assert!(replayed.contains(" call ") && replayed.contains(" deposit "));
        // What broke is in its story, to the word.
        let text = fs::read_to_string(dir.path().join(file)).unwrap();
        let detail = text.lines().nth(1).unwrap().strip_prefix("# ").unwrap();
        assert!(replayed.contains(detail), "{detail}: {replayed}");
        // So it is on its page, with the lies that led to it.
        let page = dir.path().join(file).with_extension("html");
        let page = fs::read_to_string(page).unwrap();
        assert!(page.contains(detail), "{detail}");
        assert!(
            page.contains(&format!("{invariant}</b> at ")),
            "{invariant}"
        );
        assert_eq!(page.matches(r#""lie":"forge-together"}"#).count(), 2);
        // It is a campaign like others, but has nothing left to shrink.
        let again = run(dir.path(), 1, &["run", file, "--out", "again"]);
        assert!(again.contains(&format!("REPLAY: cargo chaos replay {file} --trace")));
        assert!(!dir.path().join("again/failures").exists());
    }
}

#[test]
fn the_report_names_the_schedule_its_sizes_and_its_command() {
    let dir = forgers();
    run(
        dir.path(),
        1,
        &["run", "own.toml", "--seed", "2", "--out", "out"],
    );
    let json = fs::read(dir.path().join("out/resilience.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let violations = report["campaigns"][0]["violations"].as_array().unwrap();
    let first = &violations[0]["shrunk"];
    let file = "out/failures/own-2.toml";
    assert_eq!(first["file"], file);
    assert_eq!(
        first["replay"],
        format!("cargo chaos replay {file} --trace")
    );
    let before = campaign::load(dir.path().join("own.toml").to_str().unwrap());
    let (before, after) = (before.unwrap().plan(2), schedule(dir.path(), file));
    for (size, plan) in [("before", &before), ("after", &after)] {
        let expected = serde_json::json!({
            "faults": plan.faults.len(),
            "liars": plan.liars.len(),
            "calls": plan.calls.len(),
        });
        assert_eq!(first[size], expected, "{size}");
    }
    assert!(first["runs"].as_u64().unwrap() > 5);
    let shrunk = |violation: &&serde_json::Value| !violation["shrunk"].is_null();
    assert_eq!(violations.iter().filter(shrunk).count(), 2);
    let page = fs::read_to_string(dir.path().join("out/index.html")).unwrap();
    assert!(page.contains(&format!("<code>{file}</code>")));
    assert!(page.contains(&format!("<code>cargo chaos replay {file} --trace</code>")));
    assert_eq!(first["view"], "out/failures/own-2.html");
    assert!(page.contains("<a href=\"failures/own-2.html\">"));
}

#[test]
fn the_number_of_jobs_and_the_way_there_change_nothing() {
    let dir = forgers();
    let text = |out: &str, args: &[&str]| {
        let args = [args, &["own.toml", "--seed", "1", "--out", out]].concat();
        run(dir.path(), 1, &args);
        let file = dir.path().join(out).join("failures/own-1.toml");
        // The path is all that may differ.
        fs::read_to_string(file)
            .unwrap()
            .replace(&format!("{out}/"), "")
    };
    let alone = text("one", &["shrink", "--jobs", "1"]);
    assert_eq!(text("swept", &["run", "--jobs", "3"]), alone);
}

#[test]
fn nothing_is_left_behind_where_nothing_breaks() {
    let dir = TempDir::new().unwrap();
    let said = run(dir.path(), 0, &["shrink", "calm", "--seed", "1"]);
    assert_eq!(said, "nothing breaks in campaign calm, seed 1\n");
    assert!(!dir.path().join("reports/failures").exists());
}

#[test]
fn a_schedule_that_cannot_be_is_refused_with_its_line() {
    let dir = TempDir::new().unwrap();
    let mut plan = campaign::load("storm").unwrap().plan(3);
    plan.calls.truncate(3);
    let text = campaign::schedule::write(&plan, "three calls", &[]).unwrap();
    let line_of = |what: &str| 1 + text.lines().position(|line| line.contains(what)).unwrap();
    let version = format!("version = {:?}", campaign::VERSION);
    let call = format!("id = 2, at_ms = {}", plan.calls[2].at_ms);
    for (from, to, line, why) in [
        ("id = 2", "id = 1", line_of("id = 2"), "two calls of id 1"),
        (
            call.as_str(),
            "id = 2, at_ms = 999",
            line_of("id = 2"),
            "calls.at_ms must be 1000 to",
        ),
        (
            version.as_str(),
            "version = \"0.0.0\"",
            line_of("version"),
            "shrink the failure anew (cargo chaos shrink storm --seed 3)",
        ),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        fs::write(dir.path().join("x.toml"), text.replacen(from, to, 1)).unwrap();
        for command in ["run", "replay", "shrink"] {
            let output = chaos(dir.path(), &[command, "x.toml"]);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(output.stdout.is_empty());
            assert!(
                said.starts_with(&format!("error: x.toml:{line}: ")),
                "{said}"
            );
            assert!(said.contains(why), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
    fs::write(dir.path().join("x.toml"), &text).unwrap();
    let output = chaos(dir.path(), &["replay", "x.toml", "--seed", "4"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("x.toml: is a schedule of seed 3, not 4; leave --seed out"),
        "{said}"
    );
}

/// A schedule is the very run that it was made of: the same timeline, to the last message.
#[test]
fn a_schedule_of_a_whole_run_replays_that_run() {
    let dir = TempDir::new().unwrap();
    let plan = campaign::load("storm").unwrap().plan(2);
    let text = campaign::schedule::write(&plan, "all of it", &[]).unwrap();
    fs::write(dir.path().join("x.toml"), text).unwrap();
    let drawn = run(
        dir.path(),
        0,
        &["replay", "storm", "--seed", "2", "--trace"],
    );
    let fixed = run(dir.path(), 0, &["replay", "x.toml", "--trace"]);
    assert!(drawn.lines().count() > 1_000);
    // A schedule expects nothing, so that its verdict cannot be that something was not reached.
    let timeline = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with("held"));
        lines.map(str::to_owned).collect()
    };
    assert!(timeline(&drawn) == timeline(&fixed), "the timelines differ");
}

#[test]
fn the_documented_campaigns_are_valid() {
    let page = include_str!("../../docs/campaigns.md");
    let mut schedules = 0;
    let blocks: Vec<&str> = page.split("```toml\n").skip(1).collect();
    for block in &blocks {
        let text = block.split("```").next().unwrap();
        let campaign = campaign::check::parse("doc", "docs/campaigns.md", text);
        let campaign = campaign.unwrap_or_else(|e| panic!("{e}\n{text}"));
        schedules += usize::from(matches!(campaign.plans, campaign::Plans::Fixed(_)));
    }
    assert_eq!((blocks.len(), schedules), (2, 1));
}
