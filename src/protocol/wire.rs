//! A request and a response as the network carries them. The MAC covers exactly these bytes.

use std::fmt;

use bytes::Bytes;

/// Header that carries the allocation and the MAC tag.
pub const SIGNATURE_HEADER: &str = "DSKE-Signature";

/// Path of the key-share resource at a hub.
pub const KEY_SHARE_PATH: &str = "/dske/hub/api/v1/key-share";

/// Path of the key-shares resource at a hub: many operations in one message.
pub const KEY_SHARES_PATH: &str = "/dske/hub/api/v1/key-shares";

/// How a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Deposit shares, or a batch.
    Post,
    /// Fetch shares.
    Get,
}

impl Method {
    /// The HTTP method's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A client's request to a hub. It holds no secret: shares in it are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// Path and query as on the request line.
    pub target: String,
    /// Value of the [`SIGNATURE_HEADER`], if there is one.
    pub signature: Option<String>,
    /// Body. It is empty for [`Method::Get`].
    pub body: Bytes,
}

/// A hub's response. It holds no secret: shares in it are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Value of the [`SIGNATURE_HEADER`]. It is absent where the hub could not tell who asked.
    pub signature: Option<String>,
    /// Body, in the encoding of the request. A refusal of the whole message is always JSON.
    pub body: Bytes,
}
