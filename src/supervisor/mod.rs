//! The loop: probes MongoDB, and starts an export as soon as it can be reached and rows are pending.
//!
//! [`machine`] decides, and knows nothing but events and times; [`driver`] performs what it decides; [`control`] is how
//! the outside talks to them; `hints` is what the kernel tells. What holds is said in [`machine`].

mod backlog;
mod calls;
pub mod control;
pub mod driver;
mod health;
mod hints;
pub mod machine;
mod pace;
mod pausing;
mod reload;
mod rollback;
mod schedule;
mod services;
mod tell;

pub use driver::{Parts, Supervisor};
pub use pausing::was_paused;
pub use reload::Reload;
pub use schedule::schedule;
pub use services::Checks;
