//! ETSI GS QKD 014 at a client, for SAEs. `docs/etsi-qkd-014.md` has the standard point by point.
//!
//! The SAE is whom its certificate names. Without TLS it is whom the `Authorization` header names, whoever sends it: such a
//! client listens on loopback.

use actix_web::HttpResponse;
use actix_web::dev::HttpServiceFactory;
use actix_web::http::header::{ALLOW, CACHE_CONTROL};
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, ServiceConfig};

use crate::node::client::{GetKey, GetKeyWithIds, GetStatus};
use crate::protocol::initiator::EstablishedKey;

use super::answer::json;
use super::etsi::{KeyContainer, Status};
#[cfg(feature = "openapi")]
use super::etsi::{KeyIds, KeyRequest};
use super::etsi_call::{Arrived, serve};
use super::etsi_parameters::{key_ids, key_request, no_parameters};
use super::message_body::MessageBody;
#[cfg(feature = "openapi")]
use super::openapi::{
    examples::{KEY_ID, MASTER, SLAVE},
    responses::{DeliveredKeys, EtsiErrors},
    schemas::{NumberOfKeys, SizeOfKeys},
};
use super::paths::ETSI_PREFIXES;
#[cfg(feature = "openapi")]
use crate::protocol::{KeyId, SaeId};

/// Adds the API methods to an app, under each prefix.
pub(super) fn configure(config: &mut ServiceConfig) {
    for prefix in ETSI_PREFIXES {
        config.service(api_methods(prefix));
    }
}

/// The API methods of clause 5.1 Table 2, and no others.
fn api_methods(prefix: &str) -> impl HttpServiceFactory + use<> {
    web::scope(prefix)
        .service(
            web::resource("/{sae}/status")
                .route(web::get().to(get_status))
                .default_service(web::to(|| not_allowed("GET"))),
        )
        .service(
            web::resource("/{sae}/enc_keys")
                .route(web::get().to(get_key_by_get))
                .route(web::post().to(get_key))
                .default_service(web::to(|| not_allowed("GET, POST"))),
        )
        .service(
            web::resource("/{sae}/dec_keys")
                .route(web::get().to(get_key_with_key_ids_by_get))
                .route(web::post().to(get_key_with_key_ids))
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

/// Get status (clause 5.2)
///
/// Returns Status from a KME to the calling SAE. Status contains information on keys available to be requested by a
/// master SAE for a specified slave SAE.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/{slave_SAE_ID}/status", security(("SAE_ID" = [])),
    params(("slave_SAE_ID" = inline(SaeId), Path, description = "URL-encoded SAE ID of slave SAE.",
        example = json!(SLAVE))),
    responses(
        (status = 200, description = "Status data format, clause 6.1.", body = Status,
            headers(("Cache-Control" = String, description = "`no-store`: no cache may keep it."))),
        (status = 400, body = MessageBody,
            description = "Bad request format: the slave SAE is not known, or there are parameters."),
        EtsiErrors,
    ),
))]
async fn get_status(arrived: Arrived) -> HttpResponse {
    let status = serve(arrived, |call| {
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

/// Get key (clause 5.3)
///
/// Returns Key container data from the KME to the calling master SAE. Key container data contains one or more keys. The
/// calling master SAE may supply Key request data to specify the requirement on Key container data. The slave SAE
/// specified by the `slave_SAE_ID` parameter may subsequently request matching keys from a remote KME using `key_ID`
/// identifiers from the returned Key container.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/{slave_SAE_ID}/enc_keys", security(("SAE_ID" = [])),
    params(("slave_SAE_ID" = inline(SaeId), Path, description = "URL-encoded SAE ID of slave SAE.",
        example = json!(SLAVE))),
    request_body(content = KeyRequest, example = json!({ "number": 2, "size": 256 })),
    responses(
        DeliveredKeys,
        (status = 400, body = MessageBody,
            description = "Bad request format, or a request that this KME does not grant."),
        EtsiErrors,
    ),
))]
async fn get_key(arrived: Arrived) -> HttpResponse {
    let keys = serve(arrived, |call| {
        let request = key_request(&call.parameters)?;
        let mut slave_saes = vec![call.other];
        slave_saes.extend(request.also);
        Ok(GetKey {
            caller: call.caller,
            slave_saes,
            number: request.number,
            size_bits: request.size_bits,
        })
    });
    container(keys.await)
}

