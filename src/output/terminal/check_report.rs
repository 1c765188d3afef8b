//! What a check found: problems, as people, scripts and CI read them, and a
//! table of the columns.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::color;
use super::streams::{OutputOptions, print_json, print_result, print_status};
use super::text::{
    count, cut, escaped, escaped_or_redacted, first_of, grouped, redacted, redacted_advice, value,
};
use crate::model::{Code, ColumnSummary, Key, Place, Problem, Severity, terminal_width};
use crate::output::explain;
use crate::output::files::{OutputFileError, ProblemsFile};

/// How many annotations of a level GitHub shows.
const MAX_ANNOTATIONS: u64 = 10;
/// How many kinds of problems are counted one by one.
const MAX_KINDS: usize = 40;
/// How many other places of a problem are named.
const MAX_PLACES: usize = 8;

/// Severity, code and column of a problem.
type Kind = (Severity, Code, Option<Box<str>>);

#[derive(Debug, Default)]
struct KindTally {
    count: u64,
    /// The first ones, each with its number among all problems.
    first: Vec<(u64, Problem)>,
}

/// Counts problems and shows the first of them: to scripts at once, to people at
/// the end, when it is known which ones every row has.
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
    total: u64,
    kinds: BTreeMap<Kind, KindTally>,
}

