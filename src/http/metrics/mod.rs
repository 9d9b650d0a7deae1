//! `/metrics`: the numbers of the management status, in the text format of Prometheus.
//!
//! A node counts in its state machines alone. Metrics are rendered on request from the same snapshot that the management
//! status shows: there is no second set of numbers that could disagree, and nobody pays for metrics that nobody reads.
//! The metrics of the process ([`process`]) come first.
//!
//! Labels are names of nodes and kinds of events, whose number the topology bounds. IDs of keys and SAEs are never labels.

mod family;
mod of_client;
mod of_hub;
pub mod process;

use std::fmt;

use actix::{Addr, MailboxError};
use actix_web::HttpResponse;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{self, CONTENT_TYPE};
use prometheus_client::registry::Registry;

use crate::node::client::{ClientNode, ClientStatus, GetClientStatus};
use crate::node::hub::{GetHubStatus, HubHandle};
use crate::protocol::hub::HubStatus;

use super::answer::{json, stopped};
use super::message_body::MessageBody;
#[cfg(feature = "openapi")]
use super::openapi::{OBSERVATION, responses::Ending};
use super::paths;
use super::peer::{Callers, only};

/// Adds a hub's metrics.
pub(super) fn hub(config: &mut ServiceConfig) {
    let answer = |hub: Data<HubHandle>| async move {
        let status = hub.status.send(GetHubStatus).await;
        metrics(status.map(of_hub))
    };
    config.service(
        web::resource(paths::METRICS)
            .wrap(from_fn(only(Callers::Monitors)))
            .route(web::get().to(answer)),
    );
}

/// Adds a client's metrics.
pub(super) fn client(config: &mut ServiceConfig) {
    let answer = |client: Data<Addr<ClientNode>>| async move {
        let status = client.send(GetClientStatus).await;
        metrics(status.map(of_client))
    };
    config.service(
        web::resource(paths::METRICS)
            .wrap(from_fn(only(Callers::Monitors)))
            .route(web::get().to(answer)),
    );
}

/// Metrics
///
/// The numbers of the management status, for Prometheus. `docs/http.md` lists them.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = paths::METRICS, tag = OBSERVATION,
    responses(
        (status = 200, description = "The metrics, in the text format 0.0.4.", body = String),
        Ending,
    ),
))]
fn metrics(of_node: Result<Result<String, fmt::Error>, MailboxError>) -> HttpResponse {
    let of_node = match of_node {
        Ok(text) => text,
        Err(error) => return stopped(&error),
    };
    match of_process().and_then(|process| Ok(process + &of_node?)) {
        Ok(text) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(text),
        Err(_) => json(500, &MessageBody::new("the metrics cannot be written")),
    }
}

/// The status of a hub as metrics.
///
/// # Errors
/// No case is known: the text is written into memory.
pub fn of_hub(status: HubStatus) -> Result<String, fmt::Error> {
    render("dske_hub", of_hub::Metrics(status))
}

/// The status of a client as metrics.
///
/// # Errors
/// No case is known: the text is written into memory.
pub fn of_client(status: ClientStatus) -> Result<String, fmt::Error> {
    render("dske_client", of_client::Metrics(status))
}

fn of_process() -> Result<String, fmt::Error> {
    written(Registry::default(), process::Metrics)
}

fn render(prefix: &str, metrics: impl Collector) -> Result<String, fmt::Error> {
    written(Registry::with_prefix(prefix), metrics)
}

fn written(mut registry: Registry, metrics: impl Collector) -> Result<String, fmt::Error> {
    registry.register_collector(Box::new(metrics));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}
