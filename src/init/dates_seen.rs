//! In which formats a column's dates are written.

use std::collections::HashMap;

use crate::mapping::DateFormat;

/// Formats that exports use, the likelier first: of two that read the same
/// values the first is taken.
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

/// Formats with month and day the other way round.
const TWINS: [(&str, &str); 3] = [
    ("%m/%d/%Y", "%d/%m/%Y"),
    ("%m/%d/%y", "%d/%m/%y"),
    ("%m-%d-%Y", "%d-%m-%Y"),
];

/// Counts which formats read the values.
#[derive(Debug)]
pub(super) struct DatesSeen {
    formats: Vec<DateFormat>,
}

/// What one column's values were read by.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// By the set of formats that read a value, a bit each.
    sets: HashMap<u32, usize>,
    /// Values with a time that is not midnight.
    pub(super) with_time: usize,
    /// Cells that the workbook itself says are dates.
    pub(super) cells: usize,
}

/// What is to be written for a column of dates.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Formats {
    pub(super) texts: Vec<&'static str>,
    /// Month and day may be the other way round: this one reads them all too.
    pub(super) twin: Option<&'static str>,
    /// Both ways round stand in the column.
    pub(super) is_mixed: bool,
}

impl DatesSeen {
    pub(super) fn new() -> Self {
        let formats = FORMATS
            .iter()
            .filter_map(|text| DateFormat::compile(text).ok());
        Self {
            formats: formats.collect(),
        }
    }

    /// Looks at a value, if it can be a date at all.
    pub(super) fn see(&self, text: &str, readings: &mut Readings) {
        if text.len() > 40 || !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return;
        }
        let mut set = 0;
        let mut has_time = false;
        for (at, format) in self.formats.iter().enumerate() {
            if let Some((_, is_timed)) = format.day_of(text) {
                set |= 1 << at;
                has_time |= is_timed;
            }
        }
        if set != 0 {
            *readings.sets.entry(set).or_default() += 1;
            readings.with_time += usize::from(has_time);
        }
    }
}

impl Readings {
    /// How many values are dates.
    pub(super) fn count(&self) -> usize {
        self.cells + self.sets.values().sum::<usize>()
    }

    /// The fewest formats that read all that any reads.
    pub(super) fn formats(&self) -> Formats {
        let mut left: Vec<(u32, usize)> = self
            .sets
            .iter()
            .map(|(set, count)| (*set, *count))
            .collect();
        let mut taken = Vec::new();
        while !left.is_empty() {
            let reads = |at: usize| -> usize {
                let of = left.iter().filter(|(set, _)| set & (1 << at) != 0);
                of.map(|(_, count)| count).sum()
            };
            // The first of equals: `max_by_key` would take the last.
            let Some(best) = (0..FORMATS.len()).rev().max_by_key(|at| reads(*at)) else {
                break;
            };
            taken.push(best);
            left.retain(|(set, _)| set & (1 << best) == 0);
        }
        let at = |text: &str| FORMATS.iter().position(|format| *format == text);
        let mut twin = None;
        let mut is_mixed = false;
        for (one, other) in TWINS {
            let (Some(month_first), Some(day_first)) = (at(one), at(other)) else {
                continue;
            };
            let has = |format| taken.contains(&format);
            is_mixed |= has(month_first) && has(day_first);
            let both = |set: &u32| set & (1 << month_first) == 0 || set & (1 << day_first) != 0;
            if has(month_first) && self.sets.keys().all(both) {
                twin = Some(other);
            }
        }
        Formats {
            texts: taken.into_iter().map(|at| FORMATS[at]).collect(),
            twin,
            is_mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(values: &[&str]) -> (Readings, Formats) {
        let dates = DatesSeen::new();
        let mut readings = Readings::default();
        for value in values {
            dates.see(value, &mut readings);
        }
        let formats = readings.formats();
        (readings, formats)
    }

    #[test]
    fn the_formats_really_seen() {
        let (readings, formats) = seen(&["6/14/2026", "1/2/2026 0:00", "2026-01-02", "n/a"]);
        assert_eq!(readings.count(), 3);
        assert_eq!(formats.texts, ["%m/%d/%Y", "%Y-%m-%d"]);
        assert_eq!((formats.twin, formats.is_mixed), (None, false));
        assert_eq!(seen(&["14/6/26", "1/6/26"]).1.texts, ["%d/%m/%y"]);
        assert_eq!(seen(&["6/14/26 9:30"]).0.with_time, 1);
        assert_eq!(seen(&["45000", "12"]).0.count(), 0);
    }

    #[test]
    fn what_only_the_user_knows_is_told() {
        let (_, formats) = seen(&["1/2/2026", "3/4/2026"]);
        assert_eq!(
            (formats.texts, formats.twin),
            (vec!["%m/%d/%Y"], Some("%d/%m/%Y"))
        );
        let (_, formats) = seen(&["1/2/2026", "13/4/2026", "4/13/2026", "4/14/2026"]);
        assert!(formats.is_mixed);
    }
}
