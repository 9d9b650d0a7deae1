//! Swagger UI: its files are part of the program, so that it works without internet.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{
    CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ContentEncoding, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Bytes, Path};
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::http::answer::json;
use crate::http::error::MessageBody;

/// Path of the page's files.
pub(super) const FILE_PATH: &str = "/docs/{file}";

/// From [`super::DOCS_PATH`]. Relative, so that it holds behind a proxy that puts a prefix before all paths.
const FIRST_FILE: &str = "docs/index.html";

/// From [`FILE_PATH`].
const DOCUMENT: &str = "../openapi.json";

/// The page may load from, and talk to, the node alone. Swagger UI styles its elements, and has its icons in its styles.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

pub(super) async fn redirect() -> HttpResponse {
    HttpResponse::Found()
        .insert_header((LOCATION, FIRST_FILE))
        .finish()
}

pub(super) async fn file(name: Path<String>) -> HttpResponse {
    // By default the page would send the document's address to a validator on the internet.
    let config = Config::new([DOCUMENT])
        .validator_url("none")
        .use_base_layout()
        .display_request_duration(true)
        .default_models_expand_depth(0);
    match utoipa_swagger_ui::serve(&name, Arc::new(config)) {
        Ok(Some(file)) => found(file),
        Ok(None) => json(404, &MessageBody::new("the page has no such file")),
        Err(error) => json(500, &MessageBody::new(error.to_string())),
    }
}

fn found(file: SwaggerFile<'static>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response
        .content_type(file.content_type)
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if file.gzpipped {
        // Every browser takes it, and who does not say what it takes has to (RFC 9110 section 12.5.3).
        response.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip));
    }
    response.body(match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    })
}
