//! What `resolve` asks and reports about each action.

use crate::ledger::{Refusal, ResolveAction};
use crate::model::State;
use crate::output::terminal::text::count;

pub(super) fn question(action: ResolveAction, number: u64) -> String {
    let cases = count(number, "case");
    let (it, is) = if number == 1 {
        ("it", "is")
    } else {
        ("they", "are")
    };
    match action {
        ResolveAction::Imported => {
            format!("Mark {cases} as imported? The next import will not send them again.")
        }
        ResolveAction::NotImported => {
            format!(
                "Mark {cases} as not imported? If {it} {is} on the platform after all, the next import creates a duplicate."
            )
        }
        ResolveAction::Removed => {
            format!("Mark {cases} as removed from the platform? The next import sends them again.")
        }
        ResolveAction::Undo => format!("Undo the last resolution of {cases}?"),
    }
}

pub(super) fn done(action: ResolveAction, number: u64) -> String {
    let cases = count(number, "case");
    match action {
        ResolveAction::Imported => format!("{cases} marked as imported"),
        ResolveAction::NotImported => {
            format!("{cases} marked as not imported; the next import sends them")
        }
        ResolveAction::Removed => format!("{cases} marked as removed; the next import sends them"),
        ResolveAction::Undo => format!("undid the last resolution of {cases}"),
    }
}

/// Why a selection has no case for the action.
pub(super) const fn none_selected(action: ResolveAction) -> &'static str {
    match action {
        ResolveAction::Imported | ResolveAction::NotImported => "none of these cases is in doubt",
        ResolveAction::Removed => "none of these cases is imported",
        ResolveAction::Undo => "none of these cases has a resolution to undo",
    }
}

/// Why a case was left as it is, with what to do instead.
pub(super) fn refused(action: ResolveAction, refusal: &Refusal) -> String {
    use ResolveAction::{Imported, NotImported, Removed};
    let hint = match (action, refusal) {
        (Imported, Refusal::State(State::Imported)) => "nothing to do",
        (NotImported, Refusal::State(State::Imported)) => {
            "if it was deleted on the platform, use --removed"
        }
        (Imported | NotImported, Refusal::State(_)) => {
            "only cases in doubt can be marked; the next import sends this one"
        }
        (Removed, Refusal::State(State::InDoubt)) => "use --not-imported for cases in doubt",
        (Removed, Refusal::State(_)) => "--removed is only for imported cases",
        (_, Refusal::IdHeldBy(_)) => "check both cases on the platform",
        _ => return refusal.to_string(),
    };
    format!("{refusal}; {hint}")
}

pub(super) fn young_warning(number: u64, min_age: &str) -> String {
    let (are, them) = if number == 1 {
        ("is", "it")
    } else {
        ("are", "them")
    };
    format!(
        "{} {are} in doubt for less than {min_age}: the server may still be processing {them}; \
         check again after that time",
        count(number, "case")
    )
}
