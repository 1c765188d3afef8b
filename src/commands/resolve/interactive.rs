//! The cases in doubt one by one: each is shown with what is needed to find it,
//! and the answer is recorded before the next one is shown.

use anyhow::Result;
use jiff::Timestamp;

use super::super::Exit;
use super::super::cases;
use super::{ResolveJob, refusal_text};
use crate::ledger::ResolveAction;
use crate::model::{Key, State};
use crate::output::terminal::color;
use crate::output::terminal::streams::{print_status, prompt};
use crate::output::terminal::text::{count, grouped};

const PROMPT: &str = "(i)mported [CASE_ID], (n)ot imported, (s)kip, (b)ack, (h)elp, (q)uit:";

const HELP: &str = "
  i           it is on the platform
  i CASE_ID   it is on the platform, under this id
  n           it is not on the platform: the next import sends it
  s           leave it in doubt
  b           back to the case before, without the answer given for it
  q           quit; the answers so far are recorded
";

#[derive(Debug, Clone, PartialEq, Eq)]
enum UserAnswer {
    /// The case id belongs to an imported case.
    Record(ResolveAction, Option<String>),
    Skip,
    Back,
    Quit,
}

/// Goes through the cases in doubt, or the selected ones of them.
pub(super) fn run(job: &mut ResolveJob<'_>) -> Result<Exit> {
    let filter = job.filter(&job.named(None)?)?;
    let cases = job.ledger.reader().select(&filter)?.into_iter();
    let in_doubt = cases.filter(|case| case.state == State::InDoubt);
    let keys: Vec<Key> = in_doubt.map(|case| case.key).collect();
    let total = keys.len() as u64;
    print_status(&match total {
        0 => "no cases in doubt".to_owned(),
        _ => format!(
            "{} in doubt: check each in Lexamica, then record the outcome",
            count(total, "case")
        ),
    });
    let answers = ask_all(job, &keys)?;
    let resolved = answers.iter().filter(|resolved| **resolved).count() as u64;
    if total > 0 {
        let unseen = match total - answers.len() as u64 {
            0 => String::new(),
            unseen => format!(", {} of them not shown", grouped(unseen)),
        };
        print_status(&format!(
            "{} resolved, {} still in doubt{unseen}",
            grouped(resolved),
            grouped(total - resolved)
        ));
    }
    if job.settings.output.json {
        job.print_closing(None, resolved, 0, Exit::Done);
    }
    Ok(Exit::Done)
}

/// Whether each case that was shown is resolved.
fn ask_all(job: &mut ResolveJob<'_>, keys: &[Key]) -> Result<Vec<bool>> {
    let mut resolved = Vec::new();
    while let Some(key) = keys.get(resolved.len()) {
        match ask(job, key, resolved.len() as u64 + 1, keys.len() as u64)? {
            UserAnswer::Quit => break,
            UserAnswer::Skip => resolved.push(false),
            UserAnswer::Record(..) => resolved.push(true),
            UserAnswer::Back => match resolved.pop() {
                None => print_status("this is the first case"),
                Some(false) => {}
                Some(true) => {
                    let before = keys[resolved.len()].clone();
                    job.record(ResolveAction::Undo, &[(before, None)])?;
                    print_status("its answer was undone");
                }
            },
        }
    }
    Ok(resolved)
}

/// Shows a case and asks until there is an answer that the ledger accepts.
fn ask(job: &mut ResolveJob<'_>, key: &Key, position: u64, total: u64) -> Result<UserAnswer> {
    let reader = job.ledger.reader();
    let Some(case) = reader.case(key)? else {
        return Ok(UserAnswer::Skip);
    };
    let is_young = job.is_young(&case);
    let case_url = job.settings.config.platform.case_url.as_deref();
    let views = cases::views(reader, vec![case], case_url)?;
    let text = views[0].text(job.settings.output, true, Timestamp::now());
    print_status(&format!("\n{position} of {total}: {text}"));
    if is_young {
        job.warn_young(1);
    }
    loop {
        let answer = ask_for_answer()?;
        let UserAnswer::Record(action, case_id) = &answer else {
            return Ok(answer);
        };
        let report = job.record(*action, &[(key.clone(), case_id.clone())])?;
        let refusal = report.refused.first().map(|(_, refusal)| refusal);
        if job.settings.output.json {
            job.print_case(*action, key, case_id.as_deref(), refusal);
        }
        match refusal {
            None => return Ok(answer),
            Some(refusal) => print_status(&color::red(&refusal_text(*action, refusal))),
        }
    }
}

/// Asks until the answer is valid; the end of the input quits.
fn ask_for_answer() -> Result<UserAnswer> {
    while let Some(line) = prompt(PROMPT)? {
        match parse_answer(&line) {
            Some(answer) => return Ok(answer),
            None => print_status(HELP),
        }
    }
    print_status("");
    Ok(UserAnswer::Quit)
}

fn parse_answer(line: &str) -> Option<UserAnswer> {
    let line = line.trim();
    let (answer, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match (answer.to_lowercase().as_str(), rest.trim()) {
        ("i" | "imported", id) if !id.contains(char::is_whitespace) => {
            let id = (!id.is_empty()).then(|| id.to_owned());
            Some(UserAnswer::Record(ResolveAction::Imported, id))
        }
        ("n" | "not", "") | ("not", "imported") => {
            Some(UserAnswer::Record(ResolveAction::NotImported, None))
        }
        ("s" | "skip", "") => Some(UserAnswer::Skip),
        ("b" | "back", "") => Some(UserAnswer::Back),
        ("q" | "quit", "") => Some(UserAnswer::Quit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Anything else shows the help and asks again.
    #[test]
    fn only_a_clear_answer_is_accepted() {
        let record = |action, id: Option<&str>| {
            let id = id.map(str::to_owned);
            Some(UserAnswer::Record(action, id))
        };
        let (imported, not_imported) = (ResolveAction::Imported, ResolveAction::NotImported);
        assert_eq!(parse_answer("i\n"), record(imported, None));
        assert_eq!(parse_answer("I  c-1 \n"), record(imported, Some("c-1")));
        assert_eq!(parse_answer("not imported\n"), record(not_imported, None));
        assert_eq!(parse_answer(" n\n"), record(not_imported, None));
        let unclear = [
            "",
            "\n",
            "y\n",
            "n c1\n",
            "i two words\n",
            "ic1\n",
            "nope\n",
        ];
        for line in unclear {
            assert_eq!(parse_answer(line), None, "{line:?}");
        }
    }
}
