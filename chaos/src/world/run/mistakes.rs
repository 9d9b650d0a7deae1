//! How SAEs make the mistakes of a plan.
//!
//! The size and the number of keys can be asked for by GET, too: SAEs do so in exchanges of odd numbers.

use dske::http::etsi::KeyContainer;
use dske::protocol::limits::{KEYS_PER_MESSAGE_MAX, SLAVE_SAES_MAX};
use dske::protocol::{KeyId, SaeId};
use dske_testbed::CallError;
use serde_json::{Map, Value, json};

use super::saes::{Given, Saes, Watch};
use crate::plan::{Mistake, PlannedCall, Promises};
use crate::world::observer::record::CallKind;

/// An SAE that there is not.
const NOBODY: &str = "nobody";

impl Saes {
    /// The master of an exchange makes a mistake.
    pub(super) async fn ask_wrongly(&self, call: &PlannedCall, mistake: Mistake) {
        let promises = self.observer.seen().plan.promises();
        let promises = promises.expect("a plan was checked, or drawn within its limits");
        let master = &self.list[call.master];
        let (mut slave, mut kme) = (self.list[call.slave].id.clone(), &master.kme);
        let mut client = master.client;
        match mistake {
            Mistake::UnknownSlave | Mistake::StatusOfNobody => slave = nobody(),
            Mistake::OtherKme => {
                client = (client + 1) % self.kmes.len();
                kme = &self.kmes[client];
            }
            _ => {}
        }
        let Some(body) = wrong_request(call, mistake, &promises, |bits| {
            self.observer.seen().plan.cluster.keys_max(bits)
        }) else {
            return;
        };
        let watched = Watch {
            client,
            ..self.watch(call, CallKind::Mistaken(mistake), call.master, &slave)
        };
        let path = format!("/api/v1/keys/{slave}/enc_keys");
        let status = format!("/api/v1/keys/{slave}/status");
        let result: Result<KeyContainer, CallError> = match as_query(&body) {
            _ if mistake == Mistake::StatusOfNobody => kme.get(&status, Some(&master.id)).await,
            Some(query) if mistake == Mistake::StatusWithParameters => {
                kme.get(&format!("{status}?{query}"), Some(&master.id))
                    .await
            }
            Some(query) if call.id % 2 == 1 => {
                kme.get(&format!("{path}?{query}"), Some(&master.id)).await
            }
            _ => kme.post(&path, &master.id, &body).await,
        };
        watched.done(result);
    }

    /// The slave of an exchange makes a mistake, once it knows the IDs of its keys.
    pub(super) async fn fetch_wrongly(
        &self,
        call: &PlannedCall,
        mistake: Mistake,
        key_ids: &[KeyId],
    ) {
        let slave = &self.list[call.slave];
        let mut master = self.list[call.master].id.clone();
        let mut wanted = key_ids.to_vec();
        match mistake {
            Mistake::IdTwice => wanted.push(key_ids[0]),
            Mistake::TooManyIds => {
                let missing = KEYS_PER_MESSAGE_MAX + 1 - wanted.len();
                wanted.extend((0..missing).map(|number| unheard_of(call, number)));
            }
            Mistake::UnknownMaster => master = nobody(),
            Mistake::UnknownId | Mistake::IdOfAnotherSlave | Mistake::IdOfAnotherMaster => {
                // As many as before, so that it is not refused for that.
                wanted.truncate(KEYS_PER_MESSAGE_MAX - 1);
                match self.foreign_id(call, mistake) {
                    Some(foreign) => wanted.push(foreign),
                    None => return,
                }
            }
            _ => {}
        }
        let listed: Vec<Value> = match mistake {
            Mistake::NoIds => Vec::new(),
            Mistake::IdMalformed => vec![json!({"key_ID": "not-a-key"})],
            _ => wanted.iter().map(|id| json!({ "key_ID": id })).collect(),
        };
        let kind = CallKind::Mistaken(mistake);
        let mut watched = self.watch(call, kind, call.slave, &master);
        if kind.fetches() {
            watched.number = u16::try_from(wanted.len()).unwrap_or(u16::MAX);
            watched.key_ids = wanted;
        }
        let path = format!("/api/v1/keys/{master}/dec_keys");
        let body = json!({ "key_IDs": listed });
        watched.done(slave.kme.post(&path, &slave.id, &body).await);
    }

