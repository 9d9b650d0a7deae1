//! Schemas that cannot be derived, since the JSON form is not what the fields say, or depends on a constant.
//!
//! Everything else derives its schema where it is defined. Tests compare both kinds with what serde writes.

use serde_json::{Value, json};
use utoipa::openapi::schema::{AdditionalProperties, Object, Schema, SchemaType, Type};
use utoipa::openapi::{ArrayBuilder, KnownFormat, ObjectBuilder, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::crypto::key_tag::KeyTag;
use crate::crypto::shamir::ShareIndex;
use crate::http::etsi::{KeyIds, KeyRequest};
use crate::protocol::limits::{KEYS_PER_MESSAGE_MAX, SLAVE_SAES_MAX};
use crate::protocol::message::Encrypted;
use crate::protocol::names::NAME_BYTES_MAX;
use crate::protocol::{KeyId, NodeName, SaeId};
use crate::psrd::Block;

use super::examples::KEY_ID;

macro_rules! schema {
    ($($type:ty: $schema:expr;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $type {}
    )*};
}

schema! {
    NodeName: name("Name of a hub or client.");
    SaeId: name("ID of a secure application entity (SAE), ETSI GS QKD 014 clause 3.1.");
    KeyId: uuid("ID of a key, UUID format.");
    KeyTag: string("Public tag of a key, 16 bytes in hexadecimal.").pattern(Some("^[0-9a-f]{32}$"));
    ShareIndex: integer("x coordinate of a hub, fixed for good.").minimum(Some(1)).maximum(Some(255));
    Encrypted: base64("A share under its one-time pad, `size + 48` bytes in base64.");
    Block: ObjectBuilder::new()
        .description(Some("A block of pre-shared random data. Secret: in real life it is carried by hand."))
        .property("block_id", uuid("ID of the block."))
        .required("block_id")
        .property("bytes", base64("The random bytes in base64."))
        .required("bytes");
    KeyRequest: key_request();
    KeyIds: key_ids();
    NumberOfKeys: integer("(Option) Number of keys requested, default value is 1.")
        .minimum(Some(1))
        .maximum(Some(KEYS_PER_MESSAGE_MAX))
        .default(Some(json!(1)));
    SizeOfKeys: integer(
        "(Option) Size of each key in bits, default value is defined as `key_size` in Status data format. A multiple \
         of 8.",
    )
    .multiple_of(Some(8));
    KeyIdList: ArrayBuilder::new()
        .items(uuid("ID of a key."))
        .min_items(Some(1))
        .max_items(Some(KEYS_PER_MESSAGE_MAX));
    Octets: ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
}

/// `number` of a Key request.
pub(in crate::http) struct NumberOfKeys;

/// `size` of a Key request.
pub(in crate::http) struct SizeOfKeys;

/// The keys of a fetch.
pub(in crate::http) struct KeyIdList;

/// A binary body.
pub(in crate::http) struct Octets;

/// The extensions are not part of the type: this KME knows none, and our SAEs send none.
fn key_request() -> ObjectBuilder {
    ObjectBuilder::new()
        .title(Some("Key request"))
        .description(Some("Key request data format, ETSI GS QKD 014 clause 6.2."))
        .property("number", NumberOfKeys::schema())
        .property("size", SizeOfKeys::schema())
        .property(
            "additional_slave_SAE_IDs",
            ArrayBuilder::new()
                .items(SaeId::schema())
                .max_items(Some(SLAVE_SAES_MAX - 1))
                .description(Some(
                    "(Option) Array of IDs of slave SAEs. It is used for specifying two or more slave SAEs to share \
                     identical keys. The maximum number of IDs is defined as `max_SAE_ID_count` in Status data format.",
                )),
        )
        .property(
            "extension_mandatory",
            extensions(
                "(Option) Array of extension parameters specified as name/value pairs that KME shall handle or return \
                 an error. This KME knows none, so that any is an error.",
            ),
        )
        .property(
            "extension_optional",
            extensions(
                "(Option) Array of extension parameters specified as name/value pairs that KME may ignore. This KME \
                 ignores them.",
            ),
        )
        .additional_properties(Some(closed()))
}

fn key_ids() -> ObjectBuilder {
    let key_id = ObjectBuilder::new()
        .property("key_ID", uuid("ID of the key: UUID format."))
        .required("key_ID")
        .property(
            "key_ID_extension",
            ObjectBuilder::new().description(Some("(Option) For future use.")),
        )
        .additional_properties(Some(closed()));
    ObjectBuilder::new()
        .title(Some("Key IDs"))
        .description(Some("Key IDs data format, ETSI GS QKD 014 clause 6.4."))
        .property(
            "key_IDs",
            ArrayBuilder::new()
                .items(key_id)
                .min_items(Some(1))
                .max_items(Some(KEYS_PER_MESSAGE_MAX))
                .description(Some("Array of key IDs.")),
        )
        .required("key_IDs")
        .property(
            "key_IDs_extension",
            ObjectBuilder::new().description(Some("(Option) For future use.")),
        )
        .additional_properties(Some(closed()))
}

fn extensions(what: &str) -> ArrayBuilder {
    ArrayBuilder::new()
        .items(ObjectBuilder::new())
        .description(Some(what))
}

/// A property that is not understood is refused, never ignored.
fn closed() -> AdditionalProperties<Schema> {
    AdditionalProperties::FreeForm(false)
}

fn name(what: &str) -> ObjectBuilder {
    string(what)
        .min_length(Some(1))
        .max_length(Some(NAME_BYTES_MAX))
        .pattern(Some("^[A-Za-z0-9._-]+$"))
}

fn string(what: &str) -> ObjectBuilder {
    typed(Type::String, what)
}

fn integer(what: &str) -> ObjectBuilder {
    typed(Type::Integer, what)
}

fn uuid(what: &str) -> ObjectBuilder {
    string(what)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .examples([Value::from(KEY_ID)])
}

fn base64(what: &str) -> ObjectBuilder {
    string(what).content_encoding("base64")
}

fn typed(of: Type, what: &str) -> ObjectBuilder {
    Object::builder()
        .schema_type(SchemaType::new(of))
        .description(Some(what))
}
