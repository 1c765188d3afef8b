//! Calls over time, in columns for stretches of a round length.

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::CallCount;
use crate::model::{State, StateCounts, Verdict, local_offset, local_time};
use crate::output::terminal::text::{count, span};

const MOST_COLUMNS: i64 = 72;
/// So that few columns are not too wide.
const FEWEST_COLUMNS: i64 = 24;
const DAY: i64 = 86_400;
/// Lengths of a stretch, in seconds.
const STEPS: [i64; 11] = [
    1,
    5,
    15,
    60,
    300,
    900,
    3_600,
    10_800,
    DAY,
    7 * DAY,
    30 * DAY,
];

#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// The calls of each stretch, with its start in local time.
    pub(super) columns: Vec<Column>,
    pub(super) all: StateCounts,
    /// The length of a stretch, in words.
    pub(super) unit: String,
    /// Calls in the highest column.
    pub(super) most: u64,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) start: String,
    pub(super) calls: StateCounts,
}

impl Timeline {
    pub(super) fn new(calls: &[CallCount]) -> Self {
        let (Some(first), Some(last)) = (calls.first(), calls.last()) else {
            return Self::default();
        };
        // Days begin at midnight where the reader is.
        let offset = local_offset(first.at);
        let number = |at: Timestamp, step: i64| (at.as_second() + offset) / step;
        let fits = |step: &i64| number(last.at, *step) - number(first.at, *step) < MOST_COLUMNS;
        let step = STEPS.into_iter().find(fits).unwrap_or(365 * DAY);
        let start = number(first.at, step);
        let columns = (number(last.at, step) - start + 1).max(FEWEST_COLUMNS);
        let columns = (start..start + columns).map(|number| {
            let at = Timestamp::from_second(number * step - offset);
            let start = local_time(at.unwrap_or_default());
            Column {
                start,
                calls: StateCounts::default(),
            }
        });
        let unit = match step {
            DAY.. => count((step / DAY) as u64, "day"),
            _ => span(Duration::from_secs(step as u64)).replace(".0", ""),
        };
        let mut timeline = Self {
            columns: columns.collect(),
            unit: unit.trim_start_matches("1 ").to_owned(),
            ..Self::default()
        };
        for call in calls {
            let state = call.verdict.map_or(State::Sending, Verdict::state);
            timeline.all.add(state, call.calls);
            let column = (number(call.at, step) - start) as usize;
            let column = &mut timeline.columns[column].calls;
            column.add(state, call.calls);
            timeline.most = timeline.most.max(column.total());
        }
        timeline
    }

    /// Round numbers from 0 up to the highest column: 1, 2, 5, 10, 20, … apart.
    pub(super) fn ticks(&self) -> impl Iterator<Item = u64> {
        let mut steps = (0..).flat_map(|power| [1, 2, 5].map(|step| step * 10_u64.pow(power)));
        let step = steps.find(|step| self.most / step <= 4).unwrap_or(1);
        (0..=self.most).step_by(step as usize)
    }
}
