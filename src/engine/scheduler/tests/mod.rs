//! The scheduler step by step, under random schedules, and in virtual time.

mod schedules;
mod starts;
mod steps;

use super::*;

/// A run of so many cases without a canary.
fn settings(cases: usize) -> RunSettings {
    RunSettings {
        cases,
        in_flight: 32,
        max_retries: 5,
        max_wait: Duration::from_mins(10),
        max_failures: 20,
        pace: PaceRange::default(),
        canary: Canary {
            needed: 0,
            echo: EchoPolicy::Show,
        },
        seed: 1,
    }
}
