//! The socket in the file system.
//!
//! What holds: its permission bits are [`MODE`] from the moment it can be found under its name; what a daemon that was
//! killed left behind is replaced, what somebody listens on, and what isn't a socket, never.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Who may connect: the daemon's user and its group.
const MODE: u32 = 0o660;

/// A socket that is removed with this value.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode: another daemon may have taken the name since.
    identity: (u64, u64),
}

impl Socket {
    /// Makes the socket.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Ok(found) = fs::symlink_metadata(path) {
            if !found.file_type().is_socket() {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else is there"));
            }
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody listens there"));
            }
        }
        // Under another name first: between its making and its permission bits nobody must find it.
        let mut hidden = path.as_os_str().to_owned();
        hidden.push(".new");
        let hidden = PathBuf::from(hidden);
        let _left_behind = fs::remove_file(&hidden);
        let listener = UnixListener::bind(&hidden)?;
        fs::set_permissions(&hidden, Permissions::from_mode(MODE))?;
        let made = fs::symlink_metadata(&hidden)?;
        fs::rename(&hidden, path)?;
        Ok(Self { listener, path: path.to_owned(), identity: (made.dev(), made.ino()) })
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_for_user_and_group_replaces_a_dead_one_and_nothing_else() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("http.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket that nobody listens on"));
        let socket = Socket::open(&path).expect("a dead one is replaced");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        let refused = Socket::open(&path).expect_err("it is alive");
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        drop(socket);
        assert!(!path.exists());
        fs::write(&path, "somebody's").expect("our own file");
        let refused = Socket::open(&path).expect_err("it is a file");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "somebody's");
    }
}
