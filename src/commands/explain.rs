//! `caseload explain CODE`: what a problem or an outcome means.

use anyhow::{Result, bail};

use super::exit::Exit;
use crate::mapping::suggest;
use crate::model::Code;
use crate::output::terminal::explain;

/// Runs the command.
pub(super) fn run(code: Option<&str>) -> Result<Exit> {
    let Some(word) = code else {
        for code in Code::ALL {
            print_line(&format!(
                "{:22} {}",
                code.as_str(),
                explain::explain(*code).title
            ));
        }
        return Ok(Exit::Done);
    };
    let explanation = Code::parse(word)
        .map(explain::explain)
        .or_else(|| explain::explain_word(word));
    let Some(explanation) = explanation else {
        let words = Code::ALL.iter().map(|code| code.as_str());
        match suggest::closest(word, words) {
            Some(closest) => bail!("there is no code {word:?}; did you mean {closest:?}?"),
            None => bail!("there is no code {word:?}; `caseload explain` lists them"),
        }
    };
    print_line(&format!(
        "{word}: {}\n\n{}",
        explanation.title, explanation.text
    ));
    Ok(Exit::Done)
}

/// What was asked for goes to standard output; a reader that left is no error.
fn print_line(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
