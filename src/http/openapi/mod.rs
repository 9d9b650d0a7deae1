//! Each node describes its own routes: `/openapi.json`, and Swagger UI at `/docs`.
//!
//! Schemas are derived from the types that the routes read and write, paths are the constants that the routes are
//! registered under, and which refusal goes with which status is asked of the refusals themselves. What is left to be
//! written by hand is checked by `tests/api.rs`: every route is in the document, every operation of the document is
//! served, every example works, every answer fits its schema.
//!
//! A document is made when somebody asks for it: that is rare, and a node that nobody asks pays nothing.

mod client;
mod common;
mod examples;
mod hub;
mod page;
mod parts;
mod schemas;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use utoipa::openapi::{InfoBuilder, License, OpenApi};

pub use client::document as client;
pub use hub::document as hub;

/// Path of the OpenAPI document.
pub const DOCUMENT_PATH: &str = "/openapi.json";

/// Path of the page for people.
pub const DOCS_PATH: &str = "/docs";

/// Adds the routes that describe a node.
pub(super) fn routes(document: fn() -> OpenApi) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let answer = move || async move { HttpResponse::Ok().json(document()) };
        config
            .route(DOCUMENT_PATH, web::get().to(answer))
            .route(DOCS_PATH, web::get().to(page::redirect))
            .route(page::FILE_PATH, web::get().to(page::file));
    }
}

fn info(title: &str, description: &str) -> InfoBuilder {
    InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description))
        .license(Some(License::new(env!("CARGO_PKG_LICENSE"))))
}
