//! Calls to nodes over HTTP, well-formed or not.

use std::time::Duration;

use dske::topology::Topology;
use serde_json::Value;

/// Far longer than any call takes on a machine that has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Calls the nodes of a topology.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) topology: Topology,
    pub(crate) http: awc::Client,
}

/// What a node answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `Null` if it is no JSON.
    pub(crate) body: Value,
    pub(crate) text: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Its beginning, for a failed assertion.
    pub(crate) fn shown(&self) -> String {
        self.text.chars().take(500).collect()
    }

    pub(crate) fn message(&self) -> &str {
        let message = self.body.get("message").and_then(Value::as_str);
        message.unwrap_or_default()
    }
}

impl Caller {
    pub(crate) fn new(topology: &Topology) -> Self {
        Self {
            topology: topology.clone(),
            http: awc::Client::default(),
        }
    }

    pub(crate) fn address(&self, node: &str) -> &str {
        self.topology.address(&node.parse().unwrap()).unwrap()
    }

    pub(crate) fn url(&self, node: &str, path: &str) -> String {
        format!("http://{}{path}", self.address(node))
    }

    /// A body is said to be JSON.
    pub(crate) async fn send(
        &self,
        method: &str,
        url: String,
        caller: Option<&str>,
        body: Vec<u8>,
    ) -> Answer {
        let headers = caller.map(|caller| ("Authorization", caller));
        let mut headers: Vec<_> = headers.into_iter().collect();
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json"));
        }
        self.send_with(method, url, &headers, body).await
    }

    pub(crate) async fn send_with(
        &self,
        method: &str,
        url: String,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let mut request = self
            .http
            .request(method.parse().unwrap(), url)
            .timeout(PATIENCE);
        for header in headers {
            request = request.append_header(*header);
        }
        let mut response = request.send_body(body).await.unwrap();
        let bytes = response.body().limit(4 << 20).await.unwrap();
        let headers = response.headers().iter();
        Answer {
            status: response.status().as_u16(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}
