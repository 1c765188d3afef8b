//! A JSON document: finds the array of records in it and cuts out its elements
//! one by one, so that never more than a chunk and a record are in memory.

use crate::model::{Code, FileId, Place, Problem};

use super::super::chunk::{Body, Chunk, Row};
use super::super::feed::Feed;
use super::super::{Fault, Limits};
use super::scan::{Nesting, skip_space, value_end};

/// What is left of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// One object, which ends here in what was read.
    Single { end: usize },
    /// Elements of an array.
    Elements { first: bool },
    /// What closes the objects around the array.
    Tail,
    /// Nothing.
    Done,
}

/// Finds the records of a JSON document.
pub(in crate::source) struct Document {
    feed: Feed,
    file: FileId,
    limits: Limits,
    index: u64,
    state: State,
    /// How many objects are open around the array.
    around: u32,
    /// The member that holds the array, when nobody named it: it must be alone.
    alone: Option<String>,
}

/// One step through an array.
enum Step {
    Element { start: usize, end: usize },
    Close { next: usize },
    More,
    Bad { at: usize, what: &'static str },
}

fn step(bytes: &[u8], at: usize, first: bool, ended: bool) -> Step {
    let mut start = skip_space(bytes, at);
    match bytes.get(start) {
        None => return Step::More,
        Some(b']') => return Step::Close { next: start + 1 },
        Some(b',') if !first => {
            start = skip_space(bytes, start + 1);
        }
        Some(_) if !first => {
            return Step::Bad {
                at: start,
                what: "expected `,` or `]` behind a record",
            };
        }
        Some(_) => {}
    }
    match bytes.get(start) {
        None => Step::More,
        Some(b',' | b']' | b'}' | b':') => Step::Bad {
            at: start,
            what: "expected a record",
        },
        Some(_) => match value_end(bytes, start, ended) {
            Some(end) => Step::Element { start, end },
            None => Step::More,
        },
    }
}

impl Document {
    /// Finds where the records begin: in the array that the document is, or the
    /// member that `records` or the document's shape says.
    pub(in crate::source) fn open(
        feed: Feed,
        file: FileId,
        limits: &Limits,
        records: Option<&str>,
    ) -> Result<Self, Fault> {
        let mut document = Self {
            feed,
            file,
            limits: limits.clone(),
            index: 0,
            state: State::Elements { first: true },
            around: 0,
            alone: None,
        };
        match (document.token()?, records) {
            (None, _) => return Err(Fault::Empty),
            (Some(b'['), None | Some(".")) => document.feed.skip(1),
            (Some(b'['), Some(path)) => {
                return Err(Fault::NoSuchMember {
                    wanted: path.to_owned(),
                    found: "the file is an array, whose elements are the records".to_owned(),
                });
            }
            (Some(b'{'), None) => document.find_alone()?,
            (Some(b'{'), Some(".")) => document.single()?,
            (Some(b'{'), Some(path)) => document.descend(path)?,
            (Some(_), _) => return Err(document.bad(0, "expected an array or an object")),
        }
        Ok(document)
    }

    fn more(&mut self) -> Result<(), Fault> {
        self.feed.more().map_err(Fault::from_io)
    }

    fn bad(&self, at: usize, what: &'static str) -> Fault {
        let position = self.feed.position_at(at);
        Fault::Json {
            line: position.line,
            column: position.column,
            what,
        }
    }

    /// The first byte of the next token, which everything is forgotten before.
    fn token(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let at = skip_space(self.feed.bytes(), 0);
            self.feed.skip(at);
            match self.feed.bytes().first() {
                Some(byte) => return Ok(Some(*byte)),
                None if self.feed.ended() => return Ok(None),
                None => self.more()?,
            }
        }
    }

    /// The first token at or behind `at`, nothing forgotten.
    fn token_at(&mut self, at: usize) -> Result<(usize, Option<u8>), Fault> {
        loop {
            let found = skip_space(self.feed.bytes(), at);
            match self.feed.bytes().get(found) {
                Some(byte) => return Ok((found, Some(*byte))),
                None if self.feed.ended() => return Ok((found, None)),
                None => self.more_within_limit()?,
            }
        }
    }

    fn within_limit(&self, length: usize) -> Result<(), Fault> {
        if length > self.limits.record {
            return Err(Fault::TooLarge {
                line: self.feed.position().line,
                limit: self.limits.record,
            });
        }
        Ok(())
    }

    fn more_within_limit(&mut self) -> Result<(), Fault> {
        self.within_limit(self.feed.bytes().len())?;
        self.more()
    }

    /// Behind the value at `at`, nothing forgotten.
    fn value_at(&mut self, at: usize) -> Result<usize, Fault> {
        loop {
            if let Some(end) = value_end(self.feed.bytes(), at, self.feed.ended()) {
                return Ok(end);
            }
            if self.feed.ended() {
                return Err(self.bad(at, "the file ends in the middle of this value"));
            }
            self.more_within_limit()?;
        }
    }

