//! Accounts: what a node counts is what its SAEs and the wire saw since it started. Its metrics say the same as its status.
//!
//! Where it cannot be told from outside whether something was counted before a status was made, or at all, the count has to
//! lie between the least and the most that it can be. In a calm run these are the same.
//!
//! | module | whose counts |
//! |---|---|
//! | `calls` | a client's, of the calls by its SAEs |
//! | `links` | a client's, of its links |
//! | `hubs` | a hub's |
//! | [`metrics`] | those that a node tells in its metrics |
//!
//! Not judged here, because nobody outside sees it: attempts that found no PSRD to spend, and the work of searching. Blame is
//! judged by [`super::blame`], answers that could not be verified by [`super::authentic`].

mod calls;
mod hubs;
mod links;
pub mod metrics;

use std::fmt;

use dske::node::client::ClientStatus;

use super::{Facts, Verdict};
use crate::world::observer::record::Node;

/// A status arrives at most so long after it was asked for: later nobody waits for it.
const POLL_US: u64 = 500_000;

/// A count that is not what was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{node} counts {counted} {what}, and {seen} were seen")]
#[expect(
    missing_docs,
    reason = "the line of the error says what its fields are"
)]
pub struct Miscount {
    pub node: Counting,
    pub what: String,
    pub counted: u64,
    pub seen: Seen,
}

/// Who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting(pub Node);

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Node::Client(client) => write!(f, "client {client}"),
            Node::Hub(hub) => write!(f, "hub {hub}"),
        }
    }
}

/// How often something was seen: for certain, and perhaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// The least that it can be.
    pub least: u64,
    /// The most that it can be.
    pub most: u64,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.least == self.most {
            true => write!(f, "{}", self.least),
            false => write!(f, "{} to {}", self.least, self.most),
        }
    }
}

impl Seen {
    fn add(&mut self, times: u64, is_certain: bool) {
        self.most += times;
        self.least += if is_certain { times } else { 0 };
    }
}

/// The part of a node's life that the last status in it tells of, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// When the node started.
    start_us: u64,
    /// What had happened by then is in the status.
    asked_us: u64,
    /// What happened later is not.
    answered_us: u64,
}

impl Span {
    /// What happened all at once: whether it may be in the status, and then whether it certainly is.
    fn holds(&self, at_us: u64) -> Option<bool> {
        (self.start_us..=self.answered_us)
            .contains(&at_us)
            .then_some(at_us <= self.asked_us)
    }

    /// The same of what took from one moment to another.
    fn holds_all(&self, from_us: u64, until_us: u64) -> Option<bool> {
        (until_us >= self.start_us && from_us <= self.answered_us)
            .then_some(from_us >= self.start_us && until_us <= self.asked_us)
    }
}

/// The lives of all clients of which there is a status, and the last one of each.
fn lives<'a>(facts: &Facts<'a>) -> impl Iterator<Item = (usize, Span, &'a ClientStatus)> {
    let seen = facts.seen;
    let lives = seen.client_statuses.iter();
    lives.filter_map(move |(&(client, life), status)| {
        let start_us = *seen.client_starts.get(&(client, life))?;
        let asked_us = *seen.client_polls.get(&(client, life))?;
        // What happens from the next start on does not belong to this life.
        let next_us = seen.client_starts.get(&(client, life + 1));
        let last_us = next_us.map_or(u64::MAX, |next_us| next_us.saturating_sub(1));
        let span = Span {
            start_us,
            asked_us,
            answered_us: last_us.min(asked_us + POLL_US),
        };
        Some((client, span, status))
    })
}

/// Checks the last status in each life of each node, and all metrics.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    calls::check(facts, &mut verdict);
    links::check(facts, &mut verdict);
    hubs::check(facts, &mut verdict);
    metrics::check(facts, &mut verdict);
    verdict
}

/// Compares a count that was told at some moment with what was seen.
fn compare(verdict: &mut Verdict, at_us: u64, node: Node, what: &str, counted: u64, seen: Seen) {
    let agrees = (seen.least..=seen.most).contains(&counted);
    verdict.expect(agrees, at_us, || {
        Miscount {
            node: Counting(node),
            what: what.to_owned(),
            counted,
            seen,
        }
        .into()
    });
}

