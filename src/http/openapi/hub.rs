//! The description of a hub's routes.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, ParameterStyle,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ArrayBuilder, ComponentsBuilder, Header, ObjectBuilder, OpenApi, OpenApiBuilder, PathsBuilder,
    Required,
};

use super::common;
use super::examples::{DEPOSIT_SIGNATURE, KEY_ID, MASTER, SIGNATURE, SLAVE};
use super::info;
use super::parts::{
    answer, answer_such_as, body, bytes, either, example, header, in_bytes, of, on, operation,
    other, parameter, required, with,
};
use super::schemas::{name, string, uuid};
use crate::http::error::MessageBody;
use crate::http::hub_routes::{
    OCTETS, PSRD_PATH, REGISTRATION_PATH, STATUS_PATH, STOP_PATH, oob_status,
};
use crate::protocol::Refusal;
use crate::protocol::batch::Encoding;
use crate::protocol::hub::{HubStatus, OobError, PsrdRequest, Registration, RegistrationRequest};
use crate::protocol::limits::KEYS_PER_MESSAGE_MAX;
use crate::protocol::message::{DepositBody, DepositReply, FetchReply};
use crate::protocol::wire::{KEY_SHARE_PATH, KEY_SHARES_PATH, SIGNATURE_HEADER};
use crate::psrd::Block;

const KEY_SHARES: &str = "Key shares";
const OUT_OF_BAND: &str = "Out of band";

/// What a hub serves.
#[must_use]
pub fn document() -> OpenApi {
    let paths = on(
        PathsBuilder::new(),
        HttpMethod::Post,
        KEY_SHARE_PATH,
        deposit(),
    );
    let paths = on(paths, HttpMethod::Get, KEY_SHARE_PATH, fetch());
    let paths = on(paths, HttpMethod::Post, KEY_SHARES_PATH, batch());
    let paths = on(paths, HttpMethod::Post, REGISTRATION_PATH, register());
    let paths = on(paths, HttpMethod::Post, PSRD_PATH, deliver());
    let paths = common::add::<HubStatus>(paths, STATUS_PATH, STOP_PATH);
    let tags = [
        (
            KEY_SHARES,
            "The protocol between clients and hubs: requests and answers are authenticated with pre-shared random data \
             (PSRD), shares travel under a one-time pad. `docs/protocol.md` specifies it.",
        ),
        (
            OUT_OF_BAND,
            "Stands in for what is carried by hand in real life. Not protected.",
        ),
        (common::MANAGEMENT, "For operators. Not protected."),
        (common::OBSERVATION, "Metrics and documentation."),
    ];
    OpenApiBuilder::new()
        .info(info(
            "DSKE security hub",
            "A hub of Distributed Symmetric Key Establishment: it holds shares of keys and hands them to the clients \
             whose SAEs are named. Examples are of the example topology.",
        ))
        .tags(Some(tags.map(|(name, what)| {
            TagBuilder::new().name(name).description(Some(what)).build()
        })))
        .paths(paths)
        .components(Some(components()))
        .build()
}

fn components() -> utoipa::openapi::Components {
    let components = ComponentsBuilder::new();
    let components = with::<DepositBody>(components);
    let components = with::<DepositReply>(components);
    let components = with::<FetchReply>(components);
    let components = with::<Refusal>(components);
    let components = with::<RegistrationRequest>(components);
    let components = with::<Registration>(components);
    let components = with::<PsrdRequest>(components);
    let components = with::<Block>(components);
    let components = with::<OobError>(components);
    let components = with::<HubStatus>(components);
    let components = with::<MessageBody>(components);
    components.build()
}

