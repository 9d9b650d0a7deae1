//! All routes of a hub.

use actix_web::web::{Data, ServiceConfig};

use crate::node::hub::HubHandle;

use super::management::{self, Management};
use super::{key_share_routes, metrics, out_of_band_routes};

/// Adds a hub's routes to an app.
pub fn configure(config: &mut ServiceConfig, hub: &HubHandle, operators: &Management) {
    config
        .app_data(Data::new(hub.clone()))
        .configure(key_share_routes::configure)
        .configure(out_of_band_routes::configure)
        .configure(|config| management::hub(config, operators))
        .configure(metrics::hub);
    #[cfg(feature = "openapi")]
    config.configure(super::openapi::routes(document));
}

/// The OpenAPI document of a hub.
#[cfg(feature = "openapi")]
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    use super::management::ByToken;
    use super::openapi::{self, page};
    use crate::protocol::{Refusal, hub::OobError};

    #[derive(utoipa::OpenApi)]
    #[openapi(
        info(
            title = "DSKE security hub",
            description = "A hub of Distributed Symmetric Key Establishment: it holds shares of keys and hands them to \
                           the clients whose SAEs are named. Examples are of the example topology.",
        ),
        tags(
            (name = openapi::KEY_SHARES, description =
                "The protocol between clients and hubs: requests and answers are authenticated with pre-shared random \
                 data (PSRD), shares travel under a one-time pad. `docs/protocol.md` specifies it."),
            (name = openapi::OUT_OF_BAND, description =
                "Stands in for what is carried by hand in real life. Under TLS for the client itself, else not protected."),
            (name = openapi::MANAGEMENT, description = "For operators. Status is open, stopping takes the token."),
            (name = openapi::OBSERVATION, description = "Metrics and documentation."),
        ),
        paths(
            key_share_routes::deposit, key_share_routes::fetch, key_share_routes::batch,
            out_of_band_routes::register, out_of_band_routes::deliver_psrd,
            management::hub_status, management::stop_hub,
            metrics::metrics, openapi::openapi, page::docs, page::docs_file,
        ),
        components(schemas(Refusal, OobError)),
        modifiers(&ByToken),
    )]
    struct Hub;
    <Hub as utoipa::OpenApi>::openapi()
}
