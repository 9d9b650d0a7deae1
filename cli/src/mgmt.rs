//! Talks to the management routes of nodes.

use std::io;
use std::time::Duration;

use awc::error::{ConnectError, SendRequestError};
use serde_json::Value;

use dske::http::paths;
use dske::topology::Role;

use super::nodes::Node;

/// How long a node may take to answer. It is on the same machine, or near.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Largest status that is read, in bytes: 255 peers fit many times.
const STATUS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is found at a node's address.
#[derive(Debug)]
pub(super) enum Found {
    /// The node. Its status, as its management route returned it.
    Node(Value),
    /// Nobody listens there.
    Nobody,
    /// Something that is not the node.
    Other,
    /// Something that does not answer in time.
    Silence,
}

pub(super) struct Mgmt(awc::Client);

impl Mgmt {
    pub(super) fn new() -> Self {
        Self(awc::Client::builder().timeout(ANSWER_WITHIN).finish())
    }

    pub(super) async fn status(&self, node: &Node) -> Found {
        let path = match node.role {
            Role::Hub => paths::HUB_STATUS,
            Role::Client => paths::CLIENT_STATUS,
        };
        let url = format!("http://{}{path}", node.address);
        let mut response = match self.0.get(url).send().await {
            Ok(response) => response,
            Err(SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout)) => {
                return Found::Silence;
            }
            Err(SendRequestError::Connect(ConnectError::Io(error)))
                if error.kind() == io::ErrorKind::ConnectionRefused =>
            {
                return Found::Nobody;
            }
            Err(_) => return Found::Other,
        };
        let body = response.body().limit(STATUS_BYTES_MAX);
        let Ok(body) = tokio::time::timeout(ANSWER_WITHIN, body).await else {
            return Found::Silence;
        };
        let status: Option<Value> = body
            .ok()
            .and_then(|body| serde_json::from_slice(&body).ok());
        let is_node = |status: &Value| status.get("name") == Some(&node.name.as_str().into());
        match status.filter(is_node) {
            Some(status) => Found::Node(status),
            None => Found::Other,
        }
    }

    /// Tells a node to stop. Whether it heard is seen by whether it ends.
    pub(super) async fn stop(&self, node: &Node) {
        let path = match node.role {
            Role::Hub => paths::HUB_STOP,
            Role::Client => paths::CLIENT_STOP,
        };
        let url = format!("http://{}{path}", node.address);
        let _ = self.0.post(url).send().await;
    }
}
