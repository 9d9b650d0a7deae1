//! Reading the requests of ETSI GS QKD 014, strictly: what is not understood is refused, never ignored.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::protocol::{KeyId, SaeId};

/// A Key request, clause 6.2.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KeyRequest {
    pub(super) number: Option<usize>,
    pub(super) size: Option<usize>,
    pub(super) additional_slave_saes: Vec<SaeId>,
}

const MANDATORY: &str = "not all extension_mandatory parameters are supported";

impl KeyRequest {
    /// From the body of a POST.
    ///
    /// # Errors
    /// The message for the SAE.
    pub(super) fn from_body(body: &[u8]) -> Result<Self, String> {
        let object = parse_object(body)?;
        let mut request = Self::default();
        for (name, value) in &object {
            match name.as_str() {
                "number" => request.number = optional_count(name, value)?,
                "size" => request.size = optional_count(name, value)?,
                "additional_slave_SAE_IDs" => {
                    request.additional_slave_saes = strings(name, value)?
                        .into_iter()
                        .map(|id| id.parse().map_err(|e| format!("{name}: {e}")))
                        .collect::<Result<_, _>>()?;
                }
                // This KME has no vendor extensions, so that any mandatory one is refused and optional ones ignored.
                "extension_mandatory" if !objects(name, value)?.is_empty() => {
                    return Err(MANDATORY.to_owned());
                }
                "extension_mandatory" => {}
                "extension_optional" => {
                    objects(name, value)?;
                }
                _ => return Err(format!("{name} is not part of a Key request")),
            }
        }
        Ok(request)
    }

    /// From the query of a GET, which may hold `number` and `size` only.
    ///
    /// # Errors
    /// The message for the SAE.
    pub(super) fn from_query(query: &str) -> Result<Self, String> {
        let mut request = Self::default();
        for (name, value) in pairs(query)? {
            let count = value
                .parse()
                .map_err(|_| format!("{name} must be a whole number, not {value:?}"));
            match name.as_str() {
                "number" => request.number = Some(count?),
                "size" => request.size = Some(count?),
                _ => return Err(format!("{name} cannot be given in the URI; use POST")),
            }
        }
        Ok(request)
    }
}

/// The key IDs of a POST, clause 6.4.
///
/// # Errors
/// The message for the SAE.
pub(super) fn key_ids_from_body(body: &[u8]) -> Result<Vec<KeyId>, String> {
    let object = parse_object(body)?;
    let mut key_ids = None;
    for (name, value) in &object {
        match name.as_str() {
            "key_IDs" => key_ids = Some(objects(name, value)?),
            "key_IDs_extension" if value.is_object() => {}
            "key_IDs_extension" => return Err(format!("{name} must be an object")),
            _ => return Err(format!("{name} is not part of a Key IDs request")),
        }
    }
    let key_ids = key_ids.filter(|ids| !ids.is_empty());
    let entries = key_ids.ok_or("key_IDs must be an array of at least one object")?;
    entries.iter().map(|entry| key_id(entry)).collect()
}

fn key_id(entry: &Map<String, Value>) -> Result<KeyId, String> {
    for (name, value) in entry {
        match name.as_str() {
            "key_ID" => {}
            "key_ID_extension" if value.is_object() => {}
            _ => return Err(format!("{name} is not part of a key ID")),
        }
    }
    let id = entry.get("key_ID").and_then(Value::as_str);
    let id = id.ok_or("every entry of key_IDs must have a key_ID, a string")?;
    id.parse().map_err(|e| format!("key_ID: {e}"))
}

/// The one key ID of a GET.
///
/// # Errors
/// The message for the SAE.
pub(super) fn key_id_from_query(query: &str) -> Result<KeyId, String> {
    let pairs = pairs(query)?;
    if let Some(name) = pairs.keys().find(|name| *name != "key_ID") {
        return Err(format!("{name} cannot be given in the URI; use POST"));
    }
    let id = pairs.get("key_ID").ok_or("key_ID is missing")?;
    id.parse().map_err(|e| format!("key_ID: {e}"))
}

