//! What is written for an event.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::telemetry::{Telemetry, build};

#[derive(Debug, thiserror::Error)]
#[error("outer")]
struct Outer(#[source] io::Error);

/// What `events` make this output write.
fn written(format: LogFormat, socket: &Path, filter: &str, events: impl FnOnce()) -> String {
    written_with(format, socket, filter, |_| events())
}

fn written_with(format: LogFormat, socket: &Path, filter: &str, events: impl FnOnce(&Telemetry)) -> String {
    let lines = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&lines);
    let output = Output::with(format, socket, Box::new(move |line| sink.lock().unwrap().push_str(line)));
    let (subscriber, telemetry) = build(filter, output).unwrap();
    tracing::subscriber::with_default(subscriber, || events(&telemetry));
    lines.lock().unwrap().clone()
}

fn nowhere() -> &'static Path {
    Path::new("/nonexistent/socket")
}

#[test]
fn a_text_line_begins_with_time_level_and_the_events_name() {
    let text = written(LogFormat::Text, nowhere(), "info", || {
        tracing::info!(
            event = "export_completed",
            rows = 5,
            note = "two words",
            empty = "",
            "Export completed"
        );
        tracing::warn!(rate = f64::NAN, ok = true, "no name: {}", "a\nb\u{1b}[2J");
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    let (time, rest) = lines[0].split_at(24);
    assert!(time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
    assert_eq!(rest, r#"  INFO export_completed: Export completed rows=5 note="two words" empty="""#);
    let target = module_path!();
    assert_eq!(lines[1][24..], format!(r"  WARN {target}: no name: a\nb\u{{1b}}[2J rate=NaN ok=true"));
}

#[test]
fn json_is_one_flat_object_a_line() {
    let text = written(LogFormat::Json, nowhere(), "info", || {
        let error = Outer(io::Error::other("inner"));
        let error: &(dyn std::error::Error + 'static) = &error;
        tracing::error!(event = "x", rows = 5, level = "own", error, "two\nlines");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    let mut object: Value = serde_json::from_str(&text).unwrap();
    assert!(object["time"].take().as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "time": null, "level": "error", "event": "x", "message": "two\nlines", "target": module_path!(),
        "rows": 5, "field_level": "own", "error": "outer: inner",
    });
    assert_eq!(object, expected);
}

#[test]
fn libraries_are_heard_from_warn_on_and_this_program_from_the_filters_level_on() {
    let text = written(LogFormat::Text, nowhere(), "info", || {
        tracing::debug!("a");
        tracing::info!("b");
        tracing::info!(target: "library", "c");
        tracing::warn!(target: "library", "d");
    });
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(": b") && text.contains("library: d"), "{text}");
}

#[test]
fn without_a_journal_lines_go_to_standard_error_and_that_is_told_once() {
    let text = written(LogFormat::Journald, nowhere(), "info", || {
        tracing::info!(event = "one", "1");
        tracing::info!(event = "two", "2");
    });
    let names: Vec<&str> = text.lines().filter_map(|line| line[31..].split(':').next()).collect();
    assert_eq!(names, ["journal_absent", "one", "two"], "{text}");
}

#[test]
fn with_a_journal_nothing_goes_to_standard_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let text = written(LogFormat::Journald, &path, "info", || tracing::info!(event = "one", "1"));
    assert_eq!(text, "");
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"MESSAGE=1\nPRIORITY=6\n"));
}

#[test]
fn standard_error_is_the_journal_only_if_device_and_inode_say_so() {
    let metadata = io::stderr().as_fd().try_clone_to_owned().map(File::from).unwrap().metadata().unwrap();
    let (device, inode) = (metadata.dev(), metadata.ino());
    for (stream, expected) in [
        (Some(format!("{device}:{inode}")), true),
        (Some(format!("{device}:{}", inode + 1)), false),
        (Some(format!("{inode}")), false),
        (Some("a:b".into()), false),
        (Some(String::new()), false),
        (None, false),
    ] {
        assert_eq!(stderr_is(stream.as_deref().map(OsStr::new)), expected, "{stream:?}");
    }
}

#[test]
fn the_filter_can_be_changed_and_a_wrong_one_changes_nothing() {
    let text = written_with(LogFormat::Text, nowhere(), "info", |telemetry| {
        tracing::debug!("a");
        telemetry.set_filter("debug").unwrap();
        tracing::debug!("b");
        assert!(telemetry.set_filter("mongo_uplink=loud").is_err());
        tracing::debug!("c");
        telemetry.set_filter("error").unwrap();
        tracing::warn!("d");
    });
    assert_eq!(text.lines().map(|line| &line[line.len() - 1..]).collect::<String>(), "bc");
}
