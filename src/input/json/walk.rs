//! Walks through JSON text and checks every byte. Accepts exactly what
//! `serde_json` accepts, but for lone surrogates and more than 127 levels.

#![expect(
    clippy::unnecessary_box_returns,
    reason = "a large error would slow each value that is right"
)]

use std::borrow::Cow;
use std::collections::HashSet;

use crate::model::{CellKind, Code};

use super::MAX_DEPTH;
use super::scan::skip_space;
use super::string::Text;

/// Why a text is no record. Boxed, so that what is right stays small.
#[derive(Debug)]
pub(in crate::input) struct Trouble {
    pub(in crate::input) at: usize,
    pub(in crate::input) code: Code,
    pub(in crate::input) what: String,
    pub(in crate::input) column: Option<Box<str>>,
}

#[cold]
pub(super) fn trouble(at: usize, code: Code, what: impl Into<String>) -> Box<Trouble> {
    Box::new(Trouble {
        at,
        code,
        what: what.into(),
        column: None,
    })
}

#[cold]
pub(super) fn bad(at: usize, what: &str) -> Box<Trouble> {
    trouble(at, Code::BadJson, what)
}

/// A member of the same object has this name already.
#[cold]
pub(super) fn repeated(name: Text, text: &str) -> Box<Trouble> {
    let what = format!("the object names the member {text:?} twice");
    let mut trouble = trouble(name.start - 1, Code::DuplicateMember, what);
    trouble.column = Some(text.into());
    trouble
}

#[cold]
pub(super) fn ends(at: usize) -> Box<Trouble> {
    trouble(
        at,
        Code::Truncated,
        "the text ends in the middle of a value",
    )
}

/// Objects up to this size compare their names in pairs.
const FEW_MEMBERS: usize = 12;

/// Walks through JSON text and checks it.
pub(super) struct Walk<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// The members' names of the nested objects that are open.
    pub(super) names: Vec<Text>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a str, range: &std::ops::Range<usize>) -> Self {
        Self {
            text,
            bytes: &text.as_bytes()[..range.end],
            at: range.start,
            names: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn peek(&mut self) -> Result<u8, Box<Trouble>> {
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

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Box<Trouble>> {
        if self.peek()? != byte {
            return Err(bad(self.at, what));
        }
        self.at += 1;
        Ok(())
    }

    /// Goes through the members of the object that begins here, with a call for
    /// each name, which goes through the value.
    pub(super) fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, Text) -> Result<(), Box<Trouble>>,
    ) -> Result<(), Box<Trouble>> {
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

    /// Passes a value and says what it is.
    pub(super) fn value(&mut self, depth: usize) -> Result<CellKind, Box<Trouble>> {
        Ok(match self.peek()? {
            b'"' => {
                self.pass_string()?;
                CellKind::Text
            }
            b'{' | b'[' if depth >= MAX_DEPTH => {
                let what = format!("nested more than {MAX_DEPTH} levels deep");
                return Err(trouble(self.at, Code::TooLarge, what));
            }
            b'{' => {
                self.object(depth)?;
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
        })
    }

    /// Passes a nested object; names the member at which something in it is
    /// wrong, where that has a name.
    fn object(&mut self, depth: usize) -> Result<(), Box<Trouble>> {
        let first = self.names.len();
        self.members(|walk, name| {
            walk.names.push(name);
            walk.value(depth + 1)
                .map_err(|trouble| walk.inside_member(name, trouble))?;
            Ok(())
        })?;
        let names = &self.names[first..];
        let distinct = if names.len() <= FEW_MEMBERS && names.iter().all(|name| !name.escaped) {
            let plain = |name: &Text| &self.text[name.start..name.end];
            (1..names.len()).all(|at| {
                let (before, name) = (&names[..at], plain(&names[at]));
                before.iter().all(|other| plain(other) != name)
            })
        } else {
            false
        };
        if !distinct {
            self.tell_repeated(names)?;
        }
        self.names.truncate(first);
        Ok(())
    }

    /// The first of these names that stands a second time.
    fn tell_repeated(&self, names: &[Text]) -> Result<(), Box<Trouble>> {
        let mut seen = HashSet::with_capacity(names.len());
        for name in names {
            let text = self.resolved(*name)?;
            if seen.contains(&text) {
                return Err(repeated(*name, &text));
            }
            seen.insert(text);
        }
        Ok(())
    }

    fn resolved(&self, string: Text) -> Result<Cow<'a, str>, Box<Trouble>> {
        if !string.escaped {
            return Ok(Cow::Borrowed(&self.text[string.start..string.end]));
        }
        let mut text = String::new();
        self.resolve(string, &mut text)?;
        Ok(Cow::Owned(text))
    }

    /// Trouble that names a member, as seen from the object around it.
    #[cold]
    pub(super) fn inside_member(&self, name: Text, mut trouble: Box<Trouble>) -> Box<Trouble> {
        if let Some(column) = &mut trouble.column {
            let name = self.resolved(name).unwrap_or_default();
            let dot = if column.starts_with('[') { "" } else { "." };
            *column = format!("{name}{dot}{column}").into();
        }
        trouble
    }

    fn array(&mut self, depth: usize) -> Result<(), Box<Trouble>> {
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        for number in 0_usize.. {
            self.value(depth + 1).map_err(|mut trouble| {
                if let Some(column) = &mut trouble.column {
                    let dot = if column.starts_with('[') { "" } else { "." };
                    *column = format!("[{number}]{dot}{column}").into();
                }
                trouble
            })?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(bad(self.at, "expected `,` or `]` behind a value")),
            }
        }
        Ok(())
    }

    fn word(&mut self, word: &str, kind: CellKind) -> Result<CellKind, Box<Trouble>> {
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

    fn digits(&mut self) -> Result<(), Box<Trouble>> {
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

    fn number(&mut self) -> Result<CellKind, Box<Trouble>> {
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
}
