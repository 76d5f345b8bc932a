//! Taking an export back.

use axum::extract::State;
use axum::http::{StatusCode, Uri};

use super::envelope::Envelope;
use super::query::{InvalidQuery, boolean, one, pairs};
use crate::report::{Extent, Rollback, RollbackMode, RollbackRequest};
use crate::supervisor::control::{Control, RollbackRefusal};

/// Longer than any id that an export is given.
const LONGEST_ID: usize = 64;

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

fn read(uri: &Uri) -> Result<RollbackRequest, InvalidQuery> {
    let pairs = pairs(uri)?;
    let flag = |name| one(&pairs, name, "true or false", boolean).map(Option::unwrap_or_default);
    let missing = InvalidQuery::Value { name: "export_id", value: String::new(), allowed: AN_ID };
    Ok(RollbackRequest {
        export_id: one(&pairs, "export_id", AN_ID, id)?.ok_or(missing)?,
        extent: if flag("changed_too")? { Extent::ChangedToo } else { Extent::Unchanged },
        mode: if flag("dry_run")? { RollbackMode::DryRun } else { RollbackMode::Perform },
    })
}

fn id(text: &str) -> Option<String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (plain && text.starts_with("export_") && text.len() <= LONGEST_ID).then(|| text.to_owned())
}
