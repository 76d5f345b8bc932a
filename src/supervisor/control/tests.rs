use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use super::*;
use crate::report::{Backlog, Link, LinkPast, Rollback, RollbackRequest, RolledBack};

/// Checks that take `takes`, and count how many began, ended, and were under way at once.
#[derive(Debug, Default)]
struct Slow {
    takes: Duration,
    began: AtomicUsize,
    ended: AtomicUsize,
    most: AtomicUsize,
}

impl Slow {
    fn taking(takes: Duration) -> Arc<Self> {
        Arc::new(Self { takes, ..Self::default() })
    }

    async fn work(&self) {
        let began = self.began.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(began - self.ended.load(Ordering::SeqCst), Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

impl Services for Slow {
    fn test_connection(&self) -> Answer<'_, Result<Connected, Failure>> {
        Box::pin(async {
            self.work().await;
            Ok(Connected { database: "d".into(), collection: "c".into(), existing_records: 3 })
        })
    }

    fn summary(&self) -> Answer<'_, Result<Summary, SourceUnavailable>> {
        Box::pin(async {
            self.work().await;
            Ok(Summary::default())
        })
    }

    fn history(&self, _limit: u16) -> Answer<'_, Result<Vec<PastExport>, LedgerRefusal>> {
        Box::pin(async {
            self.work().await;
            Ok(Vec::new())
        })
    }

    fn records(&self, _query: RemarkQuery) -> Answer<'_, Result<Remarks, LedgerRefusal>> {
        Box::pin(async {
            self.work().await;
            Ok(Remarks::default())
        })
    }

    fn release(&self) -> Answer<'_, Result<u64, LedgerRefusal>> {
        Box::pin(async {
            self.work().await;
            Ok(2)
        })
    }

    fn rollback(&self, _request: RollbackRequest) -> Answer<'_, Result<Rollback, RollbackRefusal>> {
        Box::pin(async {
            self.work().await;
            Ok(Rollback::Done(RolledBack::default()))
        })
    }
}

const SECOND: Duration = Duration::from_secs(1);
const DEADLINES: Deadlines =
    Deadlines { command: SECOND, test_connection: SECOND, summary: SECOND, ledger: SECOND, rollback: SECOND };

fn control(services: Arc<Slow>) -> (Control, mpsc::Receiver<Command>) {
    let snapshots = Snapshots {
        status: watch::channel(ExportStatus::default()).1,
        link: watch::channel(Link::default()).1,
        past: watch::channel(LinkPast::default()).1,
        backlog: watch::channel(Backlog::default()).1,
        metrics: Arc::default(),
    };
    Control::new(snapshots, services, DEADLINES)
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_is_gone_is_an_error_at_once() {
    let (control, commands) = control(Slow::taking(SECOND));
    assert!(control.is_running());
    drop(commands);
    assert!(!control.is_running());
    let begin = tokio::time::Instant::now();
    assert_eq!(control.start(None, None).await, Err(StartError::Stopping));
    assert_eq!(control.reset().await, Err(ResetError::Stopping));
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(control.status(), ExportStatus::default(), "snapshots outlive the loop");
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_drops_a_command_is_an_error_at_once() {
    let (control, mut commands) = control(Slow::taking(SECOND));
    let (answer, ()) = tokio::join!(control.start(None, None), async { drop(commands.recv().await) });
    assert_eq!(answer, Err(StartError::Stopping));
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_does_not_answer_is_an_error_in_time_and_sees_that_the_command_is_void() {
    let (control, mut commands) = control(Slow::taking(SECOND));
    let begin = tokio::time::Instant::now();
    assert_eq!(control.start(Some(5), Some(false)).await, Err(StartError::NoAnswer));
    assert_eq!(begin.elapsed(), SECOND);
    let Some(Command::Start { batch_size: Some(5), skip_duplicates: Some(false), reply }) =
        commands.recv().await
    else {
        panic!("the command was queued as it was given");
    };
    assert!(reply.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_an_error_in_time() {
    let (control, _commands) = control(Slow::taking(SECOND));
    for _ in 0..QUEUE {
        control.shared.commands.try_send(Command::Wake).expect("room in the queue");
    }
    assert_eq!(control.reset().await, Err(ResetError::NoAnswer));
}

#[tokio::test(start_paused = true)]
async fn a_good_test_wakes_the_loop_and_needs_no_loop() {
    let (control, mut commands) = control(Slow::taking(SECOND / 2));
    assert_eq!(control.test_connection().await.map(|connected| connected.existing_records), Ok(3));
    assert!(matches!(commands.try_recv(), Ok(Command::Wake)));
    drop(commands);
    assert!(control.test_connection().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn released_rows_are_looked_at_at_once_and_need_no_loop() {
    let (control, mut commands) = control(Slow::taking(SECOND / 2));
    assert_eq!(control.release().await, Ok(2));
    assert!(matches!(commands.try_recv(), Ok(Command::Compare)));
    drop(commands);
    assert_eq!(control.release().await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn checks_end_by_their_deadline() {
    let services = Slow::taking(3600 * SECOND);
    let (control, mut commands) = control(Arc::clone(&services));
    let begin = tokio::time::Instant::now();
    let (failure, unavailable, silent) =
        tokio::join!(control.test_connection(), control.summary(), control.history(1));
    assert_eq!(failure.map_err(|failure| failure.reason), Err(Reason::Timeout));
    assert!(unavailable.is_err() && silent.is_err());
    assert_eq!(begin.elapsed(), SECOND);
    assert!(commands.try_recv().is_err(), "a failure is no hint");
    // The one that hung doesn't keep its place.
    services.began.store(0, Ordering::SeqCst);
    let _ = control.test_connection().await;
    assert_eq!(services.began.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn of_each_check_one_is_under_way_at_a_time() {
    let services = Slow::taking(SECOND / 10);
    let (control, _commands) = control(Arc::clone(&services));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let control = control.clone();
        callers.spawn(async move { control.test_connection().await.is_ok() });
    }
    let answers = callers.join_all().await;
    assert_eq!(services.most.load(Ordering::SeqCst), 1);
    let good = answers.iter().filter(|&&good| good).count();
    assert!((9..=10).contains(&good), "{good} had their turn within the deadline");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_cuts_no_check_in_half() {
    let services = Slow::taking(SECOND / 2);
    let (control, _commands) = control(Arc::clone(&services));
    let hung_up = timeout(SECOND / 10, control.test_connection()).await;
    assert!(hung_up.is_err());
    tokio::time::advance(SECOND / 2).await;
    while services.ended.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(services.began.load(Ordering::SeqCst), 1);
}
