//! One file a command, where the rooms are joined.

mod again;
pub(crate) mod check;
mod exit;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod interrupts;
mod key;
mod ledger_choice;
mod lookup;
mod outputs;
mod problems;
pub(crate) mod resolve;
pub(crate) mod sandbox;
mod selection;
pub(crate) mod status;

pub use self::exit::Exit;
use crate::output::terminal::streams::print_status;

/// Says where text was read by a guess: a wrong one shows in names only.
fn warn_guessed_encodings(checked: &crate::check::Checked) {
    for file in &checked.files {
        if let Some(encoding) = file.guessed_encoding {
            print_status(&format!(
                "{}: read as {encoding}, by a guess; look at names with accents, and name \
                 another with --encoding",
                crate::output::terminal::text::escaped(&file.name)
            ));
        }
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte));
    if plain {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
