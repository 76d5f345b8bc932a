//! File systems on which others may write without this kernel knowing.

use std::path::Path;

/// Their numbers in statfs(2): AFS, 9P, Ceph, CIFS, FUSE, NFS, SMB, SMB2.
const REMOTE: [u32; 8] =
    [0x5346_414f, 0x0102_1997, 0x00c3_6400, 0xff53_4d42, 0x6573_5546, 0x6969, 0x517b, 0xfe53_4d42];

/// Whether the file may be written to by another host. A file that can't be asked isn't.
pub(super) fn is_remote(path: &Path) -> bool {
    // The type's width and sign differ between architectures; the number is one of 32 bits everywhere.
    rustix::fs::statfs(path).is_ok_and(|found| REMOTE.contains(&(found.f_type as u32)))
}