    /// The ID of a key that the slave cannot have from this master: one that nobody has, or the newest of others.
    fn foreign_id(&self, call: &PlannedCall, mistake: Mistake) -> Option<KeyId> {
        let given = self.given.borrow();
        let newest = |is_it: &dyn Fn(&Given) -> bool| {
            let found = given.iter().rev().find(|given| is_it(given));
            found.and_then(|given| given.key_ids.first().copied())
        };
        match mistake {
            Mistake::IdOfAnotherSlave => {
                newest(&|given| given.master == call.master && !given.slaves.contains(&call.slave))
            }
            Mistake::IdOfAnotherMaster => newest(&|given| given.master != call.master),
            _ => Some(unheard_of(call, 0)),
        }
    }
}

/// A key ID that no client draws.
fn unheard_of(call: &PlannedCall, number: usize) -> KeyId {
    let id = format!("{:08x}-0000-4000-8000-{number:012x}", call.id);
    id.parse().expect("a UUID")
}

fn nobody() -> SaeId {
    NOBODY.parse().expect("a valid name")
}

/// What the master asks for: what is planned, but for the mistake. Nothing, if that is none with blocks of this size: they may
/// carry as many keys of the largest size as of any other.
fn wrong_request(
    call: &PlannedCall,
    mistake: Mistake,
    promises: &Promises,
    keys_max: impl Fn(u32) -> u16,
) -> Option<Value> {
    let mut body = Map::new();
    body.insert("number".to_owned(), call.number.into());
    body.insert("size".to_owned(), call.bits.into());
    let (name, value) = match mistake {
        Mistake::NumberZero => ("number", json!(0)),
        Mistake::NumberTooLarge => ("number", json!(promises.per_request_max + 1)),
        Mistake::TooMuch => {
            let bits = u32::try_from(promises.max_bits).unwrap_or(u32::MAX);
            body.insert("size".to_owned(), bits.into());
            let number = usize::from(keys_max(bits)) + 1;
            if number > promises.per_request_max {
                return None;
            }
            ("number", json!(number))
        }
        Mistake::NumberIsText => ("number", json!("one")),
        Mistake::SizeZero => ("size", json!(0)),
        Mistake::SizeTooSmall => ("size", json!(promises.min_bits - 8)),
        Mistake::SizeTooLarge => ("size", json!(promises.max_bits + 8)),
        Mistake::SizeNoBytes => ("size", json!(call.bits + 4)),
        Mistake::UnknownMember => ("additional_slave_SAE_IDs", json!([NOBODY])),
        Mistake::TooManySlaves => {
            let others = (0..SLAVE_SAES_MAX).map(|number| format!("{NOBODY}-{number}"));
            let others: Vec<String> = others.collect();
            ("additional_slave_SAE_IDs", json!(others))
        }
        Mistake::MandatoryExtension => ("extension_mandatory", json!([{"route": "direct"}])),
        Mistake::UnknownParameter => ("nmuber", json!(1)),
        Mistake::NoObject => return Some(json!("one key, please")),
        _ => return Some(Value::Object(body)),
    };
    body.insert(name.to_owned(), value);
    Some(Value::Object(body))
}

/// A request as the query of a GET, if it can be one.
fn as_query(body: &Value) -> Option<String> {
    let members = body.as_object()?.iter().map(|(name, value)| {
        let value = match value {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.clone(),
            _ => return None,
        };
        let is_for_get = matches!(name.as_str(), "number" | "size");
        is_for_get.then(|| format!("{name}={value}"))
    });
    let members: Option<Vec<String>> = members.collect();
    members.map(|members| members.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::load;

    #[test]
    fn each_mistake_of_a_master_is_another_request_than_the_right_one() {
        let plan = load("calm").unwrap().plan(1);
        let (call, promises) = (&plan.calls[0], plan.promises().unwrap());
        let right = json!({"number": call.number, "size": call.bits});
        for &mistake in Mistake::ALL {
            let keys_max = |bits| plan.cluster.keys_max(bits);
            let body = wrong_request(call, mistake, &promises, keys_max).unwrap();
            // Where the mistake is in the path, or in whom is asked.
            let is_elsewhere = matches!(
                mistake,
                Mistake::UnknownSlave
                    | Mistake::OtherKme
                    | Mistake::StatusOfNobody
                    | Mistake::StatusWithParameters
            );
            let differs = !mistake.is_of_slave() && !is_elsewhere;
            assert_eq!(body != right, differs, "{mistake}");
        }
    }

    #[test]
    fn numbers_and_sizes_alone_can_be_asked_for_by_get() {
        let query = as_query(&json!({"number": 0, "size": 256}));
        assert_eq!(query.as_deref(), Some("number=0&size=256"));
        for body in [
            json!("x"),
            json!({"number": 1, "nmuber": 1}),
            json!({"number": 1, "additional_slave_SAE_IDs": ["x"]}),
        ] {
            assert_eq!(as_query(&body), None);
        }
    }
}
