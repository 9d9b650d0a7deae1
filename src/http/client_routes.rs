//! A client's routes: ETSI GS QKD 014 for SAEs, and management. `docs/etsi-qkd-014.md` has the standard point by point.
//!
//! The SAE's identity is the value of the `Authorization` header, as long as there is no mutual TLS: whoever reaches
//! the port can claim to be any SAE. Keep the port on loopback.

use actix::Addr;
use actix_web::dev::HttpServiceFactory;
use actix_web::http::header::{ALLOW, CACHE_CONTROL};
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::node::client::{ClientNode, GetClientStatus, GetKey, GetKeyWithIds, GetStatus};
use crate::protocol::initiator::EstablishedKey;

use super::OnStop;
use super::answer::{json, stopped};
use super::error::MessageBody;
use super::etsi::{KeyContainer, Status};
use super::etsi_call::serve;
use super::hub_routes::Stop;
use super::key_request::{KeyRequest, key_ids, no_parameters};
use super::metrics;

/// The standard's own prefix, and the one of this project.
pub const ETSI_PREFIXES: [&str; 2] = ["/api/v1/keys", "/dske/client/etsi/api/v1/keys"];

/// Path of the management status.
pub const STATUS_PATH: &str = "/dske/client/mgmt/v1/status";

/// Path that stops the client.
pub const STOP_PATH: &str = "/dske/client/mgmt/v1/stop";

/// Adds a client's routes to an app.
pub fn configure(config: &mut ServiceConfig, client: &Addr<ClientNode>, on_stop: &OnStop) {
    config
        .app_data(Data::new(client.clone()))
        .app_data(Data::new(Stop(on_stop.clone())))
        .route(STATUS_PATH, web::get().to(client_status))
        .route(STOP_PATH, web::post().to(stop));
    for prefix in ETSI_PREFIXES {
        config.service(etsi(prefix));
    }
    config.configure(metrics::client);
    #[cfg(feature = "openapi")]
    config.configure(super::openapi::routes(super::openapi::client));
}

/// The API methods of clause 5.1 Table 2, and no others.
fn etsi(prefix: &str) -> impl HttpServiceFactory + use<> {
    web::scope(prefix)
        .service(
            web::resource("/{sae}/status")
                .route(web::get().to(get_status))
                .default_service(web::to(|| not_allowed("GET"))),
        )
        .service(
            web::resource("/{sae}/enc_keys")
                .route(web::get().to(get_key))
                .route(web::post().to(get_key))
                .default_service(web::to(|| not_allowed("GET, POST"))),
        )
        .service(
            web::resource("/{sae}/dec_keys")
                .route(web::get().to(get_key_with_ids))
                .route(web::post().to(get_key_with_ids))
                .default_service(web::to(|| not_allowed("GET, POST"))),
        )
        // The standard's error tables know no 404.
        .default_service(web::to(|| async {
            json(400, &MessageBody::new("there is no such API method"))
        }))
        // A key that came out of a cache would be given twice (clause 5.3).
        .wrap(DefaultHeaders::new().add((CACHE_CONTROL, "no-store")))
}

/// RFC 7231 section 6.5.5.
async fn not_allowed(allowed: &'static str) -> HttpResponse {
    HttpResponse::MethodNotAllowed()
        .insert_header((ALLOW, allowed))
        .json(MessageBody::new(format!("use {allowed}")))
}

/// Get status, clause 5.2.
async fn get_status(
    client: Data<Addr<ClientNode>>,
    http: HttpRequest,
    path: Path<String>,
    payload: Payload,
) -> HttpResponse {
    let status = serve(&client, &http, &path, payload, |call| {
        no_parameters(&call.parameters)?;
        Ok(GetStatus {
            caller: call.caller,
            slave_sae: call.other,
        })
    });
    match status.await {
        Ok(status) => json(200, &Status::from(status)),
        Err(answer) => answer,
    }
}

/// Get key, clause 5.3.
async fn get_key(
    client: Data<Addr<ClientNode>>,
    http: HttpRequest,
    path: Path<String>,
    payload: Payload,
) -> HttpResponse {
    let keys = serve(&client, &http, &path, payload, |call| {
        let request = KeyRequest::read(&call.parameters)?;
        let mut slave_saes = vec![call.other];
        slave_saes.extend(request.additional_slave_saes);
        Ok(GetKey {
            caller: call.caller,
            slave_saes,
            number: request.number,
            size_bits: request.size,
        })
    });
    container(keys.await)
}

/// Get key with key IDs, clause 5.4.
async fn get_key_with_ids(
    client: Data<Addr<ClientNode>>,
    http: HttpRequest,
    path: Path<String>,
    payload: Payload,
) -> HttpResponse {
    let keys = serve(&client, &http, &path, payload, |call| {
        Ok(GetKeyWithIds {
            key_ids: key_ids(&call.parameters)?,
            caller: call.caller,
            master_sae: call.other,
        })
    });
    container(keys.await)
}

fn container(keys: Result<Vec<EstablishedKey>, HttpResponse>) -> HttpResponse {
    match keys {
        // `from_owner`: the buffer is wiped once the server has written it out.
        Ok(keys) => HttpResponse::Ok()
            .content_type("application/json")
            .body(web::Bytes::from_owner(KeyContainer::from(keys).to_json())),
        Err(answer) => answer,
    }
}

async fn client_status(client: Data<Addr<ClientNode>>) -> HttpResponse {
    match client.send(GetClientStatus).await {
        Ok(status) => json(200, &status),
        Err(error) => stopped(&error),
    }
}

async fn stop(stop: Data<Stop>) -> HttpResponse {
    (stop.0)();
    json(200, &MessageBody::new("stopping"))
}
