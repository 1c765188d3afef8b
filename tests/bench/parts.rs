//! Criterion measures the parts: readers, rules and the ledger.
//!
//!     cargo bench --bench parts
//!
//! `run.py` measures whole processes.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails should stop")]

mod ledger;
mod readers;
mod rules;

use std::fmt::Write as _;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// The columns of the made-up cases.
const COLUMNS: [&str; 12] = [
    "Lead ID",
    "First",
    "Last",
    "Phone",
    "Email",
    "Case Type",
    "Date of Loss",
    "Open Date",
    "State",
    "Firm",
    "Summary",
    "Notes",
];

/// Made-up cases, the same for every run.
fn rows(count: usize) -> impl Iterator<Item = [String; COLUMNS.len()]> {
    let mut dice = fastrand::Rng::with_seed(7);
    (0..count).map(move |number| {
        let mut one_of = |words: &[&str]| words[dice.usize(..words.len())].to_owned();
        let first = one_of(&["Ann", "José", "Marcus", "Renée", "Li", "Aaliyah"]);
        let last = one_of(&["Smith", "Ramírez", "O'Brien", "Nguyen", "Müller"]);
        let state = one_of(&["NV", "CA", "Nevada", "TX Texas", "NY", "Georgia"]);
        let mut summary = format!("Rear-ended at a red light on I-{}", dice.u8(1..99));
        if dice.u8(0..5) == 0 {
            summary.push_str(", then \"treated\" at the ER");
        }
        [
            format!("L-{number:08}"),
            first,
            last,
            format!("(702) 555-{:04}", dice.u16(0..10_000)),
            format!("p{number}@example.com"),
            format!("Type {:02}", dice.u8(0..20)),
            format!(
                "{:02}/{:02}/20{}",
                dice.u8(1..13),
                dice.u8(1..29),
                dice.u8(15..26)
            ),
            format!(
                "20{}-{:02}-{:02}",
                dice.u8(15..26),
                dice.u8(1..13),
                dice.u8(1..29)
            ),
            state,
            format!("firm_{}", dice.u8(1..41)),
            summary,
            "x".repeat(dice.usize(0..40)),
        ]
    })
}

/// The same cases as CSV.
fn csv(count: usize) -> String {
    let mut text = COLUMNS.join(",") + "\n";
    for row in rows(count) {
        let cells = row.map(|cell| {
            if cell.contains(['"', ',']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell
            }
        });
        // Writing to a String can't fail.
        let _ = writeln!(text, "{}", cells.join(","));
    }
    text
}

/// The same cases as JSON objects.
fn objects(count: usize) -> impl Iterator<Item = String> {
    rows(count).map(|row| {
        let members = COLUMNS.iter().zip(row);
        let object: serde_json::Map<_, _> = members
            .map(|(name, cell)| ((*name).to_owned(), cell.into()))
            .collect();
        serde_json::Value::Object(object).to_string()
    })
}

criterion_group! {
    name = parts;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = readers::measure, rules::measure, ledger::measure
}
criterion_main!(parts);
