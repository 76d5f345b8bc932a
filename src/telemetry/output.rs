//! Where lines go.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::journald::{self, Delivery, Journal};
use super::line::Line;
use super::{json, text};
use crate::config::LogFormat;

/// Takes a rendered line; never fails, never panics.
type WriteLine = Box<dyn Fn(&str) + Send + Sync>;

/// Renders each event and hands it over.
pub(super) struct Output {
    render: fn(&Line) -> String,
    journal: Option<Journal>,
    /// The journal is absent, and that has been told.
    told_absent: AtomicBool,
    write: WriteLine,
}

impl Output {
    /// The output of this process. [`LogFormat::Auto`] is the same as text here.
    pub(super) fn new(format: LogFormat) -> Self {
        Self::with(format, Path::new(journald::SOCKET), Box::new(to_stderr))
    }

    fn with(format: LogFormat, socket: &Path, write: WriteLine) -> Self {
        let journal = match format {
            LogFormat::Journald => Journal::new(socket).ok(),
            LogFormat::Auto | LogFormat::Text | LogFormat::Json => None,
        };
        let render = if format == LogFormat::Json { json::render } else { text::render };
        Self { render, journal, told_absent: AtomicBool::new(false), write }
    }

    fn put(&self, line: &Line) {
        match self.journal.as_ref().map(|journal| journal.send(line)) {
            Some(Delivery::Sent) => self.told_absent.store(false, Ordering::Relaxed),
            // Not to standard error: it leads to the same stalled journal, and waits.
            Some(Delivery::Dropped) => {}
            Some(Delivery::Absent) => {
                if !self.told_absent.swap(true, Ordering::Relaxed) {
                    let mut absent = Line::new(Level::WARN, module_path!());
                    absent.event = Some("journal_absent".into());
                    absent.message = "No journal listens; logging to standard error until one does".into();
                    (self.write)(&(self.render)(&absent));
                }
                (self.write)(&(self.render)(line));
            }
            None => (self.write)(&(self.render)(line)),
        }
    }
}

impl<S: Subscriber> Layer<S> for Output {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.put(&Line::of(event));
    }
}

/// A closed standard error loses the line, and nothing else.
fn to_stderr(line: &str) {
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Whether standard error is what systemd says that it connected to the journal: `device:inode`.
pub(super) fn stderr_is(journal_stream: Option<&OsStr>) -> bool {
    let stream = journal_stream.and_then(OsStr::to_str).and_then(|text| text.split_once(':'));
    let Some((device, inode)) = stream else { return false };
    let Ok(metadata) = io::stderr().as_fd().try_clone_to_owned().map(File::from).and_then(|f| f.metadata())
    else {
        return false;
    };
    device.parse() == Ok(metadata.dev()) && inode.parse() == Ok(metadata.ino())
}

#[cfg(test)]
mod tests;
