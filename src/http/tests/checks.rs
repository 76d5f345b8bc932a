//! The checks as tests want them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::report::{
    Extent, Failure, PastExport, Planned, RemarkQuery, Remarks, Rollback, RollbackMode, RollbackRequest,
    RolledBack, Summary,
};
use crate::supervisor::control::{
    Answer, Connected, LedgerRefusal, RollbackRefusal, Services, SourceUnavailable,
};

/// What the checks answer.
#[derive(Debug)]
pub(super) struct Checks {
    pub(super) connection: Mutex<Result<Connected, Failure>>,
    pub(super) summary: Mutex<Result<Summary, SourceUnavailable>>,
    /// What the ledger holds, and what it was asked.
    pub(super) past: Mutex<Vec<PastExport>>,
    pub(super) remarks: Mutex<Remarks>,
    pub(super) asked: Mutex<Vec<RemarkQuery>>,
    /// The ledger can't be used.
    pub(super) ledger_is_gone: AtomicBool,
    /// Held back by a test: the test of the connection waits.
    pub(super) gate: tokio::sync::Mutex<()>,
}

impl Default for Checks {
    fn default() -> Self {
        let connected = Connected {
            database: "inquiryassistant".into(),
            collection: "chat_inquiry_information".into(),
            existing_records: 0,
        };
        let (connection, summary) = (Mutex::new(Ok(connected)), Mutex::new(Ok(Summary::default())));
        Self {
            connection,
            summary,
            past: Mutex::default(),
            remarks: Mutex::default(),
            asked: Mutex::default(),
            ledger_is_gone: AtomicBool::new(false),
            gate: tokio::sync::Mutex::default(),
        }
    }
}

impl Services for Checks {
    fn test_connection(&self) -> Answer<'_, Result<Connected, Failure>> {
        Box::pin(async {
            let _open = self.gate.lock().await;
            self.connection.lock().expect("no test panics with it").clone()
        })
    }

    /// Panics on a table of 666 rows.
    fn summary(&self) -> Answer<'_, Result<Summary, SourceUnavailable>> {
        Box::pin(async {
            let summary = self.summary.lock().expect("no test panics with it").clone();
            assert_ne!(summary.as_ref().map(|summary| summary.total_records), Ok(666), "jane@example.com");
            summary
        })
    }

    fn history(&self, limit: u16) -> Answer<'_, Result<Vec<PastExport>, LedgerRefusal>> {
        Box::pin(async move {
            let past = self.past.lock().expect("no test panics with it").clone();
            self.in_ledger(past.into_iter().take(limit.into()).collect())
        })
    }

    fn records(&self, query: RemarkQuery) -> Answer<'_, Result<Remarks, LedgerRefusal>> {
        Box::pin(async move {
            if query.after.as_deref() == Some("nonsense") {
                return Err(LedgerRefusal::InvalidCursor("nonsense".into()));
            }
            self.asked.lock().expect("no test panics with it").push(query);
            self.in_ledger(self.remarks.lock().expect("no test panics with it").clone())
        })
    }

    fn release(&self) -> Answer<'_, Result<u64, LedgerRefusal>> {
        Box::pin(async { self.in_ledger(3) })
    }

    fn rollback(&self, request: RollbackRequest) -> Answer<'_, Result<Rollback, RollbackRefusal>> {
        Box::pin(async move {
            let answer = match (request.extent, request.mode) {
                _ if request.export_id == "export_20240927_000000" => {
                    return Err(RollbackRefusal::Unavailable("the disk is full".into()));
                }
                (Extent::Unchanged, RollbackMode::DryRun) => {
                    Rollback::Planned(Planned { documents: 5, changed: 2 })
                }
                (Extent::ChangedToo, RollbackMode::DryRun) => {
                    Rollback::Planned(Planned { documents: 5, changed: 5 })
                }
                (_, RollbackMode::Perform) => Rollback::Done(RolledBack { deleted: 3, kept: 2, held: 1 }),
            };
            Ok(answer)
        })
    }
}

impl Checks {
    fn in_ledger<T>(&self, held: T) -> Result<T, LedgerRefusal> {
        if self.ledger_is_gone.load(Ordering::SeqCst) {
            return Err(LedgerRefusal::Unavailable("the disk is full".into()));
        }
        Ok(held)
    }
}
