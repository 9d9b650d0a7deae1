//! Status as specified: what Get status tells is true, and what it promises can be delivered. `docs/etsi-qkd-014.md`, rows 28
//! to 46.
//!
//! How many keys there is PSRD for follows from the blocks that a client was brought and from the messages that it sent. It
//! may be less where PSRD was set aside for messages that have not left, or was given up with a registration: that is
//! only looked into where nothing disturbs the nodes.

use std::collections::BTreeMap;

use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::mac::MAC_KEY_BYTES;
use dske::http::etsi::Status;
use dske::protocol::channel::PoolOwner;
use dske::protocol::initiator::KeySource;
use dske::protocol::signature::Signature;

use super::{Facts, Verdict, Violation};
use crate::plan::{Plan, Promises};
use crate::world::observer::record::{Call, CallKind, Outcome, Provisioned, Seen};

/// Members of a group beside the slave of the path.
const OTHERS_MAX: usize = 15;

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let calls: Vec<&Call> = facts.calls(CallKind::Status).collect();
    let Some(promises) = facts
        .seen
        .plan
        .promises()
        .ok()
        .filter(|_| !calls.is_empty())
    else {
        return verdict;
    };
    let pools = pools(facts);
    for call in calls {
        match &call.outcome {
            Outcome::Status(status) => {
                words(&facts.seen.plan, &promises, call, status, &mut verdict);
                count(facts, &promises, &pools, call, status, &mut verdict);
            }
            other => {
                verdict.expect(facts.client_was_down(call), call.until_us, || {
                    Violation::NoStatus {
                        call: call.id,
                        client: call.client,
                        sae: call.sae.clone(),
                        end: other.line(),
                    }
                });
            }
        }
    }
    verdict
}

/// All that does not change.
fn words(plan: &Plan, promises: &Promises, call: &Call, status: &Status, verdict: &mut Verdict) {
    let home = (0..plan.saes()).find(|sae| plan.sae_name(*sae) == call.other.as_str());
    let home = home.map_or("", |sae| plan.client_name(plan.client_of(sae)));
    let number = |number: usize| number.to_string();
    let texts = [
        (
            "source_KME_ID",
            status.source_KME_ID.clone(),
            plan.client_name(call.client).to_owned(),
        ),
        (
            "target_KME_ID",
            status.target_KME_ID.clone(),
            home.to_owned(),
        ),
        (
            "master_SAE_ID",
            status.master_SAE_ID.clone(),
            call.sae.to_string(),
        ),
        (
            "slave_SAE_ID",
            status.slave_SAE_ID.clone(),
            call.other.to_string(),
        ),
        (
            "key_size",
            number(status.key_size),
            number(promises.default_bits),
        ),
        (
            "min_key_size",
            number(status.min_key_size),
            number(promises.min_bits),
        ),
        (
            "max_key_size",
            number(status.max_key_size),
            number(promises.max_bits),
        ),
        (
            "max_key_per_request",
            number(status.max_key_per_request),
            number(promises.per_request_max),
        ),
        (
            "max_key_count",
            number(status.max_key_count),
            number(promises.stored_max),
        ),
        (
            "max_SAE_ID_count",
            number(status.max_SAE_ID_count),
            number(OTHERS_MAX),
        ),
    ];
    for (what, said, truth) in texts {
        verdict.expect(said == truth, call.until_us, || Violation::WrongStatus {
            call: call.id,
            client: call.client,
            what,
            said: said.clone(),
            truth: truth.clone(),
        });
    }
}

/// `stored_key_count`: the keys of default size for which there is PSRD at K hubs.
fn count(
    facts: &Facts<'_>,
    promises: &Promises,
    pools: &BTreeMap<(usize, usize), Pool>,
    call: &Call,
    status: &Status,
    verdict: &mut Verdict,
) {
    let plan = &facts.seen.plan;
    let cluster = &plan.cluster;
    // Each host of the simulation has a clock of its own within a tick.
    let tick_us = cluster.tick_ms * 1000;
    let during = (
        call.from_us.saturating_sub(tick_us),
        call.until_us + tick_us,
    );
    let cost = MAC_KEY_BYTES + TAG_SECRET_BYTES + promises.default_bits / 8;
    let (mut least, mut most) = (Vec::new(), Vec::new());
    for hub in 0..usize::from(cluster.hubs) {
        let pool = pools.get(&(call.client, hub));
        let (low, high) = pool.map_or((0, 0), |pool| pool.bytes(during));
        least.push(low / cost);
        most.push(high / cost);
    }
    let is_disturbed = !plan.faults.is_empty() || !plan.liars.is_empty();
    if is_disturbed || cluster.key_source == KeySource::Psrd {
        least.fill(0);
    }
    let at_k_hubs = |mut counts: Vec<usize>| {
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts[usize::from(cluster.threshold) - 1].min(promises.stored_max)
    };
    let truth = (at_k_hubs(least), at_k_hubs(most));
    let said = status.stored_key_count;
    verdict.expect((truth.0..=truth.1).contains(&said), call.until_us, || {
        Violation::WrongCount {
            call: call.id,
            client: call.client,
            said,
            truth,
        }
    });
}

/// The PSRD that a client has for its messages to a hub: how much there was from when on.
#[derive(Default)]
struct Pool(Vec<(u64, usize)>);

impl Pool {
    fn now(&self) -> usize {
        self.0.last().map_or(0, |(_, bytes)| *bytes)
    }

    fn set(&mut self, at_us: u64, bytes: usize) {
        self.0.push((at_us, bytes));
    }

