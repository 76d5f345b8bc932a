//! Which host, database and table the rows come from, as one text: part of every `_id`.

use std::path::Path;

use crate::config::Sqlite;
use crate::record::host_id;

/// Where systemd and D-Bus keep the machine id, see machine-id(5).
const MACHINE_ID: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// The host has no id of its own, and none is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this host has no machine id: set sqlite.source_id to a name that no other host has")]
pub struct NoHostId;

/// `host:path:table`, or with a configured `source_id` `source_id:file:table`: a name that was given by hand stays the
/// same when the database moves to another directory.
///
/// # Errors
/// [`NoHostId`].
pub fn source_id(config: &Sqlite) -> Result<String, NoHostId> {
    if !config.source_id.is_empty() {
        let file =
            config.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        return Ok(format!("{}:{file}:{}", config.source_id, config.table));
    }
    let host = MACHINE_ID.iter().find_map(|path| machine_id(Path::new(path))).ok_or(NoHostId)?;
    // Links stay as they are: where one leads to may change with every release of the application.
    let path = std::path::absolute(&config.path).unwrap_or_else(|_| config.path.clone());
    Ok(format!("{}:{}:{}", host_id(&host), path.display(), config.table))
}

fn machine_id(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let id = text.trim();
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_ascii_lowercase())
}
