//! What a terminal shows.

pub(crate) mod color;
pub(crate) mod fields;
pub(crate) mod problems;
pub(crate) mod progress;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod stops;
pub(crate) mod streams;
pub(crate) mod summary;
pub(crate) mod text;
