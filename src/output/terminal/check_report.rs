//! What a check found: problems, as people, scripts and CI read them, and a
//! table of the columns.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::color;
use super::streams::{OutputOptions, print_json, print_result, print_status};
use super::text::{count, escaped, grouped, redacted, shape, value};
use crate::model::{Code, ColumnSummary, Place, Problem, Severity};
use crate::output::explain;
use crate::output::files::{OutputFileError, ProblemsFile};

/// How many problems an import shows in full.
pub(crate) const PROBLEMS_SHOWN: u64 = 20;

/// Shows problems as they are found, and counts them.
#[derive(Debug, Default)]
pub(crate) struct ProblemReporter {
    pub(crate) output: OutputOptions,
    /// The names of the files as messages show them.
    pub(crate) files: Vec<String>,
    /// How many are shown in full.
    pub(crate) max_shown: u64,
    /// Also as GitHub's workflow commands, without values.
    pub(crate) github: bool,
    pub(crate) spreadsheet: Option<ProblemsFile>,
    pub(crate) shown: u64,
    pub(crate) counts: BTreeMap<(Severity, Code, Option<Box<str>>), u64>,
}

impl ProblemReporter {
    pub(crate) fn add(&mut self, problem: &Problem) {
        let kind = (problem.severity, problem.code, problem.column.clone());
        *self.counts.entry(kind).or_default() += 1;
        if let Some(spreadsheet) = &mut self.spreadsheet {
            spreadsheet.add(problem);
        }
        if self.github {
            let text = annotation(problem, &self.files);
            // GitHub reads both streams; JSON has standard output for itself.
            if self.output.json {
                print_status(&text);
            } else {
                print_result(&text);
            }
        }
        if self.output.json {
            print_json(&to_json(problem, &self.files, self.output.redact));
        } else if self.shown < self.max_shown {
            self.shown += 1;
            print_result(&line(problem, &self.files, self.output.redact));
        }
    }

    /// Shows how many there are of each kind, and completes the spreadsheet.
    pub(crate) fn finish(&mut self) -> Result<(), OutputFileError> {
        let total: u64 = self.counts.values().sum();
        if self.shown < total && !self.output.json {
            print_result(&format!(
                "showing {} of {}",
                grouped(self.shown),
                count(total, "problem")
            ));
        }
        if total > 1 && !self.output.json {
            print_result("");
            for ((severity, code, column), number) in &self.counts {
                let plural = if *number == 1 { "" } else { "s" };
                let mut kind = format!("{code} {}{plural}", severity_text(*severity));
                if let Some(column) = column {
                    let _ = write!(kind, " in {}", escaped(column));
                }
                print_result(&format!("  {:>7} {kind}", grouped(*number)));
            }
            print_result("  run `caseload explain CODE` for what a code means and how to fix it");
        }
        let spreadsheet = self.spreadsheet.take();
        spreadsheet.map_or(Ok(()), |file| file.finish().map(drop))
    }
}

fn severity_text(severity: Severity) -> String {
    match severity {
        Severity::Error => color::red(severity.as_str()),
        Severity::Warning => color::yellow(severity.as_str()),
    }
}

/// The name of a place's file.
pub(crate) fn file_name(place: Place, files: &[String]) -> &str {
    files
        .get(usize::from(place.file.0))
        .map_or("input", String::as_str)
}

/// `cases.csv:14:Date of Loss: error: … [bad-date]`, with the hint below.
fn line(problem: &Problem, files: &[String], redact: bool) -> String {
    let mut place = escaped(file_name(problem.place, files));
    if problem.place.line > 0 {
        // Writing to a String cannot fail.
        let _ = write!(place, ":{}", problem.place.line);
    }
    if let Some(column) = &problem.column {
        let _ = write!(place, ":{}", escaped(column));
    }
    let mut line = format!(
        "{}: {}: {}",
        color::bold(&place),
        severity_text(problem.severity),
        escaped(&problem.message)
    );
    if let Some(text) = &problem.value {
        let _ = write!(line, ": {}", value(text, redact));
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

/// Other places of a problem; a long list is cut.
fn places(places: &[Place], files: &[String]) -> String {
    const MAX_PLACES: usize = 8;
    let mut text = places
        .iter()
        .take(MAX_PLACES)
        .map(|place| format!("{}:{}", escaped(file_name(*place, files)), place.line))
        .collect::<Vec<_>>()
        .join(", ");
    if places.len() > MAX_PLACES {
        let more = places.len() - MAX_PLACES;
        let _ = write!(text, " and {more} more");
    }
    text
}

fn to_json(problem: &Problem, files: &[String], redact: bool) -> Value {
    json!({
        "schema": 1,
        "severity": problem.severity.as_str(),
        "code": problem.code.as_str(),
        "file": file_name(problem.place, files),
        "line": problem.place.line,
        "row": problem.place.row,
        "column": problem.column,
        "value": problem.value.as_deref().map(|value| redacted(value, redact)),
        "message": problem.message,
        "hint": problem.hint,
        "also": problem.also.iter().map(|place| json!({
            "file": file_name(*place, files),
            "line": place.line,
            "row": place.row,
        })).collect::<Vec<_>>(),
    })
}

/// A workflow command. GitHub wants `%` and line breaks escaped, and in
/// properties `:` and `,` too. Values are left out.
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
        data(&escaped(annotation_message(problem))),
    )
}

