//! Responses that routes have in common. Their types only describe; no route makes one.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{OneOfBuilder, Ref};
use utoipa::openapi::{ContentBuilder, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::examples::{MASTER, SLAVE};
use crate::http::error::oob_status;
use crate::http::etsi::KeyContainer;
use crate::http::message_body::MessageBody;
use crate::protocol::Refusal;
use crate::protocol::hub::OobError;
use crate::protocol::limits::KEYS_PER_MESSAGE_MAX;

type Responses = BTreeMap<String, RefOr<Response>>;

/// The node's actor no longer answers.
#[derive(IntoResponses)]
#[response(status = 503, description = "The node is ending.")]
#[allow(dead_code, reason = "it only describes")]
pub(in crate::http) struct Ending(MessageBody);

/// Keys for an SAE.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "Key container data format, clause 6.3.",
    headers(("Cache-Control" = String,
        description = "`no-store`: a key that came out of a cache would be given twice."))
)]
#[allow(dead_code, reason = "it only describes")]
pub(in crate::http) struct DeliveredKeys(KeyContainer);

/// The errors of ETSI GS QKD 014 Tables 4, 6 and 8 that all API methods have in common.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it only describes")]
pub(in crate::http) enum EtsiErrors {
    #[response(
        status = 401,
        description = "Unauthorized: the header names no SAE that this KME serves, or the SAE may not fetch these keys.",
        headers(("WWW-Authenticate" = String, description = "Asks for the SAE ID (RFC 9110 section 11.6.1)."))
    )]
    Unauthorized(MessageBody),
    #[response(
        status = 503,
        description = "Error of server side: too few hubs could be reached, or agree."
    )]
    Unavailable(MessageBody),
}

/// The refusals of key shares.
pub(in crate::http) struct KeyShareRefusals;

impl IntoResponses for KeyShareRefusals {
    fn responses() -> Responses {
        by_status(every_refusal(), Refusal::status, &[ENDING])
    }
}

/// The refusals of a registration.
pub(in crate::http) struct RegistrationRefusals;

impl IntoResponses for RegistrationRefusals {
    fn responses() -> Responses {
        let client = MASTER.to_owned();
        let refusals = [OobError::UnknownClient { client }];
        by_status(refusals, oob_status, &[UNREADABLE, ENDING])
    }
}

/// The refusals of a PSRD delivery.
pub(in crate::http) struct DeliveryRefusals;

impl IntoResponses for DeliveryRefusals {
    fn responses() -> Responses {
        let refusals = [
            OobError::StaleRegistration,
            OobError::PoolFull { reason: reason() },
            OobError::BlockSize {
                size: 0,
                block_bytes: 65_536,
            },
        ];
        by_status(refusals, oob_status, &[UNREADABLE, ENDING])
    }
}

// Statuses that come with a message instead of a code.
const UNREADABLE: (u16, &str) = (400, "The request cannot be read");
const ENDING: (u16, &str) = (503, "The node is ending");

/// Refusals under the statuses that they say themselves, and messages under theirs.
fn by_status<R: Serialize + ToSchema>(
    refusals: impl IntoIterator<Item = R>,
    status: fn(&R) -> u16,
    messages: &[(u16, &str)],
) -> Responses {
    let mut refused: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    for refusal in refusals {
        let example = serde_json::to_value(&refusal).expect("refusals are strings and numbers");
        refused.entry(status(&refusal)).or_default().push(example);
    }
    let messages = BTreeMap::from_iter(messages.iter().copied());
    for status in messages.keys() {
        refused.entry(*status).or_default();
    }
    let mut responses = Responses::new();
    for (status, mut examples) in refused {
        let codes = examples
            .iter()
            .filter_map(|example| example["code"].as_str());
        let codes = codes.collect::<Vec<_>>().join("`, `");
        let refusal = || Ref::from_schema_name(R::name());
        let message = || Ref::from_schema_name(MessageBody::name());
        let content = ContentBuilder::new();
        let (description, content) = match messages.get(&status) {
            None => (
                format!("Refused: `{codes}`."),
                content.schema(Some(refusal())),
            ),
            Some(ending) if codes.is_empty() => {
                (format!("{ending}."), content.schema(Some(message())))
            }
            Some(ending) => {
                let either = OneOfBuilder::new().item(refusal()).item(message());
                (
                    format!("{ending}, or `{codes}`."),
                    content.schema(Some(either)),
                )
            }
        };
        let content = content.example((!examples.is_empty()).then(|| examples.swap_remove(0)));
        let response = ResponseBuilder::new().description(description);
        let response = response.content("application/json", content.build());
        responses.insert(status.to_string(), response.into());
    }
    let text = ContentBuilder::new().schema(Some(String::schema()));
    let too_long = ResponseBuilder::new().description("The body is too long.");
    let too_long = too_long.content("text/plain", text.build());
    responses.insert("413".to_owned(), too_long.into());
    responses
}

/// One of each. A test compares them with the derived schema, so that none is missing.
fn every_refusal() -> [Refusal; 12] {
    [
        Refusal::Unregistered {
            client: MASTER.to_owned(),
        },
        Refusal::BadSignatureHeader { reason: reason() },
        Refusal::UnknownPsrd { reason: reason() },
        Refusal::BadAllocation { reason: reason() },
        Refusal::BadMac,
        Refusal::PsrdExhausted,
        Refusal::Malformed { reason: reason() },
        Refusal::TopologyMismatch {
            what: "threshold".to_owned(),
            theirs: 2,
            ours: 3,
        },
        Refusal::ForeignSae {
            client: MASTER.to_owned(),
            sae: SLAVE.to_owned(),
        },
        Refusal::OutOfLimits {
            what: "keys in a message".to_owned(),
            min: 1,
            max: KEYS_PER_MESSAGE_MAX,
            got: KEYS_PER_MESSAGE_MAX + 1,
        },
        Refusal::AuthenticMalformed { reason: reason() },
        Refusal::TooMuchAtOnce,
    ]
}

fn reason() -> String {
    "what is wrong, in a sentence".to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The codes in the derived schema of an enum that serde tags with `code`.
    fn codes<T: ToSchema>() -> BTreeSet<String> {
        let schema = serde_json::to_value(T::schema()).unwrap();
        let variants = schema["oneOf"].as_array().unwrap();
        let code = |variant: &Value| {
            let text = variant.to_string();
            let own = variant.pointer("/properties/code/enum/0");
            let inner = || {
                variant["allOf"]
                    .as_array()?
                    .iter()
                    .find_map(|part| part.pointer("/properties/code/enum/0"))
            };
            let code = own.or_else(inner).and_then(Value::as_str);
            code.unwrap_or_else(|| panic!("{text}")).to_owned()
        };
        variants.iter().map(code).collect()
    }

    #[test]
    fn every_refusal_is_described() {
        let key_shares = serde_json::to_string(&KeyShareRefusals::responses()).unwrap();
        for code in codes::<Refusal>() {
            assert!(key_shares.contains(&format!("`{code}`")), "{code}");
        }
        let out_of_band = [
            RegistrationRefusals::responses(),
            DeliveryRefusals::responses(),
        ];
        let out_of_band = serde_json::to_string(&out_of_band).unwrap();
        for code in codes::<OobError>() {
            assert!(out_of_band.contains(&format!("`{code}`")), "{code}");
        }
    }
}
