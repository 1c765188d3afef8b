//! Reads and maps every record of the whole input: problems, duplicates, and
//! what each column looks like.
//!
//! [`check`] returns an iterator of batches in the order of the input; the
//! [`Checked`] summary is there when all of them were pulled. Problems and
//! cases are not kept: about 80 bytes and the key's text remain of a record,
//! by which duplicates are found.

mod column_profile;
mod cross_record;
mod duplicates;
mod joined_files;
mod person_match;
mod pipeline;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use column_profile::{ColumnProfile, hash_of};
pub(crate) use duplicates::Exclusions;
pub(crate) use person_match::{Contact, MOST_NAMES, SharedContacts, contact};
pub(crate) use pipeline::{Check, check};

use crate::input::{Input, InputError, ReadOptions};
use crate::mapping::{MissingColumn, Rules};
use crate::model::{CaseData, ColumnSummary, FileId, Foldings, Key, Problem};

/// What to check, and what to return beside problems.
#[derive(Debug, Clone)]
pub(crate) struct CheckOptions {
    /// The files, in the order of the command.
    pub(crate) inputs: Vec<Input>,
    pub(crate) read: ReadOptions,
    pub(crate) rules: Arc<Rules>,
    /// Warnings are errors.
    pub(crate) strict: bool,
    /// A file without records is not a problem.
    pub(crate) allow_empty: bool,
    /// Return every record that has a key in [`CheckBatch::cases`].
    pub(crate) collect_cases: bool,
    /// Return every record with an error in [`CheckBatch::invalid`].
    pub(crate) collect_invalid: bool,
    /// Also summarize each column.
    pub(crate) summarize_columns: bool,
}

/// What was found in some consecutive records.
#[derive(Debug, Default)]
pub(crate) struct CheckBatch {
    pub(crate) problems: Vec<Problem>,
    pub(crate) cases: Vec<CheckedCase>,
    pub(crate) invalid: Vec<Invalid>,
}

/// A record that has a key.
#[derive(Debug)]
pub(crate) struct CheckedCase {
    /// Among all records that have a key. [`Checked::excluded`] names it so:
    /// duplicates are known at the end.
    pub(crate) number: u32,
    /// Without a payload where the record is invalid.
    pub(crate) case: CaseData,
    pub(crate) is_valid: bool,
}

/// A record with errors, as it is written to the rejects file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Invalid {
    pub(crate) file: FileId,
    /// Its key, if it has one.
    pub(crate) key: Option<Key>,
    /// See [`CheckedCase::number`]; none where it has no key.
    pub(crate) number: Option<u32>,
    /// It is held for a decision.
    pub(crate) is_held: bool,
    /// The record as JSON, as far as it can be; see [`crate::input::Item::Problem`].
    pub(crate) raw_record: Box<str>,
    /// What is wrong with it.
    pub(crate) reason: String,
}

/// Why a check could not be completed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the rules name columns that the input does not have")]
    Columns(Vec<(Option<FileId>, MissingColumn)>),
    /// A joined file that can't be used, or not with this input.
    #[error("{0}")]
    Join(String),
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
pub(crate) struct FileSummary {
    /// Its name in messages.
    pub(crate) name: String,
    /// SHA-256 of its bytes in hex, with [`ReadOptions::digest`].
    pub(crate) sha256: Option<String>,
    /// How many records it has, unreadable ones included.
    pub(crate) records: u64,
    /// Unreadable records that do not hide the rest of the file.
    pub(crate) unread: u64,
    /// Its header; none for JSON.
    pub(crate) columns: Option<Vec<Box<str>>>,
    /// Columns that are not sent.
    pub(crate) unused: Vec<String>,
}

/// The summary of a whole check.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Records of the input.
    pub(crate) total: u64,
    /// Records without an error, duplicates left out.
    pub(crate) valid: u64,
    /// Problems that are errors.
    pub(crate) errors: u64,
    /// Errors that skipping records does not fix: those of a header, those
    /// after which the rest of a file is unknown, and with
    /// [`CheckOptions::strict`] the warnings that concern no single record.
    pub(crate) unskippable: u64,
    /// Problems that are warnings.
    pub(crate) warnings: u64,
    pub(crate) files: Vec<FileSummary>,
    /// What must not be sent, because of others in the input.
    pub(crate) excluded: Exclusions,
    /// The foldings that alone merge two keys of the input.
    pub(crate) merging: Foldings,
    /// Whether any record has a name, and a phone, an e-mail or an incident date.
    pub(crate) compares_people: bool,
    /// With [`CheckOptions::summarize_columns`].
    pub(crate) columns: Vec<ColumnSummary>,
    /// Valid cases by firm.
    pub(crate) firms: BTreeMap<Box<str>, u64>,
    /// Valid cases without a firm.
    pub(crate) drafts: u64,
    /// Valid cases that got the default firm.
    pub(crate) default_firm: u64,
}
