//! The files that a run leaves: those that are named, and those of `--out`.

use anyhow::{Context, Result};

use super::leftovers::Leftover;
use super::{Job, Planned};
use crate::model::Event;
use crate::output::files::{
    Flush, InputFile, Kind, Opened, Opener, OutDir, ProblemsFile, Registry, RunFiles, Shape, Wanted,
};
use crate::output::terminal::color;
use crate::output::terminal::streams::{OutputOptions, print_status};
use crate::output::terminal::summary::Summary;
use crate::output::terminal::text::{count, escaped};

/// Files that could be opened; nothing is changed until the run begins.
pub(super) struct Prepared {
    registry: Registry,
    inputs: Vec<InputFile>,
    opened: Option<Opened>,
}

/// Files that the run writes.
pub(super) struct Outputs {
    given: Option<RunFiles>,
    out: Option<(OutDir, RunFiles)>,
}

/// Opens the files that are named, before the question.
pub(super) fn prepare(job: &Job<'_>, planned: &Planned) -> Result<Prepared> {
    let outputs = &job.settings.outputs;
    let inputs: Vec<InputFile> = job
        .settings
        .read
        .inputs
        .iter()
        .zip(&planned.checked.files)
        .map(|(input, file)| InputFile {
            name: file.name.clone(),
            path: match input {
                crate::input::Input::Path(path) => Some(path.clone()),
                crate::input::Input::Stdin => None,
            },
            shape: match &file.columns {
                Some(columns) => Shape::table(columns),
                None => Shape::Json,
            },
            unread: file.unread > 0,
        })
        .collect();
    let wanted = Wanted {
        results: outputs.results.clone(),
        rejects: outputs.rejects.clone(),
        in_doubt: outputs.in_doubt.clone(),
    };
    // A run that leaves no files leaves nothing in the state folder either.
    let none = wanted == Wanted::default();
    let registry = if none && outputs.folder.is_none() {
        Registry::nowhere()
    } else {
        super::super::outputs::registry()
    };
    let opened = if none {
        None
    } else {
        let mut opener = Opener::new(&registry, read_by(job), Flush::EachRow);
        Some(Opened::open(&mut opener, &[wanted], inputs.clone())?)
    };
    Ok(Prepared {
        registry,
        inputs,
        opened,
    })
}

/// All that this command reads, and so must not write over.
fn read_by(job: &Job<'_>) -> Vec<std::path::PathBuf> {
    let mut read = super::super::outputs::paths(&job.settings.read.inputs);
    read.extend(
        job.settings
            .read
            .config
            .as_ref()
            .map(|config| config.path.clone()),
    );
    read.push(job.settings.ledger_path.clone());
    read
}

impl Prepared {
    /// Begins them, with what stayed behind before the run. Where there is no
    /// run, there is no folder of its own either.
    pub(super) fn begin(
        self,
        job: &Job<'_>,
        run: Option<i64>,
        planned: &mut Planned,
    ) -> Result<Outputs> {
        let mut outputs = Outputs {
            given: self.opened.map(Opened::begin_run).transpose()?,
            out: None,
        };
        let mut problems = None;
        if let (Some(parent), Some(run)) = (&job.settings.outputs.folder, run) {
            let dir = OutDir::create(parent, &run.to_string())?;
            let mut opener = Opener::new(&self.registry, read_by(job), Flush::EachRow);
            let wanted = dir.wanted(&self.inputs);
            let files = Opened::open(&mut opener, &[wanted], self.inputs)?.begin_run()?;
            let target = opener.open(&dir.problems(), Kind::Csv)?;
            problems = Some(ProblemsFile::begin(
                target,
                job.settings.read.file_names(),
                job.settings.output.redact,
            )?);
            outputs.out = Some((dir, files));
        }
        if let Some(leftovers) = planned.leftovers.take() {
            for leftover in leftovers.read().context("the temporary file")? {
                match leftover.context("the temporary file")? {
                    Leftover::Invalid(invalid) => outputs.each(|files| {
                        files.invalid(invalid.file, &invalid.raw, None, &invalid.reason);
                    }),
                    Leftover::Problem(problem) => {
                        if let Some(problems) = &mut problems {
                            problems.add(&problem);
                        }
                    }
                }
            }
        }
        if let Some(problems) = problems {
            problems.finish()?;
        }
        for slot in &planned.plan.excluded {
            let case = planned.plan.spooled.read(*slot).context("the spool")?;
            outputs.each(|files| {
                files.invalid(
                    case.place.file,
                    &case.raw,
                    Some(&case.key),
                    "another record of the input is the same case, or may be",
                );
            });
        }
        Ok(outputs)
    }
}

impl Outputs {
    /// Whether anything has to be kept for them.
    pub(super) fn wanted(job: &Job<'_>) -> bool {
        job.settings.outputs.rejects.is_some() || job.settings.outputs.folder.is_some()
    }

    /// Writes down what happened.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        self.each(|files| files.event(event));
    }

    fn each(&mut self, mut to: impl FnMut(&mut RunFiles)) {
        let out = self.out.as_mut().map(|(_, files)| files);
        self.given.iter_mut().chain(out).for_each(&mut to);
    }

    /// Closes them, and says what was written.
    pub(super) fn finish(self, summary: &Summary, output: OutputOptions) {
        let (dir, out) = self.out.unzip();
        for files in self.given.into_iter().chain(out) {
            let written = files.finish();
            for file in written
                .files
                .iter()
                .filter(|_| !output.quiet && !output.json)
            {
                print_status(&format!(
                    "wrote {} to {}",
                    count(file.rows, "row"),
                    escaped(&file.path.display().to_string())
                ));
            }
            for error in &written.errors {
                print_status(&color::red(&format!(
                    "{}; `caseload export` writes it anew",
                    escaped(&error.to_string())
                )));
            }
        }
        if let Some(dir) = dir
            && let Err(error) = dir.write_summary(&summary.to_json())
        {
            print_status(&color::red(&escaped(&error.to_string())));
        }
    }
}
