use super::*;
use crate::report::Timestamp;

fn text(metrics: &Metrics, status: &ExportStatus, link: &Link, oldest: Option<Instant>) -> String {
    let snapshots = Snapshots { status, link, oldest, listeners: 2 };
    let (text, media) = metrics.encode(snapshots).expect("the names are well-formed");
    assert_eq!(media, "text/plain; version=0.0.4");
    text
}

fn fresh(metrics: &Metrics) -> String {
    text(metrics, &ExportStatus::default(), &Link::default(), None)
}

#[track_caller]
fn says(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "no line {line:?} in\n{text}");
}

#[test]
fn each_series_is_there_from_the_start() {
    let text = fresh(&Metrics::new());
    for outcome in OUTCOMES {
        says(&text, &format!("mongo_uplink_rows_total{{outcome=\"{outcome}\"}} 0"));
    }
    for reason in Reason::ALL {
        says(&text, &format!("mongo_uplink_probe_failures_total{{reason=\"{reason}\"}} 0"));
    }
    says(&text, "mongo_uplink_export_duration_seconds_count{result=\"failed\"} 0");
    says(&text, "mongo_uplink_connectivity_state{state=\"unknown\"} 1");
    says(&text, &format!("mongo_uplink_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
    assert!(!text.contains("mongo_uplink_last_success_timestamp_seconds{"), "nothing has succeeded yet");
}

#[test]
fn names_are_as_prometheus_wants_them_and_each_has_its_help() {
    let text = fresh(&Metrics::new());
    let mut metrics = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a name and a type");
        metrics += 1;
        assert!(name.starts_with("mongo_uplink_"), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        assert!(kind != "histogram" || name.ends_with("_seconds"), "{line}");
        let help = format!("# HELP {name} ");
        assert!(text.lines().any(|line| line.starts_with(&help) && line.ends_with('.')), "{name}");
    }
    assert!(metrics > 20, "{metrics}");
}

#[test]
fn a_row_counts_as_what_became_of_it() {
    let metrics = Metrics::new();
    let counted =
        Progress { total: 30, successful: 9, failed: 1, skipped: 12, updated: 2, duplicates: 3, kept: 4 };
    metrics.rows_recorded(&counted, 1_000);
    let text = fresh(&metrics);
    let of = |outcome, number| format!("mongo_uplink_rows_total{{outcome=\"{outcome}\"}} {number}");
    for (outcome, number) in OUTCOMES.into_iter().zip([7, 2, 3, 4, 5, 1]) {
        says(&text, &of(outcome, number));
    }
    says(&text, "mongo_uplink_exported_bytes_total 1000");
}

#[test]
fn ends_and_probes_and_transitions_are_counted() {
    let metrics = Metrics::new();
    metrics.run_ended(RunState::Completed, Duration::from_secs(20));
    metrics.run_ended(RunState::Failed, Duration::from_millis(10));
    metrics.batch_took(Duration::from_millis(30));
    metrics.probed(Some(Reason::Dns));
    metrics.probed(None);
    metrics.link_became(LinkState::Online);
    metrics.stalled();
    let text = fresh(&metrics);
    says(&text, "mongo_uplink_export_duration_seconds_bucket{result=\"completed\",le=\"15\"} 0");
    says(&text, "mongo_uplink_export_duration_seconds_bucket{result=\"completed\",le=\"60\"} 1");
    says(&text, "mongo_uplink_export_duration_seconds_sum{result=\"completed\"} 20");
    says(&text, "mongo_uplink_export_duration_seconds_count{result=\"failed\"} 1");
    says(&text, "mongo_uplink_batch_duration_seconds_bucket{le=\"0.05\"} 1");
    says(&text, "mongo_uplink_probe_attempts_total 2");
    says(&text, "mongo_uplink_probe_failures_total{reason=\"dns\"} 1");
    says(&text, "mongo_uplink_connectivity_transitions_total{to=\"online\"} 1");
    says(&text, "mongo_uplink_stalls_total 1");
    assert!(text.contains("mongo_uplink_last_success_timestamp_seconds{of=\"export\"} 1"));
}

#[test]
fn states_are_those_of_the_snapshots() {
    let status = ExportStatus {
        status: RunState::Running,
        pending_records: 7,
        paused: true,
        ..ExportStatus::default()
    };
    let link = Link {
        state: LinkState::Offline,
        reason: Some(Reason::Tls),
        attempts: 4,
        last_success: Some(Timestamp::from_millis(1_727_447_422_500)),
        ..Link::default()
    };
    let metrics = Metrics::new();
    let seen = Instant::now().checked_sub(Duration::from_secs(90)).expect("the host runs for longer");
    let told = text(&metrics, &status, &link, Some(seen));
    says(&told, "mongo_uplink_pending_rows 7");
    says(&told, "mongo_uplink_export_running 1");
    says(&told, "mongo_uplink_export_paused 1");
    says(&told, "mongo_uplink_event_listeners 2");
    says(&told, "mongo_uplink_connectivity_state{state=\"offline\"} 1");
    says(&told, "mongo_uplink_connectivity_state{state=\"online\"} 0");
    says(&told, "mongo_uplink_connectivity_failure_reason{reason=\"tls\"} 1");
    says(&told, "mongo_uplink_connectivity_failed_attempts 4");
    says(&told, "mongo_uplink_last_success_timestamp_seconds{of=\"link\"} 1727447422.5");
    let age: f64 = told
        .lines()
        .find_map(|line| line.strip_prefix("mongo_uplink_oldest_pending_age_seconds "))
        .and_then(|age| age.parse().ok())
        .expect("an age");
    assert!((90.0..120.0).contains(&age), "{age}");
    let none = text(&metrics, &ExportStatus::default(), &link, Some(seen));
    says(&none, "mongo_uplink_oldest_pending_age_seconds 0");
}
