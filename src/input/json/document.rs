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
    Single {
        length: usize,
    },
    /// Elements of an array.
    Elements {
        first: bool,
    },
    /// What closes the objects around the array.
    Tail,
    Done,
}

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

/// The byte of a text where its syntax is wrong, and how.
type SyntaxError = (usize, String);

/// The value that a text begins with, and where it ends; none if there is only
/// its beginning, or nothing.
fn parse<T: DeserializeOwned>(text: &[u8], ended: bool) -> Result<Option<(T, usize)>, SyntaxError> {
    let mut values = Deserializer::from_slice(text).into_iter::<T>();
    match values.next() {
        Some(Ok(value)) => {
            let end = values.byte_offset();
            // A number or a literal may go on where the text does.
            let is_complete =
                ended || end < text.len() || matches!(text[end - 1], b'}' | b']' | b'"');
            Ok(is_complete.then_some((value, end)))
        }
        None => Ok(None),
        Some(Err(error)) => {
            let at = error_offset(text, &error);
            // A number cut off in its middle is an error at its last byte.
            if error.is_eof() || !ended && at + 1 >= text.len() {
                Ok(None)
            } else {
                Err((at, error_message(&error)))
            }
        }
    }
}

/// The first byte at or after `at` that is not white space.
fn skip_space(bytes: &[u8], at: usize) -> usize {
    bytes.len() - bytes[at..].trim_ascii_start().len()
}

/// What comes next among the records.
enum Step {
    Record(Range<usize>),
    /// Their end; what follows begins here.
    End(usize),
}

/// The next step in NDJSON, from a byte that is not white space; none if the
/// text does not reach so far.
fn next_line(bytes: &[u8], start: usize, ended: bool) -> Option<Step> {
    let line = &bytes[start..];
    let line = match memchr::memchr(b'\n', line) {
        Some(end) => &line[..end],
        None if !ended => return None,
        None if line.is_empty() => return Some(Step::End(start)),
        None => line,
    };
    Some(Step::Record(start..start + line.trim_ascii_end().len()))
}

