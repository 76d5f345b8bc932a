//! The ledger over the life of the daemon: found damaged, deleted or unwritable, it is replaced, and work goes on.
//!
//! What holds:
//! - damage is met by an empty ledger and a second try: who works with the ledger doesn't notice, but is told that
//!   every row has to be compared once more;
//! - a full disk is an error and changes nothing: what couldn't be recorded is found in MongoDB later;
//! - a directory that can't be used otherwise is met by a temporary ledger. Back in the directory, the entries there
//!   are forgotten: they don't know what became of the rows since.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::aside::{rebuilt, set_aside, temporary};
use super::condition::Condition;
use super::heritage::Kept;
use super::{Bound, Ledger, LedgerError, Opened, RunEnd, RunStart};
use crate::report::{LedgerState, PastExport};

/// A directory in which the ledger failed while in use is left alone for so long.
const AVOIDED: Duration = Duration::from_secs(60);

/// Damage twice within this time comes from the directory.
const SUSPICIOUS: Duration = Duration::from_secs(10);

/// Ends of exports that wait for space on a full disk. More of them are not kept: each had begun on that disk.
const UNWRITTEN: usize = 16;

/// The ledger of a state directory, whatever happens to it. Its calls block: for blocking threads only, but for those that say
/// that they never wait for the disk.
pub struct Store {
    directory: PathBuf,
    inner: Mutex<Inner>,
    /// How it is doing, and the target of the entries: not behind the lock that is held while the disk is worked with.
    condition: Condition,
    target: Mutex<Option<String>>,
    generation: AtomicU64,
    turn: Arc<tokio::sync::Mutex<()>>,
}

struct Inner {
    ledger: Ledger,
    condition: Condition,
    /// Source and target of the entries, to be given to the next ledger.
    binding: Option<(String, String)>,
    /// The export under way, with its number.
    running: Option<(i64, RunStart)>,
    unwritten: Vec<(i64, RunEnd)>,
    last_damage: Option<Instant>,
    avoided_until: Option<Instant>,
}

impl Store {
    /// Opens the ledger of this directory, or a temporary one.
    ///
    /// # Errors
    /// Not even a temporary ledger can be made.
    pub fn open(directory: &Path) -> Result<Self, LedgerError> {
        let (ledger, state) = match Ledger::open(directory) {
            Ok((ledger, Opened::Existing | Opened::New)) => (ledger, LedgerState::Kept),
            Ok((ledger, Opened::Recovered)) => (ledger, rebuilt()),
            Err(error) => (Ledger::temporary()?, temporary(&error)),
        };
        let condition = Condition::new(state);
        let inner = Inner {
            ledger,
            condition: condition.clone(),
            binding: None,
            running: None,
            unwritten: Vec::new(),
            last_damage: None,
            avoided_until: None,
        };
        Ok(Self {
            directory: directory.to_owned(),
            inner: Mutex::new(inner),
            condition,
            target: Mutex::default(),
            generation: AtomicU64::new(0),
            turn: Arc::default(),
        })
    }

