//! Strings of JSON: their ends, their escapes, their characters.

use super::scan::plain_run_end;
use super::walk::{Trouble, Walk, bad, ends};

/// A string's characters between its quotes.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) escaped: bool,
}

impl Walk<'_> {
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text, Box<Trouble>> {
        let start = self.at + 1;
        let escaped = self.pass_string()?;
        Ok(Text {
            start,
            end: self.at - 1,
            escaped,
        })
    }

    /// Passes a string; says whether it has escapes.
    pub(super) fn pass_string(&mut self) -> Result<bool, Box<Trouble>> {
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at = plain_run_end(self.bytes, self.at);
            match self.bytes.get(self.at) {
                None => return Err(ends(self.at)),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => {
                    return Err(bad(
                        self.at,
                        "a control character in a string must be written as an escape",
                    ));
                }
            }
        }
    }

    /// Passes one escape; a pair of surrogates is one.
    fn escape(&mut self) -> Result<char, Box<Trouble>> {
        let begin = self.at;
        self.at += 2;
        Ok(match self.bytes.get(begin + 1) {
            None => return Err(ends(begin)),
            Some(b'u') => {
                let first = self.unit()?;
                let units = if (0xD800..0xDC00).contains(&first)
                    && self.bytes[self.at..].starts_with(b"\\u")
                {
                    self.at += 2;
                    vec![first, self.unit()?]
                } else {
                    vec![first]
                };
                match char::decode_utf16(units).next() {
                    Some(Ok(character)) => character,
                    _ => return Err(bad(begin, "half of a surrogate pair is no character")),
                }
            }
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
            Some(_) => return Err(bad(begin, "an unknown escape in a string")),
        })
    }

    fn unit(&mut self) -> Result<u16, Box<Trouble>> {
        let Some(digits) = self.bytes.get(self.at..self.at + 4) else {
            return Err(ends(self.bytes.len()));
        };
        let value = digits.iter().try_fold(0, |value, digit| {
            Some(value << 4 | char::from(*digit).to_digit(16)?)
        });
        self.at += 4;
        match value {
            // Four hexadecimal digits are 16 bits.
            Some(value) => Ok(value as u16),
            None => Err(bad(self.at - 4, "expected four hexadecimal digits")),
        }
    }

    /// Writes a checked string's characters, escapes resolved.
    pub(super) fn resolve(&self, string: Text, out: &mut String) -> Result<(), Box<Trouble>> {
        let mut walk = Walk {
            text: self.text,
            bytes: self.bytes,
            at: string.start,
            names: Vec::new(),
        };
        while walk.at < string.end {
            let run = plain_run_end(&walk.bytes[..string.end], walk.at);
            out.push_str(&walk.text[walk.at..run]);
            walk.at = run;
            if run < string.end {
                out.push(walk.escape()?);
            }
        }
        Ok(())
    }
}
