//! A record to a case, or to the problems that keep it from being one.
//!
//! - [`MappingOptions`]: the rules as the config gives them
//! - [`Rules`]: the same, compiled once and shared by all threads
//! - [`Mapper`]: maps one record after another to a [`MappedCase`]
//!
//! A payload depends on its record and the rules alone, never on what was
//! mapped before. Values are converted strictly or reported as problems; a
//! suggestion is shown and never applied.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod columns;
mod field;
mod join;
mod json;
mod key;
mod mapper;
pub(crate) mod names;
mod options;
mod partner_firm;
mod person;
mod problems;
mod rules;
mod template;
mod values;

#[cfg(test)]
mod tests;

pub(crate) use columns::{MissingColumn, is_firm_name, merge_missing_columns};
pub(crate) use join::{JoinedTable, Joiner};
pub(crate) use json::{object_members, record_json};
pub use mapper::{Content, MappedCase, Mapper, RecordDigests};
pub(crate) use names::{looks_confidential, looks_like_ssn};
pub(crate) use options::JoinRule;
pub use options::{Constant, FieldRule, FieldSource, MappingOptions, NamePart, ValueType};
pub(crate) use partner_firm::can_be_firm_id;
pub(crate) use person::PersonReader;
pub use rules::{RuleError, Rules};
pub(crate) use values::{DateFormat, email_of, phone_of, state_of};
