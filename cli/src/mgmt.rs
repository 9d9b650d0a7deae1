//! Talks to the management routes of nodes.

use std::io;
use std::time::Duration;

use awc::error::{ConnectError, SendRequestError};
use serde_json::Value;

use dske::http::management::{RUN_HEADER, TOKEN_HEADER};
use dske::http::peer::Identity;
use dske::topology::Topology;
use dske_testbed::identity::RunId;
use dske_testbed::over_http::{status_path, stop_path};

use super::nodes::Node;
use super::{CliError, tls};

/// How long a node may take to answer. It is on the same machine, or near.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Largest status that is read, in bytes. The status of a node with 255 peers takes a small part of it.
const STATUS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What answers at the address of a node.
#[derive(Debug)]
pub(super) enum Found {
    /// A node of that name, with the status that its management route returned, and whose it says that it is.
    Node(Value, Option<RunId>),
    /// Nobody listens there.
    Nobody,
    /// Something that is not the node.
    Other,
    /// Something that does not answer within two seconds.
    Silence,
}

pub(super) struct Mgmt {
    http: awc::Client,
    scheme: &'static str,
}

impl Mgmt {
    /// Calls the nodes of a topology, as an operator.
    ///
    /// # Errors
    /// If the operator's certificate cannot be used.
    pub(super) fn new(topology: &Topology) -> Result<Self, CliError> {
        let operator = tls::credentials(topology, Identity::Operator, None)?;
        let http = awc::Client::builder().timeout(ANSWER_WITHIN);
        Ok(match operator {
            None => Self {
                http: http.finish(),
                scheme: "http",
            },
            Some(operator) => {
                let connector = awc::Connector::new().rustls_0_23(operator.client_config(None));
                Self {
                    http: http.connector(connector).finish(),
                    scheme: "https",
                }
            }
        })
    }

    pub(super) async fn status(&self, node: &Node) -> Found {
        let url = format!(
            "{}://{}{}",
            self.scheme,
            node.address,
            status_path(node.role)
        );
        let mut response = match self.http.get(url).send().await {
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
        let run = response.headers().get(RUN_HEADER);
        let run = run.and_then(|run| run.to_str().ok()?.parse().ok());
        let body = response.body().limit(STATUS_BYTES_MAX);
        let Ok(body) = tokio::time::timeout(ANSWER_WITHIN, body).await else {
            return Found::Silence;
        };
        let status: Option<Value> = body
            .ok()
            .and_then(|body| serde_json::from_slice(&body).ok());
        let is_node = |status: &Value| status.get("name") == Some(&node.name.as_str().into());
        match status.filter(is_node) {
            Some(status) => Found::Node(status, run),
            None => Found::Other,
        }
    }

    /// Tells a node to stop, with its token. Whether it has heard shows when it ends.
    pub(super) async fn stop(&self, node: &Node) {
        let url = format!("{}://{}{}", self.scheme, node.address, stop_path(node.role));
        let mut request = self.http.post(url);
        if let Ok(token) = std::fs::read_to_string(&node.token_file) {
            request = request.insert_header((TOKEN_HEADER, token));
        }
        let _ = request.send().await;
    }
}
