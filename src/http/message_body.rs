//! The Error data format, ETSI GS QKD 014 clause 6.5.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::protocol::KeyId;

/// The Error data format. Other routes use it too, for short messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Error))]
pub struct MessageBody {
    /// What is wrong, in the words of the standard if it gives any.
    pub message: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// One entry of `details`: an object of names and values, as clause 6.5 demands.
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
