//! What each column looks like, as a table for the eye.

use std::fmt::Write as _;

use super::color;
use super::streams::OutputOptions;
use super::text::{escaped, grouped, shape};
use crate::model::ColumnSummary;

/// The widest that a column's name and a sample are shown.
const WIDEST_NAME: usize = 28;
const WIDEST_SAMPLE: usize = 24;

/// One line a column: filled, distinct, its first values.
pub(crate) fn table(fields: &[ColumnSummary], records: u64, output: OutputOptions) -> String {
    if fields.is_empty() || records == 0 {
        return String::new();
    }
    let names: Vec<String> = fields
        .iter()
        .map(|field| cut(&escaped(&field.column), WIDEST_NAME))
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
    for (field, name) in fields.iter().zip(names) {
        let filled = match field.filled * 100 / records {
            100 => "all".to_owned(),
            0 if field.filled > 0 => "<1 %".to_owned(),
            99 if field.filled < records => "99 %".to_owned(),
            percent => format!("{percent} %"),
        };
        let distinct = if field.more_distinct {
            format!("{}+", grouped(field.distinct as u64))
        } else {
            grouped(field.distinct as u64)
        };
        let samples: Vec<String> = field
            .samples
            .iter()
            .map(|sample| {
                let sample = cut(sample, WIDEST_SAMPLE);
                let hide = output.redact || field.confidential;
                escaped(&if hide { shape(&sample) } else { sample })
            })
            .collect();
        // Writing to a String can't fail.
        let _ = write!(
            table,
            "\n{name:width$}  {filled:>7}  {distinct:>8}  {}",
            samples.join(" | ")
        );
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
        let output = OutputOptions {
            redact: false,
            quiet: false,
            json: false,
        };
        assert_eq!(
            anstream::adapter::strip_str(&table(&fields, 2_000, output)).to_string(),
            "column    filled  distinct  values\n\
             Lead ID      all    1,000+  L-1 | L-2\n\
             State       99 %         3  NV | a\\u{1b}[31m\n\
             Notes       <1 %         1  A very long note about …"
        );
    }
}