/// Get key by GET (clause 5.3)
///
/// The same as by POST, but the parameters are in the URI, and only those that are named here.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/{slave_SAE_ID}/enc_keys", security(("SAE_ID" = [])),
    params(
        ("slave_SAE_ID" = inline(SaeId), Path, description = "URL-encoded SAE ID of slave SAE.",
            example = json!(SLAVE)),
        ("number" = inline(Option<NumberOfKeys>), Query, example = 1,
            description = "(Option) Number of keys requested, default value is 1."),
        ("size" = inline(Option<SizeOfKeys>), Query, example = 256,
            description = "(Option) Size of each key in bits, default value is defined as `key_size` in Status data \
                           format."),
    ),
    responses(
        DeliveredKeys,
        (status = 400, body = MessageBody,
            description = "Bad request format, or a request that this KME does not grant."),
        EtsiErrors,
    ),
))]
async fn get_key_by_get(arrived: Arrived) -> HttpResponse {
    get_key(arrived).await
}

/// Get key with key IDs (clause 5.4)
///
/// Returns Key container from the KME to the calling slave SAE. Key container contains keys matching those previously
/// delivered to a remote master SAE based on the key_IDs supplied from the remote master SAE in response to its call to
/// Get key. The KME shall reject the request with a 401 HTTP status code if the SAE ID of the requestor was not an SAE
/// ID supplied to the "Get key" method each time it was called resulting in the return of any of the Key IDs being
/// requested.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/{master_SAE_ID}/dec_keys", security(("SAE_ID" = [])),
    params(("master_SAE_ID" = inline(SaeId), Path, description = "URL-encoded SAE ID of master SAE.",
        example = json!(MASTER))),
    request_body(content = KeyIds, example = json!({ "key_IDs": [{ "key_ID": KEY_ID }] })),
    responses(
        DeliveredKeys,
        (status = 400, body = MessageBody,
            description = "Bad request format, or one or more keys specified are not found on KME: never established, \
                           expired, or handed out before."),
        EtsiErrors,
    ),
))]
async fn get_key_with_key_ids(arrived: Arrived) -> HttpResponse {
    let keys = serve(arrived, |call| {
        Ok(GetKeyWithIds {
            key_ids: key_ids(&call.parameters)?,
            caller: call.caller,
            master_sae: call.other,
        })
    });
    container(keys.await)
}

/// Get key with key IDs by GET (clause 5.4)
///
/// The same as by POST, but for one key, whose ID is in the URI.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/{master_SAE_ID}/dec_keys", security(("SAE_ID" = [])),
    params(
        ("master_SAE_ID" = inline(SaeId), Path, description = "URL-encoded SAE ID of master SAE.",
            example = json!(MASTER)),
        ("key_ID" = inline(KeyId), Query, description = "ID of the key: UUID format.", example = json!(KEY_ID)),
    ),
    responses(
        DeliveredKeys,
        (status = 400, body = MessageBody,
            description = "Bad request format, or the key specified is not found on KME: never established, expired, \
                           or handed out before."),
        EtsiErrors,
    ),
))]
async fn get_key_with_key_ids_by_get(arrived: Arrived) -> HttpResponse {
    get_key_with_key_ids(arrived).await
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

/// The description of the API methods, under no prefix yet.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(
    paths(get_status, get_key, get_key_by_get, get_key_with_key_ids, get_key_with_key_ids_by_get),
    components(schemas(KeyContainer)),
    modifiers(&Identity),
)]
pub(super) struct Etsi;

/// The same API methods once more, under IDs of their own.
#[cfg(feature = "openapi")]
pub(super) struct EtsiToo;

#[cfg(feature = "openapi")]
impl utoipa::OpenApi for EtsiToo {
    fn openapi() -> utoipa::openapi::OpenApi {
        let mut api = Etsi::openapi();
        let items = api.paths.paths.values_mut();
        for operation in items.flat_map(|item| [&mut item.get, &mut item.post]) {
            let id = operation.as_mut().and_then(|o| o.operation_id.as_mut());
            id.into_iter().for_each(|id| id.push_str("_dske"));
        }
        api
    }
}

/// How an SAE says who it is: the security scheme `SAE_ID` of the API methods.
#[cfg(feature = "openapi")]
struct Identity;

#[cfg(feature = "openapi")]
impl utoipa::Modify for Identity {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};

        let header = ApiKeyValue::with_description(
            "Authorization",
            "The caller's SAE ID, such as `carol`, as it is. There is no mutual TLS: whoever reaches the port can claim \
             to be any SAE.",
        );
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("SAE_ID", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
}
