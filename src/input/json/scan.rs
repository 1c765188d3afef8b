//! Strings and brackets, as fast as they can be followed without a copy.

/// The first byte at or behind `at` that ends a run of plain string characters:
/// a quote, a backslash or a control character. The length when there is none.
#[inline]
pub(super) fn plain_run_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES * 0x80;
    // Eight bytes at once: a byte's high bit marks it, exactly so for the first.
    while let Some(word) = bytes.get(at..at + 8) {
        let mut array = [0; 8];
        array.copy_from_slice(word);
        let word = u64::from_le_bytes(array);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let marks = ((quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word))
            & HIGHS;
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    bytes[at.min(bytes.len())..]
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
        .map_or(bytes.len(), |found| at + found)
}

/// How many brackets are open, and whether a string is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Nesting {
    pub(super) depth: u32,
    in_string: bool,
}

impl Nesting {
    /// Inside so many brackets.
    pub(super) fn inside(depth: u32) -> Self {
        Self {
            depth,
            in_string: false,
        }
    }

    /// Follows the text from `at` to behind the bracket or quote that closes
    /// what is open, whatever kind of bracket it is; otherwise to where it goes
    /// on when there are more bytes.
    pub(super) fn close(&mut self, bytes: &[u8], mut at: usize) -> Result<usize, usize> {
        loop {
            if self.in_string {
                at = plain_run_end(bytes, at);
                match bytes.get(at) {
                    None => return Err(at),
                    Some(b'"') => {
                        self.in_string = false;
                        at += 1;
                        if self.depth == 0 {
                            return Ok(at);
                        }
                    }
                    Some(b'\\') if at + 1 == bytes.len() => return Err(at),
                    Some(b'\\') => at += 2,
                    Some(_) => at += 1,
                }
            } else {
                let Some(byte) = bytes.get(at) else {
                    return Err(at);
                };
                at += 1;
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth = self.depth.saturating_sub(1);
                        if self.depth == 0 {
                            return Ok(at);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Whether JSON allows it between tokens.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\t' | b'\r')
}

/// The first byte at or behind `at` that is no space.
pub(super) fn skip_space(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| !is_space(*byte))
        .map_or(bytes.len(), |found| at + found)
}

/// Behind the value that begins at `at`, as far as its brackets, quotes and
/// separators tell; nothing when the bytes end before it does.
pub(super) fn value_end(bytes: &[u8], at: usize, ended: bool) -> Option<usize> {
    if matches!(bytes.get(at), Some(b'{' | b'[' | b'"')) {
        return Nesting::default().close(bytes, at).ok();
    }
    bytes[at..]
        .iter()
        .position(|byte| is_space(*byte) || matches!(byte, b',' | b']' | b'}'))
        .map(|found| at + found)
        .or(ended.then_some(bytes.len()))
}
