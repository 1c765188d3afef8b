//! Where ledgers are kept when nobody says otherwise: one file an account in
//! the user's state folder.

use std::path::{Path, PathBuf};

use etcetera::base_strategy::BaseStrategy as _;

use super::{LedgerError, LedgerInfo, open_read_only};
use crate::model::Digest;

/// The folder of all ledgers without a place of their own: the state folder by
/// the platform's convention.
pub fn state_folder() -> Result<PathBuf, LedgerError> {
    let strategy = etcetera::base_strategy::choose_native_strategy()
        .map_err(|_| LedgerError::NoStateFolder)?;
    let base = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Ok(base.join("caseload"))
}

/// The ledger of an account in a folder of ledgers. The name tells people the
/// host, and the digest tells accounts of one host apart.
pub fn default_path(state_folder: &Path, account: &str) -> PathBuf {
    let host: String = host_of(account)
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' => c,
            _ => '_',
        })
        .collect();
    let digest = Digest::of(account.as_bytes()).to_string();
    state_folder.join(format!("{host}-{}.db", &digest[..12]))
}

/// The host of an account, with its port; a word that is no URL is its own.
pub fn host_of(account: &str) -> &str {
    let rest = account
        .split_once("://")
        .map_or(account, |(_, behind)| behind);
    rest.split('/').next().unwrap_or(rest)
}

/// A ledger in a folder of ledgers.
#[derive(Debug)]
pub struct DiscoveredLedger {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is, or why that can't be told.
    pub info: Result<LedgerInfo, LedgerError>,
}

/// Every ledger in a folder, by name; one that can't be read is there too.
pub fn discover(state_folder: &Path) -> Result<Vec<DiscoveredLedger>, LedgerError> {
    let fail = |error| LedgerError::system(state_folder, &error);
    let entries = match std::fs::read_dir(state_folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|extension| extension == "db") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths
        .into_iter()
        .map(|path| {
            let info = open_read_only(&path).and_then(|reader| reader.info());
            DiscoveredLedger { path, info }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_one_host_have_ledgers_of_their_own() {
        let folder = Path::new("/state");
        let first = default_path(folder, "https://api.example.com/organization/org_1");
        let second = default_path(folder, "https://api.example.com/organization/org_2");
        assert_ne!(first, second);
        for path in [first, second] {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            assert!(name.starts_with("api.example.com-"), "{name}");
        }
    }

    #[test]
    fn a_host_is_a_safe_part_of_a_file_name() {
        let path = default_path(Path::new("/state"), "http://[::1]:8080/x");
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        assert!(name.starts_with('_'), "{name}");
        assert!(!name.contains([':', '[', '/']));
        assert_eq!(host_of("sandbox"), "sandbox");
        assert_eq!(host_of("http://[::1]:8080/x"), "[::1]:8080");
    }
}
