//! The operations, in the order of the description.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::http::answers::{
    Connection, ExportStarted, ExportStopping, Health, History, LinkHistory, Released, SqliteData,
};
use crate::report::{ExportStatus, Link, Remarks, Rollback};
use crate::supervisor::control::Pausing;

/// What can be asked.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) content: Content,
    /// Status and message of the failures that are its own.
    pub(super) failures: &'static [(u16, &'static str)],
}

/// What a success holds.
pub(super) enum Content {
    /// The envelope with these data.
    Data(Message, fn(&mut SchemaGenerator) -> Schema),
    /// JSON without an envelope.
    Json,
    /// Text of this type.
    Text(&'static str),
}

/// The message of a success.
pub(super) enum Message {
    /// To the letter.
    OneOf(&'static [&'static str]),
    /// With a number in it.
    Like(&'static str),
}

/// A parameter of the query.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) required: bool,
    pub(super) schema: fn() -> Value,
}

const RUNNING: (u16, &str) = (409, "Export is already running");
const INVALID: (u16, &str) = (422, "Invalid request");
const NO_LEDGER: (u16, &str) = (503, "The ledger is not available");

const fn flag(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, description, required: false, schema: || json!({ "type": "boolean" }) }
}

const fn limit(description: &'static str) -> Parameter {
    Parameter {
        name: "limit",
        description,
        required: false,
        schema: || json!({ "type": "integer", "minimum": 1, "maximum": 1000 }),
    }
}

fn data<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn get(path: &'static str, id: &'static str, summary: &'static str, content: Content) -> Operation {
    Operation { method: "get", path, id, summary, parameters: &[], content, failures: &[] }
}

const fn post(path: &'static str, id: &'static str, summary: &'static str, content: Content) -> Operation {
    Operation { method: "post", ..get(path, id, summary, content) }
}

const fn told<T: JsonSchema>(messages: &'static [&'static str]) -> Content {
    Content::Data(Message::OneOf(messages), data::<T>)
}

/// All of them.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        failures: &[(503, "SQLite data is not available")],
        ..get(
            "/api/export/sqlite-data",
            "sqlite_data",
            "What is in SQLite: number of rows, samples, statistics",
            Content::Data(
                Message::Like("^(Found [1-9][0-9]* records in SQLite|No data found in SQLite)$"),
                data::<SqliteData>,
            ),
        )
    },
    Operation {
        failures: &[(503, "MongoDB connection test failed")],
        ..post(
            "/api/export/test-mongodb-connection",
            "test_mongodb_connection",
            "Whether MongoDB can be used now",
            told::<Connection>(&["MongoDB connection successful"]),
        )
    },
    get(
        "/api/export/status",
        "status",
        "The running or the last export",
        told::<ExportStatus>(&["Export status retrieved successfully"]),
    ),
    Operation {
        parameters: &[
            Parameter {
                name: "batch_size",
                description: "Rows a batch; as configured if it isn't given",
                required: false,
                schema: || json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }),
            },
            Parameter {
                name: "skip_duplicates",
                description: "Whether duplicates are left out; as configured if it isn't given",
                required: false,
                schema: || json!({ "type": "boolean", "default": true }),
            },
        ],
        failures: &[RUNNING, INVALID],
        ..post(
            "/api/export/sqlite-to-mongodb",
            "start_export",
            "Starts an export of every row in the background",
            told::<ExportStarted>(&["Export started successfully"]),
        )
    },
    Operation {
        failures: &[RUNNING],
        ..post(
            "/api/export/reset-export-status",
            "reset_export_status",
            "Sets the status back to idle; forgets nothing that was delivered",
            told::<ExportStatus>(&["Export status reset successfully"]),
        )
    },
    post(
        "/api/export/pause",
        "pause",
        "Lets no export start by itself any more",
        told::<Pausing>(&["Export paused successfully", "Export paused until the daemon ends"]),
    ),
    post(
        "/api/export/resume",
        "resume",
        "Lets exports start by themselves again",
        told::<Pausing>(&["Export resumed successfully", "Export resumed until the daemon ends"]),
    ),
    Operation {
        failures: &[(409, "Export is not running")],
        ..post(
            "/api/export/stop",
            "stop",
            "Ends the running export at its next batch boundary",
            told::<ExportStopping>(&["Export is stopping"]),
        )
    },
    get(
        "/api/export/connectivity",
        "connectivity",
        "The link to MongoDB",
        told::<Link>(&["Connectivity status retrieved successfully"]),
    ),
    get(
        "/api/export/connectivity/history",
        "connectivity_history",
        "The link to MongoDB in the last 24 hours",
        told::<LinkHistory>(&["Connectivity history retrieved successfully"]),
    ),
    Operation {
        parameters: &[limit("Exports at most; 50 if it isn't given")],
        failures: &[INVALID, NO_LEDGER],
        ..get(
            "/api/export/history",
            "history",
            "Past exports, the latest first",
            told::<History>(&["Export history retrieved successfully"]),
        )
    },
    Operation {
        parameters: &[
            Parameter {
                name: "outcome",
                description: "Only rows of this outcome",
                required: false,
                schema: || json!({ "type": "string", "enum": ["rejected", "duplicate", "held"] }),
            },
            Parameter {
                name: "after",
                description: "What the last page gave as `next`",
                required: false,
                schema: || json!({ "type": "string", "pattern": "^(-?[0-9]{1,18}|X'([0-9A-Fa-f]{2})*')$" }),
            },
            limit("Rows at most; 100 if it isn't given"),
        ],
        failures: &[INVALID, NO_LEDGER],
        ..get(
            "/api/export/records",
            "records",
            "Rows that aren't in the collection, and why",
            told::<Remarks>(&["Export records retrieved successfully"]),
        )
    },
    Operation {
        failures: &[NO_LEDGER],
        ..post(
            "/api/export/records/retry",
            "retry_records",
            "Lets rejected and held rows be sent again",
            told::<Released>(&["Rejected records will be retried"]),
        )
    },
    Operation {
        parameters: &[
            Parameter {
                name: "export_id",
                description: "Which export",
                required: true,
                schema: || json!({ "type": "string", "pattern": "^export_[A-Za-z0-9_]+$" }),
            },
            flag("changed_too", "Whether documents, too, that were changed since; no if it isn't given"),
            flag("dry_run", "Whether it is only told what would be done; no if it isn't given"),
        ],
        failures: &[RUNNING, INVALID, (503, "Rollback failed")],
        ..post(
            "/api/export/rollback",
            "rollback",
            "Takes an export back: deletes what it inserted, and holds the rows",
            told::<Rollback>(&["Rollback planned, nothing was changed", "Export rolled back successfully"]),
        )
    },
    get(
        "/api/export/events",
        "events",
        "Status and connectivity as they change, as server-sent events: `status` and `connectivity`, whose data are \
         those of the operations of these names",
        Content::Text("text/event-stream"),
    ),
    get("/live", "live", "Whether the process answers", told::<Health>(&["Alive"])),
    Operation {
        failures: &[(503, "Not ready")],
        ..get("/ready", "ready", "Whether the loop runs", told::<Health>(&["Ready"]))
    },
    get("/metrics", "metrics", "What is counted, for Prometheus", Content::Text("text/plain; version=0.0.4")),
    get("/", "page", "A page that shows all of it", Content::Text("text/html; charset=utf-8")),
    get("/page.css", "page_style", "The page's style", Content::Text("text/css; charset=utf-8")),
    get("/page.js", "page_script", "The page's script", Content::Text("text/javascript; charset=utf-8")),
    get("/openapi.json", "openapi", "This description", Content::Json),
];
