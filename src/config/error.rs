//! Errors of a config, shown with the line and carets under the place.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::mapping::names::{self, fold};

/// Why a config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("can't read the config {}: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("can't write the config {}: {source}", path.display())]
    Unwritable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the config {} is not UTF-8 text; save it as UTF-8", path.display())]
    NotUtf8 { path: PathBuf },
    /// `caseload.toml:12: …` and the line; several only where rules contradict
    /// each other.
    #[error("{0}")]
    Invalid(String),
}

/// How many characters of a line are shown, and more where the error is.
const LINE_SHOWN: usize = 70;

impl ConfigError {
    /// An error at some bytes of the config's text.
    pub(super) fn at(text: &str, path: &Path, span: Range<usize>, message: &str) -> Self {
        let start = text.floor_char_boundary(span.start);
        let (line_start, line) = line_around(text, start);
        let line_end = (line_start + line.len()).max(start);
        let end = text.floor_char_boundary(span.end).clamp(start, line_end);
        let number = line_at(text, start).to_string();
        let place = format!("{}:{number}: {message}", path.display());
        if holds_secret(line) {
            return Self::Invalid(place);
        }
        let mut line = line.replace(char::is_control, " ");
        let shown = LINE_SHOWN.max(end - line_start);
        if let Some((at, _)) = line.char_indices().nth(shown) {
            line.truncate(at);
            line.push('…');
        }
        let gutter = " ".repeat(number.len());
        let indent = " ".repeat(text[line_start..start].chars().count());
        let carets = "^".repeat(text[start..end].chars().count().max(1));
        Self::Invalid(format!(
            "{place}\n  {number} | {line}\n  {gutter} | {indent}{carets}"
        ))
    }

    /// An error that parsing or serde found.
    pub(super) fn from_toml(text: &str, path: &Path, error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or(0..0);
        let (_, line) = line_around(text, text.floor_char_boundary(span.start));
        Self::at(text, path, span, &explain(error.message(), line))
    }
}

/// The line that a byte is in, with its start.
fn line_around(text: &str, at: usize) -> (usize, &str) {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    (start, text[start..].lines().next().unwrap_or(""))
}

/// The number, from 1, of the line that a byte is in.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Serde's message in the words of a config, with the closest known name.
fn explain(message: &str, line: &str) -> String {
    let unknown = |start| message.strip_prefix(start)?.split_once("`, expected ");
    let unknown = [("unknown field `", "key"), ("unknown variant `", "value")]
        .into_iter()
        .find_map(|(start, kind)| Some((kind, unknown(start)?)));
    if let Some((kind, (name, expected))) = unknown {
        if is_secret(name) {
            return format!(
                "`{name}` must not be in a config file, which is shared and backed up; \
                 set LEXAMICA_PUBLIC_KEY or use --public-key-file"
            );
        }
        let known = expected.split('`').skip(1).step_by(2);
        let table = line.trim().strip_prefix("[fields.");
        let hint = match (names::closest(name, known), table) {
            (Some(known), _) => format!("did you mean `{known}`?"),
            (None, Some(field)) => {
                let field = field.trim_end_matches(']').replace('"', "");
                format!("for a nested field write [fields.\"{field}\"]")
            }
            (None, None) => format!("expected {expected}"),
        };
        return format!("unknown {kind} `{name}`; {hint}");
    }
    // Types by names that people know who do not program.
    let (found, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let found = found.replace("type: map", "type: table");
    let found = found.replace("type: sequence", "type: list");
    let expected = match expected {
        "" => return found.replace("missing field", "missing key"),
        "a boolean" => "true or false",
        "a sequence" => "a list such as [\"A\", \"B\"]",
        "usize" => "a whole number, 0 or more",
        "a string" => "text in quotes",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    format!("{found}, expected {expected}")
}

/// Whether a line may set a key or password.
fn holds_secret(line: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
        .any(is_secret)
}

fn is_secret(name: &str) -> bool {
    const SECRETS: &str =
        "publickey privatekey apikey accesskey secretkey secret token password publickeyfile";
    let folded = fold(name);
    SECRETS.split(' ').any(|secret| secret == folded)
}
