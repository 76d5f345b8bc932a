//! The application never notices us: its commits never wait, its WAL is never held up, and what we read is always a
//! state that it has committed.

mod leftovers;
mod locks;
mod reader;
mod stalled;
mod threads;
mod torture;
