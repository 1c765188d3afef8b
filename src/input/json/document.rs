//! A JSON text: finds the array of records in it, or the one object, and cuts
//! out its elements one by one, so that never more than a chunk and a record are
//! in memory. An array is read up to its first syntax error. In NDJSON each line
//! is a record; blank lines are skipped.

use std::io::{self, Read};
use std::ops::Range;

use serde::Deserialize as _;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Deserializer;

use crate::model::{Code, Place, Problem};

use super::super::bytes::Bytes;
use super::super::chunk::{Chunk, ChunkBody, Values};
use super::super::error::listed;
use super::super::window::{Position, Window};
use super::super::{InputErrorKind, Limits, ReadOptions};
use super::{error_message, error_offset};

/// What is left of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DocumentState {
    /// Lines of NDJSON.
    Lines,
    /// One object, of this length.
    Single(usize),
    /// An array, whose bracket was passed.
    Array,
    /// What follows an element of an array.
    Elements,
    /// What closes the objects around the array.
    Tail,
    Done,
}

const MORE_TEXT: &str = "more text after the end of the JSON";

pub(in crate::input) struct JsonDocument {
    window: Window,
    /// Where the window begins.
    position: Position,
    limits: Limits,
    state: DocumentState,
    /// How many objects are open around the array.
    around: u32,
    /// The member that holds the array, unless it was named: it must be the
    /// only one.
    only: Option<String>,
}

/// The first byte at or after `at` that is not white space.
fn skip_space(bytes: &[u8], at: usize) -> usize {
    bytes.len() - bytes[at..].trim_ascii_start().len()
}

impl JsonDocument {
    /// Finds where the records begin, if they are not lines: in the array that
    /// the document is, or the member that `--records` or its shape names.
    pub(in crate::input) fn open(
        text: Bytes,
        is_lines: bool,
        options: &ReadOptions,
    ) -> Result<Self, InputErrorKind> {
        let mut document = Self {
            window: Window::new(text, options.limits.chunk),
            position: Position::START,
            limits: options.limits.clone(),
            state: DocumentState::Lines,
            around: 0,
            only: None,
        };
        if is_lines {
            return Ok(document);
        }
        document.state = DocumentState::Array;
        match (document.token()?, options.records.as_deref()) {
            (None, _) => return Err(InputErrorKind::Empty),
            (Some(b'['), None | Some(".")) => document.skip(1),
            (Some(b'['), Some(path)) => {
                return Err(InputErrorKind::NoSuchMember {
                    wanted: path.to_owned(),
                    found: "the file is an array, whose elements are the records".to_owned(),
                });
            }
            (Some(b'{'), None) => document.find_only_member()?,
            (Some(b'{'), Some(".")) => document.single()?,
            (Some(b'{'), Some(path)) => document.descend(path)?,
            (Some(_), _) => return Err(document.error(0, "expected an array or an object")),
        }
        Ok(document)
    }

    fn position_at(&self, at: usize) -> Position {
        self.position.after(&self.window.ahead()[..at])
    }

    fn skip(&mut self, length: usize) {
        self.position = self.position_at(length);
        self.window.skip(length);
    }

    fn error(&self, at: usize, message: impl Into<String>) -> InputErrorKind {
        let (position, message) = (self.position_at(at), message.into());
        InputErrorKind::Json { position, message }
    }

    fn cut_off(&self, at: usize, message: &'static str) -> InputErrorKind {
        let position = self.position_at(at);
        InputErrorKind::CutOff { position, message }
    }

    /// The first byte of the next token, with nothing before it.
    fn token(&mut self) -> Result<Option<u8>, InputErrorKind> {
        let (at, token) = self.token_at(0)?;
        self.skip(at);
        Ok(token)
    }

    /// The first token at or after `at`, nothing passed.
    fn token_at(&mut self, at: usize) -> Result<(usize, Option<u8>), InputErrorKind> {
        loop {
            let found = skip_space(self.window.ahead(), at);
            let next = self.window.ahead().get(found).copied();
            self.within_limit(at, found)?;
            if next.is_some() || self.window.ended() {
                return Ok((found, next));
            }
            self.window.more()?;
        }
    }

