//! The room through its public face: every input goes through `open`,
//! `next_chunk` and `parse`, at several chunk sizes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod delimited;
mod files;
mod fuzz;
mod json;
mod mutation;
mod random;
mod workbook;

use std::io::Write as _;

use crate::model::{CellKind, Code, FileId, Problem};

use super::{Input, InputError, Item, Parser, ReadOptions, Reader, open};

/// What reading a whole input gave, with nothing borrowed.
#[derive(Debug, Default, PartialEq)]
struct Read {
    header: Vec<Problem>,
    records: Vec<Row>,
    problems: Vec<Problem>,
    unread: Vec<String>,
    lost: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    line: u64,
    number: Option<u64>,
    index: u64,
    cells: Vec<(String, CellKind, String)>,
    json: Option<String>,
}

impl Row {
    fn get(&self, name: &str) -> &str {
        let cell = self.cells.iter().find(|(column, ..)| column == name);
        cell.map_or("(absent)", |(.., text)| text)
    }

    fn kind(&self, name: &str) -> CellKind {
        let cell = self.cells.iter().find(|(column, ..)| column == name);
        cell.map_or(CellKind::Absent, |(_, kind, _)| *kind)
    }

    fn texts(&self) -> Vec<&str> {
        self.cells.iter().map(|(.., text)| text.as_str()).collect()
    }
}

impl Read {
    fn codes(&self) -> Vec<(Code, u64)> {
        self.problems
            .iter()
            .chain(&self.lost)
            .map(|problem| (problem.code, problem.place.line))
            .collect()
    }
}

/// A file of these bytes under a name, in a folder that goes away with it.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Input) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::File::create(&path)
        .unwrap()
        .write_all(bytes)
        .unwrap();
    (folder, Input::Path(path))
}

fn chunked(chunk: usize) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.limits.chunk = chunk;
    options
}

fn drain(reader: &mut Reader, parser: &mut Parser) -> Result<Read, InputError> {
    let mut read = Read {
        header: reader.problems(),
        ..Read::default()
    };
    while let Some(chunk) = reader.next_chunk()? {
        let mut count = 0;
        parser.parse(&chunk, &mut |item| {
            count += 1;
            let index = match item {
                Item::Record(record) => {
                    read.records.push(Row {
                        line: record.place.line,
                        number: record.place.row,
                        index: record.place.index,
                        cells: record
                            .iter()
                            .map(|(name, cell)| (name.to_owned(), cell.kind, cell.text.to_owned()))
                            .collect(),
                        json: record.json.map(str::to_owned),
                    });
                    record.place.index
                }
                Item::Problem(problem, unread) => {
                    read.unread.push(unread);
                    let index = problem.place.index;
                    read.problems.push(problem);
                    index
                }
                Item::Lost(problem) => {
                    let index = problem.place.index;
                    read.lost.push(problem);
                    index
                }
            };
            // Every record and every problem is one, in order.
            let found = read.records.len() + read.problems.len() + read.lost.len();
            assert_eq!(index, found as u64 - 1);
        });
        assert_eq!(count, chunk.len());
    }
    Ok(read)
}

fn try_read(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Read, InputError> {
    let (_folder, input) = file(name, bytes);
    let mut reader = open(&input, FileId(0), options)?;
    let mut parser = reader.parser();
    drain(&mut reader, &mut parser)
}

/// Reads at several chunk sizes, which must make no difference.
fn read(name: &str, bytes: impl AsRef<[u8]>) -> Read {
    read_with(name, bytes, &ReadOptions::default())
}

fn read_with(name: &str, bytes: impl AsRef<[u8]>, options: &ReadOptions) -> Read {
    let mut options = options.clone();
    let whole = try_read(name, bytes.as_ref(), &options).unwrap();
    for chunk in [1, 7, 64] {
        options.limits.chunk = chunk;
        let pieces = try_read(name, bytes.as_ref(), &options).unwrap();
        assert_eq!(pieces, whole, "with chunks of {chunk} bytes");
    }
    whole
}

/// The message of a file that can't be used.
fn refused(name: &str, bytes: impl AsRef<[u8]>) -> String {
    refused_with(name, bytes, &ReadOptions::default())
}

fn refused_with(name: &str, bytes: impl AsRef<[u8]>, options: &ReadOptions) -> String {
    let error = try_read(name, bytes.as_ref(), options).unwrap_err();
    let text = error.to_string();
    let (file, fault) = text.split_once(name).unwrap();
    assert!(file.starts_with('/'), "{text}");
    fault.trim_start_matches(": ").to_owned()
}

#[test]
fn reading_can_be_spread_over_threads() {
    fn is_send<T: Send>() {}
    is_send::<Reader>();
    is_send::<Parser>();
    is_send::<super::Chunk>();
}
