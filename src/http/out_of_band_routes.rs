//! Registration and PSRD delivery at a hub, which stand in for what is carried by hand in real life.

use actix::MailboxError;
use actix_web::http::header::ACCEPT;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::node::hub::{DeliverPsrd, HubHandle, Register};
use crate::protocol::NodeName;
use crate::protocol::batch::Encoding;
use crate::protocol::hub::{OobError, PsrdRequest, RegistrationRequest};

use super::answer::{json, stopped};
use super::body::{Body, demand_type};
use super::delivery::Deliveries;
use super::error::oob_status;
use super::message_body::MessageBody;
#[cfg(feature = "openapi")]
use super::openapi::{
    OUT_OF_BAND,
    examples::{KEY_ID, MASTER},
    responses::{DeliveryRefusals, RegistrationRefusals},
    schemas::Octets,
};
use super::paths;
use super::peer::{self, Identity, Peer};
#[cfg(feature = "openapi")]
use crate::{protocol::hub::Registration, psrd::Block};

/// A request: a few names and numbers.
type Json = Body<{ 4 * 1024 }>;

/// Media type of a block of PSRD as bytes: what clients ask for.
pub(super) const OCTETS: &str = "application/octet-stream";

/// Adds the routes to an app.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .app_data(Data::new(Deliveries::default()))
        .service(web::resource(paths::REGISTRATION).route(web::post().to(register)))
        .service(web::resource(paths::PSRD).route(web::post().to(deliver_psrd)));
}

/// Register a client
///
/// Erases what the hub held for that client before, so that a client which is running registers again by itself.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = paths::REGISTRATION, tag = OUT_OF_BAND,
    request_body(content = RegistrationRequest, example = json!({ "client": MASTER, "start": KEY_ID })),
    responses((status = 200, description = "The client is registered.", body = Registration), RegistrationRefusals),
))]
async fn register(hub: Data<HubHandle>, http: HttpRequest, body: Json) -> HttpResponse {
    let request: RegistrationRequest = match parse(&http, &body) {
        Ok(request) => request,
        Err(response) => return response,
    };
    if let Err(refusal) = demand_itself(&http, &request.client) {
        return refusal;
    }
    answer(hub.register.send(Register(request)).await)
}

/// Deliver a block of pre-shared random data
///
/// The hub draws a block, keeps one copy and hands out the other. `owner` says who may spend it. `registration` is what
/// the registration returned, and `size` is that of the hub's topology. A delivery to a client breaks off the one before.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = paths::PSRD, tag = OUT_OF_BAND,
    request_body(content = PsrdRequest, example = json!(
        { "client": MASTER, "registration": KEY_ID, "owner": "client", "size": 65536 }
    )),
    responses(
        (status = 200, description = "The block. As bytes: the 16 of its ID, then its own.",
            content((Block = "application/json"), (inline(Octets) = OCTETS))),
        DeliveryRefusals,
    ),
))]
async fn deliver_psrd(
    hub: Data<HubHandle>,
    deliveries: Data<Deliveries>,
    http: HttpRequest,
    body: Json,
) -> HttpResponse {
    let request: PsrdRequest = match parse(&http, &body) {
        Ok(request) => request,
        Err(response) => return response,
    };
    if let Err(refusal) = demand_itself(&http, &request.client) {
        return refusal;
    }
    let client = request.client.clone();
    let block = match hub.deliver_psrd.send(DeliverPsrd(request)).await {
        Ok(Ok(block)) => block,
        refused => return answer(refused),
    };
    // JSON, unless the client asks for the bytes themselves.
    let accepted = http.headers().get(ACCEPT).map(|value| value.as_bytes());
    let (content_type, octets) = if accepted == Some(OCTETS.as_bytes()) {
        (OCTETS, block.into_octets())
    } else {
        (Encoding::Json.content_type(), block.to_json())
    };
    HttpResponse::Ok()
        .content_type(content_type)
        .body(deliveries.begin(client, octets))
}

/// A client registers, and is given PSRD, as itself.
///
/// # Errors
/// The answer to another peer.
fn demand_itself(http: &HttpRequest, client: &NodeName) -> Result<(), HttpResponse> {
    match Peer::of(http) {
        Peer::Plain => Ok(()),
        Peer::Proved(Identity::Client(peer)) if peer == *client => Ok(()),
        peer => Err(peer::refusal(&peer, &format!("client {client}"))),
    }
}

fn parse<T: DeserializeOwned>(http: &HttpRequest, body: &Json) -> Result<T, HttpResponse> {
    demand_type(http, Encoding::Json.content_type())?;
    serde_json::from_slice(&body.0)
        .map_err(|e| json(400, &MessageBody::new(format!("malformed request: {e}"))))
}

fn answer<T: Serialize>(result: Result<Result<T, OobError>, MailboxError>) -> HttpResponse {
    match result {
        Ok(Ok(value)) => json(200, &value),
        Ok(Err(error)) => json(oob_status(&error), &error),
        Err(error) => stopped(&error),
    }
}
