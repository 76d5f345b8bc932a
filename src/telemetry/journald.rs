//! The journal's native protocol.
//!
//! - Sending never waits: a journal that is stalled costs lines, never time. The number of lines lost is told with the
//!   next line that gets through.
//! - Nothing is connected: every datagram is sent by path, so that a journal that was restarted is simply found again.
//! - A line that is too large loses the ends of its values, not itself.
//!
//! (`tracing-journald` isn't used, because it can do neither: it sends blocking, and fails if the socket is absent.)

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::Level;

use super::line::{Line, plain};

/// Where the journal listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

const IDENTIFIER: &str = "mongo-uplink";

/// How much of a value is sent, in bytes: the first that the socket takes.
const VALUE_LIMITS: [usize; 4] = [32 * 1024, 8 * 1024, 1024, 128];

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The journal has it.
    Sent,
    /// The journal is there, but takes nothing at the moment: lost, and counted.
    Dropped,
    /// There is no journal.
    Absent,
}

/// The way to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
    dropped: AtomicU64,
}

impl Journal {
    /// A way to the journal at `path`, which needn't be there.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path: path.to_owned(), dropped: AtomicU64::new(0) })
    }

    /// Sends a line, without ever waiting.
    pub(super) fn send(&self, line: &Line) -> Delivery {
        let delivery = self.deliver(line);
        match delivery {
            Delivery::Dropped => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Delivery::Sent => self.tell_dropped(),
            Delivery::Absent => {}
        }
        delivery
    }

    fn tell_dropped(&self) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped == 0 {
            return;
        }
        let mut line = Line::new(Level::WARN, module_path!());
        line.event = Some("log_lines_dropped".into());
        line.message = format!("{dropped} log lines were dropped, because the journal took none");
        line.fields.push(("dropped", dropped.into()));
        if self.deliver(&line) != Delivery::Sent {
            self.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
    }

    fn deliver(&self, line: &Line) -> Delivery {
        for limit in VALUE_LIMITS {
            match self.socket.send_to(&encode(line, limit), &self.path).map_err(|error| error.kind()) {
                Ok(_) => return Delivery::Sent,
                Err(ErrorKind::WouldBlock) => return Delivery::Dropped,
                Err(ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::PermissionDenied) => {
                    return Delivery::Absent;
                }
                // EMSGSIZE or ENOBUFS, which have no kinds of their own: less may get through.
                Err(_) => {}
            }
        }
        Delivery::Dropped
    }
}

/// The stable id of an event in the journal's `MESSAGE_ID`, as in `journalctl MESSAGE_ID=...`: the first 16 bytes of
/// SHA-256 over `mongo-uplink journal event:` and the event's name, with the bits of a UUID of version 8 set, in hex.
#[must_use]
pub fn message_id(event: &str) -> String {
    let hash = Sha256::new().chain_update("mongo-uplink journal event:").chain_update(event).finalize();
    let mut id: [u8; 16] = hash[..16].try_into().expect("SHA-256 has 32 bytes");
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// syslog's numbers.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

fn encode(line: &Line, limit: usize) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(512);
    let mut put = |name: &str, value: &str| put_field(&mut datagram, name, cut(value, limit));
    put("MESSAGE", &line.message);
    put("PRIORITY", priority(line.level));
    put("SYSLOG_IDENTIFIER", IDENTIFIER);
    put("TARGET", &line.target);
    if let Some(event) = &line.event {
        put("EVENT", event);
        put("MESSAGE_ID", &message_id(event));
    }
    for (name, value) in &line.fields {
        match value {
            Value::String(text) => put(&field_name(name), text),
            other => put(&field_name(name), &plain(other)),
        }
    }
    datagram
}

fn put_field(datagram: &mut Vec<u8>, name: &str, value: &str) {
    datagram.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        let length = u64::try_from(value.len()).expect("a value fits into memory");
        datagram.push(b'\n');
        datagram.extend_from_slice(&length.to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value.as_bytes());
    datagram.push(b'\n');
}

/// The value, or as much of it as the limit allows.
fn cut(value: &str, limit: usize) -> &str {
    let end = (0..=limit.min(value.len())).rev().find(|end| value.is_char_boundary(*end));
    &value[..end.unwrap_or(0)]
}

/// A name that the journal takes from a program: capitals, digits and `_`, beginning with a letter, at most 64. What
/// would be one of our own names, or one that means something to journald, gets `F_` in front.
fn field_name(name: &str) -> String {
    const TAKEN: [&str; 7] =
        ["MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "TARGET", "EVENT", "OBJECT_PID"];
    let clean: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .skip_while(|c| *c == '_')
        .take(62)
        .collect();
    let is_free = clean.starts_with(|c: char| c.is_ascii_uppercase()) && !TAKEN.contains(&clean.as_str());
    if is_free { clean } else { format!("F_{clean}") }
}

#[cfg(test)]
mod tests;
