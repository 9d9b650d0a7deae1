//! The parts that descriptions of operations are made of.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::content::Content;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{OneOfBuilder, Ref, Schema};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, KnownFormat, ObjectBuilder, PathsBuilder, RefOr, Required,
    ResponseBuilder, SchemaFormat,
};

/// A path with one operation; paths that come twice are merged.
pub(super) fn on(
    paths: PathsBuilder,
    method: HttpMethod,
    path: &str,
    operation: impl Into<Operation>,
) -> PathsBuilder {
    paths.path(path, PathItem::new(method, operation))
}

/// An operation. `summary` is one line, `description` is Markdown.
pub(super) fn operation(id: &str, tag: &str, summary: &str, description: &str) -> OperationBuilder {
    OperationBuilder::new()
        .operation_id(Some(id))
        .tag(tag)
        .summary(Some(summary))
        .description(Some(description))
}

/// A parameter with its example, which is what the page fills in.
pub(super) fn parameter(
    at: ParameterIn,
    name: &str,
    schema: ObjectBuilder,
    example: impl Into<Value>,
) -> Parameter {
    let required = match at {
        ParameterIn::Path | ParameterIn::Header => Required::True,
        _ => Required::False,
    };
    let schema = schema.build();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(at)
        .required(required)
        .description(schema.description.clone())
        .schema(Some(schema))
        .example(Some(example.into()))
        .build()
}

/// A parameter that may not be missing.
pub(super) fn required(mut parameter: Parameter) -> Parameter {
    parameter.required = Required::True;
    parameter
}

/// A body that has to be sent, as JSON.
pub(super) fn body(schema: impl Into<RefOr<Schema>>, example: Value) -> RequestBody {
    RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content("application/json", content(schema, Some(example)))
        .build()
}

/// A body that has to be sent, as bytes.
pub(super) fn bytes(content_type: &str) -> RequestBody {
    RequestBodyBuilder::new()
        .required(Some(Required::True))
        .content(content_type, content(binary(), None))
        .build()
}

/// A response that can also be had as bytes.
pub(super) fn in_bytes(response: ResponseBuilder, content_type: &str) -> ResponseBuilder {
    response.content(content_type, content(binary(), None))
}

fn binary() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(utoipa::openapi::Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
}

/// A response with a body, as JSON.
pub(super) fn answer(
    description: impl Into<String>,
    schema: impl Into<RefOr<Schema>>,
) -> ResponseBuilder {
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content(schema, None))
}

/// A response with a body, as JSON, and an example of it.
pub(super) fn answer_such_as(
    description: impl Into<String>,
    schema: impl Into<RefOr<Schema>>,
    example: Value,
) -> ResponseBuilder {
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content(schema, Some(example)))
}

/// A header of a response.
pub(super) fn header(what: &str) -> Header {
    HeaderBuilder::new()
        .description(Some(what))
        .schema(Some(
            ObjectBuilder::new().schema_type(utoipa::openapi::Type::String),
        ))
        .build()
}

/// A response with a body of another kind.
pub(super) fn other(description: &str, content_type: &str) -> ResponseBuilder {
    let text = ObjectBuilder::new().schema_type(utoipa::openapi::Type::String);
    ResponseBuilder::new()
        .description(description)
        .content(content_type, content(text, None))
}

/// Adds the schema of a type, and of all types in it.
pub(super) fn with<T: ToSchema>(components: ComponentsBuilder) -> ComponentsBuilder {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    components.schemas_from_iter(parts).schema_from::<T>()
}

/// Points to the schema of a type among the components.
pub(super) fn of<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// One of two types.
pub(super) fn either<A: ToSchema, B: ToSchema>() -> RefOr<Schema> {
    let both = OneOfBuilder::new().item(of::<A>()).item(of::<B>());
    both.into()
}

/// A value as an example.
pub(super) fn example<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("examples are made of strings and numbers")
}

fn content(schema: impl Into<RefOr<Schema>>, example: Option<Value>) -> Content {
    ContentBuilder::new()
        .schema(Some(schema))
        .example(example)
        .build()
}
