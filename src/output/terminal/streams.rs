//! Standard output and standard error. A closed pipe or a full disk never
//! stops a run: write errors are ignored.

use std::borrow::Cow;
use std::io::{self, BufRead as _, IsTerminal, Write};

use anstream::stream::RawStream;

use super::color;
use super::text::{changes_direction, escaped_lines, wrapped};
use crate::model::reserved::{escape_controls, escape_where};
use crate::model::terminal_width;

/// How output looks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OutputOptions {
    /// Show values of cases by shape and length only.
    pub redact: bool,
    /// Only errors and the summary.
    pub quiet: bool,
    /// More detail, with every answer.
    pub verbose: bool,
    /// JSON documents on standard output.
    pub json: bool,
}

/// Writes one line to standard error, for people.
pub(crate) fn print_status(text: &str) {
    print(io::stderr().lock(), text);
}

/// Writes an error to standard error; what it quotes is escaped.
pub(crate) fn print_error(message: &str) {
    let message = escaped_lines(message);
    print_status(&format!("{} {message}", color::red("error:")));
}

/// Writes a warning to standard error; what it quotes is escaped.
pub(crate) fn print_warning(message: &str) {
    print_status(&color::yellow(&escaped_lines(message)));
}

/// Writes text that a command was asked for to standard output, for people.
pub(crate) fn print_result(text: &str) {
    print(io::stdout().lock(), text);
}

fn print(mut stream: impl RawStream, text: &str) {
    let width = terminal_width().filter(|_| stream.is_terminal());
    let text = width.map_or(text.into(), |width| wrapped(text, width));
    let line = color::for_stream(&stream, format!("{text}\n"));
    // One write a line, so that the lines of several processes do not mix.
    let _ = stream.write_all(line.as_bytes());
}

/// Writes one JSON document as one line to standard output.
pub(crate) fn print_json(document: &impl serde::Serialize) {
    let Ok(line) = serde_json::to_string(document) else {
        debug_assert!(false, "every document has text for member names");
        return;
    };
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{}", json_line(&line));
    let _ = out.flush();
}

/// A document in which no text steers a terminal or is a command to a CI runner,
/// with the same meaning: control characters and `#` stand in strings only. What
/// changes the writing direction stays as it is for a program.
pub(crate) fn json_line(document: &str) -> Cow<'_, str> {
    let mut document = escape_controls(document);
    if io::stdout().is_terminal() {
        document = escape_where(&document, changes_direction).into();
    }
    if document.contains("##") {
        document.replace("##", "#\\u0023").into()
    } else {
        document
    }
}

/// Whether a question can be seen and answered.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that only "y" or "yes" answers with yes.
pub(crate) fn confirm(question: &str) -> io::Result<bool> {
    let answer = prompt(&format!("{question} [y/N]"))?.unwrap_or_default();
    Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// Asks for a line; none is the end of the input.
pub(crate) fn prompt(question: &str) -> io::Result<Option<String>> {
    // Not locked while a person thinks: an interrupt must still be reported.
    let mut error = io::stderr();
    write!(error, "\n{question} ")?;
    error.flush()?;
    let mut answer = String::new();
    let length = io::stdin().lock().read_line(&mut answer)?;
    Ok((length > 0).then(|| answer.trim().to_owned()))
}
