//! Where a ledger may lie: its true path, and folders that are refused.

use std::path::{Component, Path, PathBuf};

use super::{LedgerError, system};

/// Folders that sync programs keep, by the start of their names.
const SYNCED: [&str; 9] = [
    "OneDrive",
    "Dropbox",
    "Google Drive",
    "GoogleDrive",
    "iCloud Drive",
    "iCloudDrive",
    "Mobile Documents",
    "CloudStorage",
    "Nextcloud",
];

/// The one absolute path without links of a file that need not be there, so
/// that two names of one ledger are one lock.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, LedgerError> {
    let fail = |error| LedgerError::system(path, &error);
    let absolute = std::path::absolute(path).map_err(fail)?;
    for known in absolute.ancestors() {
        match known.canonicalize() {
            Ok(known_canonical) => {
                let rest = absolute.strip_prefix(known).unwrap_or(Path::new(""));
                // Joining an empty rest would add a slash.
                return Ok(if rest.as_os_str().is_empty() {
                    known_canonical
                } else {
                    known_canonical.join(rest)
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
    }
    Ok(absolute)
}

/// [`canonical`], or the reason why no ledger may lie there.
pub(super) fn checked(path: &Path) -> Result<PathBuf, LedgerError> {
    let ledger = canonical(path)?;
    if ledger.is_dir() {
        return Err(LedgerError::NoAccess {
            path: ledger,
            detail: "it is a folder".to_owned(),
        });
    }
    if let Some(name) = synced_folder(&ledger) {
        return Err(LedgerError::SyncFolder { path: ledger, name });
    }
    let folder = ledger.ancestors().skip(1).find(|folder| folder.exists());
    if let Some(kind) = folder.and_then(system::network_file_system) {
        return Err(LedgerError::NetworkFolder { path: ledger, kind });
    }
    Ok(ledger)
}

/// The folder on the way to a file that a sync program keeps.
fn synced_folder(path: &Path) -> Option<String> {
    path.parent()?.components().find_map(|component| {
        let Component::Normal(name) = component else {
            return None;
        };
        let name = name.to_str()?;
        let synced = SYNCED.iter().any(|start| {
            name.get(..start.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(start))
                // "OneDrive - Firm", "Dropbox (Personal)", "GoogleDrive-me@firm"
                && !name[start.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
        });
        synced.then(|| name.to_owned())
    })
}

/// Makes the folders above a ledger that are not there, for its owner only,
/// each lasting through a crash.
pub(super) fn make_folders(ledger: &Path) -> Result<(), LedgerError> {
    let missing: Vec<&Path> = ledger
        .ancestors()
        .skip(1)
        .take_while(|folder| !folder.exists())
        .collect();
    for folder in missing.into_iter().rev() {
        system::make_private_folder(folder).map_err(|error| LedgerError::system(folder, &error))?;
        sync_folder_of(folder)?;
    }
    Ok(())
}

/// Makes a new name in a folder last through a crash.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), LedgerError> {
    let folder = path.parent().unwrap_or(path);
    system::sync_folder(folder).map_err(|error| LedgerError::system(folder, &error))
}

/// The file beside a ledger with this ending.
pub(super) fn beside(ledger: &Path, ending: &str) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_sync_programs_are_known_by_name() {
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
}
