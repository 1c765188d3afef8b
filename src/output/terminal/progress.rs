//! A run's progress for the eye: a bar on a terminal, a line now and then
//! where there is none.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::color;
use super::streams::{OutputOptions, print_status};
use super::text::{grouped, span};
use crate::model::Totals;

/// Without a terminal, a line this often.
const BETWEEN_LINES: Duration = Duration::from_secs(5);
/// The bar's clock: countdowns go on while nothing happens.
const TICK: Duration = Duration::from_millis(200);

fn counts_text(counts: &Totals) -> String {
    let mut text = format!("{} imported", grouped(counts.imported));
    for (number, state) in [
        (counts.rejected, "rejected"),
        (counts.in_doubt, "in doubt"),
        (counts.not_sent, "not sent"),
    ] {
        if number > 0 {
            // Writing to a String can't fail.
            let _ = write!(text, ", {} {state}", grouped(number));
        }
    }
    text
}

/// Shows a run's progress.
#[derive(Debug)]
pub(crate) struct Progress {
    total: u64,
    began: Instant,
    form: Form,
    pause: Arc<Mutex<Option<(Instant, &'static str)>>>,
}

#[derive(Debug)]
enum Form {
    Bar(ProgressBar),
    Lines {
        last: Instant,
    },
    /// A bar that made room for a question, and is back with the next news.
    Aside,
    Nothing,
}

impl Progress {
    /// For a run over so many cases.
    pub(crate) fn new(total: u64, output: OutputOptions) -> Self {
        let pause = Arc::new(Mutex::new(None));
        let form = if output.quiet {
            Form::Nothing
        } else if std::io::stderr().is_terminal() {
            Form::Bar(bar(total, Arc::clone(&pause)))
        } else {
            Form::Lines {
                last: Instant::now(),
            }
        };
        Self {
            total,
            began: Instant::now(),
            form,
            pause,
        }
    }

    /// Shows where the run stands now.
    pub(crate) fn update(&mut self, counts: &Totals) {
        if let Form::Aside = self.form {
            self.form = Form::Bar(bar(self.total, Arc::clone(&self.pause)));
        }
        match &mut self.form {
            Form::Bar(bar) => {
                bar.set_message(counts_text(counts));
                bar.set_position(counts.sum());
            }
            Form::Lines { last } => {
                if last.elapsed() >= BETWEEN_LINES && counts.sum() < self.total {
                    *last = Instant::now();
                    print_status(&self.line(counts));
                }
            }
            Form::Aside | Form::Nothing => {}
        }
    }

    fn line(&self, counts: &Totals) -> String {
        let elapsed = self.began.elapsed();
        let mut line = format!(
            "{} of {}: {}",
            grouped(counts.sum()),
            grouped(self.total),
            counts_text(counts)
        );
        if counts.sum() > 0 {
            let left = self.total.saturating_sub(counts.sum());
            let rate = counts.sum() as f64 / elapsed.as_secs_f64();
            let left = Duration::from_secs_f64(left as f64 / rate);
            // Writing to a String can't fail.
            let _ = write!(line, "; {rate:.1}/s, about {} left", span(left));
        }
        line
    }

    /// The whole run pauses.
    pub(crate) fn pause(&self, wait: Duration, why: &'static str) {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now() + wait, why));
    }

    /// It goes on.
    pub(crate) fn resume(&self) {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Says a line for the eye without tearing the bar.
    pub(crate) fn println(&self, text: &str) {
        match &self.form {
            Form::Bar(bar) => bar.suspend(|| print_status(text)),
            Form::Lines { .. } | Form::Aside | Form::Nothing => print_status(text),
        }
    }

    /// Takes the bar away, so that the end can be told.
    pub(crate) fn finish(&mut self) {
        self.clear(Form::Nothing);
    }

    /// Takes the bar away until there is news, so that a question can be asked.
    pub(crate) fn step_aside(&mut self) {
        if self.is_bar() {
            self.clear(Form::Aside);
        }
    }

    fn clear(&mut self, form: Form) {
        if let Form::Bar(bar) = std::mem::replace(&mut self.form, form) {
            bar.finish_and_clear();
        }
    }

    /// Whether a bar shows what goes on.
    pub(crate) fn is_bar(&self) -> bool {
        matches!(self.form, Form::Bar(_))
    }

    /// Whether the last thing on the streams may be a question.
    pub(crate) fn is_aside(&self) -> bool {
        matches!(self.form, Form::Aside)
    }
}

fn bar(total: u64, pause: Arc<Mutex<Option<(Instant, &'static str)>>>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let look = if color::is_shown_on(&std::io::stderr()) {
        "{bar:28.green/dim} {pos}/{len}  {msg}  {pause}"
    } else {
        "{bar:28} {pos}/{len}  {msg}  {pause}"
    };
    // The template is a constant, and a test draws it.
    let look = ProgressStyle::with_template(look).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(look.progress_chars("━━─").with_key(
        "pause",
        move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let paused = *pause.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = match paused {
                Some((until, why)) => {
                    let left = until.saturating_duration_since(Instant::now());
                    write!(out, "{why}, goes on in {} s", left.as_secs() + 1)
                }
                // Before the first news nothing is known of either.
                None if state.pos() == 0 => Ok(()),
                None => write!(out, "{:.1}/s, {} left", state.per_sec(), span(state.eta())),
            };
        },
    ));
    bar.set_message("0 imported");
    bar.enable_steady_tick(TICK);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_it_is() {
        let progress = Progress {
            total: 2_000,
            began: Instant::now()
                .checked_sub(Duration::from_secs(100))
                .unwrap_or_else(Instant::now),
            form: Form::Nothing,
            pause: Arc::default(),
        };
        let counts = Totals {
            imported: 990,
            rejected: 8,
            in_doubt: 2,
            ..Totals::default()
        };
        let line = progress.line(&counts);
        let (counts, rest) = line.split_once("; ").unwrap();
        assert_eq!(
            counts,
            "1,000 of 2,000: 990 imported, 8 rejected, 2 in doubt"
        );
        assert!(rest.ends_with(" left"), "{rest}");
    }

    #[test]
    fn the_bars_template_is_one() {
        let drawn = bar(3, Arc::default());
        drawn.set_position(1);
        assert_eq!(drawn.position(), 1);
        for look in ["{bar:28.green/dim} {pos}", "{bar:28} {pos}"] {
            assert!(ProgressStyle::with_template(look).is_ok());
        }
    }
}
