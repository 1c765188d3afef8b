//! A window on the decoded text of a file, which splitters fill and cut.

use std::io::{self, Read};

use memchr::{memchr_iter, memrchr2};

use super::raw::Bytes;

/// A place in the text: its line and the character in it, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: u64,
    pub(super) column: u64,
    after_cr: bool,
}

impl Position {
    /// Where a text begins.
    pub(super) const START: Self = Self {
        line: 1,
        column: 1,
        after_cr: false,
    };

    /// Moves behind these bytes. LF, CR and CRLF each end a line.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
            return;
        };
        self.line += line_breaks(bytes, true);
        if self.after_cr && *first == b'\n' {
            // It was counted with its CR.
            self.line -= 1;
        }
        self.after_cr = *last == b'\r';
        let line_start = memrchr2(b'\n', b'\r', bytes).map_or(0, |at| at + 1);
        if line_start > 0 {
            self.column = 1;
        }
        self.column += characters(&bytes[line_start..]);
    }

    /// The place behind these bytes.
    pub(super) fn after(mut self, bytes: &[u8]) -> Self {
        self.pass(bytes);
        self
    }
}

/// How many lines end in these bytes: with LF, CR or CRLF. Without `has_cr` the
/// caller knows that there is no CR.
pub(super) fn line_breaks(bytes: &[u8], has_cr: bool) -> u64 {
    // What stands between two rows is too short for a search to pay.
    if let [b'\n'] | [b'\r', b'\n'] = bytes {
        return 1;
    }
    let feeds = memchr_iter(b'\n', bytes).count();
    if !has_cr {
        return feeds as u64;
    }
    let lone_returns = memchr_iter(b'\r', bytes)
        .filter(|at| bytes.get(at + 1) != Some(&b'\n'))
        .count();
    (feeds + lone_returns) as u64
}

fn characters(text: &[u8]) -> u64 {
    // Every byte but the continuations of UTF-8.
    text.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u64
}

/// Decoded text, read ahead as far as a splitter needs it.
pub(super) struct Feed {
    text: Bytes,
    buffer: Vec<u8>,
    ended: bool,
    chunk: usize,
    position: Position,
}

impl Feed {
    pub(super) fn new(text: Bytes, chunk: usize) -> Self {
        Self {
            text,
            buffer: Vec::new(),
            ended: false,
            chunk: chunk.max(1),
            position: Position::START,
        }
    }

    /// What was read and not yet taken.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Whether nothing comes behind [`Self::bytes`].
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Where [`Self::bytes`] begin.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// Where the byte at `at` of [`Self::bytes`] stands.
    pub(super) fn position_at(&self, at: usize) -> Position {
        self.position.after(&self.buffer[..at])
    }

    /// Reads on: to a full chunk, or to twice of what is there, so that a
    /// splitter that has to start over does so only a few times.
    pub(super) fn more(&mut self) -> io::Result<()> {
        let target = self.chunk.max(self.buffer.len() * 2);
        let mut filled = self.buffer.len();
        self.buffer.resize(target, 0);
        let result = loop {
            if filled == target {
                break Ok(());
            }
            match self.text.read(&mut self.buffer[filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break Ok(());
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.buffer.truncate(filled);
        result
    }

    /// Cuts off the first bytes, with the place where they begin.
    pub(super) fn take(&mut self, length: usize) -> (Vec<u8>, Position) {
        let mut rest = Vec::with_capacity(self.chunk.max(self.buffer.len() - length));
        rest.extend_from_slice(&self.buffer[length..]);
        let mut taken = std::mem::replace(&mut self.buffer, rest);
        taken.truncate(length);
        let position = self.position;
        self.position.pass(&taken);
        (taken, position)
    }

    /// Forgets the first bytes.
    pub(super) fn skip(&mut self, length: usize) {
        self.position.pass(&self.buffer[..length]);
        self.buffer.drain(..length);
    }
}
