//! One operation: keys for the master, the same keys for the slave, and the comparison of both.

use std::rc::Rc;

use subtle::ConstantTimeEq;
use tokio::time::Instant;

use dske::http::etsi::{ContainedKey, KeyContainer};
use dske::http::etsi_client::KeyRequest;
use dske::protocol::KeyId;

use super::Load;
use super::check::Route;
use super::failure::{Failure, KEYS_DIFFER, OVERLOADED, WRONG_IDS, WRONG_NUMBER, WRONG_SIZE};
use super::tally::{Latency, Tally};

/// The operation has failed, and was counted as failed.
pub(super) struct Failed;

/// Performs operations, one after another or at the same time.
pub(super) struct Worker {
    routes: Vec<Route>,
    request: KeyRequest,
    expected: Expected,
    tally: Rc<Tally>,
}

impl Worker {
    pub(super) fn new(routes: Vec<Route>, load: &Load, tally: Rc<Tally>) -> Self {
        let expected = Expected {
            number: load.keys_per_call,
            bytes: load.size_bits / 8,
        };
        Self {
            routes,
            request: KeyRequest {
                number: Some(load.keys_per_call),
                size_bits: Some(load.size_bits),
                also: Vec::new(),
            },
            expected,
            tally,
        }
    }

    /// The operation with this number, which was due at this time.
    pub(super) async fn operate(&self, number: u64, due: Instant) -> Result<(), Failed> {
        let result = self.attempt(number, due).await;
        result.map_err(|failure| {
            self.tally.failed(due, failure);
            Failed
        })
    }

    /// An operation that was due could not begin.
    pub(super) fn overloaded(&self, due: Instant) {
        let message = "too many operations in flight when it was due";
        self.tally.failed(due, Failure::new(OVERLOADED, message));
    }

    async fn attempt(&self, number: u64, due: Instant) -> Result<(), Failure> {
        let turn = usize::try_from(number % self.routes.len() as u64).unwrap_or_default();
        let Route {
            pair,
            master_kme,
            slave_kme,
        } = &self.routes[turn];
        let given = master_kme.get_key(&pair.master, &pair.slave, &self.request);
        let given = given.await.map_err(|e| Failure::call("get-key", &e))?;
        let given_at = Instant::now();
        self.tally.took(Latency::GetKey, due, given_at - due);
        let ids = self.expected.ids(&given)?;
        let fetched = slave_kme.get_key_with_ids(&pair.slave, &pair.master, &ids);
        let fetched = fetched
            .await
            .map_err(|e| Failure::call("get-key-with-key-ids", &e))?;
        let done = Instant::now();
        same_keys(&given, &fetched)?;
        self.tally
            .took(Latency::GetKeyWithIds, due, done - given_at);
        self.tally.took(Latency::Both, due, done - due);
        self.tally.completed(done);
        Ok(())
    }
}

/// What every answer has to contain.
struct Expected {
    number: usize,
    bytes: usize,
}

impl Expected {
    /// The IDs of the keys, if their number and size are as asked for.
    fn ids(&self, given: &KeyContainer) -> Result<Vec<KeyId>, Failure> {
        if given.keys.len() != self.number {
            let message = format!("{} keys instead of {}", given.keys.len(), self.number);
            return Err(Failure::new(WRONG_NUMBER, message));
        }
        let ids = given.keys.iter().map(|key| {
            let bytes = base64_bytes(&key.key);
            if bytes != Some(self.bytes) {
                let message = format!("a key does not have {} bytes", self.bytes);
                return Err(Failure::new(WRONG_SIZE, message));
            }
            let id = key.key_ID.parse();
            id.map_err(|e| Failure::new(WRONG_IDS, format!("{:?}: {e}", key.key_ID)))
        });
        ids.collect()
    }
}

/// The number of bytes that a base64 text with padding encodes.
fn base64_bytes(text: &str) -> Option<usize> {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    let groups = text.len() / 4;
    (text.len().is_multiple_of(4) && padding <= 2).then(|| (groups * 3).saturating_sub(padding))
}

