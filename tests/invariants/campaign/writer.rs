//! The application: writes all the time, whatever else happens, and is never kept from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;

use crate::support::sqlite::{App, Inquiry};
use crate::support::wait::{PATIENCE, eventually};

/// The pause between two transactions: an hour's campaign stays below a few hundred thousand rows.
const PACE: Duration = Duration::from_millis(30);

/// The application at work in a thread of its own.
pub(super) struct Writer {
    commits: Arc<AtomicU32>,
    stop: mpsc::Sender<()>,
    thread: JoinHandle<(App, u64)>,
}

impl Writer {
    pub(super) fn start(mut app: App, mut rng: Rng) -> Self {
        let (stop, stopped) = mpsc::channel();
        let commits = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&commits);
        let thread = thread::spawn(move || {
            let (mut next, mut updates) = (0, 0);
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PACE) {
                updates += u64::from(write(&mut app, &mut rng, &mut next));
                counter.fetch_add(1, Ordering::SeqCst);
            }
            (app, updates)
        });
        Self { commits, stop, thread }
    }

    /// Waits until it has committed so many times more; panics if it was kept from it.
    #[track_caller]
    pub(super) fn wait_for_commits(&self, more: u32) {
        let goal = self.commits.load(Ordering::SeqCst) + more;
        eventually(PATIENCE, "the application's commits", || {
            assert!(!self.thread.is_finished(), "the application was kept from writing");
            (self.commits.load(Ordering::SeqCst) >= goal).then_some(())
        });
    }

    /// Ends it. Answers with the application and how many rows it has changed.
    #[track_caller]
    pub(super) fn stop(self) -> (App, u64) {
        // If it isn't there any more to be told, joining it says why.
        let _ = self.stop.send(());
        self.thread.join().expect("the application was never kept from writing")
    }
}

/// One transaction. Answers whether it changed a row.
fn write(app: &mut App, rng: &mut Rng, next: &mut u32) -> bool {
    match rng.u8(..10) {
        0..=3 => {
            let first = *next;
            *next += rng.u32(1..3);
            app.insert((first..*next).map(Inquiry::number));
        }
        4..=5 if *next > 0 => {
            let person = Inquiry::number(rng.u32(..*next));
            app.insert([Inquiry::number(*next).by_the_person_of(&person)]);
            *next += 1;
        }
        _ if *next > 0 => {
            let (id, grade) = (rng.u32(1..=*next), rng.u32(..1_000));
            app.execute(&format!(
                "UPDATE chat_inquiry_information SET grade = 'Grade {grade}',
                 updated_at = strftime('%Y-%m-%dT%H:%M:%fZ') WHERE id = {id}"
            ));
            return true;
        }
        _ => {}
    }
    false
}