    fn within_limit(&self, start: usize, end: usize) -> Result<(), InputErrorKind> {
        let limit = self.limits.record;
        if end - start > limit {
            let line = self.position_at(start).line;
            return Err(InputErrorKind::TooLarge { line, limit });
        }
        Ok(())
    }

    /// The value at `at` and where it ends, nothing passed.
    fn value_at<T: DeserializeOwned>(&mut self, at: usize) -> Result<(T, usize), InputErrorKind> {
        loop {
            let (text, ended) = (&self.window.ahead()[at..], self.window.ended());
            let mut values = Deserializer::from_slice(text).into_iter::<T>();
            match values.next() {
                Some(Ok(value)) => {
                    let length = values.byte_offset();
                    let ends = matches!(text[length - 1], b'}' | b']' | b'"');
                    // A number or a literal may go on where the text does.
                    if ended || length < text.len() || ends {
                        self.within_limit(at, at + length)?;
                        return Ok((value, at + length));
                    }
                }
                Some(Err(error)) => {
                    let offset = error_offset(text, &error);
                    // A number cut off in its middle is an error at its last byte.
                    if !error.is_eof() && (ended || offset + 1 < text.len()) {
                        return Err(self.error(at + offset, error_message(&error)));
                    }
                }
                None => {}
            }
            self.within_limit(at, self.window.ahead().len())?;
            if ended {
                let message = "the file ends in the middle of the value that begins here";
                return Err(self.cut_off(at, message));
            }
            self.window.more()?;
        }
    }

    /// The member name at `at`, and where its value begins.
    fn name_at(&mut self, at: usize) -> Result<(String, usize), InputErrorKind> {
        let (at, token) = self.token_at(at)?;
        if token != Some(b'"') {
            return Err(self.error(at, "expected a member name in quotes"));
        }
        let (name, end) = self.value_at(at)?;
        let (colon, token) = self.token_at(end)?;
        if token != Some(b':') {
            return Err(self.error(colon, "expected `:` after a member name"));
        }
        let (value, token) = self.token_at(colon + 1)?;
        if token.is_none() {
            return Err(self.cut_off(value, "the file ends where a value was expected"));
        }
        Ok((name, value))
    }

    /// The whole object is the one record.
    fn single(&mut self) -> Result<(), InputErrorKind> {
        let (IgnoredAny, length) = self.value_at(0)?;
        self.state = DocumentState::Single(length);
        Ok(())
    }

    /// Without --records, they are in the object's only member, if that is an
    /// array of objects; without any such array the object is the record. All
    /// else is for the user to decide.
    fn find_only_member(&mut self) -> Result<(), InputErrorKind> {
        let (mut arrays, mut empty) = (Vec::new(), Vec::new());
        let (mut at, mut count) = (1, 0);
        while let (_, Some(b'"')) = self.token_at(at)? {
            let (name, value) = self.name_at(at)?;
            count += 1;
            if self.window.ahead()[value] == b'[' {
                match self.token_at(value + 1)? {
                    (_, Some(b'{')) if count == 1 => {
                        self.begin_array(name, value);
                        return Ok(());
                    }
                    // It may be large: what follows it is not looked at.
                    (_, Some(b'{')) => {
                        arrays.push(name);
                        return Err(InputErrorKind::AmbiguousRecords { arrays });
                    }
                    (_, Some(b']')) => empty.push((name.clone(), value)),
                    _ => {}
                }
            }
            let (IgnoredAny, end) = self.value_at(value)?;
            self.within_limit(0, end)?;
            if let Ok(value) = serde_json::from_slice(&self.window.ahead()[value..end]) {
                find_arrays(&name, &value, &mut arrays);
            }
            match self.token_at(end)? {
                (next, Some(b',')) => at = next + 1,
                _ => break,
            }
        }
        if arrays.is_empty()
            && count == 1
            && let Some((name, value)) = empty.pop()
        {
            self.begin_array(name, value);
            return Ok(());
        }
        if arrays.is_empty() {
            arrays.extend(empty.into_iter().map(|(name, _)| name));
        }
        if arrays.is_empty() {
            // An error in what remains is found here.
            return self.single();
        }
        Err(InputErrorKind::AmbiguousRecords { arrays })
    }

