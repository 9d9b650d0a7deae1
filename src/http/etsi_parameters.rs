//! Reads the parameters of an ETSI call strictly: a parameter that is not understood is refused, unless it says nothing.
//!
//! Many clients write every member that they know of, and `null` or something empty where they have nothing to say.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::protocol::{KeyId, SaeId};

use super::etsi::KeyRequest;
use super::json;
use super::message_body::MessageBody;

/// Where the parameters of a call are.
pub(super) enum Parameters<'a> {
    /// GET: in the URI.
    Query(&'a str),
    /// POST: in the body.
    Body(&'a [u8]),
}

/// A parameter, or the message for the SAE.
type Read<T> = Result<T, MessageBody>;

/// The words of clause 6.2 for a mandatory extension that is not supported.
const MANDATORY: &str = "not all extension_mandatory parameters are supported";

/// The Key request of a Get key, clause 6.2.
///
/// # Errors
/// The message for the SAE.
pub(super) fn key_request(parameters: &Parameters<'_>) -> Read<KeyRequest> {
    match parameters {
        Parameters::Query(query) => key_request_from_query(query),
        Parameters::Body(body) => key_request_from_body(body),
    }
}

/// The key IDs of a Get key with key IDs, clause 6.4.
///
/// # Errors
/// The message for the SAE.
pub(super) fn key_ids(parameters: &Parameters<'_>) -> Read<Vec<KeyId>> {
    match parameters {
        Parameters::Query(query) => Ok(vec![key_id_from_query(query)?]),
        Parameters::Body(body) => key_ids_from_body(body),
    }
}

/// Get status has no parameters, clause 5.2 Table 3.
///
/// # Errors
/// The message for the SAE.
pub(super) fn no_parameters(parameters: &Parameters<'_>) -> Read<()> {
    match parameters {
        Parameters::Query("") => Ok(()),
        _ => wrong("Get status takes no parameters"),
    }
}

fn key_request_from_body(body: &[u8]) -> Read<KeyRequest> {
    let mut request = KeyRequest::default();
    for (name, value) in said(&parse_object(body)?) {
        match name {
            "number" => request.number = Some(count(name, value)?),
            "size" => request.size_bits = Some(count(name, value)?),
            "additional_slave_SAE_IDs" => request.also = sae_ids(name, value)?,
            // This KME has no vendor extensions: it refuses any mandatory one and ignores optional ones.
            "extension_mandatory" => {
                let extensions = objects(name, value)?;
                if !extensions.is_empty() {
                    let names = extensions.into_iter().flat_map(Map::keys);
                    let reason = "it is not supported";
                    return Err(MessageBody::about_parameters(MANDATORY, names, reason));
                }
            }
            "extension_optional" => {
                objects(name, value)?;
            }
            _ if is_empty(value) => {}
            _ => return wrong(format!("{name} is not part of a Key request")),
        }
    }
    Ok(request)
}

/// The query of a GET may hold `number` and `size` only.
fn key_request_from_query(query: &str) -> Read<KeyRequest> {
    let mut request = KeyRequest::default();
    for (name, value) in pairs(query)? {
        let parameter = match name.as_str() {
            "number" => &mut request.number,
            "size" => &mut request.size_bits,
            _ => return wrong(format!("{name} cannot be given in the URI; use POST")),
        };
        match value.parse() {
            Ok(count) => *parameter = Some(count),
            Err(_) => return wrong(format!("{name} must be a {COUNT}, not {value:?}")),
        }
    }
    Ok(request)
}

fn key_ids_from_body(body: &[u8]) -> Read<Vec<KeyId>> {
    let object = parse_object(body)?;
    let mut key_ids = Vec::new();
    for (name, value) in said(&object) {
        match name {
            "key_IDs" => key_ids = objects(name, value)?,
            "key_IDs_extension" if value.is_object() => {}
            "key_IDs_extension" => return wrong(format!("{name} must be an object")),
            _ if is_empty(value) => {}
            _ => return wrong(format!("{name} is not part of a Key IDs request")),
        }
    }
    if key_ids.is_empty() {
        return wrong("key_IDs must be an array of at least one object");
    }
    let key_ids = key_ids.into_iter().enumerate();
    key_ids
        .map(|(index, entry)| {
            key_id(entry).map_err(|e| MessageBody::new(format!("key_IDs[{index}]: {e}")))
        })
        .collect()
}

fn key_id(entry: &Map<String, Value>) -> Result<KeyId, String> {
    for (name, value) in said(entry) {
        match name {
            "key_ID" => {}
            "key_ID_extension" if value.is_object() => {}
            "key_ID_extension" => return Err(format!("{name} must be an object")),
            _ if is_empty(value) => {}
            _ => return Err(format!("{name} is not part of a key ID")),
        }
    }
    let id = entry.get("key_ID").and_then(Value::as_str);
    let id = id.ok_or("there must be a key_ID, a string")?;
    id.parse().map_err(|e| format!("{e}"))
}

fn key_id_from_query(query: &str) -> Read<KeyId> {
    let pairs = pairs(query)?;
    if let Some(name) = pairs.keys().find(|name| *name != "key_ID") {
        return wrong(format!("{name} cannot be given in the URI; use POST"));
    }
    match pairs.get("key_ID").map(|id| id.parse()) {
        Some(Ok(key_id)) => Ok(key_id),
        Some(Err(e)) => wrong(format!("key_ID: {e}")),
        None => wrong("key_ID is missing"),
    }
}

/// A query as names and values, each name once.
fn pairs(query: &str) -> Read<BTreeMap<String, String>> {
    let list = actix_web::web::Query::<Vec<(String, String)>>::from_query(query)
        .map_err(|e| MessageBody::new(format!("the query cannot be read: {e}")))?;
    let mut pairs = BTreeMap::new();
    for (name, value) in list.into_inner() {
        if pairs.contains_key(&name) {
            return wrong(format!("{name} is given twice; use POST for more than one"));
        }
        pairs.insert(name, value);
    }
    Ok(pairs)
}

fn parse_object(body: &[u8]) -> Read<Map<String, Value>> {
    if body.is_empty() {
        // Clause 6.2 allows an empty object. A body that got lost must not count as one.
        return wrong("the body is empty; send a JSON object, or use GET");
    }
    match json::parse(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => wrong(format!(
            "the body must be a JSON object, not {}",
            kind(&other)
        )),
        Err(e) => wrong(format!("the body is not proper JSON: {e}")),
    }
}

/// The members of an object that say something: one that is `null` counts as absent.
fn said(object: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    let members = object.iter().filter(|(_, value)| !value.is_null());
    members.map(|(name, value)| (name.as_str(), value))
}

/// Whether a member that is not understood asks for nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// What a number has to be before its own limits are looked at. Outside of this it cannot even be read.
const COUNT: &str = "whole number from 0 to 18446744073709551615";

fn count(name: &str, value: &Value) -> Read<usize> {
    let count = value.as_u64().and_then(|n| usize::try_from(n).ok());
    count.ok_or_else(|| {
        MessageBody::new(format!(
            "{name} must be a {COUNT}, not {}",
            if value.is_number() {
                value.to_string()
            } else {
                kind(value).to_owned()
            }
        ))
    })
}

fn sae_ids(name: &str, value: &Value) -> Read<Vec<SaeId>> {
    let Some(list) = value.as_array() else {
        return wrong(format!("{name} must be an array, not {}", kind(value)));
    };
    let ids = list.iter().enumerate().map(|(index, item)| {
        let Some(id) = item.as_str() else {
            return wrong(format!(
                "{name}[{index}] must be a string, not {}",
                kind(item)
            ));
        };
        id.parse()
            .map_err(|e| MessageBody::new(format!("{name}[{index}]: {e}")))
    });
    ids.collect()
}

fn objects<'a>(name: &str, value: &'a Value) -> Read<Vec<&'a Map<String, Value>>> {
    let objects = value.as_array().and_then(|list| {
        list.iter()
            .map(Value::as_object)
            .collect::<Option<Vec<_>>>()
    });
    objects.ok_or_else(|| MessageBody::new(format!("{name} must be an array of objects")))
}

