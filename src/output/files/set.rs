//! Results, rejects and cases in doubt together: which names they have, and
//! which case goes where.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{FileError, FileFault};
use super::in_doubt::InDoubt;
use super::input::{InputFile, Shape};
use super::kind::Kind;
use super::line::CaseLine;
use super::place;
use super::rejects::Rejects;
use super::results::Results;
use super::run::RunFiles;
use super::target::{Opener, Target};
use crate::model::{Key, State};

/// The outputs that are wanted, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Every case.
    pub results: Option<PathBuf>,
    /// Rejected records; with several inputs a folder.
    pub rejects: Option<PathBuf>,
    /// Cases in doubt.
    pub in_doubt: Option<PathBuf>,
}

/// One of the outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    /// Every case.
    Results,
    /// Rejected records.
    Rejects,
    /// Cases in doubt.
    InDoubt,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Which.
    pub output: Output,
    /// Where.
    pub path: PathBuf,
    /// How many rows it has.
    pub rows: u64,
}

/// What became of the outputs.
#[derive(Debug, Default)]
pub struct Written {
    /// The files that are whole.
    pub files: Vec<WrittenFile>,
    /// What went wrong with the others.
    pub errors: Vec<FileError>,
}

/// Outputs that could all be opened. Dropped, they leave everything as it was.
#[derive(Debug)]
pub struct Opened {
    inputs: Vec<InputFile>,
    targets: Vec<Targets>,
}

#[derive(Debug)]
struct Targets {
    results: Option<Target>,
    rejects: Vec<Target>,
    in_doubt: Option<Target>,
}

impl Opened {
    /// Opens what is wanted; nothing is changed yet. An export of nothing has
    /// no inputs, and its files have their headers.
    pub fn open(
        opener: &mut Opener<'_>,
        wanted: &[Wanted],
        mut inputs: Vec<InputFile>,
    ) -> Result<Self, FileError> {
        if inputs.is_empty() {
            let rejects = wanted.iter().find_map(|wanted| wanted.rejects.as_deref());
            inputs.push(InputFile::nothing(rejects.unwrap_or(Path::new(""))));
        }
        let mut targets = Vec::new();
        for wanted in wanted {
            let mut csv = |path: &Option<PathBuf>| {
                path.as_ref()
                    .map(|path| opener.open(path, Kind::Csv))
                    .transpose()
            };
            let results = csv(&wanted.results)?;
            let in_doubt = csv(&wanted.in_doubt)?;
            let mut rejects = Vec::new();
            if let Some(given) = &wanted.rejects {
                for (path, input) in reject_names(given, &inputs)?.iter().zip(&inputs) {
                    rejects.push(opener.open(path, input.shape.kind())?);
                }
            }
            targets.push(Targets {
                results,
                rejects,
                in_doubt,
            });
        }
        Ok(Self { inputs, targets })
    }

    /// Empties the files and begins them for a run.
    pub fn begin_run(self) -> Result<RunFiles, FileError> {
        Ok(RunFiles::new(self.begin()?))
    }

    /// Empties the files and begins them for an export.
    pub fn begin_export(self) -> Result<ExportFiles, FileError> {
        self.begin().map(ExportFiles)
    }

    fn begin(self) -> Result<Files, FileError> {
        let mut sets = Vec::new();
        for targets in self.targets {
            sets.push(Set {
                results: targets.results.map(Results::begin).transpose()?,
                rejects: targets
                    .rejects
                    .into_iter()
                    .zip(&self.inputs)
                    .map(|(target, input)| Rejects::begin(target, input))
                    .collect::<Result<_, _>>()?,
                in_doubt: targets
                    .in_doubt
                    .map(|target| InDoubt::begin(target, &self.inputs))
                    .transpose()?,
            });
        }
        Ok(Files {
            inputs: self.inputs,
            sets,
        })
    }
}

