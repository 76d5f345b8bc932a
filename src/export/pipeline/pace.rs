//! How much is sent at a time: it follows what the link and the server take.
//!
//! What holds:
//! - a command that didn't make its deadline is sent in halves from then on, down to one row: whatever gets through at
//!   all gets through in the end;
//! - what is sent at a time grows only by what was seen to go through quickly, never beyond the configured limits;
//! - it begins small with one batch: a slow link is not flooded to find out that it is slow. What was weighed, or what comes
//!   back so soon that more than a first command would fit, even if all the time were that of the bytes, shows that it isn't
//!   one; however long the way is. Only what was sent shows that: the way back may be another one;
//! - a server isn't given more commands at a time because it is far away: what is on the way there and back comes on top,
//!   within the configured limits.
//!
//! Pure: times are arguments.

use std::time::Duration;

use super::limits::Limits;
use crate::target::{FAR, Weighed};

/// A first command's bytes: four seconds at 64 kbit/s.
const FIRST_COMMAND: usize = 32 * 1024;

/// How many times as large as one before a command may be at most.
const GROWTH: usize = 16;

/// No command is larger, but for one row.
const LARGEST_COMMAND: usize = 12 * 1024 * 1024;

/// Batches that take no longer than this may always be larger.
const QUICK: Duration = Duration::from_millis(100);

/// A link is told from a slow one by what goes through in this time, however patient an operator is: several commands at a time
/// take as many connections, which have a deadline of their own.
const SOON: Duration = Duration::from_millis(1_250);

/// From this size on, a row that is sent alone may be what takes the time. Smaller ones show that nobody answers.
const LARGE_ROW: usize = 8 * 1024;

/// A large row is given no more time than this.
const LONGEST: Duration = Duration::from_secs(600);

/// A part of the deadline that a command, or a batch, should take at most: others are on the same link.
const SHARE: u32 = 8;

/// Commands that the server works on at a time: more gain about nothing, and each takes memory. As many may write by what
/// one command has shown: if each takes as long as it may, they take half of a deadline together.
pub(in crate::export) const AT_WORK: usize = SHARE as usize / 2;

/// Of commands of so few rows the server may work on twice as many, or it would have nothing to do between two of them: once four
/// were seen to take a quarter of a deadline at most, so that eight take half of it. Memory is bounded by bytes in any case.
const FEW_ROWS: usize = 250;

/// Times that are remembered as a mean follow the last ones like this.
const MEAN: u32 = 8;

/// What is sent at a time at the moment.
#[derive(Clone, Debug)]
pub(in crate::export) struct Pace {
    limits: Limits,
    /// Commands that may write at a time.
    window: usize,
    /// Whether no batch is through yet.
    untried: bool,
    /// Whether it only ever got wider since the daemon began.
    starting: bool,
    batch: usize,
    command: usize,
    /// The shortest time that a batch took, as far as it is remembered.
    best: Option<Duration>,
    /// The way there and back: what something small took when this pass began, or the shortest command since.
    way: Option<Duration>,
    /// How long a command that writes takes, in the middle.
    write: Option<Duration>,
    /// How often a large row has missed its deadline lately.
    missed: u32,
}

impl Pace {
    pub(in crate::export) fn new(limits: Limits) -> Self {
        let batch = limits.first;
        Self {
            limits,
            window: 1,
            untried: true,
            starting: true,
            batch,
            command: FIRST_COMMAND,
            best: None,
            way: None,
            write: None,
            missed: 0,
        }
    }

    /// Another pass begins: what is known of the link stays.
    pub(in crate::export) fn set_limits(&mut self, limits: Limits) {
        let sizes = |limits: &Limits| (limits.least, limits.first, limits.most);
        // What was grown or halved before holds only for the same question.
        self.batch = if sizes(&self.limits) == sizes(&limits) { self.batch } else { limits.first };
        self.window = self.window.clamp(1, limits.in_flight.max(1));
        self.limits = limits;
    }

