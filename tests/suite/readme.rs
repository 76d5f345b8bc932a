//! The README tells what the program does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mongo_uplink::report::Reason;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("it is there")
}

#[test]
fn each_reason_is_told_with_what_to_do() {
    let readme = readme();
    for reason in Reason::ALL {
        let row = format!("| `{reason}` | {} |", reason.hint());
        assert!(readme.contains(&row), "README.md has no row: {row}");
    }
}

#[test]
fn each_event_of_the_log_is_told() {
    let readme = readme();
    // Only in the log if somebody asks for more of it.
    let quiet = ["hint"];
    let mut events = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut events);
    assert!(events.len() > 30, "{events:?}");
    for event in events.iter().filter(|event| !quiet.contains(&event.as_str())) {
        assert!(readme.contains(&format!("`{event}`")), "README.md doesn't tell of {event}");
    }
}

#[test]
fn each_program_that_a_test_needs_is_told() {
    let readme = readme();
    let line =
        readme.lines().find(|line| line.starts_with("apt-get install ")).expect("a line that installs them");
    let told: BTreeSet<_> = line.split_whitespace().skip(2).map(str::to_owned).collect();
    let mut needed = BTreeSet::from(
        ["chromium", "chromium-driver", "gcc", "make", "systemd", "python3-pip"].map(str::to_owned),
    );
    collect_needs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut needed);
    assert!(needed.contains("openssl") && needed.contains("util-linux"), "{needed:?}");
    assert!(told.is_superset(&needed), "{needed:?} are needed, and README.md tells of {told:?}");
    let run = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).expect("it is there");
    for package in &told {
        assert!(run.contains(package), ".ci/run doesn't install {package}");
    }
}

/// The packages that tests in this folder say they need.
fn collect_needs(folder: &Path, packages: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it is there").path();
        if path.is_dir() {
            collect_needs(&path, packages);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("it is text");
            let calls = text.split("needs(\"").skip(1);
            packages.extend(calls.filter_map(|call| call.split('"').nth(2)).map(str::to_owned));
        }
    }
}

/// The names of events in the sources of this folder, but those of tests.
fn collect(folder: &Path, events: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it is there").path();
        if path.is_dir() {
            collect(&path, events);
        } else if !path.to_string_lossy().contains("tests") {
            let text = fs::read_to_string(&path).expect("it is text");
            for at in text.match_indices("event = ").map(|(at, found)| at + found.len()) {
                let statement = text[at..].split(',').next().unwrap_or_default();
                events.extend(
                    statement
                        .split('"')
                        .skip(1)
                        .step_by(2)
                        .filter(|name| {
                            !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                        })
                        .map(str::to_owned),
                );
            }
        }
    }
}
