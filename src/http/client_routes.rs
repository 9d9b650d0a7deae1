//! A client's routes: ETSI GS QKD 014 for SAEs, and management.
//!
//! The SAE's identity is the value of the `Authorization` header, as long as there is no mutual TLS: whoever reaches
//! the port can claim to be any SAE. Keep the port on loopback.

use actix::Addr;
use actix_web::http::header::{ALLOW, AUTHORIZATION};
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::node::client::{
    ClientNode, GetClientStatus, GetKey, GetKeyWithIds, GetStatus, KmeError,
};
use crate::protocol::SaeId;
use crate::protocol::initiator::EstablishedKey;

use super::OnStop;
use super::error::{MessageBody, bad_request, kme_error, unauthorized};
use super::etsi::{KeyContainer, Status};
use super::hub_routes::{Stop, json, stopped};
use super::key_request::{KeyRequest, key_id_from_query, key_ids_from_body};

/// The standard's own prefix, and the one of this project.
pub const ETSI_PREFIXES: [&str; 2] = ["/api/v1/keys", "/dske/client/etsi/api/v1/keys"];

/// Path of the management status.
pub const STATUS_PATH: &str = "/dske/client/mgmt/v1/status";

/// Path that stops the client.
pub const STOP_PATH: &str = "/dske/client/mgmt/v1/stop";

/// Largest body of an ETSI call, in bytes: 128 key IDs with extensions fit many times.
const ETSI_BODY_BYTES_MAX: usize = 256 * 1024;

/// Adds a client's routes to an app.
pub fn configure(config: &mut ServiceConfig, client: &Addr<ClientNode>, on_stop: &OnStop) {
    config
        .app_data(Data::new(client.clone()))
        .app_data(Data::new(Stop(on_stop.clone())))
        .app_data(web::PayloadConfig::new(ETSI_BODY_BYTES_MAX))
        .route(STATUS_PATH, web::get().to(client_status))
        .route(STOP_PATH, web::post().to(stop));
    for prefix in ETSI_PREFIXES {
        config.service(
            web::scope(prefix)
                .service(
                    web::resource("/{sae}/status")
                        .route(web::get().to(get_status))
                        .default_service(web::to(|| not_allowed("GET"))),
                )
                .service(
                    web::resource("/{sae}/enc_keys")
                        .route(web::get().to(get_key_by_query))
                        .route(web::post().to(get_key_by_body))
                        .default_service(web::to(|| not_allowed("GET, POST"))),
                )
                .service(
                    web::resource("/{sae}/dec_keys")
                        .route(web::get().to(get_key_with_id_by_query))
                        .route(web::post().to(get_key_with_ids_by_body))
                        .default_service(web::to(|| not_allowed("GET, POST"))),
                )
                // The standard's error tables know no 404.
                .default_service(web::to(|| async {
                    bad_request("there is no such API method")
                })),
        );
    }
}

async fn not_allowed(allowed: &'static str) -> HttpResponse {
    HttpResponse::MethodNotAllowed()
        .insert_header((ALLOW, allowed))
        .json(MessageBody::new(format!("use {allowed}")))
}

async fn get_status(
    client: Data<Addr<ClientNode>>,
    http: HttpRequest,
    path: Path<String>,
) -> HttpResponse {
    let (caller, slave_sae) = match both_saes(&http, &path) {
        Ok(saes) => saes,
        Err(response) => return response,
    };
    match client.send(GetStatus { caller, slave_sae }).await {
        Ok(Ok(status)) => json(200, &Status::from(status)),
        Ok(Err(error)) => kme_error(&error),
        Err(error) => stopped(&error),
    }
}

async fn get_key_by_query(
    client: Data<Addr<ClientNode>>,
    http: HttpRequest,
    path: Path<String>,
) -> HttpResponse {
    let request = KeyRequest::from_query(http.query_string());
    get_key(&client, &http, &path, request).await
}

async fn get_key_by_body(
    client: Data<Addr<ClientNode>>,
    http: HttpRequest,
    path: Path<String>,
    body: Bytes,
) -> HttpResponse {
    let request = no_query(&http).and_then(|()| KeyRequest::from_body(&body));
    get_key(&client, &http, &path, request).await
}

async fn get_key(
    client: &Addr<ClientNode>,
    http: &HttpRequest,
    path: &str,
    request: Result<KeyRequest, String>,
) -> HttpResponse {
    let (caller, slave_sae) = match both_saes(http, path) {
        Ok(saes) => saes,
        Err(response) => return response,
    };
    let request = match request {
        Ok(request) => request,
        Err(message) => return bad_request(message),
    };
    let mut slave_saes = vec![slave_sae];
    slave_saes.extend(request.additional_slave_saes);
    let message = GetKey {
        caller,
        slave_saes,
        number: request.number,
        size_bits: request.size,
    };
    keys(client.send(message).await)
}

async fn get_key_with_id_by_query(
    client: Data<Addr<ClientNode>>,
    http: HttpRequest,
    path: Path<String>,
) -> HttpResponse {
    let key_ids = key_id_from_query(http.query_string()).map(|id| vec![id]);
    get_key_with_ids(&client, &http, &path, key_ids).await
}

async fn get_key_with_ids_by_body(
    client: Data<Addr<ClientNode>>,
    http: HttpRequest,
    path: Path<String>,
    body: Bytes,
) -> HttpResponse {
    let key_ids = no_query(&http).and_then(|()| key_ids_from_body(&body));
    get_key_with_ids(&client, &http, &path, key_ids).await
}

async fn get_key_with_ids(
    client: &Addr<ClientNode>,
    http: &HttpRequest,
    path: &str,
    key_ids: Result<Vec<crate::protocol::KeyId>, String>,
) -> HttpResponse {
    let (caller, master_sae) = match both_saes(http, path) {
        Ok(saes) => saes,
        Err(response) => return response,
    };
    let key_ids = match key_ids {
        Ok(key_ids) => key_ids,
        Err(message) => return bad_request(message),
    };
    let message = GetKeyWithIds {
        caller,
        master_sae,
        key_ids,
    };
    keys(client.send(message).await)
}

fn keys(
    result: Result<Result<Vec<EstablishedKey>, KmeError>, actix::MailboxError>,
) -> HttpResponse {
    match result {
        Ok(Ok(keys)) => json(200, &KeyContainer::from(keys)),
        Ok(Err(error)) => kme_error(&error),
        Err(error) => stopped(&error),
    }
}

/// A POST has its parameters in the body; one in the URI would be ignored, so it is refused.
fn no_query(http: &HttpRequest) -> Result<(), String> {
    if http.query_string().is_empty() {
        return Ok(());
    }
    Err("with POST, parameters belong into the body".to_owned())
}

/// The caller, from its credentials, and the SAE of the path.
fn both_saes(http: &HttpRequest, path: &str) -> Result<(SaeId, SaeId), HttpResponse> {
    let credentials = http.headers().get(AUTHORIZATION);
    let caller = credentials
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    let caller =
        caller.ok_or_else(|| unauthorized("put your SAE ID into the Authorization header"))?;
    let other = path
        .parse()
        .map_err(|e| bad_request(format!("SAE ID: {e}")))?;
    Ok((caller, other))
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
