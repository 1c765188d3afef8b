//! The progress of a run: a bar on a terminal, otherwise a line from time to
//! time.

use std::fmt::Write as _;
use std::io::stderr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::color;
use super::streams::{OutputOptions, print_status};
use super::summary::other_counts;
use super::text::{grouped, span};
use crate::model::Totals;

/// How often a line is printed without a terminal, and at most how many.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
const MAX_LINES: u64 = 50;
/// How often the bar is drawn, so that countdowns run.
const TICK: Duration = Duration::from_millis(200);

/// Until when the run pauses, and why.
type Pause = Option<(Instant, &'static str)>;

#[derive(Debug)]
pub(crate) struct Progress {
    total: u64,
    began: Instant,
    /// Only on a terminal.
    bar: Option<ProgressBar>,
    /// The bar has made room for a question.
    hidden: bool,
    /// When the last line was printed and how many cases were done then; none
    /// where lines are not wanted.
    last_line: Option<(Instant, u64)>,
    pause: Arc<Mutex<Pause>>,
}

impl Progress {
    pub(crate) fn new(total: u64, output: OutputOptions) -> Self {
        let pause = Arc::default();
        // Not on a pipe or a terminal that can't redraw a line.
        let can_redraw = !ProgressDrawTarget::stderr().is_hidden();
        Self {
            total,
            began: Instant::now(),
            bar: (!output.quiet && can_redraw).then(|| bar(total, Arc::clone(&pause))),
            hidden: false,
            last_line: (!output.quiet && !can_redraw).then(|| (Instant::now(), 0)),
            pause,
        }
    }

    pub(crate) fn update(&mut self, counts: &Totals) {
        let done = counts.sum();
        if std::mem::take(&mut self.hidden) {
            self.bar = Some(bar(self.total, Arc::clone(&self.pause)));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(done_text(counts, self.total));
        } else if let Some((at, before)) = &mut self.last_line
            && at.elapsed() >= LINE_INTERVAL
            && done - *before >= self.total / MAX_LINES
            && done < self.total
        {
            (*at, *before) = (Instant::now(), done);
            print_status(&line(counts, self.total, self.began.elapsed()));
        }
    }

    /// How long the whole run pauses from now on, and why.
    pub(crate) fn set_pause(&self, pause: Option<(Duration, &'static str)>) {
        let pause = pause.map(|(wait, why)| (Instant::now() + wait, why));
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = pause;
    }

    /// Prints a line without tearing the bar.
    pub(crate) fn println(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| print_status(text)),
            None => print_status(text),
        }
    }

    /// Removes the bar for good.
    pub(crate) fn finish(&mut self) {
        self.last_line = None;
        self.hide();
        self.hidden = false;
    }

    /// Removes the bar until the next update, so that a question can be asked.
    pub(crate) fn hide(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.hidden = true;
        }
    }

    pub(crate) fn is_bar(&self) -> bool {
        self.bar.is_some()
    }

    /// Whether the last line of the terminal may be a question.
    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden
    }
}

/// `1,000 of 2,000: 990 imported, 10 rejected; 9.8/s, about 1 min 42 s left`.
fn line(counts: &Totals, total: u64, elapsed: Duration) -> String {
    let done = counts.sum();
    let mut line = done_text(counts, total);
    if done > 0 {
        let rate = done as f64 / elapsed.as_secs_f64();
        let left = total.saturating_sub(done) as f64 / rate;
        let left = span(Duration::from_secs_f64(left));
        // Writing to a String cannot fail.
        let _ = write!(line, "; {rate:.1}/s, about {left} left");
    }
    line
}

fn done_text(counts: &Totals, total: u64) -> String {
    format!(
        "{} of {}: {} imported{}",
        grouped(counts.sum()),
        grouped(total),
        grouped(counts.imported),
        other_counts(counts)
    )
}

/// The message is cut where the terminal ends: a bar that wraps can't be redrawn.
const TEMPLATE: &str = "{bar:10} {wide_msg} {pause}";
const COLOR_TEMPLATE: &str = "{bar:10.green/dim} {wide_msg} {pause}";

fn bar(total: u64, pause: Arc<Mutex<Pause>>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let template = if color::is_shown_on(&stderr()) {
        COLOR_TEMPLATE
    } else {
        TEMPLATE
    };
    // The templates are constants, and a test parses them.
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("━━─").with_key(
        "pause",
        move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let paused = *pause.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = match paused {
                Some((until, why)) => {
                    let left = until.saturating_duration_since(Instant::now());
                    write!(out, "{why} in {} s", left.as_secs() + 1)
                }
                // Nothing is known of the rate yet.
                None if state.pos() == 0 => Ok(()),
                None => write!(out, "{:.1}/s, {} left", state.per_sec(), span(state.eta())),
            };
        },
    ));
    bar.set_message(done_text(&Totals::default(), total));
    bar.enable_steady_tick(TICK);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_counts_rate_and_time_left() {
        let counts = Totals {
            imported: 990,
            rejected: 8,
            in_doubt: 2,
            ..Totals::default()
        };
        assert_eq!(
            line(&counts, 2_000, Duration::from_secs(100)),
            "1,000 of 2,000: 990 imported, 8 rejected, 2 in doubt; 10.0/s, about 1 min 40 s left"
        );
    }

    #[test]
    fn the_templates_are_valid() {
        for template in [TEMPLATE, COLOR_TEMPLATE] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
