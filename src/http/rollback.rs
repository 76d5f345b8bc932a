//! Taking an export back.

use axum::extract::State;
use axum::http::{StatusCode, Uri};

use super::envelope::Envelope;
use super::query::{InvalidQuery, boolean, nothing_but, one, pairs};
use crate::report::{Extent, Rollback, RollbackMode, RollbackRequest, is_export_id};
use crate::supervisor::control::{Control, RollbackRefusal};

const AN_ID: &str = "an id of an export, as export_20240927_143022";

pub(super) async fn rollback(State(control): State<Control>, uri: Uri) -> Envelope {
    let request = match read(&uri) {
        Ok(request) => request,
        Err(invalid) => return invalid.into(),
    };
    match control.rollback(request).await {
        Ok(planned @ Rollback::Planned(_)) => {
            Envelope::success("Rollback planned, nothing was changed", planned)
        }
        Ok(done @ Rollback::Done(_)) => Envelope::success("Export rolled back successfully", done),
        Err(error @ RollbackRefusal::ExportRunning) => {
            Envelope::failure(StatusCode::CONFLICT, "Export is already running", error.to_string())
        }
        Err(RollbackRefusal::Unavailable(error)) => {
            Envelope::failure(StatusCode::SERVICE_UNAVAILABLE, "Rollback failed", error)
        }
    }
}

/// All others are refused: a `dry_run` that is misspelt and overlooked would delete documents.
const KNOWN: &[&str] = &["export_id", "changed_too", "dry_run"];

fn read(uri: &Uri) -> Result<RollbackRequest, InvalidQuery> {
    let pairs = pairs(uri)?;
    nothing_but(KNOWN, &pairs)?;
    let flag = |name| one(&pairs, name, "true or false", boolean).map(Option::unwrap_or_default);
    let missing = InvalidQuery::Value { name: "export_id", value: String::new(), allowed: AN_ID };
    Ok(RollbackRequest {
        export_id: one(&pairs, "export_id", AN_ID, id)?.ok_or(missing)?,
        extent: if flag("changed_too")? { Extent::ChangedToo } else { Extent::Unchanged },
        mode: if flag("dry_run")? { RollbackMode::DryRun } else { RollbackMode::Perform },
    })
}

fn id(text: &str) -> Option<String> {
    is_export_id(text).then(|| text.to_owned())
}
