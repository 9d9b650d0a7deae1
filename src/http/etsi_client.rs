//! An SAE's side of ETSI GS QKD 014: calls a client (KME) over HTTP.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::protocol::limits::{KEY_BYTES_MAX, KEYS_PER_MESSAGE_MAX};
use crate::protocol::{KeyId, SaeId};

use super::etsi::{KeyContainer, KeyIds, KeyRequest, Status};
use super::message_body::MessageBody;
use super::{paths, secret_body};

/// Largest answer that is read, in bytes: as many keys as a call may have, of the largest size, with 256 bytes each for what
/// stands around them. They are handed out once, so that an answer that is not read is lost.
const ANSWER_BYTES_MAX: usize = KEYS_PER_MESSAGE_MAX * (KEY_BYTES_MAX.div_ceil(3) * 4 + 256);

/// Why a call did not deliver what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The KME refused.
    #[error("status {status}: {message}")]
    Refused {
        /// HTTP status, or the status that would go with the error over HTTP.
        status: u16,
        /// The message, with its details.
        message: String,
    },
    /// The call was not made.
    #[error("not called: {0}")]
    NotMade(String),
    /// The KME did not answer: the call may have been served, or not.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// Calls one KME on behalf of any SAE.
#[derive(Clone)]
pub struct EtsiClient {
    http: awc::Client,
    base: String,
    timeout: Duration,
}

impl EtsiClient {
    /// For the KME at `address`: `host:port` for plain HTTP, or its origin (`https://host:port`). The outcome of a call that takes longer than `timeout` is unknown.
    #[must_use]
    pub fn new(http: awc::Client, address: &str, timeout: Duration) -> Self {
        Self {
            http,
            base: paths::origin(address),
            timeout,
        }
    }

    /// Get status (clause 5.2).
    ///
    /// # Errors
    /// If the KME refuses or does not answer.
    pub async fn status(&self, caller: &SaeId, slave: &SaeId) -> Result<Status, CallError> {
        self.get(&format!("/api/v1/keys/{slave}/status"), Some(caller))
            .await
    }

    /// Get key (clause 5.3): by GET where that is possible, else by POST.
    ///
    /// # Errors
    /// If the KME refuses or does not answer.
    pub async fn get_key(
        &self,
        caller: &SaeId,
        slave: &SaeId,
        request: &KeyRequest,
    ) -> Result<KeyContainer, CallError> {
        let path = format!("/api/v1/keys/{slave}/enc_keys");
        if *request == KeyRequest::default() {
            return self.get(&path, Some(caller)).await;
        }
        self.post(&path, caller, request).await
    }

    /// Get key with key IDs (clause 5.4).
    ///
    /// # Errors
    /// If the KME refuses or does not answer.
    pub async fn get_key_with_ids(
        &self,
        caller: &SaeId,
        master: &SaeId,
        key_ids: &[KeyId],
    ) -> Result<KeyContainer, CallError> {
        let path = format!("/api/v1/keys/{master}/dec_keys");
        self.post(&path, caller, &KeyIds::from(key_ids)).await
    }

    /// Any other document of the node, such as its management status.
    ///
    /// # Errors
    /// If the node refuses or does not answer.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        caller: Option<&SaeId>,
    ) -> Result<T, CallError> {
        let mut request = self
            .http
            .get(format!("{}{path}", self.base))
            .timeout(self.timeout);
        if let Some(caller) = caller {
            request = request.insert_header(("Authorization", caller.as_str()));
        }
        self.answer(request.send()).await
    }

    /// A call by POST, whatever its body says.
    ///
    /// # Errors
    /// If the KME refuses or does not answer.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        caller: &SaeId,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .timeout(self.timeout)
            .insert_header(("Authorization", caller.as_str()));
        self.answer(request.send_json(body)).await
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        sent: awc::SendClientRequest,
    ) -> Result<T, CallError> {
        let unknown = |e: &dyn std::fmt::Display| CallError::Unknown(e.to_string());
        let response = sent.await.map_err(|e| unknown(&e))?;
        let status = response.status();
        let read = secret_body::read(response, ANSWER_BYTES_MAX);
        let body = tokio::time::timeout(self.timeout, read)
            .await
            .map_err(|e| unknown(&e))?
            .map_err(|e| unknown(&e))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|e| unknown(&e));
        }
        let message = match serde_json::from_slice::<MessageBody>(&body) {
            Ok(error) => error.to_string(),
            Err(_) => String::from_utf8_lossy(&body).into_owned(),
        };
        Err(CallError::Refused {
            status: status.as_u16(),
            message,
        })
    }
}
