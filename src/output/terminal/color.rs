//! Colors. Text is always built with them; [`for_stream`] removes them where
//! the stream does not show any: by `--color`, which `cli` sets, `NO_COLOR`,
//! `CLICOLOR_FORCE`, `TERM=dumb` and pipes.

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// Whether the stream shows colors.
pub(crate) fn is_shown_on(stream: &impl RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// The text as this stream shows it.
pub(crate) fn for_stream(stream: &impl RawStream, text: String) -> String {
    if is_shown_on(stream) {
        text
    } else {
        anstream::adapter::strip_str(&text).to_string()
    }
}

/// In this style.
pub(crate) fn green(text: &str) -> String {
    paint(AnsiColor::Green.on_default(), text)
}

/// In this style.
pub(crate) fn red(text: &str) -> String {
    paint(AnsiColor::Red.on_default(), text)
}

/// In this style.
pub(crate) fn yellow(text: &str) -> String {
    paint(AnsiColor::Yellow.on_default(), text)
}

/// In this style.
pub(crate) fn bold(text: &str) -> String {
    paint(Style::new().bold(), text)
}

/// In this style.
pub(crate) fn dim(text: &str) -> String {
    paint(Style::new().dimmed(), text)
}

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
