//! What the file system tells of the database without reading a row: enough to see that something changed.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::SourceError;

/// The first bytes of a rollback journal that has something to roll back (SQLite file format, 3.1).
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Where the file change counter stands in the header (SQLite file format, 1.3.7).
const CHANGE_COUNTER: std::ops::Range<usize> = 24..28;

/// File times go by the kernel's tick: two changes within one can't be told apart by time.
const TICK: Duration = Duration::from_millis(10);

/// Identity, sizes and times of the database, its WAL and its journal. Equal stamps: nothing was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
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
    changed: (i64, i64),
}

impl Stamp {
    /// Looks at the files; reads nothing.
    ///
    /// # Errors
    /// [`SourceError::Missing`] or [`SourceError::File`].
    pub fn take(path: &Path) -> Result<Self, SourceError> {
        let database = stat(path)?.ok_or_else(|| SourceError::Missing(path.to_owned()))?;
        Ok(Self { database, wal: stat(&beside(path, "-wal"))?, journal: stat(&beside(path, "-journal"))? })
    }

    /// Whether commits may stand in the WAL that are not in the database file yet.
    pub(super) fn has_wal(&self) -> bool {
        self.wal.as_ref().is_some_and(|wal| wal.size > 0)
    }

    /// Whether it is the same file, whatever is in it.
    pub(super) fn same_file(&self, other: &Self) -> bool {
        (self.database.device, self.database.inode) == (other.database.device, other.database.inode)
    }

    /// Whether a change made from now on is sure to give another stamp.
    pub(super) fn is_settled(&self) -> bool {
        let (seconds, nanos) = self.database.modified;
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u32::try_from(nanos)) else { return true };
        let modified = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        // A time in the future can't be waited for; it also can't be the time of the next change.
        SystemTime::now().duration_since(modified).map_or(true, |age| age > TICK)
    }
}

/// The file change counter, which each transaction in a rollback mode moves.
pub(super) fn change_counter(path: &Path) -> Result<Option<[u8; 4]>, SourceError> {
    let mut header = [0; CHANGE_COUNTER.end];
    Ok(match read_start(path, &mut header)? {
        true => header[CHANGE_COUNTER].try_into().ok(),
        false => None,
    })
}

/// Whether a rollback journal is there that a reader would have to roll back first.
pub(super) fn has_hot_journal(path: &Path) -> Result<bool, SourceError> {
    let mut magic = [0; JOURNAL_MAGIC.len()];
    Ok(read_start(&beside(path, "-journal"), &mut magic)? && magic == JOURNAL_MAGIC)
}

/// The path of a file that SQLite keeps beside the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn read_start(path: &Path, buffer: &mut [u8]) -> Result<bool, SourceError> {
    let result = File::open(path).and_then(|mut file| file.read_exact(buffer));
    match result {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => Ok(false),
        Err(source) => Err(SourceError::File { path: path.to_owned(), source }),
    }
}

fn stat(path: &Path) -> Result<Option<FileStamp>, SourceError> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(FileStamp::from(&metadata))),
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
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
