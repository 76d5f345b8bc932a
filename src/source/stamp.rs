//! What the file system tells of the database without reading a row: enough to see that something changed.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::SourceError;

/// The first bytes of a rollback journal that has something to roll back (SQLite file format, 3.1).
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// File times go by the kernel's tick: two changes within one can't be told apart by time.
const TICK: Duration = Duration::from_millis(10);

/// A time of whole seconds comes from a file system that knows no finer ones; the coarsest (FAT) counts in twos.
const COARSE_TICK: Duration = Duration::from_millis(2_100);

/// Identity, sizes and times of the database, its WAL and its journal. Equal stamps, of which the first
/// [was settled](Stamp::is_settled): nothing was written in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The file itself, behind all links: SQLite keeps WAL and journal beside it.
    file: PathBuf,
    database: FileStamp,
    wal: Option<FileStamp>,
    journal: Option<FileStamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Of the database alone: SQLite as root gives a WAL to its owner each time it opens it, which moves this time.
    changed: Option<(i64, i64)>,
}

impl Stamp {
    /// Looks at the files; reads nothing.
    ///
    /// # Errors
    /// [`SourceError::Missing`] or [`SourceError::File`].
    pub fn take(path: &Path) -> Result<Self, SourceError> {
        let missing = || SourceError::Missing(path.to_owned());
        let file = match path.canonicalize() {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing()),
            Err(source) => return Err(SourceError::File { path: path.to_owned(), source }),
        };
        let metadata = stat(&file)?.ok_or_else(missing)?;
        if metadata.file_type().is_fifo() || metadata.file_type().is_socket() {
            // Whoever opens a pipe waits for somebody at its other end.
            return Err(SourceError::NotADatabase(path.to_owned()));
        }
        let changed = Some((metadata.ctime(), metadata.ctime_nsec()));
        let database = FileStamp { changed, ..FileStamp::from(&metadata) };
        let [wal, journal] = [beside(&file, "-wal"), beside(&file, "-journal")].map(|path| stat(&path));
        let (wal, journal) = (wal?.as_ref().map(FileStamp::from), journal?.as_ref().map(FileStamp::from));
        Ok(Self { file, database, wal, journal })
    }

    /// Whether every change made after `before`, a time at which the stamp wasn't taken yet, gives another stamp.
    #[must_use]
    pub fn is_settled(&self, before: SystemTime) -> bool {
        [Some(&self.database), self.wal.as_ref(), self.journal.as_ref()]
            .into_iter()
            .flatten()
            .all(|file| file.is_settled(before))
    }

    /// The database file, behind all links.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Whether commits may stand in the WAL that are not in the database file yet.
    pub(super) fn has_wal(&self) -> bool {
        self.wal.as_ref().is_some_and(|wal| wal.size > 0)
    }

    /// Whether a journal is there that was written to after the database was.
    pub(super) fn has_fresh_journal(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.modified >= self.database.modified)
    }

    /// Whether it is the same file, whatever is in it.
    pub(super) fn same_file(&self, other: &Self) -> bool {
        (self.database.device, self.database.inode) == (other.database.device, other.database.inode)
    }
}

impl FileStamp {
    fn is_settled(&self, before: SystemTime) -> bool {
        let (seconds, nanos) = self.modified;
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u32::try_from(nanos)) else { return true };
        let modified = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        let tick = if nanos == 0 { COARSE_TICK } else { TICK };
        // A time in the future can't be waited for; it also can't be the time of the next change.
        let after = modified.duration_since(before).is_ok_and(|ahead| ahead > tick);
        after || before.duration_since(modified).is_ok_and(|age| age > tick)
    }
}

/// Whether a rollback journal is there that a reader would have to roll back first.
pub(super) fn has_hot_journal(file: &Path) -> Result<bool, SourceError> {
    let journal = beside(file, "-journal");
    let mut magic = [0; JOURNAL_MAGIC.len()];
    match File::open(&journal).and_then(|mut journal| journal.read_exact(&mut magic)) {
        Ok(()) => Ok(magic == JOURNAL_MAGIC),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => Ok(false),
        Err(source) => Err(SourceError::File { path: journal, source }),
    }
}

/// The path of a file that SQLite keeps beside the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn stat(path: &Path) -> Result<Option<Metadata>, SourceError> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SourceError::File { path: path.to_owned(), source }),
    }
}

impl From<&Metadata> for FileStamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: None,
        }
    }
}
