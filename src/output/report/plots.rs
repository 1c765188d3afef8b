//! The plots of the report, as SVG and tables that need no script.

use std::collections::HashMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::html;
use crate::ledger::CallCount;
use crate::model::{State, StateCounts, Verdict, grouped, local_offset, local_time};

/// The states in the order in which they are drawn.
const STATES: [State; 6] = [
    State::Imported,
    State::Rejected,
    State::InDoubt,
    State::NotSent,
    State::Sending,
    State::Removed,
];
/// Rows of a table before the others are one.
const MOST_ROWS: usize = 12;

// Of the timeline, in its own units.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 44.0;
const MOST_COLUMNS: i64 = 72;
const FEWEST_COLUMNS: i64 = 24;
const LABELS: i64 = 6;

/// Widths of a column of the timeline in seconds, with their names.
const STEPS: [(i64, &str); 13] = [
    (1, "second"),
    (5, "5 seconds"),
    (15, "15 seconds"),
    (60, "minute"),
    (300, "5 minutes"),
    (900, "15 minutes"),
    (3_600, "hour"),
    (10_800, "3 hours"),
    (21_600, "6 hours"),
    (DAY, "day"),
    (7 * DAY, "7 days"),
    (30 * DAY, "30 days"),
    (365 * DAY, "365 days"),
];
const DAY: i64 = 86_400;

/// Calls over time: a column for each stretch, stacked by outcome.
pub(super) fn timeline(calls: &[CallCount]) -> String {
    let (Some(first), Some(last)) = (calls.first(), calls.last()) else {
        return String::new();
    };
    // Days begin at midnight where the reader is.
    let offset = local_offset(first.at);
    let (first, last) = (first.at.as_second() + offset, last.at.as_second() + offset);
    let fits = |(step, _): &&(i64, &str)| last / step - first / step < MOST_COLUMNS;
    let (step, unit) = *STEPS.iter().find(fits).unwrap_or(&STEPS[STEPS.len() - 1]);
    let first = first / step;
    let columns = (last / step - first + 1).max(FEWEST_COLUMNS);
    let mut stacks = vec![StateCounts::default(); columns as usize];
    let mut all = StateCounts::default();
    for call in calls {
        let column = (call.at.as_second() + offset) / step - first;
        let state = call.verdict.map_or(State::Sending, Verdict::state);
        stacks[column as usize].add(state, call.calls);
        all.add(state, call.calls);
    }
    let most = stacks.iter().map(StateCounts::total).max().unwrap_or(1);
    let start_of = |column: i64| {
        let second = (first + column) * step - offset;
        local_time(Timestamp::from_second(second).unwrap_or_default())
    };
    let mut svg = format!(
        "<figure><div class=\"scroll\" tabindex=\"0\"><svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Calls per {unit}: {} calls from {} to {}, at most {} per {unit}\">\
         <text class=\"unit\" x=\"0\" y=\"10\">calls per {unit}</text>",
        grouped(all.total()),
        start_of(0),
        start_of((last / step) - first),
        grouped(most),
    );
    svg += &y_axis(most);
    svg += &stacked_columns(&stacks, most, &start_of);
    svg += &x_axis(columns, step, &start_of);
    svg + "</svg></div><figcaption>" + &legend(&all) + "</figcaption></figure>"
}

/// Lines and numbers at round values.
fn y_axis(most: u64) -> String {
    let mut step = 1;
    // 1, 2, 5, 10, 20, …
    while most / step > 4 {
        step = if step.to_string().starts_with('2') {
            step / 2 * 5
        } else {
            step * 2
        };
    }
    let mut svg = String::new();
    for tick in (0..=most).step_by(step as usize) {
        let y = height_at(tick, most);
        let (x, text_y, number) = (LEFT - 8.0, y + 4.0, grouped(tick));
        // Writing to a String can't fail.
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"tick\" text-anchor=\"end\" x=\"{x}\" y=\"{text_y:.1}\">{number}</text>"
        );
    }
    svg
}

