pub mod decide;
pub mod pace;
