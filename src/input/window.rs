//! Decoded text of a file, read ahead as far as a reader needs it.

use std::io::{self, Read};

use memchr::{memchr_iter, memrchr};

use super::bytes::Bytes;

/// A place in the text: its line and the character in it, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
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

pub(super) struct Window {
    text: Bytes,
    buffer: Vec<u8>,
    /// What of the buffer was taken.
    start: usize,
    ended: bool,
    chunk: usize,
    position: Position,
}

impl Window {
    pub(super) fn new(text: Bytes, chunk: usize) -> Self {
        Self {
            text,
            buffer: Vec::new(),
            start: 0,
            ended: false,
            chunk: chunk.max(1),
            position: Position::START,
        }
    }

    /// What was read and not yet taken.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Whether nothing comes after [`Self::ahead`].
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// The place of the byte at `at` of [`Self::ahead`].
    pub(super) fn position_at(&self, at: usize) -> Position {
        self.position.after(&self.ahead()[..at])
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

    /// A copy of the first bytes, which are passed, and the place where they
    /// begin.
    pub(super) fn take(&mut self, length: usize) -> (Vec<u8>, Position) {
        let (taken, position) = (self.ahead()[..length].to_vec(), self.position);
        self.skip(length);
        (taken, position)
    }

    /// Passes the first bytes.
    pub(super) fn skip(&mut self, length: usize) {
        self.position = self.position_at(length);
        self.start += length;
    }
}

impl Read for Window {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ahead().is_empty() && !self.ended {
            self.more()?;
        }
        let count = out.len().min(self.ahead().len());
        out[..count].copy_from_slice(&self.ahead()[..count]);
        self.skip(count);
        Ok(count)
    }
}
