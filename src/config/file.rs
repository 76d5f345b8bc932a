//! Reading files: regular ones only, up to a limit, so that a pipe or a device can't hold the start up.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Origin, Problem, Sources};

/// Many times what a configuration, or a connection string, can need.
const MAX_BYTES: u64 = 1 << 20;

/// The configuration file and its content, if there is one.
///
/// # Errors
/// The file that was named doesn't exist, or the one that exists can't be read.
pub(super) fn find(sources: &Sources) -> Result<Option<(PathBuf, String)>, Problem> {
    if let Some(path) = &sources.file {
        let text = read(path).map_err(|error| unreadable(path, &error))?;
        return Ok(Some((path.clone(), text)));
    }
    for path in &sources.search {
        match read(path) {
            Ok(text) => return Ok(Some((path.clone(), text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    Ok(None)
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::new("file", Origin::File(path.to_owned()), format!("can't be read: {error}"))
        .allowed("a readable TOML file")
}

/// The content of a text file.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    // Asked before it is opened: opening a pipe would wait for its other end.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).map_or(true, |len| len > MAX_BYTES) {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}
