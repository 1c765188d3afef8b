//! Standard error and standard output, as a run may use them: a closed pipe
//! or a full disk behind them never stops it.

use std::io::{self, IsTerminal, Write};

/// What goes to whom, and how it looks.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Escape sequences for colour.
    pub color: bool,
    /// Values of cases are shown by shape and length only.
    pub redact: bool,
    /// Only what must be said.
    pub quiet: bool,
    /// JSON to standard output is wanted.
    pub json: bool,
}

/// Writes one line for the eye to standard error.
pub fn say(text: &str) {
    let mut line = String::with_capacity(text.len() + 1);
    line.push_str(text);
    line.push('\n');
    // One write a line, so that lines of several processes don't mix.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Writes one JSON document as one line to standard output.
pub fn print_json(document: &impl serde::Serialize) {
    let Ok(mut line) = serde_json::to_vec(document) else {
        debug_assert!(false, "all that is printed has text for names");
        return;
    };
    line.push(b'\n');
    let mut out = io::stdout().lock();
    let _ = out.write_all(&line);
    let _ = out.flush();
}

/// Whether both the question and its answer can be seen.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// What is good.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What is wrong.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// What may be wrong.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// What matters.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What can be passed over.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}
