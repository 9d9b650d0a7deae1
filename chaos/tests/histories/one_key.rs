//! One key, as it would be if all calls were carried out one after the other: written once, and read at most once by each
//! SAE that is named. A history is right if every key in it behaves as if they were (Herlihy and Wing: a history is
//! linearizable if it is so object by object).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// The key.
#[derive(Clone, Default)]
struct OneKey {
    written: Option<Written>,
    read_by: BTreeSet<String>,
}

#[derive(Clone)]
struct Written {
    slaves: Vec<String>,
    /// Unknown until somebody is given the key.
    digest: Option<String>,
}

#[derive(Clone, Debug)]
enum Op {
    Write { slaves: Vec<String> },
    Read { sae: String },
}

/// The key as it was given. Whatever was refused is not in a history: it has no effect, and may happen at any time.
type Digest = String;

impl SequentialSpec for OneKey {
    type Op = Op;
    type Ret = Option<Digest>;

    /// What happens in a call whose answer nobody had.
    fn invoke(&mut self, op: &Op) -> Option<Digest> {
        match op {
            Op::Write { slaves } => {
                self.written.get_or_insert(Written {
                    slaves: slaves.clone(),
                    digest: None,
                });
            }
            Op::Read { sae } => {
                self.read_by.insert(sae.clone());
            }
        }
        None
    }

    fn is_valid_step(&mut self, op: &Op, given: &Option<Digest>) -> bool {
        match (op, &mut self.written) {
            (Op::Write { slaves }, written @ None) => {
                *written = Some(Written {
                    slaves: slaves.clone(),
                    digest: given.clone(),
                });
                true
            }
            (Op::Read { sae }, Some(written)) => {
                written.slaves.contains(sae)
                    && self.read_by.insert(sae.clone())
                    && (written.digest.is_none() || written.digest == *given)
                    && {
                        written.digest.clone_from(given);
                        true
                    }
            }
            (Op::Write { .. }, Some(_)) | (Op::Read { .. }, None) => false,
        }
    }
}

/// The IDs of the keys whose calls cannot have been carried out one after the other.
pub(crate) fn not_linearizable(lines: &[Value]) -> Vec<String> {
    let ids = lines.iter().flat_map(|line| keys(line).into_keys());
    let ids: BTreeSet<String> = ids.collect();
    let ends: BTreeMap<u64, &Value> = lines
        .iter()
        .filter(|line| line["type"] != "invoke")
        .map(|line| (number(line), line))
        .collect();
    let is_right = |id: &String| tester(id, lines, &ends).is_consistent();
    ids.into_iter().filter(|id| !is_right(id)).collect()
}

/// The part of a history that is about one key. An SAE may make several calls at once, so each call is a thread.
fn tester(
    id: &str,
    lines: &[Value],
    ends: &BTreeMap<u64, &Value>,
) -> LinearizabilityTester<u64, OneKey> {
    let master = lines.iter().find(|line| asked(line).any(|key| key == id));
    let master = master.map(|line| &line["master"]);
    let is_written = ends
        .values()
        .any(|end| end["kind"] == "get_key" && keys(end).contains_key(id));
    let mut tester = LinearizabilityTester::new(OneKey::default());
    for line in lines {
        let end = ends.get(&number(line)).copied().unwrap_or(line);
        let is_given = keys(end).contains_key(id);
        let is_unknown = end["type"] == "info";
        let op = match line["kind"].as_str().unwrap() {
            // A master who had no answer may have written any key that nobody else was given.
            "get_key"
                if is_given || (is_unknown && !is_written && Some(&line["process"]) == master) =>
            {
                Op::Write {
                    slaves: texts(&line["slaves"]),
                }
            }
            "get_key_with_ids" if is_given || (is_unknown && asked(line).any(|key| key == id)) => {
                Op::Read {
                    sae: line["process"].as_str().unwrap().to_owned(),
                }
            }
            _ => continue,
        };
        let stepped = match line["type"].as_str().unwrap() {
            "invoke" => tester.on_invoke(number(line), op),
            "ok" => tester.on_return(number(line), keys(line).remove(id)),
            // The call stays under way.
            _ => continue,
        };
        stepped.unwrap();
    }
    tester
}

/// Key ID → digest of the keys that a line gives.
fn keys(line: &Value) -> BTreeMap<String, Digest> {
    let keys = line["keys"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    keys.map(|key| (text(&key["key_id"]), text(&key["digest"])))
        .collect()
}

fn asked(line: &Value) -> impl Iterator<Item = &str> {
    let ids = line["key_ids"].as_array().into_iter().flatten();
    ids.filter_map(Value::as_str)
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

fn number(line: &Value) -> u64 {
    line["call"].as_u64().unwrap()
}
