//! Answers that all routes have in common.

use actix::MailboxError;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

use super::message_body::MessageBody;

/// A body as JSON, with its `Content-Type`.
pub(super) fn json<T: Serialize>(status: u16, body: &T) -> HttpResponse {
    HttpResponse::build(status_code(status)).json(body)
}

/// The answer when the node's actor no longer answers.
pub(super) fn stopped(error: &MailboxError) -> HttpResponse {
    let message = format!("the node cannot answer: {error}");
    json(503, &MessageBody::new(message))
}

pub(super) fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_no_longer_answers_is_not_there_for_now() {
        for error in [MailboxError::Closed, MailboxError::Timeout] {
            assert_eq!(stopped(&error).status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        assert_eq!(status_code(1), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