impl ProblemReporter {
    pub(crate) fn new(output: OutputOptions, files: Vec<String>, max_shown: u64) -> Self {
        Self {
            output,
            files,
            max_shown,
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, problem: &Problem) {
        if let Some(spreadsheet) = &mut self.spreadsheet {
            spreadsheet.add(problem);
        }
        if self.output.json {
            print_json(&to_json(problem, &self.files, self.output.redact));
        }
        let kind = (problem.severity, problem.code, problem.column.clone());
        let tally = self.kinds.entry(kind).or_default();
        tally.count += 1;
        if (tally.first.len() as u64) < self.max_shown.max(MAX_ANNOTATIONS) {
            tally.first.push((self.total, problem.clone()));
        }
        self.total += 1;
    }

    /// Shows the problems of so many records, counts the rest by kind, and
    /// completes the spreadsheet.
    pub(crate) fn finish(self, records: u64) -> Result<(), OutputFileError> {
        let mut first: Vec<(u64, &Problem, Option<u64>)> = Vec::new();
        for tally in self.kinds.values() {
            let everywhere = (records > 1 && tally.count == records).then_some(records);
            let shown = everywhere.map_or(tally.first.len(), |_| 1);
            let shown = tally.first.iter().take(shown);
            first.extend(shown.map(|(number, problem)| (*number, problem, everywhere)));
        }
        first.sort_by_key(|(number, ..)| *number);
        if self.github {
            self.annotate(&first);
        }
        if !self.output.json {
            self.show(&first);
            self.show_kinds();
        }
        self.spreadsheet.map_or(Ok(()), ProblemsFile::finish)
    }

    fn show(&self, first: &[(u64, &Problem, Option<u64>)]) {
        let most = usize::try_from(self.max_shown).unwrap_or(usize::MAX);
        let mut shown = 0;
        for (_, problem, everywhere) in first.iter().take(most) {
            shown += everywhere.unwrap_or(1);
            print_result(&line(problem, &self.files, self.output.redact, *everywhere));
        }
        if shown < self.total {
            print_result(&format!(
                "showing {} of {}: --max-shown N shows more, --problems FILE.csv writes all",
                grouped(shown),
                count(self.total, "problem")
            ));
        }
    }

    /// How many problems there are of each kind.
    fn show_kinds(&self) {
        if self.total < 2 {
            return;
        }
        print_result("");
        let kinds = self.kinds.iter();
        let kinds = kinds.map(|((severity, code, column), KindTally { count, .. })| {
            let severity = severity_text(*severity, *count);
            let place = column
                .as_deref()
                .map(|column| format!(" in {}", escaped(column)));
            let place = place.unwrap_or_default();
            format!("{:>7} {code} {severity}{place}", grouped(*count))
        });
        for line in first_of(kinds, MAX_KINDS, "more kind") {
            print_result(&format!("  {line}"));
        }
        print_result("  run `caseload explain CODE` for what a code means and how to fix it");
    }

    /// GitHub reads both streams; JSON has standard output for itself.
    fn annotate(&self, first: &[(u64, &Problem, Option<u64>)]) {
        for severity in [Severity::Error, Severity::Warning] {
            let level = first
                .iter()
                .filter(|(_, problem, _)| problem.severity == severity);
            for (_, problem, everywhere) in level.take(MAX_ANNOTATIONS as usize) {
                let mut text = annotation(problem, &self.files);
                if let Some(records) = everywhere {
                    let _ = write!(text, " (in all {} records)", grouped(*records));
                }
                if self.output.json {
                    print_status(&text);
                } else {
                    print_result(&text);
                }
            }
        }
    }
}

fn severity_text(severity: Severity, number: u64) -> String {
    let plural = if number == 1 { "" } else { "s" };
    let text = format!("{}{plural}", severity.as_str());
    match severity {
        Severity::Error => color::red(&text),
        Severity::Warning => color::yellow(&text),
    }
}

/// The name of a place's file.
pub(crate) fn file_name(place: Place, files: &[String]) -> &str {
    files
        .get(usize::from(place.file.0))
        .map_or("input", String::as_str)
}

/// `cases.csv:14`, and the row of a spreadsheet where it is another.
pub(crate) fn place_text(place: Place, files: &[String]) -> String {
    let file = escaped(file_name(place, files));
    match (place.line, place.row) {
        (0, _) => file,
        (line, Some(row)) if row != line => format!("{file}: {place}"),
        (line, _) => format!("{file}:{line}"),
    }
}

/// `cases.csv:14:Date of Loss: error: … [bad-date], case L-14`, with the hint
/// below.
fn line(problem: &Problem, files: &[String], redact: bool, everywhere: Option<u64>) -> String {
    let advice = |text| escaped(&redacted_advice(text, problem.key.as_ref(), redact));
    let mut place = place_text(problem.place, files);
    if let Some(column) = &problem.column {
        let separator = if place.ends_with(')') { ", " } else { ":" };
        let _ = write!(place, "{separator}{}", escaped(column));
    }
    let mut line = format!(
        "{}: {}: {}",
        color::bold(&place),
        severity_text(problem.severity, 1),
        advice(&problem.message)
    );
    if let Some(text) = &problem.value {
        let _ = write!(line, ": {}", value(text, redact));
    }
    let _ = write!(line, " [{}]", problem.code);
    if let Some(key) = &problem.key {
        let key = escaped_or_redacted(&key.to_string(), redact);
        let _ = write!(line, ", case {key}");
    }
    if let Some(records) = everywhere {
        let _ = write!(line, ", and so in all {} records", grouped(records));
    }
    if !problem.also.is_empty() {
        let also = problem.also.iter().map(|place| place_text(*place, files));
        let also = first_of(also, MAX_PLACES, "more place").join(", ");
        let _ = write!(line, "\n    also {also}");
    }
    if let Some(hint) = &problem.hint {
        let _ = write!(line, "\n    {}", advice(hint));
    }
    line
}

/// For scripts and spreadsheets; with `redact` values show their shape only.
pub(crate) fn to_json(problem: &Problem, files: &[String], redact: bool) -> Value {
    let key = problem.key.as_ref().map(Key::to_string);
    let shown = |text| redacted(text, redact);
    let advice = |text| redacted_advice(text, problem.key.as_ref(), redact);
    json!({
        "schema": 1,
        "severity": problem.severity.as_str(),
        "code": problem.code.as_str(),
        "file": file_name(problem.place, files),
        "line": problem.place.line,
        "row": problem.place.row,
        "key": key.as_deref().map(shown),
        "column": problem.column,
        "value": problem.value.as_deref().map(shown),
        "message": advice(&problem.message),
        "hint": problem.hint.as_deref().map(advice),
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
    let message = redacted_advice(annotation_message(problem), problem.key.as_ref(), true);
    let mut text = escaped(&message);
    if let Some(column) = &problem.column {
        text = format!("{}: {text}", escaped(column));
    }
    format!(
        "::{} file={},line={},title={}::{}",
        problem.severity.as_str(),
        property(&escaped(file_name(problem.place, files))),
        problem.place.line.max(1),
        problem.code,
        data(&text)
    )
}

/// The message for a job log that many people can read. Messages that contain
/// values are replaced by the title of their code.
fn annotation_message(problem: &Problem) -> &str {
    match problem.code {
        Code::DuplicateKey
        | Code::DuplicateRow
        | Code::SameContent
        | Code::SimilarKey
        | Code::OtherPerson
        | Code::LikelyDuplicate
        | Code::RareFirm => {
            let code = problem.code.as_str();
            explain::find(code).map_or(code, |explanation| explanation.title)
        }
        _ => &problem.message,
    }
}

/// Without a terminal.
pub(super) const TABLE_WIDTH: usize = 80;
const MAX_NAME_WIDTH: usize = 28;
const MAX_SAMPLE_WIDTH: usize = 24;
/// Of what stands between a name and the values.
const COUNTS_WIDTH: usize = "   filled  distinct  ".len() + 1;

/// One line per column, as wide as the terminal: how often it is filled, distinct
/// values, and as much of the first values as fits.
pub(crate) fn column_table(columns: &[ColumnSummary], records: u64, redact: bool) -> String {
    let width = terminal_width().unwrap_or(TABLE_WIDTH);
    column_table_of(columns, records, redact, width)
}

fn column_table_of(
    columns: &[ColumnSummary],
    records: u64,
    redact: bool,
    table_width: usize,
) -> String {
    if columns.is_empty() || records == 0 {
        return String::new();
    }
    let widest = table_width.saturating_sub(COUNTS_WIDTH + "values".len());
    let widest = widest.clamp("column".len(), MAX_NAME_WIDTH);
    let short = |text: &str, widest| cut(&escaped(text), widest).into_owned();
    let names = columns.iter().map(|column| short(&column.column, widest));
    let names: Vec<String> = names.collect();
    let longest = names.iter().map(|name| name.chars().count()).max();
    let width = longest.unwrap_or(0).max("column".len());
    let head = format!(
        "{:width$}  {:>7}  {:>8}  values",
        "column", "filled", "distinct"
    );
    let mut table = color::dim(&head);
    for (column, name) in columns.iter().zip(names) {
        let filled = match column.filled * 100 / records {
            100 => "all".to_owned(),
            0 if column.filled > 0 => "<1%".to_owned(),
            percent => format!("{percent}%"),
        };
        let more = if column.more_distinct { "+" } else { "" };
        let distinct = format!("{}{more}", grouped(column.distinct as u64));
        let hide = redact || column.confidential;
        let samples = column.samples.iter();
        let samples = samples.map(|sample| short(&redacted(sample, hide), MAX_SAMPLE_WIDTH));
        let samples = samples.collect::<Vec<_>>().join(" | ");
        let row = format!("{name:width$}  {filled:>7}  {distinct:>8}  {samples}");
        table.push('\n');
        table += &cut(&row, table_width);
    }
    table
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
            anstream::adapter::strip_str(&column_table_of(&fields, 2_000, false, 80)).to_string(),
            "column    filled  distinct  values\n\
             Lead ID      all    1,000+  L-1 | L-2\n\
             State        99%         3  NV | a\\u{1b}[31m\n\
             Notes        <1%         1  A very long note about …"
        );
        for width in [30, 34, 40, 60] {
            let table = column_table_of(&fields, 2_000, false, width);
            let table = anstream::adapter::strip_str(&table).to_string();
            for line in table.lines() {
                assert!(line.chars().count() <= width.max(34), "{width}: {line}");
            }
        }
    }
}