#[cfg(test)]
mod tests {
    use dske::protocol::channel::PoolOwner;
    use dske::protocol::message::DepositOutcome;

    use super::super::testing::{MASTER, SLAVE, Scene, refused, unknown};
    use super::*;
    use crate::world::observer::record::{self, CallKind, NoteKind, Provision, Provisioned};

    /// Two keys go from the master to the slave, and all are polled when nothing is under way any more.
    fn counted() -> Scene {
        let mut scene = Scene::new(|_| {});
        // Registrations and blocks have a test of their own.
        scene.see().provisions.clear();
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        poll_all(&scene);
        change(&scene, MASTER, |status| {
            status.counters.keys_requested = 2;
            status.counters.keys_established = 2;
        });
        change(&scene, SLAVE, |status| status.counters.keys_fetched = 2);
        scene
    }

    fn poll_all(scene: &Scene) {
        for client in [MASTER, SLAVE] {
            scene.polled(client, 0, 0, 10_000, |_| 0);
        }
        for hub in 0..5 {
            scene.poll(hub, 10_500, |_| {});
        }
    }

    fn change(scene: &Scene, client: usize, change: impl FnOnce(&mut ClientStatus)) {
        let mut seen = scene.see();
        change(seen.client_statuses.get_mut(&(client, 0)).unwrap());
    }

    #[test]
    fn counts_of_what_was_seen_are_right() {
        counted().judge(check).must_hold();
    }

    #[test]
    fn a_key_that_is_counted_twice_or_not_at_all_is_seen() {
        for keys in [1, 3] {
            let scene = counted();
            change(&scene, SLAVE, |status| status.counters.keys_fetched = keys);
            let verdict = scene.judge(check);
            verdict.must_break(&format!(
                "client 1 counts {keys} keys fetched, and 2 were seen"
            ));
        }
    }

    #[test]
    fn a_call_that_failed_counts_and_one_that_was_turned_away_does_not() {
        let scene = counted();
        let span = (5_000, 5_100);
        scene.call(1, CallKind::Master, MASTER, span, refused());
        let verdict = scene.judge(check);
        assert_eq!(verdict.broken.len(), 2, "{:?}", verdict.broken);
        change(&scene, MASTER, |status| {
            status.counters.keys_requested = 4;
            status.counters.establish_failures = 1;
        });
        scene.judge(check).must_hold();
        let busy = dske::node::client::KmeError::Busy.to_string();
        let busy = crate::world::observer::record::Outcome::Refused(503, busy);
        scene.call(2, CallKind::Master, MASTER, span, busy);
        scene.judge(check).must_hold();
    }

    #[test]
    fn of_a_call_without_an_answer_and_one_under_way_nobody_knows() {
        for (span, outcome) in [((5_000, 5_100), unknown()), ((9_900, 10_100), refused())] {
            let scene = counted();
            scene.call(1, CallKind::Master, MASTER, span, outcome);
            scene.judge(check).must_hold();
            change(&scene, MASTER, |status| status.counters.keys_requested = 4);
            scene.judge(check).must_hold();
            change(&scene, MASTER, |status| status.counters.keys_requested = 5);
            let verdict = scene.judge(check);
            verdict.must_break("client 0 counts 5 keys requested, and 2 to 4 were seen");
        }
    }

    #[test]
    fn what_happened_before_a_start_does_not_count_after_it() {
        let scene = counted();
        scene.see().client_starts.insert((MASTER, 0), 5_000_000);
        change(&scene, MASTER, |status| {
            status.counters = Default::default()
        });
        scene.judge(check).must_hold();
    }

    #[test]
    fn each_life_is_judged_for_itself() {
        let scene = counted();
        let span = (12_000, 12_100);
        scene.call(1, CallKind::Master, MASTER, span, refused());
        scene.polled(MASTER, 1, 11_000, 13_000, |_| 0);
        let verdict = scene.judge(check);
        assert_eq!(
            verdict.broken.len(),
            2,
            "of the second life: {:?}",
            verdict.broken
        );
        let mut seen = scene.see();
        let counters = &mut seen.client_statuses.get_mut(&(MASTER, 1)).unwrap().counters;
        counters.keys_requested = 2;
        counters.establish_failures = 1;
        drop(seen);
        scene.judge(check).must_hold();
        change(&scene, MASTER, |status| {
            status.counters.keys_established = 1
        });
        let verdict = scene.judge(check);
        verdict.must_break("client 0 counts 1 keys established, and 2 were seen");
    }

