//! A JSON document: finds the array of records in it and cuts out its elements
//! one by one, so that never more than a chunk and a record are in memory.

use crate::model::{Code, FileId, Place, Problem};

use super::super::chunk::{Chunk, Row};
use super::super::feed::Feed;
use super::super::{InputErrorKind, Limits};
use super::locate::listed;
use super::scan::{Nesting, skip_space, value_end};

/// What is left of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
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
pub(in crate::input) struct Document {
    pub(super) feed: Feed,
    file: FileId,
    pub(super) limits: Limits,
    index: u64,
    pub(super) state: State,
    /// How many objects are open around the array.
    pub(super) around: u32,
    /// The member that holds the array, when nobody named it: it must be alone.
    pub(super) alone: Option<String>,
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
    pub(in crate::input) fn open(
        feed: Feed,
        file: FileId,
        limits: &Limits,
        records: Option<&str>,
    ) -> Result<Self, InputErrorKind> {
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
            (None, _) => return Err(InputErrorKind::Empty),
            (Some(b'['), None | Some(".")) => document.feed.skip(1),
            (Some(b'['), Some(path)) => {
                return Err(InputErrorKind::NoSuchMember {
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

    /// The next records, or nothing at the end.
    pub(in crate::input) fn next_chunk(&mut self) -> Result<Option<Chunk>, InputErrorKind> {
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
        Chunk::cut(&mut self.feed, length, rows, &mut self.index, lost)
    }

    fn elements(&mut self) -> Result<Option<Chunk>, InputErrorKind> {
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
    fn tail(&mut self) -> Result<Option<Chunk>, InputErrorKind> {
        self.state = State::Done;
        if let Some(array) = self.alone.take() {
            match self.token()? {
                Some(b',') => {
                    let (name, _) = self.name_at(1)?;
                    return Err(InputErrorKind::AmbiguousRecords {
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
