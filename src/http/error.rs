//! The Error data format (ETSI GS QKD 014 clause 6.5), and which status goes with which error.

use std::fmt;

use actix_web::HttpResponse;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde::{Deserialize, Serialize};

use crate::node::client::KmeError;
use crate::protocol::KeyId;
use crate::protocol::responder::FetchError;

use super::answer::json;

/// The Error data format: also what the other routes say in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Error))]
pub struct MessageBody {
    /// What is wrong, in the words of the standard where it gives any.
    pub message: String,
    /// More about it: an array of objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// One entry of `details`: names and values, as clause 6.5 wants them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Detail {
    /// What a person needs to know.
    pub reason: String,
    /// The key that it is about.
    #[serde(default, rename = "key_ID", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key_id: Option<String>,
    /// The parameter that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub parameter: Option<String>,
}

impl MessageBody {
    /// A message without details.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// A message about a key.
    #[must_use]
    pub fn about_key(message: &str, key_id: KeyId, reason: impl Into<String>) -> Self {
        let detail = Detail {
            reason: reason.into(),
            key_id: Some(key_id.to_string()),
            parameter: None,
        };
        Self {
            message: message.to_owned(),
            details: vec![detail],
        }
    }

    /// A message about parameters, with the same reason for each.
    #[must_use]
    pub fn about_parameters<'a>(
        message: &str,
        parameters: impl Iterator<Item = &'a String>,
        reason: &str,
    ) -> Self {
        let details = parameters.map(|parameter| Detail {
            reason: reason.to_owned(),
            key_id: None,
            parameter: Some(parameter.clone()),
        });
        Self {
            message: message.to_owned(),
            details: details.collect(),
        }
    }
}

/// 401, which has no data model in the standard.
pub(super) fn unauthorized(message: &str) -> HttpResponse {
    // RFC 7235 section 3.1: a 401 carries a challenge.
    HttpResponse::Unauthorized()
        .insert_header((WWW_AUTHENTICATE, "SAE-ID realm=\"dske\""))
        .json(MessageBody::new(message))
}

/// The words of ETSI GS QKD 014 clause 6.4.
const NOT_FOUND: &str = "one or more keys specified are not found on KME";

/// The status that goes with an error, ETSI GS QKD 014 Tables 4, 6 and 8.
#[must_use]
pub fn kme_status(error: &KmeError) -> u16 {
    match error {
        KmeError::UnknownCaller(_) | KmeError::Fetch(FetchError::Forbidden { .. }) => 401,
        KmeError::UnknownSae(_)
        | KmeError::OutOfRange { .. }
        | KmeError::SizeNotMultipleOf8
        | KmeError::TooMuch { .. }
        | KmeError::SaeTwice(_)
        | KmeError::KeyTwice(_)
        | KmeError::HandedOut(_)
        | KmeError::Fetch(FetchError::NotFound { .. }) => 400,
        KmeError::Busy
        | KmeError::Establish(_)
        | KmeError::Fetch(FetchError::Unavailable { .. } | FetchError::Ambiguous { .. }) => 503,
    }
}

/// What an SAE is told.
#[must_use]
pub fn kme_body(error: &KmeError) -> MessageBody {
    match error {
        KmeError::HandedOut(key_id) | KmeError::Fetch(FetchError::NotFound { key_id }) => {
            MessageBody::about_key(NOT_FOUND, *key_id, error.to_string())
        }
        _ => MessageBody::new(error.to_string()),
    }
}

/// An error as a response.
pub(super) fn kme_error(error: &KmeError) -> HttpResponse {
    let body = kme_body(error);
    match kme_status(error) {
        // RFC 9110 section 10.2.3. A call takes well below a second.
        503 if *error == KmeError::Busy => HttpResponse::ServiceUnavailable()
            .insert_header((RETRY_AFTER, "1"))
            .json(body),
        401 => unauthorized(&body.message),
        status => json(status, &body),
    }
}

impl fmt::Display for MessageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.details
            .iter()
            .try_for_each(|detail| match &detail.parameter {
                Some(parameter) => write!(f, " ({parameter}: {})", detail.reason),
                None => write!(f, " ({})", detail.reason),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_for_too_much_load_is_told_when_to_come_again() {
        let busy = kme_error(&KmeError::Busy);
        assert_eq!(busy.status(), 503);
        assert_eq!(busy.headers().get(RETRY_AFTER).unwrap(), "1");
        let other = kme_error(&KmeError::Fetch(FetchError::Ambiguous {
            key_id: "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap(),
            threshold: 3,
        }));
        assert_eq!(other.status(), 503);
        assert!(other.headers().get(RETRY_AFTER).is_none());
    }
}
