//! Decoded text of a file, read ahead as far as a reader needs it.

use std::fmt;
use std::io::{self, Read as _};

use memchr::{memchr_iter, memrchr};

use super::bytes::Bytes;

/// A place in the text: its line and the character in it, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub(super) line: u64,
    pub(super) column: u64,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// The place after these bytes.
    pub(super) fn after(self, bytes: &[u8]) -> Self {
        let breaks = memchr_iter(b'\n', bytes).count() as u64;
        let line_start = memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        // Every byte but the continuations of UTF-8 is a character.
        let characters = bytes[line_start..]
            .iter()
            .filter(|byte| **byte & 0xC0 != 0x80);
        let column = if breaks > 0 { 1 } else { self.column };
        Self {
            line: self.line + breaks,
            column: column + characters.count() as u64,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

pub(super) struct Window {
    text: Bytes,
    buffer: Vec<u8>,
    /// What of the buffer was passed.
    start: usize,
    ended: bool,
    chunk: usize,
}

impl Window {
    pub(super) fn new(text: Bytes, chunk: usize) -> Self {
        Self {
            text,
            buffer: Vec::new(),
            start: 0,
            ended: false,
            chunk: chunk.max(1),
        }
    }

    /// What was read and not yet passed.
    #[inline]
    pub(super) fn ahead(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Whether nothing comes after [`Self::ahead`].
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Reads on: to a full chunk, or to twice of what is there, so that a
    /// value that does not fit is started over only a few times.
    pub(super) fn more(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let target = self.chunk.max(self.buffer.len() * 2);
        let missing = target - self.buffer.len();
        let text = &mut self.text;
        let count = text.take(missing as u64).read_to_end(&mut self.buffer)?;
        self.ended = count < missing;
        Ok(())
    }

    /// Passes the first bytes.
    #[inline]
    pub(super) fn skip(&mut self, length: usize) {
        self.start += length;
    }
}