/// What a value is, for a message: numbers in full, of strings, arrays and objects only the type, since they may be long.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn wrong<T>(message: impl Into<String>) -> Read<T> {
    Err(MessageBody::new(message))
}

#[cfg(test)]
mod tests {
    use super::super::etsi::KeyIds;
    use super::*;

    const ID: &str = "bc490419-7d60-487f-adc1-4ddcc177c139";

    fn body(text: &str) -> Read<KeyRequest> {
        key_request_from_body(text.as_bytes())
    }

    #[test]
    fn what_an_sae_writes_is_what_the_kme_reads() {
        for number in [None, Some(0), Some(1), Some(128), Some(usize::MAX)] {
            for size_bits in [None, Some(8), Some(256)] {
                for also in [&[][..], &["celia"], &["celia", "a.b-c_1"]] {
                    let request = KeyRequest {
                        number,
                        size_bits,
                        also: also.iter().map(|sae| sae.parse().unwrap()).collect(),
                    };
                    let body = serde_json::to_vec(&request).unwrap();
                    assert_eq!(key_request_from_body(&body), Ok(request));
                }
            }
        }
        let key_ids = [ID, "00000000-0000-0000-0000-000000000000"].map(|id| id.parse().unwrap());
        for wanted in [&key_ids[..1], &key_ids] {
            let body = serde_json::to_vec(&KeyIds::from(wanted)).unwrap();
            assert_eq!(key_ids_from_body(&body).as_deref(), Ok(wanted));
        }
    }

