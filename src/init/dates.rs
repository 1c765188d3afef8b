//! Which formats the dates of a column are in.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::mapping::DateFormat;
use crate::model::CellKind;

/// Formats of exports, the likelier first: of two that read the same values
/// the first is taken.
const FORMATS: [&str; 14] = [
    "%Y-%m-%d",
    "%m/%d/%Y",
    "%m/%d/%y",
    "%m-%d-%Y",
    "%d/%m/%Y",
    "%d/%m/%y",
    "%d-%m-%Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y%m%d",
    "%b %d, %Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
];

/// Positions of formats that differ in the order of month and day; the first
/// has the month first.
const SWAPPED: [(usize, usize); 3] = [(1, 4), (2, 5), (3, 6)];

/// Positions of formats that differ in the digits of the year.
const YEARS: [(usize, usize); 3] = [(1, 2), (4, 5), (12, 13)];

/// Of so many dates more than one tells day from month, if they are in one order.
const FEW: usize = 10;

/// The formats, compiled.
static COMPILED: LazyLock<Vec<DateFormat>> = LazyLock::new(|| {
    let compiled = FORMATS.iter().map(|text| DateFormat::compile(text));
    compiled.filter_map(Result::ok).collect()
});

/// How often the values of a column are dates, and in which formats.
#[derive(Debug, Default)]
pub(super) struct DateCounts {
    /// By the set of formats that read a value, a bit each.
    sets: HashMap<u32, usize>,
    /// Values with a time of day other than midnight.
    pub(super) with_time: usize,
    /// Date cells of a workbook.
    cells: usize,
}

/// What to write into a config for a column of dates.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Formats {
    pub(super) texts: Vec<&'static str>,
    /// What the values leave open about the order of month and day.
    pub(super) note: Option<String>,
}

impl DateCounts {
    pub(super) fn add(&mut self, kind: CellKind, text: &str) {
        if matches!(kind, CellKind::Date | CellKind::DateTime) {
            self.cells += 1;
            let has_time = kind == CellKind::DateTime && !text.ends_with("T00:00:00");
            self.with_time += usize::from(has_time);
            return;
        }
        if text.len() > 40 || !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return;
        }
        let mut set = 0;
        let mut has_time = false;
        for (position, format) in COMPILED.iter().enumerate() {
            if let Ok(date) = format.read(text.trim()) {
                set |= 1 << position;
                has_time |= date.has_time_of_day();
            }
        }
        if set != 0 {
            *self.sets.entry(set).or_default() += 1;
            self.with_time += usize::from(has_time);
        }
    }

    /// How many values are dates.
    pub(super) fn total(&self) -> usize {
        self.cells + self.sets.values().sum::<usize>()
    }

    /// The fewest formats that read every value that any format reads.
    pub(super) fn formats(&self) -> Formats {
        let mut unread = self.sets.clone();
        let mut chosen = Vec::new();
        while !unread.is_empty() {
            let reads = |position: &usize| -> usize {
                let read = unread.iter().filter(|(set, _)| has(**set, *position));
                read.map(|(_, count)| count).sum()
            };
            // The first of equals: `max_by_key` would take the last.
            let Some(best) = (0..FORMATS.len()).rev().max_by_key(reads) else {
                break;
            };
            chosen.push(best);
            unread.retain(|set, _| !has(*set, best));
        }
        let note = self.settle_order(&mut chosen);
        for (long, short) in YEARS {
            // Both are usual in one file: people type the one, exports the other.
            if chosen.contains(&long) != chosen.contains(&short) {
                chosen.push(if chosen.contains(&long) { short } else { long });
            }
        }
        let texts = chosen.into_iter().map(|position| FORMATS[position]);
        Formats {
            texts: texts.collect(),
            note,
        }
    }

    /// Puts the month first, as in the US, where the order of month and day rests
    /// on a few values, and says what they leave open.
    fn settle_order(&self, chosen: &mut [usize]) -> Option<String> {
        let mut note = None;
        for (month, day) in SWAPPED {
            let Some(position) = chosen.iter_mut().find(|it| [month, day].contains(it)) else {
                continue;
            };
            let count = |by_month, by_day| -> usize {
                let sets = self.sets.iter();
                let sets = sets
                    .filter(|(set, _)| has(**set, month) == by_month && has(**set, day) == by_day);
                sets.map(|(_, count)| count).sum()
            };
            let (months, days, both) = (count(true, false), count(false, true), count(true, true));
            let (deciding, all) = (months.max(days), months.max(days) + both);
            if months > 0 && days > 0 {
                note = Some("some dates have the month first, others the day; keep one format and correct the others".to_owned());
            } else if deciding == 0 {
                let swapped = FORMATS[day];
                note = Some(format!(
                    "is the month first? All dates also match {swapped}"
                ));
            } else if deciding * FEW < all {
                *position = month;
                let rest = if days > 0 {
                    "day first: correct them, or swap %m and %d"
                } else {
                    "month first"
                };
                note = Some(format!(
                    "is the month first? All dates but {deciding} of {all} can be read both ways, and those have the {rest}"
                ));
            }
        }
        note
    }
}

