//! The API's description: OpenAPI 3.1, made from the types that are its answers.
//!
//! What holds: the documented examples are valid by it, and so is each answer that a test gets from the daemon.
//! Whatever isn't in [`operations`] isn't served.

mod operations;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use operations::{Content, Message, OPERATIONS, Operation, Parameter};

/// What any request may be answered with, beside what its operation says.
const FOR_ALL: [(u16, &str); 7] = [
    (400, "Bad request"),
    (401, "Unauthorized"),
    (403, "Forbidden"),
    (408, "Request timeout"),
    (413, "Payload too large"),
    (500, "Internal server error"),
    (503, "Service unavailable"),
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// Written once: whoever asks a thousand times keeps nobody else waiting.
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());

pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

/// The description of the API.
#[must_use]
pub fn description() -> &'static Value {
    &DOCUMENT
}

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = described(operation, &mut generator);
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Failure".to_owned(), failure());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "mongo-uplink",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Carries the rows of a SQLite table to a MongoDB collection. Every JSON answer is an \
                object of success, message, data and error; this description is the only exception.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "If one is configured" },
            },
        },
        "security": [{}, { "token": [] }],
    })
}

fn described(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let (media, schema) = match &operation.content {
        Content::Data(message, data) => ("application/json", success(message, data(generator).into())),
        Content::Json => ("application/json", json!({ "type": "object" })),
        // Tools take each event for a value of the schema.
        Content::Text(media @ "text/event-stream") => (*media, json!({})),
        Content::Text(media) => (*media, json!({ "type": "string" })),
    };
    let ok = json!({ "description": operation.summary, "content": { media: { "schema": schema } } });
    responses.insert("200".to_owned(), ok);
    let mut failures: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for (status, message) in operation.failures.iter().chain(&FOR_ALL) {
        failures.entry(*status).or_default().push(message);
    }
    for (status, messages) in failures {
        let schema = json!({
            "$ref": "#/components/schemas/Failure",
            "properties": { "message": { "enum": messages } },
        });
        let content = json!({ "application/json": { "schema": schema } });
        let response = json!({ "description": messages.join("; "), "content": content });
        responses.insert(status.to_string(), response);
    }
    let mut described = json!({ "operationId": operation.id, "summary": operation.summary });
    if !operation.parameters.is_empty() {
        described["parameters"] = operation.parameters.iter().map(parameter).collect();
    }
    described["responses"] = responses.into();
    described
}

fn parameter(parameter: &Parameter) -> Value {
    let Parameter { name, description, required, schema } = parameter;
    json!({ "name": name, "in": "query", "required": required, "description": description, "schema": schema() })
}

/// What was asked for. The documented answers of an empty table have no `error`.
fn success(message: &Message, data: Value) -> Value {
    let message = match message {
        Message::OneOf(messages) => json!({ "type": "string", "enum": messages }),
        Message::Like(pattern) => json!({ "type": "string", "pattern": pattern }),
    };
    json!({
        "type": "object",
        "properties": {
            "success": { "const": true },
            "message": message,
            "data": data,
            "error": { "type": "null" },
        },
        "required": ["success", "message", "data"],
        "additionalProperties": false,
    })
}

/// Why there is nothing to give. The documented failures have no `data`.
fn failure() -> Value {
    json!({
        "description": "Why there is nothing to give.",
        "type": "object",
        "properties": {
            "success": { "const": false },
            "message": { "type": "string" },
            "data": { "type": "null" },
            "error": { "description": "The reason, without secrets or personal data.", "type": "string" },
        },
        "required": ["success", "message", "error"],
        "additionalProperties": false,
    })
}
