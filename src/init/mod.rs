//! Looks at a file and writes a config; proposes the key.

mod dates_seen;
mod draft;
mod guess;
mod guess_key;
mod seen;

#[cfg(test)]
mod exports_tests;

pub use draft::Draft;
pub use guess::Guesser;
