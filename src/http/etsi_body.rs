//! Reads the body of an ETSI call, within bounds of size, time and media type.

use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpMessage, HttpRequest, mime};
use tokio::time::timeout;

use super::message_body::MessageBody;

/// Largest body, in bytes: 128 key IDs with extensions fit many times.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// How long a body may take to arrive: as long as the server grants the head of a request.
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);

/// Reads the whole body, whatever it is. Every error is 400, since the standard's error tables have no 413 and no 408.
///
/// # Errors
/// What is wrong. The connection can then not be used for another request.
pub(super) async fn read(http: &HttpRequest, payload: Payload) -> Result<Bytes, MessageBody> {
    let headers = http.headers();
    if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
        // RFC 7230 section 3.3.3: there is no body. If the request asks for another protocol, reading would never end,
        // since the bytes of that protocol follow.
        return Ok(Bytes::new());
    }
    let message = match timeout(ARRIVES_WITHIN, payload.to_bytes_limited(BODY_BYTES_MAX)).await {
        Ok(Ok(Ok(body))) => return Ok(body),
        Ok(Ok(Err(error))) => format!("the body cannot be read: {error}"),
        Ok(Err(_)) => format!("a body has at most {BODY_BYTES_MAX} bytes"),
        Err(_) => format!("the body did not arrive within {ARRIVES_WITHIN:?}"),
    };
    Err(MessageBody::new(message))
}

/// Clause 5.1 Table 1: a body is JSON in UTF-8, and says so. A body without a media type is taken for JSON.
///
/// # Errors
/// A body with another media type or encoding.
pub(super) fn check_type(http: &HttpRequest) -> Result<(), MessageBody> {
    if http.headers().contains_key(CONTENT_ENCODING) {
        return Err(MessageBody::new("Content-Encoding is not supported"));
    }
    let json = match http.mime_type() {
        Ok(None) => true,
        Ok(Some(claimed)) => {
            let charset = claimed.get_param(mime::CHARSET);
            claimed.essence_str() == mime::APPLICATION_JSON.as_ref()
                && charset.is_none_or(|charset| charset == mime::UTF_8)
        }
        Err(_) => false,
    };
    if json {
        return Ok(());
    }
    Err(MessageBody::new(
        "Content-Type must be application/json, in UTF-8",
    ))
}