    /// The least and the most that there was at some time from the first moment to the last.
    fn bytes(&self, (from_us, until_us): (u64, u64)) -> (usize, usize) {
        let begun = self.0.partition_point(|(at_us, _)| *at_us < from_us);
        let before = begun.checked_sub(1).map_or(0, |place| self.0[place].1);
        let during = self.0[begun..]
            .iter()
            .take_while(|(at_us, _)| *at_us <= until_us);
        let during = during.map(|(_, bytes)| *bytes);
        during.fold((before, before), |(least, most), bytes| {
            (least.min(bytes), most.max(bytes))
        })
    }
}

/// Client and hub → the pool from which the client allocates.
fn pools(facts: &Facts<'_>) -> BTreeMap<(usize, usize), Pool> {
    let seen = facts.seen;
    let mut pools: BTreeMap<(usize, usize), Pool> = BTreeMap::new();
    let mut provisions = seen.provisions.iter().peekable();
    for number in 0..=seen.messages.len() {
        while let Some(heard) = provisions.next_if(|heard| heard.after <= number) {
            let pool = pools.entry((heard.client, heard.hub)).or_default();
            match &heard.what {
                Provisioned::Registered => pool.set(heard.at_us, 0),
                Provisioned::Block(PoolOwner::Client, id) => {
                    let block = seen.blocks.get(id).map_or(0, |block| block.bytes.len());
                    pool.set(heard.at_us, pool.now() + block);
                }
                _ => {}
            }
        }
        let Some(message) = seen.messages.get(number) else {
            break;
        };
        let (Seen::Sent(request), Some(client)) = (&message.what, message.client) else {
            continue;
        };
        if let Ok(signature) = Signature::from_header(request.signature.as_deref()) {
            let spent = usize::try_from(signature.allocation.total()).unwrap_or(usize::MAX);
            let pool = pools.entry((client, message.hub)).or_default();
            pool.set(message.at_us, pool.now().saturating_sub(spent));
        }
    }
    pools
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, Scene, fault, unknown};
    use super::*;
    use crate::plan::Fault;

    /// Bytes of the block that the scene's hubs deliver.
    const BLOCK: usize = 16_384;

    /// What a client has to tell that has spent so many bytes of each pool.
    fn truth(scene: &Scene, spent: usize) -> Status {
        let promises = scene.see().plan.promises().unwrap();
        Status {
            source_KME_ID: "carol".to_owned(),
            target_KME_ID: "celia".to_owned(),
            master_SAE_ID: "carol".to_owned(),
            slave_SAE_ID: "celia".to_owned(),
            key_size: promises.default_bits,
            stored_key_count: (BLOCK - spent) / (32 + 48 + 32),
            max_key_count: promises.stored_max,
            max_key_per_request: promises.per_request_max,
            max_key_size: promises.max_bits,
            min_key_size: promises.min_bits,
            max_SAE_ID_count: 15,
        }
    }

    fn told(change: impl FnOnce(&mut Status)) -> Verdict {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        // A MAC key, and the pads of two shares of 64 bytes.
        let mut status = truth(&scene, 32 + 2 * 64);
        change(&mut status);
        let outcome = Outcome::Status(Box::new(status));
        scene.call(1, CallKind::Status, MASTER, (2_000, 2_004), outcome);
        scene.judge(check)
    }

    #[test]
    fn the_truth_is_right() {
        let verdict = told(|_| {});
        verdict.must_hold();
        assert_eq!(verdict.evaluated, 11);
    }

    #[test]
    fn whatever_is_not_true_is_seen() {
        let changes: [fn(&mut Status); 6] = [
            |status| status.target_KME_ID = "carol".to_owned(),
            |status| status.slave_SAE_ID = "cindy".to_owned(),
            |status| status.key_size += 8,
            |status| status.max_key_size += 8,
            |status| status.max_key_per_request += 1,
            |status| status.max_SAE_ID_count = 16,
        ];
        for change in changes {
            told(change).must_break("the status of client 0 says that");
        }
    }

    #[test]
    fn a_key_more_and_a_key_less_than_there_is_psrd_for_are_seen() {
        told(|status| status.stored_key_count += 1).must_break("for 144 to 144");
        told(|status| status.stored_key_count -= 1).must_break("for 144 to 144");
    }

    #[test]
    fn what_k_hubs_have_counts_and_less_is_no_lie_where_something_is_disturbed() {
        let count = |said: usize| {
            let mut scene = Scene::new(|plan| {
                plan.faults
                    .push(fault(9_000, 9_100, Fault::CutRefill { hub: 0 }));
            });
            scene.establish(0, 1_000);
            // Three hubs have lost theirs.
            let mut seen = scene.see();
            let mut registered = seen.provisions[0].clone();
            registered.what = Provisioned::Registered;
            (registered.at_us, registered.after) = (1_500_000, seen.messages.len());
            for hub in 0..3 {
                (registered.client, registered.hub) = (MASTER, hub);
                seen.provisions.push(registered.clone());
            }
            drop(seen);
            let mut status = truth(&scene, 160);
            status.stored_key_count = said;
            let outcome = Outcome::Status(Box::new(status));
            scene.call(1, CallKind::Status, MASTER, (2_000, 2_004), outcome);
            scene.judge(check)
        };
        count(0).must_hold();
        count(1).must_break("for 0 to 0");
    }

    #[test]
    fn no_status_is_seen() {
        let scene = Scene::new(|_| {});
        scene.call(0, CallKind::Status, MASTER, (1_000, 1_004), unknown());
        scene.judge(check).must_break("asked client 0 for a status");
    }
}
