//! The state scheduler: step by step, and under a seeded scheduler.

mod schedules;
mod steps;

use super::*;

/// A careless run of so many cases.
fn settings(cases: usize) -> Settings {
    Settings {
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
