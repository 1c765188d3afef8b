//! What a terminal shows.

pub mod color;
pub mod explain;
pub mod fields;
pub mod progress;
pub mod run;
pub mod status;
pub mod stops;
pub mod streams;
pub mod summary;
pub mod text;
