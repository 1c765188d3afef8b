//! Where ledgers are kept: the state folder, a ledger's true path, and the
//! places that are refused.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use etcetera::base_strategy::BaseStrategy as _;

use super::error::{AtPath as _, LedgerErrorKind};
use super::server::Server;
use super::{LedgerError, LedgerInfo, Location, Records, open_read_only, platform};
use crate::model::{Digest, private_directory};

/// Folders of sync services, by the start of their names.
const SYNCED: &str = "OneDrive,Dropbox,Google Drive,GoogleDrive,iCloud Drive,iCloudDrive,\
    Mobile Documents,CloudStorage,Nextcloud";

/// File systems of the network, by the names that Linux and macOS have for them.
const NETWORK_FILE_SYSTEMS: &str = "\
    afpfs afs beegfs ceph cifs coda ftp lustre macfuse ncp ncpfs nfs nfs4 osxfuse smb3 smbfs \
    vboxsf webdav fuse.ceph-fuse fuse.davfs2 fuse.gcsfuse fuse.glusterfs \
    fuse.google-drive-ocamlfuse fuse.onedriver fuse.rclone fuse.s3fs fuse.sshfs";

/// The user's state folder can't be determined.
#[derive(Debug, thiserror::Error)]
#[error("no state folder: the home folder is unknown; name the ledger with --ledger")]
pub(crate) struct NoStateFolder;

/// The folder of ledgers that were given no path: the user's state folder by
/// the platform's convention.
pub(crate) fn state_folder() -> Result<PathBuf, NoStateFolder> {
    let strategy = etcetera::base_strategy::choose_native_strategy().map_err(|_| NoStateFolder)?;
    let base = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Ok(base.join("caseload"))
}

/// Where temporary files with cases go: the state folder, which is on a disk and
/// its owner's; without one, the system's folder for them.
pub(crate) fn temporary_folder() -> PathBuf {
    let folder = state_folder().ok();
    let usable = |folder: &PathBuf| private_directory().recursive(true).create(folder).is_ok();
    folder.filter(usable).unwrap_or_else(std::env::temp_dir)
}

/// The ledger of an account in a folder of ledgers. The name shows the host,
/// and the digest distinguishes the accounts of one host.
pub(crate) fn default_path(state_folder: &Path, account: &str) -> PathBuf {
    let is_unsafe = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-');
    let host = host_of(account).replace(is_unsafe, "_");
    let digest = Digest::of(account.as_bytes()).to_string();
    state_folder.join(format!("{host}-{}.db", &digest[..12]))
}

/// The host of an account, with its port; an account that is not a URL is its
/// own host.
fn host_of(account: &str) -> &str {
    let (_, rest) = account.split_once("://").unwrap_or(("", account));
    rest.split('/').next().unwrap_or(rest)
}

/// A ledger that this machine knows.
#[derive(Debug)]
pub(crate) struct KnownLedger {
    pub(crate) path: PathBuf,
    /// By the ledger itself, or as it is remembered.
    pub(crate) id: Option<String>,
    pub(crate) account: Option<String>,
    /// Or why it can't be read.
    pub(crate) info: Result<LedgerInfo, LedgerError>,
}

/// The ledgers in the state folder, and those that were used elsewhere on this
/// machine, lost ones too.
pub(crate) fn known(state_folder: &Path) -> Vec<KnownLedger> {
    let mut known = discover(state_folder).unwrap_or_default();
    let records = Records::in_folder(state_folder);
    for record in records.known() {
        let id = Some(record.id);
        if known.iter().any(|found| found.id == id) {
            continue;
        }
        let mut ledger = look_at(record.path, &records);
        if ledger.id != id {
            if ledger.info.is_ok() {
                ledger.info = Err(LedgerErrorKind::NotFound.at(&ledger.path));
            }
            (ledger.id, ledger.account) = (id, Some(record.account));
        }
        known.push(ledger);
    }
    known
}

/// Every ledger in a folder, by name, including those that can't be read.
pub(crate) fn discover(folder: &Path) -> Result<Vec<KnownLedger>, LedgerError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.at(folder)?,
    };
    let paths = entries.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>().at(folder)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "db"));
    paths.sort();
    let records = Records::in_folder(folder);
    let ledgers = paths.into_iter().map(|path| look_at(path, &records));
    Ok(ledgers.collect())
}

fn look_at(path: PathBuf, records: &Records) -> KnownLedger {
    let info = if Location::is_address(&path) {
        Err(LedgerErrorKind::Elsewhere.at(&path))
    } else {
        let reader = open_read_only(&path, Some(records.clone()));
        reader.and_then(|reader| reader.info())
    };
    let known = info.as_ref().ok();
    KnownLedger {
        path,
        id: known.map(|info| info.id.clone()),
        account: known.map(|info| info.account.clone()),
        info,
    }
}

/// The absolute path without links of a file that need not exist, so that two
/// names of one ledger lead to one lock.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, LedgerError> {
    let absolute = std::path::absolute(path).at(path)?;
    for known in absolute.ancestors() {
        match known.canonicalize() {
            Ok(canonical) => {
                let rest = absolute.iter().skip(known.iter().count());
                // Not `join`, which would add a slash where nothing is missing.
                return Ok(canonical.iter().chain(rest).collect());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).at(path),
        }
    }
    Ok(absolute)
}