    /// Batches in flight: while some write, as many look up what is there. On a slow link everything is one after another;
    /// while nobody knows whether it is one, nothing but looking up, which is little, is done ahead. Small batches are written
    /// as soon as they are looked up, and some of their rows wait once more: more of them are under way.
    pub(in crate::export) fn flights(&self) -> usize {
        let writing = self.writing();
        match self.window() {
            1 if self.untried => self.limits.in_flight.min(AT_WORK).div_ceil(2),
            1 => 1,
            _ if self.batch * 2 <= self.limits.most => writing * 2 + writing.min(AT_WORK),
            _ => writing * 2,
        }
    }

    /// Whether another batch may be on its way while so many are, of so many commands together: batches become larger, and those
    /// under way may be smaller ones.
    pub(in crate::export) fn has_room(&self, flying: usize, commands: usize) -> bool {
        let window = self.window();
        flying < self.flights() || (window > 1 && commands < window * 2)
    }

    /// Batches that give all commands something to write: a batch may be sent in several at a time.
    fn writing(&self) -> usize {
        let window = self.window();
        window.div_ceil(self.batch.div_ceil(self.rows()).max(1)).max(window.min(AT_WORK))
    }

    /// Commands that may write at a time.
    pub(in crate::export) fn window(&self) -> usize {
        self.window.min(self.most())
    }

    /// Commands that may write at a time at most: as many as the server works on, and those that are on the way meanwhile. Of
    /// the time that a command takes, the shortest one is the way.
    fn most(&self) -> usize {
        let at_work = if self.rows() <= FEW_ROWS { AT_WORK * 2 } else { AT_WORK };
        let at_work = self.limits.in_flight.clamp(1, at_work);
        let (Some(way), Some(write)) = (self.way.filter(|_| self.is_far()), self.write) else {
            return at_work;
        };
        let there = 1.0 - way.as_secs_f64() / write.as_secs_f64().max(f64::MIN_POSITIVE);
        let mut most = at_work;
        while most < self.limits.in_flight && (most + 1) as f64 * there <= at_work as f64 {
            most += 1;
        }
        most
    }

    /// Rows of the next batch, if so many are left, as far as is known: of changed rows nobody knows. The last ones are shared
    /// out: all places have something to do until the end.
    pub(in crate::export) fn batch(&self, left: Option<usize>) -> usize {
        let share = left.map(|left| left.div_ceil(self.writing()).next_multiple_of(self.limits.first.max(1)));
        share.map_or(self.batch, |share| self.batch.min(share))
    }

    /// Rows of a command at most.
    pub(in crate::export) fn rows(&self) -> usize {
        self.limits.rows.max(1)
    }

    /// Bytes of the next command, unless it is of one row.
    pub(in crate::export) fn command(&self) -> usize {
        self.command
    }