/// Whether the slave has the same keys as the master, in any order.
fn same_keys(given: &KeyContainer, fetched: &KeyContainer) -> Result<(), Failure> {
    if given.keys.len() != fetched.keys.len() {
        let message = format!("{} keys of {}", fetched.keys.len(), given.keys.len());
        return Err(Failure::new(WRONG_NUMBER, message));
    }
    for (at, key) in given.keys.iter().enumerate() {
        let same_id = |other: &&ContainedKey| other.key_ID == key.key_ID;
        // Our KMEs keep the order. Others may not.
        let beside = fetched.keys.get(at).filter(same_id);
        let other = beside.or_else(|| fetched.keys.iter().find(same_id));
        let other = other.ok_or_else(|| {
            Failure::new(WRONG_IDS, format!("the slave did not get {}", key.key_ID))
        })?;
        // Real keys: how long a comparison takes must not tell where they differ.
        if !bool::from(key.key.as_bytes().ct_eq(other.key.as_bytes())) {
            let message = format!("two values of {}", key.key_ID);
            return Err(Failure::new(KEYS_DIFFER, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::super::failure::WRONG;
    use super::*;

    const IDS: [&str; 2] = [
        "bc490419-7d60-487f-adc1-4ddcc177c139",
        "0a782fb5-3434-48fe-aa4d-14f41d46cf92",
    ];

    fn container(keys: &[(&str, &str)]) -> KeyContainer {
        let keys = keys.iter().map(|(id, key)| ContainedKey {
            key_ID: (*id).to_owned(),
            key: Zeroizing::new((*key).to_owned()),
        });
        KeyContainer {
            keys: keys.collect(),
        }
    }

    fn kind<T>(result: Result<T, Failure>) -> Option<String> {
        result.err().map(|failure| failure.kind)
    }

    #[test]
    fn keys_must_be_the_same_in_whatever_order() {
        let given = container(&[(IDS[0], "AAAA"), (IDS[1], "BBBB")]);
        assert_eq!(same_keys(&given, &given), Ok(()));
        let turned = container(&[(IDS[1], "BBBB"), (IDS[0], "AAAA")]);
        assert_eq!(same_keys(&given, &turned), Ok(()));
        for (fetched, wrong) in [
            (vec![(IDS[0], "AAAA"), (IDS[1], "BBBC")], KEYS_DIFFER),
            (vec![(IDS[1], "AAAA"), (IDS[0], "BBBB")], KEYS_DIFFER),
            (vec![(IDS[0], "AAAA"), (IDS[1], "BBBBBBBB")], KEYS_DIFFER),
            (vec![(IDS[0], "AAAA")], WRONG_NUMBER),
            (vec![(IDS[0], "AAAA"), (IDS[0], "AAAA")], WRONG_IDS),
        ] {
            let found = kind(same_keys(&given, &container(&fetched)));
            assert_eq!(found.as_deref(), Some(wrong), "{fetched:?}");
            assert!(WRONG.contains(&wrong));
        }
    }

    #[test]
    fn keys_must_be_as_many_and_as_long_as_asked_for() {
        let expected = Expected {
            number: 1,
            bytes: 4,
        };
        let found = |keys: &[(&str, &str)]| kind(expected.ids(&container(keys)));
        assert_eq!(found(&[(IDS[0], "AAAAAA==")]), None);
        for key in ["AAAA", "AAAAAAA=", "AAAAAA=", "AAAAAAAA", "", "A===AAAA"] {
            assert_eq!(
                found(&[(IDS[0], key)]).as_deref(),
                Some(WRONG_SIZE),
                "{key}"
            );
        }
        assert_eq!(found(&[]).as_deref(), Some(WRONG_NUMBER));
        assert_eq!(found(&[("x", "AAAAAA==")]).as_deref(), Some(WRONG_IDS));
    }
}
