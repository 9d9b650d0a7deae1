//! What a client counts of the calls by its SAEs.

use dske::node::client::KmeError;

use super::super::{Facts, Verdict};
use super::{Seen, Span, compare, lives};
use crate::world::observer::record::{Call, Node, Outcome};

/// What a client's counters must be.
#[derive(Default)]
struct Tally {
    requested: Seen,
    established: Seen,
    establish_failures: Seen,
    fetched: Seen,
    fetch_failures: Seen,
}

pub(super) fn check(facts: &Facts<'_>, verdict: &mut Verdict) {
    for (client, span, status) in lives(facts) {
        let mut tally = Tally::default();
        for call in facts.seen.calls.iter().filter(|call| {
            call.client == client && (call.kind.establishes() || call.kind.fetches())
        }) {
            tally.add(span, call);
        }
        let counters = &status.counters;
        for (what, counted, seen) in [
            ("keys requested", counters.keys_requested, tally.requested),
            (
                "keys established",
                counters.keys_established,
                tally.established,
            ),
            ("keys fetched", counters.keys_fetched, tally.fetched),
            (
                "calls of masters that failed",
                counters.establish_failures,
                tally.establish_failures,
            ),
            (
                "calls of slaves that failed",
                counters.fetch_failures,
                tally.fetch_failures,
            ),
        ] {
            compare(
                verdict,
                span.answered_us,
                Node::Client(client),
                what,
                counted,
                seen,
            );
        }
    }
}

impl Tally {
    fn add(&mut self, span: Span, call: &Call) {
        let Some(is_certain) = span.holds_all(call.from_us, call.until_us) else {
            return;
        };
        let is_master = call.kind.establishes();
        let number = u64::from(call.number);
        let (requested, keys, failures) = if is_master {
            let failures = &mut self.establish_failures;
            (Some(&mut self.requested), &mut self.established, failures)
        } else {
            (None, &mut self.fetched, &mut self.fetch_failures)
        };
        let is_carried_out = match &call.outcome {
            Outcome::Keys(given) => {
                keys.add(given.len() as u64, is_certain);
                is_certain
            }
            Outcome::Refused(_, why) if is_turned_away(call, why) => return,
            Outcome::Refused(..) => {
                failures.add(1, is_certain);
                is_certain
            }
            Outcome::Status(_) => return,
            // Nobody knows how far it came.
            Outcome::Unknown(_) => {
                keys.add(number, false);
                failures.add(1, false);
                false
            }
        };
        if let Some(requested) = requested {
            requested.add(number, is_carried_out);
        }
    }
}

/// Whether the client has refused a call at the door: it asks no hub, and counts nothing.
fn is_turned_away(call: &Call, why: &str) -> bool {
    let full = KmeError::TooManyHandedOut(call.sae.clone());
    let handed_out = call.key_ids.iter().map(|key| KmeError::HandedOut(*key));
    let mut at_the_door = handed_out.chain([full, KmeError::Busy]);
    at_the_door.any(|error| why.contains(&error.to_string()))
}
