//! Reads the body of a request, within bounds of size and time.

use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::ConnectionType;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, TRANSFER_ENCODING};
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::future::{FutureExt, LocalBoxFuture};
use tokio::time::Instant;

use super::answer::json;
use super::connections::{Guard, Over, REQUEST_WITHIN};
use super::message_body::MessageBody;

/// The body of a request, of at most so many bytes.
pub(super) struct Body<const MAX: usize>(pub(super) Bytes);

/// Why a body was not read. The connection can then not be used for another request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error("a body has at most {max} bytes")]
    TooLong { max: usize },
    #[error("the request did not arrive within {REQUEST_WITHIN:?}")]
    Late,
    #[error("too many requests are arriving; come again")]
    Shed,
    #[error("the body cannot be read: {0}")]
    Broken(String),
}

/// Reads the whole body, whatever it is.
///
/// # Errors
/// Why it cannot be read.
pub(super) async fn read(
    http: &HttpRequest,
    payload: web::Payload,
    max: usize,
) -> Result<Bytes, Unread> {
    if !has_body(http) {
        return Ok(Bytes::new());
    }
    let guard = http.conn_data::<Rc<Guard>>();
    match payload.to_bytes_limited(max).await {
        Ok(Ok(body)) => {
            guard.inspect(|guard| guard.whole(Instant::now()));
            Ok(body)
        }
        Ok(Err(error)) => Err(match guard.and_then(|guard| guard.over()) {
            Some(Over::Late) => Unread::Late,
            Some(Over::Shed) => Unread::Shed,
            None => Unread::Broken(error.to_string()),
        }),
        Err(_) => Err(Unread::TooLong { max }),
    }
}

/// RFC 9112 section 6.3. If the request asks for another protocol, the bytes of that protocol follow: they are no body, and
/// reading them would never end.
pub(super) fn has_body(http: &HttpRequest) -> bool {
    let headers = http.headers();
    let length = headers.get(CONTENT_LENGTH);
    length.is_some_and(|length| length != "0") || headers.contains_key(TRANSFER_ENCODING)
}

/// Refuses a body that is not said to be of this media type. A web page of somebody else can send many types without
/// asking the browser, but none of those that nodes take.
///
/// # Errors
/// The answer.
pub(super) fn demand_type(http: &HttpRequest, wanted: &str) -> Result<(), HttpResponse> {
    let claimed = http.headers().get(CONTENT_TYPE);
    let claimed = claimed.and_then(|claimed| claimed.to_str().ok());
    // Parameters, such as a character set, change nothing about JSON.
    let essence = claimed.and_then(|claimed| claimed.split(';').next());
    if essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    let message = format!("Content-Type must be {wanted}");
    Err(json(415, &MessageBody::new(message)))
}

impl<const MAX: usize> FromRequest for Body<MAX> {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let http = http.clone();
        let payload = web::Payload::from_request(&http, payload).into_inner();
        async move {
            let body = read(&http, payload?, MAX).await.map_err(|unread| {
                let answer = unread.answer(unread.status());
                InternalError::from_response(unread, answer)
            })?;
            Ok(Self(body))
        }
        .boxed_local()
    }
}

impl Unread {
    fn status(&self) -> u16 {
        match self {
            Self::TooLong { .. } => 413,
            Self::Late => 408,
            Self::Shed => 503,
            Self::Broken(_) => 400,
        }
    }

    /// ETSI GS QKD 014 has no 408 and no 413.
    pub(super) fn etsi_status(&self) -> u16 {
        match self {
            Self::Shed => 503,
            Self::TooLong { .. } | Self::Late | Self::Broken(_) => 400,
        }
    }

    /// The answer that says so. It closes the connection.
    pub(super) fn answer(&self, status: u16) -> HttpResponse {
        let mut answer = json(status, &MessageBody::new(self.to_string()));
        if let Self::Shed = self {
            let soon = actix_web::http::header::HeaderValue::from_static("1");
            answer.headers_mut().insert(RETRY_AFTER, soon);
        }
        let head = answer.head_mut();
        head.set_connection_type(ConnectionType::Close);
        answer
    }
}
