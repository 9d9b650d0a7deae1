//! The description of a client's routes, in the words of ETSI GS QKD 014 V1.1.1.

use serde_json::json;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterIn};
use utoipa::openapi::schema::Ref;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ComponentsBuilder, OpenApi, OpenApiBuilder, PathsBuilder, ResponseBuilder,
};

use super::common;
use super::examples::{KEY_ID, MASTER, SLAVE};
use super::info;
use super::parts::{answer, body, header, of, on, operation, parameter, required, with};
use super::schemas::{integer, key_ids, key_request, name, uuid};
use crate::http::client_routes::{ETSI_PREFIXES, STATUS_PATH, STOP_PATH};
use crate::http::error::MessageBody;
use crate::http::etsi::{KeyContainer, Status};
use crate::node::client::ClientStatus;
use crate::protocol::limits::KEYS_PER_MESSAGE_MAX;

const KEYS: &str = "ETSI GS QKD 014";
const KEYS_TOO: &str = "ETSI GS QKD 014, under the prefix of this project";

/// Name of the security scheme.
const SAE_ID: &str = "SAE_ID";

/// What a client serves.
#[must_use]
pub fn document() -> OpenApi {
    let [standard, own] = ETSI_PREFIXES;
    let paths = etsi(PathsBuilder::new(), standard, KEYS, "");
    let paths = etsi(paths, own, KEYS_TOO, "_dske");
    let paths = common::add::<ClientStatus>(paths, STATUS_PATH, STOP_PATH);
    let tags = [
        (
            KEYS,
            "Protocol and data format of REST-based key delivery API, V1.1.1. This client is the KME.",
        ),
        (KEYS_TOO, "The same API methods at another path."),
        (common::MANAGEMENT, "For operators. Not protected."),
        (common::OBSERVATION, "Metrics and documentation."),
    ];
    OpenApiBuilder::new()
        .info(info(
            "DSKE client (KME)",
            "A client of Distributed Symmetric Key Establishment, the key management entity (KME) of its SAEs. Examples \
             are of the example topology: Get status and Get key work at the client carol for the SAE carol, Get key \
             with key IDs then works at the client celia for the SAE celia.",
        ))
        .tags(Some(tags.map(|(name, what)| {
            TagBuilder::new().name(name).description(Some(what)).build()
        })))
        .paths(paths)
        .components(Some(components()))
        .build()
}

fn components() -> Components {
    let identity = ApiKeyValue::with_description(
        "Authorization",
        "The caller's SAE ID, such as `carol`, as it is. There is no mutual TLS: whoever reaches the port can claim to \
         be any SAE.",
    );
    let components = ComponentsBuilder::new();
    let components = with::<Status>(components);
    let components = with::<KeyContainer>(components);
    let components = with::<MessageBody>(components);
    let components = with::<ClientStatus>(components);
    components
        .schema(KEY_REQUEST, key_request())
        .schema(KEY_IDS, key_ids())
        .security_scheme(SAE_ID, SecurityScheme::ApiKey(ApiKey::Header(identity)))
        .build()
}

const KEY_REQUEST: &str = "KeyRequest";
const KEY_IDS: &str = "KeyIds";

/// The API methods of clause 5.1 Table 2. `suffix` keeps the IDs of operations apart.
fn etsi(paths: PathsBuilder, prefix: &str, tag: &str, suffix: &str) -> PathsBuilder {
    let id = |id: &str| format!("{id}{suffix}");
    let status = format!("{prefix}/{{slave_SAE_ID}}/status");
    let enc_keys = format!("{prefix}/{{slave_SAE_ID}}/enc_keys");
    let dec_keys = format!("{prefix}/{{master_SAE_ID}}/dec_keys");
    let paths = on(
        paths,
        HttpMethod::Get,
        &status,
        get_status(&id("get_status"), tag),
    );
    let number = parameter(
        ParameterIn::Query,
        "number",
        integer("(Option) Number of keys requested, default value is 1.")
            .minimum(Some(1))
            .maximum(Some(KEYS_PER_MESSAGE_MAX)),
        1,
    );
    let size = parameter(
        ParameterIn::Query,
        "size",
        integer("(Option) Size of each key in bits, default value is defined as `key_size` in Status data format.")
            .multiple_of(Some(8)),
        256,
    );
    let get = get_key(&id("get_key_by_get"), tag, BY_GET)
        .parameter(number)
        .parameter(size);
    let post = get_key(&id("get_key"), tag, "").request_body(Some(body(
        Ref::from_schema_name(KEY_REQUEST),
        json!({ "number": 2, "size": 256 }),
    )));
    let paths = on(paths, HttpMethod::Get, &enc_keys, get);
    let paths = on(paths, HttpMethod::Post, &enc_keys, post);
    let key_id = required(parameter(
        ParameterIn::Query,
        "key_ID",
        uuid("ID of the key: UUID format."),
        KEY_ID,
    ));
    let get = get_key_with_ids(&id("get_key_with_key_ids_by_get"), tag, BY_GET).parameter(key_id);
    let post = get_key_with_ids(&id("get_key_with_key_ids"), tag, "").request_body(Some(body(
        Ref::from_schema_name(KEY_IDS),
        json!({ "key_IDs": [{ "key_ID": KEY_ID }] }),
    )));
    let paths = on(paths, HttpMethod::Get, &dec_keys, get);
    on(paths, HttpMethod::Post, &dec_keys, post)
}

