//! Histories of calls, judged by two that share no code with the invariants: the linearizability tester of `stateright`, and
//! the script `chaos/histories.py`. `docs/histories.md` has the rules.
#![allow(clippy::unwrap_used)]

#[path = "histories/one_key.rs"]
mod one_key;

use std::fs;
use std::path::Path;
use std::process::Command;

use dske::harness::Canary;
use dske_chaos::campaign;
use dske_chaos::explore::run::run_and_look;
use dske_chaos::explore::runner::run_fresh_and;
use dske_chaos::plan::Plan;
use dske_chaos::tell::history::history;
use one_key::not_linearizable;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The lines of a history, without the first one.
type Lines = Vec<Value>;

fn history_of(name: &str, seed: u64, canary: Option<Canary>) -> Lines {
    let campaign = campaign::load(name).unwrap();
    let plan = Plan {
        canary,
        ..campaign.plan(seed)
    };
    let look = |plan: &Plan| run_and_look(plan, |facts| history(facts, None));
    let (_, text) = run_fresh_and(&plan, look);
    let text = text.unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let head: Value = lines.next().unwrap();
    assert_eq!(head["campaign"], name);
    lines.collect()
}

/// What the script says of a history, line by line, or nothing where there is no Python.
fn script(lines: &Lines, breaks: Option<&str>) -> Option<(bool, Vec<String>)> {
    let dir = TempDir::new().unwrap();
    let mut head = json!({"schema": "dske-history/1", "campaign": "x", "seed": 1});
    if let Some(breaks) = breaks {
        head["breaks"] = breaks.into();
    }
    let text = [&head].into_iter().chain(lines).map(Value::to_string);
    let path = dir.path().join("x.jsonl");
    fs::write(&path, text.collect::<Vec<_>>().join("\n")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("histories.py");
    // The gate demands Python, and runs the script over all campaigns.
    let output = Command::new("python3").arg(script).arg(&path).output();
    let output = output.ok()?;
    let said = String::from_utf8(output.stdout).unwrap();
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {said}");
    let path = format!("{}:", path.display());
    let said = said.lines().filter_map(|line| line.strip_prefix(&path));
    Some((code == Some(0), said.map(str::to_owned).collect()))
}

#[track_caller]
fn holds(what: &str, lines: &Lines) {
    assert_eq!(not_linearizable(lines), Vec::<String>::new(), "{what}");
    if let Some(said) = script(lines, None) {
        assert_eq!(said, (true, Vec::new()), "{what}");
    }
}

/// Passes if the tester finds fault with one key, and the script with one line, by this rule.
#[track_caller]
fn breaks(rule: &str, key: &str, at_line: usize, lines: &Lines) {
    assert_eq!(not_linearizable(lines), [key], "{rule}");
    if let Some((is_good, said)) = script(lines, None) {
        assert!(!is_good);
        let [said] = said.as_slice() else {
            panic!("{rule}: {said:?}")
        };
        assert!(said.starts_with(&format!("{at_line}: {rule}: ")), "{said}");
    }
}

#[test]
fn the_histories_of_campaigns_are_linearizable() {
    let mut fetched = 0;
    for (name, seed) in [
        ("calm", 1),
        ("repeats", 1),
        ("crashes", 1),
        ("partitions", 1),
        ("byzantine-minority", 1),
        ("greedy", 1),
        ("storm", 2),
    ] {
        let lines = history_of(name, seed, None);
        holds(name, &lines);
        let ok = |line: &&Value| line["kind"] == "get_key_with_ids" && line["type"] == "ok";
        fetched += lines.iter().filter(ok).count();
    }
    assert!(fetched > 500, "{fetched}");
}

#[test]
fn bugs_in_the_nodes_are_seen_in_histories() {
    for (canary, name, seed, rule) in [
        (Canary::HandedOutTwice, "repeats", 1, "once-read"),
        (Canary::TagNotChecked, "byzantine-minority", 1, "same-key"),
    ] {
        let lines = history_of(name, seed, Some(canary));
        assert!(!not_linearizable(&lines).is_empty(), "{canary}");
        if let Some((is_good, said)) = script(&lines, None) {
            assert!(!is_good && said.iter().any(|line| line.contains(rule)));
            let other = said.iter().find(|line| !line.contains(rule));
            assert_eq!(other, None, "{canary}");
        }
    }
}

#[test]
fn a_control_has_to_break_what_it_is_for() {
    let lines = history_of("byzantine-forgery", 1, None);
    assert!(!not_linearizable(&lines).is_empty());
    let honest = history_of("calm", 2, None);
    if let Some((is_good, _)) = script(&lines, Some("no-false-key")) {
        assert!(is_good);
        let (is_good, _) = script(&honest, Some("no-false-key")).unwrap();
        assert!(!is_good, "nothing is broken");
        let (is_good, _) = script(&honest, Some("secrecy")).unwrap();
        assert!(is_good, "no history shows that");
    }
}

/// A key goes from carol to celia and cindy: lines 2 to 7.
fn exchange() -> Lines {
    let get =
        json!({"call": 0, "process": "carol", "kind": "get_key", "slaves": ["celia", "cindy"]});
    let fetch = |call: u32, sae: &str| json!({"call": call, "process": sae, "kind": "get_key_with_ids", "master": "carol", "key_ids": ["k"]});
    let keys = json!([{"key_id": "k", "digest": "d"}]);
    vec![
        line(10, &get, json!({"type": "invoke"})),
        line(20, &get, json!({"type": "ok", "status": 200, "keys": keys})),
        line(30, &fetch(1, "celia"), json!({"type": "invoke"})),
        line(31, &fetch(2, "cindy"), json!({"type": "invoke"})),
        line(
            40,
            &fetch(1, "celia"),
            json!({"type": "ok", "status": 200, "keys": keys}),
        ),
        line(
            41,
            &fetch(2, "cindy"),
            json!({"type": "ok", "status": 200, "keys": keys}),
        ),
    ]
}

/// A line of parts.
fn line(at_us: u64, call: &Value, event: Value) -> Value {
    let mut line = call.clone();
    line["at_us"] = at_us.into();
    let Value::Object(event) = event else {
        unreachable!("an event is an object")
    };
    line.as_object_mut().unwrap().extend(event);
    line
}

/// The line becomes one about an answer that nobody had.
fn unanswered(line: &mut Value) {
    line["type"] = "info".into();
    let fields = line.as_object_mut().unwrap();
    fields.remove("keys");
    fields.remove("status");
}

/// The lines of one call once more, as another call at the end.
fn again(lines: &mut Lines, call: u32, change: impl Fn(&mut Value)) {
    let of_call = |line: &&Value| line["call"] == call;
    let mut copies: Lines = lines.iter().filter(of_call).cloned().collect();
    for (line, at_us) in copies.iter_mut().zip(50..) {
        line["at_us"] = at_us.into();
        line["call"] = 9.into();
        change(line);
    }
    lines.extend(copies);
}

#[test]
fn a_key_that_is_written_once_and_read_once_by_each_named_sae_is_right() {
    holds("an exchange", &exchange());
    // Whoever has had no answer may have had the key, or may not.
    for unknown in [4, 5] {
        let mut lines = exchange();
        unanswered(&mut lines[unknown]);
        again(&mut lines, 1, |line| {
            line["process"] = json!(["celia", "cindy"][unknown - 4])
        });
        // The other one has had it before: only the one without an answer may come again.
        holds("no answer to a fetch", &lines);
    }
    let mut lines = exchange();
    unanswered(&mut lines[1]);
    holds("no answer to the master", &lines);
    let mut lines = exchange();
    let given = lines.remove(1);
    lines.push(Value::clone(&given));
    lines[5]["at_us"] = 60.into();
    holds("the master's answer is late", &lines);
    let mut lines = exchange();
    lines[4] = line(
        40,
        &json!({"call": 1, "process": "celia", "kind": "get_key_with_ids", "master": "carol", "key_ids": ["k"]}),
        json!({"type": "fail", "status": 503}),
    );
    again(&mut lines, 2, |line| line["process"] = "celia".into());
    holds("refused, and given later", &lines);
}

#[test]
fn a_history_that_was_doctored_is_seen_by_both() {
    let mut lines = exchange();
    again(&mut lines, 2, |_| {});
    breaks("once-read", "k", 9, &lines);

    let mut lines = exchange();
    lines[5]["keys"][0]["digest"] = "e".into();
    breaks("same-key", "k", 7, &lines);

    let mut lines = exchange();
    again(&mut lines, 1, |line| line["process"] = "connie".into());
    breaks("named", "k", 9, &lines);

    let mut lines = exchange();
    again(&mut lines, 0, |_| {});
    breaks("once-written", "k", 9, &lines);

    // The master only asks when celia already has the key.
    let mut lines = exchange();
    lines.truncate(5);
    let moved: Lines = lines.drain(..2).collect();
    lines.remove(1);
    lines.extend(moved);
    for (line, at_us) in lines.iter_mut().zip(100..) {
        line["at_us"] = at_us.into();
    }
    breaks("written-first", "k", 3, &lines);

    // Of a master who had no answer, the slaves have different keys.
    let mut lines = exchange();
    unanswered(&mut lines[1]);
    lines[5]["keys"][0]["digest"] = "e".into();
    breaks("same-key", "k", 7, &lines);

    // Another master's call cannot have written it.
    let mut lines = exchange();
    unanswered(&mut lines[1]);
    for line in &mut lines[..2] {
        line["process"] = "connie".into();
    }
    lines.truncate(5);
    lines.remove(3);
    breaks("written-first", "k", 5, &lines);
}

#[test]
fn the_script_sees_histories_that_no_run_can_have_made() {
    type Change = fn(&mut Lines);
    let changes: [(&str, Change); 5] = [
        ("3: order: is earlier", |lines| lines[1]["at_us"] = 5.into()),
        ("3: order: no such call", |lines| {
            lines[1]["process"] = "celia".into()
        }),
        ("0: order: call 2 never ends", |lines| lines.truncate(5)),
        ("6: asked: ", |lines| {
            lines[2]["key_ids"] = json!(["k", "l"])
        }),
        ("7: refused: ", |lines| lines[5]["type"] = "fail".into()),
    ];
    for (expected, change) in changes {
        let mut lines = exchange();
        change(&mut lines);
        if expected.contains("asked") {
            lines[4]["key_ids"] = json!(["k", "l"]);
        }
        let Some((is_good, said)) = script(&lines, None) else {
            return;
        };
        assert!(
            !is_good && said.iter().any(|line| line.starts_with(expected)),
            "{expected}: {said:?}"
        );
    }
}

#[test]
fn the_command_writes_a_file_for_each_run_and_a_replay_the_same() {
    let dir = TempDir::new().unwrap();
    let chaos = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
        command.current_dir(dir.path()).args(args).output().unwrap()
    };
    let run = chaos(&[
        "run",
        "calm",
        "--seeds",
        "2",
        "--out",
        "out",
        "--histories",
        "h",
    ]);
    assert!(run.status.success(), "{run:?}");
    let replay = chaos(&["replay", "calm", "--seed", "2", "--histories", "again"]);
    assert!(replay.status.success(), "{replay:?}");
    let read = |path: &str| fs::read_to_string(dir.path().join(path)).unwrap();
    let (one, two) = (read("h/calm-1.jsonl"), read("h/calm-2.jsonl"));
    assert_eq!(two, read("again/calm-2.jsonl"));
    assert_ne!(one, two);
    assert!(one.lines().count() > 100);
    fs::write(dir.path().join("file"), "").unwrap();
    let refused = chaos(&["run", "calm", "--histories", "file/h"]);
    assert_eq!(refused.status.code(), Some(2));
}
