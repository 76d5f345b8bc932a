//! One JSON object a line: `time`, `level`, `event`, `message`, `target`, then the fields beside them.

use serde_json::{Map, Value};

use super::line::Line;

/// The line with its end. A field named like one of the fixed ones gets `field_` in front.
pub(super) fn render(line: &Line) -> String {
    let mut object = Map::new();
    object.insert("time".into(), line.time.to_string().into());
    object.insert("level".into(), line.level.as_str().to_ascii_lowercase().into());
    if let Some(event) = &line.event {
        object.insert("event".into(), event.as_str().into());
    }
    object.insert("message".into(), line.message.as_str().into());
    object.insert("target".into(), line.target.as_str().into());
    for (name, value) in &line.fields {
        let name = if object.contains_key(*name) { format!("field_{name}") } else { (*name).to_owned() };
        object.insert(name, value.clone());
    }
    let mut out = Value::Object(object).to_string();
    out.push('\n');
    out
}
