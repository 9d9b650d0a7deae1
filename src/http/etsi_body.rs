//! Reading the body of an ETSI call, in bounds: of size, of time, and of what it claims to be.

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

/// Reads the whole body, whatever it is. The standard's error tables know no 413 and no 408: all errors are 400.
///
/// # Errors
/// What is wrong. The connection cannot be used for another request then.
pub(super) async fn read(http: &HttpRequest, payload: Payload) -> Result<Bytes, MessageBody> {
    let headers = http.headers();
    if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
        // RFC 7230 section 3.3.3: there is none. To read it would be to wait for ever where the request asks for
        // another protocol, since that one's bytes would follow.
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

/// Clause 5.1 Table 1: a body is JSON in UTF-8, and says so. One that says nothing is taken for it.
///
/// # Errors
/// What it claims to be instead.
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
