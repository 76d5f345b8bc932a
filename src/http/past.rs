//! The endpoints about what was: past exports, and rows that are not in the collection.

use axum::extract::State;
use axum::http::{StatusCode, Uri};

use super::answers::{History, Released};
use super::envelope::Envelope;
use super::query::{InvalidQuery, one, pairs, up_to_1000};
use crate::report::{Outcome, RemarkQuery};
use crate::supervisor::control::{Control, LedgerRefusal};

/// Past exports that are told if no limit is given.
const EXPORTS: u16 = 50;

/// Rows that are told if no limit is given.
const RECORDS: u16 = 100;

pub(super) async fn history(State(control): State<Control>, uri: Uri) -> Envelope {
    let limit = match pairs(&uri).and_then(|pairs| limit(&pairs)) {
        Ok(limit) => limit.unwrap_or(EXPORTS),
        Err(invalid) => return invalid.into(),
    };
    match control.history(limit).await {
        Ok(exports) => Envelope::success("Export history retrieved successfully", History { exports }),
        Err(refusal) => refusal.into(),
    }
}

pub(super) async fn records(State(control): State<Control>, uri: Uri) -> Envelope {
    let query = match record_query(&uri) {
        Ok(query) => query,
        Err(invalid) => return invalid.into(),
    };
    match control.records(query).await {
        Ok(page) => Envelope::success("Export records retrieved successfully", page),
        Err(refusal) => refusal.into(),
    }
}

pub(super) async fn retry(State(control): State<Control>) -> Envelope {
    match control.release().await {
        Ok(released) => Envelope::success("Rejected records will be retried", Released { released }),
        Err(refusal) => refusal.into(),
    }
}

impl From<LedgerRefusal> for Envelope {
    fn from(refusal: LedgerRefusal) -> Self {
        match refusal {
            LedgerRefusal::InvalidCursor(after) => {
                let error = format!("after is {after:?}: what a page of records gave as next is allowed");
                Self::failure(StatusCode::UNPROCESSABLE_ENTITY, "Invalid request", error)
            }
            LedgerRefusal::Unavailable(error) => {
                Self::failure(StatusCode::SERVICE_UNAVAILABLE, "The ledger is not available", error)
            }
        }
    }
}

pub(super) fn record_query(uri: &Uri) -> Result<RemarkQuery, InvalidQuery> {
    let pairs = pairs(uri)?;
    Ok(RemarkQuery {
        outcome: one(&pairs, "outcome", "rejected, duplicate or held", outcome)?,
        after: one(&pairs, "after", "what a page of records gave as next", |text| Some(text.to_owned()))?,
        limit: limit(&pairs)?.unwrap_or(RECORDS),
    })
}

fn limit(pairs: &[(String, String)]) -> Result<Option<u16>, InvalidQuery> {
    one(pairs, "limit", "an integer from 1 to 1000", up_to_1000)
}

fn outcome(text: &str) -> Option<Outcome> {
    match text {
        "rejected" => Some(Outcome::Rejected),
        "duplicate" => Some(Outcome::Duplicate),
        "held" => Some(Outcome::Held),
        _ => None,
    }
}
