//! The kernel itself, as far as a test may disturb it.

use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::supervisor::tell::tests::Lines;

const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn nothing_is_told_while_nothing_happens() {
    let mut clock = Clock::listen();
    assert!(timeout(SOON, clock.jumped()).await.is_err());
}

#[test]
fn a_kernel_that_does_not_tell_is_told_once_and_waited_for_without_harm() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(lines.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let mut network = Network::on(Err(io::ErrorKind::PermissionDenied.into()));
            for _ in 0..3 {
                assert!(timeout(SOON, network.changed()).await.is_err());
            }
        });
    });
    let events = lines.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["event"], "network_hints_unavailable");
}

/// Sets the clock to the time that it shows, which the kernel takes for a jump. Only where this process may do so: no
/// namespace has a wall clock of its own.
#[tokio::test]
async fn a_clock_that_is_set_is_told_each_time() {
    let mut clock = Clock::listen();
    for _ in 0..3 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        if rustix::time::clock_settime(rustix::time::ClockId::Realtime, now).is_err() {
            eprintln!("left out: setting the clock isn't permitted here; as root it is");
            return;
        }
        timeout(Duration::from_secs(2), clock.jumped()).await.expect("told");
        assert!(timeout(SOON, clock.jumped()).await.is_err(), "told once");
    }
}
