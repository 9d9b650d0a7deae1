//! One run for people and tools: what happened, in order of time, with nothing that is secret.
//!
//! ```text
//!  observation ──▶ exchange:  which of the messages that were seen are the same
//!                  fate:      which were lost, late or never answered, and why
//!                  content:   what messages say
//!                  knowledge: who knows what of each key
//!                  cast:      who takes part, and where faults are felt
//!                     ▼
//!                  Trace ──▶ ladder: text · json: a document · html: a page
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`schema`] | what a trace says |
//! | [`of`], [`of_plan`], [`told`], [`told_and`] | a trace is made of what was seen, of the plan alone, or of a run |
//! | [`ladder`] | as text |
//! | [`json`](mod@json) | as JSON |
//! | [`html`] | as a page that draws it |

mod cast;
mod content;
mod exchange;
mod fate;
pub mod html;
pub mod json;
mod knowledge;
pub mod ladder;
pub mod schema;
mod trace;

pub use schema::Trace;
pub use trace::{of, of_plan, told, told_and};

/// A simulated time in seconds.
fn seconds(us: u64) -> String {
    format!("{}.{:03} s", us / 1_000_000, us / 1000 % 1000)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use dske::crypto::mac::MAC_KEY_BYTES;
    use dske::harness::Canary;
    use dske::protocol::signature::Signature;

    use super::ladder::{Detail, ladder};
    use super::schema::{Role, What};
    use super::*;
    use crate::campaign::check::parse;
    use crate::explore::run::run_and_tell;
    use crate::explore::runner::run_fresh;
    use crate::judge::Facts;
    use crate::judge::secrecy::quotes_secret;
    use crate::outcome::RunOutcome;
    use crate::plan::{Fault, Plan};
    use crate::world::observer::open::Blocks;
    use crate::world::observer::record::Seen;

    /// A bit of everything, in two seconds.
    const CAMPAIGN: &str = "\
about = \"x\"
seeds = 1
[cluster]
hubs = 4
threshold = 2
share_ttl_ms = 2000
[workload]
duration_s = 2
calls_per_second = 8
intruder_percent = 20
[[faults]]
kind = \"partition\"
at_ms = 1200
duration_ms = 600
[[faults]]
kind = \"flood\"
at_ms = 1100
duration_ms = 500
strength = 40
[[faults]]
kind = \"rogue-client\"
at_ms = 1100
duration_ms = 900
strength = 40
[lies]
liars = 1
rate_percent = 50
";

    fn plan() -> Plan {
        parse("x", "x.toml", CAMPAIGN).unwrap().plan(1)
    }

    /// Runs a plan, and looks at what was seen.
    #[track_caller]
    fn look(plan: &Plan, canary: Option<Canary>, at: impl Fn(&Facts<'_>) + Sync) {
        let run = |plan: &Plan| {
            let plan = Plan {
                canary,
                ..plan.clone()
            };
            run_and_tell(&plan, |facts, _| at(facts));
            RunOutcome::default()
        };
        let outcome = run_fresh(plan, &run);
        assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
    }

    fn spellings(secret: &[u8]) -> [String; 2] {
        let hex = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        [hex, STANDARD.encode(secret)]
    }

    /// Everything that must not be read: keys, shares, pads and the keys of MACs.
    fn secrets(facts: &Facts<'_>) -> Vec<Vec<u8>> {
        let shares = facts.shares.values().flatten();
        let mut secrets: Vec<Vec<u8>> = shares.map(|(_, share)| share.y.to_vec()).collect();
        for call in &facts.seen.calls {
            let keys = call.outcome.keys().unwrap_or_default();
            secrets.extend(keys.iter().map(|key| key.bytes.to_vec()));
        }
        for message in &facts.seen.messages {
            let (Seen::Sent(request) | Seen::Arrived(request)) = &message.what else {
                continue;
            };
            let Ok(signature) = Signature::from_header(request.signature.as_deref()) else {
                continue;
            };
            if let Some(bytes) = facts.seen.blocks.of(&signature.allocation) {
                let (mac_key, pads) = bytes.split_at(MAC_KEY_BYTES.min(bytes.len()));
                secrets.push(mac_key.to_vec());
                secrets.extend((!pads.is_empty()).then(|| pads.to_vec()));
            }
        }
        secrets
    }

    #[test]
    fn nothing_secret_is_in_what_is_shown() {
        look(&plan(), None, |facts| {
            let trace = of(facts, &[]);
            let secrets = secrets(facts);
            assert!(secrets.len() > 200, "{}", secrets.len());
            let outputs = [
                ladder(&trace, Detail::All),
                json::json(&trace),
                html::page(&trace, "x"),
            ];
            for output in &outputs {
                for secret in &secrets {
                    for spelling in spellings(secret) {
                        assert!(!output.contains(&spelling), "{spelling}");
                    }
                }
                // Nor eight bytes of a key or share, whatever is around them.
                assert!(!quotes_secret(facts, output));
                for secret in [&secrets[0], secrets.last().unwrap()] {
                    let planted = format!("{output}{}", spellings(secret)[0]);
                    assert!(planted.contains(&spellings(secret)[0]));
                }
                let planted = format!("{output} {}", &spellings(&secrets[0])[1]);
                assert!(quotes_secret(facts, &planted));
            }
        });
    }

    #[test]
    fn what_a_broken_node_says_is_not_passed_on_where_it_holds_a_secret() {
        let mut quoted = 0;
        for seed in 1..=3 {
            // One hub that is out of reach is enough to fail, after some have answered.
            let text = CAMPAIGN.replace("threshold = 2", "threshold = 4");
            let plan = parse("x", "x.toml", &text).unwrap().plan(seed);
            let shown = std::sync::Mutex::new(0);
            look(&plan, Some(Canary::ShareInError), |facts| {
                let said = facts.seen.calls.iter().filter(|call| {
                    call.outcome.keys().is_none() && quotes_secret(facts, &call.outcome.line())
                });
                *shown.lock().unwrap() = said.count();
                assert!(!quotes_secret(facts, &json::json(&of(facts, &[]))));
            });
            quoted += shown.into_inner().unwrap();
        }
        assert!(quoted > 0, "no share was quoted");
    }

    #[test]
    fn the_adversary_knows_what_is_sent_to_its_hubs_and_nothing_else() {
        look(&plan(), None, |facts| {
            let trace = of(facts, &[]);
            let [liar] = facts.seen.plan.lying_hubs()[..] else {
                panic!("one hub lies")
            };
            let of_adversary = trace.nodes.iter().filter(|node| node.adversary);
            assert!(of_adversary.map(|node| node.index).eq([liar]));
            assert!(trace.keys.len() > 10);
            for key in &trace.keys {
                for learnt in &key.adversary {
                    assert_eq!(usize::from(learnt.x), liar + 1, "{key:?}");
                    assert_eq!(learnt.held, 1);
                }
            }
            let known = trace.keys.iter().filter(|key| !key.adversary.is_empty());
            assert!(known.count() > trace.keys.len() / 2);
        });
    }

    /// With a hub that hands shares to anybody, the rogue client comes to know keys.
    #[test]
    fn what_the_rogue_client_is_handed_counts() {
        look(&plan(), Some(Canary::AnyoneMayFetch), |facts| {
            let trace = of(facts, &[]);
            let learnt = trace.keys.iter().flat_map(|key| &key.adversary);
            let handed = learnt.filter(|learnt| learnt.how.starts_with("handed to mallory"));
            assert!(handed.count() > 0);
        });
    }

    #[test]
    fn attackers_and_their_messages_are_told_from_others() {
        look(&plan(), None, |facts| {
            let trace = of(facts, &[]);
            let roles = |role| trace.nodes.iter().filter(|node| node.role == role).count();
            assert_eq!((roles(Role::Outsider), roles(Role::Rogue)), (1, 1));
            let mut attacks = 0;
            for event in &trace.events {
                let What::Message(message) = &event.what else {
                    continue;
                };
                let attacker = ["outsider", "mallory"].contains(&message.from.as_str());
                assert_eq!(message.forged.is_some(), attacker, "{message:?}");
                attacks += usize::from(attacker);
            }
            assert_eq!(attacks, facts.seen.attacks.len());
            assert!(attacks > 40, "{attacks}");
        });
    }

    #[test]
    fn a_fault_is_shown_on_the_links_and_at_the_nodes_that_it_is_about() {
        look(&plan(), None, |facts| {
            let trace = of(facts, &[]);
            for (planned, shown) in facts.seen.plan.faults.iter().zip(&trace.faults) {
                let (links, nodes) = match &planned.fault {
                    Fault::Partition { clients, hubs } => (clients.len() * hubs.len(), 0),
                    Fault::Flood { .. } | Fault::RogueClient { .. } => (0, 1),
                    other => panic!("{other:?}"),
                };
                assert_eq!((shown.links.len(), shown.nodes.len()), (links, nodes));
            }
            let begun = |event: &&schema::Event| matches!(event.what, What::FaultBegins { .. });
            assert_eq!(trace.events.iter().filter(begun).count(), 3);
        });
    }
}
