//! Every record of the whole input: problems, duplicates, what each field
//! looks like.
//!
//! Reading, mapping and reporting overlap: one thread reads chunks, others
//! parse and map them, and the caller's thread takes the results in their
//! order. Problems are handed on as they are found and never kept; what is
//! kept of a record is some 56 bytes, which the duplicates are found by.

mod again;
mod column_profile;
mod people;
mod pipeline;
mod rows;
mod whole;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use pipeline::check;
pub use rows::Excluded;

use crate::input::{self, Input, InputError};
use crate::mapping::{MissingColumn, Rules};
use crate::model::{CaseData, ColumnSummary, FileId, Problem};

/// What to check, and what is wanted of it.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// The files, in the order of the command.
    pub inputs: Vec<Input>,
    /// How to read them.
    pub source: input::ReadOptions,
    /// How a record becomes a case.
    pub rules: Arc<Rules>,
    /// Warnings are problems.
    pub strict: bool,
    /// Hand every valid case to [`Sink::cases`].
    pub want_cases: bool,
    /// Hand every record with an error to [`Sink::invalid`].
    pub want_invalid: bool,
    /// Also summarize each column.
    pub summarize_columns: bool,
    /// Threads that map; 0 is as many as there are processors.
    pub workers: usize,
}

/// Who takes what a check finds, in the input's order.
pub trait Sink {
    /// Why it can't take any more.
    type Error: Send;

    /// A problem, as soon as it is found.
    fn problem(&mut self, problem: Problem) -> Result<(), Self::Error>;

    /// Valid cases, each numbered by its turn among all valid cases of the
    /// input from `first` on. Only with [`CheckOptions::want_cases`]; a duplicate is
    /// known at the end only, by [`Checked::excluded`].
    fn cases(&mut self, first: u32, cases: Vec<CaseData>) -> Result<(), Self::Error>;

    /// A record that is no case. Only with [`CheckOptions::want_invalid`].
    fn invalid(&mut self, invalid: Invalid) -> Result<(), Self::Error>;
}

/// A record that is left out, as who mends it must see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Its file.
    pub file: FileId,
    /// The record as JSON, as far as it can be; see [`source::Unread::raw`].
    pub raw: Box<str>,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a check came to no end.
#[derive(Debug, thiserror::Error)]
pub enum CheckError<E> {
    /// A file can't be used or read.
    #[error(transparent)]
    Source(#[from] InputError),
    /// Rules name columns that are not there.
    #[error("the rules name columns that the input does not have")]
    Columns(Vec<(Option<FileId>, MissingColumn)>),
    /// A file that a run wrote of its cases in doubt.
    #[error(
        "{0} holds cases in doubt, as a run has left them: look them up on the platform and settle \
         them with `caseload resolve`; importing them could make them twice"
    )]
    InDoubtFile(String),
    /// Who takes the findings failed.
    #[error("{0}")]
    Sink(E),
    /// More records than can be numbered.
    #[error("more than 2 billion records; split the input")]
    TooMany,
}

/// What is known of one file at its end.
#[derive(Debug, Clone, Default)]
pub struct FileSummary {
    /// Its name in messages.
    pub name: String,
    /// SHA-256 of its bytes in hex, where [`input::ReadOptions::digest`] asked.
    pub sha256: Option<String>,
    /// How many records it has, those that can't be read among them.
    pub records: u64,
    /// How many of them can't be read one by one; the others are read all the
    /// same.
    pub unread: u64,
    /// Its header; none for JSON.
    pub columns: Option<Vec<Box<str>>>,
    /// The encoding, where it was guessed from the bytes.
    pub guessed_encoding: Option<&'static str>,
    /// Columns that nothing uses.
    pub unused: Vec<String>,
}

/// What a whole check came to.
#[derive(Debug, Default)]
pub struct Checked {
    /// Records of the input.
    pub total: u64,
    /// Records without an error, duplicates left out.
    pub valid: u64,
    /// Problems that are errors.
    pub errors: u64,
    /// Errors that leaving out records does not mend: a header's, those behind
    /// which the rest of a file is unknown, and with [`CheckOptions::strict`] the
    /// warnings that are no single record's.
    pub unskippable: u64,
    /// Problems that are warnings.
    pub warnings: u64,
    /// The files.
    pub files: Vec<FileSummary>,
    /// Valid cases that may not go out, because of others in the input.
    pub excluded: Excluded,
    /// A summary of each column, if `summarize_columns` is set.
    pub columns: Vec<ColumnSummary>,
    /// Valid cases by firm.
    pub firms: BTreeMap<Box<str>, u64>,
    /// Valid cases without a firm.
    pub drafts: u64,
    /// Valid cases that took the default firm.
    pub default_firm: u64,
}
