//! Blame: only hubs that lied are blamed, and a hub whose lie was met is blamed.

use std::collections::BTreeSet;
use std::ops::Range;

use dske::crypto::shamir::ShareIndex;
use dske::protocol::KeyId;
use dske::protocol::message::FetchAnswer;

use super::{Facts, Verdict, Violation};
use crate::world::observer::open::{fetched, is_authentic};
use crate::world::observer::record::{CallKind, LieTold, Seen};

/// Checks the invariant. K liars or more may outvote the truth: then nothing is claimed.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let seen = facts.seen;
    if seen.plan.lying_hubs().len() >= usize::from(seen.plan.cluster.threshold) {
        return verdict;
    }
    for (&(client, hub), &at_us) in &seen.blamed_at {
        let lied = seen.lies.iter().any(|lie| {
            lie.hub == hub && lie.client == client && lie.lie.is_provable() && lie.at_us <= at_us
        });
        verdict.expect(lied, at_us, || {
            let blames = seen.blame.get(&(client, hub)).cloned();
            Violation::HonestBlamed {
                client,
                hub,
                blames,
            }
        });
    }
    // A client that never found anything wrong with hubs that never lied counts too.
    verdict.evaluated += u64::from(seen.blamed_at.is_empty());
    for lie in seen.lies.iter().filter(|lie| was_met(facts, lie)) {
        let blame = seen.blame.get(&(lie.client, lie.hub));
        let blamed = blame.is_some_and(|how| match lie.lie.blamed_as() {
            Some(kind) => how.contains_key(kind),
            None => true,
        });
        verdict.expect(blamed, lie.at_us, || Violation::LiarNotBlamed {
            client: lie.client,
            lie: lie.lie,
            hub: lie.hub,
            blames: blame.cloned(),
        });
    }
    verdict
}

/// Whether a provable lie reached a client that put all keys of the call together, and that lived on to tell.
fn was_met(facts: &Facts<'_>, lie: &LieTold) -> bool {
    let seen = facts.seen;
    if !lie.lie.is_provable()
        || seen
            .plan
            .is_client_down(lie.client, lie.at_us / 1000, u64::MAX)
    {
        return false;
    }
    let heard = seen
        .messages
        .iter()
        .find_map(|message| match &message.what {
            // A lie that the hub had no PSRD left to sign was never told: what came was a refusal.
            Seen::Heard { to, response }
                if message.hub == lie.hub
                    && to.signature == lie.to
                    && response.signature.is_some() =>
            {
                Some(message.at_us)
            }
            _ => None,
        });
    let Some(heard) = heard else { return false };
    // The call in which it was asked: the one that delivered these keys, and began before.
    let tries = [CallKind::Slave, CallKind::SlaveRetry].into_iter();
    let mut tries = tries.flat_map(|kind| facts.calls(kind));
    let delivered = tries.find(|call| {
        let keys = call.outcome.keys().unwrap_or_default();
        call.client == lie.client
            && call.from_us <= lie.at_us
            && keys.iter().any(|key| lie.key_ids.contains(&key.id))
    });
    // An answer that comes after the call's deadline is not listened to any more.
    let deadline_us = seen.plan.cluster.call_deadline_ms * 1000;
    delivered.is_some_and(|call| {
        let until_us = call.from_us + deadline_us;
        let is_certain = || {
            let mut keys = lie.key_ids.iter();
            keys.any(|&key_id| is_certain(facts, lie.client, key_id, call.from_us..until_us))
        };
        heard < until_us && (lie.lie.blamed_as() != Some("wrong-share") || is_certain())
    })
}

