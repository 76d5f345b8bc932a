//! supervisor
pub mod control;
pub mod machine;