    /// Whose turn it is to write documents that the ledger speaks of: an export's, or a rollback's. One that deletes what
    /// the other has just sent would leave an entry behind that isn't true.
    #[must_use]
    pub fn turn(&self) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(&self.turn)
    }

    /// Which pass works with it: another one with each [`Store::refresh`]. Asked within [`Store::with`], it tells whether
    /// what is to be recorded belongs to a pass that was given up.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// How it is doing. Never waits for the disk.
    #[must_use]
    pub fn state(&self) -> LedgerState {
        self.condition.state()
    }

    /// Sees to it that the file is there and in use; to be called before each pass.
    ///
    /// # Errors
    /// Not even a temporary ledger can be made.
    pub fn refresh(&self) -> Result<(), LedgerError> {
        self.generation.fetch_add(1, Ordering::SeqCst);
        let mut inner = self.lock();
        if !inner.ledger.is_temporary() {
            return if inner.ledger.is_in_place() { Ok(()) } else { inner.renew(&self.directory) };
        }
        if inner.avoided_until.is_none_or(|until| Instant::now() >= until) {
            inner.avoided_until = None;
            inner.return_to(&self.directory);
        }
        Ok(())
    }

    /// Whether entries were lost since the last time that this was asked: then every row has to be compared. Never
    /// waits for the disk.
    pub fn take_lost(&self) -> bool {
        self.condition.take_lost()
    }

    /// Works with the ledger. If it turns out to be damaged or its directory unusable, another one takes its place, and
    /// the work is done once more.
    ///
    /// # Errors
    /// What the work returned, [`LedgerError::Full`] among others.
    pub fn with<T>(
        &self,
        mut work: impl FnMut(&mut Ledger) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut inner = self.lock();
        match work(&mut inner.ledger) {
            Err(LedgerError::Damaged) => inner.renew(&self.directory)?,
            Err(error @ (LedgerError::Unwritable(_) | LedgerError::File { .. })) => inner.retreat(&error)?,
            // What is in the write-ahead log several times is in the file once.
            Err(LedgerError::Full) if inner.ledger.carry_over() => {}
            result => return result,
        }
        work(&mut inner.ledger)
    }

    /// Says of which source and target the entries speak from now on; see [`Ledger::bind`].
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn bind(&self, source: &str, target: &str) -> Result<Bound, LedgerError> {
        let bound = self.with(|ledger| ledger.bind(source, target))?;
        self.lock().binding = Some((source.to_owned(), target.to_owned()));
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target.to_owned());
        Ok(bound)
    }

    /// The target that was bound last. Never waits for the disk.
    #[must_use]
    pub fn target(&self) -> Option<String> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes down that an export begins. Answers its number.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn run_started(&self, start: &RunStart) -> Result<i64, LedgerError> {
        let ends = std::mem::take(&mut self.lock().unwritten);
        for (number, end) in ends {
            self.write_end(number, end);
        }
        let number = self.with(|ledger| ledger.run_started(start))?;
        self.lock().running = Some((number, start.clone()));
        Ok(number)
    }

    /// Writes down how an export ended; if that can't be done now, then when the next one begins.
    pub fn run_ended(&self, number: i64, end: RunEnd) {
        self.write_end(number, end);
        self.is_over(number);
    }

    /// Forgets an export that didn't begin after all.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn forget_run(&self, number: i64) -> Result<(), LedgerError> {
        self.is_over(number);
        self.with(|ledger| ledger.forget_run(number))
    }

    /// Every row was compared; see [`Ledger::all_counted`]. If that can't be written down now, then after the next time.
    pub fn compared(&self) {
        let under_way = self.lock().running.as_ref().map(|(number, _)| *number);
        if let Err(error) = self.with(|ledger| ledger.all_counted(under_way)) {
            tracing::debug!(event = "ledger_failed", %error, "What is counted can't be written down yet");
        }
    }

    /// Past exports, the latest first, without the one under way.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn history(&self, limit: u16) -> Result<Vec<PastExport>, LedgerError> {
        let under_way = self.lock().running.as_ref().map(|(number, _)| *number);
        self.with(|ledger| ledger.history(limit, under_way))
    }

    /// Another one may have begun since, if this one was given up.
    fn is_over(&self, number: i64) {
        self.lock().running.take_if(|(running, _)| *running == number);
    }

    fn write_end(&self, number: i64, end: RunEnd) {
        if let Err(error) = self.with(|ledger| ledger.run_ended(number, &end)) {
            tracing::debug!(event = "ledger_failed", %error, "The end of an export can't be written down yet");
            let mut inner = self.lock();
            if inner.unwritten.len() < UNWRITTEN {
                inner.unwritten.push((number, end));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in mid-work left at worst an open transaction, which its guard has rolled back.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The ledger is damaged or gone: an empty one takes its place.
    fn renew(&mut self, directory: &Path) -> Result<(), LedgerError> {
        let now = Instant::now();
        let again = self.last_damage.replace(now).is_some_and(|last| now - last < SUSPICIOUS);
        // The old connection is closed before the new file is made: the two would share the files beside it, which
        // SQLite finds by their names.
        let runs = self.ledger.runs().unwrap_or_default();
        self.ledger = Ledger::temporary()?;
        let found = if again {
            Err(LedgerError::Unwritable("it was damaged twice in short time"))
        } else {
            set_aside(directory).and_then(|()| Ledger::open(directory))
        };
        match found {
            Ok((ledger, _)) => {
                self.ledger = ledger;
                self.condition.set(rebuilt());
            }
            Err(error) => self.avoid(&error),
        }
        self.hand_over(&runs)
    }

    /// The directory can't be used any more.
    fn retreat(&mut self, error: &LedgerError) -> Result<(), LedgerError> {
        let runs = self.ledger.runs().unwrap_or_default();
        self.ledger = Ledger::temporary()?;
        self.avoid(error);
        self.hand_over(&runs)
    }

    fn avoid(&mut self, error: &LedgerError) {
        self.condition.set(temporary(error));
        self.avoided_until = Some(Instant::now() + AVOIDED);
    }

    /// Tries to use the directory again. It must take a transaction before the temporary ledger is given up.
    fn return_to(&mut self, directory: &Path) {
        let found = Ledger::open(directory).and_then(|(mut found, _)| {
            found.forget_entries()?;
            found.take_over(&self.ledger.runs()?)?;
            Ok(found)
        });
        let Ok(found) = found else { return };
        self.ledger = found;
        self.condition.set(LedgerState::Rebuilt);
        self.condition.lose();
        // Their numbers were the temporary ledger's.
        self.unwritten.clear();
        tracing::info!(
            event = "ledger_returned",
            "The state directory can be used again: every row is compared with MongoDB"
        );
    }

    /// The new ledger learns what the old one knew beside the entries.
    fn hand_over(&mut self, runs: &[Kept]) -> Result<(), LedgerError> {
        self.condition.lose();
        if let Err(error) = self.ledger.take_over(runs) {
            tracing::debug!(event = "ledger_failed", %error, "Past exports are lost");
        }
        if let Some((source, target)) = &self.binding {
            self.ledger.bind(source, target)?;
        }
        if let Some((number, start)) = &self.running {
            self.ledger.adopt_run(*number, start)?;
        }
        Ok(())
    }
}
