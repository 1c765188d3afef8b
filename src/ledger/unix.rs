//! What the ledger needs of Unix: modes, file identity, kinds of file systems.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

/// The machine's name.
pub(crate) fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Makes a folder that only its owner may enter.
pub(super) fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Puts a folder's names on the disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// What stays of a file when it is renamed, and is another for a copy.
pub(super) fn file_id(path: &Path) -> io::Result<i64> {
    Ok(path.symlink_metadata()?.ino().cast_signed())
}

/// How many names a file has.
pub(super) fn link_count(path: &Path) -> io::Result<u64> {
    Ok(path.metadata()?.nlink())
}

/// Takes the rights of everybody but the owner from a file. `SQLite` gives
/// the files beside it the same mode.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    let mode = path.metadata()?.permissions().mode() & 0o777;
    let private = mode & 0o700;
    if mode == private {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(private))
}

/// The name of the file system under a folder, when it is one of the network.
#[cfg(target_os = "linux")]
pub(super) fn network_file_system(folder: &Path) -> Option<String> {
    /// `f_type` of statfs(2), from the kernel's own headers.
    const KINDS: [(u32, &str); 12] = [
        (0x0000_6969, "NFS"),
        (0xff53_4d42, "SMB/CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0000_517b, "SMB"),
        (0x5346_414f, "AFS"),
        (0x6b41_4653, "AFS"),
        (0x7375_7245, "Coda"),
        (0x0000_564c, "NCP"),
        (0x00c3_6400, "Ceph"),
        (0x0bd0_0bd0, "Lustre"),
        (0x1983_0326, "BeeGFS"),
        (0x786f_4256, "VirtualBox shared folder"),
    ];
    const FUSE: u32 = 0x6573_5546;
    // Signed, unsigned, 32 or 64 bits wide, by architecture.
    let kind = rustix::fs::statfs(folder).ok()?.f_type as u32;
    if kind == FUSE {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        return network_fuse(&mounts, folder);
    }
    KINDS
        .iter()
        .find(|(magic, _)| *magic == kind)
        .map(|(_, name)| (*name).to_owned())
}

/// The FUSE file system above a folder, when it is one of the network.
#[cfg(target_os = "linux")]
fn network_fuse(mountinfo: &str, folder: &Path) -> Option<String> {
    const KINDS: [&str; 9] = [
        "fuse.sshfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.gcsfuse",
        "fuse.google-drive-ocamlfuse",
        "fuse.onedriver",
        "fuse.davfs2",
        "fuse.glusterfs",
        "fuse.ceph-fuse",
    ];
    let (_, kind) = mountinfo
        .lines()
        .filter_map(|line| {
            let (mount, rest) = line.split_once(" - ")?;
            let point = mount.split(' ').nth(4)?.replace("\\040", " ");
            let kind = rest.split(' ').next()?;
            folder
                .starts_with(&point)
                .then(|| (point.len(), kind.to_owned()))
        })
        // Of two mounts on one place the later one is seen.
        .max_by_key(|(length, _)| *length)?;
    KINDS.contains(&kind.as_str()).then_some(kind)
}

/// The name of the file system under a folder, when it is one of the network.
#[cfg(target_os = "macos")]
pub(super) fn network_file_system(folder: &Path) -> Option<String> {
    const KINDS: [&str; 8] = [
        "nfs", "smbfs", "cifs", "afpfs", "webdav", "ftp", "macfuse", "osxfuse",
    ];
    let statfs = rustix::fs::statfs(folder).ok()?;
    let name: String = statfs
        .f_fstypename
        .iter()
        .map(|&byte| byte as u8)
        .take_while(|&byte| byte != 0)
        .map(char::from)
        .collect();
    KINDS.contains(&name.as_str()).then_some(name)
}

/// Elsewhere it is not known.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn network_file_system(_folder: &Path) -> Option<String> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_network_fuse_mount_is_found_by_its_longest_prefix() {
        let mounts = "\
21 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
40 21 0:50 / /mnt/far\\040away rw,nosuid shared:1 - fuse.sshfs me@host: rw\n\
41 21 0:51 / /mnt/near rw - fuse.gocryptfs /x rw\n";
        assert_eq!(
            network_fuse(mounts, Path::new("/mnt/far away/ledgers")),
            Some("fuse.sshfs".to_owned())
        );
        assert_eq!(network_fuse(mounts, Path::new("/mnt/near")), None);
        assert_eq!(network_fuse(mounts, Path::new("/home")), None);
    }

    #[test]
    fn a_local_disk_is_not_a_network_file_system() {
        assert_eq!(network_file_system(&std::env::temp_dir()), None);
    }
}
