//! Which file a name means, and the modes of files and folders.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// What a name means: the file itself, where it is there, and the place that
/// the name leads to.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    place: PathBuf,
    file: Option<(u64, u64)>,
}

impl Identity {
    /// Of a file that may be there or not.
    pub(super) fn of(path: &Path) -> Self {
        Self {
            place: resolved(path),
            file: fs::metadata(path).ok().as_ref().and_then(number),
        }
    }

    /// Whether two names mean one file: the same device and inode, whatever
    /// links lead there, or the same place though nothing is there.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.place == other.place || (self.file.is_some() && self.file == other.file)
    }

    /// The path with all links followed.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Whether the name still leads to this open file.
    pub(super) fn is_open_as(&self, file: &File) -> bool {
        let opened = file.metadata().ok().as_ref().and_then(number);
        match fs::metadata(&self.place) {
            Ok(named) => number(&named) == opened,
            Err(_) => false,
        }
    }
}

/// All links followed, as far as there is anything to follow.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(place) = fs::canonicalize(path) {
        return place;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (
        absolute.parent().map(fs::canonicalize),
        absolute.file_name(),
    ) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

#[cfg(unix)]
// Elsewhere there is none.
#[allow(clippy::unnecessary_wraps)]
fn number(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Takes the rights of everybody but the owner from an open file.
#[cfg(unix)]
pub(super) fn make_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if file.metadata()?.permissions().mode() & 0o777 == 0o600 {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
pub(super) fn make_private(_: &File) -> io::Result<()> {
    Ok(())
}

/// Makes folders that only their owner may enter.
pub(super) fn private_folder() -> DirBuilder {
    #[allow(unused_mut)]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder
}
