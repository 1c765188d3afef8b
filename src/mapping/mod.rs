//! Records to cases: what each payload field is made of, and what is wrong
//! where it can't be made.
//!
//! - [`MappingOptions`]: the rules as the config gives them
//! - [`Rules`]: the same, compiled once and shared by all threads
//! - [`Mapper`]: one thread's hands: a record in, a [`MappedCase`] case or problems out
//!
//! A payload depends on its record and the rules alone, never on what was
//! mapped before. Values are converted strictly or told as problems; a
//! suggestion is shown and never applied.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bind;
mod blank;
mod caseload_key;
mod columns;
mod compile;
mod confidential;
mod field;
mod firm;
pub mod headers;
mod json;
mod mapped;
mod mapper;
mod names;
mod options;
mod raw_record;
mod rules;
pub mod suggest;
mod template;
mod values;

#[cfg(test)]
mod tests;

pub use columns::{MissingColumn, NameSource, NeededFor, merge_missing_columns};
pub use compile::RuleError;
pub use confidential::{looks_confidential, looks_like_ssn};
pub use firm::can_be_id as can_be_firm_id;
pub use json::object_members;
pub use mapped::MappedCase;
pub use mapper::Mapper;
pub use names::{fold, words};
pub use options::{Constant, FieldRule, FieldSource, MappingOptions, NamePart, ValueType};
pub use raw_record::{RecordDigests, record_json};
pub use rules::Rules;
pub use template::TemplateError;
pub use values::{Civil, DateFormat, email_of, phone_of, state_of};