/// Whether a client heard so many right shares of a key that others are wrong beyond doubt. `docs/protocol.md` §8.
fn is_certain(facts: &Facts<'_>, client: usize, key_id: KeyId, during_us: Range<u64>) -> bool {
    let seen = facts.seen;
    let right = seen.messages.iter().filter_map(|message| {
        let Seen::Heard { to, response } = &message.what else {
            return None;
        };
        if message.client != Some(client)
            || !during_us.contains(&message.at_us)
            || !is_authentic(&seen.blocks, to, response)
            // Its share may be right, but it is left out for what else it says.
            || seen.lies.iter().any(|lie| lie.to == to.signature)
        {
            return None;
        }
        let mut answers = fetched(&seen.blocks, to, response).flat_map(|(_, reply)| reply.keys);
        let answer = answers.find(|result| result.key_id == key_id)?;
        let FetchAnswer::Found(found) = &answer.answer else {
            return None;
        };
        let x = u8::try_from(message.hub + 1)
            .ok()
            .and_then(ShareIndex::new)?;
        let deposited = facts.shares.get(&key_id)?.get(&x)?;
        (found.share.0 == deposited.y).then_some(message.hub)
    });
    let right: BTreeSet<usize> = right.collect();
    let threshold = usize::from(seen.plan.cluster.threshold);
    right.len() >= threshold.max(2 * threshold - 2)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, SLAVE, Scene, fault, liar, refused};
    use super::*;
    use crate::plan::{Fault, Lie, Plan};
    use crate::world::observer::record::Key;

    /// Keys that the slave fetched at 2.000 s, while hub 3 may lie.
    fn fetched(plan: impl FnOnce(&mut Plan)) -> (Scene, Vec<Key>) {
        let mut scene = Scene::new(|p| {
            p.liars.push(liar(3));
            plan(p);
        });
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        (scene, keys)
    }

    #[test]
    fn nobody_blamed_where_nobody_lied_is_right() {
        fetched(|_| {}).0.judge(check).must_hold();
    }

    #[test]
    fn a_liar_that_was_met_and_is_blamed_is_right() {
        let (scene, keys) = fetched(|_| {});
        scene.lie(3, Lie::CorruptShare, 2_002, &keys);
        scene.blamed(3, 2_500);
        let verdict = scene.judge(check);
        verdict.must_hold();
        assert_eq!(verdict.evaluated, 2);
    }

    #[test]
    fn an_honest_hub_that_is_blamed_is_seen() {
        let (scene, keys) = fetched(|_| {});
        scene.lie(3, Lie::CorruptShare, 2_002, &keys);
        scene.blamed(3, 2_500);
        scene.blamed(1, 2_500);
        scene.judge(check).must_break("client 1 blames hub 1");
    }

    #[test]
    fn blame_before_the_lie_or_for_what_cannot_be_proved_is_seen() {
        let (scene, keys) = fetched(|_| {});
        scene.lie(3, Lie::CorruptShare, 2_002, &keys);
        scene.blamed(3, 2_001);
        scene.judge(check).must_break("client 1 blames hub 3");
        for lie in [Lie::Withhold, Lie::ForgeMac, Lie::ReplayAnswer, Lie::Delay] {
            let (scene, keys) = fetched(|_| {});
            scene.lie(3, lie, 2_002, &keys);
            scene.judge(check).must_hold();
            scene.blamed(3, 2_500);
            scene.judge(check).must_break("client 1 blames hub 3");
        }
    }

    #[test]
    fn a_lie_that_was_met_without_blame_is_seen() {
        let (scene, keys) = fetched(|_| {});
        scene.lie(3, Lie::WrongTag, 2_002, &keys);
        scene
            .judge(check)
            .must_break("met the lie wrong-tag of hub 3");
    }

    #[test]
    fn a_lie_that_was_not_met_needs_no_blame() {
        // The answer got lost.
        let (scene, keys) = fetched(|_| {});
        scene.lie(3, Lie::WrongTag, 2_002, &keys);
        let heard = |what: &Seen| matches!(what, Seen::Heard { .. });
        scene
            .see()
            .messages
            .retain(|message| message.hub != 3 || !heard(&message.what));
        scene.judge(check).must_hold();
        // The hub could not sign it, and refused instead.
        let (scene, keys) = fetched(|_| {});
        scene.lie(3, Lie::WrongTag, 2_002, &keys);
        for message in &mut scene.see().messages {
            if let Seen::Heard { response, .. } = &mut message.what {
                response.signature = None;
            }
        }
        scene.judge(check).must_hold();
        // It came after the deadline.
        let (scene, keys) = fetched(|_| {});
        scene.lie(3, Lie::WrongTag, 2_002, &keys);
        for message in &mut scene.see().messages {
            if message.hub == 3 && message.client == Some(SLAVE) {
                message.at_us = 5_000_000;
            }
        }
        scene.judge(check).must_hold();
        // The key could not be put together.
        let (scene, keys) = fetched(|_| {});
        scene.lie(3, Lie::WrongTag, 2_002, &keys);
        scene.see().calls.last_mut().unwrap().outcome = refused();
        scene.judge(check).must_hold();
    }

    #[test]
    fn a_client_that_went_down_after_the_lie_cannot_tell() {
        let met = |client| {
            let (scene, keys) = fetched(|plan| {
                plan.faults
                    .push(fault(2_100, 2_200, Fault::CrashClient { client }));
            });
            scene.lie(3, Lie::WrongTag, 2_002, &keys);
            scene.judge(check)
        };
        met(SLAVE).must_hold();
        met(MASTER).must_break("met the lie wrong-tag of hub 3");
    }

    #[test]
    fn with_k_liars_nothing_is_claimed() {
        let (scene, keys) = fetched(|plan| plan.liars.extend([liar(0), liar(4)]));
        scene.lie(3, Lie::WrongTag, 2_002, &keys);
        scene.blamed(1, 2_500);
        assert_eq!(scene.judge(check), Verdict::default());
    }
}
