//! Records to cases: what each payload field is made of, and what is wrong
//! where it can't be made.
//!
//! - [`Options`]: the rules as the config gives them
//! - [`Rules`]: the same, compiled once and shared by all threads
//! - [`Mapper`]: one thread's hands: a record in, a [`Mapped`] case or problems out
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
mod raw;
mod rules;
pub mod suggest;
mod template;
mod values;

#[cfg(test)]
mod tests;

pub use columns::{ColumnFault, Lacks, Names, join_faults};
pub use compile::RuleError;
pub use confidential::{looks_confidential, looks_like_ssn};
pub use firm::can_be_id as can_be_firm_id;
pub use json::members_of;
pub use mapped::Mapped;
pub use mapper::Mapper;
pub use names::{fold, words};
pub use options::{Constant, FieldRule, NamePart, Options, Origin, Source, ValueType};
pub use raw::{RecordDigests, raw_json};
pub use rules::Rules;
pub use template::TemplateError;
pub use values::{Civil, DateFormat, email_of, phone_of, state_of};
