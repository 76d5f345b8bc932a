//! Where to look for changes of a database: directories, and names in them.
//!
//! What holds: whatever has to happen for the database, its WAL or its journal to appear, change or be replaced, the
//! first step of it happens to one of the names in one of the places. Only a directory above them may be exchanged
//! unseen; then the places of afterwards are others.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::stamp::beside;

/// What SQLite keeps beside the database and writes commits to. Not `-shm`, which readers write to, too.
const BESIDE: [&str; 2] = ["-wal", "-journal"];

/// A directory, and what in it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The directory.
    pub(super) directory: PathBuf,
    device: u64,
    inode: u64,
    /// The database, under the configured name and its own; or the next directory on the way to it.
    databases: Vec<OsString>,
    /// Its WAL and journal.
    beside: Vec<OsString>,
    /// Whether the names are files whose content matters; else one of them has yet to appear.
    pub(super) holds_files: bool,
}

impl Place {
    /// Whether it matters that this name appears, goes or is written to.
    pub(super) fn has(&self, name: &OsStr) -> bool {
        self.has_database(name) || self.beside.iter().any(|known| known == name)
    }

    /// Whether this is the database itself.
    pub(super) fn has_database(&self, name: &OsStr) -> bool {
        self.databases.iter().any(|known| known == name)
    }

    fn new(directory: &Path, name: OsString, beside: Vec<OsString>) -> Option<Self> {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let metadata = directory.metadata().ok().filter(std::fs::Metadata::is_dir)?;
        let (device, inode) = (metadata.dev(), metadata.ino());
        let holds_files = !beside.is_empty();
        Some(Self {
            directory: directory.to_owned(),
            device,
            inode,
            databases: vec![name],
            beside,
            holds_files,
        })
    }

    /// The directory of a file.
    fn of(file: &Path) -> Option<Self> {
        let own = file.file_name()?.to_owned();
        let beside = BESIDE.iter().filter_map(|suffix| Some(beside(file, suffix).file_name()?.to_owned()));
        Self::new(file.parent()?, own, beside.collect())
    }

    /// The lowest directory that exists, of those on the way to one that doesn't.
    fn on_the_way(file: &Path) -> Option<Self> {
        let directories = file.ancestors().skip(1);
        directories.zip(file.ancestors().skip(2)).find_map(|(missing, directory)| {
            Self::new(directory, missing.file_name()?.to_owned(), Vec::new())
        })
    }
}

/// The places for the database of this path: its directory, and that of the file that a link leads to.
pub(super) fn places(path: &Path) -> Vec<Place> {
    let mut places: Vec<Place> = Place::of(path).or_else(|| Place::on_the_way(path)).into_iter().collect();
    if let Some(real) = path.canonicalize().ok().and_then(|file| Place::of(&file)) {
        match places.first_mut() {
            Some(first) if (first.device, first.inode) == (real.device, real.inode) => {
                if !first.has_database(&real.databases[0]) {
                    first.databases.extend(real.databases);
                    first.beside.extend(real.beside);
                }
            }
            _ => places.push(real),
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(place: &Place) -> Vec<&str> {
        place.databases.iter().chain(&place.beside).filter_map(|name| name.to_str()).collect()
    }

    #[test]
    fn a_database_is_looked_for_in_its_directory_and_where_its_link_leads() {
        let root = tempfile::tempdir().unwrap();
        let (real, link) = (root.path().join("real"), root.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::fs::create_dir(&link).unwrap();
        std::fs::write(real.join("a.db"), "").unwrap();
        std::os::unix::fs::symlink(real.join("a.db"), link.join("b.db")).unwrap();
        let found = places(&link.join("b.db"));
        assert_eq!(found.len(), 2);
        assert_eq!(names(&found[0]), ["b.db", "b.db-wal", "b.db-journal"]);
        assert_eq!(names(&found[1]), ["a.db", "a.db-wal", "a.db-journal"]);
        assert!(found.iter().all(|place| place.holds_files));
    }

    #[test]
    fn a_directory_that_does_not_exist_is_waited_for_in_the_lowest_one_that_does() {
        let root = tempfile::tempdir().unwrap();
        let found = places(&root.path().join("not/there/yet.db"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].directory.as_path(), names(&found[0])), (root.path(), vec!["not"]));
        assert!(!found[0].holds_files);
    }

    #[test]
    fn a_relative_path_is_looked_for_in_the_working_directory() {
        let found = places(Path::new("no-such.db"));
        assert_eq!(found[0].directory, Path::new("."));
        let found = places(Path::new("no/such.db"));
        assert_eq!((found[0].directory.as_path(), names(&found[0])), (Path::new("."), vec!["no"]));
    }
}