fn deposit() -> OperationBuilder {
    let deposit = json!({
        "client": MASTER, "master_sae": MASTER, "slave_saes": [SLAVE], "hubs": 5, "threshold": 3, "x": 1, "size": 32,
        "keys": [{
            "key_id": KEY_ID, "tag": "000102030405060708090a0b0c0d0e0f",
            "share": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk8="
        }]
    });
    let stored = answer(
        "Authenticated, and what became of each share: `stored`, `conflict` (the hub holds another share of this \
         key) or `full`.",
        of::<DepositReply>(),
    );
    refusals(signed(
        operation(
            "deposit",
            KEY_SHARES,
            "Deposit shares of keys",
            "An initiator, the client of the master SAE, deposits its shares of one or more keys. `docs/protocol.md` \
             sections 4 to 6. The example is refused, since only a registered client can sign it.",
        )
        .request_body(Some(body(of::<DepositBody>(), deposit)))
        .response("200", stored.header(SIGNATURE_HEADER, signature())),
        DEPOSIT_SIGNATURE,
    ))
}

fn fetch() -> OperationBuilder {
    let ids = ArrayBuilder::new()
        .items(uuid("ID of a key."))
        .min_items(Some(1))
        .max_items(Some(KEYS_PER_MESSAGE_MAX));
    let ids = ParameterBuilder::new()
        .name("key_ids")
        .parameter_in(ParameterIn::Query)
        .required(Required::True)
        .description(Some("IDs of the keys, separated by commas."))
        .example(Some(json!([KEY_ID])))
        .style(Some(ParameterStyle::Form))
        .explode(Some(false))
        .schema(Some(ids));
    let found = answer(
        "Authenticated, and what there is for each ID in order: the share, `not-found` or `forbidden`.",
        of::<FetchReply>(),
    );
    refusals(signed(
        operation(
            "fetch",
            KEY_SHARES,
            "Fetch shares of keys",
            "A responder, the client of a slave SAE, fetches the hub's shares of one or more keys. The query has its \
             fields in this order, and no others. The example is refused, since only a registered client can sign it.",
        )
        .parameter(in_query("client", name("The client that asks."), SLAVE))
        .parameter(in_query("slave_sae", name("The SAE for which it asks."), SLAVE))
        .parameter(in_query("master_sae", name("The SAE that asked for the keys first."), MASTER))
        .parameter(ids)
        .response("200", found.header(SIGNATURE_HEADER, signature())),
        SIGNATURE,
    ))
}

fn batch() -> OperationBuilder {
    let binary = Encoding::Binary.content_type();
    let done = other(
        "Authenticated, and an answer to each operation in order. Shares that were found are under a one-time pad.",
        binary,
    );
    let wrong_type = answer("The body is not said to be a batch.", of::<MessageBody>());
    refusals(signed(
        operation(
            "batch",
            KEY_SHARES,
            "Deposit and fetch shares of many calls at once",
            "What links between nodes speak: deposits and fetches in one message, in a compact binary encoding, each with \
             an answer of its own. `docs/protocol.md` section 4.",
        )
        .request_body(Some(bytes(binary)))
        .response("200", done.header(SIGNATURE_HEADER, signature()))
        .response("415", wrong_type),
        DEPOSIT_SIGNATURE,
    ))
}

fn in_query(of: &str, schema: ObjectBuilder, example: &str) -> Parameter {
    required(parameter(ParameterIn::Query, of, schema, example))
}

fn signed(operation: OperationBuilder, example: &str) -> OperationBuilder {
    let header = string(
        "`ALLOCATION;TAG`: the PSRD that is spent on the message, and its one-time MAC. `docs/protocol.md` section 4.",
    );
    operation.parameter(parameter(
        ParameterIn::Header,
        SIGNATURE_HEADER,
        header,
        example,
    ))
}

fn signature() -> Header {
    header("`ALLOCATION;TAG`. Authenticates the answer.")
}

