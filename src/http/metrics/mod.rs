//! `/metrics`: the numbers of the management status, in the text format of Prometheus.
//!
//! A node counts in its state machines alone. What is asked for is rendered from the same snapshot that the management
//! status shows, so that there is no second set of numbers that could disagree, and nothing to pay in between.
//!
//! What the system knows of the process is put in front ([`process`]).
//!
//! Labels are names of nodes and kinds of events: a topology bounds their number. IDs of keys and SAEs never are.

mod client;
mod family;
mod hub;
pub mod process;

use actix::Addr;
use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{self, CONTENT_TYPE};
use prometheus_client::registry::Registry;

use crate::node::client::{ClientNode, ClientStatus, GetClientStatus};
use crate::node::hub::{GetHubStatus, HubHandle};
use crate::protocol::hub::HubStatus;

use super::answer::{json, stopped};
use super::error::MessageBody;

/// Path of the metrics.
pub const PATH: &str = "/metrics";

/// Adds a hub's metrics.
pub(super) fn hub(config: &mut ServiceConfig) {
    let metrics = |hub: Data<HubHandle>| async move {
        match hub.status.send(GetHubStatus).await {
            Ok(status) => answer(of_hub(status)),
            Err(error) => stopped(&error),
        }
    };
    config.route(PATH, web::get().to(metrics));
}

/// Adds a client's metrics.
pub(super) fn client(config: &mut ServiceConfig) {
    let metrics = |client: Data<Addr<ClientNode>>| async move {
        match client.send(GetClientStatus).await {
            Ok(status) => answer(of_client(status)),
            Err(error) => stopped(&error),
        }
    };
    config.route(PATH, web::get().to(metrics));
}

/// What a hub says of itself, as metrics.
///
/// # Errors
/// None that is known: text goes into memory.
pub fn of_hub(status: HubStatus) -> Result<String, std::fmt::Error> {
    render("dske_hub", hub::Metrics(status))
}

/// What a client says of itself, as metrics.
///
/// # Errors
/// None that is known: text goes into memory.
pub fn of_client(status: ClientStatus) -> Result<String, std::fmt::Error> {
    render("dske_client", client::Metrics(status))
}

fn of_process() -> Result<String, std::fmt::Error> {
    written(Registry::default(), process::Metrics)
}

fn render(prefix: &str, metrics: impl Collector) -> Result<String, std::fmt::Error> {
    written(Registry::with_prefix(prefix), metrics)
}

fn written(mut registry: Registry, metrics: impl Collector) -> Result<String, std::fmt::Error> {
    registry.register_collector(Box::new(metrics));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

fn answer(metrics: Result<String, std::fmt::Error>) -> HttpResponse {
    match of_process().and_then(|process| Ok(process + &metrics?)) {
        Ok(text) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(text),
        Err(_) => json(500, &MessageBody::new("the metrics cannot be written")),
    }
}
