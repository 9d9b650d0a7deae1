//! Access: only the named SAEs ever get a key, and each of them once.

use super::{Facts, Verdict};
use crate::observer::record::CallKind;
use crate::plan::CLIENT_NAMES;

/// Checks it.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let plan = &facts.seen.plan;
    for call in &facts.seen.calls {
        let got_keys = call.outcome.keys().is_some();
        match call.kind {
            CallKind::Master => {}
            CallKind::Slave => {
                for key in call.outcome.keys().unwrap_or_default() {
                    let sae = CLIENT_NAMES[call.client];
                    let named = facts
                        .slaves
                        .get(&key.id)
                        .is_some_and(|saes| saes.iter().any(|s| s.as_str() == sae));
                    verdict.expect(named, call.until_us, || {
                        format!("SAE {sae} got key {}, for which it is not named", key.id)
                    });
                }
            }
            CallKind::Intruder => verdict.expect(!got_keys, call.until_us, || {
                format!(
                    "client {} got the keys of call {}, for which its SAE is not named",
                    call.client, call.id
                )
            }),
            CallKind::SlaveAgain => {
                // What a KME has handed out is forgotten with it.
                let restarted = plan.is_client_down(call.client, 0, call.until_us / 1000 + 1);
                let first = facts
                    .calls(CallKind::Slave)
                    .find(|slave| slave.id == call.id);
                let had_them = first.is_some_and(|first| first.outcome.keys().is_some());
                if had_them && !restarted {
                    verdict.expect(!got_keys, call.until_us, || {
                        format!(
                            "the slave of call {} got its keys twice at client {}",
                            call.id, call.client
                        )
                    });
                }
            }
        }
    }
    verdict
}
