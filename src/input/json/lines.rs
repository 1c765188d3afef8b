//! NDJSON: one value a line, blank lines skipped.

use memchr::memchr;

use crate::model::{Code, FileId, Place, Problem};

use super::super::chunk::{Body, Chunk};
use super::super::window::Window;
use super::super::{InputErrorKind, Limits};

/// Finds the lines of an NDJSON text.
pub(in crate::input) struct Lines {
    window: Window,
    file: FileId,
    limits: Limits,
    index: u64,
    done: bool,
}

impl Lines {
    pub(in crate::input) fn new(window: Window, file: FileId, limits: &Limits) -> Self {
        Self {
            window,
            file,
            limits: limits.clone(),
            index: 0,
            done: false,
        }
    }

    /// The next lines, or nothing at the end.
    pub(in crate::input) fn next_chunk(&mut self) -> Result<Option<Chunk>, InputErrorKind> {
        let mut rows = Vec::new();
        let mut start = 0;
        let mut lost = None;
        while !self.done {
            let bytes = self.window.ahead();
            let found = memchr(b'\n', &bytes[start..]).map(|at| start + at);
            let end = found.unwrap_or(bytes.len());
            if end - start > self.limits.record {
                lost = Some(self.too_large(start, rows.len()));
                self.done = true;
            } else if found.is_some() || self.window.ended() {
                let line = &bytes[start..end];
                let text = line.trim_ascii_start();
                let from = start + line.len() - text.len();
                let text = text.trim_ascii_end();
                if !text.is_empty() {
                    rows.push(from..from + text.len());
                }
                start = found.map_or(end, |at| at + 1);
                self.done = found.is_none();
            } else if rows.is_empty() {
                self.window.skip(start);
                start = 0;
                self.window.more().map_err(InputErrorKind::from_io)?;
            } else {
                break;
            }
        }
        if rows.is_empty() && lost.is_none() {
            return Ok(None);
        }
        let index = self.index;
        self.index += rows.len() as u64;
        let (bytes, position) = self.window.take(start);
        Ok(Some(Chunk {
            body: Body::Json {
                bytes,
                rows,
                position,
            },
            index,
            lost: lost.map(Box::new),
        }))
    }

    fn too_large(&self, start: usize, before: usize) -> Problem {
        let line = self.window.position_at(start).line;
        let place = Place {
            file: self.file,
            line,
            index: self.index + before as u64,
        };
        let message = format!(
            "line larger than the limit of {} bytes; nothing after line {line} was read",
            self.limits.record
        );
        Problem::new(Code::TooLarge, place, message)
            .with_hint("NDJSON has one object a line; for other JSON use --format json")
    }
}