fn height_at(calls: u64, most: u64) -> f64 {
    let height = HEIGHT - TOP - BOTTOM;
    TOP + height * (1.0 - calls as f64 / most.max(1) as f64)
}

fn stacked_columns(stacks: &[StateCounts], most: u64, start_of: &dyn Fn(i64) -> String) -> String {
    let width = (WIDTH - LEFT) / stacks.len() as f64;
    let mut svg = String::new();
    for (column, stack) in (0..).zip(stacks) {
        if stack.total() == 0 {
            continue;
        }
        let (x, bar) = (LEFT + width * (column as f64 + 0.1), width * 0.8);
        let title = format!("{}: {}", start_of(column), in_words(stack));
        // Writing to a String can't fail.
        let _ = write!(svg, "<g><title>{}</title>", html(&title));
        let mut below = 0;
        for state in STATES.into_iter().filter(|state| stack.of(*state) > 0) {
            let bottom = height_at(below, most);
            below += stack.of(state);
            let y = height_at(below, most);
            let _ = write!(
                svg,
                "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{bar:.1}\" \
                 height=\"{:.1}\"/>",
                state.as_str(),
                bottom - y
            );
        }
        svg += "</g>";
    }
    svg
}

/// Times in local time: the clock, and the day where it changes.
fn x_axis(columns: i64, step: i64, start_of: &dyn Fn(i64) -> String) -> String {
    let y = HEIGHT - BOTTOM;
    let mut svg =
        format!("<line class=\"axis\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/>");
    let mut day = String::new();
    for label in 0..LABELS {
        let column = columns * label / LABELS;
        let x = LEFT + (WIDTH - LEFT) * column as f64 / columns as f64;
        let at = start_of(column);
        let clock = match step {
            DAY.. => "",
            60.. => &at[11..16],
            _ => &at[11..19],
        };
        let (clock_y, day_y, tick) = (y + 17.0, y + 33.0, y + 5.0);
        let date = if at.starts_with(&day) && !day.is_empty() {
            ""
        } else {
            &at[..10]
        };
        let date_y = if clock.is_empty() { clock_y } else { day_y };
        // Writing to a String can't fail.
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{y}\" y2=\"{tick}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{clock_y}\">{clock}</text>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{date_y}\">{date}</text>"
        );
        at[..10].clone_into(&mut day);
    }
    svg
}

/// Of which color each state is, with its number.
fn legend(counts: &StateCounts) -> String {
    let present = STATES.into_iter().filter(|state| counts.of(*state) > 0);
    let items = present.map(|state| {
        format!(
            "<li><svg class=\"key\" viewBox=\"0 0 10 10\" aria-hidden=\"true\">\
             <rect class=\"{}\" width=\"10\" height=\"10\" rx=\"2\"/></svg>{} <b>{}</b></li>",
            state.as_str(),
            state.label(),
            grouped(counts.of(state))
        )
    });
    format!("<ul class=\"legend\">{}</ul>", items.collect::<String>())
}

fn in_words(counts: &StateCounts) -> String {
    let present = STATES.into_iter().filter(|state| counts.of(*state) > 0);
    let parts = present.map(|state| format!("{} {}", grouped(counts.of(state)), state.label()));
    parts.collect::<Vec<_>>().join(", ")
}

/// The states of all cases as one bar.
pub(super) fn state_bar(counts: &StateCounts) -> String {
    format!("{}{}", bar(counts, counts.total()), legend(counts))
}

/// A bar as long as its share of `most`, one piece for each state.
fn bar(counts: &StateCounts, most: u64) -> String {
    let scale = 100.0 / most.max(1) as f64;
    let mut x = 0.0;
    let mut svg = format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\">",
        in_words(counts)
    );
    for state in STATES.into_iter().filter(|state| counts.of(*state) > 0) {
        let width = counts.of(state) as f64 * scale;
        // Writing to a String can't fail.
        let _ = write!(
            svg,
            "<rect class=\"{}\" x=\"{x:.2}\" width=\"{width:.2}\" height=\"10\"/>",
            state.as_str()
        );
        x += width;
    }
    svg + "</svg>"
}

