//! HTTP: the routes of the nodes (actix-web) and the client's way to a hub (awc).
//!
//! | module | what it holds |
//! |---|---|
//! | [`hub_routes`] | a hub's routes: key shares, out of band, management |
//! | [`client_routes`] | a client's routes: ETSI GS QKD 014, management |
//! | [`etsi_call`] | an ETSI call as it comes in: who asks, about which SAE, with which parameters |
//! | [`etsi`] | the data formats of ETSI GS QKD 014 clause 6 |
//! | [`key_request`] | reading the parameters of an ETSI call, strictly |
//! | [`body`], [`json`] | reading a body in bounds, and JSON without doubled names |
//! | [`etsi_client`] | an SAE's side of it |
//! | [`error`] | the Error data format, and which status goes with which error |
//! | [`openapi`] | the description of a node's routes, and a page that shows it |
//! | [`metrics`] | the numbers of the management status, for Prometheus |
//! | [`answer`] | answers that all routes have in common |
//! | [`transport`] | [`transport::HttpTransport`], over whatever streams the awc client is built on |

#![allow(
    clippy::result_large_err,
    reason = "a refused request ends as an HttpResponse, which is large: once a request, not in a loop"
)]

pub mod answer;
pub mod body;
pub mod client_routes;
pub mod error;
pub mod etsi;
pub mod etsi_call;
pub mod etsi_client;
pub mod hub_routes;
pub mod json;
pub mod key_request;
pub mod metrics;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod transport;

use std::sync::Arc;

/// What the management route `stop` does. A process ends its server; a simulated node ignores it.
pub type OnStop = Arc<dyn Fn() + Send + Sync>;