    /// A command of so many bytes, sent and received, was answered.
    pub(in crate::export) fn answered(&mut self, bytes: usize, took: Duration) {
        let target = self.target();
        self.way = self.way.map(|way| way.min(took));
        if bytes >= LARGE_ROW && took < self.limits.deadline / 2 {
            self.missed = 0;
        }
        // The way there and back is in the time: what is larger takes less than in proportion.
        let fits = bytes as f64 * target.as_secs_f64() / took.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of bytes; what is larger than any is cut"
        )]
        let fits = fits as usize;
        if took > target * 2 && bytes <= self.command {
            self.command = self.command.min(fits.max(1));
        } else if took < target {
            let fits = fits.min(self.command.saturating_mul(GROWTH));
            let twice = if bytes >= self.command / 2 { self.command.saturating_mul(2) } else { 0 };
            self.command = self.command.max(fits).max(twice).min(LARGEST_COMMAND);
        }
    }

    /// A pass begins; something small was answered so soon, and what the link was seen to carry, if it was tried.
    pub(in crate::export) fn begin(&mut self, way: Option<Duration>, weighed: Option<Weighed>) {
        self.way = way;
        // Afterwards more is known.
        if self.untried {
            // It may have been another link.
            (self.window, self.command) = (1, self.command.min(FIRST_COMMAND));
            if let Some(Weighed { bytes, took, .. }) = weighed {
                self.went_through(bytes, took);
                self.answered(bytes, took);
            }
        }
    }

    /// Whether the way there and back is most of what a small command takes.
    pub(in crate::export) fn is_far(&self) -> bool {
        self.way.is_some_and(|way| way > FAR)
    }

    /// A command that writes was answered; whether another one `waits` for a place, or for others to have theirs.
    pub(in crate::export) fn wrote(&mut self, took: Duration, waits: bool) {
        self.write = Some(self.write.map_or(took, |write| write - write / MEAN + took / MEAN));
        if self.starting && waits && self.window > 1 && took <= self.target() {
            // Twice as many each time that all of them are answered.
            self.window = self.window.max((self.window() + 1).min(self.most()));
        }
    }

    /// Of what was sent, so many bytes at least went through in this time, the way there and back included.
    pub(in crate::export) fn went_through(&mut self, bytes: usize, took: Duration) {
        let time = self.target().min(SOON);
        let fits = bytes as f64 * time.as_secs_f64() / took.as_secs_f64();
        if self.untried && fits > FIRST_COMMAND as f64 {
            self.window = self.window.max(self.limits.in_flight.min(AT_WORK));
        }
    }

    /// The deadline of a command with so many rows and bytes. A row can't be halved: a large one is given twice the time
    /// after each time that it missed its deadline.
    pub(in crate::export) fn deadline(&self, rows: usize, bytes: usize) -> Duration {
        let deadline = self.limits.deadline;
        if rows > 1 || bytes < LARGE_ROW {
            return deadline;
        }
        deadline.saturating_mul(1 << self.missed.min(16)).min(LONGEST.max(deadline))
    }

    /// A command of so many bytes wasn't answered within its deadline.
    pub(in crate::export) fn missed(&mut self, bytes: usize) {
        // What is smaller already can only have been one row.
        if bytes >= LARGE_ROW && bytes > self.command {
            self.missed = (self.missed + 1).min(16);
        }
        self.command = self.command.min(bytes / 2).max(1);
    }

    /// A pass broke off, as something wasn't answered within the deadline.
    pub(in crate::export) fn broke_off(&mut self) {
        (self.window, self.untried, self.starting) = (1, false, false);
        self.batch = (self.batch / 2).max(self.limits.least);
        self.best = None;
    }

    /// A batch is through; it was a `full` one, or what was left of the table. Whether another one `waits`: who has little to send
    /// doesn't find out how much could be.
    pub(in crate::export) fn delivered(&mut self, full: bool, took: Duration, waits: bool) {
        let best = *self.best.insert(self.best.map_or(took, |best| best.min(took)));
        self.untried = false;
        let window = self.window();
        self.window = if took > self.target() * 2 {
            (window / 2).max(1)
        } else if took > QUICK && took > best * 8 {
            // The server suffers, by others or by us.
            (window - 1).max(1)
        } else if waits {
            (window * 2).min(self.most())
        } else {
            window
        };
        self.starting &= self.window >= window;
        if took > self.target() {
            self.batch = (self.batch / 2).max(self.limits.least);
        } else if full && (took < QUICK || took < best.mul_f64(self.growth())) {
            self.batch = (self.batch * 2).min(self.limits.most);
        }
        // A little is forgotten each time, so that a link that has become slower for good isn't held against itself.
        self.best = Some(best + best / 64);
    }

    /// How much longer than the quickest one a batch may take and still be made larger. Where it is one command, that makes
    /// better use of a long way; where it is several, one after another, others could be under way instead.
    fn growth(&self) -> f64 {
        if self.limits.rows >= self.limits.most { 4.0 } else { 1.5 }
    }

    /// What a command, or a batch, should take at most.
    fn target(&self) -> Duration {
        self.limits.deadline / SHARE
    }
}

#[cfg(test)]
mod tests;