    #[test]
    fn registrations_and_blocks_are_those_that_the_client_heard_of() {
        let scene = counted();
        let block = *scene.see().blocks.keys().next().unwrap();
        for (what, at_us) in [
            (Provisioned::AsksToRegister, 10_000),
            (Provisioned::Registered, 20_000),
            (Provisioned::Block(PoolOwner::Client, block), 30_000),
            (Provisioned::Block(PoolOwner::Hub, block), 40_000),
        ] {
            scene.see().provisions.push(Provision {
                at_us,
                after: 0,
                client: SLAVE,
                hub: 3,
                what,
            });
        }
        change(&scene, SLAVE, |status| {
            status.hubs[3].link.registrations = 1
        });
        let verdict = scene.judge(check);
        verdict.must_break("client 1 counts 0 refills at hub 3, and 2 were seen");
        change(&scene, SLAVE, |status| status.hubs[3].link.refills = 2);
        scene.judge(check).must_hold();
    }

    #[test]
    fn a_deposit_that_is_sent_again_is_a_retry() {
        let mut scene = counted();
        let body = scene.last_deposit(2);
        scene.deposit_again(2, 1_200, &body);
        scene.poll(2, 10_500, |_| {});
        let verdict = scene.judge(check);
        verdict.must_break("client 0 counts 0 retries at hub 2, and 1 to 12 were seen");
        change(&scene, MASTER, |status| status.hubs[2].link.retries = 1);
        scene.judge(check).must_hold();
    }

    #[test]
    fn a_share_that_comes_after_the_call_is_late() {
        let scene = counted();
        for message in &mut scene.see().messages {
            let is_heard = matches!(message.what, record::Seen::Heard { .. });
            if is_heard && (message.client, message.hub) == (Some(MASTER), 4) {
                message.at_us = 1_300_000;
            }
        }
        let verdict = scene.judge(check);
        verdict.must_break("client 0 counts 0 late shares, and 1 to 2 were seen");
        change(&scene, MASTER, |status| status.counters.late_shares = 1);
        scene.judge(check).must_hold();
    }

    #[test]
    fn what_a_hub_served_and_refused_is_what_it_said() {
        let scene = counted();
        scene.poll(1, 10_500, |status| {
            status.served.insert("fetch".to_owned(), 2);
        });
        let verdict = scene.judge(check);
        verdict.must_break("hub 1 counts 2 served as fetch, and 1 were seen");
        scene.poll(1, 10_500, |status| {
            status.refused.insert("bad-mac".to_owned(), 1);
        });
        let verdict = scene.judge(check);
        verdict.must_break("hub 1 counts 1 refused as bad-mac, and 0 were seen");
    }

    #[test]
    fn a_hub_counts_from_its_last_start_and_one_that_lies_is_not_asked() {
        let scene = counted();
        let node = Node::Hub(1);
        let start = NoteKind::Start { node, life: 1 };
        let at_us = 3_000_000;
        let note = crate::world::observer::record::Note { at_us, what: start };
        scene.see().notes.push(note);
        let broken = scene.judge(check).broken;
        assert_eq!(broken.len(), 2, "a deposit and a fetch: {broken:?}");
        scene.poll(1, 10_500, |status| status.served.clear());
        scene.judge(check).must_hold();
        // Its last status before that start is judged, too.
        scene.poll(1, 2_900, |status| status.served.clear());
        let broken = scene.judge(check).broken;
        assert_eq!(broken.len(), 2, "a deposit and a fetch: {broken:?}");
        let mut scene = Scene::new(|plan| plan.liars.push(super::super::testing::liar(1)));
        scene.establish(0, 1_000);
        scene.poll(1, 10_500, |status| status.served.clear());
        assert_eq!(scene.judge(check).broken, []);
    }

    #[test]
    fn outcomes_of_deposits_do_not_matter() {
        let mut scene = counted();
        let body = scene.deposit_of_another_key(2);
        scene.deposit_answered(2, 6_000, &body, DepositOutcome::Full);
        scene.poll(2, 10_500, |status| {
            *status.served.get_mut("deposit").unwrap() += 1;
        });
        scene.judge(check).must_hold();
    }
}
