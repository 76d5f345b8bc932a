//! A control group for a machine: systemd wants to be at the root of one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::wait::{PATIENCE, poll};

/// What the names of all of them begin with; behind it stands the id of the process that made it.
const PREFIX: &str = "mongo-uplink-test-";

/// Where the version 2 of control groups is mounted, if it is.
pub(super) fn mounted() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?;
    line.split(' ').nth(1).map(PathBuf::from)
}

/// A control group, removed when this is dropped; its processes must be on their way to the end by then.
pub(super) struct Group(PathBuf);

impl Group {
    #[track_caller]
    pub(super) fn make() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let root = mounted().expect("that was asked before");
        sweep(&root);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("root makes control groups");
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // If it is in vain, the next test sweeps it away.
        let _ = poll(PATIENCE, || remove(&self.0).then_some(()));
    }
}

/// Removes what was left by processes that were killed.
fn sweep(root: &Path) {
    for path in folders(root) {
        let maker = path.file_name().and_then(|name| name.to_str()?.strip_prefix(PREFIX)?.split('-').next());
        if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
            remove(&path);
        }
    }
}

/// Groups can be removed from the inside to the outside, and only without processes.
fn remove(path: &Path) -> bool {
    folders(path).iter().for_each(|inner| {
        remove(inner);
    });
    fs::remove_dir(path).is_ok() || !path.exists()
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
