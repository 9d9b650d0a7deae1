//! The paths of a node's routes.
//!
//! The paths of key shares are part of the protocol, since a MAC covers them: see [`crate::protocol::wire`].

/// Registration with a hub, out of band.
pub const REGISTRATION: &str = "/dske/hub/oob/v1/registration";

/// PSRD delivery by a hub, out of band.
pub const PSRD: &str = "/dske/hub/oob/v1/psrd";

/// Management status of a hub.
pub const HUB_STATUS: &str = "/dske/hub/mgmt/v1/status";

/// Stops a hub.
pub const HUB_STOP: &str = "/dske/hub/mgmt/v1/stop";

/// Prefixes of the ETSI GS QKD 014 API methods at a client: the standard's own, and the one of this project.
pub const ETSI_PREFIXES: [&str; 2] = ["/api/v1/keys", "/dske/client/etsi/api/v1/keys"];

/// Management status of a client.
pub const CLIENT_STATUS: &str = "/dske/client/mgmt/v1/status";

/// Stops a client.
pub const CLIENT_STOP: &str = "/dske/client/mgmt/v1/stop";

/// Metrics of any node.
pub const METRICS: &str = "/metrics";

/// OpenAPI document of any node.
pub const OPENAPI: &str = "/openapi.json";

/// The page that shows the OpenAPI document.
pub const DOCS: &str = "/docs";

/// The origin of a node, from its address. `host:port` alone is plain HTTP; an origin stays what it is.
pub(super) fn origin(address: &str) -> String {
    match address.contains("://") {
        true => address.to_owned(),
        false => format!("http://{address}"),
    }
}
