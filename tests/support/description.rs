//! Holds answers against the daemon's own description of its API.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

/// What an answer that the description doesn't know of may be.
const UNDESCRIBED: [u16; 2] = [404, 405];

/// What may be missing in an answer although it is described: the statistics of an empty table.
const MAY_BE_MISSING: [&str; 1] = ["statistics"];

/// The validators of answers, made when they are first needed.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// The description with everything required: what is described has to be there, too.
static STRICT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = mongo_uplink::http::description().clone();
    require_all(&mut document);
    document
});

/// Panics unless an answer is as described.
#[track_caller]
pub fn check(method: &str, target: &str, status: u16, body: &str) {
    let path = target.split('?').next().unwrap_or_default();
    let pointer = format!("/paths/{}/{}", escaped(path), method.to_ascii_lowercase());
    let Some(operation) = STRICT.pointer(&pointer) else {
        assert!(UNDESCRIBED.contains(&status), "{method} {path} answers {status}, but isn't described");
        return;
    };
    let Some(content) = operation["responses"][status.to_string()]["content"].as_object() else {
        panic!("{method} {path} answers {status}, which isn't described: {body}");
    };
    if !content.contains_key("application/json") {
        return;
    }
    let answer: Value =
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{method} {path}: {error} in {body:?}"));
    let schema = format!("#{pointer}/responses/{status}/content/application~1json/schema");
    if let Err(error) = validator(&STRICT, &schema).validate(&answer) {
        panic!("{method} {path} isn't as described: {error} at {} in {answer}", error.instance_path());
    }
}

/// Panics unless a documented example is valid, by the description as it is.
#[track_caller]
pub fn check_example(method: &str, path: &str, status: u16, example: &Value) {
    let document = mongo_uplink::http::description();
    let operation = format!("/paths/{}/{}", escaped(path), method.to_ascii_lowercase());
    let schema = format!("#{operation}/responses/{status}/content/application~1json/schema");
    let result = made(document, &schema).validate(example).map_err(|error| error.to_string());
    assert_eq!(result, Ok(()), "{method} {path} {status}: {example}");
}

fn validator(document: &Value, schema: &str) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(validators.entry(schema.to_owned()).or_insert_with(|| Arc::new(made(document, schema))))
}

/// A validator of the schema at this place of the document.
#[track_caller]
fn made(document: &Value, schema: &str) -> Validator {
    let mut root = document.clone();
    root["$ref"] = json!(schema);
    jsonschema::options()
        .should_validate_formats(true)
        .build(&root)
        .unwrap_or_else(|error| panic!("{schema}: {error}"))
}

fn escaped(path: &str) -> String {
    path.replace('~', "~0").replace('/', "~1")
}

fn require_all(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            // An object of a closed set of fields. What only narrows another schema has none.
            if object.get("additionalProperties") == Some(&json!(false))
                && let Some(properties) = object.get("properties").and_then(Value::as_object)
            {
                let names: Vec<String> = properties
                    .keys()
                    .filter(|name| !MAY_BE_MISSING.contains(&name.as_str()))
                    .cloned()
                    .collect();
                object.insert("required".to_owned(), json!(names));
            }
            object.values_mut().for_each(require_all);
        }
        Value::Array(values) => values.iter_mut().for_each(require_all),
        _ => {}
    }
}