    /// The records are in the array at `value`, unless other members follow.
    fn begin_array(&mut self, name: String, value: usize) {
        self.skip(value + 1);
        self.around = 1;
        self.only = Some(name);
    }

    /// The records are in the member that a dotted path names.
    fn descend(&mut self, path: &str) -> Result<(), InputErrorKind> {
        for part in path.split('.') {
            match self.token()? {
                Some(b'{') => self.skip(1),
                _ => return Err(InputErrorKind::NotRecords(path.to_owned())),
            }
            self.around += 1;
            let mut found = Vec::new();
            loop {
                if self.token()? == Some(b'}') {
                    return Err(InputErrorKind::NoSuchMember {
                        wanted: path.to_owned(),
                        found: if found.is_empty() {
                            "the object is empty".to_owned()
                        } else {
                            format!("its members are {}", listed(&found))
                        },
                    });
                }
                let (name, value) = self.name_at(0)?;
                self.skip(value);
                if name == part {
                    break;
                }
                found.push(name);
                self.pass_value()?;
                match self.token()? {
                    Some(b',') => self.skip(1),
                    Some(b'}') => {}
                    _ => return Err(self.error(0, "expected `,` or `}`")),
                }
            }
        }
        match self.token()? {
            Some(b'[') => {
                self.skip(1);
                Ok(())
            }
            Some(b'{') => self.single(),
            _ => Err(InputErrorKind::NotRecords(path.to_owned())),
        }
    }

    /// Passes the value that comes next, however large.
    fn pass_value(&mut self) -> Result<(), InputErrorKind> {
        if !matches!(self.window.ahead().first(), Some(b'{' | b'[' | b'"')) {
            let (IgnoredAny, end) = self.value_at(0)?;
            self.skip(end);
            return Ok(());
        }
        // Such a value ends with its last byte: nothing after it is read.
        match IgnoredAny::deserialize(&mut Deserializer::from_reader(&mut *self)) {
            Ok(_) => Ok(()),
            Err(error) if error.is_io() => Err(io::Error::from(error).into()),
            Err(error) => Err(self.error(0, error_message(&error))),
        }
    }

    /// The next records, or nothing at the end.
    pub(in crate::input) fn next_chunk(&mut self) -> Result<Option<Chunk>, InputErrorKind> {
        let (mut rows, mut at, mut lost) = (Vec::new(), 0, None);
        while rows.is_empty() || at < self.limits.chunk {
            let record = match self.state {
                DocumentState::Lines => self.next_line(at),
                DocumentState::Array | DocumentState::Elements => self.next_element(at),
                DocumentState::Single(length) => Ok(Some(0..length)),
                DocumentState::Tail | DocumentState::Done => break,
            };
            match record {
                Ok(Some(record)) => {
                    at = record.end;
                    rows.push(record);
                    self.state = match self.state {
                        DocumentState::Lines => DocumentState::Lines,
                        DocumentState::Single(_) => DocumentState::Tail,
                        _ => DocumentState::Elements,
                    };
                }
                // The bracket that closes the array.
                Ok(None) if self.state != DocumentState::Lines => {
                    at = skip_space(self.window.ahead(), at) + 1;
                    self.state = DocumentState::Tail;
                }
                Ok(None) => self.state = DocumentState::Done,
                Err(error) => lost = Some(self.lost(error)?),
            }
        }
        if rows.is_empty() && self.state == DocumentState::Tail {
            self.skip(std::mem::take(&mut at));
            match self.tail() {
                Ok(()) => self.state = DocumentState::Done,
                Err(error) => lost = Some(self.lost(error)?),
            }
        }
        let bytes = self.window.ahead()[..at].to_vec();
        let start = self.position;
        self.skip(at);
        let body = ChunkBody::Json(Values { bytes, rows, start });
        Ok(Chunk::new(body, lost))
    }

