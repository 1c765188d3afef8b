//! One JSON object to cells. Accepts exactly what `serde_json` accepts, but for
//! lone surrogates, names given twice and more than 127 levels.

use crate::model::{CellKind, Code, Columns};

use super::super::header::{ESCAPED, REASON};
use super::super::parser::Span;
use super::MAX_DEPTH;
use super::scan::{plain_run_end, skip_space};

/// Why a text is no record.
#[derive(Debug)]
pub(in crate::source) struct Trouble {
    pub(in crate::source) at: usize,
    pub(in crate::source) code: Code,
    pub(in crate::source) what: String,
    pub(in crate::source) column: Option<Box<str>>,
}

fn bad(at: usize, what: impl Into<String>) -> Trouble {
    Trouble {
        at,
        code: Code::BadJson,
        what: what.into(),
        column: None,
    }
}

fn ends(at: usize) -> Trouble {
    Trouble {
        code: Code::Truncated,
        ..bad(at, "the text ends in the middle of a value")
    }
}

/// A string's characters between its quotes.
#[derive(Clone, Copy)]
struct Text {
    start: usize,
    end: usize,
    escaped: bool,
}

/// Walks through JSON text and checks it.
struct Walk<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, range: &std::ops::Range<usize>) -> Self {
        Self {
            text,
            bytes: &text.as_bytes()[..range.end],
            at: range.start,
        }
    }

    fn peek(&mut self) -> Result<u8, Trouble> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte > b' ' => Ok(*byte),
            _ => {
                self.at = skip_space(self.bytes, self.at);
                self.bytes
                    .get(self.at)
                    .copied()
                    .ok_or_else(|| ends(self.at))
            }
        }
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Trouble> {
        if self.peek()? != byte {
            return Err(bad(self.at, what));
        }
        self.at += 1;
        Ok(())
    }

    /// Goes through the members of the object that begins here, with a call for
    /// each name, which goes through the value.
    fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, Text) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek()? != b'"' {
                return Err(bad(self.at, "expected a member name in quotes"));
            }
            let name = self.string()?;
            self.expect(b':', "expected `:` behind a member name")?;
            member(self, name)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(bad(self.at, "expected `,` or `}` behind a value")),
            }
        }
    }

    /// Passes a value and says what it is; a string's characters with it.
    fn value(&mut self, depth: usize) -> Result<(CellKind, Option<Text>), Trouble> {
        let kind = match self.peek()? {
            b'"' => return Ok((CellKind::Text, Some(self.string()?))),
            b'{' | b'[' if depth >= MAX_DEPTH => {
                return Err(Trouble {
                    code: Code::TooLarge,
                    ..bad(self.at, format!("nested more than {MAX_DEPTH} levels deep"))
                });
            }
            b'{' => {
                self.members(|walk, _| walk.value(depth + 1).map(drop))?;
                CellKind::Json
            }
            b'[' => {
                self.array(depth)?;
                CellKind::Json
            }
            b't' => self.word("true", CellKind::Bool)?,
            b'f' => self.word("false", CellKind::Bool)?,
            b'n' => self.word("null", CellKind::Null)?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => return Err(bad(self.at, "expected a value")),
        };
        Ok((kind, None))
    }

    fn array(&mut self, depth: usize) -> Result<(), Trouble> {
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(bad(self.at, "expected `,` or `]` behind a value")),
            }
        }
    }

    fn word(&mut self, word: &str, kind: CellKind) -> Result<CellKind, Trouble> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(kind)
        } else if word.as_bytes().starts_with(rest) {
            Err(ends(self.bytes.len()))
        } else {
            Err(bad(self.at, "expected a value"))
        }
    }

    fn digits(&mut self) -> Result<(), Trouble> {
        let count = self.bytes[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.at += count;
        match count {
            0 if self.at == self.bytes.len() => Err(ends(self.at)),
            0 => Err(bad(self.at, "expected a digit")),
            _ => Ok(()),
        }
    }

    fn number(&mut self) -> Result<CellKind, Trouble> {
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
            if self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
                return Err(bad(
                    self.at,
                    "a number may not begin with 0; put it in quotes",
                ));
            }
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(CellKind::Number)
    }

    fn string(&mut self) -> Result<Text, Trouble> {
        let start = self.at + 1;
        let mut escaped = false;
        self.at = start;
        loop {
            self.at = plain_run_end(self.bytes, self.at);
            match self.bytes.get(self.at) {
                None => return Err(ends(self.at)),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text {
                        start,
                        end: self.at - 1,
                        escaped,
                    });
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
    fn escape(&mut self) -> Result<char, Trouble> {
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

    fn unit(&mut self) -> Result<u16, Trouble> {
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
    fn resolve(&self, string: Text, out: &mut String) -> Result<(), Trouble> {
        let mut walk = Walk {
            at: string.start,
            ..*self
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

/// Makes cells of objects; keeps the columns that they have shown so far.
#[derive(Debug)]
pub(in crate::source) struct Objects {
    pub(in crate::source) columns: Columns,
    limit: usize,
    /// The column of each member of the last object, by the member's position.
    shape: Vec<usize>,
    /// The last object, by number, that had a column.
    seen: Vec<u64>,
    number: u64,
    name: String,
}

impl Objects {
    pub(in crate::source) fn new(limit: usize) -> Self {
        Self {
            columns: Columns::new(),
            limit,
            shape: Vec::new(),
            seen: Vec::new(),
            number: 0,
            name: String::new(),
        }
    }

    /// Adds the cells of the object `text[range]` to `cells`, each with its
    /// column, and returns the object's own text. Texts are spans of `text`, or
    /// of `own` where they had to be put together.
    pub(in crate::source) fn read(
        &mut self,
        text: &str,
        range: std::ops::Range<usize>,
        own: &mut String,
        cells: &mut Vec<(u32, Span)>,
    ) -> Result<Span, Trouble> {
        let mut walk = Walk::new(text, &range);
        match walk.peek()? {
            b'{' => {}
            b'[' => return Err(not_an_object(walk.at, "an array")),
            b'"' => return Err(not_an_object(walk.at, "a string")),
            b't' | b'f' | b'n' | b'-' | b'0'..=b'9' => {
                let kind = walk.value(1)?.0;
                let found = match kind {
                    CellKind::Number => "a number",
                    CellKind::Null => "null",
                    _ => "true or false",
                };
                return Err(not_an_object(range.start, found));
            }
            _ => return Err(bad(walk.at, "expected an object")),
        }
        let begin = walk.at;
        self.number += 1;
        let mut position = 0;
        let mut own_columns = false;
        walk.members(|walk, name| {
            let column = self.column(walk, name, position)?;
            position += 1;
            walk.peek()?;
            let from = walk.at;
            let (kind, string) = walk.value(1)?;
            let Some(column) = column else {
                own_columns = true;
                return Ok(());
            };
            let span = match string {
                Some(string) if string.escaped => {
                    let from = own.len();
                    walk.resolve(string, own)?;
                    Span::of_own(kind, from, own.len())
                }
                Some(string) => Span::of_text(kind, string.start, string.end),
                None if kind == CellKind::Null => Span::of_text(kind, from, from),
                None => Span::of_text(kind, from, walk.at),
            };
            cells.push((column, span));
            Ok(())
        })?;
        let end = walk.at;
        walk.at = skip_space(walk.bytes, walk.at);
        if walk.at < walk.bytes.len() {
            return Err(bad(walk.at, "more text behind the end of the object"));
        }
        if own_columns {
            return without_own_columns(text, begin..end, own);
        }
        Ok(Span::of_text(CellKind::Json, begin, end))
    }

    /// The column of a member; none for what caseload itself had added.
    fn column(
        &mut self,
        walk: &Walk<'_>,
        name: Text,
        position: usize,
    ) -> Result<Option<u32>, Trouble> {
        let plain = &walk.text[name.start..name.end];
        let known = self
            .shape
            .get(position)
            .filter(|column| !name.escaped && self.columns.name(**column) == plain);
        let column = if let Some(column) = known {
            *column
        } else {
            self.name.clear();
            walk.resolve(name, &mut self.name)?;
            if matches!(self.name.as_str(), REASON | ESCAPED) {
                return Ok(None);
            }
            if self.columns.len() >= self.limit && self.columns.position(&self.name).is_none() {
                return Err(Trouble {
                    code: Code::TooLarge,
                    ..bad(
                        name.start,
                        format!(
                            "the file has more than {} distinct member names",
                            self.limit
                        ),
                    )
                });
            }
            let column = self.columns.intern(&self.name);
            self.seen.resize(self.columns.len(), 0);
            if position < self.shape.len() {
                self.shape[position] = column;
            } else if position == self.shape.len() {
                self.shape.push(column);
            }
            column
        };
        if self.seen[column] == self.number {
            let text = self.columns.name(column);
            return Err(Trouble {
                at: name.start - 1,
                code: Code::DuplicateMember,
                what: format!("the object names the member {text:?} twice"),
                column: Some(text.into()),
            });
        }
        self.seen[column] = self.number;
        Ok(Some(column as u32))
    }
}

fn not_an_object(at: usize, found: &str) -> Trouble {
    Trouble {
        code: Code::NotAnObject,
        ..bad(at, format!("expected an object, found {found}"))
    }
}

/// The object without the members that caseload had added to it.
fn without_own_columns(
    text: &str,
    range: std::ops::Range<usize>,
    own: &mut String,
) -> Result<Span, Trouble> {
    let from = own.len();
    let mut name_text = String::new();
    Walk::new(text, &range).members(|walk, name| {
        name_text.clear();
        walk.resolve(name, &mut name_text)?;
        walk.value(1)?;
        if !matches!(name_text.as_str(), REASON | ESCAPED) {
            own.push(if own.len() == from { '{' } else { ',' });
            own.push_str(&text[name.start - 1..walk.at]);
        }
        Ok(())
    })?;
    if own.len() == from {
        own.push('{');
    }
    own.push('}');
    Ok(Span::of_own(CellKind::Json, from, own.len()))
}
