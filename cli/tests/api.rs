//! What a node says about its interfaces is true: the OpenAPI document, the page that shows it, and the metrics.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "api/document.rs"]
mod document;
#[path = "api/metrics.rs"]
mod metrics;
mod schema;
#[path = "api/served.rs"]
mod served;

const TOPOLOGY: &str = include_str!("../../topology.toml");
const MANUAL: &str = include_str!("../../docs/http.md");