    /// The member name at `at`, and where its value begins.
    fn name_at(&mut self, at: usize) -> Result<(String, usize), Fault> {
        let (at, token) = self.token_at(at)?;
        if token != Some(b'"') {
            return Err(self.bad(at, "expected a member name"));
        }
        let end = self.value_at(at)?;
        let name = serde_json::from_slice(&self.feed.bytes()[at..end])
            .map_err(|_| self.bad(at, "a member name that is no valid string"))?;
        let (colon, token) = self.token_at(end)?;
        if token != Some(b':') {
            return Err(self.bad(colon, "expected `:`"));
        }
        let (value, token) = self.token_at(colon + 1)?;
        if token.is_none() {
            return Err(self.bad(value, "the file ends where a value was expected"));
        }
        Ok((name, value))
    }

    /// The whole object is the one record.
    fn single(&mut self) -> Result<(), Fault> {
        let end = self.value_at(0)?;
        self.single_until(end)
    }

    fn single_until(&mut self, end: usize) -> Result<(), Fault> {
        self.within_limit(end)?;
        self.state = State::Single { end };
        Ok(())
    }

    /// Nobody said where the records are: in the object's only member, if that
    /// is an array of objects; else the object is the record.
    fn find_alone(&mut self) -> Result<(), Fault> {
        let mut before: Vec<String> = Vec::new();
        let mut at = 1;
        if let (close, Some(b'}')) = self.token_at(at)? {
            return self.single_until(close + 1);
        }
        loop {
            let (name, value) = self.name_at(at)?;
            if self.feed.bytes()[value] == b'['
                && let (_, Some(b'{' | b']')) = self.token_at(value + 1)?
            {
                if before.is_empty() {
                    self.feed.skip(value + 1);
                    self.around = 1;
                    self.alone = Some(name);
                    return Ok(());
                }
                return Err(Fault::AmbiguousRecords {
                    array: name,
                    beside: listed(&before),
                });
            }
            before.push(name);
            let end = self.value_at(value)?;
            match self.token_at(end)? {
                (next, Some(b',')) => at = next + 1,
                (next, Some(b'}')) => return self.single_until(next + 1),
                (next, None) => {
                    return Err(self.bad(next, "the file ends in the middle of an object"));
                }
                (next, Some(_)) => return Err(self.bad(next, "expected `,` or `}`")),
            }
        }
    }

    /// The records are in the member that a dotted path names.
    fn descend(&mut self, path: &str) -> Result<(), Fault> {
        for part in path.split('.') {
            match self.token()? {
                Some(b'{') => self.feed.skip(1),
                _ => return Err(Fault::NotRecords(path.to_owned())),
            }
            self.around += 1;
            let mut found = Vec::new();
            loop {
                if self.token()? == Some(b'}') {
                    return Err(Fault::NoSuchMember {
                        wanted: path.to_owned(),
                        found: if found.is_empty() {
                            "the object is empty".to_owned()
                        } else {
                            format!("its members are {}", listed(&found))
                        },
                    });
                }
                let (name, value) = self.name_at(0)?;
                self.feed.skip(value);
                if name == part {
                    break;
                }
                found.push(name);
                self.pass_value()?;
                match self.token()? {
                    Some(b',') => self.feed.skip(1),
                    Some(b'}') => {}
                    _ => return Err(self.bad(0, "expected `,` or `}`")),
                }
            }
        }
        match self.token()? {
            Some(b'[') => {
                self.feed.skip(1);
                Ok(())
            }
            Some(b'{') => self.single(),
            _ => Err(Fault::NotRecords(path.to_owned())),
        }
    }

    /// Forgets the value that comes next, however large.
    fn pass_value(&mut self) -> Result<(), Fault> {
        let mut nesting = Nesting::default();
        if !matches!(self.feed.bytes().first(), Some(b'{' | b'[' | b'"')) {
            let end = self.value_at(0)?;
            self.feed.skip(end);
            return Ok(());
        }
        loop {
            match nesting.close(self.feed.bytes(), 0) {
                Ok(end) => {
                    self.feed.skip(end);
                    return Ok(());
                }
                Err(resume) => {
                    self.feed.skip(resume);
                    if self.feed.ended() {
                        return Err(self.bad(0, "the file ends in the middle of a value"));
                    }
                    self.more()?;
                }
            }
        }
    }

    /// The next records, or nothing at the end.
    pub(in crate::source) fn next_chunk(&mut self) -> Result<Option<Chunk>, Fault> {
        let chunk = match self.state {
            State::Single { end } => {
                self.state = State::Tail;
                Some(self.cut(end, vec![Row::new(0, end)], None))
            }
            State::Elements { .. } => self.elements()?,
            State::Tail | State::Done => None,
        };
        match chunk {
            Some(chunk) => Ok(Some(chunk)),
            None if self.state == State::Tail => self.tail(),
            None => Ok(None),
        }
    }

