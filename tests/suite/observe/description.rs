//! `GET /openapi.json`. That each answer is as described is checked wherever a test asks the daemon for one.

use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::description::{check, check_example};

/// The examples of the documented API, to the letter.
const DOCUMENTED: &str = include_str!("documented.json");

/// What a path is asked by that must not be.
const METHODS: [&str; 2] = ["GET", "POST"];

/// What isn't JSON, or isn't over with its answer.
const STREAMS: [&str; 1] = ["/api/export/events"];

fn documented() -> Vec<Value> {
    serde_json::from_str(DOCUMENTED).expect("JSON")
}

fn of(example: &Value) -> (&str, &str, u16, &Value) {
    let status = example["status"].as_u64().and_then(|status| status.try_into().ok()).expect("a status");
    let text = |name: &str| example[name].as_str().expect("a text");
    (text("method"), text("path"), status, &example["body"])
}

#[test]
fn each_documented_example_is_valid() {
    let examples = documented();
    assert_eq!(examples.len(), 8);
    for example in &examples {
        let (method, path, status, body) = of(example);
        check_example(method, path, status, body);
    }
}

#[test]
fn what_is_not_as_documented_is_not_valid() {
    // A check that takes everything would prove nothing.
    for example in &documented() {
        let (method, path, status, body) = of(example);
        let wrong = |change: &dyn Fn(&mut Value)| {
            let mut body = body.clone();
            change(&mut body);
            std::panic::catch_unwind(|| check_example(method, path, status, &body)).is_err()
        };
        assert!(wrong(&|body| body["success"] = json!(null)), "{path}");
        assert!(wrong(&|body| body["message"] = json!("Another message")), "{path}");
        assert!(wrong(&|body| body["more"] = json!(1)), "{path}");
        assert!(status != 200 || wrong(&|body| body["data"] = json!(null)), "{path}");
        assert!(status != 200 || wrong(&|body| body["data"]["more"] = json!(1)), "{path}");
        let counter = body["data"].get("total_records").is_some();
        assert!(!counter || wrong(&|body| body["data"]["total_records"] = json!("29")), "{path}");
    }
}

#[test]
fn the_description_is_served_and_tells_of_what_is_served() {
    let scene = Scene::new("description");
    let daemon = scene.daemon().set("export.automatic", false).start();
    let (code, document) = daemon.get("/openapi.json");
    assert_eq!((code, &document["openapi"]), (200, &json!("3.1.0")));
    assert_eq!(&document, mongo_uplink::http::description());
    let paths = document["paths"].as_object().expect("an object");
    assert!(paths.len() >= 17, "{}", paths.len());
    for (path, operations) in paths.iter().filter(|(path, _)| !STREAMS.contains(&path.as_str())) {
        for method in METHODS {
            let (code, text) = daemon.ask_text(method, path);
            let is_described = operations.get(method.to_ascii_lowercase()).is_some();
            assert_eq!(code == 405, !is_described, "{method} {path}: {code} {text}");
            assert_ne!(code, 404, "{method} {path}");
        }
    }
    let names: Vec<&str> = paths
        .values()
        .flat_map(|operations| operations.as_object().expect("an object").values())
        .map(|operation| operation["operationId"].as_str().expect("a text"))
        .collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "an operation's name is its own");
}

#[test]
#[should_panic(expected = "isn't described")]
fn an_answer_of_a_path_that_is_not_described_is_noticed() {
    check("GET", "/api/export/secret", 200, "{}");
}

#[test]
#[should_panic(expected = "isn't as described")]
fn an_answer_without_a_described_field_is_noticed() {
    let health = json!({ "success": true, "message": "Alive", "data": {}, "error": null });
    check("GET", "/live", 200, &health.to_string());
}
