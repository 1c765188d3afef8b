//! Problems as people, scripts, CI and spreadsheets read them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::terminal::color;
use super::terminal::streams::{OutputOptions, print_status};
use super::terminal::text::{count, escaped, grouped, value};
use crate::model::{Code, Place, Problem, Severity};

/// How many problems an import shows in full.
pub const SHOWN: u64 = 20;

/// Where problems go, beside the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Annotations {
    /// Nowhere.
    #[default]
    None,
    /// GitHub's workflow commands, without values: on standard output, or on
    /// standard error where that one is for scripts.
    GitHub,
}

/// Takes problems as they are found: shows them, counts them.
#[derive(Debug)]
pub struct Problems {
    output: OutputOptions,
    files: Vec<String>,
    /// How many are shown in full.
    most: u64,
    annotations: Annotations,
    errors: u64,
    warnings: u64,
    shown: u64,
    counts: BTreeMap<(Severity, Code, Option<Box<str>>), u64>,
}

impl Problems {
    /// Shows the first `most` of them in full.
    pub fn new(
        output: OutputOptions,
        files: Vec<String>,
        most: u64,
        annotations: Annotations,
    ) -> Self {
        Self {
            output,
            files,
            most,
            annotations,
            errors: 0,
            warnings: 0,
            shown: 0,
            counts: BTreeMap::new(),
        }
    }

    /// Errors so far.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Warnings so far.
    pub fn warnings(&self) -> u64 {
        self.warnings
    }

    /// Takes the next one.
    pub fn add(&mut self, problem: &Problem) {
        match problem.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        *self
            .counts
            .entry((problem.severity, problem.code, problem.column.clone()))
            .or_default() += 1;
        if self.annotations == Annotations::GitHub {
            self.annotate(problem);
        }
        if self.shown < self.most && !self.output.json {
            self.shown += 1;
            print_status(&line(problem, &self.files, self.output));
        }
    }

    /// Says what was not shown, and how many there are of each kind.
    pub fn close(&self) {
        let total = self.errors + self.warnings;
        if total == 0 || self.output.json {
            return;
        }
        if self.shown < total {
            print_status(&format!(
                "showing {} of {}",
                grouped(self.shown),
                count(total, "problem")
            ));
        }
        if total > 1 {
            print_status("");
            for ((severity, code, column), number) in &self.counts {
                let column = column
                    .as_deref()
                    .map(|column| format!(" in {}", escaped(column)))
                    .unwrap_or_default();
                let word = self.severity(*severity);
                print_status(&format!("  {:>7} {word} {code}{column}", grouped(*number)));
            }
            print_status("  `caseload explain CODE` tells what a code means and how to mend it");
        }
    }

    /// GitHub reads both outputs of a job; JSON has the first for itself.
    fn annotate(&self, problem: &Problem) {
        use std::io::Write as _;
        let text = annotation(problem, &self.files);
        if self.output.json {
            print_status(&text);
        } else {
            // Nobody may read it any more, and that stops no check.
            let _ = writeln!(std::io::stdout().lock(), "{text}");
        }
    }

    fn severity(&self, severity: Severity) -> String {
        match severity {
            Severity::Error => color::red(severity.as_str()),
            Severity::Warning => color::yellow(severity.as_str()),
        }
    }
}

/// The name of a place's file.
pub fn file_name(place: Place, files: &[String]) -> &str {
    files
        .get(usize::from(place.file.0))
        .map_or("input", String::as_str)
}

/// `cases.csv:14:Date of Loss: error: … [bad-date]`, with the hint below.
pub fn line(problem: &Problem, files: &[String], output: OutputOptions) -> String {
    let mut line = escaped(file_name(problem.place, files));
    if problem.place.line > 0 {
        // Writing to a String can't fail.
        let _ = write!(line, ":{}", problem.place.line);
    }
    if let Some(column) = &problem.column {
        let _ = write!(line, ":{}", escaped(column));
    }
    let mut line = color::bold(&line);
    let severity = match problem.severity {
        Severity::Error => color::red("error"),
        Severity::Warning => color::yellow("warning"),
    };
    let _ = write!(line, ": {severity}: {}", escaped(&problem.message));
    if let Some(text) = &problem.value {
        let _ = write!(line, ": {}", value(text, output.redact));
    }
    let _ = write!(line, " [{}]", problem.code);
    if !problem.also.is_empty() {
        let _ = write!(line, "\n    also {}", places(&problem.also, files));
    }
    if let Some(hint) = &problem.hint {
        let _ = write!(line, "\n    {}", escaped(hint));
    }
    line
}

/// Places that a problem concerns too; a long list is cut.
fn places(places: &[Place], files: &[String]) -> String {
    const MOST: usize = 8;
    let mut text = places
        .iter()
        .take(MOST)
        .map(|place| format!("{}:{}", escaped(file_name(*place, files)), place.line))
        .collect::<Vec<_>>()
        .join(", ");
    if places.len() > MOST {
        let more = places.len() - MOST;
        let _ = write!(text, " and {more} more");
    }
    text
}

/// The JSON form.
pub fn to_json(problem: &Problem, files: &[String], redact: bool) -> Value {
    let shown = |text: &str| {
        if redact {
            super::terminal::text::shape(text)
        } else {
            text.to_owned()
        }
    };
    json!({
        "schema": 1,
        "severity": problem.severity.as_str(),
        "code": problem.code.as_str(),
        "file": file_name(problem.place, files),
        "line": problem.place.line,
        "column": problem.column,
        "value": problem.value.as_deref().map(shown),
        "message": problem.message,
        "hint": problem.hint,
        "also": problem.also.iter().map(|place| json!({
            "file": file_name(*place, files),
            "line": place.line,
        })).collect::<Vec<_>>(),
    })
}

/// A workflow command; GitHub takes `%`, line breaks and, in properties, `:`
/// and `,` escaped. A message's own values are left out.
fn annotation(problem: &Problem, files: &[String]) -> String {
    let data = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let column = problem
        .column
        .as_deref()
        .map(|column| format!("{}: ", data(&escaped(column))))
        .unwrap_or_default();
    format!(
        "::{} file={},line={},title={}::{column}{}",
        problem.severity.as_str(),
        property(&escaped(file_name(problem.place, files))),
        problem.place.line.max(1),
        problem.code,
        data(&escaped(&annotation_message(problem))),
    )
}

/// What may be said where everybody who sees the job can read it. Messages
/// that name values by design are replaced by their code's meaning.
fn annotation_message(problem: &Problem) -> String {
    match problem.code {
        Code::DuplicateKey
        | Code::DuplicateRow
        | Code::SameContent
        | Code::SimilarKeys
        | Code::LikelyDuplicate
        | Code::RareFirm => super::terminal::explain::explain(problem.code)
            .title
            .to_owned(),
        _ => problem.message.clone(),
    }
}
