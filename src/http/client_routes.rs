//! All routes of a client.

use actix::Addr;
use actix_web::web::{Data, ServiceConfig};

use crate::node::client::ClientNode;

use super::management::{self, Management};
use super::{etsi_routes, metrics};

/// Adds a client's routes to an app.
pub fn configure(config: &mut ServiceConfig, client: &Addr<ClientNode>, operators: &Management) {
    config
        .app_data(Data::new(client.clone()))
        .configure(etsi_routes::configure)
        .configure(|config| management::client(config, operators))
        .configure(metrics::client);
    #[cfg(feature = "openapi")]
    config.configure(super::openapi::routes(document));
}

/// The OpenAPI document of a client.
#[cfg(feature = "openapi")]
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    use super::management::ByToken;
    use super::openapi::{self, page};
    use super::paths::ETSI_PREFIXES;

    const ETSI: &str = "ETSI GS QKD 014";
    const ETSI_TOO: &str = "ETSI GS QKD 014, under the prefix of this project";

    #[derive(utoipa::OpenApi)]
    #[openapi(
        info(
            title = "DSKE client (KME)",
            description = "A client of Distributed Symmetric Key Establishment, the key management entity (KME) of its \
                           SAEs. Examples are of the example topology: Get status and Get key work at the client carol \
                           for the SAE carol, Get key with key IDs then works at the client celia for the SAE celia.",
        ),
        tags(
            (name = ETSI, description =
                "Protocol and data format of REST-based key delivery API, V1.1.1. This client is the KME."),
            (name = ETSI_TOO, description = "The same API methods at another path."),
            (name = openapi::MANAGEMENT, description = "For operators. Status is open, stopping takes the token."),
            (name = openapi::OBSERVATION, description = "Metrics and documentation."),
        ),
        nest(
            (path = ETSI_PREFIXES[0], api = etsi_routes::Etsi, tags = [ETSI]),
            (path = ETSI_PREFIXES[1], api = etsi_routes::EtsiToo, tags = [ETSI_TOO]),
        ),
        paths(
            management::client_status, management::stop_client,
            metrics::metrics, openapi::openapi, page::docs, page::docs_file,
        ),
        modifiers(&ByToken),
    )]
    struct Client;
    <Client as utoipa::OpenApi>::openapi()
}
