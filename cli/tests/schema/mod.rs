//! Whether a value fits a schema of an OpenAPI document. It is stricter than JSON Schema: a property that the schema does
//! not name is an error.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// # Errors
/// Where it does not fit.
pub(crate) fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolve(document, schema);
    if let Some(choices) = schema.get("oneOf") {
        let choices = choices.as_array().unwrap();
        let outcomes: Vec<_> = choices.iter().map(|c| fits(document, c, value)).collect();
        return match outcomes.iter().filter(|outcome| outcome.is_ok()).count() {
            1 => Ok(()),
            n => Err(format!("{value} fits {n} choices: {outcomes:?}")),
        };
    }
    if let Some(allowed) = schema.get("enum")
        && !allowed.as_array().unwrap().contains(value)
    {
        return Err(format!("{value} is not in {allowed}"));
    }
    match value {
        Value::Object(object) => object_fits(document, schema, object),
        Value::Array(items) => {
            is(schema, "array")?;
            items
                .iter()
                .try_for_each(|item| fits(document, &schema["items"], item))
        }
        Value::String(text) => {
            is(schema, "string")?;
            match schema["format"].as_str() {
                Some("uuid") if uuid::Uuid::try_parse(text).is_err() => {
                    Err(format!("{text} is no UUID"))
                }
                _ => Ok(()),
            }
        }
        Value::Number(number) => {
            is(schema, "integer")?;
            let (min, max) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
            let number = number.as_f64().unwrap();
            match min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
                true => Err(format!("{number} is outside {schema}")),
                false => Ok(()),
            }
        }
        Value::Bool(_) => is(schema, "boolean"),
        Value::Null => is(schema, "null"),
    }
}

fn object_fits(
    document: &Value,
    schema: &Value,
    object: &Map<String, Value>,
) -> Result<(), String> {
    let mut shape = Shape::default();
    shape.add(document, schema);
    if let Some(missing) = shape
        .required
        .iter()
        .find(|name| !object.contains_key(**name))
    {
        return Err(format!("{missing} is missing"));
    }
    object.iter().try_for_each(|(name, value)| {
        let own = shape.properties.iter().find(|(own, _)| *own == name);
        let schema = own.map(|(_, schema)| *schema).or(shape.others);
        let schema = schema.ok_or_else(|| format!("{name} is not in the schema"))?;
        fits(document, schema, value).map_err(|e| format!("{name}: {e}"))
    })
}

/// The properties that an object may have, its own and those of the schemas that it is composed of.
#[derive(Default)]
struct Shape<'a> {
    properties: Vec<(&'a String, &'a Value)>,
    required: BTreeSet<&'a str>,
    others: Option<&'a Value>,
}

impl<'a> Shape<'a> {
    fn add(&mut self, document: &'a Value, schema: &'a Value) {
        let schema = resolve(document, schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.add(document, part);
        }
        self.properties
            .extend(schema["properties"].as_object().into_iter().flatten());
        let required = schema["required"].as_array().into_iter().flatten();
        self.required.extend(required.filter_map(Value::as_str));
        self.others = self.others.or(schema
            .get("additionalProperties")
            .filter(|others| others.is_object()));
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(target) => {
            let found = document.pointer(target.trim_start_matches('#'));
            found.unwrap_or_else(|| panic!("{target} is not in the document"))
        }
        None => schema,
    }
}

fn is(schema: &Value, wanted: &str) -> Result<(), String> {
    match schema["type"].as_str() {
        Some(found) if found == wanted => Ok(()),
        _ => Err(format!("{wanted} where the schema is {schema}")),
    }
}