    /// The line after `at` that is not blank, nothing passed; none at the end.
    fn next_line(&mut self, at: usize) -> Result<Option<Range<usize>>, InputErrorKind> {
        let (start, token) = self.token_at(at)?;
        if token.is_none() {
            return Ok(None);
        }
        loop {
            let line = &self.window.ahead()[start..];
            let end = memchr::memchr(b'\n', line);
            if end.is_some() || self.window.ended() {
                let line = line[..end.unwrap_or(line.len())].trim_ascii_end();
                let end = start + line.len();
                self.within_limit(start, end)?;
                return Ok(Some(start..end));
            }
            self.within_limit(start, start + line.len())?;
            self.window.more()?;
        }
    }

    /// The array's element after `at`, nothing passed; none at its end.
    fn next_element(&mut self, at: usize) -> Result<Option<Range<usize>>, InputErrorKind> {
        let (mut start, mut token) = self.token_at(at)?;
        if token == Some(b']') {
            return Ok(None);
        }
        if self.state == DocumentState::Elements && token.is_some() {
            if token != Some(b',') {
                return Err(self.error(start, "expected `,` or `]` after a record"));
            }
            (start, token) = self.token_at(start + 1)?;
        }
        match token {
            None => return Err(self.cut_off(start, "the file ends before its records do")),
            Some(b',' | b']' | b'}' | b':') => return Err(self.error(start, "expected a record")),
            Some(_) => {}
        }
        let (IgnoredAny, end) = self.value_at(start)?;
        Ok(Some(start..end))
    }

    /// Reads what closes the document; nothing else may be there.
    fn tail(&mut self) -> Result<(), InputErrorKind> {
        while self.around > 0 {
            match self.token()? {
                Some(b'}') => {
                    self.skip(1);
                    self.around -= 1;
                }
                Some(b',') => {
                    if let Some(array) = self.only.take() {
                        let arrays = vec![array];
                        return Err(InputErrorKind::AmbiguousRecords { arrays });
                    }
                    let (_, value) = self.name_at(1)?;
                    self.skip(value);
                    self.pass_value()?;
                }
                Some(_) => return Err(self.error(0, "expected `,` or `}`")),
                None => return Err(self.cut_off(0, "the file ends before its records do")),
            }
        }
        match self.token()? {
            None => Ok(()),
            Some(_) => Err(self.error(0, MORE_TEXT)),
        }
    }

    /// The problem that hides the rest of the file, unless it is an error of the
    /// whole file.
    fn lost(&mut self, error: InputErrorKind) -> Result<Problem, InputErrorKind> {
        let is_lines = self.state == DocumentState::Lines;
        self.state = DocumentState::Done;
        let (line, code, hint) = match &error {
            InputErrorKind::Json { position, message } => {
                let hint = "one object a line is NDJSON: use --format ndjson";
                let is_more = message == MORE_TEXT;
                (position.line, Code::BadJson, is_more.then_some(hint))
            }
            InputErrorKind::CutOff { position, .. } => {
                let hint = "the file was cut off: export or copy it again";
                (position.line, Code::Truncated, Some(hint))
            }
            InputErrorKind::TooLarge { line, .. } => {
                let hint = "NDJSON has one object a line; for other JSON use --format json";
                (*line, Code::TooLarge, is_lines.then_some(hint))
            }
            _ => return Err(error),
        };
        let place = Place {
            line,
            ..Place::default()
        };
        let mut problem = Problem::new(code, place, format!("{error}; nothing after it was read"));
        problem.hint = hint.map(str::to_owned);
        Ok(problem)
    }
}

impl Read for JsonDocument {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.window.ahead().is_empty() && !self.window.ended() {
            self.window.more()?;
        }
        let count = out.len().min(self.window.ahead().len());
        out[..count].copy_from_slice(&self.window.ahead()[..count]);
        self.skip(count);
        Ok(count)
    }
}

/// The arrays of objects in a member, by their dotted names.
fn find_arrays(name: &str, value: &serde_json::Value, arrays: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(elements)
            if elements.first().is_some_and(serde_json::Value::is_object) =>
        {
            arrays.push(name.to_owned());
        }
        serde_json::Value::Object(members) => {
            for (member, value) in members {
                find_arrays(&format!("{name}.{member}"), value, arrays);
            }
        }
        _ => {}
    }
}
