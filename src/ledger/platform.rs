//! What the ledger asks of the operating system, where systems differ.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// The machine's name.
pub(crate) fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Device and inode: a renamed file keeps them, a copy has others.
pub(super) fn file_id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// How many names a file has.
pub(super) fn link_count(metadata: &Metadata) -> u64 {
    metadata.nlink()
}

/// Opens a file that exists, and never waits for whatever else may stand there.
pub(super) fn open_existing(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let open = |write| {
        OpenOptions::new()
            .read(true)
            .write(write)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
    };
    // Enough to read it: who wants to write is told so by SQLite.
    open(true).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => open(false),
        _ => Err(error),
    })
}

/// Removes everybody's access but the owner's. `SQLite` gives the journal the
/// same mode.
pub(super) fn make_private(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode() & 0o777;
    let private = mode & 0o700;
    if mode == private {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(private))
}

/// The file whose lock stands for the ledger of this id, where it is not the
/// ledger itself: elsewhere than on Linux, `flock` and the locks of `SQLite`
/// get in each other's way.
#[cfg(target_os = "linux")]
#[allow(clippy::unnecessary_wraps)]
pub(super) fn lock_file(_id: &str) -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn lock_file(id: &str) -> io::Result<Option<File>> {
    let folder = super::state_folder().map_err(io::Error::other)?;
    let folder = folder.join("ledgers");
    std::fs::create_dir_all(&folder)?;
    let mut options = crate::model::private_file();
    options.read(true).write(true).create(true).truncate(false);
    options.open(folder.join(format!("{id}.lock"))).map(Some)
}

/// The name of the file system of a folder.
#[cfg(target_os = "linux")]
pub(super) fn file_system(folder: &Path) -> Option<String> {
    let device = folder.metadata().ok()?.dev();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    file_system_of(device, &mounts)
}

/// The file system on a device, from the text of `/proc/self/mountinfo`.
#[cfg(target_os = "linux")]
fn file_system_of(device: u64, mounts: &str) -> Option<String> {
    let number = format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    mounts.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let name = file_system.split(' ').next()?;
        (mount.split(' ').nth(2)? == number).then(|| name.to_owned())
    })
}

#[cfg(target_os = "macos")]
pub(super) fn file_system(folder: &Path) -> Option<String> {
    let statfs = rustix::fs::statfs(folder).ok()?;
    let name = statfs.f_fstypename.iter().map(|&byte| byte as u8);
    Some(name.take_while(|&byte| byte != 0).map(char::from).collect())
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn file_system(_folder: &Path) -> Option<String> {
    None
}

/// Whether a file is mounted by itself, as containers do it.
#[cfg(target_os = "linux")]
pub(super) fn is_mount_point(file: &Path) -> bool {
    let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    has_mount_point(&mounts, file)
}

#[cfg(target_os = "linux")]
fn has_mount_point(mounts: &[u8], file: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let mut wanted = Vec::new();
    for &byte in file.as_os_str().as_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => wanted.extend(format!("\\{byte:03o}").bytes()),
            _ => wanted.push(byte),
        }
    }
    let mut lines = mounts.split(|&byte| byte == b'\n');
    lines.any(|line| line.split(|&byte| byte == b' ').nth(4) == Some(wanted.as_slice()))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_mount_point(_file: &Path) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
21 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
40 21 0:50 / /mnt/far\\040away rw,nosuid shared:1 - fuse.sshfs me@host: rw\n\
41 21 0:51 / /mnt/near rw - fuse.gocryptfs /x rw\n\
42 21 8:1 /l.db /x/my\\040ledger.db rw - ext4 /dev/sda1 rw\n";

    #[test]
    fn a_file_system_is_found_by_the_device_of_a_folder() {
        for (device, name) in [
            ((8, 1), Some("ext4")),
            ((0, 50), Some("fuse.sshfs")),
            ((0, 51), Some("fuse.gocryptfs")),
            ((0, 5), None),
        ] {
            let device = rustix::fs::makedev(device.0, device.1);
            assert_eq!(file_system_of(device, MOUNTS).as_deref(), name);
        }
    }

    #[test]
    fn a_mounted_file_is_found_by_its_path() {
        let is_mounted = |path: &str| has_mount_point(MOUNTS.as_bytes(), Path::new(path));
        assert!(is_mounted("/x/my ledger.db"));
        assert!(!is_mounted("/x/my\\040ledger.db"));
        assert!(!is_mounted("/x/ledger.db"));
        assert!(!is_mounted("/l.db"));
    }
}
