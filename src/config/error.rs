//! What is wrong with a config: each fault with its line shown.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::mapping::fold;

/// Why there is no config.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the config {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is no text.
    #[error("the config {} is not UTF-8 text; save it as UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// All that is wrong in it, by line.
    #[error("{}", joined(.0))]
    Faults(Vec<SettingError>),
}

/// One fault of a config, or of a code table that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// The line as it stands, ready to be shown; empty where it may hold a
    /// secret.
    pub excerpt: String,
    /// How many characters of it are meant.
    pub width: u32,
    /// What is wrong, and what to do.
    pub message: String,
}

impl SettingError {
    /// A fault of some bytes of a file's text.
    pub(super) fn of(text: &str, path: &Path, span: Range<usize>, message: &str) -> Self {
        let start = text.floor_char_boundary(span.start);
        let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = text[from..].lines().next().unwrap_or("");
        let end = text
            .floor_char_boundary(span.end)
            .clamp(start, (from + line.len()).max(start));
        let name = line.split_once('=').map_or("", |(name, _)| name);
        let excerpt = if is_secret(name) {
            String::new()
        } else {
            line.chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect()
        };
        Self {
            path: path.to_owned(),
            line: line_at(text, start),
            column: text[from..start].chars().count() as u32 + 1,
            excerpt,
            width: text[start..end].chars().count() as u32,
            message: message.to_owned(),
        }
    }
}

fn line_at(text: &str, at: usize) -> u32 {
    let before = &text.as_bytes()[..at.min(text.len())];
    memchr::memchr_iter(b'\n', before).count() as u32 + 1
}

/// `caseload.toml:12: …`, and under it the line with the place marked.
impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)?;
        if self.excerpt.is_empty() {
            return Ok(());
        }
        let number = self.line.to_string();
        let gap = " ".repeat(number.len());
        let before = " ".repeat(self.column.saturating_sub(1) as usize);
        let mark = "^".repeat(self.width.max(1) as usize);
        write!(
            f,
            "\n  {number} | {}\n  {gap} | {before}{mark}",
            self.excerpt
        )
    }
}

fn joined(faults: &[SettingError]) -> String {
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

/// Whether a setting's name is that of a key or password.
pub(super) fn is_secret(name: &str) -> bool {
    const SECRETS: [&str; 9] = [
        "publickey",
        "privatekey",
        "apikey",
        "accesskey",
        "secretkey",
        "secret",
        "token",
        "password",
        "publickeyfile",
    ];
    SECRETS.contains(&fold(name).as_str())
}

/// The faults of one file while it is read.
#[derive(Debug)]
pub(super) struct Faults<'t> {
    text: &'t str,
    path: &'t Path,
    found: RefCell<Vec<SettingError>>,
}

impl<'t> Faults<'t> {
    pub(super) fn new(text: &'t str, path: &'t Path) -> Self {
        Self {
            text,
            path,
            found: RefCell::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// The line, from 1, of a place in the text.
    pub(super) fn line_at(&self, at: usize) -> u32 {
        line_at(self.text, at)
    }

    /// The text as it stands between two places.
    pub(super) fn text_at(&self, span: Range<usize>) -> &'t str {
        self.text.get(span).unwrap_or("")
    }

    /// Adds a fault of some bytes of the text.
    pub(super) fn push(&self, span: Range<usize>, message: &str) {
        let fault = SettingError::of(self.text, self.path, span, message);
        self.found.borrow_mut().push(fault);
    }

    /// Adds faults of another file.
    pub(super) fn extend(&self, others: Vec<SettingError>) {
        self.found.borrow_mut().extend(others);
    }

    /// By file, this one first, and by line.
    pub(super) fn into_sorted(self) -> Vec<SettingError> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|fault| {
            (
                fault.path != self.path,
                fault.path.clone(),
                fault.line,
                fault.column,
            )
        });
        found
    }
}
