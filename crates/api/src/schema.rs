//! OpenAPI 3.1 from the table, and the coercion that lets path and query text become typed input.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::{Error, ErrorBody, Method, OPERATIONS, Operation, Permission, Result};

fn generator() -> SchemaGenerator {
    schemars::generate::SchemaSettings::draft2020_12()
        .with(|s| s.definitions_path = "/components/schemas".into())
        .into_generator()
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// Resolves `$ref` and `anyOf [X, null]` down to the schema that names a type.
fn resolve<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    if let Some(name) = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|r| r.rsplit('/').next())
        && let Some(found) = definitions.get(name)
    {
        return resolve(found, definitions);
    }
    if let Some(first) = schema
        .get("anyOf")
        .and_then(Value::as_array)
        .and_then(|a| a.first())
    {
        return resolve(first, definitions);
    }
    schema
}

fn is_type(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(t)) => t == name,
        Some(Value::Array(ts)) => ts.iter().any(|t| t == name),
        _ => false,
    }
}

/// Turns the text of path and query parameters into the JSON input of an operation, by the
/// types in its schema. A parameter that occurs twice or is unknown is an error.
pub fn coerce(
    operation: &Operation,
    text: impl IntoIterator<Item = (String, String)>,
) -> Result<Map<String, Value>> {
    let mut generator = generator();
    let schema = (operation.input)(&mut generator);
    let definitions = generator.take_definitions(true);
    let root = resolve(schema.as_value(), &definitions);
    let mut out = Map::new();
    for (name, value) in text {
        let Some(property) = root.get("properties").and_then(|p| p.get(&name)) else {
            return Err(Error::invalid(
                "There is a parameter this address does not take.",
            ));
        };
        let property = resolve(property, &definitions);
        let wrong = || Error::invalid(format!("{name} has the wrong type."));
        let typed = if is_type(property, "integer") {
            Value::from(value.parse::<i64>().map_err(|_| wrong())?)
        } else if is_type(property, "number") {
            Value::from(value.parse::<f64>().map_err(|_| wrong())?)
        } else if is_type(property, "boolean") {
            Value::from(value.parse::<bool>().map_err(|_| wrong())?)
        } else {
            Value::String(value)
        };
        if out.insert(name, typed).is_some() {
            return Err(Error::invalid("A parameter is given twice."));
        }
    }
    Ok(out)
}

/// The OpenAPI 3.1 document of every operation.
pub fn openapi(version: &str) -> Value {
    let mut generator = generator();
    let error = generator.subschema_for::<ErrorBody>();
    // What the event and live sockets say is part of the contract though no operation returns it.
    generator.subschema_for::<crate::Change>();
    generator.subschema_for::<crate::LiveMessage>();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let input = (operation.input)(&mut generator);
        let output = (operation.output)(&mut generator);
        let definitions = generator.definitions().clone();
        let input_root = resolve(input.as_value(), &definitions).clone();
        let required: Vec<String> = input_root
            .get("required")
            .and_then(Value::as_array)
            .map(|r| {
                r.iter()
                    .filter_map(|v| v.as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default();
        let in_path: Vec<&str> = path_parameters(operation.path).collect();
        let has_body = matches!(operation.method, Method::Post | Method::Patch);
        let mut parameters = Vec::new();
        let mut body = Map::new();
        for (name, schema) in input_root
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if in_path.contains(&name.as_str()) {
                parameters.push(
                    json!({ "name": name, "in": "path", "required": true, "schema": schema }),
                );
            } else if has_body {
                body.insert(name.clone(), schema.clone());
            } else {
                parameters.push(json!({ "name": name, "in": "query", "required": required.contains(name), "schema": schema }));
            }
        }
        let mut entry = json!({
            "operationId": operation.name,
            "summary": operation.doc,
            "parameters": parameters,
            "responses": {
                "200": { "description": "Done", "content": { "application/json": { "schema": output } } },
                "default": { "description": "Not done, and why", "content": { "application/json": { "schema": error } } },
            },
            "x-permission": operation.permission,
        });
        if has_body && !body.is_empty() {
            let needed: Vec<_> = required.iter().filter(|r| body.contains_key(*r)).collect();
            entry["requestBody"] = json!({
                "required": !needed.is_empty(),
                "content": { "application/json": { "schema": { "type": "object", "properties": body, "required": needed } } },
            });
        }
        if operation.permission == Permission::Public {
            entry["security"] = json!([]);
        }
        let path = paths
            .entry(format!("/api{}", operation.path))
            .or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = entry;
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Oriel", "version": version, "description": "Camera viewer and recorder." },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "oriel_session" },
            },
        },
        "security": [{ "bearer": [] }, { "session": [] }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation;

    #[test]
    fn query_text_becomes_typed_input() {
        let op = operation("segment_list").unwrap();
        let text = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let input = coerce(op, [text("camera_id", "abcdefghijkm"), text("limit", "20")]).unwrap();
        assert_eq!(input["limit"], 20);
        assert_eq!(input["camera_id"], "abcdefghijkm");
        assert!(coerce(op, [text("limit", "many")]).is_err());
        assert!(coerce(op, [text("limit", "1"), text("limit", "2")]).is_err());
        assert!(coerce(op, [text("nonsense", "1")]).is_err());
    }

    #[test]
    fn every_operation_is_documented_once() {
        let document = openapi("0");
        let mut names: Vec<&str> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|p| p.as_object().unwrap().values())
            .map(|o| o["operationId"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        let mut expected: Vec<&str> = OPERATIONS.iter().map(|o| o.name).collect();
        expected.sort_unstable();
        assert_eq!(names, expected);
        for operation in OPERATIONS {
            assert!(
                operation.doc.ends_with('.'),
                "{} needs a sentence",
                operation.name
            );
        }
    }

    #[test]
    fn secrets_are_only_ever_inputs() {
        let document = openapi("0");
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (_, o) in methods.as_object().unwrap() {
                let out = o["responses"]["200"].to_string();
                assert!(!out.contains("Secret"), "{path}");
            }
        }
        assert!(
            !document["components"]["schemas"]["Camera"]
                .to_string()
                .contains("Secret")
        );
    }
}
