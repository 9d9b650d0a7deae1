//! The calls of a run as lines of JSON, for checkers that share no code with the invariants: `docs/histories.md` has the
//! format and the rules. One line for each call's beginning and one for its end, in order of time.
//!
//! A line holds no byte of a key: keys are told apart by a hash with a salt that is in no file.

use dske::crypto::secret::Secret;
use dske::protocol::KeyId;
use rand::RngExt;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::judge::Facts;
use crate::plan::Plan;
use crate::plan::stream::stream;
use crate::world::observer::record::{Call, CallKind, Outcome};

/// The format. Another number when a field changes its meaning or goes.
pub const SCHEMA: &str = "dske-history/1";

/// The first line.
#[derive(Serialize)]
struct Head<'a> {
    schema: &'a str,
    campaign: &'a str,
    seed: u64,
    /// For a negative control: the invariant that the run has to break.
    #[serde(skip_serializing_if = "Option::is_none")]
    breaks: Option<&'a str>,
}

/// A call begins or ends.
#[derive(Serialize)]
struct Line<'a> {
    at_us: u64,
    call: usize,
    process: &'a str,
    #[serde(flatten)]
    kind: Kind,
    #[serde(flatten)]
    event: Event,
}

/// What is called.
#[derive(Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Kind {
    GetKey { slaves: Vec<String> },
    GetKeyWithIds { master: String, key_ids: Vec<KeyId> },
}

/// What happens to the call.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    Invoke,
    Ok { status: u16, keys: Vec<Given> },
    Fail { status: u16 },
    Info,
}

#[derive(Serialize)]
struct Given {
    key_id: KeyId,
    digest: String,
}

/// The history of a run. `breaks` names what a negative control has to break.
#[must_use]
pub fn history(facts: &Facts<'_>, breaks: Option<&str>) -> String {
    let plan = &facts.seen.plan;
    let salt: [u8; 32] = stream(&plan.campaign, plan.seed, "history").random();
    let mut lines = Vec::with_capacity(2 * facts.seen.calls.len());
    for (number, call) in facts.seen.calls.iter().enumerate() {
        let Some(kind) = kind(plan, call) else {
            continue;
        };
        // What ends at a moment ends before anything else begins: a message takes time. Only a call that ends as it begins
        // does so after that.
        let ends = if call.until_us > call.from_us { 0 } else { 2 };
        for (at_us, place, event) in [
            (call.from_us, 1, Event::Invoke),
            (call.until_us, ends, end(&salt, &call.outcome)),
        ] {
            let line = Line {
                at_us,
                call: number,
                process: call.sae.as_str(),
                kind: kind.clone(),
                event,
            };
            lines.push(((at_us, place, number), json(&line)));
        }
    }
    lines.sort_by_key(|(place, _)| *place);
    let head = Head {
        schema: SCHEMA,
        campaign: &plan.campaign,
        seed: plan.seed,
        breaks,
    };
    let lines = lines.into_iter().map(|(_, line)| line);
    std::iter::once(json(&head)).chain(lines).collect()
}

/// What the SAE asks for, as it should or by mistake: `None` if it asks for a status.
fn kind(plan: &Plan, call: &Call) -> Option<Kind> {
    let fetches = match call.kind {
        CallKind::Status => return None,
        CallKind::Mistaken(mistake) => mistake.is_of_slave(),
        kind => kind.fetches(),
    };
    if fetches {
        return Some(Kind::GetKeyWithIds {
            master: call.other.to_string(),
            key_ids: call.key_ids.clone(),
        });
    }
    let planned = plan.calls.iter().find(|planned| planned.id == call.id);
    let also = planned.and_then(|planned| planned.also);
    let also = also.map(|also| plan.sae_name(also));
    let slaves = std::iter::once(call.other.to_string()).chain(also);
    Some(Kind::GetKey {
        slaves: slaves.collect(),
    })
}

fn end(salt: &[u8], outcome: &Outcome) -> Event {
    match outcome {
        Outcome::Keys(keys) => Event::Ok {
            status: 200,
            keys: keys
                .iter()
                .map(|key| Given {
                    key_id: key.id,
                    digest: digest(salt, &key.bytes),
                })
                .collect(),
        },
        Outcome::Refused(status, _) => Event::Fail { status: *status },
        Outcome::Status(_) | Outcome::Unknown(_) => Event::Info,
    }
}

/// Tells whether two keys are the same, and nothing else to anybody who does not know the salt.
fn digest(salt: &[u8], key: &Secret) -> String {
    let hash = Sha256::new().chain_update(salt).chain_update(&key[..]);
    let hash = hash.finalize();
    hash.iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn json(line: &impl Serialize) -> String {
    let mut text =
        serde_json::to_string(line).expect("a line is numbers, words, and lists of them");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::load;
    use crate::world::observer::Observer;
    use crate::world::observer::record::Key;

    /// The lines about calls of these times, each with this outcome.
    fn lines(spans: &[(u64, u64)], outcome: impl Fn() -> Outcome) -> Vec<String> {
        let plan = load("calm").unwrap().plan(1);
        let observer = Observer::new(&plan, false);
        for &(from_us, until_us) in spans {
            observer.see().calls.push(Call {
                id: plan.calls[0].id,
                kind: CallKind::Master,
                client: plan.calls[0].master,
                sae: "carol".parse().unwrap(),
                other: "celia".parse().unwrap(),
                number: 1,
                key_ids: Vec::new(),
                from_us,
                until_us,
                outcome: outcome(),
            });
        }
        let text = history(&Facts::new(&observer.seen()), None);
        text.lines().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn within_a_moment_calls_end_before_others_begin() {
        let lines = lines(&[(5, 9), (9, 9), (9, 12), (2, 9)], || {
            Outcome::Refused(503, String::new())
        });
        let events = lines.iter().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            (line["call"].as_u64().unwrap(), line["type"] == "invoke")
        });
        let began = |call| (call, true);
        let ended = |call| (call, false);
        assert_eq!(
            events.collect::<Vec<_>>(),
            [
                began(3),
                began(0),
                ended(0),
                ended(3),
                began(1),
                began(2),
                ended(1),
                ended(2)
            ]
        );
    }

    #[test]
    fn a_digest_is_that_of_equal_keys_under_one_salt_only() {
        let key = |byte| Secret::from(vec![byte; 16]);
        assert_eq!(digest(b"x", &key(1)), digest(b"x", &key(1)));
        assert_ne!(digest(b"x", &key(1)), digest(b"x", &key(2)));
        assert_ne!(digest(b"x", &key(1)), digest(b"y", &key(1)));
    }

    #[test]
    fn what_came_of_a_call_is_told_without_the_key() {
        let key = || Key {
            id: "91e405c7-85f3-440a-b027-6bea38301601".parse().unwrap(),
            bytes: Secret::from(vec![0xa7; 16]),
        };
        let ended = |outcome: &dyn Fn() -> Outcome| lines(&[(1, 2)], outcome)[1].clone();
        let given = ended(&|| Outcome::Keys(vec![key()]));
        assert!(given.contains(r#""type":"ok","status":200,"keys":[{"key_id":"91e405c7-"#));
        assert!(
            !given.contains("a7a7") && !given.contains("p6en"),
            "{given}"
        );
        let refused = ended(&|| Outcome::Refused(400, String::new()));
        assert!(
            refused.ends_with(r#""type":"fail","status":400}"#),
            "{refused}"
        );
        let unknown = ended(&|| Outcome::Unknown(String::new()));
        assert!(unknown.ends_with(r#""type":"info"}"#), "{unknown}");
    }
}