/// [`canonical`], or the reason why a ledger can't be kept there.
pub(super) fn checked(path: &Path) -> Result<PathBuf, LedgerError> {
    let ledger = canonical(path)?;
    if ledger.is_dir() {
        return Err(LedgerErrorKind::Folder.at(&ledger));
    }
    if ledger.is_symlink() {
        return Err(LedgerErrorKind::DanglingLink.at(&ledger));
    }
    if let Some(service) = synced_folder(&ledger) {
        return Err(LedgerErrorKind::SyncFolder(service).at(&ledger));
    }
    let folder = ledger.ancestors().skip(1).find(|folder| folder.exists());
    if let Some(file_system) = folder.and_then(network_file_system) {
        return Err(LedgerErrorKind::NetworkFolder(file_system).at(&ledger));
    }
    if platform::is_mount_point(&ledger) {
        return Err(LedgerErrorKind::MountedFile.at(&ledger));
    }
    Ok(ledger)
}

/// Whether there is something at the path of a ledger, or why no ledger can be
/// there.
pub(crate) fn exists(location: impl Into<Location>) -> Result<bool, LedgerError> {
    let location = location.into();
    match &location {
        Location::File(path) => {
            let path = checked(path)?;
            path.try_exists().at(&path)
        }
        Location::Server(address) => match Server::new(address.as_ref().clone()).check() {
            Err(LedgerErrorKind::NotFound) => Ok(false),
            checked => checked.map(|()| true).at(location.path()),
        },
    }
}

/// The folder above a file that a sync service keeps.
fn synced_folder(path: &Path) -> Option<String> {
    path.parent()?.components().find_map(|component| {
        let Component::Normal(name) = component else {
            return None;
        };
        let name = name.to_str()?;
        let synced = SYNCED.split(',').any(|start| {
            name.get(..start.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(start))
                // "OneDrive - Firm", "Dropbox (Personal)", "GoogleDrive-me@firm"
                && !name[start.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
        });
        synced.then(|| name.to_owned())
    })
}

/// Creates the missing folders above a ledger, for its owner only, and syncs
/// each to the disk.
pub(super) fn create_folders(ledger: &Path) -> Result<(), LedgerError> {
    let missing: Vec<&Path> = ledger
        .ancestors()
        .skip(1)
        .take_while(|folder| !folder.exists())
        .collect();
    for folder in missing.into_iter().rev() {
        private_directory().create(folder).at(folder)?;
        sync_folder_of(folder)?;
    }
    Ok(())
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Makes sure that a new file or folder is still there after a crash.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), LedgerError> {
    let folder = folder_of(path);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.at(folder)
}

/// The file beside a ledger with this ending.
pub(crate) fn beside(ledger: &Path, ending: &str) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The name of the file system under a folder, when it is one of the network.
fn network_file_system(folder: &Path) -> Option<String> {
    let name = platform::file_system(folder)?;
    let is_network = NETWORK_FILE_SYSTEMS
        .split(' ')
        .any(|network| network == name);
    is_network.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_name(account: &str) -> String {
        let path = default_path(Path::new("/state"), account);
        path.file_name().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn accounts_of_one_host_have_separate_ledgers() {
        let first = file_name("https://api.example.com/organization/org_1");
        let second = file_name("https://api.example.com/organization/org_2");
        assert_ne!(first, second);
        for name in [first, second] {
            assert!(name.starts_with("api.example.com-"), "{name}");
        }
    }

    #[test]
    fn the_host_in_a_file_name_is_safe() {
        let name = file_name("http://[::1]:8080/x");
        assert!(name.starts_with('_'), "{name}");
        assert!(!name.contains([':', '[', '/']));
        assert_eq!(host_of("sandbox"), "sandbox");
        assert_eq!(host_of("http://[::1]:8080/x"), "[::1]:8080");
    }

    #[test]
    fn folders_of_sync_services_are_recognized_by_name() {
        for path in [
            "/home/a/Dropbox/x.db",
            "/home/a/Dropbox (Personal)/b/x.db",
            "/Users/a/OneDrive - Smith LLP/x.db",
            "/Users/a/Library/Mobile Documents/com~apple~CloudDocs/x.db",
            "/Users/a/Library/CloudStorage/GoogleDrive-a@b.com/x.db",
            "/home/a/google drive/x.db",
        ] {
            assert!(synced_folder(Path::new(path)).is_some(), "{path}");
        }
        for path in [
            "/home/a/dropboxes/x.db",
            "/home/a/work/dropbox.db",
            "/home/a/OneDrives/x.db",
            "/home/a/x.db",
        ] {
            assert_eq!(synced_folder(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn network_file_systems_are_known_by_name() {
        let mut names = NETWORK_FILE_SYSTEMS.split(' ');
        assert!(names.any(|name| name == "fuse.sshfs"));
        assert!(NETWORK_FILE_SYSTEMS.split(' ').all(|name| !name.is_empty()));
        assert_eq!(network_file_system(&std::env::temp_dir()), None);
    }
}