/// The states of each firm's cases.
pub(super) fn firms(by_firm: &HashMap<String, StateCounts>) -> String {
    let mut firms: Vec<_> = by_firm
        .iter()
        .map(|(name, counts)| (name.as_str(), *counts))
        .collect();
    firms.sort_by(|(a, some), (b, others)| (others.total(), *a).cmp(&(some.total(), *b)));
    let rest = firms.split_off(firms.len().min(MOST_ROWS));
    if !rest.is_empty() {
        let mut others = StateCounts::default();
        for state in STATES {
            others.add(state, rest.iter().map(|(_, counts)| counts.of(state)).sum());
        }
        firms.push(("other firms", others));
    }
    let all = firms.iter().map(|(_, counts)| counts);
    let most = all
        .clone()
        .map(StateCounts::total)
        .max()
        .unwrap_or_default();
    let columns = STATES
        .into_iter()
        .filter(|state| all.clone().any(|counts| counts.of(*state) > 0));
    let columns: Vec<State> = columns.collect();
    let mut table =
        "<div class=\"scroll\"><table class=\"bars\"><thead><tr><th scope=\"col\">firm</th>\
                     <th scope=\"col\" class=\"n\">cases</th><td></td>"
            .to_owned();
    // Writing to a String can't fail.
    for state in &columns {
        let _ = write!(
            table,
            "<th scope=\"col\" class=\"n\">{}</th>",
            state.label()
        );
    }
    table += "</tr></thead><tbody>";
    for (name, counts) in firms {
        let (total, bar) = (grouped(counts.total()), bar(&counts, most));
        let name = html(name);
        let _ = write!(
            table,
            "<tr><th scope=\"row\">{name}</th><td class=\"n\">{total}</td><td>{bar}</td>"
        );
        for state in &columns {
            let number = counts.of(*state);
            let zero = if number == 0 { " zero" } else { "" };
            let _ = write!(table, "<td class=\"n{zero}\">{}</td>", grouped(number));
        }
        table += "</tr>";
    }
    table + "</tbody></table></div>"
}

/// A table of names with their numbers, each with a bar.
pub(super) struct Bars<'a>(Vec<(&'a str, u64)>);

impl<'a> Bars<'a> {
    /// The largest first; those that are too many are one.
    pub(super) fn of(mut rows: Vec<(&'a String, &u64)>, others: &'a str) -> Self {
        rows.sort_by(|(a, some), (b, other)| (other, *a).cmp(&(some, *b)));
        let rest = rows.split_off(rows.len().min(MOST_ROWS));
        let rows = rows
            .into_iter()
            .map(|(name, number)| (name.as_str(), *number));
        let mut bars = Self(rows.collect());
        bars.add(others, rest.iter().map(|(_, number)| *number).sum());
        bars
    }

    pub(super) fn add(&mut self, name: &'a str, number: u64) {
        if number > 0 {
            self.0.push((name, number));
        }
    }

    pub(super) fn html(&self, what: &str, unit: &str) -> String {
        let most = self.0.iter().map(|(_, number)| *number).max();
        let Some(most) = most else {
            return String::new();
        };
        let rows = self.0.iter().map(|(name, number)| {
            let width = *number as f64 * 100.0 / most as f64;
            format!(
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td>\
                 <td><svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" \
                 aria-hidden=\"true\"><rect class=\"plain\" width=\"{width:.2}\" height=\"10\"/>\
                 </svg></td></tr>",
                html(name),
                grouped(*number)
            )
        });
        format!(
            "<table class=\"bars\"><thead><tr><th scope=\"col\">{what}</th>\
             <th scope=\"col\" class=\"n\">{unit}</th><td></td></tr></thead><tbody>{}</tbody></table>",
            rows.collect::<String>()
        )
    }
}