    #[test]
    fn an_empty_request_asks_for_the_defaults() {
        assert_eq!(body("{}"), Ok(KeyRequest::default()));
        assert_eq!(key_request_from_query(""), Ok(KeyRequest::default()));
    }

    #[test]
    fn what_says_nothing_counts_as_absent() {
        let one = KeyRequest {
            number: Some(1),
            size_bits: Some(256),
            also: Vec::new(),
        };
        for (text, wanted) in [
            // The crate etsi014 0.4.1.
            (
                r#"{"number":1,"size":256,"additional_slave_SAE_IDs":null}"#,
                &one,
            ),
            // The crate etsi014-client 0.2.0.
            (
                r#"{"number":1,"size":256,"additional_target_sae_ids":[]}"#,
                &one,
            ),
            // A Kubernetes controller.
            (r#"{"size":null,"number":null}"#, &KeyRequest::default()),
            (
                r#"{"extension_mandatory":null,"extension_optional":null,"a":null,"b":[],"c":{},"d":""}"#,
                &KeyRequest::default(),
            ),
        ] {
            assert_eq!(body(text).as_ref(), Ok(wanted), "{text}");
        }
        let text = format!(
            r#"{{"key_IDs":[{{"key_ID":"{ID}","key_ID_extension":null,"a":[]}}],"key_IDs_extension":null,"b":null}}"#
        );
        assert_eq!(
            key_ids_from_body(text.as_bytes()),
            Ok(vec![ID.parse().unwrap()])
        );
    }

    #[test]
    fn number_and_size_are_read_from_body_and_query() {
        let wanted = KeyRequest {
            number: Some(3),
            size_bits: Some(512),
            also: Vec::new(),
        };
        assert_eq!(
            body(r#" { "size" : 512, "n\u0075mber":3 } "#).as_ref(),
            Ok(&wanted)
        );
        assert_eq!(
            key_request_from_query("number=3&size=512").as_ref(),
            Ok(&wanted)
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "null",
            "[]",
            "7",
            "{",
            "{} x",
            "{\"number\": \"1\"}",
            "{\"number\": 1.5}",
            "{\"number\": -1}",
            "{\"size\": true}",
            "{\"numbr\": 1}",
            "{\"extension_mandatory\": {}}",
            "{\"extension_mandatory\": [1]}",
            "{\"extension_optional\": \"x\"}",
            "{\"additional_slave_SAE_IDs\": \"x\"}",
            "{\"additional_slave_SAE_IDs\": [1]}",
            "{\"additional_slave_SAE_IDs\": [\"a/b\"]}",
            "{\"number\": 99999999999999999999}",
            "{\"number\": 1.0}",
            "{\"number\": 1, \"number\": 1}",
            "{\"another\": 0}",
            "{\"another\": false}",
            "{\"another\": [null]}",
            "{\"another\": {\"a\": null}}",
        ] {
            assert!(body(text).is_err(), "{text}");
        }
        for query in [
            "number=",
            "number=x",
            "number=-1",
            "number=1&number=2",
            "extension_mandatory=x",
            "number=1.5",
        ] {
            assert!(key_request_from_query(query).is_err(), "{query}");
        }
    }

    #[test]
    fn mandatory_extensions_are_refused_in_the_words_of_the_standard() {
        let refused = body(
            r#"{"extension_mandatory": [{"acme_route": "b"}], "extension_optional": [{"x": 1}]}"#,
        );
        let refused = refused.unwrap_err();
        assert_eq!(refused.message, MANDATORY);
        assert_eq!(
            refused.details[0].parameter.as_deref(),
            Some("acme_route"),
            "it says which one"
        );
        assert!(body(r#"{"extension_mandatory": [], "extension_optional": [{"x": 1}]}"#).is_ok());
    }

    #[test]
    fn key_ids_are_read_from_body_and_query() {
        let one = format!(r#"{{"key_IDs": [{{"key_ID": "{ID}"}}]}}"#);
        assert_eq!(
            key_ids_from_body(one.as_bytes()),
            Ok(vec![ID.parse().unwrap()])
        );
        assert_eq!(
            key_id_from_query(&format!("key_ID={ID}")),
            Ok(ID.parse().unwrap())
        );
        for text in [
            "{}",
            "{\"key_IDs\": []}",
            "{\"key_IDs\": [\"x\"]}",
            "{\"key_IDs\": {}}",
            "{\"key_IDs\": [{}]}",
            "{\"key_IDs\": [{\"key_ID\": 1}]}",
            "{\"key_IDs\": [{\"key_ID\": \"nope\"}]}",
            "{\"key_IDs\": null}",
            "{\"key_IDs\": [null]}",
        ] {
            assert!(key_ids_from_body(text.as_bytes()).is_err(), "{text}");
        }
        for query in ["", "key_ID=", "key_ID=1&key_ID=2", "key_id=x"] {
            assert!(key_id_from_query(query).is_err(), "{query}");
        }
    }
}
