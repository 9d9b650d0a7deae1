//! What hubs and clients have in common: management, metrics, and this documentation itself.

use utoipa::ToSchema;
use utoipa::openapi::PathsBuilder;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::path::{HttpMethod, ParameterIn};

use super::parts::{answer, header, of, on, operation, other, parameter};
use super::schemas::string;
use super::{DOCS_PATH, DOCUMENT_PATH, page};
use crate::http::error::MessageBody;
use crate::http::metrics;

pub(super) const MANAGEMENT: &str = "Management";
pub(super) const OBSERVATION: &str = "Observation";

/// Adds the routes that every node has. `Status` is what its management status returns.
pub(super) fn add<Status: ToSchema>(
    paths: PathsBuilder,
    status_path: &str,
    stop_path: &str,
) -> PathsBuilder {
    let status = operation(
        "status",
        MANAGEMENT,
        "What the node says of itself",
        "For operators, and for `dske status`. No secrets.",
    )
    .response("200", answer("The status.", of::<Status>()))
    .response("503", stopped());
    let stop = operation(
        "stop",
        MANAGEMENT,
        "Stop the node",
        "The node finishes what it is doing, and ends. What it holds is lost: pre-shared data, and at a hub shares.",
    )
    .response("200", answer("The node is stopping.", of::<MessageBody>()));
    let metrics = operation(
        "metrics",
        OBSERVATION,
        "Metrics",
        "The numbers of the management status, for Prometheus. `docs/http.md` lists them.",
    )
    .response(
        "200",
        other("The metrics, in the text format 0.0.4.", "text/plain"),
    )
    .response("503", stopped());
    let document = operation("openapi", OBSERVATION, "This description", "OpenAPI 3.1.")
        .response("200", other("The description.", "application/json"));
    let location = header("Where the page is, relative to this path.");
    let docs = operation(
        "docs",
        OBSERVATION,
        "This page",
        "Swagger UI. It is part of the node, and asks nobody but the node.",
    )
    .response(
        "302",
        ResponseBuilder::new()
            .description("Leads to the page.")
            .header("Location", location),
    );
    let file = operation(
        "docs_file",
        OBSERVATION,
        "A file of this page",
        "Scripts and styles are sent with `Content-Encoding: gzip`.",
    )
    .parameter(parameter(
        ParameterIn::Path,
        "file",
        string("Name of the file."),
        "index.html",
    ))
    .response("200", other("The file.", "*/*"))
    .response("404", answer("There is no such file.", of::<MessageBody>()));
    let paths = on(paths, HttpMethod::Get, status_path, status);
    let paths = on(paths, HttpMethod::Post, stop_path, stop);
    let paths = on(paths, HttpMethod::Get, metrics::PATH, metrics);
    let paths = on(paths, HttpMethod::Get, DOCUMENT_PATH, document);
    let paths = on(paths, HttpMethod::Get, DOCS_PATH, docs);
    on(paths, HttpMethod::Get, page::FILE_PATH, file)
}

/// The node's actor does not answer any more.
pub(super) fn stopped() -> ResponseBuilder {
    answer("The node is ending.", of::<MessageBody>())
}
