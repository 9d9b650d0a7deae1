//! One run for people and tools: as text, as JSON, as a page. The page of a planted bug is left in the target directory's
//! `tmp`, to look at: `view-canary.html`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dske::harness::Canary;
use dske_chaos::campaign;
use dske_chaos::plan::{Fault, Plan};
use dske_chaos::tell::view::{Trace, html, told};
use serde_json::Value;
use tempfile::TempDir;

/// One client is cut off from two of four hubs while calls go on.
const PARTITION: &str = "\
about = \"A partition\"
seeds = 1
[cluster]
hubs = 4
threshold = 2
share_ttl_ms = 2000
[workload]
duration_s = 3
calls_per_second = 8
[[faults]]
kind = \"partition\"
at_ms = 1500
duration_ms = 700
hubs = 2
";

fn chaos(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command.current_dir(dir).args(args).output().unwrap()
}

fn partition() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("cut.toml"), PARTITION).unwrap();
    dir
}

/// The document, which is all that stdout has.
fn document(dir: &Path, args: &[&str]) -> Value {
    let args = [&["replay"], args, &["--trace", "json"]].concat();
    let output = chaos(dir, &args);
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn messages(document: &Value) -> Vec<&Value> {
    let events = document["events"].as_array().unwrap().iter();
    events.filter(|event| event["type"] == "message").collect()
}

#[test]
fn every_message_has_one_fate_and_what_is_lost_is_lost_to_the_partition() {
    let dir = partition();
    let document = document(dir.path(), &["cut.toml", "--seed", "1"]);
    assert_eq!(document["schema"], "dske-trace/1");
    let [fault] = document["faults"].as_array().unwrap().as_slice() else {
        panic!("one fault was planned")
    };
    let (from, until) = (fault["at_us"].as_u64(), fault["until_us"].as_u64());
    assert_eq!((from, until), (Some(1_500_000), Some(2_200_000)));
    let mut exchanges: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    let mut lost = 0;
    for message in messages(&document) {
        let exchange = exchanges.entry(message["exchange"].as_u64().unwrap());
        exchange.or_default().push(message);
        let arrived = message["arrived_us"].as_u64();
        match message["fate"].as_str().unwrap() {
            "delivered" => {
                assert!(arrived > message["at_us"].as_u64(), "{message}");
            }
            "lost" => {
                assert_eq!(arrived, None, "{message}");
                let ends = [&message["from"], &message["to"]];
                let links = fault["links"].as_array().unwrap();
                let on_link = links.iter().any(|link| {
                    let link = [&link[0], &link[1]];
                    link == ends || link == [ends[1], ends[0]]
                });
                assert!(on_link, "{message}");
                let why = message["why"].as_str().unwrap();
                assert!(why.contains("partition until 2.200 s"), "{message}");
                lost += 1;
            }
            // An answer to a client that had given up.
            "late" => {}
            other => panic!("{other}: {message}"),
        }
    }
    assert!(lost > 5, "{lost}");
    for (number, exchange) in exchanges {
        // A request, and its answer if it has arrived and was answered.
        let request = exchange[0];
        let answered = request["arrived_us"].is_u64() && request["unanswered"].is_null();
        assert_eq!(
            exchange.len(),
            1 + usize::from(answered),
            "exchange {number}"
        );
        if let Some(answer) = exchange.get(1) {
            assert_eq!(
                (&answer["from"], &answer["to"]),
                (&request["to"], &request["from"])
            );
            assert!(answer["at_us"].as_u64() >= request["arrived_us"].as_u64());
        }
    }
}

#[test]
fn events_are_in_order_and_each_is_a_line_of_its_own() {
    let dir = partition();
    let args = ["replay", "cut.toml", "--seed", "1", "--trace", "json"];
    let text = String::from_utf8(chaos(dir.path(), &args).stdout).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let events = document["events"].as_array().unwrap();
    let times: Vec<u64> = events
        .iter()
        .map(|e| e["at_us"].as_u64().unwrap())
        .collect();
    assert!(times.is_sorted());
    let lines = text.lines().filter(|line| line.starts_with("{\"at_us\":"));
    let parsed = lines.filter(|line| {
        let line: Result<Value, _> = serde_json::from_str(line.trim_end_matches(','));
        line.is_ok_and(|line| line["type"].is_string())
    });
    assert_eq!(parsed.count(), events.len());
    // Who was given a key, and that it was the one that was drawn.
    let keys = document["keys"].as_array().unwrap();
    let delivered = keys
        .iter()
        .flat_map(|key| key["delivered"].as_array().unwrap());
    let mut count = 0;
    for given in delivered {
        assert_eq!(
            (&given["value"], &given["drawn"]),
            (&1.into(), &true.into())
        );
        count += 1;
    }
    assert!(count > keys.len(), "{count}");
}

#[test]
fn the_ladder_says_what_was_lost_and_why() {
    let dir = partition();
    let shown = |args: &[&str]| {
        let args = [&["replay", "cut.toml", "--seed", "1"], args].concat();
        let output = chaos(dir.path(), &args);
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = shown(&["--trace"]);
    assert_eq!(text, shown(&["--trace", "text"]));
    let lost = text.lines().filter(|line| line.contains(" LOST "));
    assert!(lost.clone().count() > 5, "{text}");
    for line in lost {
        assert!(line.contains("partition until 2.200 s)"), "{line}");
    }
    assert!(text.contains(" fault    begins partition: "), "{text}");
    assert!(
        text.contains("who knows what in the end (the adversary is "),
        "{text}"
    );
    assert!(!shown(&[]).contains(" LOST "));
}

/// The first of a few runs in which a planted bug breaks something.
fn broken(canary: Canary, campaign: &str) -> (Plan, Trace) {
    let campaign = campaign::load(campaign).unwrap();
    let mut runs = (1..=5).map(|seed| {
        let plan = Plan {
            canary: Some(canary),
            ..campaign.plan(seed)
        };
        let (_, trace) = told(&plan);
        (plan, trace)
    });
    let found = runs.find(|(_, trace)| !trace.violations.is_empty());
    found.expect("five runs are enough to see the bug")
}

#[test]
fn the_page_of_a_planted_bug_shows_what_broke_and_what_led_to_it() {
    let (_, trace) = broken(Canary::TagNotChecked, "byzantine-minority");
    let html = html::page(&trace, "cargo chaos replay <x>");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("view-canary.html");
    fs::write(path, &html).unwrap();
    let broke = |name: &str| {
        let mut violations = trace.violations.iter();
        violations.find(|violation| violation.invariant == name)
    };
    let (first, false_key) = (&trace.violations[0], broke("no-false-key").unwrap());
    let headline = format!("{} broke at {}.", first.invariant, seconds(first.at_us));
    assert!(html.contains(&headline), "{headline}");
    assert!(html.contains(&false_key.detail), "{}", false_key.detail);
    assert!(html.contains("cargo chaos replay &lt;x&gt;"));
    assert!(html.contains(": a false key"), "the table of keys says it");
    for forbidden in [
        "http://", "https://", "<link", "<img", "@import", "url(", "src=",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    // The data of the page is the document: the lie that led to it is there, with its key.
    let data = html.split("id=\"trace\">").nth(1).unwrap();
    let data = data.split("</script>").next().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let key = &false_key.keys[0];
    let lied = messages(&data).into_iter().any(|message| {
        let mut keys = message["keys"].as_array().unwrap().iter();
        message["lie"].is_string() && keys.any(|part| part["id"] == key.as_str())
    });
    assert!(lied, "no lie about {key}");
    let story = data["keys"].as_array().unwrap().iter();
    let mut story = story.filter(|story| story["id"] == key.as_str());
    let delivered = story.next().unwrap()["delivered"]
        .as_array()
        .unwrap()
        .clone();
    assert!(delivered.iter().any(|given| given["drawn"] == false));
}

fn seconds(us: u64) -> String {
    format!("{}.{:03} s", us / 1_000_000, us / 1000 % 1000)
}

#[test]
fn rare_situations_have_a_time() {
    let (_, trace) = broken(Canary::TagNotChecked, "byzantine-minority");
    let text = dske_chaos::tell::view::json::json(&trace);
    assert!(text.contains("\"type\":\"mark\""));
}

#[test]
fn what_led_to_a_panic_is_kept() {
    let mut plan = campaign::load("calm").unwrap().plan(1);
    // Nobody can crash a hub that is not there.
    plan.faults.push(dske_chaos::plan::PlannedFault {
        at_ms: 1_500,
        until_ms: 1_600,
        fault: Fault::Partition {
            clients: vec![0],
            hubs: vec![15],
        },
    });
    let (outcome, trace) = told(&plan);
    assert_eq!(outcome.violations[0].invariant(), "panic");
    assert_eq!(trace.violations[0].invariant, "panic");
    let last = trace.events.last().unwrap().at_us;
    assert!((1_000_000..2_000_000).contains(&last), "{last}");
    assert_eq!(trace.violations[0].at_us, last, "it broke where all ends");
}

#[test]
fn a_page_is_written_where_it_is_asked_for() {
    let dir = partition();
    let args = [
        "replay",
        "cut.toml",
        "--seed",
        "1",
        "--html",
        "deep/down/x.html",
    ];
    let output = chaos(dir.path(), &args);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("page: deep/down/x.html"), "{said}");
    let html = fs::read_to_string(dir.path().join("deep/down/x.html")).unwrap();
    assert!(html.contains("All invariants held.") && html.trim_end().ends_with("</html>"));
    assert!(html.contains("<code>cargo chaos replay cut.toml --seed 1 --trace</code>"));
    // With JSON on stdout, too.
    let args = [&args[..4], &["--trace", "json", "--html", "y.html"]].concat();
    let output = chaos(dir.path(), &args);
    serde_json::from_slice::<Value>(&output.stdout).unwrap();
    assert!(dir.path().join("y.html").exists());
}

/// Bad use: exit code 2, one message, and nothing has run.
#[track_caller]
fn refused(dir: &Path, args: &[&str]) -> String {
    let output = chaos(dir, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "{args:?}");
    assert!(said.starts_with("error: "), "{args:?}: {said}");
    said
}

#[test]
fn another_format_is_refused_with_those_there_are() {
    let dir = partition();
    let said = refused(
        dir.path(),
        &["replay", "cut.toml", "--seed", "1", "--trace", "yaml"],
    );
    assert!(
        said.contains("'yaml'") && said.contains("text, json"),
        "{said}"
    );
    // What comes after the flag is taken for its format.
    let said = refused(
        dir.path(),
        &["replay", "--trace", "cut.toml", "--seed", "1"],
    );
    assert!(
        said.contains("'cut.toml'") && said.contains("text, json"),
        "{said}"
    );
}

#[test]
fn a_page_that_cannot_be_written_is_refused_before_anything_runs() {
    let dir = partition();
    fs::write(dir.path().join("taken"), "a file").unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    let page = |path| ["replay", "cut.toml", "--seed", "1", "--html", path];
    let said = refused(dir.path(), &page("taken/x.html"));
    assert!(
        said.contains("taken") && said.contains("choose a directory"),
        "{said}"
    );
    let said = refused(dir.path(), &page("folder"));
    assert_eq!(
        said,
        "error: folder: is a directory; name the file that the page is to be written to\n"
    );
    let said = refused(dir.path(), &["replay", "cut.toml", "--seed", "1", "--html"]);
    assert!(said.contains("--html <FILE>"), "{said}");
}

#[test]
fn a_schedule_of_another_version_is_refused_and_leaves_no_page() {
    let dir = TempDir::new().unwrap();
    let plan = campaign::load("calm").unwrap().plan(1);
    let text = campaign::schedule::write(&plan, "x", &[]).unwrap();
    let version = format!("version = {:?}", campaign::VERSION);
    let text = text.replacen(&version, "version = \"0.0.0\"", 1);
    fs::write(dir.path().join("x.toml"), text).unwrap();
    for show in [&["--html", "x.html"][..], &["--trace", "json"]] {
        let said = refused(dir.path(), &[&["replay", "x.toml"], show].concat());
        assert!(said.contains("shrink the failure anew"), "{said}");
    }
    assert!(!dir.path().join("x.html").exists());
}
