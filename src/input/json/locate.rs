//! Where in a JSON document the records are: the way to the array, or to the one
//! object, before the first record is read.

use super::super::InputErrorKind;
use super::document::{Document, State};
use super::scan::{Nesting, skip_space, value_end};

impl Document {
    pub(super) fn more(&mut self) -> Result<(), InputErrorKind> {
        self.feed.more().map_err(InputErrorKind::from_io)
    }

    pub(super) fn bad(&self, at: usize, what: &'static str) -> InputErrorKind {
        let position = self.feed.position_at(at);
        InputErrorKind::Json {
            line: position.line,
            column: position.column,
            what,
        }
    }

    /// The first byte of the next token, which everything is forgotten before.
    pub(super) fn token(&mut self) -> Result<Option<u8>, InputErrorKind> {
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
    fn token_at(&mut self, at: usize) -> Result<(usize, Option<u8>), InputErrorKind> {
        loop {
            let found = skip_space(self.feed.bytes(), at);
            self.within_limit(found)?;
            match self.feed.bytes().get(found) {
                Some(byte) => return Ok((found, Some(*byte))),
                None if self.feed.ended() => return Ok((found, None)),
                None => self.more()?,
            }
        }
    }

    fn within_limit(&self, length: usize) -> Result<(), InputErrorKind> {
        if length > self.limits.record {
            return Err(InputErrorKind::TooLarge {
                line: self.feed.position().line,
                limit: self.limits.record,
            });
        }
        Ok(())
    }

    /// Behind the value at `at`, nothing forgotten.
    fn value_at(&mut self, at: usize) -> Result<usize, InputErrorKind> {
        loop {
            if let Some(end) = value_end(self.feed.bytes(), at, self.feed.ended()) {
                self.within_limit(end)?;
                return Ok(end);
            }
            self.within_limit(self.feed.bytes().len())?;
            if self.feed.ended() {
                return Err(self.bad(at, "the file ends in the middle of this value"));
            }
            self.more()?;
        }
    }

    /// The member name at `at`, and where its value begins.
    pub(super) fn name_at(&mut self, at: usize) -> Result<(String, usize), InputErrorKind> {
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
    pub(super) fn single(&mut self) -> Result<(), InputErrorKind> {
        let end = self.value_at(0)?;
        self.single_until(end)
    }

    fn single_until(&mut self, end: usize) -> Result<(), InputErrorKind> {
        self.within_limit(end)?;
        self.state = State::Single { end };
        Ok(())
    }

    /// Nobody said where the records are: in the object's only member, if that
    /// is an array of objects; else the object is the record.
    pub(super) fn find_alone(&mut self) -> Result<(), InputErrorKind> {
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
                return Err(InputErrorKind::AmbiguousRecords {
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
    pub(super) fn descend(&mut self, path: &str) -> Result<(), InputErrorKind> {
        for part in path.split('.') {
            match self.token()? {
                Some(b'{') => self.feed.skip(1),
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
            _ => Err(InputErrorKind::NotRecords(path.to_owned())),
        }
    }

    /// Forgets the value that comes next, however large.
    fn pass_value(&mut self) -> Result<(), InputErrorKind> {
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
}

/// Names for a message, not too many of them.
pub(super) fn listed(names: &[String]) -> String {
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
