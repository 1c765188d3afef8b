//! A backup: a copy of the ledger at one moment, made by the connection that
//! has it open.

use std::path::Path;

use super::LedgerError;
use super::error::{AtPath as _, LedgerErrorKind};
use super::file::LedgerReader;
use super::location;

impl LedgerReader {
    /// Copies the ledger into a new file, safe even while a run uses it. The
    /// file gets its name when it is complete.
    pub(crate) fn back_up(&self, to: &Path) -> Result<(), LedgerError> {
        let to = std::path::absolute(to).at(to)?;
        let folder = to.parent().unwrap_or(&to);
        let draft = tempfile::Builder::new()
            .prefix(".caseload-")
            .suffix(".new")
            .tempfile_in(folder)
            .at(&to)?;
        let name = draft
            .path()
            .to_str()
            .ok_or_else(|| LedgerErrorKind::NoAccess("its path is not UTF-8".to_owned()).at(&to))?;
        // Only the copy is written.
        let writes = |allowed: bool| self.conn.pragma_update(None, "query_only", !allowed);
        writes(true)
            .and_then(|()| self.conn.execute("VACUUM INTO ?1", [name]))
            .and_then(|_| writes(false))
            .at(&to)?;
        draft.as_file().sync_all().at(&to)?;
        draft
            .persist_noclobber(&to)
            .map_err(|error| error.error)
            .at(&to)?;
        location::sync_folder_of(&to)
    }
}
