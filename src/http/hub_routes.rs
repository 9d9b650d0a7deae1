//! A hub's routes.

use actix::MailboxError;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::node::hub::{Ask, DeliverPsrd, GetHubStatus, HubHandle, Register};
use crate::protocol::batch::Encoding;
use crate::protocol::hub::OobError;
use crate::protocol::limits::BODY_BYTES_MAX;
use crate::protocol::wire::{KEY_SHARE_PATH, KEY_SHARES_PATH, SIGNATURE_HEADER};
use crate::protocol::{Method, Refusal, Request};

use super::OnStop;
use super::answer::{json, status_code, stopped};
use super::error::MessageBody;
use super::metrics;

/// Largest out-of-band request, in bytes: a few names and numbers.
const OOB_BODY_BYTES_MAX: usize = 4 * 1024;

/// Path of registration, out of band.
pub const REGISTRATION_PATH: &str = "/dske/hub/oob/v1/registration";

/// Path of PSRD delivery, out of band.
pub const PSRD_PATH: &str = "/dske/hub/oob/v1/psrd";

/// Media type of a block of PSRD as bytes: what clients ask for.
pub(super) const OCTETS: &str = "application/octet-stream";

/// Path of the management status.
pub const STATUS_PATH: &str = "/dske/hub/mgmt/v1/status";

/// Path that stops the hub.
pub const STOP_PATH: &str = "/dske/hub/mgmt/v1/stop";

/// Adds a hub's routes to an app.
pub fn configure(config: &mut ServiceConfig, hub: &HubHandle, on_stop: &OnStop) {
    config
        .app_data(Data::new(hub.clone()))
        .app_data(Data::new(Stop(on_stop.clone())))
        .service(
            web::resource(KEY_SHARE_PATH)
                .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
                .route(web::post().to(key_share))
                .route(web::get().to(key_share)),
        )
        .service(
            web::resource(KEY_SHARES_PATH)
                .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
                .route(web::post().to(key_shares)),
        )
        .service(
            web::resource(REGISTRATION_PATH)
                .app_data(web::PayloadConfig::new(OOB_BODY_BYTES_MAX))
                .route(web::post().to(register)),
        )
        .service(
            web::resource(PSRD_PATH)
                .app_data(web::PayloadConfig::new(OOB_BODY_BYTES_MAX))
                .route(web::post().to(deliver_psrd)),
        )
        .route(STATUS_PATH, web::get().to(status))
        .route(STOP_PATH, web::post().to(stop))
        .configure(metrics::hub);
    #[cfg(feature = "openapi")]
    config.configure(super::openapi::routes(super::openapi::hub));
}

/// Wraps the closure so that it can be told from other app data.
pub(super) struct Stop(pub(super) OnStop);

/// A batch. Its encoding has a media type of its own, so that neither side takes it for something else.
async fn key_shares(hub: Data<HubHandle>, http: HttpRequest, body: Bytes) -> HttpResponse {
    let wanted = Encoding::Binary.content_type();
    let claimed = http.headers().get(CONTENT_TYPE);
    if claimed.is_none_or(|claimed| claimed.as_bytes() != wanted.as_bytes()) {
        return json(
            415,
            &MessageBody::new(format!("Content-Type must be {wanted}")),
        );
    }
    key_share(hub, http, body).await
}

async fn key_share(hub: Data<HubHandle>, http: HttpRequest, body: Bytes) -> HttpResponse {
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
        Ok(Some(response)) => {
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
        // A hub that does not answer: the caller's time-out has to notice.
        Ok(None) => std::future::pending().await,
        Err(error) => stopped(&error),
    }
}

async fn register(hub: Data<HubHandle>, body: Bytes) -> HttpResponse {
    let request = match parse(&body) {
        Ok(request) => request,
        Err(response) => return response,
    };
    oob(hub.register.send(Register(request)).await)
}

/// JSON, unless the client asks for the bytes themselves.
async fn deliver_psrd(hub: Data<HubHandle>, http: HttpRequest, body: Bytes) -> HttpResponse {
    let request = match parse(&body) {
        Ok(request) => request,
        Err(response) => return response,
    };
    let delivered = hub.deliver_psrd.send(DeliverPsrd(request)).await;
    let accepted = http.headers().get(ACCEPT).map(|value| value.as_bytes());
    match delivered {
        Ok(Ok(block)) if accepted == Some(OCTETS.as_bytes()) => HttpResponse::Ok()
            .content_type(OCTETS)
            // `from_owner`: wiped once it is written out.
            .body(Bytes::from_owner(block.into_octets())),
        delivered => oob(delivered),
    }
}

async fn status(hub: Data<HubHandle>) -> HttpResponse {
    match hub.status.send(GetHubStatus).await {
        Ok(status) => json(200, &status),
        Err(error) => stopped(&error),
    }
}

async fn stop(stop: Data<Stop>) -> HttpResponse {
    (stop.0)();
    HttpResponse::Ok().json(MessageBody::new("stopping"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, HttpResponse> {
    serde_json::from_slice(body)
        .map_err(|e| json(400, &MessageBody::new(format!("malformed request: {e}"))))
}

fn oob<T: Serialize>(result: Result<Result<T, OobError>, MailboxError>) -> HttpResponse {
    match result {
        Ok(Ok(value)) => json(200, &value),
        Ok(Err(error)) => json(oob_status(&error), &error),
        Err(error) => stopped(&error),
    }
}

pub(super) fn oob_status(error: &OobError) -> u16 {
    match error {
        OobError::UnknownClient { .. } => 403,
        OobError::StaleRegistration | OobError::PoolFull { .. } => 409,
        OobError::BlockSize { .. } => 400,
        OobError::Interrupted => 503,
    }
}
