//! Which status and which words go with which error.

use actix_web::HttpResponse;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};

use crate::node::client::KmeError;
use crate::protocol::hub::OobError;
use crate::protocol::responder::FetchError;

use super::answer::json;
use super::message_body::MessageBody;

/// 401. The standard has no data model for it.
pub(super) fn unauthorized(message: &str) -> HttpResponse {
    // RFC 7235 section 3.1: a 401 carries a challenge.
    HttpResponse::Unauthorized()
        .insert_header((WWW_AUTHENTICATE, "SAE-ID realm=\"dske\""))
        .json(MessageBody::new(message))
}

/// The words of ETSI GS QKD 014 clause 6.4 for key IDs without a key.
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
        | KmeError::TooManyHandedOut(_)
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

/// The status that goes with a refusal out of band. Other refusals of a hub say theirs themselves.
pub(super) fn oob_status(error: &OobError) -> u16 {
    match error {
        OobError::UnknownClient { .. } => 403,
        OobError::StaleRegistration | OobError::PoolFull { .. } => 409,
        OobError::BlockSize { .. } => 400,
    }
}

/// An error as a response.
pub(super) fn kme_error(error: &KmeError) -> HttpResponse {
    let body = kme_body(error);
    match (kme_status(error), error) {
        // RFC 9110 section 10.2.3. In a second, many calls have ended, and some keys are forgotten.
        (503, KmeError::Busy | KmeError::TooManyHandedOut(_)) => HttpResponse::ServiceUnavailable()
            .insert_header((RETRY_AFTER, "1"))
            .json(body),
        (401, _) => unauthorized(&body.message),
        (status, _) => json(status, &body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_for_too_much_load_is_told_when_to_come_again() {
        let full = KmeError::TooManyHandedOut("celia".parse().unwrap());
        for error in [KmeError::Busy, full] {
            let busy = kme_error(&error);
            assert_eq!(busy.status(), 503);
            assert_eq!(busy.headers().get(RETRY_AFTER).unwrap(), "1");
        }
        let other = kme_error(&KmeError::Fetch(FetchError::Ambiguous {
            key_id: "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap(),
            threshold: 3,
        }));
        assert_eq!(other.status(), 503);
        assert!(other.headers().get(RETRY_AFTER).is_none());
    }
}