/// The message for a job log that many people can read. Messages that contain
/// values are replaced by the title of their code.
fn annotation_message(problem: &Problem) -> &str {
    match problem.code {
        Code::DuplicateKey
        | Code::DuplicateRow
        | Code::SameContent
        | Code::SimilarKeys
        | Code::LikelyDuplicate
        | Code::RareFirm => {
            let code = problem.code.as_str();
            explain::find(code).map_or(code, |explanation| explanation.title)
        }
        _ => &problem.message,
    }
}

/// As many values are shown as fit.
const TABLE_WIDTH: usize = 80;
const MAX_NAME_WIDTH: usize = 28;
const MAX_SAMPLE_WIDTH: usize = 24;

/// One line per column: how often it is filled, distinct values, first values.
pub(crate) fn column_table(columns: &[ColumnSummary], records: u64, redact: bool) -> String {
    if columns.is_empty() || records == 0 {
        return String::new();
    }
    let names: Vec<String> = columns
        .iter()
        .map(|column| cut(&escaped(&column.column), MAX_NAME_WIDTH))
        .collect();
    let width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .max("column".len());
    let head = format!(
        "{:width$}  {:>7}  {:>8}  values",
        "column", "filled", "distinct"
    );
    let mut table = color::dim(&head);
    for (column, name) in columns.iter().zip(names) {
        let filled = match column.filled * 100 / records {
            100 => "all".to_owned(),
            0 if column.filled > 0 => "<1%".to_owned(),
            99 if column.filled < records => "99%".to_owned(),
            percent => format!("{percent}%"),
        };
        let distinct = if column.more_distinct {
            format!("{}+", grouped(column.distinct as u64))
        } else {
            grouped(column.distinct as u64)
        };
        let mut row = format!("{name:width$}  {filled:>7}  {distinct:>8}  ");
        for (position, sample) in column.samples.iter().enumerate() {
            let sample = cut(sample, MAX_SAMPLE_WIDTH);
            let hide = redact || column.confidential;
            let sample = escaped(&if hide { shape(&sample) } else { sample });
            let separator = if position == 0 { "" } else { " | " };
            let added = separator.len() + sample.chars().count();
            if position > 0 && row.chars().count() + added > TABLE_WIDTH {
                break;
            }
            row += separator;
            row += &sample;
        }
        table.push('\n');
        table += &row;
    }
    table
}

fn cut(text: &str, widest: usize) -> String {
    if text.chars().count() <= widest {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(widest - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned_and_escaped() {
        let field = |column: &str, filled, distinct, more, samples: &[&str]| ColumnSummary {
            confidential: false,
            column: column.into(),
            filled,
            distinct,
            more_distinct: more,
            samples: samples.iter().map(|sample| Box::from(*sample)).collect(),
        };
        let fields = [
            field("Lead ID", 2_000, 1_000, true, &["L-1", "L-2"]),
            field("State", 1_999, 3, false, &["NV", "a\u{1b}[31m"]),
            field(
                "Notes",
                1,
                1,
                false,
                &["A very long note about one single case"],
            ),
        ];
        assert_eq!(
            anstream::adapter::strip_str(&column_table(&fields, 2_000, false)).to_string(),
            "column    filled  distinct  values\n\
             Lead ID      all    1,000+  L-1 | L-2\n\
             State        99%         3  NV | a\\u{1b}[31m\n\
             Notes        <1%         1  A very long note about …"
        );
    }
}
