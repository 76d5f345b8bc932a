//! What the loop tells: log lines, snapshots for the outside, the line for `systemctl status`.

use std::time::Instant;

use super::machine::{Effect, Machine};
use crate::report::{ExportStatus, Link, LinkState, RunState, Timestamp};

/// The machine's link as a snapshot, with its moments on the wall clock.
pub(super) fn link(machine: &Machine, way: usize, now: Instant) -> Link {
    let record = machine.link();
    let wall = Timestamp::now();
    let at = |moment: Instant| match moment.checked_duration_since(now) {
        Some(ahead) => wall.after(ahead),
        None => wall.before(now.saturating_duration_since(moment)),
    };
    let reason = record.failure.as_ref().map(|failure| failure.reason);
    Link {
        state: record.state,
        since: Some(at(record.since)),
        reason,
        detail: record.failure.as_ref().map(|failure| failure.detail.clone()),
        hint: reason.map(crate::report::Reason::hint),
        attempts: record.attempts,
        next_probe: machine.next_probe().map(at),
        last_success: record.last_success.map(at),
        way: record.last_success.map(|_| way),
        checked_at: record.checked_at.map(at),
    }
}

/// Logs what is worth a line of an effect.
pub(super) fn log(effect: &Effect, now: Instant) {
    match effect {
        Effect::LinkUp { after_failures, was_down_since: Some(since), log: true } => tracing::info!(
            event = "connectivity_restored",
            attempts = *after_failures,
            down_seconds = now.saturating_duration_since(*since).as_secs(),
            "MongoDB can be reached again"
        ),
        Effect::LinkUp { was_down_since: None, log: true, .. } => {
            tracing::info!(event = "connectivity_established", "MongoDB can be reached");
        }
        Effect::LinkDown { failure, log: true } => tracing::warn!(
            event = "connectivity_lost",
            reason = failure.reason.as_str(),
            detail = failure.detail.as_str(),
            hint = failure.reason.hint(),
            "MongoDB can't be reached; rows wait in SQLite"
        ),
        Effect::StillDown { attempts, failure, retry_in, log: true } => tracing::warn!(
            event = "probe_failed",
            reason = failure.reason.as_str(),
            detail = failure.detail.as_str(),
            attempts = *attempts,
            next_in_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
            "MongoDB still can't be reached"
        ),
        Effect::StillDown { attempts, failure, retry_in, log: false } => tracing::debug!(
            event = "probe_failed",
            reason = failure.reason.as_str(),
            attempts = *attempts,
            next_in_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
            "MongoDB still can't be reached"
        ),
        _ => {}
    }
}

/// One line for `systemctl status`.
pub(super) fn line(link: &Link, export: &ExportStatus) -> String {
    let mut line = match link.state {
        LinkState::Unknown => "probing MongoDB for the first time".to_owned(),
        LinkState::Online => "online".to_owned(),
        LinkState::Offline => {
            let reason = link.reason.map_or("unknown", crate::report::Reason::as_str);
            let mut text = format!("offline ({reason}), {} failed attempts", link.attempts);
            if let Some(next) = link.next_probe {
                text.push_str(&format!(", next probe at {next}"));
            }
            text
        }
    };
    match export.status {
        RunState::Idle => {}
        RunState::Running => line
            .push_str(&format!("; exporting {} of {} rows", export.processed_records, export.total_records)),
        RunState::Completed => line.push_str(&format!(
            "; last export completed: {} sent, {} skipped, {} rejected",
            export.successful_records, export.skipped_records, export.failed_records
        )),
        RunState::Failed => line.push_str("; last export broke off"),
    }
    if let Some(waiting) = &export.waiting_for {
        line.push_str(&format!("; waiting: {waiting}"));
    }
    line
}

#[cfg(test)]
pub(super) mod tests;