    fn cut(&mut self, length: usize, rows: Vec<Row>, lost: Option<Problem>) -> Chunk {
        let index = self.index;
        self.index += rows.len() as u64;
        let (bytes, position) = self.feed.take(length);
        Chunk {
            body: Body::Text {
                bytes,
                rows,
                position,
            },
            index,
            lost: lost.map(Box::new),
        }
    }

    fn elements(&mut self) -> Result<Option<Chunk>, Fault> {
        let State::Elements { mut first } = self.state else {
            return Ok(None);
        };
        let mut rows = Vec::new();
        let mut at = 0;
        let mut lost = None;
        loop {
            let bytes = self.feed.bytes();
            match step(bytes, at, first, self.feed.ended()) {
                Step::Element { start, end } if end - start > self.limits.record => {
                    lost = Some(self.too_large(start, rows.len()));
                }
                Step::Element { start, end } => {
                    rows.push(Row::new(start, end));
                    first = false;
                    at = end;
                    continue;
                }
                Step::Close { next } => {
                    at = next;
                    self.state = State::Tail;
                    break;
                }
                Step::Bad { at: place, what } => {
                    lost = Some(self.lost(place, rows.len(), Code::BadJson, what));
                }
                Step::More if bytes.len() - at > self.limits.record => {
                    lost = Some(self.too_large(at, rows.len()));
                }
                Step::More if self.feed.ended() => {
                    lost = Some(self.truncated(at, rows.len()));
                }
                Step::More if rows.is_empty() => {
                    self.feed.skip(at);
                    at = 0;
                    self.more()?;
                    continue;
                }
                Step::More => {
                    self.state = State::Elements { first };
                    break;
                }
            }
            self.state = State::Done;
            break;
        }
        if rows.is_empty() && lost.is_none() {
            self.feed.skip(at);
            return Ok(None);
        }
        Ok(Some(self.cut(at, rows, lost)))
    }

    /// Reads what closes the document; nothing else may be there.
    fn tail(&mut self) -> Result<Option<Chunk>, Fault> {
        self.state = State::Done;
        if let Some(array) = self.alone.take() {
            match self.token()? {
                Some(b',') => {
                    let (name, _) = self.name_at(1)?;
                    return Err(Fault::AmbiguousRecords {
                        array,
                        beside: listed(&[name]),
                    });
                }
                Some(b'}') => {
                    self.feed.skip(1);
                    self.around = 0;
                }
                Some(_) => {
                    let lost = self.lost(0, 0, Code::BadJson, "expected `}`");
                    return Ok(Some(self.cut(0, Vec::new(), Some(lost))));
                }
                None => {}
            }
        }
        let mut nesting = Nesting::inside(self.around);
        while nesting.depth > 0 {
            match nesting.close(self.feed.bytes(), 0) {
                Ok(end) => self.feed.skip(end),
                Err(resume) => {
                    self.feed.skip(resume);
                    if self.feed.ended() {
                        let lost = self.truncated(0, 0);
                        return Ok(Some(self.cut(0, Vec::new(), Some(lost))));
                    }
                    self.more()?;
                }
            }
        }
        if self.token()?.is_none() {
            return Ok(None);
        }
        let lost = self
            .lost(0, 0, Code::BadJson, "more text behind the end of the JSON")
            .with_hint("one object a line is NDJSON: use --format ndjson");
        Ok(Some(self.cut(0, Vec::new(), Some(lost))))
    }

    fn lost(&self, at: usize, before: usize, code: Code, what: &str) -> Problem {
        let position = self.feed.position_at(at);
        let place = Place {
            file: self.file,
            line: position.line,
            index: self.index + before as u64,
        };
        Problem::new(
            code,
            place,
            format!(
                "line {}, column {}: {what}; nothing behind it was read",
                position.line, position.column
            ),
        )
    }

    /// Where the record behind `at` begins, its comma passed.
    fn next_record(&self, at: usize) -> usize {
        let bytes = self.feed.bytes();
        let begun = skip_space(bytes, at);
        match bytes.get(begun) {
            Some(b',') => skip_space(bytes, begun + 1),
            _ => begun,
        }
    }

    fn truncated(&self, at: usize, before: usize) -> Problem {
        let begun = self.next_record(at);
        let what = if begun < self.feed.bytes().len() {
            "the file ends in the middle of the record that begins here"
        } else {
            "the file ends before its records do"
        };
        self.lost(begun, before, Code::Truncated, what)
            .with_hint("the file was cut off: export or copy it again")
    }

    fn too_large(&self, at: usize, before: usize) -> Problem {
        let what = format!(
            "a record is larger than the {} bytes that are read",
            self.limits.record
        );
        self.lost(self.next_record(at), before, Code::TooLarge, &what)
    }
}

/// Names for a message, not too many of them.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("{name:?}"))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}
