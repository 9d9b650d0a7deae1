//! Each node describes its own routes: `/openapi.json`, and Swagger UI at `/docs`.
//!
//! What a route takes and returns is written beside its handler; schemas are derived from the types that it reads and
//! writes; which refusal goes with which status is asked of the refusals themselves ([`responses`]). `cli/tests/api.rs`
//! checks what is written by hand: every route is in the document, every operation of the document is served, every
//! example works, every answer fits its schema.
//!
//! A document is made when somebody asks for it. That is rare, and costs nothing until then.

pub(super) mod examples;
pub(super) mod page;
pub(super) mod responses;
pub(super) mod schemas;

use actix_web::HttpResponse;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use utoipa::openapi::OpenApi;

use super::paths;
use super::peer::{Callers, only};

// The groups of operations that more than one file names.
pub(super) const KEY_SHARES: &str = "Key shares";
pub(super) const OUT_OF_BAND: &str = "Out of band";
pub(super) const MANAGEMENT: &str = "Management";
pub(super) const OBSERVATION: &str = "Observation";

/// Makes the document of a node.
type Document = fn() -> OpenApi;

/// Adds the routes that describe a node.
pub(super) fn routes(document: Document) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(Data::new(document))
            .service(
                web::resource(paths::OPENAPI)
                    .wrap(from_fn(only(Callers::Operators)))
                    .route(web::get().to(openapi)),
            )
            .configure(page::configure);
    }
}

/// This description
///
/// OpenAPI 3.1.
#[utoipa::path(
    get, path = paths::OPENAPI, tag = OBSERVATION,
    responses((status = 200, description = "The description.", body = String, content_type = "application/json")),
)]
async fn openapi(document: Data<Document>) -> HttpResponse {
    HttpResponse::Ok().json(document())
}