/// A rejects file for each input: the name itself for a single one, else names
/// in a folder, made of the inputs' own.
fn reject_names(given: &Path, inputs: &[InputFile]) -> Result<Vec<PathBuf>, FileError> {
    if let [_] = inputs
        && !given.is_dir()
    {
        return Ok(vec![given.to_owned()]);
    }
    if !given.is_dir() {
        if given.exists() || given.extension().is_some() {
            return Err(FileFault::FolderNeeded(inputs.len()).of(given));
        }
        match place::private_folder().create(given) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(FileFault::NoFolder.of(given));
            }
            Err(error) => return Err(FileFault::Open(error).of(given)),
        }
    }
    let mut taken = HashSet::new();
    let mut names = Vec::new();
    for input in inputs {
        let stem = stem(input);
        let ending = input.shape.kind().ending();
        // As many names as inputs: one of them is free.
        let name = (1..=inputs.len())
            .map(|number| match number {
                1 => format!("{stem}.rejects.{ending}"),
                _ => format!("{stem}-{number}.rejects.{ending}"),
            })
            // Some file systems don't tell letter cases apart.
            .find(|name| taken.insert(name.to_lowercase()));
        names.extend(name.map(|name| given.join(name)));
    }
    Ok(names)
}

/// `cases` of `export/cases.csv.gz`.
fn stem(input: &InputFile) -> String {
    let Some(path) = &input.path else {
        return "stdin".to_owned();
    };
    let name = path
        .file_name()
        .unwrap_or(OsStr::new("input"))
        .to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
        _ => name.to_owned(),
    }
}

/// One set of begun outputs.
#[derive(Debug)]
struct Set {
    results: Option<Results>,
    /// By input.
    rejects: Vec<Rejects>,
    in_doubt: Option<InDoubt>,
}

/// All outputs of a command, begun.
#[derive(Debug)]
pub(super) struct Files {
    inputs: Vec<InputFile>,
    sets: Vec<Set>,
}

impl Files {
    pub(super) fn inputs(&self) -> &[InputFile] {
        &self.inputs
    }

    /// Adds a case to the outputs that it belongs to.
    pub(super) fn case(&mut self, input: usize, case: &CaseLine<'_>) {
        let shape = self
            .inputs
            .get(input)
            .map_or(&Shape::Json, |input| &input.shape);
        for set in &mut self.sets {
            if let Some(results) = &mut set.results {
                results.row(case);
            }
            if case.state == State::InDoubt
                && let Some(in_doubt) = &mut set.in_doubt
            {
                in_doubt.row(case, shape);
            }
        }
        if case.state == State::Rejected {
            self.reject(input, case.raw, Some(case.key), &case.reason());
        }
    }

    /// Adds a record to the rejects of its input.
    pub(super) fn reject(
        &mut self,
        input: usize,
        raw: Option<&str>,
        key: Option<&Key>,
        reason: &str,
    ) {
        for set in &mut self.sets {
            if let Some(rejects) = set.rejects.get_mut(input) {
                rejects.row(raw, key, reason);
            }
        }
    }

    pub(super) fn finish(self) -> Written {
        let mut written = Written::default();
        for set in self.sets {
            let results = set.results.map(Results::into_target);
            let in_doubt = set.in_doubt.map(InDoubt::into_target);
            let targets = (results.into_iter().map(|target| (Output::Results, target)))
                .chain(
                    set.rejects
                        .into_iter()
                        .map(|rejects| (Output::Rejects, rejects.into_target())),
                )
                .chain(in_doubt.into_iter().map(|target| (Output::InDoubt, target)));
            for (output, target) in targets {
                let path = target.path().to_owned();
                match target.finish() {
                    Ok(rows) => written.files.push(WrittenFile { output, path, rows }),
                    Err(error) => written.errors.push(error),
                }
            }
        }
        written
    }
}

/// The outputs of an export, fed with the ledger's cases.
#[derive(Debug)]
pub struct ExportFiles(Files);

impl ExportFiles {
    /// Adds a case to the outputs that it belongs to. Its file is found by its
    /// name among the inputs; a case of a file that came up since goes to the
    /// first, where its record's columns are kept as far as that one has them.
    pub fn case(&mut self, case: &CaseLine<'_>) {
        let input = self
            .0
            .inputs
            .iter()
            .position(|input| input.name == case.file);
        self.0.case(input.unwrap_or_default(), case);
    }

    /// Closes the files, and tells what went wrong with them meanwhile.
    pub fn finish(self) -> Written {
        self.0.finish()
    }
}
