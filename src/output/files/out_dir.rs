//! A folder for everything that one run leaves.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::{FileError, FileFault};
use super::input::InputFile;
use super::place;
use super::set::Wanted;
use crate::model::private_file;

/// `DIR/<run>/`, made for this run alone.
#[derive(Debug, Clone)]
pub struct OutDir(PathBuf);

impl OutDir {
    /// Makes the folder of a run. Where there is one of that name (another
    /// ledger counts its runs by itself), a number is put behind it.
    pub fn create(parent: &Path, run: &str) -> Result<Self, FileError> {
        place::private_folder()
            .recursive(true)
            .create(parent)
            .map_err(|error| FileFault::Open(error).of(parent))?;
        for number in 1_u32.. {
            let folder = match number {
                1 => parent.join(run),
                _ => parent.join(format!("{run}-{number}")),
            };
            match place::private_folder().create(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(FileFault::Open(error).of(&folder)),
            }
        }
        Err(FileFault::Busy.of(parent))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The names of results, rejects and cases in doubt in it.
    pub fn wanted(&self, inputs: &[InputFile]) -> Wanted {
        let rejects = match inputs {
            [only] => self
                .0
                .join(format!("rejects.{}", only.shape.kind().ending())),
            _ => self.0.clone(),
        };
        Wanted {
            results: Some(self.0.join("results.csv")),
            rejects: Some(rejects),
            in_doubt: Some(self.0.join("in-doubt.csv")),
        }
    }

    /// Where the problems belong.
    pub fn problems(&self) -> PathBuf {
        self.0.join("problems.csv")
    }

    /// Writes the run's closing object.
    pub fn write_summary(&self, summary: &Value) -> Result<(), FileError> {
        let path = self.0.join("summary.json");
        let temporary = self.0.join(".summary.json.part");
        let written = private_file()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temporary)
            .and_then(|mut file| {
                file.write_all(format!("{summary:#}\n").as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&temporary, &path));
        written.map_err(|error| FileFault::Open(error).of(&path))
    }
}
