//! The cases in doubt one by one: each is shown with all there is to find it
//! by, and the answer is written down before the next one comes.

use std::io::{BufRead as _, Write as _};

use anyhow::Result;
use jiff::Timestamp;

use super::super::exit::Exit;
use super::super::lookup;
use super::{Job, ResolveAction, list, typed};
use crate::ledger::CaseFilter;
use crate::model::{Key, State};
use crate::output::terminal::color;
use crate::output::terminal::streams::print_status;
use crate::output::terminal::text::{count, grouped};

/// What a person answers.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Imported(Option<String>),
    NotImported,
    Skip,
    Quit,
}

/// Goes through the cases in doubt, or those of them that are selected.
pub(super) fn walk(job: &mut Job<'_>) -> Result<Exit> {
    let keys = doubts(job)?;
    let (mut settled, mut seen) = (0, 0);
    if keys.is_empty() {
        print_status("no case is in doubt");
    } else {
        print_status(&format!(
            "{} in doubt: look each up on the platform, then say what is so",
            count(keys.len() as u64, "case")
        ));
    }
    for (position, key) in keys.iter().enumerate() {
        match ask(job, key, position + 1, keys.len())? {
            Answer::Quit => break,
            Answer::Skip => {}
            Answer::Imported(_) | Answer::NotImported => settled += 1,
        }
        seen += 1;
    }
    let left = keys.len() as u64 - settled;
    if settled + left > 0 {
        print_status(&format!(
            "{} settled, {} left in doubt{}",
            grouped(settled),
            grouped(left),
            match keys.len() - seen {
                0 => String::new(),
                unseen => format!(", {} of them not looked at", grouped(unseen as u64)),
            }
        ));
    }
    if job.output.json {
        job.print_closing(None, settled, 0, Exit::Done);
    }
    Ok(Exit::Done)
}

/// The keys of the cases to go through.
fn doubts(job: &Job<'_>) -> Result<Vec<Key>> {
    let settings = job.settings;
    let reader = job.ledger.reader();
    let mut filter = settings.cases.filter(reader)?;
    let mut named = typed::Named::default();
    for text in &settings.keys {
        named.add((Key::from_typed(text), None))?;
    }
    if let Some(path) = &settings.list {
        for (key, _) in list::read(path)? {
            named.add((key, None))?;
        }
    }
    if !named.is_empty() || settings.list.is_some() {
        filter.keys = Some(named.keys());
    }
    Ok(reader
        .select(&filter)?
        .into_iter()
        .filter(|case| case.state == State::InDoubt)
        .map(|case| case.key)
        .collect())
}

/// Shows a case and asks until there is an answer that the ledger takes.
fn ask(job: &mut Job<'_>, key: &Key, position: usize, total: usize) -> Result<Answer> {
    let cases = job.ledger.reader().select(&CaseFilter {
        keys: Some(vec![key.clone()]),
        with_content: true,
        ..CaseFilter::default()
    })?;
    let Some(case) = cases.into_iter().next() else {
        return Ok(Answer::Skip);
    };
    let is_young = job.is_young(&case);
    let view = lookup::view(job.ledger.reader(), case, job.settings.case_url.as_deref())?;
    print_status(&format!(
        "\n{position} of {total}: {}",
        view.text(job.output, true, Timestamp::now())
    ));
    if is_young {
        print_status(&color::yellow(&job.young_warning(1)));
    }
    loop {
        let answer = prompt()?;
        let (action, case_id) = match &answer {
            Answer::Skip | Answer::Quit => return Ok(answer),
            Answer::Imported(case_id) => (ResolveAction::Imported, case_id.clone()),
            Answer::NotImported => (ResolveAction::NotImported, None),
        };
        let named = [(key.clone(), case_id.clone())];
        let report = job.record(action, &named)?;
        let refusal = report.refused.first().map(|(_, refusal)| refusal);
        if job.output.json {
            job.print_case(action, key, case_id.as_deref(), refusal);
        }
        match refusal {
            None => return Ok(answer),
            Some(refusal) => print_status(&color::red(&action.refused(refusal))),
        }
    }
}

/// Asks until the answer is one; the end of the input is to quit.
fn prompt() -> Result<Answer> {
    loop {
        let mut error = std::io::stderr().lock();
        write!(
            error,
            "(i)mported [CASE_ID], (n)ot imported, (s)kip, (q)uit: "
        )?;
        error.flush()?;
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            writeln!(error)?;
            return Ok(Answer::Quit);
        }
        if let Some(answer) = answer(&line) {
            return Ok(answer);
        }
    }
}

fn answer(line: &str) -> Option<Answer> {
    let (word, rest) = match line.trim().split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (line.trim(), ""),
    };
    match (word.to_lowercase().as_str(), rest) {
        ("i" | "imported", "") => Some(Answer::Imported(None)),
        ("i" | "imported", id) if !id.contains(char::is_whitespace) => {
            Some(Answer::Imported(Some(id.to_owned())))
        }
        ("n" | "not", "") | ("not", "imported") => Some(Answer::NotImported),
        ("s" | "skip", "") => Some(Answer::Skip),
        ("q" | "quit", "") => Some(Answer::Quit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_clear_is_an_answer() {
        assert_eq!(answer("i\n"), Some(Answer::Imported(None)));
        assert_eq!(
            answer("I  c-1 \n"),
            Some(Answer::Imported(Some("c-1".to_owned())))
        );
        assert_eq!(answer("not imported\n"), Some(Answer::NotImported));
        assert_eq!(answer(" n\n"), Some(Answer::NotImported));
        for unclear in [
            "",
            "\n",
            "y\n",
            "n c1\n",
            "i two words\n",
            "ic1\n",
            "nope\n",
        ] {
            assert_eq!(answer(unclear), None, "{unclear:?}");
        }
    }
}
