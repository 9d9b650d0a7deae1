//! Swagger UI: its files are part of the program, so that it works without internet.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{
    CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ContentEncoding, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Bytes, Path, ServiceConfig};
use utoipa_swagger_ui::{Config, SwaggerFile};

use super::OBSERVATION;
use crate::http::answer::json;
use crate::http::message_body::MessageBody;
use crate::http::paths;
use crate::http::peer::{Callers, only};

/// The files. The name may be empty, since `/docs/` leads to the page too.
const FILES: &str = "/docs/{file:[^/]*}";

/// The document, relative to a file of the page: it stays right behind a proxy that puts a prefix before all paths.
const DOCUMENT: &str = "../openapi.json";

/// The page may load from the node, and talk to the node, and to nobody else. Swagger UI sets styles on its elements, and
/// has its icons in its styles.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Adds the page to an app.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(
            web::resource(paths::DOCS)
                .wrap(from_fn(only(Callers::Operators)))
                .route(web::get().to(docs)),
        )
        .service(
            web::resource(FILES)
                .wrap(from_fn(only(Callers::Operators)))
                .route(web::get().to(docs_file)),
        );
}

/// This page
///
/// Swagger UI. It is part of the node, and asks nobody but the node.
#[utoipa::path(
    get, path = paths::DOCS, tag = OBSERVATION,
    responses((status = 302, description = "Leads to the page.",
        headers(("Location" = String, description = "Where the page is, relative to this path.")))),
)]
async fn docs() -> HttpResponse {
    found_at("docs/index.html")
}

/// A file of this page
///
/// Scripts and styles are sent with `Content-Encoding: gzip`.
#[utoipa::path(
    get, path = "/docs/{file}", tag = OBSERVATION,
    params(("file" = String, Path, description = "Name of the file.", example = "index.html")),
    responses(
        (status = 200, description = "The file.", body = String, content_type = "*/*"),
        (status = 404, description = "There is no such file.", body = MessageBody),
    ),
)]
async fn docs_file(name: Path<String>) -> HttpResponse {
    if name.is_empty() {
        return found_at("index.html");
    }
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

/// `path` is relative to the path of the request, for the sake of proxies.
fn found_at(path: &str) -> HttpResponse {
    HttpResponse::Found()
        .insert_header((LOCATION, path))
        .finish()
}

fn found(file: SwaggerFile<'static>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response
        .content_type(file.content_type)
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if file.gzpipped {
        // Every browser takes it, and a client that does not say what it takes has to (RFC 9110 section 12.5.3).
        response.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip));
    }
    response.body(match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    })
}
