//! Whether automatic exports are paused, over a restart: a fact in the ledger.

use tokio::sync::watch;

use crate::ledger::Store;
use crate::report::ExportStatus;

const FACT: &str = "paused";
const YES: &str = "yes";
const NO: &str = "no";

/// Whether exports were paused when the daemon last ran. A ledger that can't be read says no: whoever paused it sees
/// rows arrive, which is better than rows that wait for nobody. Blocks.
#[must_use]
pub fn was_paused(store: &Store) -> bool {
    let fact = store.with(|ledger| ledger.fact(FACT));
    matches!(fact, Ok(Some(value)) if value == YES)
}

/// Writes down what the status shows at this moment, so that of two calls at once neither writes what is out of date.
/// Answers whether a restart will find it. Blocks.
pub(super) fn keep(store: &Store, status: &watch::Sender<ExportStatus>) -> bool {
    let kept = store.with(|ledger| {
        ledger.set_fact(FACT, if status.borrow().paused { YES } else { NO })?;
        Ok(!ledger.is_temporary())
    });
    kept.unwrap_or_else(|error| {
        tracing::warn!(event = "ledger_failed", %error, "Whether exports are paused can't be written down");
        false
    })
}
