//! Blame: only hubs that lied are blamed, and a hub whose lie was met is blamed.

use super::{Facts, Verdict};
use crate::observer::record::{CallKind, LieTold, Seen};

/// Checks it. With K liars or more their word may stand against the truth, so that nothing is claimed.
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
            let how = seen.blame.get(&(client, hub));
            format!("client {client} blames hub {hub} ({how:?}), which has not lied to it")
        });
    }
    // A client that never found anything wrong with hubs that never lied counts too.
    verdict.evaluated += u64::from(seen.blamed_at.is_empty());
    for lie in seen.lies.iter().filter(|lie| was_met(facts, lie)) {
        let blamed = seen.blame.contains_key(&(lie.client, lie.hub));
        verdict.expect(blamed, lie.at_us, || {
            format!(
                "client {} put the key together and met the lie {} of hub {}, but does not blame it",
                lie.client,
                lie.lie.name(),
                lie.hub
            )
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
            Seen::Heard { to, .. } if message.hub == lie.hub && to.signature == lie.to => {
                Some(message.at_us)
            }
            _ => None,
        });
    let Some(heard) = heard else { return false };
    // The call in which it was asked: the one that delivered these keys, and began before.
    let delivered = facts.calls(CallKind::Slave).find(|call| {
        let keys = call.outcome.keys().unwrap_or_default();
        call.client == lie.client
            && call.from_us <= lie.at_us
            && keys.iter().any(|key| lie.key_ids.contains(&key.id))
    });
    // An answer that comes after the call's deadline is not listened to any more.
    let deadline = seen.plan.cluster.call_deadline_ms * 1000;
    delivered.is_some_and(|call| heard < call.from_us + deadline)
}