/// The refusals of key shares, under the statuses that they say themselves.
fn refusals(operation: OperationBuilder) -> OperationBuilder {
    let mut by_status = BTreeMap::<u16, Vec<Refusal>>::new();
    for refusal in every_refusal() {
        let alike = by_status.entry(refusal.status()).or_default();
        alike.push(refusal);
    }
    let operation = by_status
        .into_iter()
        .fold(operation, |operation, (status, refusals)| {
            let codes: Vec<_> = refusals.iter().map(Refusal::kind).collect();
            let description = format!("Refused: `{}`.", codes.join("`, `"));
            let schema = match status {
                503 => either::<Refusal, MessageBody>(),
                _ => of::<Refusal>(),
            };
            let response = answer_such_as(description, schema, example(&refusals[0]));
            operation.response(status.to_string(), response)
        });
    operation.response("413", too_long())
}

fn too_long() -> utoipa::openapi::ResponseBuilder {
    other("The body is too long.", "text/plain")
}

/// One of each. That none is missing is tested against the schema, which is derived.
fn every_refusal() -> [Refusal; 12] {
    let reason = || "what is wrong, in a sentence".to_owned();
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

fn register() -> OperationBuilder {
    oob_refusals(
        operation(
            "register",
            OUT_OF_BAND,
            "Register a client",
            "Erases what the hub held for that client before, so that a client which is running registers again by \
             itself.",
        )
        .request_body(Some(body(
            of::<RegistrationRequest>(),
            json!({ "client": MASTER }),
        )))
        .response(
            "200",
            answer("The client is registered.", of::<Registration>()),
        ),
        &[OobError::UnknownClient {
            client: String::new(),
        }],
    )
}

fn deliver() -> OperationBuilder {
    oob_refusals(
        operation(
            "deliver_psrd",
            OUT_OF_BAND,
            "Deliver a block of pre-shared random data",
            "The hub draws a block, keeps one copy and hands out the other. `owner` says who may spend it. \
             `registration` is what the registration returned.",
        )
        .request_body(Some(body(
            of::<PsrdRequest>(),
            json!({ "client": MASTER, "registration": KEY_ID, "owner": "client", "size": 1024 }),
        )))
        .response(
            "200",
            in_bytes(answer("The block. As bytes: the 16 of its ID, then its own.", of::<Block>()), OCTETS),
        ),
        &[
            OobError::StaleRegistration,
            OobError::PoolFull {
                reason: String::new(),
            },
            OobError::BlockSize { size: 0 },
        ],
    )
}

fn oob_refusals(operation: OperationBuilder, errors: &[OobError]) -> OperationBuilder {
    // Whatever cannot be read is 400, whatever ends is 503, with a message instead of a code.
    let mut by_status = BTreeMap::from([(400, Vec::new()), (503, Vec::new())]);
    for error in errors {
        let code = example(error)["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        by_status.entry(oob_status(error)).or_default().push(code);
    }
    let operation = by_status
        .into_iter()
        .fold(operation, |operation, (status, codes)| {
            let message = match status {
                400 => "The request cannot be read",
                503 => "The node is ending",
                _ => "Refused",
            };
            let response = match (codes.is_empty(), status) {
                (true, _) => answer(format!("{message}."), of::<MessageBody>()),
                (false, 400 | 503) => answer(
                    format!("{message}, or `{}`.", codes.join("`, `")),
                    either::<OobError, MessageBody>(),
                ),
                (false, _) => answer(
                    format!("{message}: `{}`.", codes.join("`, `")),
                    of::<OobError>(),
                ),
            };
            operation.response(status.to_string(), response)
        });
    operation.response("413", too_long())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use utoipa::ToSchema;

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
        let described: BTreeSet<_> = every_refusal()
            .iter()
            .map(|refusal| example(refusal)["code"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(described, codes::<Refusal>());
    }

    #[test]
    fn every_refusal_out_of_band_is_described() {
        let document = serde_json::to_string(&document()).unwrap();
        for code in codes::<OobError>() {
            assert!(document.contains(&format!("`{code}`")), "{code}");
        }
    }
}
