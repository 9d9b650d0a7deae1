//! Management of a node: what it says about itself, and how it is stopped.

use actix::Addr;
use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};

use crate::node::client::{ClientNode, GetClientStatus};
use crate::node::hub::{GetHubStatus, HubHandle};

use super::answer::{json, stopped};
use super::message_body::MessageBody;
#[cfg(feature = "openapi")]
use super::openapi::{MANAGEMENT, responses::Ending};
use super::{OnStop, paths};
#[cfg(feature = "openapi")]
use crate::{node::client::ClientStatus, protocol::hub::HubStatus};

/// Wraps the closure so that it can be told from other app data.
struct Stop(OnStop);

/// Adds the management of a hub.
pub(super) fn hub(config: &mut ServiceConfig, on_stop: &OnStop) {
    config
        .app_data(Data::new(Stop(on_stop.clone())))
        .route(paths::HUB_STATUS, web::get().to(hub_status))
        .route(paths::HUB_STOP, web::post().to(stop_hub));
}

/// Adds the management of a client.
pub(super) fn client(config: &mut ServiceConfig, on_stop: &OnStop) {
    config
        .app_data(Data::new(Stop(on_stop.clone())))
        .route(paths::CLIENT_STATUS, web::get().to(client_status))
        .route(paths::CLIENT_STOP, web::post().to(stop_client));
}

/// Status of the hub
///
/// For operators, and for `dske status`. No secrets.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = paths::HUB_STATUS, operation_id = "status", tag = MANAGEMENT,
    responses((status = 200, description = "The status.", body = HubStatus), Ending),
))]
async fn hub_status(hub: Data<HubHandle>) -> HttpResponse {
    match hub.status.send(GetHubStatus).await {
        Ok(status) => json(200, &status),
        Err(error) => stopped(&error),
    }
}

/// Status of the client
///
/// For operators, and for `dske status`. No secrets.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = paths::CLIENT_STATUS, operation_id = "status", tag = MANAGEMENT,
    responses((status = 200, description = "The status.", body = ClientStatus), Ending),
))]
async fn client_status(client: Data<Addr<ClientNode>>) -> HttpResponse {
    match client.send(GetClientStatus).await {
        Ok(status) => json(200, &status),
        Err(error) => stopped(&error),
    }
}

/// Stop the hub
///
/// The hub finishes what it is doing, and ends. Its pre-shared data and its shares are lost.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = paths::HUB_STOP, operation_id = "stop", tag = MANAGEMENT,
    responses((status = 200, description = "The hub is stopping.", body = MessageBody)),
))]
async fn stop_hub(stop: Data<Stop>) -> HttpResponse {
    stop.now()
}

/// Stop the client
///
/// The client finishes what it is doing, and ends. Its pre-shared data is lost.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = paths::CLIENT_STOP, operation_id = "stop", tag = MANAGEMENT,
    responses((status = 200, description = "The client is stopping.", body = MessageBody)),
))]
async fn stop_client(stop: Data<Stop>) -> HttpResponse {
    stop.now()
}

impl Stop {
    fn now(&self) -> HttpResponse {
        (self.0)();
        json(200, &MessageBody::new("stopping"))
    }
}
