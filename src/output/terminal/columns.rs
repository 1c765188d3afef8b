//! A table of what each column looks like.

use super::color;
use super::text::{escaped, grouped, shape};
use crate::model::ColumnSummary;

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
