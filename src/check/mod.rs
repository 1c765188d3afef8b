//! Reads and maps every record of the whole input: problems, duplicates, and
//! what each column looks like.
//!
//! [`check`] returns an iterator of batches in the order of the input; the
//! [`Checked`] summary is there when all of them were pulled. Problems and
//! cases are not kept: about 56 bytes and the key's text remain of a record,
//! by which duplicates are found.

mod column_profile;
mod cross_record;
mod duplicates;
mod person_match;
mod pipeline;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use column_profile::{ColumnProfile, hash_of};
pub use duplicates::Excluded;
pub use pipeline::{Check, check};

use crate::input::{Input, InputError, ReadOptions};
use crate::mapping::{MissingColumn, Rules};
use crate::model::{CaseData, ColumnSummary, FileId, Problem};

/// What to check, and what to return beside problems.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// The files, in the order of the command.
    pub inputs: Vec<Input>,
    pub read: ReadOptions,
    pub rules: Arc<Rules>,
    /// Warnings are errors.
    pub strict: bool,
    /// Return every valid case in [`CheckBatch::cases`].
    pub collect_cases: bool,
    /// Return every record with an error in [`CheckBatch::invalid`].
    pub collect_invalid: bool,
    /// Also summarize each column.
    pub summarize_columns: bool,
}

/// What was found in some consecutive records.
#[derive(Debug, Default)]
pub struct CheckBatch {
    pub problems: Vec<Problem>,
    /// Valid cases, each with its number among all records that have a key, by
    /// which [`Checked::excluded`] names it: duplicates are known at the end.
    pub cases: Vec<(u32, CaseData)>,
    pub invalid: Vec<Invalid>,
}

/// A record with errors, for whoever has to fix it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Invalid {
    pub file: FileId,
    /// The record as JSON, as far as it can be; see [`crate::input::Unread::raw`].
    pub raw: Box<str>,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a check could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the rules name columns that the input does not have")]
    Columns(Vec<(Option<FileId>, MissingColumn)>),
    /// A file that an earlier run wrote.
    #[error(
        "{0} lists cases in doubt from an earlier run: check in Lexamica, then run \
         `caseload resolve`; importing this file could create them twice"
    )]
    InDoubtFile(String),
    #[error("more than 4 billion records; split the input")]
    TooManyRecords,
}

/// What is known of one file at its end.
#[derive(Debug, Clone, Default)]
pub struct FileSummary {
    /// Its name in messages.
    pub name: String,
    /// SHA-256 of its bytes in hex, with [`ReadOptions::digest`].
    pub sha256: Option<String>,
    /// How many records it has, unreadable ones included.
    pub records: u64,
    /// Unreadable records that do not hide the rest of the file.
    pub unread: u64,
    /// Its header; none for JSON.
    pub columns: Option<Vec<Box<str>>>,
    /// The encoding, if it was guessed from the bytes.
    pub guessed_encoding: Option<&'static str>,
    /// Columns that are not sent.
    pub unused: Vec<String>,
}

/// The summary of a whole check.
#[derive(Debug, Default)]
pub struct Checked {
    /// Records of the input.
    pub total: u64,
    /// Records without an error, duplicates left out.
    pub valid: u64,
    /// Problems that are errors.
    pub errors: u64,
    /// Errors that skipping records does not fix: those of a header, those
    /// after which the rest of a file is unknown, and with
    /// [`CheckOptions::strict`] the warnings that concern no single record.
    pub unskippable: u64,
    /// Problems that are warnings.
    pub warnings: u64,
    pub files: Vec<FileSummary>,
    /// Valid cases that must not be sent, because of others in the input.
    pub excluded: Excluded,
    /// With [`CheckOptions::summarize_columns`].
    pub columns: Vec<ColumnSummary>,
    /// Valid cases by firm.
    pub firms: BTreeMap<Box<str>, u64>,
    /// Valid cases without a firm.
    pub drafts: u64,
    /// Valid cases that got the default firm.
    pub default_firm: u64,
}