/// The next step in an array, from a byte that is not white space; none if the
/// text does not reach so far.
fn next_element(
    bytes: &[u8],
    mut start: usize,
    first: bool,
    ended: bool,
) -> Result<Option<Step>, SyntaxError> {
    match bytes.get(start) {
        None => return Ok(None),
        Some(b']') => return Ok(Some(Step::End(start + 1))),
        Some(b',') if !first => start = skip_space(bytes, start + 1),
        Some(_) if !first => {
            return Err((start, "expected `,` or `]` after a record".to_owned()));
        }
        Some(_) => {}
    }
    if let Some(b',' | b']' | b'}' | b':') = bytes.get(start) {
        return Err((start, "expected a record".to_owned()));
    }
    match parse::<IgnoredAny>(&bytes[start..], ended) {
        Ok(value) => Ok(value.map(|(_, length)| Step::Record(start..start + length))),
        Err((at, message)) => Err((start + at, message)),
    }
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
        document.state = DocumentState::Elements { first: true };
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
        let Position { line, column } = self.position_at(at);
        let message = message.into();
        InputErrorKind::Json {
            line,
            column,
            message,
        }
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
            if next.is_some() || self.window.ended() {
                return Ok((found, next));
            }
            self.within_limit(found)?;
            self.window.more()?;
        }
    }

    fn within_limit(&self, length: usize) -> Result<(), InputErrorKind> {
        let (line, limit) = (self.position_at(0).line, self.limits.record);
        if length > limit {
            return Err(InputErrorKind::TooLarge { line, limit });
        }
        Ok(())
    }

    /// The value at `at` and where it ends, nothing passed.
    fn value_at<T: DeserializeOwned>(&mut self, at: usize) -> Result<(T, usize), InputErrorKind> {
        loop {
            let ended = self.window.ended();
            match parse(&self.window.ahead()[at..], ended) {
                Ok(Some((value, length))) => {
                    self.within_limit(at + length)?;
                    return Ok((value, at + length));
                }
                Err((offset, message)) => return Err(self.error(at + offset, message)),
                Ok(None) => self.within_limit(self.window.ahead().len())?,
            }
            if ended {
                return Err(self.error(at, "the file ends in the middle of this value"));
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
            return Err(self.error(value, "the file ends where a value was expected"));
        }
        Ok((name, value))
    }

    /// The whole object is the one record.
    fn single(&mut self) -> Result<(), InputErrorKind> {
        let (IgnoredAny, length) = self.value_at(0)?;
        self.state = DocumentState::Single { length };
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
        if !arrays.is_empty() {
            return Err(InputErrorKind::AmbiguousRecords { arrays });
        }
        // An error in what remains is found here.
        self.single()
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
        let chunk = self.records()?;
        if chunk.is_some() || self.state != DocumentState::Tail {
            return Ok(chunk);
        }
        self.state = DocumentState::Done;
        let lost = self.tail()?;
        Ok(self.chunk(0, Vec::new(), lost))
    }

    fn chunk(
        &mut self,
        length: usize,
        rows: Vec<Range<usize>>,
        lost: Option<Problem>,
    ) -> Option<Chunk> {
        let is_empty = rows.is_empty() && lost.is_none();
        let bytes = self.window.ahead()[..length].to_vec();
        let start = self.position;
        self.skip(length);
        let body = ChunkBody::Json(Values { bytes, rows, start });
        (!is_empty).then(|| Chunk::new(body, lost))
    }

    fn records(&mut self) -> Result<Option<Chunk>, InputErrorKind> {
        let limit = self.limits.record;
        let mut rows: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        let mut lost = None;
        while lost.is_none() {
            let (bytes, ended) = (self.window.ahead(), self.window.ended());
            at = skip_space(bytes, at);
            let step = match self.state {
                DocumentState::Lines => Ok(next_line(bytes, at, ended)),
                DocumentState::Elements { first } => next_element(bytes, at, first, ended),
                DocumentState::Single { length } => Ok(Some(Step::Record(0..length))),
                DocumentState::Tail | DocumentState::Done => break,
            };
            match step {
                Ok(Some(Step::Record(range))) if range.len() > limit => {
                    lost = Some(self.too_large(range.start));
                }
                Ok(Some(Step::Record(range))) => {
                    at = range.end;
                    rows.push(range);
                    self.state = match self.state {
                        DocumentState::Elements { .. } => DocumentState::Elements { first: false },
                        DocumentState::Single { .. } => DocumentState::Tail,
                        other => other,
                    };
                }
                Ok(Some(Step::End(next))) => {
                    at = next;
                    self.state = DocumentState::Tail;
                }
                Err((place, message)) => {
                    lost = Some(self.lost(place, Code::BadJson, &message));
                }
                Ok(None) if bytes.len() - at > limit => {
                    lost = Some(self.too_large(at));
                }
                Ok(None) if ended => lost = Some(self.truncated(at)),
                Ok(None) if rows.is_empty() => {
                    self.skip(at);
                    at = 0;
                    self.window.more()?;
                }
                Ok(None) => break,
            }
        }
        if lost.is_some() {
            self.state = DocumentState::Done;
        }
        Ok(self.chunk(at, rows, lost))
    }

    /// Reads what closes the document; nothing else may be there.
    fn tail(&mut self) -> Result<Option<Problem>, InputErrorKind> {
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
                Some(_) => return Ok(Some(self.lost(0, Code::BadJson, "expected `,` or `}`"))),
                None => return Ok(Some(self.truncated(0))),
            }
        }
        let more = self.token()?.map(|_| {
            let message = "more text after the end of the JSON";
            self.lost(0, Code::BadJson, message)
                .with_hint("one object a line is NDJSON: use --format ndjson")
        });
        Ok(more)
    }

    fn lost(&self, at: usize, code: Code, message: &str) -> Problem {
        let Position { line, column } = self.position_at(at);
        let place = Place {
            line,
            ..Place::default()
        };
        let message = format!("line {line}, column {column}: {message}; nothing after it was read");
        Problem::new(code, place, message)
    }

    /// Where the record after `at` begins, its comma passed.
    fn next_record(&self, at: usize) -> usize {
        let bytes = self.window.ahead();
        let start = skip_space(bytes, at);
        match bytes.get(start) {
            Some(b',') => skip_space(bytes, start + 1),
            _ => start,
        }
    }

    fn truncated(&self, at: usize) -> Problem {
        let start = self.next_record(at);
        let message = if start < self.window.ahead().len() {
            "the file ends in the middle of the record that begins here"
        } else {
            "the file ends before its records do"
        };
        self.lost(start, Code::Truncated, message)
            .with_hint("the file was cut off: export or copy it again")
    }

    fn too_large(&self, at: usize) -> Problem {
        let message = format!(
            "record larger than the limit of {} bytes",
            self.limits.record
        );
        let problem = self.lost(self.next_record(at), Code::TooLarge, &message);
        if self.state != DocumentState::Lines {
            return problem;
        }
        problem.with_hint("NDJSON has one object a line; for other JSON use --format json")
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
