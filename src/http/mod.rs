//! HTTP: the routes of the nodes (actix-web) and the client's way to a hub (awc).
//!
//! | module | what it holds |
//! |---|---|
//! | [`server`] | what serves the routes on accepted connections |
//! | [`peer`], `wire` | who calls: what a connection proves, and which routes that opens |
//! | [`directory`] | whom a node knows, and by which certificates |
//! | `tls` | certificates: what a node proves itself with, and whom it believes |
//! | [`connections`], `stream` | how long a connection may take, and how much all of them may hold |
//! | `admission` | what comes before every route: by which names and by which pages a node may be called |
//! | `body` | reading a body, in bounds |
//! | [`hub_routes`], [`client_routes`] | all routes of a hub, and of a client |
//! | `key_share_routes`, `out_of_band_routes` | a hub's routes for clients |
//! | `delivery` | a block of PSRD on its way to a client |
//! | `etsi_routes` | a client's routes for SAEs: ETSI GS QKD 014 |
//! | [`management`], [`metrics`] | routes of every node, for operators |
//! | `openapi` | the description of a node's routes, and a page that shows it |
//! | [`paths`] | where the routes are |
//! | [`etsi`], [`message_body`] | the data formats of ETSI GS QKD 014 clause 6 |
//! | `etsi_call`, `etsi_parameters`, `json` | reading an ETSI call, strictly and in bounds |
//! | [`error`], `answer` | which answer goes with which error |
//! | [`transport`] | [`transport::HttpTransport`]: a client's way to a hub, over whatever streams the awc client is built on |
//! | [`etsi_client`] | an SAE's side of ETSI GS QKD 014 |

#![allow(
    clippy::result_large_err,
    reason = "a refused request ends as an HttpResponse, which is large: once a request, not in a loop"
)]

mod admission;
mod answer;
mod body;
pub mod client_routes;
pub mod connections;
mod delivery;
pub mod directory;
pub mod error;
pub mod etsi;
mod etsi_call;
pub mod etsi_client;
mod etsi_parameters;
mod etsi_routes;
pub mod hub_routes;
mod json;
mod key_share_routes;
pub mod management;
pub mod message_body;
pub mod metrics;
#[cfg(feature = "openapi")]
mod openapi;
mod out_of_band_routes;
pub mod paths;
pub mod peer;
mod secret_body;
pub mod server;
mod stream;
#[cfg(feature = "tls")]
pub mod tls;
pub mod transport;
mod wire;

pub use admission::Names;
