//! What a terminal shows.

pub mod explain;
pub mod fields;
pub mod progress;
pub mod run;
pub mod screen;
pub mod status;
pub mod stops;
pub mod summary;
pub mod text;