/// Added to the words of the standard where an API method has two access methods.
const BY_GET: &str = " With GET, parameters are in the URI, and only those that are named here.";

fn get_status(id: &str, tag: &str) -> OperationBuilder {
    errors(
        operation(
            id,
            tag,
            "Get status (clause 5.2)",
            "Returns Status from a KME to the calling SAE. Status contains information on keys available to be \
             requested by a master SAE for a specified slave SAE.",
        )
        .parameter(other_sae(
            "slave_SAE_ID",
            "URL-encoded SAE ID of slave SAE.",
            SLAVE,
        ))
        .response("200", uncached(answer("Status data format, clause 6.1.", of::<Status>()))),
        "Bad request format: the slave SAE is not known, or there are parameters.",
    )
}

fn get_key(id: &str, tag: &str, added: &str) -> OperationBuilder {
    errors(
        operation(
            id,
            tag,
            "Get key (clause 5.3)",
            &format!(
                "Returns Key container data from the KME to the calling master SAE. Key container data contains one or \
                 more keys. The calling master SAE may supply Key request data to specify the requirement on Key \
                 container data. The slave SAE specified by the `slave_SAE_ID` parameter may subsequently request \
                 matching keys from a remote KME using `key_ID` identifiers from the returned Key container.{added}"
            ),
        )
        .parameter(other_sae(
            "slave_SAE_ID",
            "URL-encoded SAE ID of slave SAE.",
            SLAVE,
        ))
        .response(
            "200",
            uncached(answer("Key container data format, clause 6.3.", of::<KeyContainer>())),
        ),
        "Bad request format, or a request that this KME does not grant.",
    )
}

fn get_key_with_ids(id: &str, tag: &str, added: &str) -> OperationBuilder {
    errors(
        operation(
            id,
            tag,
            "Get key with key IDs (clause 5.4)",
            &format!(
                "Returns Key container from the KME to the calling slave SAE. Key container contains keys matching those \
                 previously delivered to a remote master SAE based on the key_IDs supplied from the remote master SAE in \
                 response to its call to Get key. The KME shall reject the request with a 401 HTTP status code if the \
                 SAE ID of the requestor was not an SAE ID supplied to the \"Get key\" method each time it was called \
                 resulting in the return of any of the Key IDs being requested.{added}"
            ),
        )
        .parameter(other_sae(
            "master_SAE_ID",
            "URL-encoded SAE ID of master SAE.",
            MASTER,
        ))
        .response(
            "200",
            uncached(answer("Key container data format, clause 6.3.", of::<KeyContainer>())),
        ),
        "Bad request format, or one or more keys specified are not found on KME: never established, expired, or handed \
         out before.",
    )
}

fn other_sae(parameter_name: &str, what: &str, example: &str) -> Parameter {
    parameter(ParameterIn::Path, parameter_name, name(what), example)
}

fn uncached(response: ResponseBuilder) -> ResponseBuilder {
    response.header(
        "Cache-Control",
        header("`no-store`: a key that came out of a cache would be given twice."),
    )
}

/// Tables 4, 6 and 8.
fn errors(operation: OperationBuilder, bad_request: &str) -> OperationBuilder {
    let challenge = header("Asks for the SAE ID (RFC 9110 section 11.6.1).");
    operation
        .security(SecurityRequirement::new(SAE_ID, [] as [&str; 0]))
        .response("400", answer(bad_request, of::<MessageBody>()))
        .response(
            "401",
            answer(
                "Unauthorized: the header names no SAE that this KME serves, or the SAE may not fetch these keys.",
                of::<MessageBody>(),
            )
            .header("WWW-Authenticate", challenge),
        )
        .response(
            "503",
            answer(
                "Error of server side: too few hubs could be reached, or agree.",
                of::<MessageBody>(),
            ),
        )
}