fn has(set: u32, position: usize) -> bool {
    set & (1 << position) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(values: &[&str]) -> DateCounts {
        let mut counts = DateCounts::default();
        for value in values {
            counts.add(CellKind::Text, value);
        }
        counts
    }

    #[test]
    fn every_known_format_compiles() {
        assert_eq!(COMPILED.len(), FORMATS.len());
    }

    #[test]
    fn swapped_formats_differ_in_month_and_day() {
        for (month_first, day_first) in SWAPPED {
            let swapped = FORMATS[month_first]
                .replace("%m", "%?")
                .replace("%d", "%m")
                .replace("%?", "%d");
            assert_eq!(swapped, FORMATS[day_first]);
        }
        for (long, short) in YEARS {
            assert_eq!(FORMATS[long].replace("%Y", "%y"), FORMATS[short]);
        }
    }

    #[test]
    fn the_fewest_formats_that_read_all_dates() {
        let counted = counts(&["6/14/2026", "1/2/2026 0:00", "2026-01-02", "n/a"]);
        let formats = counted.formats();
        assert_eq!(counted.total(), 3);
        assert_eq!(formats.texts, ["%m/%d/%Y", "%Y-%m-%d", "%m/%d/%y"]);
        assert_eq!(formats.note, None);
        assert_eq!(
            counts(&["14/6/26", "1/6/26"]).formats().texts,
            ["%d/%m/%y", "%d/%m/%Y"]
        );
        assert_eq!(counts(&["6/14/26 9:30"]).with_time, 1);
        assert_eq!(counts(&["45000", "12"]).total(), 0);
    }

    #[test]
    fn an_ambiguous_order_of_month_and_day_is_reported() {
        let formats = counts(&["1/2/2026", "3/4/2026"]).formats();
        assert_eq!(formats.texts, ["%m/%d/%Y", "%m/%d/%y"]);
        let note = "is the month first? All dates also match %d/%m/%Y";
        assert_eq!(formats.note.as_deref(), Some(note));
        let mixed = ["1/2/2026", "13/4/2026", "4/13/2026", "4/14/2026"];
        let note = counts(&mixed).formats().note.unwrap();
        assert!(note.starts_with("some dates have the month first, others the day"));
    }

    #[test]
    fn an_order_that_rests_on_few_dates_is_month_first_and_reported() {
        let with_other = |other, ambiguous| {
            let mut dates = vec!["1/2/2026"; ambiguous];
            dates.push(other);
            counts(&dates).formats()
        };
        for (other, which) in [("13/1/2026", "day first"), ("1/13/2026", "month first")] {
            let formats = with_other(other, 50);
            assert_eq!(formats.texts, ["%m/%d/%Y", "%m/%d/%y"]);
            let note = formats.note.unwrap();
            assert!(
                note.contains("but 1 of 51") && note.contains(which),
                "{note}"
            );
        }
        let formats = with_other("13/1/2026", 9);
        assert_eq!(formats.texts, ["%d/%m/%Y", "%d/%m/%y"]);
        assert_eq!(formats.note, None);
    }
}
