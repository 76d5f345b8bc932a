//! Everything that moves under us: rows, files, schemas, journals. After each, the collection holds exactly what was
//! ever committed.

mod files;
mod journals;
pub(crate) mod rig;
mod rows;
mod schemas;
mod users;
