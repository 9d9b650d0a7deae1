//! Key shares at a hub: the protocol between clients and hubs, as `docs/protocol.md` specifies it.

use actix_web::middleware::from_fn;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::node::hub::{Ask, HubHandle};
use crate::protocol::batch::Encoding;
use crate::protocol::limits::BODY_BYTES_MAX;
use crate::protocol::wire::{KEY_SHARE_PATH, KEY_SHARES_PATH, SIGNATURE_HEADER};
use crate::protocol::{Method, Refusal, Request};

use super::answer::{json, status_code, stopped};
use super::body::{Body, demand_type};
#[cfg(feature = "openapi")]
use super::openapi::{
    KEY_SHARES,
    examples::{self, DEPOSIT_SIGNATURE, KEY_ID, MASTER, SIGNATURE, SLAVE},
    responses::KeyShareRefusals,
    schemas::{KeyIdList, Octets},
};
use super::peer::{Callers, only};
#[cfg(feature = "openapi")]
use crate::protocol::{
    NodeName, SaeId,
    message::{DepositBody, DepositReply, FetchReply},
};

/// What the signature header of a request holds.
#[cfg(feature = "openapi")]
const SIGNATURE_HEADER_TEXT: &str = "`ALLOCATION;TAG`: the PSRD that is spent on the message, and its one-time MAC. \
                                     `docs/protocol.md` section 4.";

/// The body of a message.
type Message = Body<BODY_BYTES_MAX>;

/// Adds the routes to an app.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(
            web::resource(KEY_SHARE_PATH)
                .wrap(from_fn(only(Callers::Clients)))
                .route(web::post().to(deposit))
                .route(web::get().to(fetch)),
        )
        .service(
            web::resource(KEY_SHARES_PATH)
                .wrap(from_fn(only(Callers::Clients)))
                .route(web::post().to(batch)),
        );
}

/// Deposit shares of keys
///
/// An initiator, the client of the master SAE, deposits its shares of one or more keys. `docs/protocol.md` sections 4
/// to 6. The example is refused, since only a registered client can sign it.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = KEY_SHARE_PATH, tag = KEY_SHARES,
    request_body(content = DepositBody, example = examples::deposit),
    params(("DSKE-Signature" = String, Header, description = SIGNATURE_HEADER_TEXT, example = json!(DEPOSIT_SIGNATURE))),
    responses(
        (status = 200, body = DepositReply,
            description = "Authenticated, and what became of each share: `stored`, `conflict` (the hub holds another \
                           share of this key) or `full`.",
            headers(("DSKE-Signature" = String, description = "`ALLOCATION;TAG`. Authenticates the answer."))),
        KeyShareRefusals,
    ),
))]
async fn deposit(hub: Data<HubHandle>, http: HttpRequest, body: Message) -> HttpResponse {
    match demand_type(&http, Encoding::Json.content_type()) {
        Ok(()) => ask(&hub, &http, body.0).await,
        Err(answer) => answer,
    }
}

/// Fetch shares of keys
///
/// A responder, the client of a slave SAE, fetches the hub's shares of one or more keys. The query has its fields in
/// this order, and no others. The example is refused, since only a registered client can sign it.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = KEY_SHARE_PATH, tag = KEY_SHARES,
    params(
        ("client" = inline(NodeName), Query, description = "The client that asks.", example = json!(SLAVE)),
        ("slave_sae" = inline(SaeId), Query, description = "The SAE for which it asks.", example = json!(SLAVE)),
        ("master_sae" = inline(SaeId), Query, description = "The SAE that asked for the keys first.",
            example = json!(MASTER)),
        ("key_ids" = inline(KeyIdList), Query, style = Form, explode = false, example = json!([KEY_ID]),
            description = "IDs of the keys, separated by commas."),
        ("DSKE-Signature" = String, Header, description = SIGNATURE_HEADER_TEXT, example = json!(SIGNATURE)),
    ),
    responses(
        (status = 200, body = FetchReply,
            description = "Authenticated, and what there is for each ID in order: the share, `not-found` or \
                           `forbidden`.",
            headers(("DSKE-Signature" = String, description = "`ALLOCATION;TAG`. Authenticates the answer."))),
        KeyShareRefusals,
    ),
))]
async fn fetch(hub: Data<HubHandle>, http: HttpRequest, body: Message) -> HttpResponse {
    ask(&hub, &http, body.0).await
}

/// Deposit and fetch shares of many calls at once
///
/// What links between nodes speak: deposits and fetches in one message, in a compact binary encoding, each with an
/// answer of its own. `docs/protocol.md` section 4.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = KEY_SHARES_PATH, tag = KEY_SHARES,
    request_body(content = inline(Octets), content_type = Encoding::Binary.content_type()),
    params(("DSKE-Signature" = String, Header, description = SIGNATURE_HEADER_TEXT, example = json!(DEPOSIT_SIGNATURE))),
    responses(
        (status = 200, body = inline(Octets), content_type = Encoding::Binary.content_type(),
            description = "Authenticated, and an answer to each operation in order. Shares that were found are under \
                           a one-time pad.",
            headers(("DSKE-Signature" = String, description = "`ALLOCATION;TAG`. Authenticates the answer."))),
        KeyShareRefusals,
    ),
))]
async fn batch(hub: Data<HubHandle>, http: HttpRequest, body: Message) -> HttpResponse {
    // A batch has a media type of its own, so that neither side takes it for something else.
    match demand_type(&http, Encoding::Binary.content_type()) {
        Ok(()) => ask(&hub, &http, body.0).await,
        Err(answer) => answer,
    }
}

async fn ask(hub: &HubHandle, http: &HttpRequest, body: Bytes) -> HttpResponse {
    let target = http.uri().path_and_query();
    let header = http.headers().get(SIGNATURE_HEADER);
    let signature = match header.map(|value| value.to_str()).transpose() {
        Ok(signature) => signature.map(str::to_owned),
        Err(_) => {
            let refusal = Refusal::BadSignatureHeader {
                reason: "it is not ASCII".to_owned(),
            };
            return json(refusal.status(), &refusal);
        }
    };
    let request = Request {
        method: match *http.method() {
            actix_web::http::Method::POST => Method::Post,
            _ => Method::Get,
        },
        target: target.map_or_else(|| KEY_SHARE_PATH.to_owned(), ToString::to_string),
        signature,
        body,
    };
    let encoding = Encoding::of(&request);
    match hub.ask.send(Ask(request)).await {
        Ok(response) => {
            let mut builder = HttpResponse::build(status_code(response.status));
            builder.content_type(match response.status {
                200 => encoding.content_type(),
                _ => Encoding::Json.content_type(),
            });
            if let Some(signature) = response.signature {
                builder.insert_header((SIGNATURE_HEADER, signature));
            }
            builder.body(response.body)
        }
        Err(error) => stopped(&error),
    }
}
