//! What a terminal shows.

pub(crate) mod check_report;
pub(crate) mod color;
pub(crate) mod diagnosis;
pub(crate) mod life;
pub(crate) mod progress;
pub(crate) mod run_report;
pub(crate) mod status;
pub(crate) mod streams;
pub(crate) mod summary;
pub(crate) mod text;
