//! NDJSON: one value a line, blank lines skipped.

use std::io;

use memchr::memchr;

use crate::model::{Code, FileId, Place, Problem};

use super::super::Limits;
use super::super::chunk::{Chunk, Row};
use super::super::feed::Feed;
use super::scan::{is_space, skip_space};

/// Finds the lines of an NDJSON text.
pub(in crate::input) struct Lines {
    feed: Feed,
    file: FileId,
    limits: Limits,
    index: u64,
    done: bool,
}

impl Lines {
    pub(in crate::input) fn new(feed: Feed, file: FileId, limits: &Limits) -> Self {
        Self {
            feed,
            file,
            limits: limits.clone(),
            index: 0,
            done: false,
        }
    }

    /// The next lines, or nothing at the end.
    pub(in crate::input) fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        let mut rows = Vec::new();
        let mut start = 0;
        let mut lost = None;
        while !self.done {
            let bytes = self.feed.bytes();
            let found = memchr(b'\n', &bytes[start..]).map(|at| start + at);
            let end = found.unwrap_or(bytes.len());
            if end - start > self.limits.record {
                lost = Some(self.too_large(start, rows.len()));
                self.done = true;
            } else if found.is_some() || self.feed.ended() {
                let from = skip_space(&bytes[..end], start);
                let trailing = bytes[from..end]
                    .iter()
                    .rev()
                    .take_while(|byte| is_space(**byte))
                    .count();
                if from < end - trailing {
                    rows.push(Row::new(from, end - trailing));
                }
                start = found.map_or(end, |at| at + 1);
                self.done = found.is_none();
            } else if rows.is_empty() {
                self.feed.skip(start);
                start = 0;
                self.feed.more()?;
            } else {
                break;
            }
        }
        if rows.is_empty() && lost.is_none() {
            return Ok(None);
        }
        let (feed, index) = (&mut self.feed, &mut self.index);
        Ok(Some(Chunk::cut(feed, start, rows, index, lost)))
    }

    fn too_large(&self, start: usize, before: usize) -> Problem {
        let line = self.feed.position_at(start).line;
        Problem::new(
            Code::TooLarge,
            Place {
                file: self.file,
                line,
                index: self.index + before as u64,
            },
            format!(
                "a line is larger than the {} bytes that are read; nothing behind line {line} was read",
                self.limits.record
            ),
        )
        .with_hint("NDJSON has one object a line; for other JSON use --format json")
    }
}
