//! Calls over time, in columns for stretches of a round length.

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::CallCount;
use crate::model::{State, StateCounts, Verdict, local_offset, local_time};
use crate::output::terminal::text::span;

const MOST_COLUMNS: i64 = 72;
/// So that few columns are not too wide.
const FEWEST_COLUMNS: i64 = 24;
const LABELS: usize = 6;
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
    pub(super) columns: Vec<(String, StateCounts)>,
    pub(super) all: StateCounts,
    /// The length of a stretch, in words.
    pub(super) unit: String,
    /// Calls in the highest column.
    pub(super) most: u64,
    step: i64,
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
            (local_time(at.unwrap_or_default()), StateCounts::default())
        });
        let mut timeline = Self {
            columns: columns.collect(),
            unit: match step {
                DAY => "day".to_owned(),
                DAY.. => format!("{} days", step / DAY),
                _ => span(Duration::from_secs(step as u64)),
            },
            step,
            ..Self::default()
        };
        for call in calls {
            let state = call.verdict.map_or(State::Sending, Verdict::state);
            timeline.all.add(state, call.calls);
            let column = &mut timeline.columns[(number(call.at, step) - start) as usize].1;
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

    /// Every few columns the number of one, its clock, and its day when it is
    /// another one.
    pub(super) fn labels(&self) -> Vec<(usize, &str, &str)> {
        let mut day = "";
        let columns = self.columns.iter().enumerate();
        let every = columns.step_by(self.columns.len().div_ceil(LABELS).max(1));
        let labels = every.map(|(number, (at, _))| {
            let clock = match self.step {
                DAY.. => "",
                60.. => &at[11..16],
                _ => &at[11..19],
            };
            let before = std::mem::replace(&mut day, &at[..10]);
            (number, clock, if day == before { "" } else { day })
        });
        labels.collect()
    }
}