/// A query as names and values, each name once.
fn pairs(query: &str) -> Result<BTreeMap<String, String>, String> {
    let list = actix_web::web::Query::<Vec<(String, String)>>::from_query(query)
        .map_err(|e| format!("the query cannot be read: {e}"))?;
    let mut pairs = BTreeMap::new();
    for (name, value) in list.into_inner() {
        if pairs.insert(name.clone(), value).is_some() {
            return Err(format!("{name} is given twice"));
        }
    }
    Ok(pairs)
}

fn parse_object(body: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("the body must be a JSON object".to_owned()),
        Err(e) => Err(format!("the body is not JSON: {e}")),
    }
}

fn optional_count(name: &str, value: &Value) -> Result<Option<usize>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let count = value.as_u64().and_then(|n| usize::try_from(n).ok());
    match count {
        Some(count) => Ok(Some(count)),
        None => Err(format!("{name} must be a whole number, not {value}")),
    }
}

fn strings(name: &str, value: &Value) -> Result<Vec<String>, String> {
    let strings = value.as_array().and_then(|list| {
        let strings = list.iter().map(|item| item.as_str().map(str::to_owned));
        strings.collect::<Option<Vec<_>>>()
    });
    strings.ok_or_else(|| format!("{name} must be an array of strings"))
}

fn objects<'a>(name: &str, value: &'a Value) -> Result<Vec<&'a Map<String, Value>>, String> {
    let objects = value.as_array().and_then(|list| {
        list.iter()
            .map(Value::as_object)
            .collect::<Option<Vec<_>>>()
    });
    objects.ok_or_else(|| format!("{name} must be an array of objects"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "bc490419-7d60-487f-adc1-4ddcc177c139";

    fn body(text: &str) -> Result<KeyRequest, String> {
        KeyRequest::from_body(text.as_bytes())
    }

    #[test]
    fn an_empty_request_asks_for_the_defaults() {
        assert_eq!(body("{}"), Ok(KeyRequest::default()));
        assert_eq!(KeyRequest::from_query(""), Ok(KeyRequest::default()));
    }

    #[test]
    fn number_and_size_are_read_from_body_and_query() {
        let wanted = KeyRequest {
            number: Some(3),
            size: Some(512),
            additional_slave_saes: Vec::new(),
        };
        assert_eq!(
            body(r#" { "size" : 512, "n\u0075mber":3 } "#).as_ref(),
            Ok(&wanted)
        );
        assert_eq!(
            KeyRequest::from_query("number=3&size=512").as_ref(),
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
            assert!(KeyRequest::from_query(query).is_err(), "{query}");
        }
    }

    #[test]
    fn mandatory_extensions_are_refused_in_the_words_of_the_standard() {
        let refused = body(
            r#"{"extension_mandatory": [{"acme_route": "b"}], "extension_optional": [{"x": 1}]}"#,
        );
        assert_eq!(refused, Err(MANDATORY.to_owned()));
        assert!(body(r#"{"extension_mandatory": [], "extension_optional": [{"x": 1}]}"#).is_ok());
    }

    #[test]
    fn key_ids_are_read_from_body_and_query() {
        let one = format!(r#"{{"key_IDs": [{{"key_ID": "{ID}"}}]}}"#);
        assert_eq!(
            key_ids_from_body(one.as_bytes()).map(|ids| ids.len()),
            Ok(1)
        );
        assert_eq!(
            key_id_from_query(&format!("key_ID={ID}")),
            ID.parse().map_err(|_| String::new())
        );
        for text in [
            "{}",
            "{\"key_IDs\": []}",
            "{\"key_IDs\": [\"x\"]}",
            "{\"key_IDs\": {}}",
            "{\"key_IDs\": [{}]}",
            "{\"key_IDs\": [{\"key_ID\": 1}]}",
            "{\"key_IDs\": [{\"key_ID\": \"nope\"}]}",
        ] {
            assert!(key_ids_from_body(text.as_bytes()).is_err(), "{text}");
        }
        for query in ["", "key_ID=", "key_ID=1&key_ID=2", "key_id=x"] {
            assert!(key_id_from_query(query).is_err(), "{query}");
        }
    }
}
