//! Profiles the columns of an input, proposes the key columns, and drafts a
//! config.

mod dates;
mod draft;
mod guess;
mod key;
mod profile;

#[cfg(test)]
mod tests;

pub(crate) use guess::draft_config;
pub(crate) use key::propose_key;
pub(crate) use profile::InputProfile;
